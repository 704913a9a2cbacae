import { expect, test } from 'vitest';
import { type KeyRenewal, renewSearchKeys } from '../../../server/chat/search-keys.ts';
import type { History } from '../../../server/history/history.ts';

/** Runs a renewal whose writes renew so many users each. @returns what it reports */
async function reports(...writes: (number | Error)[]): Promise<(KeyRenewal | Error)[]> {
  const said: (KeyRenewal | Error)[] = [];
  const closing = new AbortController();
  const ended = Promise.withResolvers<void>();
  const renewKeys = async () => {
    const users = writes.shift() ?? 0;
    if (writes.length === 0) setImmediate(ended.resolve);
    if (users instanceof Error) throw users;
    return { users };
  };
  const history = { write: { renewKeys } } as unknown as History;
  const say = (one: KeyRenewal | Error) => said.push(one);
  renewSearchKeys(history, closing.signal, say, say);
  await ended.promise;
  closing.abort();
  return said;
}

test('reports the progress and the end of a renewal', async () => {
  expect(await reports(50, 50, 3)).toEqual([
    { users: 50, more: true },
    { users: 100, more: true },
    { users: 103, more: false },
  ]);
  expect(await reports(50, 0)).toEqual([
    { users: 50, more: true },
    { users: 50, more: false },
  ]);
});

test('reports nothing if no keys are outdated', async () => {
  expect(await reports(0)).toEqual([]);
});

test('reports no end of a renewal that failed', async () => {
  const failure = new Error('the disk is full');
  expect(await reports(50, failure)).toEqual([{ users: 50, more: true }, failure]);
});
