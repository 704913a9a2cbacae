import { sql } from '../engine/dialect.ts';
import { rows } from '../engine/work.ts';
import { acted, type InviteWrites, isMember, mostInvites, mostInvitesOfRoom, opens } from '../history.ts';
import { getMember, memberNeed } from '../members/loaded.ts';
import { lastMessageNeed } from '../messages/loaded.ts';
import { getUser } from '../people/loaded.ts';
import { getRoom, roomNeed } from '../rooms/loaded.ts';
import { invites } from '../tables.ts';
import { add, existing, isStale, peopleIn, refuse, rename } from './room-changes.ts';
import type { Rule } from './rule.ts';
export const createInvite: Rule<InviteWrites['createInvite']> = {
  needs: ({ invite: { room, by } }) => [roomNeed(room), memberNeed(room, by), rows(invites, { room })],
  run(work, { invite, decidedFor }) {
    const room = existing(work, invite.room);
    if (isStale(room, decidedFor)) return { stale: true };
    if (!isMember(getMember(work, room.id, invite.by))) refuse('forbidden');
    const all = work.find(invites, { room: room.id });
    if (all.filter(({ by }) => by === invite.by).length >= mostInvites) {
      refuse('limit_reached', `this user has ${mostInvites} invite links to the room: turn one off first`);
    }
    if (all.length >= mostInvitesOfRoom) {
      refuse('limit_reached', `the room has ${mostInvitesOfRoom} invite links`);
    }
    work.put(invites, { ...invite, access: room.access, used: 0 });
    return { stale: false };
  },
};

export const revokeInvite: Rule<InviteWrites['revokeInvite']> = {
  needs: ({ room, id }) => [rows(invites, { room, id })],
  run(work, { room: id, id: invite, by, decidedFor }) {
    const room = existing(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    const [known] = work.find(invites, { room: id, id: invite });
    if (known?.room === id && (by === undefined || known.by === by)) work.remove(invites, known);
    return { stale: false };
  },
};

export const acceptInvite: Rule<InviteWrites['acceptInvite']> = {
  needs: ({ room, id, by, user }) => [
    lastMessageNeed(room),
    ...peopleIn(room, [user.id, by]),
    rows(invites, { room, id }),
  ],
  run(work, { room: id, id: invite, by, user, most, at }, changes) {
    const room = getRoom(work, id) ?? refuse('unknown_invite');
    const [link] = work.find(invites, { room: id, id: invite });
    if (link === undefined || link.room !== id || link.by !== by) refuse('unknown_invite');
    const member = getMember(work, id, user.id) ?? null;
    if (isMember(member)) return {};
    const { siteRole } = getUser(work, by) ?? {};
    const maker = {
      member: getMember(work, id, by) ?? null,
      ...(siteRole === undefined ? {} : { siteRole }),
    };
    if (!opens(link, { member, maker }, at)) refuse('unknown_invite');
    if (most > 0 && room.members >= most) refuse('limit_reached');
    work.put(invites, { ...link, used: link.used + 1 });
    rename(work, user, changes);
    add(work, room, user, { source: 'people', role: 'member', acted: acted.joined, at }, changes);
    return {};
  },
};

export const forgetInvites: Rule<InviteWrites['forgetInvites']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_invites WHERE until < ${before}`);
    return {};
  },
};
