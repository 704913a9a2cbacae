import { randomUUID } from 'node:crypto';
import type { Report, ReportEnd } from '../../wire/events.ts';
import { tellAct } from '../audit.ts';
import { ask, type Dialect, inList, raw, sql } from '../engine/dialect.ts';
import { columnsOf, cutPageBySize, type ReadContext, type ReadsOf } from '../engine/read.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rowFrom, table } from '../engine/table.ts';
import { roomValueLoader, rows, type Work } from '../engine/work.ts';
import { peopleLosing } from '../members/membership.ts';
import { deleteMessage } from '../messages/messages.ts';
import type { Row } from '../records/columns.ts';
import { isBanned, isMember, type Restriction } from '../records/member.ts';
import { mostNameBytes, type StoredMessage, sizeOf } from '../records/message.ts';
import type { RoomState } from '../records/room.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import { lastMessageNeed, messageNeed } from '../rows/messages.ts';
import { countReports, isStale, messageIn, recordOf, requireRoom } from '../rows/room-changes.ts';
import { type KnownRooms, knownRooms, roomNumber } from '../rows/select.ts';
import { restrict } from './restrictions.ts';

/** A user's report of a message. */
export interface StoredReport {
  id: string;
  room: string;
  seq: number;
  /** The reporter. */
  by: string;
  /** The author of the message. */
  author: string;
  reason: Report['reason'];
  text?: string;
  at: number;
  /** The message when it was reported; it may be edited or deleted since. Absent when the report is closed. */
  message?: StoredMessage;
  closed?: { by: string; done: ReportEnd; at: number };
}

export interface ReportWrites {
  /**
   * Reports a message. Each user can report a message once. Codes: `unknown_room` (also if the user may not read it),
   * `unknown_message` (does not exist, deleted or expired), `forbidden` (the user's own message).
   */
  report: {
    in: Omit<StoredReport, 'id' | 'author' | 'message' | 'closed'>;
    out: { repeated: boolean };
  };
  /**
   * Closes a report, and in the same transaction deletes the message (`deleted`) or restricts its author. Deletes the
   * stored copy of the message. If the report is already closed, nothing changes and `decided` is false. Codes:
   * `unknown_room`, `unknown_message`.
   * @param in.others further reports of the same message to close
   * @param in.again an earlier call recorded the decision in the audit log
   */
  closeReport: {
    in: {
      room: string;
      seq: number;
      id: string;
      others?: readonly string[];
      author?: string;
      restriction?: Restriction;
      reason?: string;
      again?: true;
      decidedFor?: RoomState;
    } & NonNullable<StoredReport['closed']>;
    out: { decided: boolean; stale: boolean };
  };
}

export interface ReportReads {
  report: { in: { id: string }; out: StoredReport | null };
  /**
   * Open reports of unexpired messages, newest first. With `rooms` null, in all rooms but `except`. `next` is the
   * `from` of the next page, an encrypted cursor. Codes: `bad_request` (`from` is not a cursor of this history).
   */
  reports: {
    in: { rooms: readonly string[] | null; except?: readonly string[]; from?: string; limit: number };
    out: { reports: StoredReport[]; next?: string };
  };
  /** Open reports of a message, newest first. */
  reportsOf: { in: { room: string; seq: number; limit: number }; out: StoredReport[] };
  /** Open and closed reports that a user made of unexpired messages, paginated like `reports`. */
  reportsBy: {
    in: { user: string; from?: string; limit: number };
    out: ReportReads['reports']['out'];
  };
  /** The numbers of open reports of messages by these users in these rooms. Users without open reports are left out. */
  openReportsAbout: {
    in: KnownRooms & { users: readonly string[] };
    out: { user: string; reports: number }[];
  };
  /** Open and closed reports of messages by a user in these rooms, newest first. */
  reportsAbout: { in: KnownRooms & { user: string; limit: number }; out: StoredReport[] };
}

export const reports = table<StoredReport>('chat_reports', ['id'], {
  id: 'id',
  room: 'room',
  seq: 'seq',
  by: 'by_id',
  author: 'author_id',
  reason: 'reason',
  text: 'note',
  at: 'reported_at',
  message: 'message',
  closed: 'closed',
});

const report: Rule<ReportWrites['report']> = {
  adds: true,
  needs: ({ room, seq, by }) => [
    lastMessageNeed(room),
    messageNeed(room, seq),
    memberNeed(room, by),
    rows(reports, { room, seq, by }),
  ],
  run(work, { room: id, seq, by, ...report }, changes) {
    const room = requireRoom(work, id);
    const member = getMember(work, id, by);
    if (room.kind === 'public' ? isBanned(member) : !isMember(member)) refuse('unknown_room');
    if (work.find(reports, { room: id, seq, by }).length > 0) return { repeated: true };
    const original = messageIn(work, room, seq);
    if (original === undefined || original.deletedAt !== undefined) refuse('unknown_message');
    if (original.user.id === by) refuse('forbidden', 'users cannot report their own messages');
    const { reactions: _, ...message } = original;
    const row = { id: randomUUID(), room: id, seq, by, author: original.user.id, ...report, message };
    work.put(reports, row);
    countReports(work, room, 1);
    changes.push({ type: 'report', room: recordOf(work, room), id: row.id, closed: false });
    return { repeated: false };
  },
};

const closeReport: Rule<ReportWrites['closeReport']> = {
  needs: ({ room, seq, id, others = [], by, done, author }) => [
    lastMessageNeed(room),
    ...[id, ...others].map((id) => rows(reports, { room, id })),
    ...(done === 'deleted' ? deleteMessage.needs({ room, seq, user: by, moderator: true, at: 0 }) : []),
    ...(author === undefined ? [] : peopleLosing(room, [author])),
  ],
  run(
    work,
    { room: id, seq, id: report, others = [], author, restriction, reason, again, decidedFor, ...closed },
    changes,
  ) {
    const room = requireRoom(work, id);
    const [first] = work.find(reports, { room: id, id: report });
    if (first === undefined || first.seq < room.firstSeq) refuse('unknown_message');
    if (first.closed !== undefined) return { decided: false, stale: false };
    if (isStale(room, decidedFor)) return { decided: false, stale: true };
    const { by, done, at } = closed;
    if (done === 'deleted') {
      const message = { room: id, seq, user: by, moderator: true, anywhere: true, at } as const;
      deleteMessage.run(work, { ...message, reason }, changes);
    } else if (author !== undefined && restriction !== undefined && done !== 'nothing') {
      restrict.run(work, { room: id, user: author, kind: done, restriction, at }, changes);
    }
    for (const reportId of [report, ...others]) {
      const [stored] = work.find(reports, { room: id, id: reportId });
      if (stored === undefined || stored.closed !== undefined || stored.seq !== seq) continue;
      const { message: _, text: _text, ...rest } = stored;
      work.put(reports, { ...rest, closed });
      countReports(work, requireRoom(work, id), -1);
      changes.push({
        type: 'report',
        room: recordOf(work, requireRoom(work, id)),
        id: reportId,
        closed: true,
      });
    }
    if (!again)
      tellAct(changes, {
        kind: 'report_closed',
        by,
        user: first.author,
        room,
        seq,
        reason,
        to: { done },
      });
    return { decided: true, stale: false };
  },
};

/** The number of open reports of messages with `seq` >= `from`, as stored before the transaction. */
const openReportsLoader = roomValueLoader<{ room: string; from: number }, number>('open reports', {
  keyOf: ({ room, from }) => `${from} ${room}`,
  select: ({ num }, { from }) =>
    sql`SELECT count(*) AS num FROM chat_reports WHERE room = ${num} AND seq >= ${from} AND closed IS NULL`,
  value: ([row]) => row?.num as number,
  none: 0,
});

/** Returns the number of open reports of messages with `seq` >= `from`, including the changes of the transaction. */
export function openReports(work: Work, room: string, from: number): number {
  let count = work.value(openReportsLoader, { room, from });
  for (const { row, stored } of work.rowsOf(reports).values()) {
    const isOpen = (value: object | null | undefined) => {
      const report = value as StoredReport | null | undefined;
      return report?.room === room && report.seq >= from && report.closed === undefined;
    };
    count += Number(isOpen(row)) - Number(isOpen(stored));
  }
  return count;
}

const selectReports = sql`SELECT reports.num AS num, rooms.id AS room_id, ${columnsOf(reports, 'reports')}
  FROM chat_reports AS reports JOIN chat_rooms AS rooms ON rooms.num = reports.room`;

const reportFrom = (row: Row) => rowFrom(reports, row, row.room_id as string);

/** Returns the maximum size in bytes of a report in a response, including the reporter's name. */
const sizeOfReport = ({ message, ...report }: StoredReport): number =>
  Buffer.byteLength(JSON.stringify(report)) + (message === undefined ? 0 : sizeOf(message)) + mostNameBytes;

function pageOfReports(
  { cursors }: ReadContext,
  rows: readonly Row[],
  limit: number,
): ReportReads['reports']['out'] {
  const { page, last } = cutPageBySize(rows, limit, reportFrom, sizeOfReport);
  return { reports: page, next: last && cursors.seal('report', last.num as number) };
}

/** Returns the condition that a report is about a message in one of these rooms. */
const inRooms = (dialect: Dialect, ids: readonly string[]) =>
  sql`reports.room IN (SELECT num FROM chat_rooms WHERE ${inList(dialect, 'id', ids)})`;

const reads: ReadsOf<ReportReads> = {
  *report(_, { id }) {
    const [row] = yield* ask(sql`${selectReports} WHERE reports.id = ${id} AND seq >= first_seq`);
    return row === undefined ? null : reportFrom(row);
  },
  *reports(context, { rooms, except = [], from, limit }) {
    const before = context.cursors.open('report', from);
    if (rooms?.length === 0) return { reports: [] };
    const inOthers = except.length === 0 ? raw('1 = 1') : sql`NOT (${inRooms(context.dialect, except)})`;
    const condition = rooms === null ? inOthers : inRooms(context.dialect, rooms);
    const rows = yield* ask(
      sql`${selectReports} WHERE ${condition} AND reports.num < ${before} AND closed IS NULL AND seq >= first_seq
          ORDER BY reports.num DESC LIMIT ${limit + 1}`,
    );
    return pageOfReports(context, rows, limit);
  },
  *reportsOf(context, { room, seq, limit }) {
    const rows = yield* ask(
      sql`${selectReports} WHERE reports.room = ${roomNumber(room)} AND seq = ${seq} AND closed IS NULL AND seq >= first_seq
          ORDER BY reports.num DESC LIMIT ${limit}`,
    );
    return pageOfReports(context, rows, limit).reports;
  },
  *reportsBy(context, { user, from, limit }) {
    const before = context.cursors.open('report', from);
    const rows = yield* ask(
      sql`${selectReports} WHERE by_id = ${user} AND reports.num < ${before} AND seq >= first_seq
          ORDER BY reports.num DESC LIMIT ${limit + 1}`,
    );
    return pageOfReports(context, rows, limit);
  },
  *openReportsAbout({ dialect }, { users, ...visibleRooms }) {
    if (users.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT author_id, count(*) AS num FROM chat_reports AS reports
          CROSS JOIN ${knownRooms(dialect, visibleRooms)} AS rooms
          WHERE rooms.num = reports.room AND ${inList(dialect, 'author_id', users)} AND closed IS NULL AND seq >= first_seq GROUP BY author_id`,
    );
    return rows.map(({ author_id, num }) => ({ user: author_id as string, reports: num as number }));
  },
  *reportsAbout(context, { user, limit, ...visibleRooms }) {
    const rows = yield* ask(
      sql`${selectReports} WHERE author_id = ${user} AND seq >= first_seq AND EXISTS (
            SELECT 1 FROM ${knownRooms(context.dialect, visibleRooms)} AS known WHERE known.num = reports.room)
          ORDER BY reports.num DESC LIMIT ${limit}`,
    );
    return pageOfReports(context, rows, limit).reports;
  },
};

export const reportSubject = subject<ReportWrites, ReportReads>({
  tables: [reports],
  rules: { report, closeReport },
  reads,
});
