import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';
import { fastClock } from '../../../test/helpers/fake-clock.ts';
import { hanging } from '../../../test/helpers/hanging.ts';
import { StoreError } from '../src/store.ts';
import { keepSubscribed, type Sink } from '../src/stores/subscription.ts';

const session = fileURLToPath(new URL('../src', import.meta.url));

/** Subscribes, and collects the notifications and the sink of each connection. */
function subscribe(listen: (sink: Sink, nth: number) => Promise<() => Promise<unknown>>) {
  const received: string[] = [];
  const sinks: Sink[] = [];
  const end = keepSubscribed((sink) => listen(sink, sinks.push(sink)), {
    changed: (session) => received.push(`changed ${JSON.stringify(session)}`),
    opened: (session) => received.push(`opened ${JSON.stringify(session)}`),
    lost: (reason) => received.push(reason === null ? 'active' : `lost: ${reason.message}`),
  });
  return { received, sinks, end };
}

/** Runs a program with a clock thirty times as fast. Returns the lines of its output. */
async function quickly(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { StoreError } from '${session}/store.ts';
        import { keepSubscribed } from '${session}/stores/subscription.ts';
        ${program}`,
    ],
    { encoding: 'utf8', env: { ...process.env, ...fastClock(30) }, timeout: hanging },
  );
  return stdout.trim().split('\n');
}

// These tests mostly wait.
describe.concurrent('a subscription', () => {
  test('ignores notifications of a failed connection', async ({ expect }) => {
    const { received, sinks, end } = subscribe(async (_, nth) => {
      if (nth === 2) throw new StoreError('refused');
      return async () => {};
    });
    await expect.poll(() => received).toEqual(['active']);
    const [first] = sinks;
    first?.changed({ id: 'one' });
    first?.failed(new StoreError('cut off'));
    first?.failed(new StoreError('cut off twice'));
    first?.changed({ id: 'too late' });
    await expect.poll(() => received).toEqual(['active', 'changed {"id":"one"}', 'lost: cut off', 'active']);
    expect(sinks.map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
    end();
    expect(sinks[2]?.signal.aborted).toBe(true);
    sinks[2]?.opened({ marker: 'none' });
    sinks[2]?.failed(new StoreError('after the end'));
    expect(received).toHaveLength(4);
  });

  test('gets no notifications if it ends while it connects', async ({ expect }) => {
    let connected = (_: () => Promise<void>) => {};
    const { received, sinks, end } = subscribe(
      () =>
        new Promise((resolve) => {
          connected = resolve;
        }),
    );
    end();
    expect(sinks[0]?.signal.aborted).toBe(true);
    connected(async () => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(received).toEqual([]);
  });

  test('is lost once if it is always refused, and retries with growing delays up to 30 s', async ({
    expect,
  }) => {
    const output = await quickly(`
      const asked = [];
      const end = keepSubscribed(async () => {
        if (asked.push(performance.now()) === 8) end();
        throw new StoreError('no');
      }, { lost: (reason) => console.log(reason.message) });
      process.on('exit', () => {
        for (const [n, at] of asked.entries()) if (n > 0) console.log((at - asked[n - 1]) / 1000);
      });`);
    expect(output[0]).toBe('no');
    const waited = output.slice(1).map(Number);
    const longest = [1, 2, 4, 8, 16, 30, 30];
    expect(waited).toHaveLength(longest.length);
    for (const [n, most] of longest.entries()) {
      expect(waited[n]).toBeGreaterThan(most / 2 - 0.1);
      // If the machine freezes for a second, that clock advances by half a minute.
      expect(waited[n]).toBeLessThan(most + 100);
    }
  });

  test.for([
    ['connecting', `async () => { throw new TypeError('not a function'); }`],
    ['a ping', `async () => async () => { throw new TypeError('not a function'); }`],
  ])('ends the process after a bug of this program in %s', async ([, listen], { expect }) => {
    const ended = quickly(`keepSubscribed(${listen}, { lost: (reason) => console.log(reason) });`);
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not a function'),
    });
  });

  test('reconnects after 40 s or more if its second ping gets no response', async ({ expect }) => {
    const output = await quickly(`
      let nth = 0;
      let pings = 0;
      let since = performance.now();
      const end = keepSubscribed(
        () => ++nth === 1
          ? Promise.resolve(() => ++pings === 1 ? Promise.resolve() : new Promise(() => {}))
          : new Promise(() => {}),
        {
          lost(reason) {
            const now = performance.now();
            console.log(reason === null ? 'active' : pings, Math.round((now - since) / 1000));
            since = now;
            if (reason !== null) setTimeout(() => { console.log(nth); end(); }, 3000);
          },
        },
      );`);
    expect(output[0]).toMatch(/^active \d$/);
    const [pings = 0, seconds = 0] = (output[1] ?? '').split(' ').map(Number);
    expect(pings).toBe(2);
    // Each ping comes after 15 s, and its answer may take 10 s.
    expect(seconds).toBeGreaterThanOrEqual(40);
    // The same allowance for a frozen machine as above.
    expect(seconds).toBeLessThan(140);
    expect(output[2]).toBe('2');
  });
});
