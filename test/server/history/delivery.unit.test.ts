import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Delivery } from '../../../server/history/engine/delivery.ts';
import { SqlError } from '../../../server/history/engine/dialect.ts';
import type { Change } from '../../../server/history/history.ts';
import { size } from '../../guarantees/size.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A change with the number of its entry. */
const change = (num: number): Change => ({ type: 'ban', user: String(num), ban: null });
const numberOf = (delivered: Change) => Number((delivered as Change & { type: 'ban' }).user);

/** A delivery from 0, and its database. The first `gone` entries were deleted from the database. */
function start(options: { gone?: number; failing?: () => Error | undefined } = {}) {
  const world = { committed: 0, delivered: [] as number[], failures: [] as string[], reads: 0 };
  const delivery = new Delivery({
    position: 0,
    hasBus: true,
    async read(after) {
      world.reads++;
      const failure = options.failing?.();
      if (failure) throw failure;
      const first = Math.max(after, options.gone ?? 0) + 1;
      const nums = Array.from({ length: Math.max(0, world.committed - first + 1) }, (_, n) => first + n);
      return nums.slice(0, 3).map((num) => ({ num, changes: [change(num)] }));
    },
    deliver: (changes) => world.delivered.push(...changes.map(numberOf)),
    onFailure: ({ message }) => world.failures.push(message),
  });
  return Object.assign(world, { delivery });
}

const lost = new SqlError('lost', 'the database does not answer');
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('delivers each entry once, in order, despite faulty hints and reads', async () => {
  const step = fc.record({
    // Commit an entry, hint at a committed entry with or without its content, commit an own entry, or let time pass.
    kind: fc.constantFrom('commit', 'hint', 'number', 'own', 'wait', 'look'),
    which: fc.nat(30),
    pause: fc.nat(40),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.array(fc.boolean()), async (steps, failures) => {
      const world = start({ failing: () => (failures.pop() ? lost : undefined) });
      const { delivery } = world;
      const waits: Promise<void>[] = [];
      for (const { kind, which, pause } of steps) {
        const known = world.committed === 0 ? 0 : 1 + (which % world.committed);
        if (kind === 'commit') world.committed++;
        else if (kind === 'own') {
          const num = ++world.committed;
          const done = delivery.own(num, [change(num)]).then(() => {
            expect(world.delivered).toContain(num);
          });
          waits.push(done);
        } else if (kind === 'wait') await vi.advanceTimersByTimeAsync(pause);
        else if (kind === 'look') delivery.hint(world.committed);
        else if (known > 0) delivery.hint(known, kind === 'hint' ? [change(known)] : undefined);
        expect(world.delivered).toEqual(upTo(world.delivered.length));
      }
      delivery.hint(world.committed);
      await vi.advanceTimersByTimeAsync(60_000);
      await Promise.all(waits);
      expect(world.delivered).toEqual(upTo(world.committed));
      expect(world.failures).toEqual([]);
    }),
    { numRuns: size(1000, 100) },
  );
});

test('delivers entries at once and without a read if they arrive in order', () => {
  const world = start();
  for (const num of upTo(5)) world.delivery.hint(num, [change(num)]);
  expect(world.delivered).toEqual(upTo(5));
  expect(world.reads).toBe(0);
});

test('delivers complete hints without a read after own entries were read back', async () => {
  const world = start();
  const { delivery } = world;
  for (const num of upTo(1000)) {
    world.committed = num;
    delivery.hint(num);
    await vi.advanceTimersByTimeAsync(0);
    await delivery.own(num, [change(num)]);
  }
  const before = world.reads;
  for (const num of [1001, 1002, 1003]) delivery.hint(num, [change(num)]);
  expect(world.delivered).toEqual(upTo(1003));
  expect(world.reads).toBe(before);
});

test('waits 20 ms for a missing entry and then reads it', async () => {
  const world = start();
  world.committed = 2;
  world.delivery.hint(2, [change(2)]);
  await vi.advanceTimersByTimeAsync(19);
  expect(world.reads).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(world.delivered).toEqual([1, 2]);
  expect(world.reads).toBe(1);
});

test('forgets a hint of an entry that does not exist', async () => {
  const world = start();
  world.delivery.hint(7);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.reads).toBe(1);
  expect(world.failures).toEqual([]);
  world.committed = 1;
  world.delivery.hint(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(world.delivered).toEqual([1]);
});

test('limits the reads for hints of missing entries', async () => {
  const world = start();
  for (let ms = 0; ms < 1000; ms++) {
    world.delivery.hint(7 + ms);
    await vi.advanceTimersByTimeAsync(1);
    if (ms === 100) {
      world.committed = 1;
      world.delivery.hint(1, [change(1)]);
      expect(world.delivered).toEqual([1]);
    }
  }
  expect(world.reads).toBeLessThanOrEqual(5);
});

test('reports deleted entries and stops the delivery', async () => {
  const world = start({ gone: 4 });
  world.committed = 6;
  world.delivery.hint(6);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(world.failures).toEqual([expect.stringContaining('log entries before 5 were deleted')]);
  expect(world.delivered).toEqual([]);
});

test('reports a read that fails by a bug instead of repeating it', async () => {
  const world = start({ failing: () => new TypeError('not a function') });
  const waiting = world.delivery.upTo(1);
  const rejection = expect(waiting).rejects.toThrow('not a function');
  await vi.advanceTimersByTimeAsync(60_000);
  await rejection;
  expect(world.reads).toBe(1);
  expect(world.failures).toEqual(['not a function']);
});

test('rejects waiting callers and stops delivering after it is closed', async () => {
  const world = start();
  const waiting = world.delivery.upTo(1);
  world.delivery.close(new Error('closed'));
  world.delivery.hint(1, [change(1)]);
  await expect(waiting).rejects.toThrow('closed');
  await expect(world.delivery.upTo(1)).rejects.toThrow('closed');
  expect(world.delivered).toEqual([]);
});
