import { ask, type Dialect, inList, raw, sql } from '../engine/dialect.ts';
import { columnsOf, cutPageBySize, type ReadContext, type ReadsOf } from '../engine/read.ts';
import { mostNameBytes, type ReportReads, type StoredReport, sizeOf } from '../history.ts';
import { knownRooms, roomNumber } from '../rooms/rooms.ts';
import { type Row, reports, rowFrom } from '../tables.ts';

const selectReports = sql`SELECT reports.num AS num, rooms.id AS room_id, ${columnsOf(reports, 'reports')}
  FROM chat_reports AS reports JOIN chat_rooms AS rooms ON rooms.num = reports.room`;

const reportFrom = (row: Row) => rowFrom(reports, row, row.room_id as string);

/** Most bytes of a report in a response, with the name of the reporter. */
const sizeOfReport = ({ message, ...report }: StoredReport): number =>
  Buffer.byteLength(JSON.stringify(report)) + (message === undefined ? 0 : sizeOf(message)) + mostNameBytes;

function pageOfReports(
  { cursors }: ReadContext,
  rows: readonly Row[],
  limit: number,
): ReportReads['reports']['out'] {
  const { page, last } = cutPageBySize(rows, limit, reportFrom, sizeOfReport);
  return { reports: page, ...(last && { next: cursors.seal('report', last.num as number) }) };
}

/** The condition that a report is from one of these rooms. */
const inRooms = (dialect: Dialect, ids: readonly string[]) =>
  sql`reports.room IN (SELECT num FROM chat_rooms WHERE ${inList(dialect, 'id', ids)})`;

export const reportReads: ReadsOf<ReportReads> = {
  *report(_, { id }) {
    const [row] = yield* ask(sql`${selectReports} WHERE reports.id = ${id} AND seq >= first_seq`);
    return row === undefined ? null : reportFrom(row);
  },
  *reports(context, { rooms, except = [], from, limit }) {
    const before = context.cursors.open('report', from);
    if (rooms?.length === 0) return { reports: [] };
    const all = except.length === 0 ? raw('1 = 1') : sql`NOT (${inRooms(context.dialect, except)})`;
    const condition = rooms === null ? all : inRooms(context.dialect, rooms);
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
  *openReportsAbout({ dialect }, { users, ...known }) {
    if (users.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT author_id, count(*) AS num FROM chat_reports AS reports
          JOIN ${knownRooms(dialect, known)} AS rooms ON rooms.num = reports.room
          WHERE ${inList(dialect, 'author_id', users)} AND closed IS NULL AND seq >= first_seq GROUP BY author_id`,
    );
    return rows.map(({ author_id, num }) => ({ user: author_id as string, reports: num as number }));
  },
  *reportsAbout(context, { user, limit, ...known }) {
    const rows = yield* ask(
      sql`${selectReports} WHERE author_id = ${user} AND seq >= first_seq AND EXISTS (
            SELECT 1 FROM ${knownRooms(context.dialect, known)} AS known WHERE known.num = reports.room)
          ORDER BY reports.num DESC LIMIT ${limit}`,
    );
    return pageOfReports(context, rows, limit).reports;
  },
};
