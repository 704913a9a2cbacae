import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { History, Writes } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { Webhooks } from '../../../server/webhooks/webhooks.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';

const minute = 60_000;
const hour = 60 * minute;
const kept = historyFolder();
/** The IDs of the received events. */
let taken: string[] = [];
let answer: (response: ServerResponse, id: string) => void;
const receiver = createServer((request, response) => {
  const id = `${request.headers['webhook-id']}`;
  taken.push(id);
  request.resume().on('end', () => answer(response, id));
});
let url: URL;
let history: History;
beforeAll(async () => {
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  url = new URL(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`);
  history = await openSqliteHistory({
    path: kept.path,
    onFailure: (error) => expect.unreachable(error.message),
  });
});
afterAll(async () => {
  await history.close();
  receiver.close();
  kept.remove();
});
beforeEach(() => {
  // The clock that decides which events are due is stopped. Timers continue.
  vi.setSystemTime(Date.now());
  taken = [];
});
afterEach(() => void vi.useRealTimers());

const answers =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end();

/** Creates the sender of a server, and records its calls of the history. */
function sender() {
  const claims: Writes['claimEvents']['in'][] = [];
  const outcomes: string[] = [];
  const write = Object.assign(Object.create(history.write) as History['write'], {
    claimEvents: (input: Writes['claimEvents']['in']) => {
      claims.push(input);
      return history.write.claimEvents(input);
    },
  });
  const webhooks = new Webhooks({
    url,
    keys: [Buffer.alloc(24)],
    history: { read: history.read, write },
    messageOf: (message) => message as never,
    dueOf: () => Promise.resolve(null),
    onTry: (_, outcome) => void outcomes.push(outcome),
    onFailure() {},
    onHistoryFailure() {},
    onDropped() {},
    onGone: () => void outcomes.push('until the next start'),
  });
  onTestFinished(() => webhooks.stop());
  return {
    webhooks,
    outcomes,
    /** Waits until an attempt failed. @returns milliseconds until the next attempt; undefined if there is none */
    later: (id: string) =>
      vi.waitFor(() => {
        webhooks.wake();
        const failed = claims.flatMap((one) => one.failed).filter((one) => one.id === id);
        expect(failed).toHaveLength(1);
        claims.length = 0;
        const due = failed[0]?.due;
        return due === undefined ? undefined : due - Date.now();
      }, hanging),
    /** Returns how many events the sender tries to claim. */
    async look() {
      claims.length = 0;
      webhooks.wake();
      // The history processes calls in order.
      await history.read.events({ limit: 1 });
      return claims.reduce((sum, { most }) => sum + most, 0);
    },
  };
}

/** Stores events like the consumer of the change log. */
async function store(...ids: string[]): Promise<void> {
  const consumer = { name: 'webhooks', by: 'me', types: ['room'], lease: hour, most: 9 } as const;
  const consumed = await history.write.consume(consumer);
  const at = Date.now();
  const events = ids.map((id) => ({
    id,
    type: 'room.created' as const,
    at,
    due: at,
    tries: 0,
    roomId: 'gone',
  }));
  await history.write.consume({
    ...consumer,
    done: 'upTo' in consumed ? consumed.upTo : 0,
    rows: { events },
  });
}

test.each([
  [429, '600', 10 * minute],
  [503, '1200', 20 * minute],
  [429, '99999999', hour],
  [429, '9'.repeat(10), hour],
  [429, new Date(8.64e15).toUTCString(), hour],
])('after %i, sends nothing for Retry-After: %s, at most an hour', async (status, after, wait) => {
  answer = answers(status, { 'retry-after': after });
  await store('first');
  const { webhooks, later, look } = sender();
  expect(await later('first')).toBe(wait);
  expect(webhooks.roomForOnce).toBe(0);
  await store('second', 'third');
  answer = answers(204);
  expect(await look()).toBe(0);
  vi.setSystemTime(Date.now() + wait - 1);
  expect(await look()).toBe(0);
  expect(taken).toEqual(['first']);
  vi.setSystemTime(Date.now() + 1);
  expect(await look()).toBeGreaterThan(0);
  await vi.waitFor(() => expect(taken.toSorted()).toEqual(['first', 'first', 'second', 'third']), hanging);
  expect(webhooks.roomForOnce).toBeGreaterThan(0);
});

test('sends nothing after 410 until the next start', async () => {
  answer = answers(410);
  await store('first');
  const gone = sender();
  await gone.later('first');
  expect(gone.outcomes).toEqual(['until the next start', 'gone']);
  expect(gone.webhooks.roomForOnce).toBe(0);
  await store('second');
  vi.setSystemTime(Date.now() + 100 * hour);
  expect(await gone.look()).toBe(0);
  answer = answers(204);
  await gone.webhooks.stop();
  expect(taken).toEqual(['first']);
  const { outcomes } = sender();
  await vi.waitFor(() => expect(outcomes).toEqual(['sent', 'sent']), hanging);
  expect(taken.toSorted()).toEqual(['first', 'first', 'second']);
});

test('gives up an event after ten attempts with growing delays', async () => {
  answer = answers(500);
  await store('only');
  const { outcomes, later, look } = sender();
  const pauses = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
  for (const pause of pauses) {
    const inMs = (await later('only')) ?? 0;
    expect(Math.abs(inMs / (pause * 1000) - 1), `${pause} s`).toBeLessThan(0.101);
    vi.setSystemTime(Date.now() + inMs);
    await look();
  }
  expect(await later('only')).toBeUndefined();
  expect(taken).toHaveLength(pauses.length + 1);
  expect(outcomes.at(-1)).toBe('given up');
  expect(await history.read.events({ limit: 9 })).toMatchObject({ waiting: 0, failed: [{ id: 'only' }] });
});

test('sends an event again if the server is killed while sending', async () => {
  answer = () => {};
  await store('only');
  const killed = sender();
  killed.webhooks.wake();
  await vi.waitFor(() => expect(taken).toEqual(['only']), hanging);
  answer = answers(204);
  vi.setSystemTime(Date.now() + minute);
  const { webhooks, outcomes } = sender();
  webhooks.wake();
  await vi.waitFor(() => expect(outcomes).toEqual(['sent']), hanging);
  expect(taken).toEqual(['only', 'only']);
});

test('sends the other events while the site does not respond to one', async () => {
  let hung: ServerResponse | undefined;
  answer = (response) => {
    if (taken.at(-1) === 'hanging') hung = response;
    else response.writeHead(204).end();
  };
  const others = Array.from({ length: 40 }, (_, n) => `other ${n}`);
  await store('hanging');
  const { webhooks } = sender();
  webhooks.wake();
  await vi.waitFor(() => expect(hung).toBeDefined(), hanging);
  await store(...others);
  webhooks.wake();
  await vi.waitFor(() => expect(taken.slice(1).toSorted()).toEqual(others.toSorted()), hanging);
  expect(hung?.closed).toBe(false);
  hung?.destroy();
});

test('sends new events while the site does not respond to retries', async () => {
  const named = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name} ${n}`);
  answer = answers(500);
  await store(...named('old', 40));
  const failing = sender();
  failing.webhooks.wake();
  await vi.waitFor(() => expect(failing.outcomes).toHaveLength(40), hanging);
  await failing.webhooks.stop();
  vi.setSystemTime(Date.now() + 6000);
  taken = [];
  const open: { id: string; response: ServerResponse }[] = [];
  answer = (response, id) => void open.push({ id, response });
  onTestFinished(() => open.forEach(({ response }) => void response.destroy()));
  const added = named('new', 60);
  await store(...added);
  const { webhooks, outcomes } = sender();
  webhooks.wake();
  await vi.waitFor(() => expect(open).toHaveLength(32), hanging);
  // Earlier tests left failed events, too.
  const isOld = (id: string) => !id.startsWith('new');
  expect(taken.filter(isOld)).toHaveLength(8);
  const accept = answers(204);
  answer = (response, id) => {
    if (!isOld(id)) accept(response);
  };
  for (const { id, response } of open) if (!isOld(id)) accept(response);
  const sent = () => taken.filter((id) => !isOld(id)).toSorted();
  await vi.waitFor(() => expect(sent()).toEqual(added.toSorted()), hanging);
  // No retry had to time out for it.
  expect(new Set(outcomes)).toEqual(new Set(['sent']));
});
