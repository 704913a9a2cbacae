import { expect, onTestFinished, test, vi } from 'vitest';
import { type PresenceType, presenceTypes, watchPresence } from '../../../server/webhooks/presence.ts';

/** Starts servers that see each other’s users, by name. `said` collects the events of all. */
function watched(names: readonly string[]) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const users = new Map(names.map((name) => [name, new Set<string>()]));
  const said: string[] = [];
  const watch = (name: string) => {
    const look = () => {
      const all = [...users].map(([server, here]) => ({ name: server, users: here }));
      const own = { name, users: users.get(name) ?? [] };
      return { own, others: all.filter((one) => one.name !== name) };
    };
    const sendOnce = (type: PresenceType, user: string) => said.push(`${name}: ${type} ${user}`);
    const { stop } = watchPresence(new Set(presenceTypes), { roomForOnce: 1, sendOnce }, look);
    onTestFinished(stop);
    return stop;
  };
  const stops = new Map(names.map((name) => [name, watch(name)]));
  vi.advanceTimersByTime(2000);
  const kill = (name: string) => {
    stops.get(name)?.();
    users.delete(name);
  };
  return { users, said, watch, kill, on: (name: string) => users.get(name) as Set<string> };
}

test('reports a user online or offline after 10 s', () => {
  const { on, said } = watched(['a']);
  on('a').add('ann').add('ben');
  vi.advanceTimersByTime(8000);
  on('a').delete('ben');
  expect(said).toEqual([]);
  vi.advanceTimersByTime(6000);
  expect(said).toEqual(['a: user.online ann']);
  // The user opens another page.
  on('a').delete('ann');
  vi.advanceTimersByTime(8000);
  on('a').add('ann');
  vi.advanceTimersByTime(30_000);
  expect(said).toHaveLength(1);
  on('a').delete('ann');
  vi.advanceTimersByTime(14_000);
  expect(said).toEqual(['a: user.online ann', 'a: user.offline ann']);
});

test('reports each change from one of two servers, and from the other after the first ends', () => {
  const { on, users, said, watch, kill } = watched(['a', 'b']);
  on('b').add('ann');
  vi.advanceTimersByTime(14_000);
  on('a').add('ann');
  on('b').delete('ann');
  vi.advanceTimersByTime(14_000);
  expect(said).toEqual(['a: user.online ann']);
  on('b').add('cat');
  vi.advanceTimersByTime(4000);
  kill('a');
  vi.advanceTimersByTime(14_000);
  // The other server may repeat `user.online ann`, because the ended server may not have sent it.
  const both = ['b: user.offline ann', 'b: user.online cat'];
  expect(
    said
      .slice(1)
      .filter((one) => !one.endsWith('online ann'))
      .sort(),
  ).toEqual(both);
  // A server that starts later does not report users who are online already.
  on('b').add('ben');
  vi.advanceTimersByTime(14_000);
  users.set('a', new Set());
  watch('a');
  vi.advanceTimersByTime(14_000);
  expect(said.at(-1)).toBe('b: user.online ben');
  expect(said.filter((one) => one.endsWith('ben'))).toHaveLength(1);
});
