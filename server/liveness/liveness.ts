import { type Login, type Logins, SessionBusyError, type StoreError } from 'php-sessions';
import { CheckedLogin, type Subscriber, type Surroundings } from './checked-login.ts';
import { Schedule } from './schedule.ts';

/** For so many milliseconds new logins wait for each other, so that the store is asked for the TTLs of all of them at once. */
const gatherTtlsFor = 50;

export interface LivenessOptions extends Pick<Surroundings, 'interval' | 'grace' | 'keepalive' | 'onEnd'> {
  /** Called for each check. */
  onCheck(): void;
  /** The store fell silent, or answers again (null). Called once for each change. */
  onStore(silent: StoreError | null): void;
  /** The store answers, but this login cannot be read now. Called at each check. */
  onUnreadable(error: SessionBusyError): void;
  /** The store no longer sends notifications, or sends them again (null). Called once for each change. */
  onNotifications(lost: StoreError | null): void;
  /** A login in use could not be renewed. Called once for each error message, however often it happens. */
  onKeepaliveFailure(error: StoreError): void;
}

/**
 * Whether the login of each open connection is still alive. Connections subscribe to their login, which is checked
 * once in an interval for all that share it, and at once when a change is notified. `CheckedLogin` decides what a
 * check leads to.
 */
export class Liveness {
  readonly #logins: Logins;
  readonly #options: LivenessOptions;
  readonly #around: Surroundings;
  readonly #schedule: Schedule<CheckedLogin>;
  readonly #byHandle = new Map<string, CheckedLogin>();
  /** Logins whose last check got no answer: of a store's servers only one may be silent. */
  readonly #unanswered = new Set<CheckedLogin>();
  #silent = false;
  /** New logins whose TTL is to be asked for. */
  #fresh: CheckedLogin[] = [];

  constructor(logins: Logins, options: LivenessOptions) {
    this.#logins = logins;
    this.#options = options;
    // Few: no message of a store names a login.
    const failures = new Set<string>();
    this.#around = {
      ...options,
      logins,
      watch: logins.watch(options.onNotifications),
      onKeepaliveFailure(error) {
        if (failures.has(error.message)) return;
        failures.add(error.message);
        options.onKeepaliveFailure(error);
      },
      check: (login) => this.#check([login]),
      onAnswer: (login) => this.#answered(login),
      onFailure: (login, error) => this.#failed(login, error),
      onRelease: (login) => this.#release(login),
    };
    this.#schedule = new Schedule(options.interval, (logins) =>
      this.#check(logins.filter((login) => login.turn())),
    );
  }

  /** No login is checked any more. */
  stop(): void {
    this.#around.watch.end();
    this.#schedule.stop();
  }

  /** Checks this login until the subscriber unsubscribes, or the login ends. */
  subscribe(login: Login, subscriber: Subscriber): CheckedLogin {
    const checked = this.#byHandle.get(login.handle) ?? this.#add(login);
    checked.subscribe(subscriber, login.user);
    return checked;
  }

  /** Ends all logins of a user. */
  kick(user: string): void {
    const logins = [...this.#byHandle.values()].filter(({ login }) => login.user.id === user);
    for (const login of logins) login.end('kicked');
  }

  #check(logins: readonly CheckedLogin[]): void {
    const verdicts = this.#logins.check(logins.map(({ login }) => login));
    for (const [n, login] of logins.entries()) {
      this.#options.onCheck();
      verdicts[n]?.then(
        (verdict) => login.answered(verdict),
        (error: unknown) => login.failed(error),
      );
    }
  }

  #add(login: Login): CheckedLogin {
    const checked = new CheckedLogin(login, this.#around);
    this.#byHandle.set(checked.handle, checked);
    this.#schedule.add(checked);
    if (this.#fresh.push(checked) === 1) setTimeout(() => this.#askTtls(), gatherTtlsFor).unref();
    return checked;
  }

  #askTtls(): void {
    for (const login of this.#fresh.splice(0)) login.askTtl();
  }

  #release(checked: CheckedLogin): void {
    this.#byHandle.delete(checked.handle);
    this.#schedule.delete(checked);
    this.#unanswered.delete(checked);
  }

  #answered(login: CheckedLogin): void {
    this.#unanswered.delete(login);
    if (!this.#silent || this.#unanswered.size > 0) return;
    this.#silent = false;
    this.#options.onStore(null);
  }

  #failed(login: CheckedLogin, error: StoreError): void {
    if (error instanceof SessionBusyError) {
      this.#answered(login);
      this.#options.onUnreadable(error);
      return;
    }
    this.#unanswered.add(login);
    if (this.#silent) return;
    this.#silent = true;
    this.#options.onStore(error);
  }
}
