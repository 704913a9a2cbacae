import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../../server/limits/per-turn.ts';

test('starts a bounded amount of work per tick, with addresses taking turns', async () => {
  const turns = new Turns(4);
  const started: string[] = [];
  for (let n = 0; n < 10; n++) turns.take('busy', 1, () => void started.push(`busy ${n}`));
  turns.take('other', 1, () => void started.push('other'));
  const perTurn: number[] = [started.length];
  while (started.length < 11) {
    await nextTurn();
    perTurn.push(started.length - perTurn.reduce((sum, each) => sum + each, 0));
  }
  expect(perTurn).toEqual([4, 4, 3]);
  expect(started.indexOf('other')).toBeLessThan(6);
  expect(started.filter((each) => each !== 'other')).toEqual(
    Array.from({ length: 10 }, (_, n) => `busy ${n}`),
  );
});

test('counts weights, and delays work added by running work to the next tick', async () => {
  const turns = new Turns(8);
  const started: string[] = [];
  turns.take('a', 8, () => {
    started.push('heavy');
    turns.take('a', 1, () => void started.push('later'));
  });
  expect(started).toEqual(['heavy']);
  await nextTurn();
  expect(started).toEqual(['heavy', 'later']);
});
