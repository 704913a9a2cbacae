import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Chat } from '../../../server/chat/chat.ts';
import { connectUser, disconnectUser } from '../../../server/chat/connected-users.ts';
import { type History, methods } from '../../../server/history/history.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { hanging } from '../../helpers/hanging.ts';
import { nameOf, roomsOf } from '../../helpers/rooms-of.ts';

/** A returning user is read from the history again only if data about the user has changed. */
let history: History;
let chat: Chat;
let close: () => Promise<void>;
let rooms: ReturnType<typeof roomsOf>;
/** IDs of users who were read from the history. */
const readUsers = new Set<string>();
/** Delays the reads of users, by ID. */
const held = new Map<string, Promise<void>>();
let connections = 0;
const at = 1_700_000_000_000;

beforeAll(async () => {
  ({ chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const answer = await stored.read[query](input);
      if (query !== 'user' && query !== 'partner') return answer;
      const { user: id } = input as { user: string };
      readUsers.add(id);
      await held.get(id);
      return answer;
    }),
  })));
  rooms = roomsOf(history, at);
});
afterAll(() => close());

const connect = (id: string) =>
  connectUser(chat, `c${connections++}`, { ...nameOf(id), roles: [], rooms: [] });

async function gone(id: string): Promise<void> {
  await vi.waitUntil(() => chat.directory.person(id) === undefined, { timeout: hanging });
  readUsers.delete(id);
}

/** Connects, disconnects, and waits until the chat has dropped the user. */
async function visit(id: string): Promise<void> {
  disconnectUser(chat, await connect(id));
  await gone(id);
}

/** Returns the chat's data of a connected user. */
function known(id: string) {
  const person = chat.directory.person(id);
  const memberships = [...(person?.memberships.values() ?? [])].map(({ room, member }) => ({
    room: room.record,
    member,
  }));
  return { user: person?.user, memberships: memberships.sort((a, b) => (a.room.id < b.room.id ? -1 : 1)) };
}

async function stored(id: string) {
  const { user, memberships } = await history.read.user({ user: id });
  const sorted = memberships.map(({ room, member }) => ({ room, member }));
  return { user, memberships: sorted.sort((a, b) => (a.room.id < b.room.id ? -1 : 1)) };
}

const say = (room: string, by: string, over: object = {}) => rooms.say(room, by, 'news', over);

/** Creates a private room of `owner`, who stays connected so that the room stays in memory. */
async function den(id: string, owner: string, members: string[]): Promise<void> {
  await connect(owner);
  await rooms.den(id, [owner, ...members]);
  await say(id, owner);
}

describe.concurrent('a returning user', () => {
  test('is restored from memory with the current state of the rooms', async () => {
    await den('u-ann', 'owner-1', ['ann']);
    await visit('ann');
    await say('u-ann', 'owner-1');
    await connect('ann');
    expect(readUsers.has('ann')).toBe(false);
    expect(known('ann').memberships).toMatchObject([{ room: { id: 'u-ann', lastSeq: 2 } }]);
    expect(known('ann')).toEqual(await stored('ann'));
    const person = chat.directory.person('ann');
    expect([...(person?.memberships.get('u-ann')?.room.here ?? [])]).toContain(person);
  });

  const changesWhileAway: { [title: string]: (id: string) => Promise<unknown> } = {
    'was removed from a room': (id) => rooms.remove(`u-${id}`, id),
    'was invited to another room': (id) => den(`u-other-${id}`, `owner-of-other-${id}`, [id]),
    'got another role': (id) => history.write.setRole({ room: `u-${id}`, user: id, role: 'moderator' }),
    'chose other notifications': (id) =>
      history.write.setPreferences({ room: `u-${id}`, user: id, set: { notify: 'none' } }),
    'read a room elsewhere': (id) => history.write.markRead({ room: `u-${id}`, user: id, seq: 1 }),
    'wrote elsewhere': (id) => say(`u-${id}`, id),
    'had a room deleted': (id) => history.write.deleteRoom({ room: `u-${id}` }),
  };

  test.each(Object.entries(changesWhileAway))(
    'who %s while away matches the stored data',
    async (title, change) => {
      const id = title.replaceAll(' ', '-');
      await den(`u-${id}`, `owner-of-${id}`, [id]);
      await visit(id);
      const before = await stored(id);
      await change(id);
      const now = await stored(id);
      expect(now.memberships).not.toEqual(before.memberships);
      await connect(id);
      expect(known(id)).toEqual(now);
    },
  );

  test('sees a direct room as stored after the peer left a shared room', async () => {
    const { room } = await history.write.openDirect({ id: 'd-2', by: nameOf('pat'), other: 'quin', at });
    await say(room.id, 'pat');
    await connect('quin');
    await den('u-both', 'owner-of-both', ['pat', 'quin']);
    await say('u-both', 'quin');
    await visit('pat');
    await rooms.remove('u-both', 'quin');
    await connect('pat');
    const { memberships } = await history.read.user({ user: 'pat' });
    const direct = memberships.find((membership) => membership.room.id === room.id);
    expect(direct?.partner?.shares).toBe(false);
    expect(chat.directory.room(room.id)?.partners.get('quin')?.shares).toBe(false);
  });

  test('is read again if a room is no longer in memory', async () => {
    await rooms.den('u-alone', ['gus']);
    await visit('gus');
    await say('u-alone', 'site', { asMember: false });
    await connect('gus');
    expect(readUsers.has('gus')).toBe(true);
    expect(known('gus')).toEqual(await stored('gus'));
  });
});
