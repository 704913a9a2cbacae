import { createHmac } from 'node:crypto';
import type { ErasableList, Erasure, ErasureStage } from '../erasure.ts';
import {
  type Act,
  acted,
  deletedUser,
  type EventType,
  erasureConsumer,
  isMember,
  isNamed,
  isReadable,
  type MemberRecord,
  type Pushed,
  type PushPlace,
  type SettledPush,
  type StoredFile,
  type StoredMessage,
  type StoredReport,
  sources,
  type UserRecord,
  type Writes,
} from '../history.ts';
import {
  actColumns,
  actRow,
  erasureColumns,
  erasureRow,
  fileStates,
  holdingsOf,
  type MessageRow,
  type Reacted,
  type RoomRow,
  restrictedOf,
  sameMentions,
  withNames,
} from '../rows.ts';
import { type Columns, keyOf, reports, type Table, type Value } from '../tables.ts';
import { nameKey, storedMemberKey } from '../text-keys.ts';
import { bitsOf, consumerColumns, type LoadedConsumer, withoutWords } from './change-log.ts';
import { type Dialect, raw, type Sql, sql } from './dialect.ts';

/** Something of the database that a rule asks for. */
export type Need =
  /** Locks the room. */
  | { what: 'room'; id: string }
  | { what: 'lastMessage'; room: string }
  | { what: 'member'; room: string; user: string }
  | { what: 'user'; id: string }
  | { what: 'message'; room: string; seq: number }
  /** The message itself has to be loaded. */
  | { what: 'reaction'; room: string; seq: number; emoji: string; user: string }
  /** The first users who have reacted so, by time. */
  | { what: 'reactors'; room: string; seq: number; emoji: string; most: number }
  /** The needs of a reply of this user to that message. */
  | { what: 'replied'; room: string; seq: number; user: string }
  /** The author's last reply before that one. */
  | { what: 'earlierReply'; room: string; thread: number; user: string; before: number }
  /** The replies that are left before that message, and their threads. Locks the room. */
  | { what: 'oldReplies'; room: string; to: number }
  | { what: 'file'; id: string }
  /** The rows of a table with these fields. */
  | { what: 'rows'; table: Table; where: object }
  | { what: 'doomedFiles'; before: number; most: number }
  | { what: 'clientId'; room: string; user: string; clientId: string }
  | { what: 'publicName'; key: string }
  | { what: 'pair'; pair: readonly [string, string] }
  | { what: 'maker'; user: string; clientId: string }
  | { what: 'madeBy'; user: string }
  | { what: 'emptyRooms'; before: number; most: number }
  | { what: 'owner'; room: string }
  /** The first users who would take over. */
  | { what: 'heirs'; room: string; most: number }
  | { what: 'sessionRooms'; user: string }
  | { what: 'endedRestrictions'; before: number; most: number }
  | { what: 'openReports'; room: string; from: number }
  | { what: 'unreadMentions'; room: string; user: string; after: number }
  | { what: 'entry'; num: number }
  /** Locks the erasure: no step of it is taken meanwhile. */
  | { what: 'erasureOf'; user: string }
  /** The same without the lock, which steps would not wait for. */
  | { what: 'erasing'; user: string }
  | { what: 'openErasure' }
  | { what: 'newestMessage' }
  /** Locks the next rows of a table that are due. */
  | { what: 'due'; table: Table; at: number; most: number }
  | { what: 'eventCounts' }
  /** Locks the consumer. */
  | { what: 'consumer'; input: Writes['consume']['in'] };

/** Milliseconds after which a consumer that no server follows is forgotten. */
const forgottenAfter = 24 * 60 * 60 * 1000;

/** Thrown out of a rule that asks for what has not been loaded. The rule runs again when that has been loaded. */
export class Missing extends Error {
  readonly need: Need;

  constructor(need: Need) {
    super(`${need.what} is not loaded`);
    this.need = need;
  }
}

/** Thrown out of a rule that is only probed: see `History.probe`. */
export const wouldChange = new Error('the write would change something');

/** `sort`: by it the members of a room are sorted. */
export interface Member {
  row: MemberRecord;
  since: number;
  sort: string;
}

/** `stored`: as it is in the database, if it is there. */
export interface LoadedMember extends Member {
  stored: Member | undefined;
}

/** Whether a transaction has put something else than the database has. */
export const isChanged = <Row>({ row, stored }: { row: Row; stored: Row | undefined }): boolean =>
  row !== stored;

export interface LoadedMessage {
  row: MessageRow;
  reacted: Reacted | undefined;
  /** By emoji, and then by user. The place, or null where there is none. */
  reactions: Map<string, Map<string, { place: number | null; dirty: boolean }>>;
  /** By emoji, as it is in the database. */
  reactors: Map<string, { list: readonly string[]; all: boolean }>;
  state: 'stored' | 'new' | 'changed';
  /** The text in the database, if it is another one now. */
  former?: string;
  /** Its mentions are not those of the database. */
  named?: true;
  /** It is in other lists of its room than in the database. */
  moved?: true;
  /** It has another author than in the database. */
  erased?: true;
  /** Its place among all new ones, of whatever room. */
  order?: number;
}

interface Heir {
  user: string;
  moderator: boolean;
  since: number;
}

/** A room with what has been loaded of it. `null` and `undefined`: known not to be there, and not loaded. */
export interface LoadedRoom {
  /** Absent for a room that this transaction makes: the database holds nothing of it. */
  num: number | undefined;
  row: RoomRow;
  /** As it is in the database. */
  stored: RoomRow | undefined;
  members: Map<string, LoadedMember | null>;
  messages: Map<number, LoadedMessage | null>;
  /** By user and clientId: see `clientIdKey`. */
  clientIds: Map<string, number | null>;
  /** As they are in the database. */
  owner: string | null | undefined;
  heirs: { list: readonly Heir[]; all: boolean } | undefined;
}

/**
 * A row of a table. `null`: it is removed. `stored`: as it is in the database, if that is known; `null`: its room is deleted,
 * and all of its rows with it.
 */
export interface LoadedRow {
  row: object | null;
  /** A part of the row that has its key. */
  key: object;
  stored: object | null | undefined;
}

export interface LoadedUser {
  row: UserRecord | undefined;
  /** As it is in the database. */
  before: UserRecord | undefined;
}

export interface LoadedFile {
  row: StoredFile;
  /** The number of its room, or the id where that is new too. */
  room: number | string;
  state: 'stored' | 'new' | 'changed';
}

/** The rows of a step of an erasure, as they are in the database. */
export interface LoadedErasure {
  /** Absent where there is none to take a step of. */
  erasure?: Erasure;
  lists?: ReadonlyMap<ErasureStage, ErasableList>;
}

export const clientIdKey = (user: string, clientId: string) => `${clientId} ${user}`;
export const makerKey = clientIdKey;
/** The same for the same question. */
export const rowsKey = ({ name }: Table, where: object) =>
  `${name} ${JSON.stringify(Object.entries(where).sort())}`;
/** A reply as far as threads count it. */
export interface LoadedReply {
  seq: number;
  thread: number;
  user: string;
  at: number;
}

export const earlierKey = (room: string, thread: number, user: string, before: number) =>
  `${thread} ${before} ${room} ${user}`;
export const openKey = (room: string, from: number) => `${from} ${room}`;
export const unreadKey = (room: string, user: string, after: number) => `${after} ${room} ${user}`;
export const pairKey = (pair: readonly [string, string]) => JSON.stringify(pair);

/**
 * The data that a transaction has loaded of a database, and the changes that it is going to write. The rules read and
 * write it at
 * once; on what is not loaded it throws `Missing`. The changes of that rule are undone.
 */
export class Work {
  readonly rooms = new Map<string, LoadedRoom | null>();
  readonly users = new Map<string, LoadedUser>();
  readonly tables = new Map<Table, Map<string, LoadedRow>>();
  /** The questions that are answered, by `rowsKey`. */
  readonly asked = new Set<string>();
  /** By `openKey`, as the database knows it. */
  readonly openReportsIn = new Map<string, number>();
  /** By `unreadKey`, as the database knows them. */
  readonly unreadMentionsOf = new Map<string, readonly (readonly [seq: number, author: string])[]>();
  /** By `earlierKey`, as the database knows it. */
  readonly earlierReplies = new Map<string, LoadedReply | null>();
  /** By room, up to that message, as the database knows them. */
  readonly repliesUpTo = new Map<string, { to: number; replies: readonly LoadedReply[] }>();
  /** Deleted rooms of the database. */
  readonly deleted: number[] = [];
  /** Answers to questions about many rows, as the database knows them. */
  readonly publicNames = new Map<string, string | null>();
  readonly pairs = new Map<string, string | null>();
  readonly makers = new Map<string, string | null>();
  /** By user: the rooms that the user has made, and whether the user may know of them. */
  readonly madeBy = new Map<string, ReadonlyMap<string, boolean>>();
  readonly sessionRoomsOf = new Map<string, readonly string[]>();
  emptied: { before: number; most: number; ids: readonly string[] } | undefined;
  readonly files = new Map<string, LoadedFile | null>();
  /** As they are in the database. */
  doomed:
    | {
        before: number;
        most: number;
        rooms: number;
        ids: readonly string[];
        /** The files under whose ids their bytes are stored, by their own ids. */
        stored: ReadonlyMap<string, string>;
        /** The bytes among these that other files share, which are not dropped: see `doomedFiles`. */
        shared: ReadonlyMap<string, readonly string[]>;
      }
    | undefined;
  /** Files of the database that are dropped, or forgotten, whatever else is known of them. */
  readonly dropped = new Set<string>();
  readonly forgotten = new Set<string>();
  /** The restrictions that ended by then are loaded. */
  ended: { before: number; most: number } | undefined;
  /** By user; undefined where there is none. */
  readonly erasures = new Map<string, Erasure | undefined>();
  /** Entries of the log of changes, by their numbers. */
  readonly entries = new Map<number, string>();
  openedErasure: LoadedErasure | undefined;
  /** The number of the newest message of all. */
  newest: number | undefined;
  consuming: { name: string; loaded: LoadedConsumer } | undefined;
  /** By table: as they are in the database, and when the next one after them is due. */
  readonly due = new Map<Table, { at: number; most: number; rows: readonly object[]; next?: number }>();
  /** Of events, by their types, and of those without tries left. */
  countedEvents: ReadonlyMap<EventType | 'failed', number> | undefined;
  /** Statements at the end, after what is stored of all else. */
  readonly more: ((dialect: Dialect) => Sql)[] = [];
  readonly #digestKey: Uint8Array;
  #undo: (() => void)[] = [];
  #kept = 0;
  #probing = false;

  constructor(digestKey: Uint8Array) {
    this.#digestKey = digestKey;
  }

  /** Changes from here on can be undone. @param probing they are not made: the first of them throws `wouldChange` */
  begin(probing = false): void {
    this.#probing = probing;
    this.#kept += this.#undo.length;
    this.#undo = [];
  }

  /** Whether there is anything to write. */
  get changed(): boolean {
    return this.#kept + this.#undo.length > 0;
  }

  /** Undoes what was put since `begin`. */
  undo(): void {
    for (const step of this.#undo.splice(0).reverse()) step();
  }

  room(id: string): RoomRow | undefined {
    return this.#room(id)?.row;
  }

  /** The newest message of a room. */
  lastMessage(id: string): StoredMessage | undefined {
    const room = this.#room(id);
    if (room === null || room.row.lastSeq === 0) return undefined;
    return this.#messageOf(room, this.#message(room, room.row.lastSeq, { what: 'lastMessage', room: id }));
  }

  /** The public room of that name, without regard to case. */
  publicRoomNamed(key: string): string | undefined {
    const stored = this.publicNames.get(key);
    if (stored === undefined) throw new Missing({ what: 'publicName', key });
    const isNamed = ({ row }: LoadedRoom) => row.kind === 'public' && nameKey(row.name) === key;
    return this.#found(stored, isNamed)?.row.id;
  }

  roomOfPair(pair: readonly [string, string]): RoomRow | undefined {
    const stored = this.pairs.get(pairKey(pair));
    if (stored === undefined) throw new Missing({ what: 'pair', pair });
    const key = pairKey(pair);
    return this.#found(stored, ({ row }) => row.pair !== undefined && pairKey(row.pair) === key)?.row;
  }

  roomMadeBy(user: string, clientId: string): RoomRow | undefined {
    const stored = this.makers.get(makerKey(user, clientId));
    if (stored === undefined) throw new Missing({ what: 'maker', user, clientId });
    return this.#found(stored, ({ row }) => row.createdBy === user && row.clientId === clientId)?.row;
  }

  /** @returns those that the maker may know of, and those that the maker has lost */
  countRoomsMadeBy(user: string): { left: number; lost: number } {
    const stored = this.madeBy.get(user);
    if (stored === undefined) throw new Missing({ what: 'madeBy', user });
    const made = new Map(stored);
    for (const [id, room] of this.rooms) {
      if (room === null) made.delete(id);
      else if (room.row.createdBy === user && room.row.clientId !== undefined) {
        const member = room.members.get(user);
        // A membership that is not loaded has not changed.
        if (member !== undefined || !made.has(id)) made.set(id, isReadable(room.row, member?.row));
      }
    }
    const left = [...made.values()].filter(Boolean).length;
    return { left, lost: made.size - left };
  }

  putRoom(row: RoomRow): void {
    const known = this.#room(row.id);
    const room: LoadedRoom =
      known === null
        ? {
            num: undefined,
            row,
            stored: undefined,
            members: new Map(),
            messages: new Map(),
            clientIds: new Map(),
            owner: null,
            heirs: { list: [], all: true },
          }
        : { ...known, row };
    this.#set(this.rooms, row.id, room);
  }

  deleteRoom(id: string): void {
    const { num } = this.#existing(id);
    this.#set(this.rooms, id, null);
    // A room of this id may be made again in this transaction, and has none of them.
    for (const rows of this.tables.values()) {
      for (const [key, { row, ...one }] of rows) {
        const { room } = (row ?? one.key) as { room?: string };
        if (room === id) this.#set(rows, key, { ...one, row: null, stored: null });
      }
    }
    if (num === undefined) return;
    this.deleted.push(num);
    this.#change(() => this.deleted.pop());
  }

  /** Private rooms without members since before that time. */
  emptyRooms(before: number, most: number): RoomRow[] {
    // Rooms that this transaction has changed may not be empty any more.
    const wanted = most + [...this.rooms.values()].filter((room) => room === null || isChanged(room)).length;
    const { emptied } = this;
    if (emptied === undefined || emptied.before !== before || emptied.most < wanted) {
      throw new Missing({ what: 'emptyRooms', before, most: wanted });
    }
    const changed = [...this.rooms].flatMap(([id, room]) => (room !== null && isChanged(room) ? [id] : []));
    return [...new Set([...emptied.ids, ...changed])]
      .flatMap((id) => this.room(id) ?? [])
      .filter(({ kind, emptySince }) => kind === 'private' && emptySince !== undefined && emptySince < before)
      .sort((a, b) => (a.emptySince as number) - (b.emptySince as number) || (a.id < b.id ? -1 : 1))
      .slice(0, most);
  }

  member(room: string, user: string): MemberRecord | undefined {
    const known = this.#room(room);
    return known === null ? undefined : this.#member(known, user)?.row;
  }

  /** Whether the user is a member or has ever been one: what is laid on somebody is kept of others, too. */
  hasBeenMember(room: string, user: string): boolean {
    return (this.#member(this.#existing(room), user)?.since ?? 0) > 0;
  }

  /** The user who takes over from `except`: the longest-standing moderator, otherwise the longest-standing member. */
  successor(id: string, except: string): string | undefined {
    const room = this.#existing(id);
    // The loaded members may have changed; one more than these is one that has not.
    const most = room.members.size + 1;
    if (room.heirs === undefined || (!room.heirs.all && room.heirs.list.length < most)) {
      throw new Missing({ what: 'heirs', room: id, most });
    }
    const heirs: Heir[] = room.heirs.list.filter(({ user }) => room.members.get(user) === undefined);
    for (const [user, member] of room.members) {
      if (member === null || !isMember(member.row)) continue;
      heirs.push({ user, moderator: member.row.role === 'moderator', since: member.since });
    }
    return heirs.filter(({ user }) => user !== except).sort(compareHeirs)[0]?.user;
  }

  owner(id: string): string | undefined {
    const room = this.#existing(id);
    for (const [user, member] of room.members) {
      if (member !== null && isMember(member.row) && member.row.role === 'owner') return user;
    }
    if (room.owner === undefined) throw new Missing({ what: 'owner', room: id });
    // If that member is loaded, the loop above has seen that the role is another one now.
    return room.owner === null || room.members.has(room.owner) ? undefined : room.owner;
  }

  /** The rooms of which the user is a member because of the session, or would be without a ban. */
  sessionRooms(user: string): string[] {
    const stored = this.sessionRoomsOf.get(user);
    if (stored === undefined) throw new Missing({ what: 'sessionRooms', user });
    const rooms = new Set(stored);
    for (const [id, room] of this.rooms) {
      const member = room?.members.get(user);
      if (room === null || member === null) rooms.delete(id);
      else if (member !== undefined) {
        if (((member.row.sources | (member.row.held ?? 0)) & sources.session) !== 0) rooms.add(id);
        else rooms.delete(id);
      }
    }
    return [...rooms];
  }

  /** The users with a restriction that has ended by that time, in rooms that exist. */
  endedRestrictions(before: number, most: number): { room: string; user: string }[] {
    const changed = [...this.rooms.values()].flatMap((room) => [...(room?.members.values() ?? [])]);
    // Members that this transaction has changed may not be restricted any more.
    const wanted = most + changed.filter((member) => member && member.row !== member.stored?.row).length;
    if (this.ended?.before !== before || this.ended.most < wanted) {
      throw new Missing({ what: 'endedRestrictions', before, most: wanted });
    }
    const all: { room: string; user: string; until: number }[] = [];
    for (const [room, known] of this.rooms) {
      for (const [user, member] of known?.members ?? []) {
        const [, until] = member === null ? [] : restrictedOf(member.row);
        if (typeof until === 'number' && until <= before) all.push({ room, user, until });
      }
    }
    return all
      .sort((a, b) => a.until - b.until || compareBytes(a.room, b.room) || compareBytes(a.user, b.user))
      .slice(0, most);
  }

  /** @param since when this membership began, in milliseconds since 1970, where it begins now */
  putMember(id: string, user: string, row: MemberRecord, since?: number): void {
    const room = this.#existing(id);
    const known = this.#member(room, user);
    const isSorted = known !== null && known.row.acted > acted.never === row.acted > acted.never;
    this.#set(room.members, user, {
      row,
      since: since ?? known?.since ?? 0,
      sort: isSorted ? known.sort : this.sortOf(user, row),
      stored: known?.stored,
    });
  }

  /** Where the user stands among the members of a room. */
  sortOf(id: string, member: MemberRecord): string {
    const user = this.user(id);
    return storedMemberKey(user ?? { id, name: id }, isNamed(user, member));
  }

  /** The rows of a table with these fields. */
  find<Of extends object>(table: Table<Of>, where: Partial<Of>): Of[] {
    if (!this.asked.has(rowsKey(table, where))) throw new Missing({ what: 'rows', table, where });
    const rows = this.rowsOf(table);
    const fields = Object.keys(where);
    if (table.key.every((field) => field in where)) {
      const row = rows.get(keyOf(where, table.key))?.row;
      return row ? [row as Of] : [];
    }
    const wanted = keyOf(where, fields);
    return [...rows.values()].flatMap(({ row }) =>
      row !== null && keyOf(row, fields) === wanted ? [row as Of] : [],
    );
  }

  put<Of extends object>(table: Table<Of>, row: Of): void {
    this.#put(table, row, row);
  }

  /** @param key the fields of the row that identify it, at least */
  remove<Of extends object>(table: Table<Of>, key: Partial<Of>): void {
    this.#put(table, key, null);
  }

  /** All known rows of a table, by their keys. */
  rowsOf(table: Table): Map<string, LoadedRow> {
    const known = this.tables.get(table);
    if (known !== undefined) return known;
    const rows = new Map<string, LoadedRow>();
    this.tables.set(table, rows);
    return rows;
  }

  #put(table: Table, key: object, row: object | null): void {
    const rows = this.rowsOf(table);
    const id = keyOf(key, table.key);
    this.#set(rows, id, { row, key, stored: rows.get(id)?.stored });
  }

  user(id: string): UserRecord | undefined {
    const known = this.users.get(id);
    if (known === undefined) throw new Missing({ what: 'user', id });
    return known.row;
  }

  putUser(row: UserRecord): void {
    this.user(row.id);
    this.#set(this.users, row.id, { row, before: this.users.get(row.id)?.before });
  }

  /** Messages after that one that mention or concern the user, the newest ones, with their authors. */
  unreadMentions(room: string, user: string, after: number): readonly (readonly [number, string])[] {
    const known = this.unreadMentionsOf.get(unreadKey(room, user, after));
    if (known === undefined) throw new Missing({ what: 'unreadMentions', room, user, after });
    return known;
  }

  /** How many are open of messages from `from` on. */
  openReports(room: string, from: number): number {
    let count = this.openReportsIn.get(openKey(room, from));
    if (count === undefined) throw new Missing({ what: 'openReports', room, from });
    for (const { row, stored } of this.rowsOf(reports).values()) {
      const isOpen = (one: object | null | undefined) => {
        const report = one as StoredReport | null | undefined;
        return report?.room === room && report.seq >= from && report.closed === undefined;
      };
      count += Number(isOpen(row)) - Number(isOpen(stored));
    }
    return count;
  }

  /** The last reply of this user in the thread before that one. */
  earlierReply(id: string, thread: number, user: string, before: number): LoadedReply | undefined {
    const room = this.#existing(id);
    // The messages that the transaction has loaded or sent are newer than those of the database.
    let last: LoadedReply | undefined;
    for (const known of room.messages.values()) {
      const reply = known === null ? undefined : replyOf(known);
      if (reply?.thread !== thread || reply.user !== user || reply.seq >= before) continue;
      if (last === undefined || reply.seq > last.seq) last = reply;
    }
    if (room.num === undefined) return last;
    for (let end = before; ; ) {
      const stored = this.earlierReplies.get(earlierKey(id, thread, user, end));
      if (stored === undefined) {
        throw new Missing({ what: 'earlierReply', room: id, thread, user, before: end });
      }
      if (stored === null || (last !== undefined && stored.seq <= last.seq)) return last;
      if (!room.messages.get(stored.seq)) return stored;
      end = stored.seq;
    }
  }

  /** The replies from one message on and before another. */
  oldReplies(id: string, from: number, to: number): LoadedReply[] {
    const room = this.#existing(id);
    const loaded = room.num === undefined ? { to, replies: [] } : this.repliesUpTo.get(id);
    if (loaded === undefined || loaded.to < to) throw new Missing({ what: 'oldReplies', room: id, to });
    const known = [...room.messages.values()].flatMap((one) => (one === null ? [] : (replyOf(one) ?? [])));
    const isIn = ({ seq }: LoadedReply) => seq >= from && seq < to;
    return [...loaded.replies.filter(({ seq }) => !room.messages.get(seq)), ...known].filter(isIn);
  }

  /** Forgets the followers of threads of which nothing is left. @param before the first message that is left in the room */
  forgetFollowers(id: string, before: number): void {
    const { num: room } = this.#existing(id);
    if (room === undefined) return;
    this.#later(
      () =>
        sql`DELETE FROM chat_followers WHERE room = ${room} AND thread < ${before} AND NOT EXISTS (
              SELECT 1 FROM chat_threads AS threads
              WHERE threads.room = chat_followers.room AND threads.thread = chat_followers.thread)`,
    );
  }

  message(id: string, seq: number): StoredMessage | undefined {
    const room = this.#room(id);
    if (room === null) return undefined;
    return this.#messageOf(room, this.#message(room, seq, { what: 'message', room: id, seq }));
  }

  messageByClientId(id: string, user: string, clientId: string): MessageRow | undefined {
    const room = this.#room(id);
    if (room === null) return undefined;
    const seq = room.clientIds.get(clientIdKey(user, clientId));
    if (seq === undefined && room.num !== undefined) {
      throw new Missing({ what: 'clientId', room: id, user, clientId });
    }
    const known = seq === null || seq === undefined ? null : room.messages.get(seq);
    const message = this.#messageOf(room, known ?? null);
    return message && { message, digest: (known as LoadedMessage).row.digest };
  }

  insertMessage(row: MessageRow): void {
    const { room: id, seq, user, clientId } = row.message;
    const room = this.#existing(id);
    this.#set(room.messages, seq, {
      row,
      reacted: undefined,
      reactions: new Map(),
      reactors: new Map(),
      state: 'new',
      order: this.#kept + this.#undo.length,
    });
    this.#set(room.clientIds, clientIdKey(user.id, clientId), seq);
  }

  /** @param before as it was: its text is in the index for searching. The reactions of one that is deleted go with it. */
  updateMessage(message: StoredMessage, before: StoredMessage): void {
    const room = this.#existing(message.room);
    const known = room.messages.get(message.seq) as LoadedMessage;
    this.#set(room.messages, message.seq, {
      ...known,
      row: { ...known.row, message },
      state: known.state === 'new' ? 'new' : 'changed',
      ...(message.text === before.text ? {} : { former: known.former ?? before.text }),
      ...(sameMentions(message.mentions, before.mentions) ? {} : { named: true }),
      ...(holdingsOf(message).join() === holdingsOf(before).join() ? {} : { moved: true }),
    });
  }

  /** The state of a message's reactions; undefined if it never had any. */
  reacted(room: string, seq: number): Reacted | undefined {
    return this.#loaded(room, seq).reacted;
  }

  hasReaction(room: string, seq: number, emoji: string, user: string): boolean {
    const { reactions, state } = this.#loaded(room, seq);
    const known = reactions.get(emoji)?.get(user);
    if (known === undefined && state !== 'new')
      throw new Missing({ what: 'reaction', room, seq, emoji, user });
    return typeof known?.place === 'number';
  }

  /** The first users who have reacted so, by time. */
  reactors(room: string, seq: number, emoji: string, most: number): string[] {
    const loaded = this.#loaded(room, seq);
    const known = reactionsBy(loaded, emoji);
    const own = new Map<string, number | null>();
    for (const [user, { place, dirty }] of known) if (dirty) own.set(user, place);
    const stored = loaded.state === 'new' ? { list: [], all: true } : loaded.reactors.get(emoji);
    if (stored === undefined || (!stored.all && stored.list.length < most + own.size)) {
      // The loaded users are going to change their reactions: the list is long enough for all of them, or the rule
      // would run again for each.
      throw new Missing({ what: 'reactors', room, seq, emoji, most: most + known.size });
    }
    const added = [...own].flatMap(([user, place]) => (place === null ? [] : [{ user, place }]));
    added.sort((a, b) => a.place - b.place);
    return [...stored.list.filter((user) => !own.has(user)), ...added.map(({ user }) => user)].slice(0, most);
  }

  /** @param place by which they are ordered; null: it is taken back */
  putReaction(room: string, seq: number, emoji: string, user: string, place: number | null): void {
    this.#set(reactionsBy(this.#loaded(room, seq), emoji), user, { place, dirty: true });
  }

  /** A message whose reactions have changed, and nothing else. */
  putReacted(message: StoredMessage, reacted: Reacted): void {
    const known = this.#loaded(message.room, message.seq);
    this.#set(this.#existing(message.room).messages, message.seq, {
      ...known,
      row: { ...known.row, message },
      reacted,
      state: known.state === 'new' ? 'new' : 'changed',
    });
  }

  /** A file that was uploaded into this room. */
  file(room: string, id: string): StoredFile | undefined {
    const known = this.files.get(id);
    if (known === undefined) throw new Missing({ what: 'file', id });
    if (known === null || (known.room !== room && known.room !== this.#existing(room).num)) return undefined;
    return this.dropped.has(id) ? { ...known.row, state: 'dropped' } : known.row;
  }

  insertFile(room: string, row: StoredFile): void {
    this.#set(this.files, row.id, { row, room: this.#existing(room).num ?? room, state: 'new' });
  }

  /** Its state has changed. */
  putFile(_room: string, row: StoredFile): void {
    const known = this.files.get(row.id) as LoadedFile;
    this.#set(this.files, row.id, { ...known, row, state: known.state === 'new' ? 'new' : 'changed' });
  }

  /**
   * Files to be deleted: those that are dropped, loose ones since before that time, and those of deleted rooms. `stored`:
   * the bytes that no other file shares.
   */
  doomedFiles(before: number, most: number): { ids: string[]; stored: string[] } {
    const changed = [...this.files.values()]
      .filter((file) => file !== null)
      .filter(({ state }) => state !== 'stored');
    const wanted = most + changed.length + this.forgotten.size;
    const { doomed, deleted } = this;
    const isLoaded = doomed?.before === before && doomed.most >= wanted && doomed.rooms === deleted.length;
    if (!isLoaded) throw new Missing({ what: 'doomedFiles', before, most: wanted });
    const isDoomed = (id: string) => {
      const file = this.files.get(id);
      if (this.forgotten.has(id)) return false;
      if (!file || file.state === 'stored' || this.dropped.has(id)) return true;
      const { row, room } = file;
      const hasRoom = typeof room === 'string' ? this.rooms.get(room) !== null : !deleted.includes(room);
      return !hasRoom || row.state === 'dropped' || (row.state === 'loose' && row.at < before);
    };
    const ids = [...doomed.ids, ...this.dropped, ...changed.map(({ row }) => row.id)];
    const chosen = [...new Set(ids)].filter(isDoomed).sort().slice(0, most);
    const stored = new Set(chosen.map((id) => doomed.stored.get(id) ?? this.files.get(id)?.row.stored ?? id));
    const going = new Set(chosen);
    const isShared = (bytes: string) =>
      (doomed.shared.get(bytes) ?? []).some((id) => !going.has(id)) ||
      changed.some(({ row }) => row.stored === bytes && row.state !== 'dropped' && !going.has(row.id));
    return { ids: chosen, stored: [...stored].filter((bytes) => !isShared(bytes)) };
  }

  /** It is dropped, whatever its room. */
  dropFile(id: string): void {
    this.#add(this.dropped, id);
  }

  forgetFile(id: string): void {
    this.#add(this.forgotten, id);
  }

  /** The erasure of this user that is under way. */
  erasureOf(user: string): Erasure | undefined {
    if (!this.erasures.has(user)) throw new Missing({ what: 'erasureOf', user });
    return this.erasures.get(user);
  }

  // A step of an erasure has a transaction of its own, so what the database says is as it is now.

  /** The next one. */
  openErasure(): Erasure | undefined {
    if (this.openedErasure === undefined) throw new Missing({ what: 'openErasure' });
    return this.openedErasure.erasure;
  }

  putErasure(erasure: Erasure): void {
    const row = erasureRow(erasure);
    this.#later((dialect) => dialect.upsert('chat_erasures', ['user_id'], erasureColumns, [row]));
    this.#set(this.erasures, erasure.user, erasure);
  }

  /** It is done: nothing of it stays. */
  endErasure(user: string): void {
    this.#later(() => sql`DELETE FROM chat_erasures WHERE user_id = ${user}`);
    this.#later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user}`);
  }

  /** The next rows of its stage. Rows that are done are not found again. */
  erasable({ stage }: Erasure): ErasableList {
    return this.openedErasure?.lists?.get(stage) ?? { found: [] };
  }

  /** The number of the newest message of all. */
  newestMessage(): number {
    if (this.newest === undefined) throw new Missing({ what: 'newestMessage' });
    return this.newest;
  }

  /** The erasure has changed something in the room without a change for it: the stage `resets` makes one. */
  noteErased(user: string, id: string): void {
    const { num: room } = this.#existing(id);
    if (room === undefined) return;
    this.#later((dialect) => dialect.insertNew('chat_erased_rooms', ['user_id', 'room'], [[user, room]]));
  }

  /** The reset of the room is made. */
  settleErased(user: string, id: string): void {
    const { num: room } = this.#existing(id);
    if (room === undefined) return;
    this.#later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user} AND room = ${room}`);
  }

  /** The stored data of a user in a room. */
  deleteMember(id: string, user: string): void {
    const room = this.#existing(id);
    // Whether mentions go on to show the name depends on it.
    this.user(user);
    this.#set(room.members, user, null);
    const { num } = room;
    if (num === undefined) return;
    this.#later(() => sql`DELETE FROM chat_members WHERE room = ${num} AND user_id = ${user}`);
  }

  /** The user, and the keys by which the user is found. */
  deleteUser(id: string): void {
    this.#set(this.users, id, { row: undefined, before: undefined });
    this.#later(() => sql`DELETE FROM chat_users WHERE id = ${id}`);
    this.#later(() => sql`DELETE FROM chat_user_keys WHERE user_id = ${id}`);
    // Somebody may have been added by that id since the memberships went.
    const sort = storedMemberKey({ id, name: id }, true);
    this.#later(() => sql`UPDATE chat_members SET sort = ${sort} WHERE user_id = ${id}`);
  }

  /** It is dropped, and nobody's. */
  eraseFile(id: string): void {
    this.#later(
      () =>
        sql`UPDATE chat_files SET state = ${fileStates.dropped}, user_id = '', about = '{}' WHERE id = ${id}`,
    );
  }

  /** Removes the user's name and words from that entry of the log: see `withoutWords`. */
  eraseInLog(user: string, entry: string): void {
    const text = this.entries.get(Number(entry));
    if (text === undefined) return;
    const changes = withoutWords(text, user);
    this.#later(() => sql`UPDATE chat_changes SET changes = ${changes} WHERE num = ${Number(entry)}`);
    // Consumers that are not done with the entry may have read it: they read it again.
    this.#later(
      () =>
        sql`UPDATE chat_consumers SET holder = '', held_until = 0
            WHERE position < ${Number(entry)} AND id <> ${erasureConsumer}`,
    );
  }

  insertActs(acts: readonly Act[]): void {
    if (acts.length > 0) this.#later((dialect) => dialect.insert('chat_audit', actColumns, acts.map(actRow)));
  }

  forgetActs(before: number): void {
    this.#later(() => sql`DELETE FROM chat_audit WHERE at < ${before}`);
  }

  forgetDays(before: number): void {
    this.#later(() => sql`DELETE FROM chat_days WHERE day < ${before}`);
  }

  forgetHere(before: number): void {
    this.#later(() => sql`DELETE FROM chat_last_here WHERE at < ${before} AND hidden IS NULL`);
  }

  forgetDevices(before: number): void {
    this.#later(() => sql`DELETE FROM chat_devices WHERE since < ${before}`);
  }

  forgetInvites(before: number): void {
    this.#later(() => sql`DELETE FROM chat_invites WHERE until < ${before}`);
  }

  /** The act of this number names the user no more, and gives no reason. */
  eraseAct(user: string, act: string): void {
    const erased = (column: 'by_id' | 'user_id') =>
      sql`${raw(column)} = CASE WHEN ${raw(column)} = ${user} THEN ${deletedUser.id} ELSE ${raw(column)} END`;
    this.#later(
      () =>
        sql`UPDATE chat_audit SET ${erased('by_id')}, ${erased('user_id')}, reason = NULL WHERE num = ${Number(act)}`,
    );
  }

  // This has a transaction of its own, and so has the consumer.
  dueRows<Of extends object>(
    table: Table<Of>,
    at: number,
    most: number,
  ): { rows: readonly Of[]; next?: number } {
    const known = this.due.get(table);
    if (known?.at !== at || known.most !== most) throw new Missing({ what: 'due', table, at, most });
    return known as unknown as { rows: readonly Of[]; next?: number };
  }

  /** Something concerns these users. Rows that are there stay, and those that a server looks at are looked at again. */
  noteDue(users: readonly string[], due: number): void {
    this.#noteDue(
      'chat_due',
      ['user_id'],
      users.map((user) => [user]),
      due,
    );
  }

  /** The same for pushes; those that have ended, or wait for devices, are due as new ones. */
  notePushes(pushes: readonly PushPlace[], due: number): void {
    this.#noteDue(
      'chat_pushes',
      ['user_id', 'room_id'],
      pushes.map(({ user, room }) => [user, room]),
      due,
      {
        set: sql`due = CASE WHEN claimed = 1 THEN due ELSE ${due} END, again = claimed, done = NULL`,
        where: sql`(claimed = 1 OR done IS NOT NULL)`,
      },
    );
  }

  /** Whatever waits for its time to notify this user is looked at now, and again if a server looks at it at the moment. */
  lookAgain(user: string): void {
    for (const table of ['chat_due', 'chat_pushes']) {
      this.#later(
        () =>
          sql`UPDATE ${raw(table)}
              SET due = CASE WHEN claimed = 1 OR due IS NULL THEN due ELSE 0 END, again = claimed
              WHERE user_id = ${user}`,
      );
    }
  }

  #noteDue(
    table: string,
    key: Columns,
    keys: readonly (readonly Value[])[],
    due: number,
    { set, where } = { set: sql`again = 1`, where: sql`claimed = 1` },
  ): void {
    if (keys.length === 0) return;
    this.#later(
      (dialect) => sql`UPDATE ${raw(table)} SET ${set} WHERE ${where} AND ${dialect.each(key, keys)}`,
    );
    this.#later((dialect) =>
      dialect.insertNew(
        table,
        [...key, 'due'],
        keys.map((row) => [...row, due]),
      ),
    );
  }

  /** The members of these rooms are to be looked through: at once, or `pause` ms after they last were. */
  noteDueRooms(
    rooms: readonly string[],
    { everyone, due, pause }: { everyone: boolean; due: number; pause: number },
  ) {
    if (rooms.length === 0) return;
    const ids = rooms.map((room) => [room]);
    const update = (set: Sql, where: Sql) =>
      this.#later(
        (dialect) =>
          sql`UPDATE chat_due_rooms SET ${set} WHERE ${dialect.each(['room_id'], ids)} AND ${where}`,
      );
    if (everyone) update(sql`everyone = 1`, sql`everyone IS NULL`);
    update(sql`again = 1`, sql`claimed = 1`);
    // A time of the far future is one of before the clock was set back.
    update(
      sql`due = done + ${pause}`,
      sql`due IS NULL AND done + ${pause} > ${due} AND done <= ${due + pause}`,
    );
    update(sql`due = ${due}`, sql`(due IS NULL OR due > ${due + 2 * pause}) AND claimed IS NULL`);
    this.#later((dialect) =>
      dialect.insertNew(
        'chat_due_rooms',
        ['room_id', 'due', 'everyone'],
        rooms.map((room) => [room, due, everyone ? 1 : null]),
      ),
    );
  }

  noteSending(user: string): void {
    this.#later(() => sql`UPDATE chat_due SET sending = 1 WHERE user_id = ${user}`);
  }

  notePushing({ user, room }: PushPlace, pushed: Pushed): void {
    this.#later(
      () =>
        sql`UPDATE chat_pushes SET sending = 1, pushed = ${JSON.stringify(pushed)}
            WHERE user_id = ${user} AND room_id = ${room}`,
    );
  }

  /**
   * A server has looked at the user, whom it has until then. If there was more, it looks again now; only a mail that could not be
   * sent waits for its next try.
   * @param again when to look again; absent if nothing is left
   */
  settleDue(user: string, until: number, at: number, again?: number): void {
    const where = sql`user_id = ${user} AND due = ${until}`;
    if (again === undefined) this.#later(() => sql`DELETE FROM chat_due WHERE ${where} AND again IS NULL`);
    this.#later(
      () =>
        sql`UPDATE chat_due
            SET due = coalesce(CASE WHEN sending IS NULL THEN again * ${at} END, ${again ?? at}),
                claimed = NULL, again = NULL, sending = NULL
            WHERE ${where}`,
    );
  }

  /** A server has looked at a push, which it has until then. */
  settlePush({ user, room, pushed, due, yields }: SettledPush, until: number, at: number): void {
    const where = sql`user_id = ${user} AND room_id = ${room} AND due = ${until}`;
    const isOver = due === undefined;
    if (isOver && pushed === undefined) {
      this.#later(() => sql`DELETE FROM chat_pushes WHERE ${where} AND again IS NULL`);
    }
    const done = isOver || yields === true ? at : null;
    const stored = pushed === undefined ? null : JSON.stringify(pushed);
    // If there was more, `again` is 1, else NULL. MariaDB goes from one column to the next: it is read before it is set.
    this.#later(
      () =>
        sql`UPDATE chat_pushes
            SET due = coalesce(again * ${at}, ${due ?? null}), done = ${done}, pushed = ${stored},
                claimed = NULL, again = NULL, sending = NULL
            WHERE ${where}`,
    );
  }

  /** Forgets the messages that were pushed before that time. */
  forgetPushes(before: number): void {
    this.#later(() => sql`DELETE FROM chat_pushes WHERE done < ${before} AND due IS NULL`);
  }

  /** A server has looked through the members of a room. @param next when to do so again if there was more */
  settleDueRoom(room: string, at: number, next: number): void {
    const update = (set: Sql, where = sql``) =>
      this.#later(() => sql`UPDATE chat_due_rooms SET ${set} WHERE room_id = ${room} ${where}`);
    update(sql`due = NULL, everyone = NULL`, sql`AND again IS NULL`);
    update(sql`due = ${next}`, sql`AND again = 1`);
    update(sql`done = ${at}, claimed = NULL, again = NULL`);
  }

  forgetMailStops(before: number): void {
    this.#later(() => sql`DELETE FROM chat_mail_stops WHERE at < ${before}`);
  }

  forgetActive(before: number): void {
    this.#later(() => sql`DELETE FROM chat_active WHERE at < ${before}`);
  }

  eventCounts(): ReadonlyMap<EventType | 'failed', number> {
    if (this.countedEvents === undefined) throw new Missing({ what: 'eventCounts' });
    return this.countedEvents;
  }

  /** Not by `put`: the event goes with a user who is erased meanwhile. */
  postpone({ id, due = null }: { id: string; due?: number | null }): void {
    this.#later(() => sql`UPDATE chat_webhooks SET due = ${due} WHERE id = ${id}`);
  }

  /** Of events of the same time more may stay, or fewer. */
  keepNewestEvents(type: EventType, most: number): void {
    const newest = sql`SELECT at FROM chat_webhooks WHERE type = ${type} ORDER BY at DESC LIMIT 1 OFFSET ${most}`;
    this.#later(
      () =>
        sql`DELETE FROM chat_webhooks WHERE type = ${type} AND at <= (SELECT at FROM (${newest}) AS newest)`,
    );
  }

  retryEvents(at: number): void {
    this.#later(() => sql`UPDATE chat_webhooks SET due = ${at}, tries = 0 WHERE due IS NULL`);
  }

  /** A consumer of the log of changes, which begins when it is asked for the first time, and its next entries. */
  consumer(input: Writes['consume']['in']): LoadedConsumer {
    if (this.consuming?.name !== input.name) throw new Missing({ what: 'consumer', input });
    return this.consuming.loaded;
  }

  putConsumer({
    name,
    types,
    position,
    holder,
    heldUntil,
  }: Pick<Writes['consume']['in'], 'name' | 'types'> &
    Pick<LoadedConsumer, 'position' | 'holder' | 'heldUntil'>): void {
    const row = [name, bitsOf(types), position, holder, heldUntil];
    this.#later((dialect) => dialect.upsert('chat_consumers', ['id'], consumerColumns, [row]));
  }

  keepConsumers(names: readonly string[]): void {
    this.#later((dialect) => {
      const kept = dialect.among(
        ['id'],
        names.map((name) => [name]),
      );
      return sql`DELETE FROM chat_consumers WHERE held_until < ${dialect.now} - ${forgottenAfter} AND NOT (${kept})`;
    });
  }

  /** The message has another author now: its digest, by which a repeat is recognised, is dropped. */
  eraseMessage(message: StoredMessage, before: StoredMessage): void {
    this.updateMessage(message, before);
    const { messages } = this.#existing(message.room);
    const known = messages.get(message.seq) as LoadedMessage;
    this.#set(messages, message.seq, { ...known, row: { message, digest: '' }, erased: true });
  }

  /** The keys under which `formerRooms` may have a deleted room of that id. */
  formerKeys(id: string): [own: { digest: string }, lost: { digest: string }] {
    return [{ digest: this.digest(`room ${id}`) }, { digest: '' }];
  }

  /** The keyed digest of what is sent. */
  digest(said: string): string {
    return createHmac('sha256', this.#digestKey).update(said).digest('hex');
  }

  #room(id: string): LoadedRoom | null {
    const known = this.rooms.get(id);
    if (known === undefined) throw new Missing({ what: 'room', id });
    return known;
  }

  #existing(id: string): LoadedRoom {
    const room = this.#room(id);
    if (room === null) throw new Error(`the rule puts something into the room ${id}, which does not exist`);
    return room;
  }

  /** The room of the database, or one that this transaction has made or changed, for which this holds. */
  #found(stored: string | null, holds: (room: LoadedRoom) => boolean): LoadedRoom | undefined {
    for (const room of this.rooms.values()) if (room !== null && holds(room)) return room;
    if (stored === null) return undefined;
    // A loaded room was examined above.
    this.#room(stored);
    return undefined;
  }

  #member(room: LoadedRoom, user: string): LoadedMember | null {
    const known = room.members.get(user);
    if (known !== undefined) return known;
    if (room.num !== undefined) throw new Missing({ what: 'member', room: room.row.id, user });
    return null;
  }

  #message(room: LoadedRoom, seq: number, need: Need): LoadedMessage | null {
    const known = room.messages.get(seq);
    if (known !== undefined) return known;
    if (room.num !== undefined) throw new Missing(need);
    return null;
  }

  #messageOf(room: LoadedRoom, known: LoadedMessage | null): StoredMessage | undefined {
    if (known === null) return undefined;
    return withNames(
      known.row.message,
      (id) => {
        const user = this.users.get(id);
        return user === undefined ? undefined : (user.row ?? null);
      },
      (id) => {
        const member = room.members.get(id);
        return member === null ? null : member?.row;
      },
    );
  }

  /** A message that the rule has asked for. */
  #loaded(room: string, seq: number): LoadedMessage {
    return this.#existing(room).messages.get(seq) as LoadedMessage;
  }

  #later(statement: (dialect: Dialect) => Sql): void {
    this.#change(() => this.more.pop());
    this.more.push(statement);
  }

  #add(set: Set<string>, id: string): void {
    if (set.has(id)) return;
    this.#change(() => set.delete(id));
    set.add(id);
  }

  #set<Key, Entry>(map: Map<Key, Entry>, key: Key, entry: Entry): void {
    const had = map.has(key);
    const before = map.get(key) as Entry;
    this.#change(() => {
      if (had) map.set(key, before);
      else map.delete(key);
    });
    map.set(key, entry);
  }

  #change(undo: () => void): void {
    if (this.#probing) throw wouldChange;
    this.#undo.push(undo);
  }
}

/** As a thread counts it; undefined if no thread does. */
function replyOf({ row: { message } }: LoadedMessage): LoadedReply | undefined {
  const { seq, thread, user, sentAt, deletedAt } = message;
  return thread === undefined || deletedAt !== undefined
    ? undefined
    : { seq, thread, user: user.id, at: sentAt };
}

/** The known reactions of a message with this emoji, to add to them. */
export function reactionsBy({ reactions }: LoadedMessage, emoji: string) {
  const known = reactions.get(emoji);
  if (known !== undefined) return known;
  const users = new Map<string, { place: number | null; dirty: boolean }>();
  reactions.set(emoji, users);
  return users;
}

/** Moderators first, then by the time since when they are members. */
function compareHeirs(a: Heir, b: Heir): number {
  if (a.moderator !== b.moderator) return a.moderator ? -1 : 1;
  return a.since - b.since || compareBytes(a.user, b.user);
}

/** As the databases sort ids. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
