import { randomUUID } from 'node:crypto';
import { isBlank } from '../text/blank.ts';
import type { WaitingContent } from '../wire/content.ts';
import type { RequestErrorCode } from '../wire/errors.ts';
import type { HoldReason } from '../wire/events.ts';
import { ask, sql } from './engine/dialect.ts';
import { columnsOf, type ReadsOf } from './engine/read.ts';
import { type Nothing, type Rule, refuse } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { rowFrom, table } from './engine/table.ts';
import { rows, type Work } from './engine/work.ts';
import { type EditedContent, plainAfter } from './messages/messages.ts';
import {
  filesOf,
  mayPost,
  repeatOf,
  type Sending,
  saidBy,
  sameClientId,
  sendNeeds,
  toNewContent,
  waitingContentOf,
  waitingFields,
} from './messages/posting.ts';
import { bans } from './moderation/bans.ts';
import { hold } from './moderation/pending.ts';
import type { Change } from './records/changes.ts';
import type { Row } from './records/columns.ts';
import { isMember } from './records/member.ts';
import { type NewMessage, pickSet, type StoredMessage } from './records/message.ts';
import { getMember, memberNeed } from './rows/members.ts';
import { keepFiles, type PendingMessage, pendingMessages, unreserveFiles } from './rows/pending.ts';
import { requireRoom } from './rows/room-changes.ts';
import { userNeed } from './rows/users.ts';
import { named } from './users/users.ts';

/**
 * A message that is sent at a time its author chose, or a reminder of a stored message. Until then, only the user sees
 * it.
 */
export interface ScheduledMessage {
  id: string;
  room: string;
  /** The author. */
  user: string;
  /** The client's ID, which the sent message keeps. */
  clientId: string;
  /** The chosen time, as Unix ms. */
  at: number;
  /** Rises by one with each edit. */
  rev: number;
  /** When to send it: `at`, or later if it was postponed. Absent if it failed. */
  due?: number;
  /** When it failed, or when the reminder was due. */
  done?: number;
  /** The `seq` of the message to remind of. Present on a reminder, whose `content` is empty. */
  seq?: number;
  /** `preview`: only the URL, because the page is fetched when the message is sent. */
  content: WaitingContent;
  /** Why it failed. */
  closed?: { code: RequestErrorCode };
  /** Distinguishes a repeated request from another message with the same `clientId`. */
  digest: string;
}

export type Reminder = ScheduledMessage & { seq: number };

type ScheduledRef = Pick<ScheduledMessage, 'room' | 'id'>;

type ReminderRef = Pick<Reminder, 'room' | 'user' | 'seq'>;

/** Contains a space, so no client can use it. */
const clientIdOf = ({ seq }: { seq: number }) => `reminder ${seq}`;

export interface LaterWrites {
  /**
   * Stores a message to be sent at the time `due`. If the `clientId` was already used, returns that message in its
   * current state. Codes: as for `send` without slow mode; `limit_reached` (`most` scheduled messages in the room).
   */
  schedule: {
    in: NewMessage & Pick<Sending, 'siteModerator'> & { due: number; most: number };
    out: ({ scheduled: ScheduledMessage } | { message: StoredMessage } | { held: PendingMessage }) & {
      repeated: boolean;
    };
  };
  /**
   * Changes a scheduled message that is not sent yet. Absent fields stay, except that a new text has only the given
   * mentions. A failed message with a new time is sent again. Codes: `unknown_message` (sent, deleted, or of another
   * user), `conflict` (edited after `rev`), `unknown_file`, `bad_request` (the message would be empty).
   */
  reschedule: {
    in: ScheduledRef & Partial<EditedContent> & { user: string; rev?: number; due?: number; at: number };
    out: { scheduled: ScheduledMessage };
  };
  /**
   * Sends a scheduled message, or stores it as pending approval, as `hold` does. It is then no longer scheduled.
   * Without `now`, it must be due. No-op (`waits`) if another server postponed it or its author changed it after `rev`.
   * Codes: as for `hold`, `forbidden` (the author is banned from the site), `unknown_message` (sent or deleted).
   */
  sendScheduled: {
    in: ScheduledRef & {
      user: string;
      rev: number;
      why: HoldReason | null;
      siteModerator: boolean;
      now: boolean;
      at: number;
    };
    out: { message: StoredMessage } | { held: PendingMessage } | { waits: true };
  };
  /** Postpones a scheduled message, or stores why it could not be sent. No-op if it changed after `rev`. */
  settleScheduled: {
    in: ScheduledRef & { rev: number; at: number } & ({ due: number } | { code: RequestErrorCode });
    out: Nothing;
  };
  /**
   * Sets the time `due` of the user's reminder of a message, which need not exist. Codes: `unknown_room` (not a member),
   * `limit_reached` (`most` scheduled messages and reminders in the room).
   */
  remind: { in: ReminderRef & { due: number; most: number }; out: { reminder: Reminder } };
  /**
   * Ends a reminder that is due: notifies the user, or deletes it if the user cannot see the message. No-op if it was
   * ended before, or changed after `rev`.
   */
  endReminder: { in: ScheduledRef & { rev: number; isVisible: boolean; at: number }; out: Nothing };
  /** Removes a scheduled message or a reminder. No-op if its author is not `user`. */
  unschedule: { in: ScheduledRef & { user: string; at: number }; out: Nothing };
}

export interface LaterReads {
  scheduledMessage: { in: { id: string }; out: ScheduledMessage | null };
  /** The reminders of a user that were due after the user's latest activity. */
  dueReminders: { in: { user: string }; out: Reminder[] };
  /** The scheduled and failed messages and the reminders of a user in all rooms, by time. */
  scheduledBy: { in: { user: string }; out: ScheduledMessage[] };
  /**
   * The next messages and reminders that are due, by `at`. Omits messages after a postponed message of the same user in the same
   * room. `next`: when the next message becomes due.
   */
  dueScheduled: { in: { at: number; limit: number }; out: { scheduled: ScheduledMessage[]; next?: number } };
  /** Messages that failed, and reminders that were due, before `before`. */
  failedScheduled: { in: { before: number; limit: number }; out: ScheduledMessage[] };
}

const scheduledMessages = table<ScheduledMessage>(
  'chat_later',
  ['id'],
  {
    id: 'id',
    room: 'room',
    user: 'user_id',
    clientId: 'client_id',
    at: 'at',
    rev: 'rev',
    due: 'due',
    done: 'done',
    seq: 'seq',
    content: 'content',
    closed: 'closed',
    digest: 'digest',
  },
  {
    users: ['user'],
    without: ({ room, id, user }) => ({
      row: null,
      change: { type: 'later', room, id, user, is: 'discarded' },
    }),
    hasMentions: true,
  },
);

const schedule: Rule<LaterWrites['schedule']> = {
  adds: true,
  needs: (input) => [
    ...sendNeeds(input),
    rows(scheduledMessages, { room: input.room, user: input.user.id }),
    rows(pendingMessages, { room: input.room, user: input.user.id }),
  ],
  run(work, input, changes) {
    const { room: id, user, clientId, due, most, preview } = input;
    const room = requireRoom(work, id);
    if (!isMember(getMember(work, id, user.id))) refuse('unknown_room');
    const fingerprint = saidBy(input);
    const digest = work.digest(fingerprint);
    const own = work.find(scheduledMessages, { room: id, user: user.id });
    const isRepeat = (stored: { clientId: string; digest: string }) => {
      if (stored.clientId !== clientId) return false;
      return stored.digest === digest || refuse('conflict', sameClientId);
    };
    const scheduled = own.find(isRepeat);
    if (scheduled !== undefined) return { scheduled, repeated: true };
    const held = work.find(pendingMessages, { room: id, user: user.id }).find(isRepeat);
    if (held !== undefined) return { held, repeated: true };
    const message = repeatOf(work, input, fingerprint);
    if (message !== null) return { message, repeated: true };
    mayPost(work, room, { ...input, asMember: true });
    if (own.length >= most) refuse('limit_reached', roomLimitReason(most));
    const content = waitingContentOf(work, room, input);
    const added: ScheduledMessage = {
      id: randomUUID(),
      room: id,
      user: user.id,
      clientId,
      at: due,
      rev: 1,
      due,
      // The settings of previews at the time of sending decide.
      content: preview === undefined ? content : { ...content, preview: { url: preview } },
      digest,
    };
    work.put(scheduledMessages, added);
    keepFiles(work, added);
    recordChange(added, 'scheduled', changes);
    return { scheduled: added, repeated: false };
  },
};

const reschedule: Rule<LaterWrites['reschedule']> = {
  adds: true,
  needs: ({ room, id }) => [rows(scheduledMessages, { room, id })],
  run(work, input, changes) {
    const { room, user, rev, due, files: chosen, at } = input;
    const stored = requireScheduled(work, input);
    if (stored.user !== user) refuse('unknown_message');
    if (rev !== undefined && rev !== stored.rev)
      refuse('conflict', 'the message was edited after you read it');
    const { content: before } = stored;
    const { files: filesBefore = [] } = before;
    const plain = plainAfter(before, input);
    const files =
      chosen === undefined
        ? filesBefore
        : filesOf(
            work,
            { room, user: named(work, user) },
            { chosen, reserved: filesBefore.map((file) => file.id) },
          );
    if (isBlank(plain.text) && files.length === 0) refuse('bad_request', 'text is blank');
    const { mentions, preview: url } = input;
    const followsText =
      input.text === undefined ? {} : { mentions, preview: url === undefined ? undefined : { url } };
    const content = pickSet({ ...before, ...plain, files, ...followsText } as WaitingContent, waitingFields);
    const { closed, done, ...rest } = stored;
    const timed = due === undefined ? stored : { ...rest, at: due, due };
    const scheduled: ScheduledMessage = { ...timed, rev: stored.rev + 1, content };
    unreserveFiles(work, { room, content: { files: filesBefore } }, at);
    keepFiles(work, scheduled);
    work.put(scheduledMessages, scheduled);
    recordChange(scheduled, 'edited', changes);
    return { scheduled };
  },
};

const sendScheduled: Rule<LaterWrites['sendScheduled']> = {
  adds: true,
  needs: ({ room, id, user }) => [
    rows(scheduledMessages, { room, id }),
    rows(pendingMessages, { room, user }),
    rows(bans, { user }),
    memberNeed(room, user),
    userNeed(user),
  ],
  run(work, input, changes) {
    const { room, user, rev, why, siteModerator, now, at } = input;
    const stored = requireScheduled(work, input);
    if (stored.user !== user) refuse('unknown_message');
    if (stored.rev !== rev) return { waits: true };
    if (!now && (stored.due === undefined || stored.due > at)) return { waits: true };
    const [ban] = work.find(bans, { user });
    if (ban !== undefined && (ban.until ?? at + 1) > at)
      refuse('forbidden', 'the author is banned from the site');
    const { files = [] } = stored.content;
    const sent = hold.run(
      work,
      {
        ...toNewContent(stored.content),
        room,
        clientId: stored.clientId,
        user: named(work, user),
        sentAt: at,
        asMember: true,
        siteModerator,
        why,
        waited: { files: files.map(({ id }) => id), digest: stored.digest },
      },
      changes,
    );
    work.remove(scheduledMessages, stored);
    // The message was sent before, for example by a client that repeated `message:send` with this `clientId`.
    if (sent.repeated) unreserveFiles(work, { room, content: { files } }, at);
    recordChange(stored, 'sent', changes);
    return sent;
  },
};

const remind: Rule<LaterWrites['remind']> = {
  adds: true,
  needs: ({ room, user }) => [rows(scheduledMessages, { room, user }), memberNeed(room, user)],
  run(work, { room, user, seq, due, most }, changes) {
    requireRoom(work, room);
    if (!isMember(getMember(work, room, user))) refuse('unknown_room');
    const own = work.find(scheduledMessages, { room, user });
    const before = own.find((one) => one.seq === seq);
    if (before === undefined && own.length >= most) refuse('limit_reached', roomLimitReason(most));
    if (before?.due === due) return { reminder: { ...before, seq } };
    const { id, rev } = before ?? { id: randomUUID(), rev: 0 };
    const clientId = clientIdOf({ seq });
    const reminder = {
      id,
      room,
      user,
      clientId,
      at: due,
      rev: rev + 1,
      due,
      seq,
      content: { text: '' },
      digest: '',
    };
    work.put(scheduledMessages, reminder);
    recordChange(reminder, before === undefined ? 'scheduled' : 'edited', changes);
    return { reminder };
  },
};

const endReminder: Rule<LaterWrites['endReminder']> = {
  needs: ({ room, id }) => [rows(scheduledMessages, { room, id })],
  run(work, { room, id, rev, isVisible, at }, changes) {
    const [stored] = work.find(scheduledMessages, { room, id });
    if (stored === undefined || stored.rev !== rev || stored.due === undefined || stored.due > at) return {};
    const { due, ...rest } = stored;
    if (isVisible) work.put(scheduledMessages, { ...rest, done: at });
    else work.remove(scheduledMessages, stored);
    recordChange(stored, isVisible ? 'due' : 'discarded', changes);
    return {};
  },
};

const roomLimitReason = (most: number) =>
  `the room has ${most} scheduled messages and reminders of this user (CHAT_LIMIT_LATER)`;

const settleScheduled: Rule<LaterWrites['settleScheduled']> = {
  needs: ({ room, id }) => [rows(scheduledMessages, { room, id })],
  run(work, { room, id, rev, at, ...settled }, changes) {
    const [stored] = work.find(scheduledMessages, { room, id });
    if (stored === undefined || stored.rev !== rev || stored.due === undefined) return {};
    if ('due' in settled) {
      work.put(scheduledMessages, { ...stored, due: settled.due });
      return {};
    }
    const { due, ...rest } = stored;
    const { code } = settled;
    work.put(scheduledMessages, { ...rest, done: at, closed: { code } });
    recordChange(stored, 'failed', changes, code);
    return {};
  },
};

const unschedule: Rule<LaterWrites['unschedule']> = {
  needs: ({ room, id }) => [rows(scheduledMessages, { room, id })],
  run(work, { room, id, user, at }, changes) {
    const [stored] = work.find(scheduledMessages, { room, id });
    if (stored === undefined || stored.user !== user) return {};
    work.remove(scheduledMessages, stored);
    unreserveFiles(work, { room, content: { files: stored.content.files } }, at);
    recordChange(stored, 'discarded', changes);
    return {};
  },
};

/** @throws RequestError `unknown_room`, or `unknown_message` if the message was sent or deleted */
function requireScheduled(work: Work, { room, id }: ScheduledRef): ScheduledMessage {
  requireRoom(work, room);
  return work.find(scheduledMessages, { room, id })[0] ?? refuse('unknown_message');
}

function recordChange(
  { room, id, user, seq }: ScheduledMessage,
  is: (Change & { type: 'later' })['is'],
  changes: Change[],
  code?: RequestErrorCode,
): void {
  changes.push({
    ...{ type: 'later', room, id, user, is },
    code,
    seq,
  });
}

const select = sql`SELECT rooms.id AS room_id, ${columnsOf(scheduledMessages, 'later')}
  FROM chat_later AS later JOIN chat_rooms AS rooms ON rooms.num = later.room
  WHERE`;

const fromRow = (row: Row) => rowFrom(scheduledMessages, row, row.room_id as string);

const reads: ReadsOf<LaterReads> = {
  *scheduledMessage(_, { id }) {
    const [row] = yield* ask(sql`${select} later.id = ${id}`);
    return row === undefined ? null : fromRow(row);
  },
  *dueReminders(_, { user }) {
    const found = yield* ask(
      sql`${select} later.user_id = ${user} AND seq IS NOT NULL
            AND done > coalesce((SELECT active.at FROM chat_active AS active WHERE active.user_id = ${user}), 0)
          ORDER BY done, later.num`,
    );
    return found.map(fromRow) as Reminder[];
  },
  *scheduledBy(_, { user }) {
    return (yield* ask(sql`${select} user_id = ${user} ORDER BY at, later.num`)).map(fromRow);
  },
  *dueScheduled(_, { at, limit }) {
    const found = yield* ask(
      sql`${select} due <= ${at} AND (later.seq IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM chat_later AS earlier
            WHERE earlier.room = later.room AND earlier.user_id = later.user_id
              AND earlier.due > ${at} AND earlier.seq IS NULL
              AND (earlier.at < later.at OR (earlier.at = later.at AND earlier.num < later.num))))
          ORDER BY at, later.num LIMIT ${limit}`,
    );
    const [next] = yield* ask(sql`SELECT min(due) AS due FROM chat_later WHERE due > ${at}`);
    const due = next?.due as number | null | undefined;
    return { scheduled: found.map(fromRow), next: due ?? undefined };
  },
  *failedScheduled(_, { before, limit }) {
    return (yield* ask(sql`${select} done < ${before} ORDER BY done LIMIT ${limit}`)).map(fromRow);
  },
};

export const laterSubject = subject<LaterWrites, LaterReads>({
  tables: [scheduledMessages],
  rules: { schedule, reschedule, sendScheduled, remind, endReminder, settleScheduled, unschedule },
  reads,
});
