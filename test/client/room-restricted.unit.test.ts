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
  const { requests, connection } = answeredByTest<'room:restricted'>();
  const room = roomOf('r', may);
  const restricted = new RoomRestricted(connection, new Tasks(), room, () => {});
  restricted.ready();
  const banned = () => restricted.banned.map(({ user }) => user.id);
  return { requests, room, restricted, banned };
}

test('loads all pages of mutes and bans, without expired ones', async () => {
  const { requests, restricted, banned } = start(['send', 'moderate']);
  await requests[0]?.answer({ users: [{ user: ben, kind: 'muted', by }], next: 'n' });
  expect(restricted.mute('2')).toBeUndefined();
  expect(requests[1]?.payload).toEqual({ room: 'r', cursor: 'n' });
  await requests[1]?.answer({
    users: [
      { user: cid, kind: 'banned', by },
      { user: by, kind: 'banned', until: 1, by },
    ],
  });
  expect(restricted.mute('2')).toMatchObject({ user: ben });
  expect(banned()).toEqual(['3']);
});

test('loads and keeps the list of mutes and bans only for a moderator', async () => {
  expect(start(['send']).requests).toHaveLength(0);
  const { requests, room, restricted, banned } = start(['moderate']);
  await requests[0]?.answer({ users: [{ user: ben, kind: 'banned', by }] });
  room.summary = { ...room.summary, may: ['send'] };
  expect(banned()).toEqual([]);
  restricted.ready();
  room.summary = { ...room.summary, may: ['moderate'] };
  expect(banned()).toEqual([]);
  expect(requests).toHaveLength(1);
});

test('reloads the list once when members leave or listed users return', async () => {
  const { requests, restricted, banned } = start(['moderate']);
  await requests[0]?.answer({ users: [{ user: ben, kind: 'banned', by }] });
  const changed = (change: Parameters<typeof restricted.members>[0]['changed'][number], room = 'r') =>
    restricted.members({ room, changed: [change], count: 3 });
  changed({ user: cid, role: 'member', present: true });
  changed({ user: cid, gone: true }, 'another');
  expect(requests).toHaveLength(1);
  changed({ user: ben, role: 'member', present: true });
  changed({ user: cid, gone: true });
  changed({ user: by, gone: true });
  expect(requests).toHaveLength(2);
  await requests[1]?.answer({ users: [] });
  expect(requests).toHaveLength(3);
  await requests[2]?.answer({ users: [{ user: cid, kind: 'banned', by }] });
  expect(banned()).toEqual(['3']);
  expect(requests).toHaveLength(3);
});
