import type { Connection, Room } from './model.ts';

/** Limits the summaries per tick, so that other requests run in between. */
export const maxPerTick = 50;

/**
 * Queues connections that must get the current summary of a room. Each connection needs its own summary, so a large
 * room takes several ticks. A queued connection gets one summary, even if the room changes several times.
 */
export class ChangedSummaries {
  readonly #sendOne: (room: Room, connection: Connection) => void;
  readonly #queues = new Map<Room, Set<Connection>>();
  #isRunning = false;

  constructor(sendOne: (room: Room, connection: Connection) => void) {
    this.#sendOne = sendOne;
  }

  /** Queues the connections. If nothing is queued, the first connections get the summary at once. */
  send(room: Room, connections: Iterable<Connection>): void {
    const queue = this.#queues.get(room) ?? new Set();
    this.#queues.set(room, queue);
    for (const connection of connections) queue.add(connection);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#runTick();
  }

  #runTick(): void {
    let remaining = maxPerTick;
    for (const [room, queue] of this.#queues) {
      for (const connection of queue) {
        if (remaining-- === 0) return void setImmediate(() => this.#runTick());
        queue.delete(connection);
        // The user may have lost the room while the connection was queued.
        const isMember = connection.person.memberships.get(room.record.id)?.room === room;
        if (isMember && !connection.gone) this.#sendOne(room, connection);
      }
      this.#queues.delete(room);
    }
    this.#isRunning = false;
  }
}
