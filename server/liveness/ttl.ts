import { type Login, type Logins, StoreError } from 'php-sessions';

// Durations are in milliseconds. Times are on the monotonic clock.

/** How long a login counts as in use after its user wrote in the chat. */
const inUseFor = 60_000;
/** The minimum time between two renewals, unless the lifetime is short. */
const shortestRenewalPause = 60_000;
/** A login is renewed when this part of its lifetime has passed. */
const renewalPart = 1 / 3;
/** The maximum error of a TTL, because some stores count in whole seconds and answers take time. */
const precision = 1500;
/** The time after which a TTL is read again. Without an answer, the next attempt waits as long. */
const askEvery = 60_000;

export interface TtlOptions {
  logins: Logins;
  /** The time between two checks of a login. */
  interval: number;
  /** Whether writing in the chat renews the login. */
  keepalive: boolean;
  /** Called when a login in use could not be renewed. */
  onKeepaliveFailure(error: StoreError): void;
}

/**
 * The TTL of a login as the store last reported it. It distinguishes an expiry from a logout. Also renews the login
 * while its user writes in the chat, as page views would. A renewal sets the site's lifetime and never shortens a TTL.
 */
export class LoginTtl {
  readonly #checked: { readonly login: Login };
  readonly #options: TtlOptions;
  /** When the login expires. `Infinity` if never, undefined until the store reports it. */
  #expires: number | undefined;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #asking = false;
  /** The longest TTL seen, which is about the lifetime that PHP sets with each request. */
  #longest = 0;
  /** The last known use of the login by PHP or by a renewal. */
  #usedAt = performance.now();
  #writtenAt = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(checked: { readonly login: Login }, options: TtlOptions) {
    this.#checked = checked;
    this.#options = options;
  }

  /** Call when the user writes in the chat. */
  written(): void {
    this.#writtenAt = performance.now();
  }

  /** Call when the site used the login or may have used it, so that the TTL must be read again. */
  used(): void {
    this.#usedAt = performance.now();
    this.#askAgainAt = Number.NEGATIVE_INFINITY;
  }

  /** Reads the TTL or renews the login if that is due. A failure to read the TTL is ignored. */
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
   * Whether an ended login expired, and was not logged out. If the store returns a TTL, that decides. Otherwise it
   * expired if the last known TTL has passed or, without a known TTL, if `lifetime` has passed since the last use.
   */
  async hasRunOut(): Promise<boolean> {
    const left = await this.#options.logins.ttl(this.#checked.login).catch(ignoreFailure);
    if (typeof left === 'number') return left === 0;
    const { lifetime } = this.#options.logins;
    const expires = this.#expires ?? (lifetime === undefined ? undefined : this.#usedAt + lifetime);
    return expires !== undefined && performance.now() > expires - precision;
  }

  async #ask(): Promise<number | null> {
    // Counted from the request, because on a loaded machine the answer may come more than `precision` later.
    const now = performance.now();
    this.#askAgainAt = now + askEvery;
    const left = await this.#options.logins.ttl(this.#checked.login);
    // The record is gone, perhaps because it just expired, or its end is unknown. Keep the last known TTL.
    if (left === null) return null;
    const before = this.#expires;
    this.#expires = now + left;
    // Near the end, every check reads the TTL. PHP may renew it, or this reading may be the last.
    this.#askAgainAt = Math.min(now + askEvery, this.#expires - precision - 2 * this.#options.interval);
    if (left === Number.POSITIVE_INFINITY) return left;
    // The site shortened the TTL on purpose.
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
      // Read the TTL first, because a renewal would shorten a TTL that is longer than `lifetime`.
      const left = await this.#ask();
      const lifetime = this.#lifetime();
      if (lifetime === 0 || (left !== null && left > lifetime * (1 - renewalPart))) return;
      const now = performance.now();
      await this.#options.logins.renew(this.#checked.login, Math.ceil(lifetime / 1000));
      this.#usedAt = now;
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
