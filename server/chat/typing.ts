import type { Connection, Room } from './model.ts';
import type { Publisher } from './publisher.ts';

/** Whoever says nothing more about it has stopped typing after this many milliseconds. */
const endsAfter = 6000;
/** Who goes on typing is told of again: clients forget somebody of whom they hear nothing for `endsAfter`. */
const repeatAfter = 2500;
/** In a room with more present users than this, nobody is told who types. */
const mostPresent = 100;

/** Who is typing where. Never stored. */
export class Typing {
  readonly #publisher: Publisher;
  readonly #rooms = new Map<
    Room,
    Map<string, { connection: Connection; ends: NodeJS.Timeout; toldAt: number }>
  >();

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  set(room: Room, connection: Connection, typing: boolean): void {
    const { id } = connection.person.user;
    if (!typing) return this.stop(room, id);
    if (room.present.size > mostPresent) return;
    const users = this.#rooms.get(room) ?? new Map();
    this.#rooms.set(room, users);
    const known = users.get(id);
    clearTimeout(known?.ends);
    const ends = setTimeout(() => this.stop(room, id), endsAfter).unref();
    const now = performance.now();
    const telling = known === undefined || now - known.toldAt >= repeatAfter;
    users.set(id, { connection, ends, toldAt: telling ? now : known.toldAt });
    if (telling) this.#tell(room, connection, true);
  }

  stop(room: Room, user: string): void {
    const users = this.#rooms.get(room);
    const known = users?.get(user);
    if (users === undefined || known === undefined) return;
    clearTimeout(known.ends);
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#tell(room, known.connection, false);
  }

  /** The connection shows the room no longer, or is closed. */
  left(room: Room, connection: Connection): void {
    const { id } = connection.person.user;
    if (this.#rooms.get(room)?.get(id)?.connection === connection) this.stop(room, id);
  }

  forget(room: Room): void {
    for (const { ends } of this.#rooms.get(room)?.values() ?? []) clearTimeout(ends);
    this.#rooms.delete(room);
  }

  /** To other users: a person's own devices know. */
  #tell(room: Room, { person, identity }: Connection, typing: boolean): void {
    const user = { id: person.user.id, name: identity.name };
    const ids = [...room.joined].filter((one) => one.person !== person).map(({ id }) => id);
    if (ids.length > 0) {
      this.#publisher.toConnections(ids, 'typing:changed', { room: room.record.id, user, typing });
    }
  }
}
