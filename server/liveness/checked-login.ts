import { isDeepStrictEqual } from 'node:util';
import {
  type CheckResult,
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

// Milliseconds, and times by the monotonic clock.

/** PHP empties a session before it writes it again: if it is empty or unreadable, it is read once more. */
const confirmAfter = 100;
/** The site has just opened the login, and may end it a little later. If it takes longer, the regular check sees it. */
const checksAfterOpening = [50, 250];
/** The pause before a login that could not be read is read again. */
const retryAfter = 250;
/** Between two checks of one login: a flood of notifications must not make the server read it all the time. */
const shortestPause = 5;
/** Notifications may be missing: a login is checked this often even where the store promises to notify each change. */
const checkAnyway = 60_000;

/** A connection, as its login sees it. */
export interface Subscriber {
  /** The login has ended: nothing may be delivered from now on. Called once, and nothing else after it. */
  ended(reason: EndReason): void;
  /** The store has been silent for longer than the grace, which says nothing about the login. */
  unconfirmed(): void;
  /** Something in the identity has changed. */
  changed(user: SessionUser): void;
}

/** The options and listeners of all logins. */
export interface Surroundings extends TtlOptions {
  /** For this long a silent store ends nothing. */
  grace: number;
  watch: Watch;
  /** Begins a check, whose result `answered` or `failed` gets. */
  check(login: CheckedLogin): void;
  onAnswer(login: CheckedLogin): void;
  onFailure(login: CheckedLogin, error: StoreError): void;
  /** Called for each connection of a login that ends. */
  onEnd(reason: EndReason): void;
  /** It has ended, or has no connections any more: it is not checked again. */
  onRelease(login: CheckedLogin): void;
}

/**
 * - `idle`: waits for its turn, or for a notification
 * - `due`: a check begins in a moment, `shortestPause` after the last one began
 * - `checking`: a check is under way, until it is known why the login has ended, if it has
 * - `recheck`: the same, and a notification has come since the check began, whose change it may have missed
 * - `confirming`: was seen to be empty or unreadable once, and is read again after `confirmAfter`
 * - `retrying`: could not be read although the store answers, and is checked again after `retryAfter`
 * - `ended`: for good: the login has ended, or nobody is connected with it any more
 */
type State = 'idle' | 'due' | 'checking' | 'recheck' | 'confirming' | 'retrying' | 'ended';

/**
 * - `turn`: of the schedule
 * - `notified`: the login may have changed or ended, or is in use
 * - `waited`: the pause of a state is over
 * - `alive`: the answer shows the same user
 * - `doubtful`: the answer shows an empty or unreadable record, for the first time
 * - `failed`: no answer
 * - `unsettled`: it is written again and again, so no read of it counts
 */
type Event = 'turn' | 'notified' | 'waited' | 'alive' | 'doubtful' | 'failed' | 'unsettled';

/**
 * The path of a logout. `end` leads from every state to `ended`. An event that has no entry for a state changes nothing,
 * such as a notification in `confirming`: the check that follows sees what was notified.
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

/** A login with open connections, and whether it is still alive. At most one check of it is under way. */
export class CheckedLogin implements Watcher {
  /** The login's handle when it was first seen. An answer may show another one. */
  readonly handle: string;
  readonly #around: Surroundings;
  /** Mostly one: a set would take four times the memory, and so would an array that is pushed to. */
  #subscribers: readonly Subscriber[] = [];
  readonly #ttl: LoginTtl;
  readonly #followed: Followed;
  #login: Login;
  #state: State = 'idle';
  #pause: NodeJS.Timeout | undefined;
  /** The last answer showed an empty or unreadable record: another one like that is the end. */
  #doubtful = false;
  /** When the last check began. */
  #began = Number.NEGATIVE_INFINITY;
  /** The same, if that check got an answer. */
  #answered = Number.NEGATIVE_INFINITY;
  /** When the login was last known to be alive. */
  #confirmed = performance.now();

  constructor(login: Login, around: Surroundings) {
    this.handle = login.handle;
    this.#login = login;
    this.#around = around;
    this.#ttl = new LoginTtl(this, around);
    this.#followed = around.watch.add(login, this);
  }

  /** Asks for its TTL, unless that is known: it tells an expiry from a logout. */
  askTtl(): void {
    if (this.#state !== 'ended') this.#ttl.update();
  }

  /** The login as the last answer has shown it. */
  get login(): Login {
    return this.#login;
  }

  /** @param seen the user as this connection has read it, perhaps before or after a change */
  subscribe(subscriber: Subscriber, seen: SessionUser): void {
    this.#subscribers = this.#subscribers.concat(subscriber);
    if (isDeepStrictEqual(seen, this.#login.user)) return;
    subscriber.changed(this.#login.user);
    this.notified();
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers = this.#subscribers.filter((one) => one !== subscriber);
    if (this.#subscribers.length === 0) this.#release();
  }

  /** Its user has written something in the chat. */
  written(): void {
    this.#ttl.written();
  }

  /** Its turn in the schedule. @returns whether a check of it is to begin, together with those of others */
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

  /** Nothing else changes the state, except `end`. @returns the state that has begun, if one has */
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
    else if (state === 'confirming') this.#waitFor(confirmAfter);
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

  /** @param result null if nothing has changed, as in nearly all checks */
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

  /** It stays in `checking` meanwhile: no notification can bring the login back now. */
  async #endWithNobody(): Promise<void> {
    this.end((await this.#ttl.hasRunOut()) ? 'expired' : 'logout');
  }

  /** The check has got no answer. */
  failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    if (this.#state === 'ended') return;
    this.#doubtful = false;
    this.#answered = Number.NEGATIVE_INFINITY;
    this.#on(error instanceof UnsettledError ? 'unsettled' : 'failed');
    if (performance.now() - this.#confirmed >= this.#around.grace) {
      for (const subscriber of this.#subscribers) subscriber.unconfirmed();
    }
    // Nobody may be left by now.
    if (this.#subscribers.length > 0) this.#around.onFailure(this, error);
  }

  /** Whether the store would have notified it of any change since the last answer. */
  #isKnownUnchanged(): boolean {
    const { since } = this.#followed;
    return since !== undefined && since < this.#answered && performance.now() - this.#answered < checkAnyway;
  }
}
