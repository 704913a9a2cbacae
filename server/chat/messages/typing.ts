import { hasBegun, otherOf, type RoomRecord } from '../../history/history.ts';
import type { User } from '../../wire/events.ts';
import { type Connection, type Person, type Room, userOf } from '../model.ts';
import type { OtherServers } from '../other-servers.ts';
import type { Publisher } from '../publisher.ts';

/** Typing ends after this time unless the client repeats the request. */
const timeoutMs = 6000;
/** Continued typing is announced again after this time, because clients forget it after `timeoutMs`. */
const repeatMs = 2500;
/**
 * Maximum starts of a user in a room in quick succession, for example after each short message. After that, one start
 * per `repeatMs` is announced. A client that continues typing repeats its request, so a rejected start is announced
 * later.
 */
const maxStarts = 4;
/** With more present users, typing is not announced. */
const maxPresent = 100;

interface TypingUser {
  user: User;
  /** Absent for a user on another server. */
  connection?: Connection;
  ends: NodeJS.Timeout;
  announcedAt: number;
}

const earlyKey = ({ id, createdAt }: Pick<RoomRecord, 'id' | 'createdAt'>, user: string): string =>
  `${id} ${createdAt} ${user}`;

/** The users who are typing, by room. Never stored. */
export class Typing {
  readonly #publisher: Publisher;
  readonly #others: OtherServers | undefined;
  readonly #rooms = new Map<Room, Map<string, TypingUser>>();
  /** Users on other servers who type, but are not present yet: see `setElsewhere`. The timers forget them. */
  readonly #early = new Map<string, NodeJS.Timeout>();
  /** When the starts of each user of this server no longer count against the rate, as in `performance.now()`. */
  readonly #startsUsedUntil = new WeakMap<Room, WeakMap<Person, number>>();

  constructor(publisher: Publisher, others: OtherServers | undefined) {
    this.#publisher = publisher;
    this.#others = others;
  }

  set(room: Room, connection: Connection, typing: boolean): void {
    if (!hasBegun(room.record)) return;
    const user = userOf(connection);
    const partner = otherOf(room.record.pair, user.id);
    const isShown = typing && (partner === undefined || !connection.person.blocked.has(partner));
    const isAnnounced = isShown ? this.#start(room, user, connection) : this.stop(room, user.id);
    if (isAnnounced) this.#others?.typing(room.record, user.id, isShown);
  }

  /**
   * Sets the typing state of a user on another server. Typing comes by the bus, and may overtake the presence of a user
   * who just joined, or the room itself. Then it is announced when `arrived` is called.
   * @param room undefined if this server does not have the room yet
   */
  setElsewhere(
    record: Pick<RoomRecord, 'id' | 'createdAt'>,
    room: Room | undefined,
    user: string,
    typing: boolean,
  ): void {
    const key = earlyKey(record, user);
    const present = room?.present.get(user);
    this.#forgetEarly(key);
    if (!typing) {
      if (room !== undefined) this.stop(room, user);
    } else if (room !== undefined && present !== undefined) {
      this.#start(room, present);
    } else {
      this.#early.set(key, setTimeout(() => this.#early.delete(key), timeoutMs).unref());
    }
  }

  /** Call it when a user of another server is present in the room. Announces typing that came before. */
  arrived(room: Room, user: User): void {
    if (this.#forgetEarly(earlyKey(room.record, user.id))) this.#start(room, user);
  }

  #forgetEarly(key: string): boolean {
    clearTimeout(this.#early.get(key));
    return this.#early.delete(key);
  }

  /** Ends typing. @returns whether the user was typing */
  stop(room: Room, user: string): boolean {
    this.#forgetEarly(earlyKey(room.record, user));
    const users = this.#rooms.get(room);
    const typingUser = users?.get(user);
    if (users === undefined || typingUser === undefined) return false;
    clearTimeout(typingUser.ends);
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#send(room, typingUser.user, false);
    return true;
  }

  /**
   * Call after `user` blocks `other`. Hides typing of `other` from `user`, and in their direct room also typing of
   * `user` from `other`.
   */
  blocked(user: string, other: string): void {
    for (const [room, typingUsers] of this.#rooms) {
      if (otherOf(room.record.pair, user) === other) this.stop(room, user);
      const hidden = typingUsers.get(other);
      if (hidden === undefined) continue;
      const ids = [...room.joined].filter(({ person }) => person.user.id === user).map(({ id }) => id);
      this.#publisher.toConnections(ids, 'typing:changed', {
        room: room.record.id,
        user: hidden.user,
        typing: false,
      });
    }
  }

  /** Ends typing that this connection started. Call when it leaves the room or is closed. */
  left(room: Room, connection: Connection): void {
    const { id } = connection.person.user;
    if (this.#rooms.get(room)?.get(id)?.connection === connection) this.set(room, connection, false);
  }

  forget(room: Room): void {
    for (const { ends } of this.#rooms.get(room)?.values() ?? []) clearTimeout(ends);
    this.#rooms.delete(room);
  }

  /** Starts or continues typing, unless a limit forbids it. @returns whether it was announced */
  #start(room: Room, user: User, connection?: Connection): boolean {
    if (room.present.size > maxPresent) return false;
    const before = this.#rooms.get(room)?.get(user.id);
    if (before === undefined && connection !== undefined && !this.#mayStart(room, connection.person))
      return false;
    const users = this.#rooms.get(room) ?? new Map<string, TypingUser>();
    this.#rooms.set(room, users);
    clearTimeout(before?.ends);
    const ends = setTimeout(() => this.stop(room, user.id), timeoutMs).unref();
    const now = performance.now();
    const isAnnounced = before === undefined || now - before.announcedAt >= repeatMs;
    users.set(user.id, {
      user,
      connection,
      ends,
      announcedAt: isAnnounced ? now : before.announcedAt,
    });
    if (isAnnounced) this.#send(room, user, true);
    return isAnnounced;
  }

  /** Counts a start against the user's rate. @returns whether the rate allows it */
  #mayStart(room: Room, person: Person): boolean {
    const usedUntil = this.#startsUsedUntil.get(room) ?? new WeakMap<Person, number>();
    this.#startsUsedUntil.set(room, usedUntil);
    const now = performance.now();
    const until = Math.max(now, usedUntil.get(person) ?? now) + repeatMs;
    if (until > now + maxStarts * repeatMs) return false;
    usedUntil.set(person, until);
    return true;
  }

  /** Sends the typing state to the other joined users, except users who blocked this user. */
  #send(room: Room, user: User, typing: boolean): void {
    const ids = [...room.joined]
      .filter(({ person }) => person.user.id !== user.id && !person.blocked.has(user.id))
      .map(({ id }) => id);
    if (ids.length > 0) {
      this.#publisher.toConnections(ids, 'typing:changed', { room: room.record.id, user, typing });
    }
  }
}
