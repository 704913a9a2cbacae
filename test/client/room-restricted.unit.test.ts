import { expect, test } from 'vitest';
import { RoomRestricted } from '../../client/src/chat/room-restricted.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import type { RoomSummary } from '../../server/wire/events.ts';
import { answeredByTest, roomOf } from './room-requests.ts';

const by = { id: '1', name: 'Ann' };
const [ben, cid] = [
  { id: '2', name: 'Ben' },
  { id: '3', name: 'Cid' },
];

function start(may: RoomSummary['may']) {
  const { asked, connection } = answeredByTest<'room:restricted'>();
  const room = roomOf('r', may);
  const restricted = new RoomRestricted(connection, new Tasks(), room, () => {});
  restricted.ready();
  const banned = () => restricted.banned.map(({ user }) => user.id);
  return { asked, room, restricted, banned };
}

test('all pages of mutes and bans are loaded, without expired ones', async () => {
  const { asked, restricted, banned } = start(['send', 'moderate']);
  await asked[0]?.answer({ users: [{ user: ben, kind: 'muted', by }], next: 'n' });
  expect(restricted.mute('2')).toBeUndefined();
  expect(asked[1]?.payload).toEqual({ room: 'r', cursor: 'n' });
  await asked[1]?.answer({
    users: [
      { user: cid, kind: 'banned', by },
      { user: by, kind: 'banned', until: 1, by },
    ],
  });
  expect(restricted.mute('2')).toMatchObject({ user: ben });
  expect(banned()).toEqual(['3']);
});

test('only a moderator loads and keeps the list of mutes and bans', async () => {
  expect(start(['send']).asked).toHaveLength(0);
  const { asked, room, restricted, banned } = start(['moderate']);
  await asked[0]?.answer({ users: [{ user: ben, kind: 'banned', by }] });
  room.summary = { ...room.summary, may: ['send'] };
  expect(banned()).toEqual([]);
  restricted.ready();
  room.summary = { ...room.summary, may: ['moderate'] };
  expect(banned()).toEqual([]);
  expect(asked).toHaveLength(1);
});

test('the list is loaded again when a member leaves or a listed user is back, once for several', async () => {
  const { asked, restricted, banned } = start(['moderate']);
  await asked[0]?.answer({ users: [{ user: ben, kind: 'banned', by }] });
  const changed = (change: Parameters<typeof restricted.members>[0]['changed'][number], room = 'r') =>
    restricted.members({ room, changed: [change], count: 3 });
  changed({ user: cid, role: 'member', present: true });
  changed({ user: cid, gone: true }, 'another');
  expect(asked).toHaveLength(1);
  changed({ user: ben, role: 'member', present: true });
  changed({ user: cid, gone: true });
  changed({ user: by, gone: true });
  expect(asked).toHaveLength(2);
  await asked[1]?.answer({ users: [] });
  expect(asked).toHaveLength(3);
  await asked[2]?.answer({ users: [{ user: cid, kind: 'banned', by }] });
  expect(banned()).toEqual(['3']);
  expect(asked).toHaveLength(3);
});
