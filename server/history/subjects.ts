import { broadcast, consume, keepConsumers } from './consuming.ts';
import { endedLoginReads, endedLogins, endLogin } from './ended-logins.ts';
import type { Rule } from './engine/rule.ts';
import type { Table } from './engine/table.ts';
import { rows, type Subjects } from './engine/work.ts';
import { erase, eraseStep } from './erasure/erasing.ts';
import { addFile, dropFiles, fileReads, forgetFiles } from './files/files.ts';
import { storeFiles } from './files/loaded.ts';
import type { ReadRegistry, Writes } from './history.ts';
import { importMembers, importMessage, importRoom } from './imports.ts';
import { createInvite, forgetInvites, inviteReads, invites, revokeInvite } from './invites.ts';
import { keepMembers, memberNeed, storeMembers } from './members/loaded.ts';
import {
  acceptInvite,
  addMembers,
  join,
  memberReads,
  removeMembers,
  setNotify,
  setRole,
} from './members/members.ts';
import { membershipReads } from './members/memberships.ts';
import { markRead, markUnread, readingReads } from './members/reading.ts';
import { expiryReads } from './messages/expiry.ts';
import { storeMessages } from './messages/loaded.ts';
import { deleteMessage, edit, forward, send } from './messages/messages.ts';
import { messageReads } from './messages/pages.ts';
import { preview, removePreview, setPreviews } from './messages/previews.ts';
import { react, reactionReads, storeReactions } from './messages/reactions.ts';
import { aboutPersonReads } from './moderation/about-person.ts';
import { actReads, forgetActs, noteExport } from './moderation/acts.ts';
import { banReads, bans, setBan } from './moderation/bans.ts';
import {
  approvePending,
  discardPending,
  forgetPending,
  hold,
  holdEdit,
  pendingPreview,
  pendingReads,
  rejectPending,
} from './moderation/held.ts';
import { closeReport, report, reportReads, reports } from './moderation/reports.ts';
import { endRestrictions, restrict, restrictionReads } from './moderation/restrictions.ts';
import { pendingMessages } from './moderation/waiting.ts';
import {
  addVapidKey,
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
  due,
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
  mailAddresses,
  mailReads,
  mailStops,
  noteMailAddress,
} from './notifications/mails.ts';
import {
  active,
  forgetActive,
  noteActive,
  noteOpened,
  noticeReads,
  notices,
  setNotices,
} from './notifications/notices.ts';
import { claimPushes, notePushing, pushes, settlePushes } from './notifications/pushes.ts';
import { arrivalReads, arrive, putSiteUsers } from './people/arrivals.ts';
import { block, blockReads, blocks } from './people/blocks.ts';
import { findUsersReads } from './people/find-users.ts';
import { forgetHere, hideHere, lastHere, lastHereReads, noteHere } from './people/last-here.ts';
import { arrivals, changesUsers, keepUsers, siteUsers, storeUsers, userNeed } from './people/loaded.ts';
import { userReads } from './people/users.ts';
import { pin, pinReads, pins } from './pins.ts';
import { dayReads, days, forgetDays } from './rooms/days.ts';
import { formerKeys, keepRooms, storeRooms } from './rooms/loaded.ts';
import { otherOf } from './rooms/room.ts';
import { formerRooms } from './rooms/room-changes.ts';
import {
  createRoom,
  deleteEmptyRooms,
  deleteRoom,
  expire,
  openDirect,
  publicRooms,
  putRoom,
  roomReads,
  updateRoom,
} from './rooms/rooms.ts';
import { concerned, followers, threadAuthors, threads } from './threads/loaded.ts';
import { threadReads } from './threads/reads.ts';
import { follow } from './threads/threads.ts';
import { claimEvents, dropEvents, retryEvents, webhookReads, webhooks } from './webhooks.ts';

export const tables: readonly Table[] = [
  bans,
  endedLogins,
  arrivals,
  siteUsers,
  blocks,
  lastHere,
  reports,
  pendingMessages,
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
  hold,
  holdEdit,
  approvePending,
  rejectPending,
  discardPending,
  forgetPending,
  pendingPreview,
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
  setNotify,
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
  ...actReads,
  ...banReads,
  ...endedLoginReads,
  ...restrictionReads,
  ...aboutPersonReads,
  ...noticeReads,
  ...deviceReads,
  ...mailReads,
  ...webhookReads,
};
