import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Entry } from '../../client/src/store/entries.ts';
import { Slice } from '../../client/src/store/slice.ts';
import { size } from '../guarantees/size.ts';

const user = { id: '1', name: 'A' };
const list = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from }, (_, i) => ({ key: `k${from + i}`, user, text: '', sentAt: 0 }));

const step = fc.record({
  do: fc.constantFrom('older', 'newer', 'around', 'end', 'page', 'message', 'draw'),
  n: fc.nat({ max: 120 }),
  reading: fc.boolean(),
});

test('returns one contiguous part of at most 200 entries, adds at most 25 at a time, and can move to both ends', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      let [from, to] = [5000, 5050];
      const slice = new Slice();
      let before = new Set<string>();
      for (const { do: what, n, reading } of steps) {
        if (what === 'page') from -= n;
        if (what === 'message') to += n;
        const all = list(from, to);
        if (what === 'older') slice.older(all);
        if (what === 'newer') slice.newer(all);
        if (what === 'around') slice.around(all, n % all.length);
        if (what === 'end') slice.toEnd();
        const part = slice.of(all, reading);
        expect(part.length).toBeLessThanOrEqual(200);
        expect(part.length).toBeGreaterThan(0);
        if (what === 'around') expect(part).toContain(all[n % all.length]);
        expect(part.filter(({ key }) => !before.has(key)).length).toBeLessThanOrEqual(25);
        before = new Set(part.map(({ key }) => key));
        const start = all.indexOf(part[0] as Entry);
        expect(part).toEqual(all.slice(start, start + part.length));
        if (slice.follows) expect(part.at(-1)).toBe(all.at(-1));
      }
      const all = list(from, to);
      while (slice.newer(all)) slice.of(all, true);
      expect(slice.follows).toBe(true);
      while (slice.older(all)) slice.of(all, true);
      expect(slice.of(all, true)[0]).toBe(all[0]);
    }),
    { numRuns: size(1000, 50) },
  );
});

test('does not move when messages arrive while the user reads older ones', () => {
  const slice = new Slice();
  slice.around(list(0, 1000), 500);
  const before = slice.of(list(0, 1000), true);
  expect(slice.of(list(-50, 1300), true)).toEqual(before);
});

test('keeps the shown entries when it moves by a step', () => {
  const all = list(0, 1000);
  const slice = new Slice();
  slice.around(all, 500);
  const before = slice.of(all, true);
  slice.newer(all);
  const below = slice.of(all, true);
  expect(below.slice(0, before.length)).toEqual(before);
  expect(below.length).toBeGreaterThan(before.length);
  slice.older(all);
  const both = slice.of(all, true);
  expect(both.slice(-below.length)).toEqual(below);
  expect(both.length).toBeGreaterThan(below.length);
});
