import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { historyFolder } from '../../helpers/chat-server.ts';
import { eventsOf, say } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

afterEach(() => void vi.useRealTimers());
const [day, began] = [24 * 60 * 60 * 1000, Date.now()];

/** Returns a function that restarts one server, at the given number of days after the first start. */
function restarts(env: NodeJS.ProcessEnv = {}): (days: number) => Promise<PeopleHere> {
  const kept = historyFolder();
  onTestFinished(() => kept.remove());
  let site: PeopleHere | undefined;
  onTestFinished(() => site?.close());
  return async (days) => {
    await site?.close();
    vi.setSystemTime(began + days * day);
    site = await startPeopleHere({ CHAT_HISTORY: kept.url, ...env });
    return site;
  };
}

test('deletes a private room after 30 days without members', async () => {
  const startAfter = restarts();
  const first = await startAfter(0);
  const ann = await first.person({}, 'ann');
  const create = async (kind: 'private' | 'public') =>
    (await first.den(ann, [], { kind, name: `${kind} room` })).id;
  const [own, left, open] = [await create('private'), await create('private'), await create('public')];
  for (const room of [left, open]) await ann.request('room:remove', { room, user: 'ann' });
  for (const id of ['unused', 'used']) await first.api('PUT', `/rooms/${id}`, { name: id, kind: 'private' });
  await first.api('PATCH', '/rooms/used/members', { add: ['somebody-who-never-came'] });
  const rooms = { own, left, open, unused: 'unused', used: 'used' };
  const known = async (site: PeopleHere) => {
    const found: string[] = [];
    for (const [name, room] of Object.entries(rooms))
      if (await site.history.read.room({ room })) found.push(name);
    return found;
  };
  expect(await known(first)).toEqual(Object.keys(rooms));
  expect(await known(await startAfter(29))).toEqual(Object.keys(rooms));
  const later = await startAfter(31);
  // The deletion runs after the start, because there may be very many such rooms.
  await expect.poll(() => known(later)).toEqual(['own', 'open', 'used']);
});

test('ends the membership of an offline guest after 30 days, and announces the expiry of messages', async () => {
  const startAfter = restarts({
    CHAT_GUESTS: 'write',
    CHAT_GUEST_ROOMS: 'support',
    CHAT_ROOMS: 'support',
    CHAT_RETENTION: '40d',
  });
  const first = await startAfter(0);
  const [online, gone] = [`g-${'0'.repeat(32)}`, `g-${'1'.repeat(32)}`];
  for (const id of ['ann', gone, online]) {
    const person = await first.person({ firstname: id }, id);
    await person.request('room:join', { room: 'support' });
    await say(person, 'support', 'hello');
  }
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const site = await startAfter(29);
  const room = async () => (await site.history.read.room({ room: 'support' })) ?? expect.unreachable();
  expect((await room()).members).toBe(3);
  const ann = await site.person({}, 'ann');
  await site.person({}, online);
  /** Lets the next turn of the deletion run. A turn is skipped while the one before runs. */
  const nextTurn = () => vi.advanceTimersByTime(day / 24);
  vi.setSystemTime(began + 31 * day);
  await expect
    .poll(async () => {
      nextTurn();
      return (await room()).members;
    })
    .toBe(2);
  const members = await ann.request('room:members', { room: 'support' });
  expect(members.members.map(({ user }) => user.id).sort()).toEqual(['ann', online]);
  const { messages } = await ann.request('message:history', { room: 'support' });
  expect(messages.map(({ user }) => user.id)).toContain(gone);
  vi.setSystemTime(began + 41 * day);
  await expect
    .poll(() => {
      nextTurn();
      return eventsOf(ann, 'room:activity').at(-1);
    })
    .toMatchObject({ room: 'support', firstSeq: 4 });
});
