import type { HistoryOf } from './engine/history.ts';
import type { Reads, Writes } from './subjects.ts';

export type { ArrivalCursor } from './arrivals.ts';

export type { ConsumedRows } from './consuming.ts';
export { dayOf } from './days.ts';
export { leaseTime } from './engine/change-log.ts';
export type { Forget } from './engine/expired-rows.ts';
export { methods } from './engine/history.ts';
export { maxPageBytes } from './engine/read.ts';
export { mostInvites, mostInvitesOfRoom, opens, type StoredInvite } from './invites.ts';
export type { MemberCursor } from './members/members.ts';
export type { Membership, Partner } from './members/memberships.ts';
export { mostUnreadMentions, type UnreadMentions } from './members/reading.ts';
export { reactionLimitReason } from './messages/reactions.ts';
export type { StoredReport } from './moderation/reports.ts';
export { mostDevices, type StoredDevice, type StoredVapidKey } from './notifications/devices.ts';
export { type Concerned, lookThroughPause } from './notifications/due.ts';
export {
  mailRepliesFor,
  mailRepliesStoredFor,
  mailStopsFor,
  type StoredMailReply,
} from './notifications/mails.ts';
export type { StoredNotices } from './notifications/notices.ts';
export type { DuePush, Pushed, PushRef, SettledPush } from './notifications/pushes.ts';
export { mostNotes, type StoredNote } from './questions/notes.ts';
export type { QuestionCursor, QuestionList } from './questions/questions.ts';
export { mostSnippets } from './questions/snippets.ts';
export { type Change, changeBits, type LoggedChange, type LoggedEntry } from './records/changes.ts';
export { type ErasedMessages, erasureConsumer } from './records/erasure.ts';
export { isReserved, type StoredFile } from './records/file.ts';
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
  ownAfter,
  quietForMs,
  type Restriction,
  type RestrictionKind,
  restrictionKinds,
  sources,
} from './records/member.ts';
export {
  everybody,
  type NewMention,
  type NewMessage,
  type Page,
  type StoredMessage,
  sizeOf,
} from './records/message.ts';
export type { Act, Ban } from './records/moderation.ts';
export { isQuestionId, questionId, type RoomQuestion, unnamedQuestion } from './records/question.ts';
export {
  hasBegun,
  hasReader,
  isConversation,
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
} from './records/room.ts';
export type { SearchFilter } from './records/search.ts';
export { deletedUser, type UserRecord } from './records/user.ts';
export {
  maxPendingOfUser,
  maxPendingWithLostRooms,
  type PendingMessage,
  pendingLimitReason,
} from './rows/pending.ts';

export type { KnownRooms } from './rows/select.ts';
export type { ReadRegistry, Reads, Writes } from './subjects.ts';
export { mostNewReplies, namedAuthors, type StoredThread } from './threads/reads.ts';
export { mostFollowers } from './threads/threads.ts';
export { mostBlocked } from './users/blocks.ts';

export type { NewEvent } from './webhook-turns.ts';
export { type EventType, eventTypes, type StoredEvent } from './webhooks.ts';

/** The storage of all rooms, members and messages. Every database passes the contracts in test/contracts/. */
export type History = HistoryOf<Writes, Reads>;

/** A history that is only read. */
export type ReadOnlyHistory = Pick<History, 'read' | 'close'>;
