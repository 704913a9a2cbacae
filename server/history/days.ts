import { ask, inList, sql } from './engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from './engine/expired-rows.ts';
import type { ReadsOf } from './engine/read.ts';
import { subject } from './engine/subject.ts';
import { table } from './engine/table.ts';
import type { Work } from './engine/work.ts';
import type { RoomRow } from './records/room.ts';
import { type KnownRooms, knownRooms } from './rows/select.ts';

/** Returns the number of the day of a time in Unix ms, by UTC. */
export const dayOf = (at: number): number => Math.floor(at / (24 * 60 * 60 * 1000));

export interface DayWrites {
  /** Deletes the message counts of the days before `before`. */
  forgetDays: Forget;
}

export interface DayReads {
  /** The number of messages sent in these rooms, by day, from day `from` on. Days without messages are left out. */
  messagesByDay: { in: KnownRooms & { from: number }; out: { day: number; messages: number }[] };
  /** The number of messages sent in each of these rooms from day `from` on. Unknown rooms are left out. */
  messagesIn: { in: { rooms: readonly string[]; from: number }; out: { room: string; messages: number }[] };
}

/** The number of messages sent, by room and day. The row of the room has the count of its last day. */
export const days = table<{ room: string; day: number; messages: number }>('chat_days', ['room', 'day'], {
  room: 'room',
  day: 'day',
  messages: 'sent',
});

/**
 * Returns the message count of the room's last day, after adding a message sent at `at`. On a new day it stores the
 * count of the former last day. If the clock was set back, the message counts for the last day.
 */
export function withOneMore(work: Work, { id, sent }: RoomRow, at: number): NonNullable<RoomRow['sent']> {
  const day = dayOf(at);
  if (sent === undefined) return { day, messages: 1 };
  if (sent.day >= day) return { ...sent, messages: sent.messages + 1 };
  work.put(days, { room: id, day: sent.day, messages: sent.messages });
  return { day, messages: 1 };
}

const forgetDays = forgetting(expiryOf(days, 'day', (before) => sql`day < ${dayOf(before)}`));

const reads: ReadsOf<DayReads> = {
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

export const daySubject = subject<DayWrites, DayReads>({
  tables: [days],
  rules: { forgetDays },
  reads,
});
