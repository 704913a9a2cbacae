import { type Login, type Logins, StoreError, type Watch } from './login.ts';

const checkIntervalMs = 1000;
/** The delay of the check after a notification that the site opened the session, because that request may also end it. */
const recheckDelayMs = 100;
/**
 * PHP truncates a session file before it writes it, and a busy machine may suspend it in between. So an empty or
 * unreadable session is checked again after this time, in ms, before its login ends.
 */
export const doubtMs = 500;

interface FollowedLogin {
  login: Login;
  /** The last check found an empty or unreadable session. */
  isDoubtful: boolean;
  /** A check is in flight, or the second check of a doubtful session waits. */
  isBusy: boolean;
  end(): void;
}

/** Checks all followed logins together, every second and when the store notifies of a change. */
export class LoginEnds {
  readonly #logins: Logins;
  readonly #followed = new Set<FollowedLogin>();
  #watch: Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #hasWarned = false;

  constructor(logins: Logins) {
    this.#logins = logins;
  }

  /** Calls `onEnd` when the login ends. @returns a function that stops following the login */
  follow(login: Login, onEnd: () => void): () => void {
    if (this.#isClosed) return () => {};
    const followed: FollowedLogin = {
      login,
      isDoubtful: false,
      isBusy: false,
      end() {
        stop();
        try {
          onEnd();
        } catch (error) {
          // An exception of the callback must not affect the checks of other logins.
          process.nextTick(() => {
            throw error;
          });
        }
      },
    };
    const stop = () => {
      if (!this.#followed.delete(followed)) return;
      watched.end();
      if (this.#followed.size === 0) this.#stopTimer();
    };
    // The loss of notifications can be ignored, because the timer still checks.
    this.#watch ??= this.#logins.watch(() => {});
    const watched = this.#watch.add(login, {
      notified: () => this.#check([followed]),
      opened: () => void setTimeout(() => this.#check([followed]), recheckDelayMs).unref(),
    });
    this.#followed.add(followed);
    this.#timer ??= setInterval(() => this.#check([...this.#followed]), checkIntervalMs).unref();
    return stop;
  }

  close(): void {
    this.#isClosed = true;
    this.#followed.clear();
    this.#stopTimer();
    this.#watch?.end();
  }

  /** Warns once, without the error's message, which may contain a part of a session. */
  #warn(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const name = error instanceof Error ? error.name : typeof error;
    process.emitWarning(`php-sessions: the check of a login failed unexpectedly (${name})`);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(logins: readonly FollowedLogin[]): void {
    for (const followed of logins) {
      const { ends = Number.POSITIVE_INFINITY } = followed.login;
      // The callback of an earlier login may have stopped following this one.
      if (ends <= Date.now() && this.#followed.has(followed)) followed.end();
    }
    const due = logins.filter((followed) => this.#followed.has(followed) && !followed.isBusy);
    if (due.length === 0) return;
    const checks = this.#logins.check(due.map(({ login }) => login));
    due.forEach((followed, n) => void this.#apply(followed, checks[n] as (typeof checks)[number]));
  }

  async #apply(followed: FollowedLogin, check: ReturnType<Logins['check']>[number]): Promise<void> {
    followed.isBusy = true;
    let isInDoubt = false;
    try {
      const result = (await check) ?? { state: 'user', login: followed.login };
      if (!this.#followed.has(followed)) return;
      const wasDoubtful = followed.isDoubtful;
      followed.isDoubtful = result.state === 'empty' || result.state === 'invalid';
      isInDoubt = followed.isDoubtful && !wasDoubtful;
      if (result.state === 'user' && result.login.user.id === followed.login.user.id)
        followed.login = result.login;
      else if (!isInDoubt) followed.end();
    } catch (error) {
      // If the store does not answer, the login is neither confirmed nor ended.
      followed.isDoubtful = false;
      if (!(error instanceof StoreError)) this.#warn(error);
    } finally {
      if (isInDoubt) setTimeout(() => this.#checkAgain(followed), doubtMs).unref();
      else followed.isBusy = false;
    }
  }

  #checkAgain(followed: FollowedLogin): void {
    followed.isBusy = false;
    this.#check([followed]);
  }
}
