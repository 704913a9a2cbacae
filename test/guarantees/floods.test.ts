import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { megabytes, percentile, watchRss } from '../helpers/server-figures.ts';
import { startTalk } from '../helpers/talk.ts';
import { size, within } from './size.ts';

const lasting = size(30_000, 3000);
const program = new URL('../helpers/flood.ts', import.meta.url).pathname;

/** As the server comes: an empty value is the default of each limit. */
const defaultLimits = {
  CHAT_LIMIT_SEND: '',
  CHAT_LIMIT_REQUESTS: '',
  CHAT_LIMIT_CONNECT_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_USER: '',
  CHAT_LIMIT_QUEUE: '',
};

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 11; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const talkers = Array.from({ length: 10 }, (_, n) => `PHPSESSID=u${n + 1}`);
const addresses = (count: number) => Array.from({ length: count }, (_, n) => `127.0.0.${n + 2}`);

type Flood = [kind: string, parallel: number, from: string[], proof: RegExp];

describe(`${lasting / 1000} s of it from elsewhere: a chat of others goes on, memory stays below 100 MB more`, () => {
  test.for<Flood>([
    // From one address, limits.test.ts shows the same at less cost.
    ...size<Flood[]>([['handshakes', 50, addresses(1), /"101":\d{3},"429":\d{3}/]], []),
    ['handshakes', 50, addresses(20), /"101":\d{4}/],
    ['polling', 50, addresses(20), /"200":\d{4}/],
    ['pings', 20, addresses(20), /"closed":\d/],
    ['connects', 50, addresses(20), /"told":\d/],
    ['packets', 10, addresses(20), /"rate_limited":\d/],
    // Headers have 10 s, which http.test.ts waits for once.
    ...size<Flood[]>([['slowloris', 500, addresses(1), /"408":\d/]], []),
    ['halfOpen', size(10_000, 2000), addresses(20), /"opened":\d{4}/],
  ])('%s', { timeout: lasting + 60_000 }, async ([kind, parallel, from, proof]) => {
    // A server of its own for each: one that is still large from the last flood would not grow in the next.
    const server = await startChatServer({
      ...inspected,
      ...defaultLimits,
      CHAT_SESSION_STORE: memcached.url,
    });
    onTestFinished(async () => void (await server.stop()));
    const talk = await startTalk(server.port, { cookies: talkers, room: 'lobby', every: 600 });
    // What is loaded and compiled with the first messages is no growth.
    await vi.waitUntil(() => talk.latencies.length >= 90, { timeout: 10_000 });
    const heapBefore = await liveHeap(server);
    talk.latencies.length = 0;

    const memory = watchRss(server.pid);
    const flood = startChild(process.execPath, [
      program,
      ...[kind, server.port, lasting, from.join(','), parallel, 'PHPSESSID=u11'].map(String),
    ]);
    const [outcome] = await flood.until(/^\{"done":.*\}$/m);
    const most = memory.most();
    memory.stop();
    const gone = talk.gone();
    await talk.stop();
    const p99 = percentile(talk.latencies, 0.99);
    console.log(
      `${kind} from ${from.length}: +${megabytes(most)} MB, p99 ${p99.toFixed(1)} ms of ${talk.latencies.length}, ${outcome}`,
    );
    // The flood was one, and met what it was to meet.
    expect.soft(outcome).toMatch(proof);
    expect.soft(gone).toBe(0);
    expect.soft(p99).toBeLessThan(within(250));
    // What is held is looked at below. In a few seconds V8 does not get to collect what is over.
    expect.soft(megabytes(most)).toBeLessThan(within(100));
    // And what it took is given back, when those who never said CONNECT have had their 5 s.
    await expect
      .poll(async () => megabytes((await liveHeap(server)) - heapBefore), {
        timeout: 10_000,
        interval: 500,
      })
      .toBeLessThan(10);
  });
});
