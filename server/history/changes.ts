import type { MessageReacted, User } from '../wire/events.ts';
import type { MemberRecord, Restriction, RestrictionKind, Source } from './members/member.ts';
import type { StoredMessage, ThreadPlace } from './messages/message.ts';
import type { Act, Ban, HeldChange } from './moderation/records.ts';
import type { UserRecord } from './people/user.ts';
import type { RoomRecord } from './rooms/room.ts';

/**
 * The changes of a write. All changes are handed out in the order of the commits, before the write that made them
 * resolves; a listener's copy is therefore current when the write resolves. `asker`: see `History.write`.
 */
export type Change = {
  asker?: string;
} & (
  | {
      type: 'message';
      is: 'new' | 'changed';
      message: StoredMessage;
      /** Only these reactions have changed. A server that reads the change from the database later does not get it. */
      reacted?: MessageReacted['changes'];
    }
  /**
   * These users are mentioned by a message, or not any more. A server that reads it later gets the message as it is
   * then.
   */
  | { type: 'mentions'; message: StoredMessage; added: readonly string[]; removed: readonly string[] }
  /**
   * A reply concerns these users, because they follow its thread: it is new, concerns them still when it mentions them
   * no more (`again`), or is deleted.
   */
  | { type: 'concerned'; message: StoredMessage; users: readonly string[]; is: 'new' | 'again' | 'deleted' }
  | ({ type: 'followed'; user: string; following: boolean } & ThreadPlace)
  /** Created, renamed, or with another number of members. */
  | { type: 'room'; is: 'new' | 'changed' | 'deleted'; room: RoomRecord }
  | {
      type: 'member';
      room: RoomRecord;
      user: User & Partial<Pick<UserRecord, 'actedPublic'>>;
      before: MemberRecord | null;
      now: MemberRecord;
      by: Source;
      cause: 'left' | 'removed' | 'banned' | 'other';
    }
  | { type: 'blocked'; user: string; other: string; blocked: boolean }
  /** A report of a message of that room is new, or closed. */
  | { type: 'report'; room: RoomRecord; id: string; closed: boolean }
  /**
   * A message of that author waits for a moderator, or does so no more. `discarded`: by its author, or it is kept no
   * longer. `by`: who has decided.
   */
  | { type: 'held'; room: string; id: string; user: string; is: HeldChange; by?: string }
  /** A message of that room was pinned, or is not pinned any more. */
  | { type: 'pin'; room: RoomRecord; seq: number }
  /** It has begun, changed or (null) ended. If a ban changes a membership, another change follows it. */
  | { type: 'restricted'; room: RoomRecord; user: string; kind: RestrictionKind; now: Restriction | null }
  /**
   * `seenSeq`: as in `MemberRecord`. `again`: the other one of a direct room knows that already. `unread`: the mark was
   * moved back; the mentions behind it, with their authors.
   */
  | {
      type: 'read';
      room: string;
      user: string;
      readSeq: number;
      seenSeq?: number;
      again?: true;
      unread?: readonly (readonly [seq: number, author: string])[];
    }
  | { type: 'user'; user: UserRecord }
  | { type: 'ban'; user: string; ban: Ban | null }
  /** Much of the room has changed, and no other change says what. */
  | { type: 'reset'; room: RoomRecord }
  /** Nobody is known by that id any more. */
  | { type: 'erased'; user: string }
  /** The changes beside it are an act of moderation. */
  | { type: 'act'; act: Omit<Act, 'at'> }
  /** The erasure of a user was asked for. */
  | { type: 'erasing' }
  /** A notification of a server to all servers. */
  | { type: 'broadcast'; from: string; what: object }
);

/** The types of changes, each with the bit that stands for it in the log of changes. A bit keeps its meaning for ever. */
export const changeBits = {
  message: 1 << 0,
  mentions: 1 << 1,
  room: 1 << 2,
  member: 1 << 3,
  blocked: 1 << 4,
  report: 1 << 5,
  restricted: 1 << 6,
  read: 1 << 7,
  user: 1 << 8,
  ban: 1 << 9,
  reset: 1 << 10,
  erased: 1 << 11,
  broadcast: 1 << 12,
  act: 1 << 13,
  erasing: 1 << 14,
  pin: 1 << 15,
  concerned: 1 << 16,
  followed: 1 << 17,
  held: 1 << 18,
} as const satisfies Record<Change['type'], number>;

/** A message without its text, which may be deleted while the log still has the change. */
export interface MessagePlace {
  room: string;
  seq: number;
  rev: number;
  /** That of the message: another one has the place in a room that is made again under the id of a deleted one. */
  id: string;
}

/** A change as the log has it. */
export type LoggedChange =
  | Exclude<Change, { type: 'message' | 'mentions' | 'concerned' }>
  | (Omit<Change & { type: 'mentions' }, 'message'> & { message: MessagePlace })
  | (Omit<Change & { type: 'concerned' }, 'message'> & { message: MessagePlace })
  | { type: 'message'; is: 'new' | 'changed'; message: MessagePlace };

/** The changes of a transaction, as far as the log has them. `num` rises in the order of the commits. */
export interface LoggedEntry {
  num: number;
  /** Milliseconds since 1970, by the clock of the database. */
  at: number;
  changes: LoggedChange[];
}
