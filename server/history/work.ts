import type { ErasableList, Erasure } from './erasure.ts';
import type {
  Act,
  Ban,
  Change,
  LoggedEntry,
  MemberRecord,
  StoredFile,
  StoredMessage,
  StoredReport,
  UserRecord,
  Writes,
} from './history.ts';
import type { MessageRow, Reacted, RoomRow } from './rows.ts';

/** A consumer of the log of changes: it is done with the entries up to `position`. */
interface Consumer {
  position: number;
  holder: string;
  /** By the clock of the database. */
  heldUntil: number;
}

/**
 * The data that a transaction has read and is going to write. A database implements it; the rules use nothing else.
 * Later operations of the same transaction see its changes.
 */
export interface Work {
  room(id: string): RoomRow | undefined;
  /** The newest message of a room. */
  lastMessage(room: string): StoredMessage | undefined;
  /** The public room of that name, without regard to case. */
  publicRoomNamed(key: string): string | undefined;
  roomOfPair(pair: readonly [string, string]): RoomRow | undefined;
  roomMadeBy(user: string, clientId: string): RoomRow | undefined;
  countRoomsMadeBy(user: string): number;
  putRoom(room: RoomRow): void;
  deleteRoom(id: string): void;
  /** Private rooms without members since before that time. */
  emptyRooms(before: number, most: number): RoomRow[];

  member(room: string, user: string): MemberRecord | undefined;
  /** Whether the user is a member or has ever been one: what is laid on somebody is kept of others, too. */
  hasBeenMember(room: string, user: string): boolean;
  /** The user who takes over from `except`: the longest-standing moderator, otherwise the longest-standing member. */
  successor(room: string, except: string): string | undefined;
  owner(room: string): string | undefined;
  /** The rooms of which the user is a member because of the session, or would be without a ban. */
  sessionRooms(user: string): string[];
  report(id: string): StoredReport | undefined;
  /** The user's report of this message. */
  reportOf(room: string, seq: number, user: string): StoredReport | undefined;
  /** How many are open of messages from `from` on. */
  openReports(room: string, from: number): number;
  putReport(report: StoredReport): void;
  /** The users with a restriction that has ended by that time, in rooms that exist. */
  endedRestrictions(before: number, most: number): { room: string; user: string }[];
  /** @param since when this membership began, in milliseconds since 1970, where it begins now */
  putMember(room: string, user: string, member: MemberRecord, since?: number): void;

  user(id: string): UserRecord | undefined;
  putUser(user: UserRecord): void;
  putBan(user: string, ban: Ban | null): void;
  /** Whether this user has blocked the other one. */
  hasBlocked(user: string, other: string): boolean;
  countBlocked(user: string): number;
  /** @param since when, in milliseconds since 1970; null: not any more */
  putBlocked(user: string, other: string, since: number | null): void;

  message(room: string, seq: number): StoredMessage | undefined;
  messageByClientId(room: string, user: string, clientId: string): MessageRow | undefined;
  insertMessage(row: MessageRow): void;
  /** The state of a message's reactions; undefined if it never had any. */
  reacted(room: string, seq: number): Reacted | undefined;
  hasReaction(room: string, seq: number, emoji: string, user: string): boolean;
  /** The first users who have reacted so, by time. */
  reactors(room: string, seq: number, emoji: string, most: number): string[];
  /** @param place by which they are ordered; null: it is taken back */
  putReaction(room: string, seq: number, emoji: string, user: string, place: number | null): void;
  /** A message whose reactions have changed, and nothing else. */
  putReacted(message: StoredMessage, reacted: Reacted): void;
  /** @param before as it was: its text is in the index for searching. The reactions of one that is deleted go with it. */
  updateMessage(message: StoredMessage, before: StoredMessage): void;
  /** A file that was uploaded into this room. */
  file(room: string, id: string): StoredFile | undefined;
  insertFile(room: string, file: StoredFile): void;
  /** Its state has changed. */
  putFile(room: string, file: StoredFile): void;
  /** Files to be deleted: those that are dropped, loose ones since before that time, and those of deleted rooms. */
  doomedFiles(before: number, most: number): string[];
  /** It is dropped, whatever its room. */
  dropFile(id: string): void;
  forgetFile(id: string): void;
  /** The erasure of this user that is under way. */
  erasureOf(user: string): Erasure | undefined;
  /** The next one. */
  openErasure(): Erasure | undefined;
  putErasure(erasure: Erasure): void;
  /** It is done: nothing of it stays. */
  endErasure(user: string): void;
  /** The next rows of its stage. Rows that are done are not found again. */
  erasable(erasure: Erasure): ErasableList;
  /** The number of the newest message of all. */
  newestMessage(): number;
  /** Something has changed in the room that no change has told. */
  noteErased(user: string, room: string): void;
  /** It is told. */
  toldErased(user: string, room: string): void;
  /** The stored data of a user in a room. */
  deleteMember(room: string, user: string): void;
  /** The user, and the keys by which the user is found. */
  deleteUser(id: string): void;
  deleteReport(report: StoredReport): void;
  /** It is dropped, and nobody's. */
  eraseFile(id: string): void;
  /** Removes the user's name and words from notifications between servers in that entry. */
  eraseInJournal(user: string, entry: string): void;
  /** A message that has another author now: no repeat is told by what was first sent. */
  eraseMessage(message: StoredMessage, before: StoredMessage): void;
  /** A consumer of the log of changes, which begins when it is asked for the first time, and its next entries. */
  consumer(
    input: Writes['consume']['in'],
  ): Consumer & { at: number; entries: LoggedEntry[]; skipped: number; upTo: number };
  putConsumer(consumer: Consumer & Pick<Writes['consume']['in'], 'name' | 'types'>): void;
  insertActs(acts: readonly Act[]): void;
  forgetActs(before: number): void;
  /** The act of this number names the user no more, and gives no reason. */
  eraseAct(user: string, act: string): void;
  /** The keyed digest of what is sent. */
  digest(said: string): string;
}

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
  | { what: 'file'; id: string }
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
  | { what: 'blocked'; user: string; other: string }
  | { what: 'countBlocked'; user: string }
  | { what: 'report'; room: string; id: string }
  | { what: 'reportOf'; room: string; seq: number; user: string }
  | { what: 'openReports'; room: string; from: number }
  | { what: 'entry'; num: number }
  /** Locks the erasure: no step of it is taken meanwhile. */
  | { what: 'erasureOf'; user: string }
  /** The same without the lock, which steps would not wait for. */
  | { what: 'erasing'; user: string }
  | { what: 'openErasure' }
  | { what: 'newestMessage' }
  /** Locks the consumer. */
  | { what: 'consumer'; input: Writes['consume']['in'] };

/** A rule checks everything before it changes anything, so that a rule that throws has changed nothing. */
export interface Rule<Op extends keyof Writes> {
  /**
   * The data that the rule needs, as far as its input says, so that a transaction loads it for all of its operations at
   * once. Data that is missing here is still found, at the cost of a statement and another run of the rule.
   */
  needs(input: Writes[Op]['in']): Need[];
  run(work: Work, input: Writes[Op]['in'], changes: Change[]): Writes[Op]['out'];
}

/** The methods that return nothing change something. The compiler demands that each of these is named. */
type Writing = { [Name in keyof Work]: ReturnType<Work[Name]> extends void ? Name : never }[keyof Work];
const writing: Record<Writing, true> = {
  putRoom: true,
  deleteRoom: true,
  putMember: true,
  putUser: true,
  putBan: true,
  putBlocked: true,
  putReport: true,
  insertMessage: true,
  putReaction: true,
  putReacted: true,
  updateMessage: true,
  insertFile: true,
  putFile: true,
  dropFile: true,
  forgetFile: true,
  putErasure: true,
  endErasure: true,
  noteErased: true,
  toldErased: true,
  deleteMember: true,
  deleteUser: true,
  deleteReport: true,
  eraseFile: true,
  eraseMessage: true,
  eraseInJournal: true,
  putConsumer: true,
  insertActs: true,
  forgetActs: true,
  eraseAct: true,
};

const reached = new Error('the write would change something');

/** Carries a rule out up to its first change. See `History.probe`. */
export function probe(work: Work, rule: (work: Work) => unknown): { value: unknown } | null {
  const readOnly = new Proxy(work, {
    get(target, name) {
      if (name in writing) {
        return () => {
          throw reached;
        };
      }
      const member = target[name as keyof Work];
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  try {
    return { value: rule(readOnly) };
  } catch (error) {
    if (error === reached) return null;
    throw error;
  }
}
