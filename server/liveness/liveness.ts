import { type Login, type Logins, SessionBusyError, type StoreError } from 'php-sessions';
import { CheckedLogin, type Subscriber, type Surroundings } from './checked-login.ts';
import { Schedule } from './schedule.ts';

/** How long new logins wait in milliseconds, so that the store is asked for their TTLs in one batch. */
const gatherTtlsFor = 50;

export interface LivenessOptions
  extends Pick<Surroundings, 'interval' | 'grace' | 'keepalive' | 'onEnd' | 'onUnconfirmed'> {
  /** Called for each check. */
  onCheck(): void;
  /** Called once when the store stops answering, and once with null when it answers again. */
  onStore(silent: StoreError | null): void;
  /** Called at each check of a login that cannot be read although the store answers. */
  onUnreadable(error: SessionBusyError): void;
  /** Called once when the store stops sending notifications, and once with null when it sends them again. */
  onNotifications(lost: StoreError | null): void;
  /** Called when a login in use could not be renewed, only once for each error message. */
  onKeepaliveFailure(error: StoreError): void;
}

/**
 * Checks whether the logins of open connections are still valid. Connections subscribe to their login. It is checked
 * once per interval for all its connections, and at once after a notification. `CheckedLogin` handles the results.
 */
export class Liveness {
  readonly #logins: Logins;
  readonly #options: LivenessOptions;
  readonly #around: Surroundings;
  readonly #schedule: Schedule<CheckedLogin>;
  readonly #byHandle = new Map<string, CheckedLogin>();
  /** Logins whose last check got no answer. A single server of the store may be silent while the others answer. */
  readonly #unanswered = new Set<CheckedLogin>();
  #silent = false;
  /** New logins whose TTL must be read. */
  #fresh: CheckedLogin[] = [];

  constructor(logins: Logins, options: LivenessOptions) {
    this.#logins = logins;
    this.#options = options;
    // Stays small, because the error messages of stores do not name logins.
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

  /** Stops all checks. */
  stop(): void {
    this.#around.watch.end();
    this.#schedule.stop();
  }

  /** Checks this login until the subscriber unsubscribes, or the login ends. */
  subscribe(login: Login, subscriber: Subscriber): CheckedLogin {
    const checked = this.#byHandle.get(login.handle) ?? this.#add(login);
    checked.subscribe(subscriber, login);
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
