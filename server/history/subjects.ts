import { arrivalSubject } from './arrivals.ts';
import { actSubject } from './audit.ts';
import { logSubject } from './consuming.ts';
import { daySubject } from './days.ts';
import { endedLoginSubject } from './ended-logins.ts';
import type { AnyReads, ReadsOf } from './engine/read.ts';
import type { AllReads, AllWrites } from './engine/subject.ts';
import { rows, type Subjects } from './engine/work.ts';
import { erasureSubject } from './erasure/erasing.ts';
import { fileSubject } from './files/files.ts';
import { findUsersSubject } from './find-users.ts';
import { importSubject } from './imports.ts';
import { inviteSubject } from './invites.ts';
import { knownTablesSubject } from './known-tables.ts';
import { laterSubject } from './later.ts';
import { memberSubject } from './members/members.ts';
import { membershipSubject } from './members/memberships.ts';
import { readingSubject } from './members/reading.ts';
import { expirySubject } from './messages/expiry.ts';
import { markSubject } from './messages/marks.ts';
import { messageSubject } from './messages/messages.ts';
import { previewSubject } from './messages/previews.ts';
import { reactionSubject } from './messages/reactions.ts';
import { aboutPersonSubject } from './moderation/about-person.ts';
import { banSubject } from './moderation/bans.ts';
import { pendingSubject } from './moderation/pending.ts';
import { reportSubject } from './moderation/reports.ts';
import { restrictionSubject } from './moderation/restrictions.ts';
import { deviceSubject } from './notifications/devices.ts';
import { dueSubject } from './notifications/due.ts';
import { mailSubject } from './notifications/mails.ts';
import { noticeSubject } from './notifications/notices.ts';
import { pushSubject } from './notifications/pushes.ts';
import { pinSubject } from './pins.ts';
import { claimSubject } from './questions/claims.ts';
import { noteSubject } from './questions/notes.ts';
import { questionSubject } from './questions/questions.ts';
import { snippetSubject } from './questions/snippets.ts';
import { teamSubject } from './questions/team.ts';
import { otherOf } from './records/room.ts';
import type { SearchReads } from './records/search.ts';
import { roomSubject } from './rooms/rooms.ts';
import { keepMembers, memberNeed } from './rows/members.ts';
import { formerRooms } from './rows/room-changes.ts';
import { formerKeys, keepRooms } from './rows/rooms.ts';
import { changesUsers, keepUsers, userNeed } from './rows/users.ts';
import { threadSubject } from './threads/threads.ts';
import { blockSubject, blocks } from './users/blocks.ts';
import { lastHereSubject } from './users/last-here.ts';
import { userSubject } from './users/users.ts';
import { webhookSubject } from './webhooks.ts';

/** The subjects in the order of their stores: rooms first, because the others need the numbers of new rooms. */
export const list = [
  roomSubject,
  memberSubject,
  messageSubject,
  reactionSubject,
  userSubject,
  fileSubject,
  aboutPersonSubject,
  actSubject,
  arrivalSubject,
  banSubject,
  blockSubject,
  claimSubject,
  daySubject,
  deviceSubject,
  dueSubject,
  endedLoginSubject,
  erasureSubject,
  expirySubject,
  findUsersSubject,
  importSubject,
  inviteSubject,
  knownTablesSubject,
  lastHereSubject,
  laterSubject,
  logSubject,
  mailSubject,
  markSubject,
  membershipSubject,
  noteSubject,
  noticeSubject,
  pendingSubject,
  pinSubject,
  previewSubject,
  pushSubject,
  questionSubject,
  readingSubject,
  reportSubject,
  restrictionSubject,
  snippetSubject,
  teamSubject,
  threadSubject,
  webhookSubject,
] as const;

/**
 * The writes, with the input and the output of each operation. Operations that arrive together share a transaction
 * (group commit). A rejected operation throws a RequestError and has no effect. Its codes are listed with the
 * operation; `storage_full` and `storage_unavailable` are always possible.
 *
 * `actor`: the moderator who acts. Absent for the PHP application.
 * `decidedFor`: the state of the room in which the caller decided that the user may do this. If `access` changed since,
 * or another room has the ID, the result is `stale`, and the caller must decide again.
 */
export interface Writes extends AllWrites<typeof list> {}

/** The reads. A read sees all writes that resolved before it started. */
export interface Reads extends AllReads<typeof list>, SearchReads {}

/** All reads except `search`, because each database has its own search index. */
export type ReadRegistry = ReadsOf<Omit<Reads, 'search'>>;

const rules: Subjects['rules'] = Object.assign({}, ...list.map((one) => one.rules));

export const tables: Subjects['tables'] = list.flatMap((one) => one.tables);

/** The tables, rules and stores of all subjects, for the engine. */
export const subjects: Subjects = {
  tables,
  rules,
  stores: list.flatMap((one) => one.stores),
  hooks: list,
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
export const reads: ReadRegistry & AnyReads = Object.assign({}, ...list.map((one) => one.reads));
