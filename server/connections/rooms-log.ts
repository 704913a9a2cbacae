import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import type { SessionUser } from '../session/identity.ts';

/** So many sessions are remembered. */
const most = 10_000;

/** Says in the log what is wrong with the rooms of a session: once for what it holds, however many connections it has. */
export class RoomsLog {
  readonly #log: Log;
  /** Digests of what was said. */
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  say(session: string, { roomsProblem }: SessionUser): void {
    if (roomsProblem === undefined) return;
    const key = createHash('sha256').update(`${session} ${roomsProblem}`).digest('base64');
    if (this.#said.has(key)) return;
    // So that it does not grow for ever; then the log says it once more.
    if (this.#said.size >= most) this.#said.clear();
    this.#said.add(key);
    this.#log.warn(
      { setting: 'CHAT_USER_ROOMS', reason: roomsProblem },
      'not all rooms in a session could be taken',
    );
  }
}
