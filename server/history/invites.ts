import type { SiteRole } from '../wire/events.ts';
import { ask, inList, sql } from './engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from './engine/expired-rows.ts';
import { columnsOf, type ReadsOf } from './engine/read.ts';
import { type Rule, refuse } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { rowFrom, table } from './engine/table.ts';
import { rows } from './engine/work.ts';
import type { Row } from './records/columns.ts';
import { isBanned, isMember, type MemberRecord, memberFrom } from './records/member.ts';
import type { RoomRecord, RoomState } from './records/room.ts';
import { getMember, memberNeed } from './rows/members.ts';
import { isStale, requireRoom } from './rows/room-changes.ts';
import { roomNeed } from './rows/rooms.ts';
import { memberSelection, roomNumber } from './rows/select.ts';
import { findUsersById } from './users/users.ts';

/** Maximum invite links of one user to one room. */
export const mostInvites = 20;

/** Maximum invite links of one room, because all are listed at once. */
export const mostInvitesOfRoom = 200;

/**
 * Whether a link admits this user, who is not a member. It never admits a banned user. It admits a removed user only if
 * an owner or moderator created it after the removal.
 * @param of.maker the membership of the link's creator, and the creator's role on the whole site
 */
export function opens(
  { access, readmits, until, uses, used }: StoredInvite,
  {
    member,
    maker,
  }: {
    member: MemberRecord | null;
    maker: { member: MemberRecord | null; siteRole?: SiteRole };
  },
  at: number,
): boolean {
  if ((until !== undefined && until <= at) || (uses !== undefined && used >= uses)) return false;
  if (!isMember(maker.member) || isBanned(member)) return false;
  if (readmits && maker.member.role === 'member' && maker.siteRole === undefined) return false;
  return member?.removed === undefined || (readmits === 1 && access >= member.removed);
}

/** An invite link to a room. The token is not stored. */
export interface StoredInvite {
  id: string;
  room: string;
  /** The digest of the token: see `digestOf` in chat/invites.ts. */
  digest: string;
  by: string;
  /** The room's `access` when the link was created. */
  access: number;
  /** Set if an owner or moderator created the link, so that it admits users who were removed before. */
  readmits?: 1;
  at: number;
  /** Absent if it does not expire. */
  until?: number;
  /** The number of users that it admits. Absent for any number. */
  uses?: number;
  used: number;
}

export interface InviteWrites {
  /**
   * Creates an invite link. Codes: `unknown_room`, `forbidden` (not a member), `limit_reached` (the creator has
   * `mostInvites` links to the room, or the room has `mostInvitesOfRoom`).
   */
  createInvite: {
    in: { invite: Omit<StoredInvite, 'access' | 'used'>; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /** Revokes a link. No-op if its creator is not `by`. Codes: `unknown_room`. @param in.by absent for any creator */
  revokeInvite: {
    in: { room: string; id: string; by?: string; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /** Deletes links that expired before `before`. */
  forgetInvites: Forget;
}

export interface InviteReads {
  /** The links of a room, newest first. */
  invites: { in: { room: string }; out: StoredInvite[] };
  /** All links that a user created, oldest first. */
  invitesBy: { in: { user: string }; out: StoredInvite[] };
  /** The link with this digest, its room, and the data that decides whether it admits `user`: see `opens`. */
  invite: {
    in: { digest: string; user: string };
    out:
      | ({
          invite: StoredInvite;
          room: Pick<RoomRecord, 'name' | 'topic' | 'members'>;
          picture?: string;
        } & Parameters<typeof opens>[1])
      | null;
  };
}

/** The invite links. They are deleted when the creator loses the membership or the moderator role: see `putMember`. */
export const invites = table<StoredInvite>(
  'chat_invites',
  ['id'],
  {
    id: 'id',
    room: 'room',
    digest: 'digest',
    by: 'by_id',
    access: 'access',
    readmits: 'readmits',
    at: 'at',
    until: 'until',
    uses: 'uses',
    used: 'used',
  },
  { users: ['by'], without: () => ({ row: null }) },
);

const createInvite: Rule<InviteWrites['createInvite']> = {
  needs: ({ invite: { room, by } }) => [roomNeed(room), memberNeed(room, by), rows(invites, { room })],
  run(work, { invite, decidedFor }) {
    const room = requireRoom(work, invite.room);
    if (isStale(room, decidedFor)) return { stale: true };
    if (!isMember(getMember(work, room.id, invite.by))) refuse('forbidden');
    const all = work.find(invites, { room: room.id });
    if (all.filter(({ by }) => by === invite.by).length >= mostInvites) {
      refuse('limit_reached', `this user has ${mostInvites} invite links to the room: revoke one first`);
    }
    if (all.length >= mostInvitesOfRoom) {
      refuse('limit_reached', `the room has ${mostInvitesOfRoom} invite links`);
    }
    work.put(invites, { ...invite, access: room.access, used: 0 });
    return { stale: false };
  },
};

const revokeInvite: Rule<InviteWrites['revokeInvite']> = {
  needs: ({ room, id }) => [rows(invites, { room, id })],
  run(work, { room: id, id: invite, by, decidedFor }) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    const [known] = work.find(invites, { room: id, id: invite });
    if (known?.room === id && (by === undefined || known.by === by)) work.remove(invites, known);
    return { stale: false };
  },
};

const forgetInvites = forgetting(expiryOf(invites, 'until'));

const selectInvites = sql`SELECT rooms.id AS room_id, name, topic, members, tile_picture, ${columnsOf(invites, 'invites')}
  FROM chat_invites AS invites JOIN chat_rooms AS rooms ON rooms.num = invites.room`;

const inviteFrom = (row: Row) => rowFrom(invites, row, row.room_id as string);

const reads: ReadsOf<InviteReads> = {
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
    // Without such an invite, the same statements follow, so that the time of the response does not show whether it
    // exists.
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
        topic: (row.topic ?? undefined) as string | undefined,
        members: row.members as number,
      },
      picture: (row.tile_picture ?? undefined) as string | undefined,
      member: findMember(user),
      maker: {
        member: findMember(by),
        siteRole: maker?.siteRole,
      },
    };
  },
};

export const inviteSubject = subject<InviteWrites, InviteReads>({
  tables: [invites],
  rules: { createInvite, revokeInvite, forgetInvites },
  reads,
});
