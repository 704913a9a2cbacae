import { hasBegun, otherOf } from '../../history/history.ts';
import type { User } from '../../wire/events.ts';
import { type Connection, type Person, type Room, userOf } from '../model.ts';
import type { OtherServers } from '../other-servers.ts';
import type { Publisher } from '../publisher.ts';

/** Milliseconds without news after which a user counts as no longer typing. */
const endsAfter = 6000;
/** Milliseconds after which continued typing is announced again: clients forget it after `endsAfter`. */
const repeatAfter = 2500;
/**
 * A user may begin so many times in a room at once, as after each short message; then once in `repeatAfter`. More is not
 * announced: everybody there would get it, and a client that goes on says so again.
 */
const mostBegins = 4;
/** With more present users than this, typing is not announced. */
const mostPresent = 100;

interface Writing {
  user: User;
  /** Absent for a user of another server. */
  connection?: Connection;
  ends: NodeJS.Timeout;
  toldAt: number;
}

/** The users who are typing, by room. Never stored. */
export class Typing {
  readonly #publisher: Publisher;
  readonly #others: OtherServers | undefined;
  readonly #rooms = new Map<Room, Map<string, Writing>>();
  /** Until when the pace of what users of this server have begun is used up. */
  readonly #begun = new WeakMap<Room, WeakMap<Person, number>>();

  constructor(publisher: Publisher, others: OtherServers | undefined) {
    this.#publisher = publisher;
    this.#others = others;
  }

  set(room: Room, connection: Connection, typing: boolean): void {
    if (!hasBegun(room.record)) return;
    const user = userOf(connection);
    const partner = otherOf(room.record.pair, user.id);
    const isShown = typing && (partner === undefined || !connection.person.blocked.has(partner));
    const told = isShown ? this.#begin(room, user, connection) : this.stop(room, user.id);
    if (told) this.#others?.typing(room.record, user.id, isShown);
  }

  /** The same for a user of another server. */
  setElsewhere(room: Room, user: User, typing: boolean): void {
    if (typing) this.#begin(room, user);
    else this.stop(room, user.id);
  }

  /** @returns whether the user was typing */
  stop(room: Room, user: string): boolean {
    const users = this.#rooms.get(room);
    const known = users?.get(user);
    if (users === undefined || known === undefined) return false;
    clearTimeout(known.ends);
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#tell(room, known.user, false);
    return true;
  }

  /** `user` no longer sees that `other` is typing; in their direct room `other` no longer sees `user` typing. */
  blocked(user: string, other: string): void {
    for (const [room, writing] of this.#rooms) {
      if (otherOf(room.record.pair, user) === other) this.stop(room, user);
      const hidden = writing.get(other);
      if (hidden === undefined) continue;
      const ids = [...room.joined].filter(({ person }) => person.user.id === user).map(({ id }) => id);
      this.#publisher.toConnections(ids, 'typing:changed', {
        room: room.record.id,
        user: hidden.user,
        typing: false,
      });
    }
  }

  /** The connection has left the room or is closed. */
  left(room: Room, connection: Connection): void {
    const { id } = connection.person.user;
    if (this.#rooms.get(room)?.get(id)?.connection === connection) this.set(room, connection, false);
  }

  forget(room: Room): void {
    for (const { ends } of this.#rooms.get(room)?.values() ?? []) clearTimeout(ends);
    this.#rooms.delete(room);
  }

  /** @returns whether it was announced */
  #begin(room: Room, user: User, connection?: Connection): boolean {
    if (room.present.size > mostPresent) return false;
    const known = this.#rooms.get(room)?.get(user.id);
    if (known === undefined && connection !== undefined && !this.#mayBegin(room, connection.person))
      return false;
    const users = this.#rooms.get(room) ?? new Map<string, Writing>();
    this.#rooms.set(room, users);
    clearTimeout(known?.ends);
    const ends = setTimeout(() => this.stop(room, user.id), endsAfter).unref();
    const now = performance.now();
    const telling = known === undefined || now - known.toldAt >= repeatAfter;
    users.set(user.id, {
      user,
      ...(connection === undefined ? {} : { connection }),
      ends,
      toldAt: telling ? now : known.toldAt,
    });
    if (telling) this.#tell(room, user, true);
    return telling;
  }

  /** Counts it. */
  #mayBegin(room: Room, person: Person): boolean {
    const begun = this.#begun.get(room) ?? new WeakMap<Person, number>();
    this.#begun.set(room, begun);
    const now = performance.now();
    const until = Math.max(now, begun.get(person) ?? now) + repeatAfter;
    if (until > now + mostBegins * repeatAfter) return false;
    begun.set(person, until);
    return true;
  }

  /** Announced only to other users, except those who have blocked this one. */
  #tell(room: Room, user: User, typing: boolean): void {
    const ids = [...room.joined]
      .filter(({ person }) => person.user.id !== user.id && !person.blocked.has(user.id))
      .map(({ id }) => id);
    if (ids.length > 0) {
      this.#publisher.toConnections(ids, 'typing:changed', { room: room.record.id, user, typing });
    }
  }
}
