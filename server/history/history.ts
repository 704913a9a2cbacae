import type { Change } from './changes.ts';
import type { LogWrites } from './consuming.ts';
import type { EndedLoginReads, EndedLoginWrites } from './ended-logins.ts';
import type { ReadsOf } from './engine/read.ts';
import type { ErasureWrites } from './erasure/erasing.ts';
import type { FileReads, FileWrites } from './files/files.ts';
import type { ImportWrites } from './imports.ts';
import type { InviteReads, InviteWrites } from './invites.ts';
import type { MemberReads, MemberWrites } from './members/members.ts';
import type { MembershipReads } from './members/memberships.ts';
import type { ReadingReads, ReadingWrites } from './members/reading.ts';
import type { ExpiryReads } from './messages/expiry.ts';
import type { MessageWrites } from './messages/messages.ts';
import type { MessageReads } from './messages/pages.ts';
import type { PreviewWrites } from './messages/previews.ts';
import type { ReactionReads, ReactionWrites } from './messages/reactions.ts';
import type { AboutPersonReads } from './moderation/about-person.ts';
import type { ActReads, ActWrites } from './moderation/acts.ts';
import type { BanReads, BanWrites } from './moderation/bans.ts';
import type { PendingReads, PendingWrites } from './moderation/held.ts';
import type { ReportReads, ReportWrites } from './moderation/reports.ts';
import type { RestrictionReads, RestrictionWrites } from './moderation/restrictions.ts';
import type { DeviceReads, DeviceWrites } from './notifications/devices.ts';
import type { DueWrites } from './notifications/due.ts';
import type { MailReads, MailWrites } from './notifications/mails.ts';
import type { NoticeReads, NoticeWrites } from './notifications/notices.ts';
import type { PushWrites } from './notifications/pushes.ts';
import type { ArrivalReads, ArrivalWrites } from './people/arrivals.ts';
import type { BlockReads, BlockWrites } from './people/blocks.ts';
import type { FindUsersReads } from './people/find-users.ts';
import type { LastHereReads, LastHereWrites } from './people/last-here.ts';
import type { UserReads } from './people/users.ts';
import type { PinReads, PinWrites } from './pins.ts';
import type { DayReads, DayWrites } from './rooms/days.ts';
import type { RoomReads, RoomWrites } from './rooms/rooms.ts';
import type { SearchReads } from './search.ts';
import type { ThreadReads } from './threads/reads.ts';
import type { ThreadWrites } from './threads/threads.ts';
import type { WebhookReads, WebhookWrites } from './webhooks.ts';

export { type Change, changeBits, type LoggedChange, type LoggedEntry } from './changes.ts';

export type { ConsumedRows } from './consuming.ts';

export { leaseTime } from './engine/change-log.ts';

export { maxPageBytes } from './engine/read.ts';

export { type ErasedMessages, erasureConsumer } from './erasure/erasure.ts';

export { isReserved, type StoredFile } from './files/file.ts';

export { mostInvites, mostInvitesOfRoom, opens, type StoredInvite } from './invites.ts';

export {
  acted,
  isBanned,
  isMember,
  isNamed,
  leftOf,
  type MemberRecord,
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

export type { Act, Ban } from './moderation/records.ts';

export type { StoredReport } from './moderation/reports.ts';

export { maxPendingInRoom, maxPendingOfUser, type PendingMessage } from './moderation/waiting.ts';

export { mostDevices, type StoredDevice, type StoredVapidKey } from './notifications/devices.ts';

export { type Concerned, lookThroughPause } from './notifications/due.ts';
export { mailStopsFor } from './notifications/mails.ts';
export type { StoredNotices } from './notifications/notices.ts';
export type { DuePush, Pushed, PushPlace, SettledPush } from './notifications/pushes.ts';

export type { ArrivalPlace } from './people/arrivals.ts';

export { mostBlocked } from './people/blocks.ts';

export { deletedUser, type UserRecord } from './people/user.ts';

export { dayOf } from './rooms/days.ts';

export { hasBegun, isUserRoom, otherOf, type RoomRecord, stateOf, wantsPreviews } from './rooms/room.ts';

export type { KnownRooms } from './rooms/select.ts';

export type { SearchFilter } from './search.ts';

export { mostNewReplies, namedAuthors, type StoredThread } from './threads/reads.ts';

export { mostFollowers } from './threads/threads.ts';

export { type EventType, eventTypes, type StoredEvent } from './webhooks.ts';

/**
 * The writes, with the input and the output of each operation. Operations that arrive together share a transaction
 * (group commit). A rejected operation throws a RequestError and has no effect. Its codes are listed with the
 * operation; `storage_full` and `storage_unavailable` are always possible.
 *
 * `actor`: the moderator who acts. Absent for the PHP application.
 * `decidedFor`: the state of the room in which the caller decided that the user may do this. If `access` changed since,
 * or another room has the ID, the result is `stale`, and the caller must decide again.
 */
export interface Writes
  extends ActWrites,
    ArrivalWrites,
    BanWrites,
    BlockWrites,
    DayWrites,
    DeviceWrites,
    DueWrites,
    EndedLoginWrites,
    ErasureWrites,
    FileWrites,
    PendingWrites,
    ImportWrites,
    InviteWrites,
    LastHereWrites,
    LogWrites,
    MailWrites,
    MemberWrites,
    MessageWrites,
    NoticeWrites,
    PinWrites,
    PreviewWrites,
    PushWrites,
    ReactionWrites,
    ReadingWrites,
    ReportWrites,
    RestrictionWrites,
    RoomWrites,
    ThreadWrites,
    WebhookWrites {}

/** The reads. A read sees all writes that resolved before it started. */
export interface Reads
  extends AboutPersonReads,
    ActReads,
    ArrivalReads,
    BanReads,
    BlockReads,
    DayReads,
    DeviceReads,
    EndedLoginReads,
    ExpiryReads,
    FileReads,
    FindUsersReads,
    PendingReads,
    InviteReads,
    LastHereReads,
    MailReads,
    MemberReads,
    MembershipReads,
    MessageReads,
    NoticeReads,
    PinReads,
    ReactionReads,
    ReadingReads,
    ReportReads,
    RestrictionReads,
    RoomReads,
    ThreadReads,
    UserReads,
    WebhookReads,
    SearchReads {}

/** All reads except `search`, because each database has its own search index. */
export type ReadRegistry = ReadsOf<Omit<Reads, 'search'>>;

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
