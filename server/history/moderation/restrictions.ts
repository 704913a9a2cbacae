import { ask, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { RestrictionReads } from '../history.ts';

export const restrictionReads: ReadsOf<RestrictionReads> = {
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
};
