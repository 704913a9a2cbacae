import { type ArrivalReads, type ArrivalWrites, arrivalReads, arrive, putSiteUsers } from './arrivals.ts';
import { type ActReads, type ActWrites, actReads, forgetActs, noteExport } from './audit.ts';
import { broadcast, consume, keepConsumers, type LogWrites } from './consuming.ts';
import { type DayReads, type DayWrites, dayReads, days, forgetDays } from './days.ts';
import {
  type EndedLoginReads,
  type EndedLoginWrites,
  endedLoginReads,
  endedLogins,
  endLogin,
} from './ended-logins.ts';
import type { ReadsOf } from './engine/read.ts';
import type { Rule } from './engine/rule.ts';
import type { Table } from './engine/table.ts';
import { rows, type Subjects } from './engine/work.ts';
import { type ErasureWrites, erase, eraseStep } from './erasure/erasing.ts';
import {
  addFile,
  dropFiles,
  type FileReads,
  type FileWrites,
  fileReads,
  forgetFiles,
} from './files/files.ts';
import { type FindUsersReads, findUsersReads } from './find-users.ts';
import { type ImportWrites, importMembers, importMessage, importRoom } from './imports.ts';
import {
  createInvite,
  forgetInvites,
  type InviteReads,
  type InviteWrites,
  inviteReads,
  invites,
  revokeInvite,
} from './invites.ts';
import { type KnownTablesReads, knownTablesReads } from './known-tables.ts';
import {
  endReminder,
  type LaterReads,
  type LaterWrites,
  laterReads,
  remind,
  reschedule,
  schedule,
  scheduledMessages,
  sendScheduled,
  settleScheduled,
  unschedule,
} from './later.ts';
import {
  acceptInvite,
  addMembers,
  join,
  type MemberReads,
  type MemberWrites,
  memberReads,
  removeMembers,
  setPreferences,
  setRole,
} from './members/members.ts';
import { type MembershipReads, membershipReads } from './members/memberships.ts';
import {
  markRead,
  markUnread,
  type ReadingReads,
  type ReadingWrites,
  readingReads,
} from './members/reading.ts';
import { type ExpiryReads, expiryReads } from './messages/expiry.ts';
import { deleteMessage, edit, forward, type MessageWrites, send } from './messages/messages.ts';
import { type MessageReads, messageReads } from './messages/pages.ts';
import { type PreviewWrites, preview, removePreview, setPreviews } from './messages/previews.ts';
import {
  endPoll,
  type ReactionReads,
  type ReactionWrites,
  react,
  reactionReads,
  storeReactions,
} from './messages/reactions.ts';
import { type AboutPersonReads, aboutPersonReads } from './moderation/about-person.ts';
import { type BanReads, type BanWrites, banReads, bans, setBan } from './moderation/bans.ts';
import {
  approvePending,
  discardPending,
  forgetPending,
  hold,
  holdEdit,
  type PendingReads,
  type PendingWrites,
  pendingPreview,
  pendingReads,
  rejectPending,
} from './moderation/pending.ts';
import {
  closeReport,
  type ReportReads,
  type ReportWrites,
  report,
  reportReads,
  reports,
} from './moderation/reports.ts';
import {
  endRestrictions,
  type RestrictionReads,
  type RestrictionWrites,
  restrict,
  restrictionReads,
} from './moderation/restrictions.ts';
import {
  addVapidKey,
  type DeviceReads,
  type DeviceWrites,
  deviceReads,
  devices,
  forgetDevices,
  noteDevice,
  registerDevice,
  removeDevice,
  vapidKeys,
} from './notifications/devices.ts';
import {
  claimDueRooms,
  claimDueUsers,
  type DueReads,
  type DueWrites,
  due,
  dueReads,
  dueRooms,
  forgetNotified,
  lastNotified,
  noteDue,
  noteNotified,
  notified,
  settleDue,
} from './notifications/due.ts';
import {
  addMailStop,
  forgetMailStops,
  type MailReads,
  type MailWrites,
  mailAddresses,
  mailReads,
  mailStops,
  noteMailAddress,
} from './notifications/mails.ts';
import {
  active,
  forgetActive,
  type NoticeReads,
  type NoticeWrites,
  noteActive,
  noteOpened,
  noticeReads,
  notices,
  setNotices,
} from './notifications/notices.ts';
import { claimPushes, notePushing, type PushWrites, pushes, settlePushes } from './notifications/pushes.ts';
import { type PinReads, type PinWrites, pin, pinReads, pins } from './pins.ts';
import { otherOf } from './records/room.ts';
import type { SearchReads } from './records/search.ts';
import {
  createRoom,
  deleteEmptyRooms,
  deleteRoom,
  expire,
  openDirect,
  publicRooms,
  putRoom,
  type RoomReads,
  type RoomWrites,
  roomReads,
  updateRoom,
} from './rooms/rooms.ts';
import { storeFiles } from './rows/files.ts';
import { keepMembers, memberNeed, storeMembers } from './rows/members.ts';
import { storeMessages } from './rows/messages.ts';
import { pendingMessages } from './rows/pending.ts';
import { formerRooms } from './rows/room-changes.ts';
import { formerKeys, keepRooms, storeRooms } from './rows/rooms.ts';
import { concerned, followers, threadAuthors, threads } from './rows/threads.ts';
import { arrivals, changesUsers, keepUsers, siteUsers, storeUsers, userNeed } from './rows/users.ts';
import { type ThreadReads, threadReads } from './threads/reads.ts';
import { follow, type ThreadWrites } from './threads/threads.ts';
import { type BlockReads, type BlockWrites, block, blockReads, blocks } from './users/blocks.ts';
import {
  forgetHere,
  hideHere,
  type LastHereReads,
  type LastHereWrites,
  lastHere,
  lastHereReads,
  noteHere,
} from './users/last-here.ts';
import { renewKeys, type UserReads, type UserWrites, userReads } from './users/users.ts';
import {
  claimEvents,
  dropEvents,
  retryEvents,
  type WebhookReads,
  type WebhookWrites,
  webhookReads,
  webhooks,
} from './webhooks.ts';

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
    LaterWrites,
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
    UserWrites,
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
    LaterReads,
    DueReads,
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
    KnownTablesReads,
    ThreadReads,
    UserReads,
    WebhookReads,
    SearchReads {}

/** All reads except `search`, because each database has its own search index. */
export type ReadRegistry = ReadsOf<Omit<Reads, 'search'>>;

export const tables: readonly Table[] = [
  bans,
  endedLogins,
  arrivals,
  siteUsers,
  blocks,
  lastHere,
  reports,
  pendingMessages,
  scheduledMessages,
  pins,
  invites,
  threads,
  threadAuthors,
  followers,
  concerned,
  days,
  formerRooms,
  webhooks,
  devices,
  vapidKeys,
  notices,
  active,
  due,
  dueRooms,
  pushes,
  notified,
  lastNotified,
  mailAddresses,
  mailStops,
];

const rules: { readonly [Op in keyof Writes]: Rule<Writes[Op]> } = {
  send,
  forward,
  edit,
  delete: deleteMessage,
  react,
  endPoll,
  hold,
  holdEdit,
  approvePending,
  rejectPending,
  discardPending,
  forgetPending,
  pendingPreview,
  schedule,
  reschedule,
  sendScheduled,
  remind,
  endReminder,
  settleScheduled,
  unschedule,
  importRoom,
  importMessage,
  importMembers,
  pin,
  preview,
  removePreview,
  setPreviews,
  addFile,
  dropFiles,
  forgetFiles,
  follow,
  publicRooms,
  createRoom,
  putRoom,
  updateRoom,
  deleteRoom,
  expire,
  deleteEmptyRooms,
  openDirect,
  addMembers,
  join,
  removeMembers,
  setRole,
  setPreferences,
  createInvite,
  revokeInvite,
  acceptInvite,
  forgetInvites,
  restrict,
  endRestrictions,
  report,
  closeReport,
  forgetDays,
  forgetActs,
  noteExport,
  markRead,
  markUnread,
  arrive,
  putSiteUsers,
  renewKeys,
  setBan,
  endLogin,
  block,
  noteHere,
  hideHere,
  forgetHere,
  erase,
  eraseStep,
  consume,
  keepConsumers,
  broadcast,
  claimEvents,
  dropEvents,
  retryEvents,
  registerDevice,
  removeDevice,
  noteDevice,
  forgetDevices,
  addVapidKey,
  setNotices,
  noteActive,
  noteOpened,
  forgetActive,
  claimDueUsers,
  claimDueRooms,
  settleDue,
  noteDue,
  noteNotified,
  claimPushes,
  settlePushes,
  notePushing,
  forgetNotified,
  noteMailAddress,
  addMailStop,
  forgetMailStops,
};

/** The tables, rules and stores of all subjects, for the engine. */
export const subjects: Subjects = {
  tables,
  rules,
  needsOfRoom(work, id) {
    const room = work.rooms.get(id);
    // The transaction may create the room. Its `head` then continues after that of a deleted room with the same ID.
    if (room == null) return formerKeys(work, id).map((key) => rows(formerRooms, key));
    // In a direct room the peer may have blocked the author, and becomes a member with the first message.
    const { pair } = room.row;
    return (pair ?? []).flatMap((user) => [
      rows(blocks, { user, other: otherOf(pair, user) as string }),
      memberNeed(id, user),
      userNeed(user),
    ]);
  },
  stores: [storeRooms, storeMembers, storeMessages, storeReactions, storeUsers, storeFiles],
  keep(work, kept) {
    // Changed users and deleted rooms also affect rows that are not loaded here, and data of an erased user must not
    // stay cached.
    if (changesUsers(work) || work.deletedRooms.length > 0) return kept.forget();
    keepRooms(work, kept);
    keepMembers(work, kept);
    keepUsers(work, kept);
  },
};

/** The reads of all subjects. */
export const reads: ReadRegistry = {
  ...knownTablesReads,
  ...roomReads,
  ...dayReads,
  ...memberReads,
  ...membershipReads,
  ...readingReads,
  ...userReads,
  ...arrivalReads,
  ...blockReads,
  ...lastHereReads,
  ...findUsersReads,
  ...messageReads,
  ...expiryReads,
  ...reactionReads,
  ...threadReads,
  ...pinReads,
  ...inviteReads,
  ...fileReads,
  ...reportReads,
  ...pendingReads,
  ...laterReads,
  ...actReads,
  ...banReads,
  ...endedLoginReads,
  ...restrictionReads,
  ...aboutPersonReads,
  ...noticeReads,
  ...deviceReads,
  ...dueReads,
  ...mailReads,
  ...webhookReads,
};
