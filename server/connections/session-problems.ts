import type { SessionUser } from 'php-sessions';
import type { Log } from '../log.ts';
import { isReservedRoomId } from '../wire/values.ts';

const maxLoggedProblems = 10_000;

/** Logs problems with the rooms and texts of a session, once per login and problem. */
export class SessionProblems {
  readonly #log: Log;
  /** Each entry is the handle of a login, followed by a reason. */
  readonly #logged = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  logProblems(handle: string, user: SessionUser): void {
    const { groups, groupsProblem, textProblem } = user;
    const reserved = Array.isArray(groups) ? groups.filter(({ id }) => isReservedRoomId(id)).length : 0;
    const reasons = [
      groupsProblem,
      reserved > 0 && `${reserved} IDs begin with u-, d- or r-, which are reserved for the chat`,
    ];
    this.#logOnce(
      handle,
      'CHAT_USER_ROOMS',
      reasons.filter(Boolean).join('; '),
      'ignoring some rooms in a session',
    );
    this.#logOnce(handle, 'CHAT_SESSION_CHARSET', textProblem, 'could not decode a text in a session');
  }

  #logOnce(handle: string, setting: string, reason: string | undefined, message: string): void {
    if (!reason) return;
    const key = `${handle} ${reason}`;
    if (this.#logged.has(key)) return;
    if (this.#logged.size >= maxLoggedProblems) this.#logged.clear();
    this.#logged.add(key);
    this.#log.warn({ setting, reason }, message);
  }
}
