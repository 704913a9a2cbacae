import { ask, inList, sql } from './engine/dialect.ts';
import { columnsOf, type ReadsOf } from './engine/read.ts';
import type { InviteReads } from './history.ts';
import { memberSelection } from './members/members.ts';
import { findUsersById } from './people/users.ts';
import { roomNumber } from './rooms/rooms.ts';
import { memberFrom } from './rows.ts';
import { invites, type Row, rowFrom } from './tables.ts';

const selectInvites = sql`SELECT rooms.id AS room_id, name, topic, members, ${columnsOf(invites, 'invites')}
  FROM chat_invites AS invites JOIN chat_rooms AS rooms ON rooms.num = invites.room`;

const inviteFrom = (row: Row) => rowFrom(invites, row, row.room_id as string);

export const inviteReads: ReadsOf<InviteReads> = {
  *invites(_, { room }) {
    const rows = yield* ask(sql`${selectInvites} WHERE rooms.id = ${room} ORDER BY at DESC, invites.id`);
    return rows.map(inviteFrom);
  },
  *invitesBy(_, { user }) {
    const rows = yield* ask(sql`${selectInvites} WHERE by_id = ${user} ORDER BY at, invites.id`);
    return rows.map(inviteFrom);
  },
  *invite({ dialect }, { digest, user }) {
    const [row] = yield* ask(sql`${selectInvites} WHERE digest = ${digest}`);
    // The same statements follow if there is no such invite, so that the time of the response does not show it.
    const invite = row && inviteFrom(row);
    const { room = '', by = '' } = invite ?? {};
    const members = yield* ask(
      sql`SELECT user_id, ${memberSelection} FROM chat_members WHERE room = ${roomNumber(room)} AND ${inList(dialect, 'user_id', [user, by])}`,
    );
    const maker = (yield* findUsersById(dialect, [by])).get(by);
    if (row === undefined || invite === undefined) return null;
    const findMember = (id: string) => {
      const member = members.find(({ user_id }) => user_id === id);
      return member === undefined ? null : memberFrom(member);
    };
    return {
      invite,
      room: {
        name: row.name as string,
        ...(row.topic === null ? {} : { topic: row.topic as string }),
        members: row.members as number,
      },
      member: findMember(user),
      maker: {
        member: findMember(by),
        ...(maker?.siteRole === undefined ? {} : { siteRole: maker.siteRole }),
      },
    };
  },
};
