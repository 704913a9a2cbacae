import type { Connection, Room } from './model.ts';

/** Summaries that are made and sent per turn of the event loop, so that other requests run in between. */
export const atOnce = 50;

/**
 * Queues connections that must get the current summary of a room. These may be all connections of a large room, each
 * with its own summary: they get it a few per turn, and once, however often the room changes meanwhile.
 */
export class ChangedSummaries {
  readonly #send: (room: Room, connection: Connection) => void;
  readonly #waiting = new Map<Room, Set<Connection>>();
  #running = false;

  constructor(send: (room: Room, connection: Connection) => void) {
    this.#send = send;
  }

  /** The first of them get it at once, if nobody waits. */
  tell(room: Room, connections: Iterable<Connection>): void {
    const waiting = this.#waiting.get(room) ?? new Set();
    this.#waiting.set(room, waiting);
    for (const connection of connections) waiting.add(connection);
    if (this.#running) return;
    this.#running = true;
    this.#turn();
  }

  #turn(): void {
    let left = atOnce;
    for (const [room, connections] of this.#waiting) {
      for (const connection of connections) {
        if (left-- === 0) return void setImmediate(() => this.#turn());
        connections.delete(connection);
        // The user may have lost the room while waiting.
        const isThere = connection.person.memberships.get(room.record.id)?.room === room;
        if (isThere && !connection.gone) this.#send(room, connection);
      }
      this.#waiting.delete(room);
    }
    this.#running = false;
  }
}
