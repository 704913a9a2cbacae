import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { historyFolder } from '../../helpers/chat-server.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

afterEach(() => void vi.useRealTimers());
const [second, began] = [1000, Date.now()];

test('keeps a ban for its duration by the wall clock, across restarts', async () => {
  const kept = historyFolder();
  onTestFinished(() => kept.remove());
  let site: PeopleHere | undefined;
  const restart = async () => {
    await site?.close();
    site = await startPeopleHere({ CHAT_HISTORY: kept.url });
  };
  onTestFinished(() => site?.close());
  const isIn = (user: string) =>
    site?.person({}, user).then(
      (client) => client.close() ?? 'in',
      ({ message }: Error) => message,
    );
  const areIn = async (seconds: number) => {
    vi.setSystemTime(began + seconds * second);
    return [await isIn('ann'), await isIn('ben')];
  };
  await restart();
  for (const [user, ban] of [
    ['ann', { seconds: 3600 }],
    ['ben', { reason: 'spam' }],
  ] as const)
    await site?.api('PUT', `/users/${user}/ban`, ban);
  expect(await areIn(0)).toEqual(['forbidden', 'forbidden']);
  await restart();
  expect(await areIn(3500)).toEqual(['forbidden', 'forbidden']);
  expect(await areIn(3700)).toEqual(['in', 'forbidden']);
  vi.setSystemTime(began + 40 * 365 * 86_400 * second);
  await restart();
  expect(await areIn(40 * 365 * 86_400)).toEqual(['in', 'forbidden']);
});
