import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { historyFolder } from '../../helpers/chat-server.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

afterEach(() => void vi.useRealTimers());
const [day, began] = [24 * 60 * 60 * 1000, Date.now()];

test('deletes a private room after 30 days without members', async () => {
  const kept = historyFolder();
  onTestFinished(() => kept.remove());
  let site: PeopleHere | undefined;
  onTestFinished(() => site?.close());
  const startAfter = async (days: number) => {
    await site?.close();
    vi.setSystemTime(began + days * day);
    site = await startPeopleHere({ CHAT_HISTORY: kept.url });
    return site;
  };
  const first = await startAfter(0);
  const ann = await first.person({}, 'ann');
  const create = async (kind: 'private' | 'public') =>
    (await first.den(ann, [], { kind, name: `${kind} room` })).id;
  const [own, left, open] = [await create('private'), await create('private'), await create('public')];
  for (const room of [left, open]) await ann.request('room:remove', { room, user: 'ann' });
  for (const id of ['unused', 'used']) await first.api('PUT', `/rooms/${id}`, { name: id, kind: 'private' });
  await first.api('PATCH', '/rooms/used/members', { add: ['somebody-who-never-came'] });
  const rooms = { own, left, open, unused: 'unused', used: 'used' };
  const known = async () => {
    const found: string[] = [];
    for (const [name, room] of Object.entries(rooms))
      if (await site?.history.read.room({ room })) found.push(name);
    return found;
  };
  expect(await known()).toEqual(Object.keys(rooms));
  await startAfter(29);
  expect(await known()).toEqual(Object.keys(rooms));
  await startAfter(31);
  // The deletion runs after the start, because there may be very many such rooms.
  await expect.poll(known).toEqual(['own', 'open', 'used']);
});
