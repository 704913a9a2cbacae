import type { Change } from './changes.ts';
import type { Reads, Writes } from './subjects.ts';

export { type Change, changeBits, type LoggedChange, type LoggedEntry } from './changes.ts';

export type { ConsumedRows } from './consuming.ts';

export { leaseTime } from './engine/change-log.ts';

export { maxPageBytes } from './engine/read.ts';

export { type ErasedMessages, erasureConsumer } from './erasure/erasure.ts';

export { isReserved, type StoredFile } from './files/file.ts';

export { mostInvites, mostInvitesOfRoom, opens, type StoredInvite } from './invites.ts';

export {
  acted,
  chosenNotify,
  hasSamePreferences,
  isBanned,
  isMember,
  isNamed,
  leftOf,
  type MemberRecord,
  notifyOf,
  quietForMs,
  type Restriction,
  type RestrictionKind,
  restrictionKinds,
  sources,
} from './members/member.ts';

export type { MemberPlace } from './members/members.ts';

export type { Membership, Partner } from './members/memberships.ts';

export { mostUnreadMentions, type UnreadMentions } from './members/reading.ts';

export {
  everybody,
  type NewMention,
  type NewMessage,
  type Page,
  type StoredMessage,
  sizeOf,
} from './messages/message.ts';
export { reactionLimitReason } from './messages/reactions.ts';

export type { Act, Ban } from './moderation/records.ts';

export type { StoredReport } from './moderation/reports.ts';

export {
  maxPendingOfUser,
  maxPendingWithLostRooms,
  type PendingMessage,
  pendingLimitReason,
} from './moderation/waiting.ts';

export { mostDevices, type StoredDevice, type StoredVapidKey } from './notifications/devices.ts';

export { type Concerned, lookThroughPause } from './notifications/due.ts';
export { mailStopsFor } from './notifications/mails.ts';
export type { StoredNotices } from './notifications/notices.ts';
export type { DuePush, Pushed, PushPlace, SettledPush } from './notifications/pushes.ts';

export type { ArrivalPlace } from './people/arrivals.ts';

export { mostBlocked } from './people/blocks.ts';

export { deletedUser, type UserRecord } from './people/user.ts';

export { dayOf } from './rooms/days.ts';

export {
  hasBegun,
  isReadable,
  isUserRoom,
  lastInRoom,
  otherOf,
  type RoomRecord,
  shownAfter,
  stateOf,
  wantsPreviews,
  withDeleted,
  withMessage,
} from './rooms/room.ts';

export type { KnownRooms } from './rooms/select.ts';

export type { SearchFilter } from './search.ts';

export type { ReadRegistry, Reads, Writes } from './subjects.ts';

export { mostNewReplies, namedAuthors, type StoredThread } from './threads/reads.ts';

export { mostFollowers } from './threads/threads.ts';

export type { NewEvent } from './webhook-turns.ts';
export { type EventType, eventTypes, type StoredEvent } from './webhooks.ts';

/** Creates the methods of `History.write`, `probe` or `read`. Each calls `pass` with its name and its arguments. */
export function methods<Methods extends object>(
  pass: (name: keyof Methods & string, input: never, asker?: string) => Promise<unknown>,
): Methods {
  return new Proxy({} as Record<string, unknown>, {
    get(made, name: string) {
      made[name] ??= (input: never, asker?: string) => pass(name as keyof Methods & string, input, asker);
      return made[name];
    },
  }) as Methods;
}

/** The storage of all rooms, members and messages. Every database passes test/contracts/history.ts. */
export interface History {
  /** `asker`: the ID of the requesting connection. The changes include it, so that this connection is not notified. */
  readonly write: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in'], asker?: string) => Promise<Writes[Op]['out']>;
  };
  /**
   * Returns the result of a write that would change nothing, such as a duplicate; null if it would change something.
   * Rejects as the write would, and has no effect.
   */
  readonly probe: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in']) => Promise<Writes[Op]['out'] | null>;
  };
  /**
   * Within `runFor`, accounts take turns with their reads: see `FairQueue`. A read that may wait only for some time
   * rejects after it with `WaitedTooLong`.
   *
   * A read resolves after the changes that its result may include, of any server, are dispatched. A listener's copy is
   * then at least as new as the result, so that it can decide which parts of the result a user may get.
   */
  readonly read: {
    readonly [Query in keyof Reads]: (input: Reads[Query]['in']) => Promise<Reads[Query]['out']>;
  };
  /**
   * Resolves when all changes stored before the call, by any server, are dispatched. Only for decisions that need no
   * read. Rejects if the database fails.
   */
  current(): Promise<void>;
  /** See `Change`. */
  onChange(listener: (change: Change) => void): void;
  /**
   * With several servers and a bus: sends a small node message to the others, which may be lost. Never waits or fails.
   */
  say?(what: object): void;
  /** With several servers: returns the digest of a text, with a key that only servers of this history have. */
  digest?(text: string): string;
  /** Finishes the queued operations, then closes. */
  close(): Promise<void>;
}
