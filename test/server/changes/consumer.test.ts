import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type Consumer, runConsumers } from '../../../server/changes/consumer.ts';
import type { History, LoggedEntry } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';

const folder = historyFolder();
let history: History;
beforeAll(async () => {
  history = await openSqliteHistory({ path: folder.path, onFailure: unexpected });
});
afterAll(async () => {
  await history.close();
  folder.remove();
});

function unexpected(error: unknown): never {
  throw error instanceof Error ? error : new Error(String(error));
}

let consumers = 0;
/** Creates a new consumer that records the IDs of blocked users. */
function noting(take: Consumer['take'] = () => ({})) {
  const taken: string[] = [];
  const consumer: Consumer = {
    name: `consumer-${consumers++}`,
    types: ['blocked'],
    async take(entries, lease) {
      const rows = await take(entries, lease);
      taken.push(...othersOf(entries));
      return rows;
    },
  };
  return { consumer, taken };
}

const othersOf = (entries: readonly LoggedEntry[]) =>
  entries.flatMap(({ changes }) =>
    changes.flatMap((change) => (change.type === 'blocked' ? change.other : [])),
  );

/** Runs the consumers as another server would. Resolves when the history knows them. */
async function run(of: readonly Consumer[], onFailure: (name: string, error: Error) => void = unexpected) {
  const running = runConsumers(history, of, { onFailure, onSkipped: unexpected });
  onTestFinished(() => running.stop());
  await history.write.block({ user: '0', other: '0', blocked: false, at: 0 });
  return running;
}

const block = (other: string) => history.write.block({ user: '1', other, blocked: true, at: 0 });

test('passes the same entries again to a failing consumer, without delaying others', async () => {
  let tries = 0;
  const failing = noting(() => {
    if (++tries === 1) throw new Error('no answer');
    return {};
  });
  const other = noting();
  const failures: string[] = [];
  await run([failing.consumer, other.consumer], (name, { message }) => failures.push(`${name}: ${message}`));
  await block('a');
  await vi.waitUntil(() => other.taken.length === 1, { timeout: hanging });
  expect([tries, failing.taken]).toEqual([1, []]);
  await block('b');
  await vi.waitUntil(() => failing.taken.length === 2, { timeout: hanging });
  expect(failing.taken).toEqual(['a', 'b']);
  expect(other.taken).toEqual(['a', 'b']);
  expect(failures).toEqual([`${failing.consumer.name}: no answer`]);
});

test('batches frequent changes at the minimum interval of the consumer', async () => {
  const { consumer, taken } = noting();
  let times = 0;
  const take: Consumer['take'] = (...input) => {
    times++;
    return consumer.take(...input);
  };
  const start = performance.now();
  await run([{ ...consumer, take, batchMs: 1, apart: 300 }]);
  for (const name of ['s', 't', 'u']) {
    await block(name);
    await vi.waitUntil(() => taken.includes(name), { timeout: hanging });
  }
  expect(times - 1).toBeLessThanOrEqual((performance.now() - start) / 300);
});

test('passes each entry once, to one of two servers', async () => {
  const { consumer, taken } = noting();
  for (let servers = 0; servers < 2; servers++) await run([consumer]);
  const names = Array.from({ length: 50 }, (_, n) => `c${n}`);
  for (const name of names) await block(name);
  await vi.waitUntil(() => taken.length >= names.length, { timeout: hanging });
  expect(taken).toEqual(names);
});

test('finishes the current entries before it stops, and does not repeat them', async () => {
  const [started, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { consumer, taken } = noting(async (_, { signal }) => {
    started.resolve();
    await go.promise;
    expect(signal.aborted).toBe(true);
    return {};
  });
  const running = await run([consumer]);
  await block('d');
  await started.promise;
  const stopped = running.stop();
  go.resolve();
  await stopped;
  expect(taken).toEqual(['d']);
  const again = noting();
  await run([{ ...again.consumer, name: consumer.name }]);
  await block('e');
  await vi.waitUntil(() => again.taken.length > 0, { timeout: hanging });
  expect(again.taken).toEqual(['e']);
});
