import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { StoreError, type StoreListener } from '../../../server/session/store.ts';
import { keepSubscribed, type Sink } from '../../../server/session/stores/subscription.ts';
import { fastClock } from '../../helpers/fake-clock.ts';

const watching = new URL('../../../server/session/stores/subscription.ts', import.meta.url).pathname;

/** What is told, and each connection as it is made. */
function watch(subscribe: (line: Sink, nth: number) => Promise<() => Promise<unknown>>) {
  const told: string[] = [];
  const lines: Sink[] = [];
  const watcher: StoreListener = {
    changed: (session) => told.push(`changed ${JSON.stringify(session)}`),
    opened: (session) => told.push(`opened ${JSON.stringify(session)}`),
    lost: (reason) => told.push(reason === null ? 'works' : `lost: ${reason.message}`),
  };
  const end = keepSubscribed((line) => subscribe(line, lines.push(line)), watcher);
  return { told, lines, end };
}

test('lost and found again: each told once, and nothing by a connection that is over', async () => {
  const check = async () => {};
  const { told, lines, end } = watch(async (_, nth) => {
    if (nth === 2) throw new StoreError('refused');
    return check;
  });
  await expect.poll(() => told).toEqual(['works']);
  const [first] = lines;
  first?.changed({ id: 'one' });
  first?.failed(new StoreError('cut off'));
  first?.failed(new StoreError('cut off twice'));
  first?.changed({ id: 'too late' });
  await expect.poll(() => told).toEqual(['works', 'changed {"id":"one"}', 'lost: cut off', 'works']);
  expect(lines.map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
  end();
  expect(lines[2]?.signal.aborted).toBe(true);
  lines[2]?.opened({ marker: 'none' });
  lines[2]?.failed(new StoreError('after the end'));
  expect(told).toHaveLength(4);
});

test('ended while it connects: nothing is told', async () => {
  let connected = (_: () => Promise<void>) => {};
  const { told, lines, end } = watch(
    () =>
      new Promise((resolve) => {
        connected = resolve;
      }),
  );
  end();
  expect(lines[0]?.signal.aborted).toBe(true);
  connected(async () => {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual([]);
});

/** The program, with a clock thirty times as fast; what it prints, line by line. */
function quickly(program: string): string[] {
  const said = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', `import { keepSubscribed } from '${watching}'; ${program}`],
    { encoding: 'utf8', env: { ...process.env, ...fastClock(30) }, timeout: 30_000 },
  );
  return said.trim().split('\n');
}

test('never agreed to: told once, asked again after longer and longer pauses, with chance; then nothing is left', () => {
  const said = quickly(`
    const asked = [];
    const end = keepSubscribed(async () => {
      if (asked.push(performance.now()) === 8) end();
      throw new Error('no');
    }, { lost: (reason) => console.log(reason.message) });
    process.on('exit', () => {
      for (const [n, at] of asked.entries()) if (n > 0) console.log((at - asked[n - 1]) / 1000);
    });`);
  expect(said[0]).toBe('the subscription to the store failed');
  const waited = said.slice(1).map(Number);
  const longest = [1, 2, 4, 8, 16, 30, 30];
  expect(waited).toHaveLength(longest.length);
  for (const [n, most] of longest.entries()) {
    expect(waited[n]).toBeGreaterThan(most / 2 - 0.1);
    // A second in which the machine stands still is half a minute by that clock.
    expect(waited[n]).toBeLessThan(most + 100);
  }
});

test('no answer to a check, or to the question itself: lost within half a minute', () => {
  const said = quickly(`
    let nth = 0;
    let checks = 0;
    let since = performance.now();
    const end = keepSubscribed(
      (line) => ++nth === 1
        ? Promise.resolve(() => ++checks === 1 ? Promise.resolve() : new Promise(() => {}))
        : new Promise(() => {}),
      {
        lost(reason) {
          const now = performance.now();
          console.log(reason === null ? 'works' : checks, Math.round((now - since) / 1000));
          since = now;
          if (reason !== null) setTimeout(() => { console.log(nth); end(); }, 3000);
        },
      },
    );`);
  expect(said[0]).toMatch(/^works \d$/);
  const [checks = 0, seconds = 0] = (said[1] ?? '').split(' ').map(Number);
  expect(checks).toBe(2);
  // Fifteen seconds until the first check, fifteen until the second, and ten that it may take.
  expect(seconds).toBeGreaterThanOrEqual(40);
  expect(seconds).toBeLessThan(140);
  expect(said[2]).toBe('2');
});
