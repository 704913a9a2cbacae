import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { historyFolder } from '../../helpers/chat-server.ts';
import { say } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

afterEach(() => void vi.useRealTimers());
const [day, began] = [24 * 60 * 60 * 1000, Date.now()];

test('ends the membership of a guest after 30 days, and keeps the messages', async () => {
  const kept = historyFolder();
  onTestFinished(() => kept.remove());
  let site: PeopleHere | undefined;
  onTestFinished(() => site?.close());
  const startAfter = async (days: number) => {
    await site?.close();
    vi.setSystemTime(began + days * day);
    const guests = { CHAT_GUESTS: 'write', CHAT_GUEST_ROOMS: 'support', CHAT_ROOMS: 'support' };
    site = await startPeopleHere({ CHAT_HISTORY: kept.url, ...guests });
    return site;
  };
  const first = await startAfter(0);
  for (const id of ['ann', `g-${'0'.repeat(32)}`, `g-${'1'.repeat(32)}`]) {
    const person = await first.person({ firstname: id }, id);
    await person.request('room:join', { room: 'support' });
    await say(person, 'support', 'hello');
  }
  const members = async () => (await site?.history.read.room({ room: 'support' }))?.members;
  await startAfter(29);
  expect(await members()).toBe(3);
  const later = await startAfter(31);
  await expect.poll(members).toBe(1);
  const ann = await later.person({}, 'ann');
  const { messages } = await ann.request('message:history', { room: 'support' });
  expect(messages.map(({ user }) => user.id)).toContain(`g-${'1'.repeat(32)}`);
});
