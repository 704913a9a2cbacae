import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RoomSummary } from '../../../server/events.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

/**
 * Who may do what: every role × action × kind of room × source of membership of PROTOCOL.md's "Rights". One server and one
 * user of each role; each cell gets a room of its own.
 */
const key = 'an-api-key-for-tests';
let site: ChatSite;
beforeAll(async () => {
  site = await startChatSite({
    CHAT_API_KEY: key,
    CHAT_USER_ROOMS: 'rooms',
    CHAT_USER_ROLES: 'roles',
    CHAT_CREATE_ROOMS: 'all',
    CHAT_LIMIT_CREATE: '0',
    CHAT_LIMIT_INVITE: '0',
    CHAT_LIMIT_CHANGE: '0',
    CHAT_LIMIT_ROOMS_USER: '0',
  });
});
afterAll(() => site.close());

let users = 0;
async function user(over: object = {}): Promise<ChatClient & { id: string }> {
  const id = `rights-${users++}`;
  const cookie = await site.rawSession(JSON.stringify({ user_id: id, firstname: id, ...over }));
  return Object.assign(await connectChat(site.chat.url, cookie), { id });
}

async function api(method: string, path: string, body?: object): Promise<number> {
  const answer = await fetch(`${site.chat.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.status;
}

type Role = 'admin' | 'site moderator' | 'owner' | 'moderator' | 'member' | 'stranger';
type Kind = 'public' | 'private';
const actions = ['send', 'invite', 'update', 'remove', 'moderate', 'roles', 'delete', 'leave'] as const;
type Action = (typeof actions)[number];

/** What PROTOCOL.md says, spelled out: the actions that are allowed. A stranger is no member. */
const allowed: Record<Kind, Record<Role, readonly Action[] | 'unknown_room'>> = {
  public: {
    admin: ['send', 'update', 'remove', 'moderate', 'roles', 'delete', 'leave'],
    'site moderator': ['send', 'update', 'remove', 'moderate', 'leave'],
    owner: ['send', 'update', 'remove', 'moderate', 'roles', 'delete', 'leave'],
    moderator: ['send', 'update', 'remove', 'moderate', 'leave'],
    member: ['send', 'leave'],
    // Joining makes members of them.
    stranger: ['send', 'leave'],
  },
  private: {
    admin: ['send', 'invite', 'update', 'remove', 'moderate', 'roles', 'delete', 'leave'],
    'site moderator': ['send', 'invite', 'update', 'remove', 'moderate', 'leave'],
    owner: ['send', 'invite', 'update', 'remove', 'moderate', 'roles', 'delete', 'leave'],
    moderator: ['send', 'invite', 'update', 'remove', 'moderate', 'leave'],
    member: ['send', 'invite', 'leave'],
    stranger: 'unknown_room',
  },
};

interface Cell {
  room: string;
  actor: ChatClient & { id: string };
  /** A plain member, whom every action is about. */
  other: ChatClient & { id: string };
}

async function cell(role: Role, kind: Kind): Promise<Cell> {
  const siteRoles = role === 'admin' ? ['admin'] : role === 'site moderator' ? 'moderator' : undefined;
  const actor = await user(siteRoles === undefined ? {} : { roles: siteRoles });
  const maker = role === 'owner' ? actor : await user();
  const other = await user();
  const { room } = await maker.request('room:create', { name: newClientId(), kind, clientId: newClientId() });
  const members = role === 'stranger' ? [other] : [actor, other];
  for (const one of members) {
    if (one === maker) continue;
    if (kind === 'private') await maker.request('room:invite', { room: room.id, users: [one.id] });
    else await one.request('room:join', { room: room.id });
  }
  if (role === 'moderator')
    await maker.request('room:role', { room: room.id, user: actor.id, role: 'moderator' });
  await other.request('room:join', { room: room.id });
  await other.request('message:send', { room: room.id, text: 'of another', clientId: newClientId() });
  return { room: room.id, actor, other };
}

async function attempt({ room, actor, other }: Cell, action: Action): Promise<string> {
  const code = async (event: string, payload: object) => {
    const answer = await actor.raw(event, payload);
    return answer.ok ? 'ok' : answer.error.code;
  };
  const joined = await code('room:join', { room });
  if (joined !== 'ok') return joined;
  switch (action) {
    case 'send':
      return code('message:send', { room, text: 'x', clientId: newClientId() });
    case 'invite':
      return code('room:invite', { room, users: ['somebody'] });
    case 'update':
      return code('room:update', { room, topic: 'new' });
    case 'remove':
      return code('room:remove', { room, user: other.id });
    case 'moderate':
      return code('message:delete', { room, seq: 1 });
    case 'roles':
      return code('room:role', { room, user: other.id, role: 'moderator' });
    case 'delete':
      return code('room:delete', { room });
    case 'leave':
      return code('room:remove', { room, user: actor.id });
  }
}

describe.each(['public', 'private'] as const)('in a %s room that a user made', (kind) => {
  describe.each(Object.keys(allowed[kind]) as Role[])('somebody who is %s', (role) => {
    test.each(actions)('asks to %s', async (action) => {
      const may = allowed[kind][role];
      const expected = may === 'unknown_room' ? may : may.includes(action) ? 'ok' : 'forbidden';
      expect(await attempt(await cell(role, kind), action)).toBe(expected);
    });

    test('is told so by `may`', async () => {
      const { room, actor } = await cell(role, kind);
      const may = allowed[kind][role];
      const answer = await actor.raw('room:join', { room });
      if (may === 'unknown_room') return expect(answer).toMatchObject({ error: { code: 'unknown_room' } });
      expect(answer).toMatchObject({ ok: true, data: { room: { may } } });
    });
  });
});

test.each([
  ['member', 'owner', 'forbidden'],
  ['moderator', 'owner', 'forbidden'],
  ['moderator', 'moderator', 'forbidden'],
  ['owner', 'moderator', 'ok'],
  ['owner', 'site moderator', 'forbidden'],
  ['site moderator', 'owner', 'ok'],
  ['site moderator', 'site moderator', 'forbidden'],
  ['site moderator', 'admin', 'forbidden'],
  ['admin', 'site moderator', 'ok'],
  ['admin', 'admin', 'forbidden'],
] as const)('%s removes %s: %s', async (actorRole, targetRole, expected) => {
  const siteRole = { admin: { roles: 'admin' }, 'site moderator': { roles: 'moderator' } } as Record<
    string,
    object
  >;
  const owner = await user();
  const actor = actorRole === 'owner' ? owner : await user(siteRole[actorRole]);
  const target = targetRole === 'owner' ? owner : await user(siteRole[targetRole]);
  const { room } = await owner.request('room:create', {
    name: 'ranks',
    kind: 'private',
    members: [actor.id, target.id].filter((id) => id !== owner.id),
    clientId: newClientId(),
  });
  for (const [one, role] of [
    [actor, actorRole],
    [target, targetRole],
  ] as const) {
    if (role === 'moderator') await owner.request('room:role', { room: room.id, user: one.id, role });
  }
  const ask = async () => {
    const answer = await actor.raw('room:remove', { room: room.id, user: target.id });
    return answer.ok ? 'ok' : answer.error.code;
  };
  // Whether the target is here or not: the role on the site is remembered.
  target.close();
  expect(await ask()).toBe(expected);
});

describe('a membership from', () => {
  const roomOf = (client: ChatClient, id: string): RoomSummary | undefined =>
    client.ready.rooms.find((room) => room.id === id);

  test('the session: neither left nor taken away by people; no owner; gone with the session’s list', async () => {
    const id = `team-${newClientId()}`;
    const moderator = await user({ rooms: [id], roles: 'moderator' });
    const member = await user({ rooms: { [id]: 'The team' } });
    expect(roomOf(member, id)).toMatchObject({ kind: 'private', role: 'member', may: ['send', 'invite'] });
    const refused = async (client: ChatClient, event: string, payload: object) =>
      expect(await client.raw(event, payload)).toMatchObject({ error: { code: 'forbidden' } });
    await refused(member, 'room:remove', { room: id, user: member.id });
    await refused(moderator, 'room:remove', { room: id, user: member.id });
    const admin = await user({ rooms: [id], roles: 'admin' });
    await refused(admin, 'room:role', { room: id, user: member.id, role: 'owner' });
    await admin.request('room:role', { room: id, user: member.id, role: 'moderator' });
  });

  test('the API: not left by the user, and kept when the session loses the room', async () => {
    const id = `club-${newClientId()}`;
    expect(await api('PUT', `/rooms/${id}`, { name: 'Club', kind: 'private' })).toBe(201);
    const member = await user();
    expect(await api('PATCH', `/rooms/${id}/members`, { add: [member.id] })).toBe(200);
    await expect.poll(() => member.events.some(({ name }) => name === 'room:added')).toBe(true);
    expect(await member.raw('room:remove', { room: id, user: member.id })).toMatchObject({
      error: { code: 'forbidden' },
    });
    expect(await api('PATCH', `/rooms/${id}/members`, { remove: [member.id] })).toBe(200);
    await expect
      .poll(() => member.events.at(-1))
      .toEqual({ name: 'room:removed', payload: { room: id, readable: false, reason: 'site' } });
    expect(await member.raw('room:join', { room: id })).toMatchObject({ error: { code: 'unknown_room' } });
  });
});
