import type { Connection } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Room } from '../store/room.ts';

/** At most one read marker is sent in this time. */
const PAUSE_MS = 1000;

/** Sends read markers to the server. A marker that could not be sent is sent over the next connection. */
export class ReadMarks {
  readonly #connection: Connection;
  readonly #rooms: ReadonlyMap<string, Room>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  constructor(connection: Connection, rooms: ReadonlyMap<string, Room>) {
    this.#connection = connection;
    this.#rooms = rooms;
  }

  /** Called when a room was read, and on a new connection. */
  changed(): void {
    const wait = Math.max(0, this.#last + PAUSE_MS - performance.now());
    this.#timer ??= setTimeout(() => void this.#tell(), wait);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #tell(): Promise<void> {
    const timer = this.#timer;
    const room = this.#next();
    if (room === undefined) return this.stop();
    const { id } = room;
    this.#last = performance.now();
    try {
      const { room: summary } = await this.#connection.request('read:mark', {
        room: id,
        seq: room.summary.readSeq,
      });
      room.marked = Math.max(room.marked, summary.readSeq);
      room.summary = { ...room.summary, mentions: summary.mentions };
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      // Retried after the rate limit or a reconnect. Any other error is final.
      if (error.code === 'rate_limited') this.#last += error.retryAfterMs ?? PAUSE_MS;
      else if (this.#connection.state.kind === 'ready') room.marked = room.summary.readSeq;
    }
    if (timer !== this.#timer) return;
    this.stop();
    if (this.#connection.state.kind === 'ready' && this.#next() !== undefined) this.changed();
  }

  #next(): Room | undefined {
    return [...this.#rooms.values()].find(
      ({ summary, marked }) => summary.member && Math.min(summary.readSeq, summary.lastSeq) > marked,
    );
  }
}
