import type { Log } from '../log.ts';
import type { SessionUser } from '../session/login.ts';

/** Remembered logins. */
const most = 10_000;

/** Logs what is wrong with the rooms of a session, once per content, however many connections the login has. */
export class RoomsLog {
  readonly #log: Log;
  /** Logged problems, each behind the handle of its login. */
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(handle: string, { roomsProblem }: SessionUser): void {
    if (roomsProblem === undefined) return;
    const key = `${handle} ${roomsProblem}`;
    if (this.#said.has(key)) return;
    // Bounds the memory; the log may then repeat a line.
    if (this.#said.size >= most) this.#said.clear();
    this.#said.add(key);
    this.#log.warn(
      { setting: 'CHAT_USER_ROOMS', reason: roomsProblem },
      'not all rooms in a session could be taken',
    );
  }
}
