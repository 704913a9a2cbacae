import {
  acted,
  type Ban,
  type Change,
  everybody,
  type History,
  isMember,
  isNamed,
  leftOf,
  type MemberRecord,
  otherOf,
  type RoomRecord,
  type StoredMessage,
  sources,
  type UnreadMentions,
  type UserRecord,
} from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Message, SiteRole, User } from '../wire/events.ts';
import { mayRead } from './access.ts';
import type { OnAsideFailure } from './asides.ts';
import {
  applyBlock,
  applyConcerned,
  applyMentions,
  applyMessage,
  applyRead,
  applyRecord,
  applyReset,
  haveSameSettings,
  ofRoomsThatStay,
} from './changes.ts';
import { messageOf } from './messages/mentions.ts';
import { noMentions, stillUnread } from './messages/unread-mentions.ts';
import {
  type Connection,
  newRoom,
  nobody,
  type Person,
  type Room,
  type SessionIdentity,
  type SiteRoom,
  siteRole,
} from './model.ts';
import { Restrictions } from './moderation/restrictions.ts';
import { noteWritten } from './moderation/slow-mode.ts';
import type { OtherServers, Seen } from './other-servers.ts';
import { PublicRooms } from './public-rooms.ts';
import { RecentPeople } from './recent-people.ts';

/** Milliseconds. A user who reloads a page is back within this time, and nobody sees them leave. */
const linger = 750;
/** Milliseconds between retries after a failure of the history. */
const settleAgain = 1000;

export type MemberChange = Change & { type: 'member' };

/** Notified of changes in the directory, in the order of the commits; it notifies the clients. */
export interface DirectoryListener {
  message(room: Room, change: Change & { type: 'message' }): void;
  mentioned(room: Room, change: Change & { type: 'mentions' }): void;
  concerned(room: Room, change: Change & { type: 'concerned' }): void;
  followed(change: Change & { type: 'followed' }): void;
  roomAdded(room: Room, asker: string | undefined): void;
  /** The name, the topic, or the oldest kept message has changed. */
  roomChanged(room: Room): void;
  /** A setting has changed, or nobody can write there any more. `before`: the room as it was. */
  settingsChanged(room: Room, before: RoomRecord): void;
  /** This user of a direct room may no longer know the other one. */
  partnerHidden(room: Room, person: Person): void;
  /**
   * @param people the users who knew of the room
   * @param left the connections that had joined it
   */
  roomDeleted(
    room: Room,
    people: readonly Person[],
    left: readonly Connection[],
    asker: string | undefined,
  ): void;
  /** `person` is absent when the user has no connection here. */
  memberAdded(
    room: Room,
    user: MemberChange['user'],
    member: MemberRecord,
    person: Person | undefined,
    asker: string | undefined,
  ): void;
  memberChanged(
    room: Room,
    user: MemberChange['user'],
    before: MemberRecord,
    now: MemberRecord,
    person: Person | undefined,
  ): void;
  memberRemoved(
    room: Room,
    change: MemberChange,
    person: Person | undefined,
    left: readonly Connection[],
  ): void;
  /** A message waits for a moderator, or does so no more. */
  held(change: Change & { type: 'held' }): void;
  /** A message was pinned or unpinned. */
  pinned(room: Room, seq: number): void;
  /** A report of a message in that room was made or closed. */
  reported(room: RoomRecord, id: string): void;
  /** @param recounted rooms in which the user's number of unread mentions has changed */
  blocked(change: Change & { type: 'blocked' }, recounted: readonly Room[]): void;
  /** A mute of a connected user has begun or ended. */
  muteChanged(room: Room, person: Person): void;
  /** A mute or a ban has changed, so another one may be the next to end. */
  restrictionsChanged(): void;
  /** The session now gives this connection other site roles. */
  rolesChanged(connection: Connection, before: readonly SiteRole[]): void;
  /** How others see a user in a room, before and now; null if they do not. */
  present(room: Room, user: string, before: User | null, now: User | null): void;
  read(room: Room | undefined, change: Change & { type: 'read' }): void;
  banned(user: string): void;
  /** The room has changed so much that clients must read it again. */
  reset(room: Room): void;
}

interface DirectoryOptions {
  findAll: boolean;
  showsSeen: boolean;
  /** Called when the last connection of a user here has been closed for a moment. */
  left: (user: string) => void;
  others: OtherServers | undefined;
  onAsideFailure: OnAsideFailure;
}

/** The connected user of that id, if a change is to be applied to that user. */
type Find = (user: string) => Person | undefined;

/** Notifies the listener of a change that has been applied. */
type Announce = (listener: DirectoryListener) => void;

interface ConnectedUser {
  person: Person;
  loaded: Promise<void>;
  /** Whether the history has the user, as one who has been here. */
  stored: boolean;
  /** Whether a session has changed since the settling under way last read the sessions. */
  unsettled: boolean;
  settling?: Promise<void>;
  leaves?: NodeJS.Timeout;
}

/**
 * All connected users and all rooms that they can reach, in memory, so that no decision about rights asks the disk. It
 * changes only by changes of the history.
 */
export class Directory {
  readonly #history: History;
  /** Absent while the directory is being opened, when there is nobody to notify. */
  #listener: DirectoryListener | undefined;
  /** Whether everybody may find everybody; then no name is hidden. */
  readonly #findAll: boolean;
  /** Whether people learn what others have seen. */
  readonly showsSeen: boolean;
  readonly #left: DirectoryOptions['left'];
  readonly #others: OtherServers | undefined;
  readonly #onAsideFailure: OnAsideFailure;
  readonly #rooms = new Map<string, Room>();
  readonly #people = new Map<string, ConnectedUser>();
  readonly #recent = new RecentPeople();
  readonly #bans = new Map<string, Ban>();
  /** Direct rooms by each of their users, because a user may be renamed without being connected. */
  readonly #directRooms = new Map<string, Set<Room>>();
  /** Users who may have lost the last room in which they saw the other user of a direct room. */
  readonly #unsure = new Set<string>();
  #isChecking = false;
  readonly publicRooms = new PublicRooms();
  /** Mutes and bans in rooms. Bans from the whole site are `banOf`. */
  readonly restrictions = new Restrictions();
  readonly #followers = new Map<Room, Set<(change: Change & { type: 'message' }) => void>>();
  /** Changes that arrive while memberships are read, and that the result may lack. */
  readonly #loading = new Set<Change[]>();

  private constructor(
    history: History,
    { findAll, showsSeen, left, others, onAsideFailure }: DirectoryOptions,
  ) {
    this.#history = history;
    this.#findAll = findAll;
    this.showsSeen = showsSeen;
    this.#left = left;
    this.#others = others;
    this.#onAsideFailure = onAsideFailure;
  }

  static async open(
    history: History,
    listener: DirectoryListener,
    options: DirectoryOptions,
  ): Promise<Directory> {
    const directory = new Directory(history, options);
    // Another server may write while this one reads.
    const early: Change[] = [];
    let isRead = false;
    const apply = (change: Change) => {
      for (const missed of directory.#loading) missed.push(change);
      directory.#apply(change);
    };
    history.onChange((change) => {
      if (isRead) apply(change);
      else early.push(change);
    });
    for (const record of await history.read.publicRooms(null)) directory.#roomFor(record);
    for (const { user, ban } of await history.read.bans(null)) directory.#bans.set(user, ban);
    for (const { room, user, restricted } of await history.read.restrictions(null)) {
      directory.restrictions.setAll(room, user, restricted);
    }
    isRead = true;
    for (const change of early) apply(change);
    directory.#listener = listener;
    return directory;
  }

  /** Calls back with each message of the room before it is published, until the returned function is called. */
  follow(room: Room, listener: (change: Change & { type: 'message' }) => void): () => void {
    const followers = this.#followers.get(room) ?? new Set();
    this.#followers.set(room, followers.add(listener));
    return () => {
      followers.delete(listener);
      if (followers.size === 0) this.#followers.delete(room);
    };
  }

  person(id: string): Person | undefined {
    return this.#people.get(id)?.person;
  }

  /** Whether the user is connected, to this server or another one. */
  isHere(id: string): boolean {
    return this.#people.has(id) || (this.#others?.isConnected(id) ?? false);
  }

  /** How many members of a room are present, on all servers. */
  presentCount(room: string): number {
    return (this.#rooms.get(room)?.present ?? this.#others?.presentIn(room))?.size ?? 0;
  }

  /** How others see a user who is connected to this server; null if the user is not. */
  seen(id: string): Seen | null {
    const person = this.person(id);
    if (person === undefined) return null;
    const { user, memberships } = person;
    const visible = [...memberships].filter(([, { member }]) => this.isVisible(user, member));
    return { name: user.name, rooms: visible.map(([room]) => room) };
  }

  /** Presence on other servers has changed. */
  presenceChanged(roomId: string, user: string): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    const person = this.person(user);
    const member = person?.memberships.get(roomId)?.member;
    // A user who is present here too stays as they are.
    if (person !== undefined && member !== undefined && this.isVisible(person.user, member)) return;
    const now = this.#others?.presentIn(roomId).get(user);
    if (now === undefined) this.#hide(room, user);
    else this.#show(room, now);
  }

  /**
   * A message as everybody who may read it gets it.
   * @param asker the only reader, who knows their own name
   */
  messageOf(message: StoredMessage, asker?: string): Message {
    // The two users of a direct room may know each other from elsewhere.
    const partners = this.#rooms.get(message.room)?.partners;
    return messageOf(
      message,
      (user) => this.#findAll || user === asker || partners?.get(user)?.shares === true,
    );
  }

  *everybody(): Iterable<Person> {
    for (const { person } of this.#people.values()) yield person;
  }

  /** A room, without a check whether the asker may know of it. */
  room(id: string): Room | undefined {
    return this.#rooms.get(id);
  }

  /** The room, if this person may know of it. Hidden and missing rooms run the same code. */
  find(person: Person, id: string): Room | undefined {
    const known = person.memberships.get(id)?.room;
    if (known !== undefined) return known;
    const room = this.#rooms.get(id);
    const banned = this.restrictions.isBanned(id, person.user.id);
    return room !== undefined && mayRead(room.record, undefined, banned) ? room : undefined;
  }

  /** @throws RequestError `unknown_room` if this person has lost the room: another one may have its id now */
  checkStill(person: Person, room: Room): void {
    if (this.find(person, room.record.id) !== room) throw new RequestError('unknown_room');
  }

  banOf(user: string): Ban | null {
    const ban = this.#bans.get(user);
    if (ban === undefined) return null;
    if (leftOf(ban, Date.now()) > 0) return ban;
    this.#bans.delete(user);
    return null;
  }

  /** Whether members of the room may see more of this user than the id: see `acted`. */
  isVisible(...[user, member]: Parameters<typeof isNamed>): boolean {
    return this.#findAll || isNamed(user, member);
  }

  /** Registers a new connection of a user. Rejects if the history fails. */
  async connect(id: string, identity: SessionIdentity): Promise<Connection> {
    const user = { id: identity.id, name: identity.name };
    let entry = this.#people.get(user.id);
    if (entry === undefined) {
      entry = this.#back(user.id) ?? this.#arrived(user);
    }
    clearTimeout(entry.leaves);
    const { person } = entry;
    const connection: Connection = { id, person, identity, joined: new Set(), gone: false, ended: false };
    person.connections.add(connection);
    try {
      await entry.loaded;
      await this.#settle(entry);
      // Another server may have stored a ban.
      await this.#history.current();
    } catch (error) {
      this.disconnect(connection);
      throw error;
    }
    return connection;
  }

  /** Restores a user who left recently and whose rooms are all still in memory. */
  #back(user: string): ConnectedUser | undefined {
    const person = this.#recent.forget(user);
    if (person === undefined) return undefined;
    const entry: ConnectedUser = { person, loaded: Promise.resolve(), stored: true, unsettled: false };
    this.#people.set(user, entry);
    for (const { room, member } of person.memberships.values()) this.#enter(room, person, member);
    return entry;
  }

  /** Adds a user whose memberships must be read from the history. */
  #arrived(user: User): ConnectedUser {
    const person: Person = {
      user: { ...user, actedPublic: false },
      connections: new Set(),
      blocked: nobody,
      memberships: new Map(),
    };
    const entry: ConnectedUser = { person, loaded: Promise.resolve(), stored: false, unsettled: false };
    this.#people.set(user.id, entry);
    entry.loaded = this.#load(entry);
    const seen = () => this.#others?.seenChanged(user.id);
    entry.loaded.then(seen, () => {
      this.#people.delete(user.id);
      seen();
    });
    return entry;
  }

  /** Applies a changed session identity. */
  async changed(connection: Connection, identity: SessionIdentity): Promise<void> {
    const { roles } = connection.identity;
    connection.identity = identity;
    const entry = this.#people.get(connection.person.user.id);
    if (entry !== undefined) await this.#settleInTheEnd(entry);
    if (identity.roles.join() !== roles.join()) this.#listener?.rolesChanged(connection, roles);
  }

  disconnect(connection: Connection): void {
    if (connection.gone) return;
    connection.gone = true;
    const { person } = connection;
    for (const room of connection.joined) room.joined.delete(connection);
    connection.joined.clear();
    const entry = this.#people.get(person.user.id);
    // The rooms that a session gives end with its last connection, unless that was the user's last one.
    person.connections.delete(connection);
    if (entry?.person !== person) return;
    if (person.connections.size > 0) {
      this.#settleInTheEnd(entry).catch((error) => this.#onAsideFailure('session_rooms', error));
      return;
    }
    entry.leaves = setTimeout(() => this.#leave(entry), linger);
    entry.leaves.unref();
  }

  #leave({ person, stored }: ConnectedUser): void {
    if (person.connections.size > 0) return;
    this.#people.delete(person.user.id);
    this.#others?.seenChanged(person.user.id);
    for (const { room } of person.memberships.values()) {
      room.here.delete(person);
      this.#hide(room, person.user.id);
      this.#forgetIfEmpty(room);
    }
    const isInMemory = ({ room }: { room: Room }) => this.#rooms.get(room.record.id) === room;
    if (stored) this.#left(person.user.id);
    if (stored && this.#others === undefined && [...person.memberships.values()].every(isInMemory)) {
      this.#recent.remember(person);
    }
  }

  async #load(entry: ConnectedUser): Promise<void> {
    const { person } = entry;
    const { user } = person;
    await this.#read(this.#history.read.user({ user: user.id }), (found, missed) => {
      if (found.user !== null) person.user = found.user;
      if (found.blocked.length > 0) person.blocked = new Set(found.blocked);
      entry.stored = found.user !== null && found.arrived;
      for (const { room: record, member, mentions, partner } of found.memberships) {
        const room = this.#roomFor(record);
        if (partner !== undefined) room.partners.set(partner.user.id, partner);
        this.#enter(room, person, member, mentions);
      }
      // For the others it was applied when it arrived.
      for (const change of missed) this.#update(change, (id) => (id === person.user.id ? person : undefined));
    });
  }

  /** Reads the unread mentions of a connected user again: in memory the older ones of a room may be missing. */
  async readMentions({ user: { id }, memberships }: Person): Promise<void> {
    await this.#read(this.#history.read.user({ user: id }), (found, missed) => {
      for (const { room, mentions } of found.memberships) {
        const known = memberships.get(room.id);
        if (known !== undefined) known.mentions = stillUnread(mentions, known.member.readSeq);
      }
      for (const change of missed)
        this.#update(change, (user) => (user === id ? this.person(id) : undefined));
    });
  }

  /** Reads how this user sees the other side of a direct room. */
  async learnPartner({ record, partners }: Room, user: string, other: string): Promise<void> {
    const input = { user, other, room: record.id };
    await this.#read(this.#history.read.partner(input), (found, missed) => {
      // The other user was erased meanwhile.
      if (record.pair === undefined) return;
      partners.set(other, found);
      for (const change of missed) this.#update(change, () => undefined);
    });
  }

  /** A user is no longer a member of a private room. Through it one of a direct room may have known the other. */
  #lostRoom(user: string): void {
    this.#unsure.add(user);
    for (const { record, partners } of this.#directRooms.get(user) ?? []) {
      const other = otherOf(record.pair, user);
      if (other !== undefined && partners.get(user)?.shares) this.#unsure.add(other);
    }
    if (!this.#isChecking) void this.#checkPartners();
  }

  /** Hides the other users of direct rooms who share no other room any more. */
  async #checkPartners(): Promise<void> {
    this.#isChecking = true;
    for (const user of this.#unsure) {
      // A room that is lost from now on adds the user again.
      this.#unsure.delete(user);
      const person = this.person(user);
      if (person === undefined) continue;
      const seen = new Map<string, Room>();
      for (const room of this.#directRooms.get(user) ?? []) {
        const other = otherOf(room.record.pair, user);
        if (other !== undefined && room.partners.get(other)?.shares) seen.set(other, room);
      }
      if (seen.size === 0) continue;
      // If the history fails, they are hidden; the next connection reads this again.
      const near = await this.#history.read
        .sharesRoom({ user, of: [...seen.keys()] })
        .catch((): string[] => []);
      for (const [id, room] of seen) {
        const partner = room.partners.get(id);
        if (partner === undefined || near.includes(id)) continue;
        partner.shares = false;
        if (!this.isVisible(partner.user, partner)) this.#listener?.partnerHidden(room, person);
      }
    }
    this.#isChecking = false;
  }

  /** @param take gets the result and the changes that arrived during the read, which may be newer */
  async #read<Found>(
    reading: Promise<Found>,
    take: (found: Found, missed: readonly Change[]) => void,
  ): Promise<void> {
    const missed: Change[] = [];
    this.#loading.add(missed);
    try {
      take(await reading, ofRoomsThatStay(missed));
    } finally {
      this.#loading.delete(missed);
    }
  }

  /** Brings the stored user in line with the open sessions. */
  async #settle(entry: ConnectedUser): Promise<void> {
    const { person } = entry;
    const connections = [...person.connections];
    const [newest] = connections.slice(-1);
    if (newest === undefined) return;
    const { id, name } = newest.identity;
    const role = siteRole(person);
    const lists = connections.map(({ identity }) => identity.rooms);
    const rooms = new Map<string, SiteRoom>();
    for (const list of lists) for (const room of list ?? []) rooms.set(room.id, room);
    const now = [...person.memberships].filter(([, { member }]) => member.sources & sources.session);
    // An unreadable list may contain any room, so nothing is removed.
    if (lists.includes(undefined)) {
      for (const [roomId, { room }] of now) rooms.set(roomId, { id: roomId, name: room.record.name });
    }
    const same = now.length === rooms.size && now.every(([roomId]) => rooms.has(roomId));
    if (entry.stored && same && person.user.name === name && person.user.siteRole === role) return;
    await this.#history.write.arrive({
      user: { id, name },
      ...(role === undefined ? {} : { siteRole: role }),
      ...(same ? {} : { rooms: [...rooms.values()] }),
      at: Date.now(),
    });
    entry.stored = true;
    if (role === undefined) delete person.user.siteRole;
    else person.user.siteRole = role;
  }

  /**
   * Settles with retries, for callers that nobody repeats: the history may fail at just this moment. All changes of a
   * user share one attempt.
   */
  #settleInTheEnd(entry: ConnectedUser): Promise<void> {
    entry.unsettled = true;
    entry.settling ??= this.#settleAll(entry);
    return entry.settling;
  }

  async #settleAll(entry: ConnectedUser): Promise<void> {
    try {
      while (entry.unsettled) {
        entry.unsettled = false;
        try {
          await this.#settle(entry);
        } catch (error) {
          if (!(error instanceof RequestError && error.isOfStorage)) throw error;
          this.#onAsideFailure('session_rooms', error);
          entry.unsettled = true;
          await new Promise((resolve) => setTimeout(resolve, settleAgain).unref());
        }
      }
    } finally {
      delete entry.settling;
    }
  }

  #roomFor(record: RoomRecord): Room {
    const known = this.#rooms.get(record.id);
    if (known !== undefined) return known;
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

  #forgetIfEmpty(room: Room): void {
    const { record, here } = room;
    if (record.kind !== 'public' && here.size === 0) this.#forget(room);
  }

  #forget(room: Room): void {
    this.#rooms.delete(room.record.id);
    this.#recent.forgetRoom(room);
    this.publicRooms.delete(room);
    this.#unlistDirect(room);
  }

  #unlistDirect(room: Room): void {
    for (const user of room.record.pair ?? []) {
      const rooms = this.#directRooms.get(user);
      rooms?.delete(room);
      if (rooms?.size === 0) this.#directRooms.delete(user);
    }
  }

  #enter(room: Room, person: Person, member: MemberRecord, mentions?: UnreadMentions): void {
    const { user } = person;
    const known = person.memberships.get(room.record.id);
    const before = known?.member;
    const wasVisible = before !== undefined && this.isVisible(user, before);
    const isVisible = this.isVisible(user, member);
    const unread = stillUnread(mentions ?? known?.mentions ?? noMentions, member.readSeq);
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
    if (isVisible) this.#show(room, user);
    if (isVisible !== wasVisible) this.#others?.seenChanged(user.id);
  }

  #show(room: Room, { id, name }: User): void {
    const before = room.present.get(id) ?? null;
    if (before?.name === name) return;
    const now = { id, name };
    room.present.set(id, now);
    this.#listener?.present(room, id, before, now);
  }

  /** Removes the presence of a user who has left this server or the room. */
  #hide(room: Room, user: string): void {
    const elsewhere = this.#others?.presentIn(room.record.id).get(user);
    if (elsewhere !== undefined) return this.#show(room, elsewhere);
    const before = room.present.get(user);
    if (before === undefined) return;
    room.present.delete(user);
    this.#listener?.present(room, user, before, null);
  }

  #apply(change: Change): void {
    for (const user of this.#concernedBy(change)) this.#recent.forget(user);
    const announce = this.#update(change, (id) => this.person(id));
    if (this.#listener !== undefined) announce?.(this.#listener);
  }

  /**
   * Applies a change to the rooms, and to the users that `find` knows. Changes that were applied before can be applied
   * again, if all that came after the first of them are.
   */
  #update(change: Change, find: Find): Announce | undefined {
    switch (change.type) {
      case 'message':
        return this.#message(change, find(change.message.user.id));
      case 'mentions':
        return this.#mentions(change, find);
      case 'concerned': {
        const room = this.#rooms.get(change.message.room);
        if (room === undefined) return undefined;
        for (const user of change.users) applyConcerned(find(user), change);
        return (listener) => listener.concerned(room, change);
      }
      case 'followed':
        return (listener) => listener.followed(change);
      case 'room':
        return change.is === 'deleted' ? this.#deleted(change, find) : this.#room(change);
      case 'member':
        return this.#member(change, find(change.user.id));
      case 'read': {
        const person = find(change.user);
        if (person !== undefined) applyRead(person, change);
        this.#partnerRead(change.room, change.user, change.readSeq);
        return (listener) => listener.read(this.#rooms.get(change.room), change);
      }
      case 'user':
        return this.#user(change.user, find(change.user.id));
      case 'ban': {
        const { user, ban } = change;
        if (ban === null) this.#bans.delete(user);
        else this.#bans.set(user, ban);
        return ban === null ? undefined : (listener) => listener.banned(user);
      }
      case 'restricted':
        return this.#restricted(change, find(change.user));
      case 'report': {
        const { room, id } = change;
        const known = this.#rooms.get(room.id);
        if (known !== undefined) applyRecord(known.record, room);
        return (listener) => listener.reported(room, id);
      }
      case 'held':
        return (listener) => listener.held(change);
      case 'pin': {
        const known = this.#rooms.get(change.room.id);
        if (known === undefined) return undefined;
        applyRecord(known.record, change.room);
        return (listener) => listener.pinned(known, change.seq);
      }
      case 'blocked': {
        const person = find(change.user);
        const recounted = person === undefined ? [] : applyBlock(person, change);
        return (listener) => listener.blocked(change, recounted);
      }
      case 'reset': {
        const room = this.#rooms.get(change.room.id);
        if (room === undefined) return undefined;
        applyReset(room.record, change.room);
        return (listener) => listener.reset(room);
      }
      case 'erased':
        if (find(change.user) !== undefined) this.#erased(change.user);
        return undefined;
      case 'broadcast':
        return undefined;
    }
  }

  /** The users whose memberships, names or rights the change affects. */
  #concernedBy(change: Change): string[] {
    // The users of a direct room see each other's names if they share another room and have acted there.
    const withPartners = (user: string) => [
      user,
      ...[...(this.#directRooms.get(user) ?? [])].flatMap(({ record }) => record.pair ?? []),
    ];
    switch (change.type) {
      case 'message':
        return withPartners(change.message.user.id);
      case 'member':
      case 'user':
        return withPartners(change.user.id);
      case 'read':
      case 'blocked':
      case 'erased':
        return [change.user];
      case 'mentions':
        return [...change.added, ...change.removed];
      case 'concerned':
        return [...change.users];
      default:
        return [];
    }
  }

  #message(change: Change & { type: 'message' }, author: Person | undefined): Announce | undefined {
    const { message, is } = change;
    const room = this.#rooms.get(message.room);
    if (room === undefined) return undefined;
    applyMessage(room.record, change);
    if (is === 'new') this.#wrote(room, message, author);
    return (listener) => {
      if (is === 'new') noteWritten(room, message);
      for (const follower of this.#followers.get(room) ?? []) follower(change);
      listener.message(room, change);
    };
  }

  #mentions(change: Change & { type: 'mentions' }, find: Find): Announce | undefined {
    const { message, added, removed } = change;
    const room = this.#rooms.get(message.room);
    if (room === undefined) return undefined;
    const users = [...added, ...removed];
    const isForAll = users.includes(everybody);
    if (isForAll) this.#recent.forgetRoom(room);
    for (const user of isForAll ? [...room.here].map(({ user }) => user.id) : users) {
      const person = find(user);
      if (person !== undefined) applyMentions(person, message);
    }
    return (listener) => listener.mentioned(room, change);
  }

  /** By writing, the sender becomes visible in the room (`acted`); the history has stored that with the message. */
  #wrote(room: Room, { user, sentAt }: StoredMessage, author: Person | undefined): void {
    this.#partnerActed(room.record.id, user.id, acted.written);
    const membership = author?.memberships.get(room.record.id);
    if (author === undefined || membership === undefined) return;
    const before = membership.member.acted;
    membership.member = { ...membership.member, acted: acted.written, wroteAt: sentAt };
    if (before === acted.written) return;
    this.#show(room, author.user);
    this.#others?.seenChanged(user.id);
  }

  #deleted({ room: record, asker }: Change & { type: 'room' }, find: Find): Announce | undefined {
    const { id, kind } = record;
    const room = this.#rooms.get(id);
    const members = [...(room?.here ?? [])].filter(({ user }) => find(user.id) !== undefined);
    const isBanned = ({ user }: Person) => this.restrictions.isBanned(id, user.id);
    const people = kind === 'public' ? [...this.everybody()].filter((person) => !isBanned(person)) : members;
    this.restrictions.forget(id);
    // A new room may have got its id since, as rooms of the site can.
    if (room !== undefined && room.record.createdAt !== record.createdAt) {
      for (const person of members) this.#remove(room, person);
      return undefined;
    }
    if (room === undefined) return undefined;
    for (const { user, memberships } of members) {
      memberships.delete(id);
      if (kind === 'private') this.#lostRoom(user.id);
      this.#others?.seenChanged(user.id);
    }
    const left = [...room.joined];
    for (const connection of left) connection.joined.delete(room);
    // Queued events about the room then reach nobody.
    room.joined.clear();
    room.here.clear();
    this.#forget(room);
    return (listener) => listener.roomDeleted(room, people, left, asker);
  }

  #room({ is, room: record, asker }: Change & { type: 'room' }): Announce | undefined {
    const room = this.#rooms.get(record.id);
    if (room === undefined) {
      if (record.kind !== 'public') return undefined;
      const added = this.#roomFor(record);
      return (listener) => listener.roomAdded(added, asker);
    }
    const before = { ...room.record };
    if (before.name !== record.name) this.publicRooms.renamed();
    applyRecord(room.record, record);
    // Its maker may have come here, and brought the room along, before that was heard.
    if (is === 'new' && record.kind === 'public' && record.createdAt === room.record.createdAt)
      return (listener) => listener.roomAdded(newRoom(record), asker);
    const isLeft = this.#partnerErased(room, record);
    const isSet = isLeft || !haveSameSettings(before, record);
    const isShown = (['name', 'topic', 'firstSeq'] as const).some(
      (field) => before[field] !== room.record[field],
    );
    return (listener) => {
      if (isSet) listener.settingsChanged(room, before);
      if (isShown) listener.roomChanged(room);
    };
  }

  /**
   * Applies the erasure of the other user: nobody else is left in a direct room then. @returns whether the room has
   * changed
   */
  #partnerErased(room: Room, now: RoomRecord): boolean {
    if (room.record.pair === undefined || now.pair !== undefined) return false;
    this.#unlistDirect(room);
    room.partners.clear();
    delete room.record.pair;
    return true;
  }

  #restricted(
    { room: record, user, kind, now }: Change & { type: 'restricted' },
    person: Person | undefined,
  ): Announce {
    this.restrictions.set(record.id, user, kind, now);
    const room = this.#rooms.get(record.id);
    if (room !== undefined) applyRecord(room.record, record);
    return (listener) => {
      listener.restrictionsChanged();
      if (room === undefined || kind !== 'muted' || person === undefined) return;
      if (person.memberships.has(record.id)) listener.muteChanged(room, person);
    };
  }

  #member(change: MemberChange, person: Person | undefined): Announce | undefined {
    const { room: record, user, before, now, asker } = change;
    const known = this.#rooms.get(record.id);
    if (known === undefined && (person === undefined || !isMember(now))) return undefined;
    const room = known ?? this.#roomFor(record);
    applyRecord(room.record, record);
    if (!isMember(now)) {
      if (!isMember(before)) return undefined;
      if (record.kind === 'private') this.#lostRoom(user.id);
      const left = person === undefined ? [] : this.#remove(room, person);
      this.#forgetIfEmpty(room);
      return (listener) => listener.memberRemoved(room, change, person, left);
    }
    this.#partnerActed(record.id, user.id, now.acted);
    if (person !== undefined) this.#enter(room, person, now);
    return (listener) =>
      isMember(before)
        ? listener.memberChanged(room, user, before, now, person)
        : listener.memberAdded(room, user, now, person, asker);
  }

  /** @returns the connections that had joined; they get no more events of the room */
  #remove(room: Room, person: Person): Connection[] {
    person.memberships.delete(room.record.id);
    room.here.delete(person);
    this.#hide(room, person.user.id);
    this.#others?.seenChanged(person.user.id);
    const left = [...person.connections].filter((connection) => connection.joined.delete(room));
    for (const connection of left) room.joined.delete(connection);
    return left;
  }

  #partnerActed(room: string, user: string, how: number): void {
    const partner = this.#rooms.get(room)?.partners.get(user);
    if (partner !== undefined) partner.acted = how;
  }

  #partnerRead(room: string, user: string, upTo: number): void {
    const partner = this.#rooms.get(room)?.partners.get(user);
    if (partner !== undefined) partner.readSeq = Math.max(partner.readSeq, upTo);
  }

  #partnerNamed(user: UserRecord): void {
    for (const room of this.#directRooms.get(user.id) ?? []) {
      const partner = room.partners.get(user.id);
      if (partner !== undefined) partner.user = user;
    }
  }

  #user(user: UserRecord, person: Person | undefined): undefined {
    this.#partnerNamed(user);
    if (person === undefined) return;
    person.user = { ...user };
    for (const { room, member } of person.memberships.values()) {
      if (this.isVisible(user, member)) this.#show(room, user);
    }
    this.#others?.seenChanged(user.id);
  }

  /** A user who connects with that id from now on is a new one. */
  #erased(id: string): void {
    const entry = this.#people.get(id);
    if (entry === undefined) return;
    entry.stored = false;
    entry.person.user = { id, name: id, actedPublic: false };
    entry.person.blocked = nobody;
    this.#others?.seenChanged(id);
  }
}

/** @throws RequestError `unknown_room` */
export function found(room: Room | undefined): Room {
  if (room === undefined) throw new RequestError('unknown_room');
  return room;
}
