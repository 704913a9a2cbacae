import type { Connection, Room } from './model.ts';

/** So many summaries are made and sent in one turn of the event loop; the others' requests come in between. */
export const atOnce = 50;

/**
 * Connections that are to be told how a room looks now. It may be all of a large room, each with a summary of its own: they
 * get it a few in each turn, and once, however often the room changes meanwhile.
 */
export class ChangedSummaries {
  readonly #send: (room: Room, connection: Connection) => void;
  readonly #waiting = new Map<Room, Set<Connection>>();
  #running = false;

  constructor(send: (room: Room, connection: Connection) => void) {
    this.#send = send;
  }

  /** The first of them are told at once, if nobody waits. */
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
        // The user may have lost the room meanwhile.
        const isThere = connection.person.memberships.get(room.record.id)?.room === room;
        if (isThere && !connection.gone) this.#send(room, connection);
      }
      this.#waiting.delete(room);
    }
    this.#running = false;
  }
}
