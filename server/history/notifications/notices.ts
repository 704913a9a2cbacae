import { ask, sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { NoticeReads } from '../history.ts';
import { notices } from '../tables.ts';

export const noticeReads: ReadsOf<NoticeReads> = {
  *notices(_, { user }) {
    const [stored = {}] = yield* findRows(notices, sql`WHERE user_id = ${user}`);
    const [active] = yield* ask(sql`SELECT at FROM chat_active WHERE user_id = ${user}`);
    const notified = yield* ask(
      sql`SELECT rooms.id AS room_id, at, at_before FROM chat_notified AS notified
          JOIN chat_rooms AS rooms ON rooms.num = notified.room WHERE user_id = ${user}`,
    );
    const [last] = yield* ask(sql`SELECT at FROM chat_last_notified WHERE user_id = ${user}`);
    return {
      notices: stored,
      ...(active && { activeAt: active.at as number }),
      notified: notified.map(({ room_id, at, at_before }) => ({
        room: room_id as string,
        at: at as number,
        ...(at_before === null ? {} : { before: at_before as number }),
      })),
      ...(last && { lastNotified: last.at as number }),
    };
  },
  *concernedMembers(_, { room, everyone, after, limit }) {
    // In private and direct rooms members are notified of each message by default.
    const wants = everyone
      ? sql`(members.notify IS NULL OR members.notify <> 'none')`
      : sql`(members.notify = 'all' OR (members.notify IS NULL AND kind <> 'public'))`;
    const rows = yield* ask(
      sql`SELECT members.user_id AS user_id FROM chat_rooms AS rooms
          JOIN chat_members AS members ON members.room = rooms.num
          WHERE rooms.id = ${room} AND sources <> 0 AND members.user_id > ${after}
            AND read_seq < last_seq AND ${wants}
            AND (EXISTS (SELECT 1 FROM chat_devices AS devices WHERE devices.user_id = members.user_id) OR NOT EXISTS (
              SELECT 1 FROM chat_notified AS notified WHERE notified.room = members.room
                AND notified.user_id = members.user_id AND notified.at >= coalesce(
                  (SELECT active.at FROM chat_active AS active WHERE active.user_id = members.user_id), 0)))
          ORDER BY members.user_id LIMIT ${limit}`,
    );
    const users = rows.map(({ user_id }) => user_id as string);
    const next = users.length === limit ? users.at(-1) : undefined;
    return { users, ...(next === undefined ? {} : { next }) };
  },
};
