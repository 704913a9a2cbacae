import { ask, inList, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { DayReads } from '../history.ts';
import { knownRooms } from './rooms.ts';

export const dayReads: ReadsOf<DayReads> = {
  *messagesByDay({ dialect }, { from, ...known }) {
    const rooms = knownRooms(dialect, known);
    const rows = yield* ask(
      sql`SELECT day, sum(sent) AS num FROM (
            SELECT days.day AS day, days.sent AS sent FROM chat_days AS days JOIN ${rooms} AS rooms ON rooms.num = days.room
              WHERE days.day >= ${from}
            UNION ALL SELECT day, sent FROM ${rooms} AS rooms WHERE day >= ${from}) AS found
          GROUP BY day ORDER BY day`,
    );
    return rows.map(({ day, num }) => ({ day: day as number, messages: Number(num) }));
  },
  *messagesIn({ dialect }, { rooms, from }) {
    if (rooms.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT id, coalesce(CASE WHEN day >= ${from} THEN sent END, 0)
            + coalesce((SELECT sum(days.sent) FROM chat_days AS days WHERE days.room = rooms.num AND days.day >= ${from}), 0) AS num
          FROM chat_rooms AS rooms WHERE ${inList(dialect, 'id', rooms)} ORDER BY rooms.num`,
    );
    return rows.map(({ id, num }) => ({ room: id as string, messages: Number(num) }));
  },
};
