import { beforeAll, describe, expect, test } from 'vitest';
import type { RoomSummary } from '../../../server/wire/events.ts';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import { closedAfterEach, codeOf, type Person, say, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

/**
 * Tests every role × action × kind of room × source of membership (docs/protocol.md, "Rights") on one server, with a
 * room for each role.
 */
const site = sharedSite(() => startPeopleHere({ CHAT_CREATE_ROOMS: 'all' }));
/** Sees the reports of all rooms. */
let overseer: Person;
/** A user who creates rooms, and the target of every action. */
let [maker, other]: [Person, Person] = [] as never;
beforeAll(async () => {
  overseer = await site.person({ roles: 'admin' });
  [maker, other] = await site.people(2);
});

const inTest = closedAfterEach();
const user = async (session?: object): Promise<Person> => inTest(await site.person(session));
const api = async (method: string, path: string, body?: object) =>
  (await site.api(method, path, body)).status;

type Role = 'admin' | 'site moderator' | 'owner' | 'moderator' | 'member' | 'stranger';
const actions = [
  'send',
  'invite',
  'update',
  'remove',
  'moderate',
  'pin',
  'roles',
  'delete',
  'leave',
] as const;
type Action = (typeof actions)[number];
type Rights = Record<Role, readonly Action[]>;

/** The allowed actions by the rules of docs/protocol.md. A stranger is not a member. */
const inPublic: Rights = {
  admin: ['send', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave'],
  'site moderator': ['send', 'update', 'remove', 'moderate', 'pin', 'leave'],
  owner: ['send', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave'],
  moderator: ['send', 'update', 'remove', 'moderate', 'pin', 'leave'],
  member: ['send', 'leave'],
  // They become members by joining.
  stranger: ['send', 'leave'],
};
const inPrivate: Rights = {
  admin: ['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave'],
  'site moderator': ['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'leave'],
  owner: ['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave'],
  moderator: ['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'leave'],
  member: ['send', 'invite', 'leave'],
  stranger: [],
};
/** Members added by the session or the API cannot leave. Strangers were not added. */
const kept = (rights: Rights): Rights => {
  const { stranger, ...others } = rights;
  const cut = Object.entries(others).map(([role, may]) => [role, may.filter((action) => action !== 'leave')]);
  return { ...(Object.fromEntries(cut) as Omit<Rights, 'stranger'>), stranger };
};

interface Place {
  title: string;
  private: boolean;
  rights: Rights;
  /** Whether it can have an owner. */
  owned: boolean;
  /** Creates the room, with the actor as a member unless it is a stranger. `boss` may invite and assign roles. */
  make(role: Role, session: object): Promise<{ room: string; actor: Person; boss: Person }>;
}

const siteRole: Partial<Record<Role, string>> = { admin: 'admin', 'site moderator': 'moderator' };
const roles = (role: Role) => (siteRole[role] === undefined ? {} : { roles: siteRole[role] });

const peopleRoom = (kind: 'public' | 'private') => async (role: Role, session: object) => {
  const actor = await user(session);
  const boss = role === 'owner' ? actor : maker;
  const { id: room } = await site.den(boss, [], { name: newClientId(), kind });
  if (actor !== boss && role !== 'stranger') {
    if (kind === 'private') await boss.request('room:invite', { room, users: [actor.id] });
    else await actor.request('room:join', { room });
  }
  return { room, actor, boss };
};

const places: readonly Place[] = [
  {
    title: 'a public room that a user made',
    private: false,
    rights: inPublic,
    owned: true,
    make: peopleRoom('public'),
  },
  {
    title: 'a private room that a user made',
    private: true,
    rights: inPrivate,
    owned: true,
    make: peopleRoom('private'),
  },
  {
    title: 'a private room of the session',
    private: true,
    rights: kept(inPrivate),
    owned: false,
    async make(role, session) {
      const room = `team-${newClientId()}`;
      const boss = await user({ roles: 'admin', rooms: [room] });
      const rooms = role === 'stranger' ? [] : { [room]: 'The team' };
      return { room, actor: await user({ ...session, rooms }), boss };
    },
  },
];

/** Creates the room, with `other` as a plain member and two messages. */
async function cell(place: Place, role: Role) {
  const { room, actor, boss } = await place.make(role, roles(role));
  if (role === 'moderator') await boss.request('room:role', { room, user: actor.id, role: 'moderator' });
  if (place.private) await boss.request('room:invite', { room, users: [other.id] });
  await other.request('room:join', { room });
  for (const text of ['of another', 'to pin']) await say(other, room, text);
  return { room, actor, boss, other };
}

/** Tries what needs no right in the table: requests of all readers, and the reports that moderators see. */
async function takePart({ room, actor, boss }: Awaited<ReturnType<typeof cell>>) {
  const by = (client: Person) => client.raw('message:report', { room, seq: 1, reason: 'spam' });
  const ask = (event: string, payload: object) => codeOf(actor, event, { room, seq: 1, ...payload });
  const codes = new Set([
    await ask('message:reactions', { emoji: '👍' }),
    await ask('message:report', { reason: 'spam' }),
  ]);
  const reacted = ask('message:react', { emoji: '👍', on: true });
  // The actor's next request stores the reaction at once.
  await ask('message:delete', {});
  codes.add(await reacted);
  // The report of `boss` exists even if the actor may not report.
  await by(boss);
  const { reports } = await overseer.request('report:list', {});
  const id = reports.find((report) => report.room === room)?.id ?? '';
  const answer = await actor.raw('report:list', {});
  const listed = answer.ok ? (answer.data as { reports: typeof reports }).reports : [];
  return {
    inRoom: [...codes].join(),
    upload: await site.mayUpload(actor, room),
    seesReports: listed.some((report) => report.id === id),
    closes: await codeOf(actor, 'report:close', { id, done: 'nothing' }),
  };
}

async function attempt(
  { room, actor, other }: Pick<Awaited<ReturnType<typeof cell>>, 'room' | 'actor' | 'other'>,
  action: Action,
): Promise<string> {
  const restrictAndLift = (kind: 'mute' | 'ban'): [string, object][] => [
    [`room:${kind}`, { user: other.id, seconds: 60 }],
    [`room:${kind}`, { user: other.id, seconds: 0 }],
  ];
  const requests: Record<Action, [string, object] | [string, object][]> = {
    send: [
      ['message:send', { text: 'x', clientId: newClientId() }],
      ['message:forward', { from: { room, seq: 2 }, clientId: newClientId() }],
    ],
    invite: [
      ['room:invite', { users: ['somebody'] }],
      ['invite:create', {}],
      ['invite:list', {}],
      ['invite:revoke', { id: 'none' }],
    ],
    update: ['room:update', { topic: 'new', write: 'all', slow: 0 }],
    remove: ['room:remove', { user: other.id }],
    pin: [
      ['message:pin', { seq: 2 }],
      ['message:unpin', { seq: 2 }],
    ],
    moderate: [
      ['message:unpreview', { seq: 1 }],
      ['message:delete', { seq: 1 }],
      ...restrictAndLift('mute'),
      ...restrictAndLift('ban'),
      ['room:restricted', {}],
    ],
    roles: ['room:role', { user: other.id, role: 'moderator' }],
    delete: ['room:delete', {}],
    leave: ['room:remove', { user: actor.id }],
  };
  const attempts = requests[action];
  const codes: string[] = [];
  for (const [event, payload] of (Array.isArray(attempts[0]) ? attempts : [attempts]) as [string, object][]) {
    codes.push(await codeOf(actor, event, { room, ...payload }));
  }
  return [...new Set(codes)].join();
}

describe.each(places)('in $title', (place) => {
  const known = Object.keys(place.rights).filter((role) => place.owned || role !== 'owner') as Role[];
  test.each(known)('gives the role %s exactly the rights in the table', async (role) => {
    const may = place.rights[role];
    const hidden = place.private && role === 'stranger';
    const attempts = async (here: Awaited<ReturnType<typeof cell>>, tried: readonly Action[]) => {
      for (const action of tried) {
        const expected = hidden ? 'unknown_room' : may.includes(action) ? 'ok' : 'forbidden';
        expect([action, await attempt(here, action)]).toEqual([action, expected]);
      }
    };
    const here = await cell(place, role);
    const joined = await here.actor.raw('room:join', { room: here.room });
    if (hidden) expect(joined).toMatchObject({ error: { code: 'unknown_room' } });
    else expect(joined).toMatchObject({ ok: true, data: { room: { may } } });
    const moderates = may.includes('moderate');
    expect(await takePart(here)).toEqual({
      inRoom: hidden ? 'unknown_room' : 'ok',
      upload: hidden ? 'unknown_room' : 'ok',
      seesReports: moderates,
      // Users who may not see a report cannot find out that it exists.
      closes: moderates ? 'ok' : 'unknown_message',
    });
    // This order keeps the preconditions of later actions. A deletion needs its own room, so that the actor can leave
    // the first.
    await attempts(here, ['send', 'invite', 'update', 'pin', 'moderate', 'roles', 'remove']);
    if (!may.includes('delete')) return attempts(here, ['delete', 'leave']);
    await attempts(await cell(place, role), ['delete']);
    await attempts(here, ['leave']);
  });
});

test.each(['member', 'admin', 'stranger'] as const)(
  'lets the two users of a direct room only send and pin, and hides it from others: %s',
  async (role) => {
    const actor = await user(role === 'admin' ? { roles: 'admin' } : {});
    const opener = role === 'stranger' ? maker : actor;
    const { room } = await opener.request('direct:open', { user: other.id });
    await opener.request('room:join', { room: room.id });
    await say(opener, room.id);
    await other.request('room:join', { room: room.id });
    const { seq } = await say(other, room.id);
    if (role !== 'stranger') {
      expect((await actor.request('room:join', { room: room.id })).room.may).toEqual(['send', 'pin']);
    }
    for (const action of actions) {
      const code =
        action === 'moderate'
          ? await codeOf(actor, 'message:delete', { room: room.id, seq })
          : await attempt({ room: room.id, actor: actor, other }, action);
      const expected =
        role === 'stranger' ? 'unknown_room' : action === 'send' || action === 'pin' ? 'ok' : 'forbidden';
      expect([action, code]).toEqual([action, expected]);
    }
  },
);

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
] as const)('%s removes, mutes or bans %s: %s', async (actorRole, targetRole, expected) => {
  const owner = await user();
  const actor = actorRole === 'owner' ? owner : await user(roles(actorRole));
  const target = targetRole === 'owner' ? owner : await user(roles(targetRole));
  const members = [actor, target].filter((client) => client !== owner);
  const room = await site.den(owner, members);
  for (const [client, role] of [
    [actor, actorRole],
    [target, targetRole],
  ] as const) {
    if (role === 'moderator') await owner.request('room:role', { room: room.id, user: client.id, role });
  }
  const ask = async () => {
    const codes: string[] = [];
    for (const event of ['room:mute', 'room:ban', 'room:remove']) {
      codes.push(await codeOf(actor, event, { room: room.id, user: target.id }));
    }
    return [...new Set(codes)].join();
  };
  // The site role is stored, so the target need not be connected.
  target.close();
  expect(await ask()).toBe(expected);
});

describe('membership', () => {
  const roomOf = (client: ChatClient, id: string): RoomSummary | undefined =>
    client.ready.rooms.find((room) => room.id === id);

  test('from the session cannot be ended by any user of the chat', async () => {
    const id = `team-${newClientId()}`;
    const moderator = await user({ rooms: [id], roles: 'moderator' });
    const member = await user({ rooms: { [id]: 'The team' } });
    expect(roomOf(member, id)).toMatchObject({ kind: 'private', role: 'member', may: ['send', 'invite'] });
    const refused = async (client: ChatClient, event: string, payload: object) =>
      expect(await codeOf(client, event, payload)).toBe('forbidden');
    await refused(member, 'room:remove', { room: id, user: member.id });
    await refused(moderator, 'room:remove', { room: id, user: member.id });
    const admin = await user({ rooms: [id], roles: 'admin' });
    await refused(admin, 'room:role', { room: id, user: member.id, role: 'owner' });
    await admin.request('room:role', { room: id, user: member.id, role: 'moderator' });
  });

  test('from the API can be ended only by the API', async () => {
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
