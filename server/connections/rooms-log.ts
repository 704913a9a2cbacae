import type { SessionUser } from 'php-sessions';
import type { Log } from '../log.ts';

/** Remembered logins. */
const most = 10_000;

/** Logs what is wrong with the rooms and texts of a session, once per content, however many connections the login has. */
export class RoomsLog {
  readonly #log: Log;
  /** Logged problems, each behind the handle of its login. */
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(handle: string, { roomsProblem, textProblem }: SessionUser): void {
    this.#say(handle, 'CHAT_USER_ROOMS', roomsProblem, 'not all rooms in a session could be taken');
    this.#say(handle, 'CHAT_SESSION_CHARSET', textProblem, 'a text in a session could not be read');
  }

  #say(handle: string, setting: string, reason: string | undefined, message: string): void {
    if (reason === undefined) return;
    const key = `${handle} ${reason}`;
    if (this.#said.has(key)) return;
    // Bounds the memory; the log may then repeat a line.
    if (this.#said.size >= most) this.#said.clear();
    this.#said.add(key);
    this.#log.warn({ setting, reason }, message);
  }
}
