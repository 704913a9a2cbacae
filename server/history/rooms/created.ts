import { raw, sql } from '../engine/dialect.ts';
import { type Need, needOf, type ValueLoader, type Work } from '../engine/work.ts';
import { memberColumns, memberFrom } from '../records/member.ts';
import { isReadable, type RoomRecord } from '../records/room.ts';
import { loadedMembers } from '../rows/members.ts';

/** The IDs of the rooms that a user created, and whether the user may know of each room. */
const madeRooms: ValueLoader<{ user: string }, ReadonlyMap<string, boolean>> = {
  name: 'rooms of a maker',
  keyOf: ({ user }) => user,
  *find({ transaction }, work, needs) {
    for (const { user } of needs) {
      if (work.valuesOf(madeRooms).has(user)) continue;
      const found = yield* transaction.query(
        sql`SELECT id, kind, members.user_id AS member, ${raw(memberColumns)} FROM chat_rooms AS rooms
            LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${user}
            WHERE created_by = ${user} AND client_id IS NOT NULL`,
      );
      const made = found.map((row): [string, boolean] => {
        const member = row.member === null ? undefined : memberFrom(row);
        return [row.id as string, isReadable({ kind: row.kind as RoomRecord['kind'] }, member)];
      });
      work.valuesOf(madeRooms).set(user, new Map(made));
    }
    return [];
  },
};
export const madeRoomsNeed = (user: string): Need => needOf(madeRooms, { user });

/**
 * Counts the rooms that the user created.
 * @returns `readable`: the rooms that the user may know of. `lost`: the rooms that the user lost
 */
export function countRoomsMadeBy(work: Work, user: string): { readable: number; lost: number } {
  const made = new Map(work.value(madeRooms, { user }));
  for (const [id, room] of work.rooms) {
    if (room === null) made.delete(id);
    else if (room.row.createdBy === user && room.row.clientId !== undefined) {
      const member = loadedMembers(room).get(user);
      // A membership that is not loaded has not changed.
      if (member !== undefined || !made.has(id)) made.set(id, isReadable(room.row, member?.row));
    }
  }
  const readable = [...made.values()].filter(Boolean).length;
  return { readable, lost: made.size - readable };
}
