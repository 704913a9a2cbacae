import { ask, sql } from '../engine/dialect.ts';
import type { ReadRegistry } from '../engine/read.ts';

export const restrictionReads = {
  *restrictions() {
    const rows = yield* ask(
      sql`SELECT rooms.id AS id, user_id, restricted FROM chat_members AS members
          JOIN chat_rooms AS rooms ON rooms.num = members.room WHERE restricted_until > 0`,
    );
    return rows.map(({ id, user_id, restricted }) => ({
      room: id as string,
      user: user_id as string,
      restricted: JSON.parse(restricted as string),
    }));
  },
} satisfies Partial<ReadRegistry>;
