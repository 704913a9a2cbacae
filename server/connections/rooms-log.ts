import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import type { SessionUser } from '../session/identity.ts';

/** Remembered sessions. */
const most = 10_000;

/** Logs what is wrong with the rooms of a session, once per content, however many connections the session has. */
export class RoomsLog {
  readonly #log: Log;
  /** Digests of logged contents. */
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(session: string, { roomsProblem }: SessionUser): void {
    if (roomsProblem === undefined) return;
    const key = createHash('sha256').update(`${session} ${roomsProblem}`).digest('base64');
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
