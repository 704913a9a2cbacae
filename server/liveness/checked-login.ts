import { isDeepStrictEqual } from 'node:util';
import {
  type CheckResult,
  doubtMs,
  type Followed,
  type Login,
  type SessionUser,
  StoreError,
  UnsettledError,
  type Watch,
  type Watcher,
} from 'php-sessions';
import type { EndReason } from '../wire/events.ts';
import { LoginTtl, type TtlOptions } from './ttl.ts';

// Durations are in milliseconds. Times are on the monotonic clock.

/** The delays of extra checks after a request of the site opened the login, because that request may also end it. */
const checksAfterOpening = [50, 250];
/** The delay before a failed read is repeated. */
const retryAfter = 250;
/** The minimum time between two checks of a login, so that a flood of notifications does not cause constant reads. */
const shortestPause = 5;
/** A login is checked at this interval even if the store promises all notifications, because they may be lost. */
const checkAnyway = 60_000;

/** An open connection of a login. */
export interface Subscriber {
  /** Called once, when the login ends. Nothing more may be delivered, and no other call follows. */
  ended(reason: EndReason): void;
  /**
   * Closes the connection, because a check failed and the login was not confirmed within `grace`. The login may still be
   * valid.
   * @returns false if the connection was already closing
   */
  unconfirmed(): boolean;
  /** Called when the identity of the user changed. */
  changed(user: SessionUser): void;
}

/** Options and callbacks that all logins share. */
export interface Surroundings extends TtlOptions {
  /** How long connections stay open while the store does not answer. */
  grace: number;
  watch: Watch;
  /** Starts a check, which ends with a call of `answered` or `failed`. */
  check(login: CheckedLogin): void;
  onAnswer(login: CheckedLogin): void;
  onFailure(login: CheckedLogin, error: StoreError): void;
  /** Called for each connection of an ended login. */
  onEnd(reason: EndReason): void;
  /** Called for each connection that is closed because its login was not confirmed within `grace`. */
  onUnconfirmed(error: StoreError): void;
  /** Called when the login ended or lost its last connection. It is not checked again. */
  onRelease(login: CheckedLogin): void;
}

/**
 * - `idle`: waits for its turn or for a notification
 * - `due`: a check starts `shortestPause` after the start of the previous one
 * - `checking`: a check is in flight, or found no user and the reason of the end is being determined
 * - `recheck`: `checking`, and a notification arrived whose change the check may have missed
 * - `confirming`: was empty or unreadable once, and is read again after `doubtMs`
 * - `retrying`: `unsettled`, or `failed` in `recheck`, and is checked again after `retryAfter`
 * - `ended`: final, because the login ended or lost its last connection
 */
type State = 'idle' | 'due' | 'checking' | 'recheck' | 'confirming' | 'retrying' | 'ended';

/**
 * - `turn`: the schedule reached the login
 * - `notified`: the login may have changed or ended, or is in use
 * - `waited`: the delay of the state is over
 * - `alive`: the check found the same user
 * - `doubtful`: the check found an empty or unreadable record for the first time
 * - `failed`: the check failed
 * - `unsettled`: the check failed because the session is rewritten too often
 */
type Event = 'turn' | 'notified' | 'waited' | 'alive' | 'doubtful' | 'failed' | 'unsettled';

/**
 * How a check confirms a login. `end` leads from every state to `ended`. An event without an entry for a state is
 * ignored, such as a notification in `confirming`, because the next check sees its change.
 */
const transitions: Record<Event, Partial<Record<State, State>>> = {
  turn: { idle: 'checking' },
  notified: { idle: 'due', retrying: 'due', checking: 'recheck' },
  waited: { due: 'checking', confirming: 'checking', retrying: 'checking' },
  alive: { checking: 'idle', recheck: 'due' },
  doubtful: { checking: 'confirming', recheck: 'confirming' },
  failed: { checking: 'idle', recheck: 'retrying' },
  unsettled: { checking: 'retrying', recheck: 'retrying' },
};

/** A login with open connections, checked until it ends or loses the last one. At most one check is in flight. */
export class CheckedLogin implements Watcher {
  /** The handle of the first connection's login. A check may find the same user with a new handle. */
  readonly handle: string;
  readonly #around: Surroundings;
  /** Usually only one. A set, or an array that is pushed to, would take four times the memory. */
  #subscribers: readonly Subscriber[] = [];
  readonly #ttl: LoginTtl;
  readonly #followed: Followed;
  #login: Login;
  #state: State = 'idle';
  #pause: NodeJS.Timeout | undefined;
  /** Whether the last check found an empty or unreadable record. If the next check does too, the login ends. */
  #doubtful = false;
  /** When the last check started. */
  #began = Number.NEGATIVE_INFINITY;
  /** When the last check started if it succeeded. */
  #answered = Number.NEGATIVE_INFINITY;
  /** When the login was last confirmed. */
  #confirmed = performance.now();

  constructor(login: Login, around: Surroundings) {
    this.handle = login.handle;
    this.#login = login;
    this.#around = around;
    this.#ttl = new LoginTtl(this, around);
    this.#followed = around.watch.add(login, this);
  }

  /** Reads the TTL if it is not up to date. The TTL distinguishes an expiry from a logout. */
  askTtl(): void {
    if (this.#state !== 'ended') this.#ttl.update();
  }

  /** The login as of the last check. */
  get login(): Login {
    return this.#login;
  }

  /**
   * Adds a connection of this login.
   * @param login as the connection read it, possibly before or after a change that is known here
   */
  subscribe(subscriber: Subscriber, login: Login): void {
    this.renewed(login);
    this.#subscribers = this.#subscribers.concat(subscriber);
    if (isDeepStrictEqual(login.user, this.#login.user)) return;
    subscriber.changed(this.#login.user);
    this.notified();
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers = this.#subscribers.filter((one) => one !== subscriber);
    if (this.#subscribers.length === 0) this.#release();
  }

  /** Replaces the login by a later one that the site issued. No-op if the known login is newer. */
  renewed(login: Login): void {
    if (login.issuedAt === undefined || login.issuedAt < (this.#login.issuedAt ?? 0)) return;
    this.#replace(login);
  }

  /** Call when the user writes in the chat. */
  written(): void {
    this.#ttl.written();
  }

  /** Handles a turn of the schedule. @returns whether the caller must check the login, in a batch with others */
  turn(): boolean {
    const { ends } = this.#login;
    if (ends !== undefined && Date.now() >= ends) this.end('expired');
    else if (this.#state === 'idle' && this.#isKnownUnchanged()) this.#confirm();
    else return this.#change('turn') === 'checking';
    return false;
  }

  notified(): void {
    this.#ttl.used();
    this.#on('notified');
  }

  opened(): void {
    for (const after of checksAfterOpening) setTimeout(() => this.notified(), after).unref();
  }

  end(reason: EndReason): void {
    const subscribers = this.#subscribers;
    this.#release();
    for (const subscriber of subscribers) {
      this.#around.onEnd(reason);
      subscriber.ended(reason);
    }
  }

  /** Makes all state changes except the one to `ended`. @returns the new state; undefined if the event is ignored */
  #change(event: Event): State | undefined {
    const state = transitions[event][this.#state];
    if (state === undefined) return undefined;
    clearTimeout(this.#pause);
    this.#state = state;
    if (state === 'checking') this.#began = performance.now();
    return state;
  }

  #on(event: Event): void {
    const state = this.#change(event);
    if (state === 'checking') this.#around.check(this);
    else if (state === 'due') this.#waitFor(this.#began + shortestPause - performance.now());
    else if (state === 'confirming') this.#waitFor(doubtMs);
    else if (state === 'retrying') this.#waitFor(retryAfter);
  }

  #waitFor(milliseconds: number): void {
    if (milliseconds <= 0) this.#on('waited');
    else this.#pause = setTimeout(() => this.#on('waited'), milliseconds).unref();
  }

  #release(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#pause);
    this.#subscribers = [];
    this.#followed.end();
    this.#around.onRelease(this);
  }

  /** Handles the result of a check. @param result null if nothing changed, as in nearly all checks */
  answered(result: CheckResult | null): void {
    this.#around.onAnswer(this);
    if (this.#state === 'ended') return;
    this.#answered = this.#began;
    if (result === null) return this.#alive();
    switch (result.state) {
      case 'user':
        if (result.login.user.id !== this.#login.user.id) return this.end('user_changed');
        this.#replace(result.login);
        return this.#alive();
      case 'nobody':
        return void this.#endWithNobody();
      default:
        if (this.#doubtful) return this.end(result.state === 'empty' ? 'logout' : 'invalid');
        this.#doubtful = true;
        return this.#on('doubtful');
    }
  }

  #alive(): void {
    this.#doubtful = false;
    this.#confirm();
    this.#on('alive');
  }

  #confirm(): void {
    this.#confirmed = performance.now();
    this.#ttl.update();
  }

  #replace(login: Login): void {
    const before = this.#login.user;
    this.#login = login;
    this.#ttl.used();
    if (isDeepStrictEqual(login.user, before)) return;
    for (const subscriber of this.#subscribers) subscriber.changed(login.user);
  }

  /** Ends the login. Keeps the state while the TTL is read, because no notification can restore the login. */
  async #endWithNobody(): Promise<void> {
    this.end((await this.#ttl.hasRunOut()) ? 'expired' : 'logout');
  }

  /** Handles a failed check. @throws the error if it is not a StoreError */
  failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    if (this.#state === 'ended') return;
    this.#doubtful = false;
    this.#answered = Number.NEGATIVE_INFINITY;
    this.#on(error instanceof UnsettledError ? 'unsettled' : 'failed');
    if (performance.now() - this.#confirmed >= this.#around.grace) {
      for (const subscriber of this.#subscribers) {
        if (subscriber.unconfirmed()) this.#around.onUnconfirmed(error);
      }
    }
    // `unconfirmed` may have closed all connections.
    if (this.#subscribers.length > 0) this.#around.onFailure(this, error);
  }

  /** Whether the store would have sent a notification of any change since the last check. */
  #isKnownUnchanged(): boolean {
    const { since } = this.#followed;
    return since !== undefined && since < this.#answered && performance.now() - this.#answered < checkAnyway;
  }
}
