import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { defaultLimits, startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { watchHealth } from '../helpers/health.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { oneAtATime } from '../helpers/one-at-a-time.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import { megabytes, percentile, watchRss } from '../helpers/server-figures.ts';
import { startTalk } from '../helpers/talk.ts';
import { size, within } from './size.ts';

const lasting = size(30_000, 2000);
const alone = oneAtATime();
const program = new URL('../helpers/flood.ts', import.meta.url).pathname;

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 31; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

/** 1.6 MB of messages, as many as users 12 to 31 may send. */
async function fill(port: number): Promise<void> {
  for (let user = 12; user <= 31; user++) {
    const writer = await connectRaw(port, `PHPSESSID=u${user}`, 'lobby');
    for (let n = 0; n < 20; n++) {
      await writer.request('message:send', {
        room: 'lobby',
        text: 'x'.repeat(4000),
        clientId: newClientId(),
      });
    }
    writer.socket.destroy();
  }
}

const talkers = Array.from({ length: 10 }, (_, n) => `PHPSESSID=u${n + 1}`);
const addresses = (count: number) => Array.from({ length: count }, (_, n) => `127.0.0.${n + 2}`);

type Flood = [
  kind: string,
  parallel: number,
  from: string[],
  proof: RegExp,
  as?: typeof user | typeof nobody,
];
const user = 'PHPSESSID=u11';
const nobody = '';
/** The most connections a user may have, and an address but for a few. */
const [ofUser, ofAddress] = [20, 150];

describe(`${lasting / 1000} s of it: p99 of others’ messages and of /healthz below ${within(100)} ms, memory below ${within(100)} MB more`, () => {
  // In full by itself from beginning to end.
  size(test, test.concurrent).for<Flood>([
    // From one address, limits.test.ts shows the same at less cost.
    ...size<Flood[]>([['handshakes', 50, addresses(1), /"101":\d{3},"429":\d{3}/]], []),
    ['handshakes', 50, addresses(20), /"101":\d{4}/],
    ['polling', 50, addresses(20), /"200":\d{4}/],
    ['connects', 50, addresses(20), /"told":\d/],
    // What one connection sends at once is handled bit by bit.
    ['events', ofUser, addresses(1), size(/"closed":\d/, /"written":\d/)],
    // What is read ever more slowly is closed within seconds, not always within two: then each has hardly written.
    ['posts', ofUser, addresses(1), /"closed":\d|"written":\d\d\}/],
    ['frames', ofAddress, addresses(1), /"closed":\d/, nobody],
    ...size<Flood[]>(
      [
        // What these three meet, guard.test.ts and limits.test.ts show.
        ['pings', 20, addresses(20), /"closed":\d/],
        ['packets', 10, addresses(20), /"rate_limited":\d/],
        ['reads', ofUser, addresses(1), /"rate_limited":\d/],
        ['bursts', ofUser, addresses(1), /"written":\d/],
        ['frames', ofUser, addresses(1), /"closed":\d/],
        ['posts', ofAddress, addresses(1), /"closed":\d/, nobody],
        ...['fragments', 'emptyFragments', 'pongs', 'webSocketPings'].map(
          (kind): Flood => [kind, ofAddress, addresses(1), /"closed":\d/, nobody],
        ),
        ['frames', ofAddress, addresses(20), /"closed":\d/, nobody],
      ],
      [],
    ),
    // Headers have 10 s, which http.test.ts waits for once.
    ...size<Flood[]>([['slowloris', 500, addresses(1), /"408":\d/]], []),
    ['halfOpen', size(10_000, 2000), addresses(20), /"opened":\d{4}/],
  ])(
    '%s, %i at once',
    { timeout: lasting + 60_000 },
    async ([kind, parallel, from, proof, as = user], { expect, onTestFinished }) => {
      // A server of its own for each: one that is still large from the last flood would not grow in the next.
      const server = await startChatServer({
        ...inspected,
        ...defaultLimits,
        CHAT_SESSION_STORE: memcached.url,
      });
      onTestFinished(async () => void (await server.stop()));
      if (kind === 'reads') await fill(server.port);
      const heapBefore = await alone(async () => {
        const talk = await startTalk(server.port, { cookies: talkers, room: 'lobby', every: 600 });
        // What is loaded and compiled with the first messages is no growth.
        await vi.waitUntil(() => talk.latencies.length >= 90, { timeout: 10_000 });
        const before = await liveHeap(server);
        const health = watchHealth(server.port);
        talk.latencies.length = 0;

        const memory = watchRss(server.pid);
        const flood = startChild(process.execPath, [
          program,
          ...[kind, server.port, lasting, from.join(','), parallel, as].map(String),
        ]);
        const [outcome] = await flood.until(/^\{"done":.*\}$/m);
        const most = memory.most();
        memory.stop();
        const gone = talk.gone();
        await Promise.all([talk.stop(), health.stop()]);
        const [p99, p99Health] = [percentile(talk.latencies, 0.99), percentile(health.latencies, 0.99)];
        console.log(
          `${kind} of ${as || 'nobody'} from ${from.length}: +${megabytes(most)} MB, p99 ${p99.toFixed(1)} ms of ` +
            `${talk.latencies.length}, /healthz ${p99Health.toFixed(1)} ms, ${outcome}`,
        );
        // The flood was one, and met what it was to meet.
        expect.soft(outcome).toMatch(proof);
        expect.soft(gone).toBe(0);
        expect.soft(p99).toBeLessThan(within(100));
        expect.soft(p99Health).toBeLessThan(within(100));
        // What is held is looked at below. In a few seconds V8 does not get to collect what is over.
        expect.soft(megabytes(most)).toBeLessThan(within(100));
        return before;
      });
      // And what it took is given back, when those who never said CONNECT have had their 5 s.
      await expect
        .poll(async () => megabytes((await liveHeap(server)) - heapBefore), {
          timeout: 10_000,
          interval: 500,
        })
        .toBeLessThan(10);
    },
  );
});
