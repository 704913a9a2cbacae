import {
  type Ban,
  type Change,
  isNamed,
  isQuestionId,
  leftOf,
  type MemberRecord,
  type RoomRecord,
  type StoredMessage,
  type UnreadMentions,
} from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Message, User } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { mayRead } from './access.ts';
import { messageOf } from './messages/mentions.ts';
import { noMentions, stillUnread } from './messages/unread-mentions.ts';
import { type Connection, newRoom, type Person, type Room } from './model.ts';
import { Restrictions } from './moderation/restrictions.ts';
import type { OtherServers, Seen } from './other-servers.ts';
import type { Presence } from './presence.ts';
import { PublicRooms } from './public-rooms.ts';
import { RecentPeople } from './recent-people.ts';

interface DirectoryOptions {
  /** Whether all users may find each other. If so, no name is hidden. */
  findAll: boolean;
  /** Whether users see what other users have read. */
  showsSeen: boolean;
  /** The rooms that guests may open. */
  guestRooms: ReadonlySet<string>;
  presence: Presence;
  /** Absent for a single server. */
  others: OtherServers | undefined;
}

/**
 * Keeps all connected users and all rooms that they can reach in memory, so that rights are decided without reading
 * from disk. Changes of the history keep it current: see follow-changes.ts.
 */
export class Directory {
  /** Whether users see what other users have read. */
  readonly showsSeen: boolean;
  readonly guestRooms: ReadonlySet<string>;
  readonly #findAll: boolean;
  readonly #presence: Presence;
  readonly #others: OtherServers | undefined;
  readonly #rooms = new Map<string, Room>();
  readonly #people = new Map<string, Person>();
  readonly #bans = new Map<string, Ban>();
  /** Direct rooms by the ID of each user. Also finds the rooms of offline users, for example after a rename. */
  readonly #directRooms = new Map<string, Set<Room>>();
  readonly recent = new RecentPeople();
  readonly publicRooms = new PublicRooms();
  /** Mutes and bans in rooms. `banOf` returns bans from the whole site. */
  readonly restrictions = new Restrictions();
  /** For each read in progress, the changes that arrive during it. The result may lack them: see `catchUp`. */
  readonly missed = new Set<Change[]>();

  constructor({ findAll, showsSeen, guestRooms, presence, others }: DirectoryOptions) {
    this.#findAll = findAll;
    this.showsSeen = showsSeen;
    this.guestRooms = guestRooms;
    this.#presence = presence;
    this.#others = others;
  }

  person(id: string): Person | undefined {
    return this.#people.get(id);
  }

  /** Returns all users who are connected to this server. */
  everybody(): Iterable<Person> {
    return this.#people.values();
  }

  /** Whether the user is connected to any server. */
  isHere(id: string): boolean {
    return this.#people.has(id) || (this.#others?.isConnected(id) ?? false);
  }

  /** Returns the number of members of a room who are present, on all servers. */
  presentCount(room: string): number {
    return (this.#rooms.get(room)?.present ?? this.#others?.presentIn(room))?.size ?? 0;
  }

  /** Returns how others see a user who is connected to this server; null for other users. */
  seen(id: string): Seen | null {
    const person = this.person(id);
    if (person === undefined) return null;
    const { user, memberships } = person;
    const visible = [...memberships].filter(([, { member }]) => this.isVisible(user, member));
    return { name: user.name, rooms: visible.map(([room]) => room) };
  }

  /** Whether members of the room may see more of this user than the ID: see `acted`. */
  isVisible(...[user, member]: Parameters<typeof isNamed>): boolean {
    return this.#findAll || isNamed(user, member);
  }

  /**
   * Returns a message as all its readers get it.
   * @param asker the recipient, if there is only one. Recipients may see their own name.
   */
  messageOf(message: StoredMessage, asker?: string): Message {
    // The two users of a direct room may know each other from elsewhere.
    const partners = this.#rooms.get(message.room)?.partners;
    return messageOf(
      message,
      (user) => this.#findAll || user === asker || partners?.get(user)?.shares === true,
    );
  }

  /** Returns a room without checking whether the asker may know of it. */
  room(id: string): Room | undefined {
    return this.#rooms.get(id);
  }

  /**
   * Whether the user may know of a room with this ID, as a member or if it is public. Guests know only of the rooms in
   * CHAT_GUEST_ROOMS and their questions.
   */
  isOpenTo(user: string, room: string): boolean {
    return !isGuest(user) || this.guestRooms.has(room) || isQuestionId(room);
  }

  /** Returns the room if this person may know of it. A hidden room takes the same code path as a missing one. */
  find(person: Person, id: string): Room | undefined {
    if (!this.isOpenTo(person.user.id, id)) return undefined;
    const own = person.memberships.get(id)?.room;
    if (own !== undefined) return own;
    const room = this.#rooms.get(id);
    const banned = this.restrictions.isBanned(id, person.user.id);
    return room !== undefined && mayRead(room.record, undefined, banned) ? room : undefined;
  }

  /**
   * Checks that this person may still know of the room.
   * @throws RequestError `unknown_room` if this person lost the room, or if another room has its ID now
   */
  checkStill(person: Person, room: Room): void {
    if (this.find(person, room.record.id) !== room) throw new RequestError('unknown_room');
  }

  /** Whether a newer room has the ID. Data that was read from the old room must not reach the users of the new room. */
  isReplaced({ id, createdAt }: RoomRecord): boolean {
    const now = this.#rooms.get(id);
    return now !== undefined && now.record.createdAt !== createdAt;
  }

  banOf(user: string): Ban | null {
    const ban = this.#bans.get(user);
    if (ban === undefined) return null;
    if (leftOf(ban, Date.now()) > 0) return ban;
    this.#bans.delete(user);
    return null;
  }

  setBan(user: string, ban: Ban | null): void {
    if (ban === null) this.#bans.delete(user);
    else this.#bans.set(user, ban);
  }

  directRoomsOf(user: string): Iterable<Room> {
    return this.#directRooms.get(user) ?? [];
  }

  /**
   * Returns the user and the peers of the user's direct rooms. The peers' `Partner` contains the user's name, activity
   * and shared rooms.
   */
  withPeers(user: string): string[] {
    return [user, ...[...this.directRoomsOf(user)].flatMap(({ record }) => record.pair ?? [])];
  }

  addPerson(person: Person): void {
    this.#people.set(person.user.id, person);
  }

  deletePerson({ user }: Person): void {
    this.#people.delete(user.id);
    this.#others?.seenChanged(user.id);
  }

  /** Makes a user who left recently present again. Undefined unless all the user's rooms are still in memory. */
  restorePerson(user: string): Person | undefined {
    const person = this.recent.forget(user);
    if (person === undefined) return undefined;
    this.addPerson(person);
    for (const { room, member } of person.memberships.values()) this.enter(room, person, member);
    return person;
  }

  /** Removes a user whose last connection was closed a moment ago. */
  leave(person: Person): void {
    const { user, memberships, isStored } = person;
    this.deletePerson(person);
    for (const { room } of memberships.values()) {
      room.here.delete(person);
      this.#hide(room, user.id);
      this.forgetIfEmpty(room);
    }
    const isInMemory = ({ room }: { room: Room }) => this.#rooms.get(room.record.id) === room;
    if (isStored && this.#others === undefined && [...memberships.values()].every(isInMemory)) {
      this.recent.remember(person);
    }
  }

  addRoom(record: RoomRecord): Room {
    const existing = this.#rooms.get(record.id);
    if (existing !== undefined) return existing;
    const room = newRoom(record);
    this.#rooms.set(record.id, room);
    for (const [id, user] of this.#others?.presentIn(record.id) ?? []) room.present.set(id, user);
    if (record.kind === 'public') this.publicRooms.add(room);
    for (const user of record.pair ?? []) {
      const rooms = this.#directRooms.get(user) ?? new Set();
      this.#directRooms.set(user, rooms.add(room));
    }
    return room;
  }

  forgetIfEmpty(room: Room): void {
    const { record, here } = room;
    if (record.kind !== 'public' && here.size === 0) this.forgetRoom(room);
  }

  forgetRoom(room: Room): void {
    this.#rooms.delete(room.record.id);
    this.recent.forgetRoom(room);
    this.publicRooms.delete(room);
    this.unlistDirect(room);
  }

  unlistDirect(room: Room): void {
    for (const user of room.record.pair ?? []) {
      const rooms = this.#directRooms.get(user);
      rooms?.delete(room);
      if (rooms?.size === 0) this.#directRooms.delete(user);
    }
  }

  /** Adds or updates a membership of a connected user. Ignores a room that the user, as a guest, may no longer open. */
  enter(room: Room, person: Person, member: MemberRecord, mentions?: UnreadMentions): void {
    const { user } = person;
    if (!this.isOpenTo(user.id, room.record.id)) return;
    const before = person.memberships.get(room.record.id);
    const wasVisible = before !== undefined && this.isVisible(user, before.member);
    const isVisible = this.isVisible(user, member);
    const unread = stillUnread(mentions ?? before?.mentions ?? noMentions, member.readSeq);
    person.memberships.set(room.record.id, { room, member, mentions: unread });
    room.here.add(person);
    if (room.record.pair !== undefined) {
      const shares = room.partners.get(user.id)?.shares ?? false;
      room.partners.set(user.id, {
        user,
        acted: member.acted,
        readSeq: member.seenSeq ?? member.readSeq,
        shares,
      });
    }
    if (isVisible) this.show(room, user);
    if (isVisible !== wasVisible) this.#others?.seenChanged(user.id);
  }

  /** Ends a membership. @returns the connections that had joined the room, for `Publisher.leave` */
  remove(room: Room, person: Person): Connection[] {
    person.memberships.delete(room.record.id);
    room.here.delete(person);
    this.#hide(room, person.user.id);
    this.#others?.seenChanged(person.user.id);
    const left = [...person.connections].filter((connection) => connection.joined.delete(room));
    for (const connection of left) room.joined.delete(connection);
    return left;
  }

  /** Makes a user present in the room under this name. */
  show(room: Room, { id, name }: User): void {
    const before = room.present.get(id) ?? null;
    if (before?.name === name) return;
    const now = { id, name };
    room.present.set(id, now);
    this.#presence.changed(room, id, before, now);
  }

  /** Ends the presence of a user who left this server or the room, unless the user is present on another server. */
  #hide(room: Room, user: string): void {
    const elsewhere = this.#others?.presentIn(room.record.id).get(user);
    if (elsewhere !== undefined) return this.show(room, elsewhere);
    const before = room.present.get(user);
    if (before === undefined) return;
    room.present.delete(user);
    this.#presence.changed(room, user, before, null);
  }

  /** Must be called when the presence of a user on other servers changed. */
  presenceChanged(roomId: string, user: string): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    const person = this.person(user);
    const member = person?.memberships.get(roomId)?.member;
    // The user is also present on this server.
    if (person !== undefined && member !== undefined && this.isVisible(person.user, member)) return;
    const remote = this.#others?.presentIn(roomId).get(user);
    if (remote === undefined) this.#hide(room, user);
    else this.show(room, remote);
  }
}

/** Returns the room. @throws RequestError `unknown_room` if it is undefined */
export function requireRoom(room: Room | undefined): Room {
  if (room === undefined) throw new RequestError('unknown_room');
  return room;
}
