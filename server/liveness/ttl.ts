import { type Login, type Logins, StoreError } from 'php-sessions';

// Milliseconds, and times by the monotonic clock.

/** A login counts as in use for this long after its user has written something. */
const inUseFor = 60_000;
/** A login is renewed no more often than this, unless its lifetime is short. */
const shortestRenewalPause = 60_000;
const renewalPart = 1 / 3;
/** Some stores count in whole seconds, and answers take time: a TTL may be wrong by this much. */
const precision = 1500;
/** The store is asked for a TTL at least this often, and no more often where it gives no answer. */
const askEvery = 60_000;

export interface TtlOptions {
  logins: Logins;
  /** Between two checks of a login. */
  interval: number;
  /** Whether what a user writes renews the login. */
  keepalive: boolean;
  /** A login in use could not be renewed. */
  onKeepaliveFailure(error: StoreError): void;
}

/**
 * The TTL of one login, as its store last reported it: it distinguishes an expiry from a logout. Also renews the login
 * while its user writes in the chat, as a page view would: never beyond the site's lifetime, and never to less than it
 * has left.
 */
export class LoginTtl {
  readonly #checked: { readonly login: Login };
  readonly #options: TtlOptions;
  /** When it expires; `Infinity` if never, undefined as long as the store has not said. */
  #expires: number | undefined;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #asking = false;
  /** The longest TTL that was seen: about what PHP gives it with each request. */
  #longest = 0;
  /** When PHP or the keepalive is last known to have used it. */
  #usedAt = performance.now();
  #writtenAt = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(checked: { readonly login: Login }, options: TtlOptions) {
    this.#checked = checked;
    this.#options = options;
  }

  /** Its user has written something in the chat. */
  written(): void {
    this.#writtenAt = performance.now();
  }

  /** The site has used the login, or may have: its TTL has changed. */
  used(): void {
    this.#usedAt = performance.now();
    this.#askAgainAt = Number.NEGATIVE_INFINITY;
  }

  /** Asks for the TTL, or renews the login, if it is time for that. Failures of the store say nothing about it. */
  update(): void {
    if (this.#asking) return;
    const renewing = this.#options.keepalive && this.#isToBeRenewed();
    if (!renewing && performance.now() < this.#askAgainAt) return;
    this.#asking = true;
    void (renewing ? this.#renew() : this.#ask()).catch(ignoreFailure).finally(() => {
      this.#asking = false;
    });
  }

  /**
   * Whether an ended login has expired, in contrast to a logout. A store that still has the record, and the last check of a
   * login in a table, return what was left of it. If the record is gone, the login has expired when the last known TTL had
   * passed, or without one, `lifetime=` of the store URL after the last use.
   */
  async hasRunOut(): Promise<boolean> {
    const left = await this.#options.logins.ttl(this.#checked.login).catch(ignoreFailure);
    if (typeof left === 'number') return left === 0;
    const { lifetime } = this.#options.logins;
    const expires = this.#expires ?? (lifetime === undefined ? undefined : this.#usedAt + lifetime);
    return expires !== undefined && performance.now() > expires - precision;
  }

  async #ask(): Promise<number | null> {
    this.#askAgainAt = performance.now() + askEvery;
    const left = await this.#options.logins.ttl(this.#checked.login);
    // Gone by now, perhaps because it has just expired, or the store does not say: what was seen before still counts.
    if (left === null) return null;
    const now = performance.now();
    const before = this.#expires;
    this.#expires = now + left;
    // Near its end it is asked for with each check: PHP may have renewed it, or it is the last TTL to be seen.
    this.#askAgainAt = Math.min(now + askEvery, this.#expires - precision - 2 * this.#options.interval);
    if (left === Number.POSITIVE_INFINITY) return left;
    // The site has shortened it on purpose.
    const shortened =
      before !== undefined && before !== Number.POSITIVE_INFINITY && this.#expires < before - precision;
    this.#longest = shortened ? left : Math.max(this.#longest, left);
    return left;
  }

  #isToBeRenewed(): boolean {
    const now = performance.now();
    const lifetime = this.#lifetime();
    const pause =
      lifetime === 0 ? shortestRenewalPause : Math.min(shortestRenewalPause, lifetime * renewalPart);
    return now - this.#writtenAt <= inUseFor && now - this.#renewedAt >= pause;
  }

  async #renew(): Promise<void> {
    this.#renewedAt = performance.now();
    try {
      // Without knowing what is left, one could shorten it.
      const left = await this.#ask();
      const lifetime = this.#lifetime();
      if (lifetime === 0 || (left !== null && left > lifetime * (1 - renewalPart))) return;
      await this.#options.logins.renew(this.#checked.login, Math.ceil(lifetime / 1000));
      this.#usedAt = performance.now();
      if (left !== null) this.#expires = this.#usedAt + lifetime;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#options.onKeepaliveFailure(error);
    }
  }

  #lifetime(): number {
    return this.#options.logins.lifetime ?? this.#longest;
  }
}

function ignoreFailure(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
}
