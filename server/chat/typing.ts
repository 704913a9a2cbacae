import type { Connection, Room } from './model.ts';
import type { Publisher } from './publisher.ts';

/** A user has stopped typing if nothing more is heard of it for this many milliseconds. */
const endsAfter = 6000;
/** While a user goes on typing, others are told again this often: clients forget it after `endsAfter`. */
const repeatAfter = 2500;
/** In rooms with more present users than this, typing is not announced. */
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

  /** The connection has left the room, or is closed. */
  left(room: Room, connection: Connection): void {
    const { id } = connection.person.user;
    if (this.#rooms.get(room)?.get(id)?.connection === connection) this.stop(room, id);
  }

  forget(room: Room): void {
    for (const { ends } of this.#rooms.get(room)?.values() ?? []) clearTimeout(ends);
    this.#rooms.delete(room);
  }

  /** Only to other users: the user's own connections need not be told. */
  #tell(room: Room, { person, identity }: Connection, typing: boolean): void {
    const user = { id: person.user.id, name: identity.name };
    const ids = [...room.joined].filter((one) => one.person !== person).map(({ id }) => id);
    if (ids.length > 0) {
      this.#publisher.toConnections(ids, 'typing:changed', { room: room.record.id, user, typing });
    }
  }
}
