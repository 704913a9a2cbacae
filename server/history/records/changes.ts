import type { RequestErrorCode } from '../../wire/errors.ts';
import type { MessageReacted, User } from '../../wire/events.ts';
import type { MemberRecord, Restriction, RestrictionKind, Source } from './member.ts';
import type { StoredMessage, ThreadRef } from './message.ts';
import type { Act, Ban, PendingChange } from './moderation.ts';
import type { RoomRecord } from './room.ts';
import type { UserRecord } from './user.ts';

/**
 * A change of the history. Changes are dispatched in commit order, before the write that made them resolves. A copy
 * that a listener keeps is therefore current when the write resolves. `asker`: see `History.write`.
 */
export type Change = {
  asker?: string;
} & (
  | {
      type: 'message';
      is: 'new' | 'changed';
      message: StoredMessage;
      /** Set if only these reactions changed. Absent on a server that reads the change from the log. */
      reacted?: MessageReacted['changes'];
    }
  /**
   * A message mentions `added`, and no longer mentions `removed`. A server that reads the change from the log gets the
   * current message.
   */
  | { type: 'mentions'; message: StoredMessage; added: readonly string[]; removed: readonly string[] }
  /**
   * These users are notification targets of a reply, because they follow its thread. `again`: the reply no longer
   * mentions them, but they remain targets.
   */
  | { type: 'concerned'; message: StoredMessage; users: readonly string[]; is: 'new' | 'again' | 'deleted' }
  | ({ type: 'followed'; user: string; following: boolean } & ThreadRef)
  /** A room was created, changed or deleted. New members are announced by `member` only. */
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
  /** A message of the room was reported, or a report was closed. */
  | { type: 'report'; room: RoomRecord; id: string; closed: boolean }
  /**
   * A message of this author became pending approval (`held`), or was decided. `discarded`: removed by its
   * author or an erasure, with the edited message, or after its retention time. `by`: the moderator.
   */
  | { type: 'held'; room: string; id: string; user: string; is: PendingChange; by?: string }
  /** A scheduled message of the user, or with `seq` a reminder, changed. `code`: why it could not be sent. */
  | {
      type: 'later';
      room: string;
      id: string;
      user: string;
      is: 'scheduled' | 'edited' | 'sent' | 'failed' | 'due' | 'discarded';
      seq?: number;
      code?: RequestErrorCode;
    }
  /**
   * A question was opened, also again, or closed, or changed in another way, or the note with the ID `note` was written
   * or deleted.
   */
  | { type: 'question'; is: 'opened' | 'closed' | 'changed' | 'noted'; room: RoomRecord; note?: string }
  /** A message of the room was pinned or unpinned. */
  | { type: 'pin'; room: RoomRecord; seq: number }
  /** A mute or ban started, changed or (null) ended. If a ban changes a membership, a `member` change follows. */
  | { type: 'restricted'; room: RoomRecord; user: string; kind: RestrictionKind; now: Restriction | null }
  /**
   * A read marker was moved. `seenSeq`: as in `MemberRecord`. `again`: these messages were read before, so other users
   * already know. `ownUnread`: as in `MemberRecord`, set if it has a new message. `unread`: set if the marker was moved
   * back; the mentions after it, with their authors.
   */
  | {
      type: 'read';
      room: string;
      user: string;
      readSeq: number;
      seenSeq?: number;
      again?: true;
      ownUnread?: readonly number[];
      unread?: readonly (readonly [seq: number, author: string])[];
    }
  | { type: 'user'; user: UserRecord }
  | { type: 'ban'; user: string; ban: Ban | null }
  /** The site ended a login by ticket: see `StoredEndedLogin`. */
  | { type: 'login_ended'; id: string; until: number }
  /** The room changed in ways that no other change describes, so it must be read again. */
  | { type: 'reset'; room: RoomRecord }
  /** A user was erased. Nothing is stored under this ID until a new user uses it. */
  | { type: 'erased'; user: string }
  /** The audit entry of a moderator's action, which is stored with the changes of that action. */
  | { type: 'act'; act: Omit<Act, 'at'> }
  /** The erasure of a user was requested. */
  | { type: 'erasing' }
  /** A node message of a server to all servers. */
  | { type: 'broadcast'; from: string; what: object }
);

/**
 * The bit of each change type in the change log. Never reuse the bit of a removed type, because stored entries contain
 * it.
 */
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
  login_ended: 1 << 19,
  later: 1 << 20,
  question: 1 << 21,
} as const satisfies Record<Change['type'], number>;

/** A reference to a message. The log omits the text, which may be deleted while the log still has the change. */
export interface LoggedMessageRef {
  room: string;
  seq: number;
  rev: number;
  /** The message ID. If a room is created again under the ID of a deleted room, another message gets the same `seq`. */
  id: string;
}

/** A change as stored in the log. */
export type LoggedChange =
  | Exclude<Change, { type: 'message' | 'mentions' | 'concerned' }>
  | (Omit<Change & { type: 'mentions' }, 'message'> & { message: LoggedMessageRef })
  | (Omit<Change & { type: 'concerned' }, 'message'> & { message: LoggedMessageRef })
  | { type: 'message'; is: 'new' | 'changed'; message: LoggedMessageRef };

/** The logged changes of a transaction. `num` rises in commit order. */
export interface LoggedEntry {
  num: number;
  /** Unix ms, by the clock of the database. */
  at: number;
  changes: LoggedChange[];
}
