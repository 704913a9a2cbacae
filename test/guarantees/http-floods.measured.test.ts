import { Agent, get } from 'node:http';
import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { defaultLimits, startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startNginx } from '../helpers/nginx.ts';
import { oneAtATime } from '../helpers/one-at-a-time.ts';
import { megabytes, percentile, watchRss } from '../helpers/server-figures.ts';
import { startTalk } from '../helpers/talk.ts';
import { size, within } from './size.ts';

const lasting = size(30_000, 3000);
const alone = oneAtATime();
const program = new URL('../helpers/http-flood.ts', import.meta.url).pathname;
const key = 'a-key-of-more-than-16-characters';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 10; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const talkers = Array.from({ length: 10 }, (_, n) => `PHPSESSID=u${n + 1}`);

/** Asks for /healthz ten times a second, on a connection that is kept. */
function startProbe(port: number) {
  const latencies: number[] = [];
  const failures: string[] = [];
  const agent = new Agent({ keepAlive: true });
  const timer = setInterval(() => {
    const began = performance.now();
    get({ port, host: '127.0.0.1', path: '/healthz', agent }, (answer) => {
      answer.resume().on('end', () => latencies.push(performance.now() - began));
      if (answer.statusCode !== 200) failures.push(String(answer.statusCode));
    }).on('error', (error) => failures.push(String(error)));
  }, 100);
  return {
    latencies,
    failures,
    stop() {
      clearInterval(timer);
      agent.destroy();
    },
  };
}

type Flood = [kind: string, through: 'directly' | 'through nginx', connections: number, proof: RegExp];
const floods: Flood[] = [
  ['unread', 'directly', 300, /"closed":\d{3}/],
  ['unread', 'through nginx', 300, /"opened":\d{3}/],
  ...size<Flood[]>(
    [
      ['images', 'directly', 300, /"403":\d{3},"429":\d{3}/],
      ['hoarded', 'directly', 600, /"opened":\d{3}/],
      ['head', 'directly', 300, /"200":\d{4}/],
      ['files', 'directly', 300, /"200":\d{4}/],
      ['health', 'directly', 300, /"200":\d{4}/],
      ['errors', 'directly', 300, /"404":\d{4}/],
      ['garbage', 'directly', 300, /"400":\d{4}/],
      ['trickle', 'directly', 600, /"200":\d{3}/],
      ['unfinished', 'directly', 300, /"405":\d{3}/],
      ['images', 'through nginx', 300, /"403":\d{3},"429":\d{3}/],
      ['hoarded', 'through nginx', 300, /"opened":\d{3}/],
      ['files', 'through nginx', 300, /"200":\d{4}/],
      ['health', 'through nginx', 300, /"200":\d{4}/],
    ],
    [],
  ),
];

describe(`${lasting / 1000} s of plain HTTP from one address: others have a p99 below ${within(100)} ms, memory grows by less than ${within(100)} MB`, () => {
  // In full by itself from beginning to end.
  size(test, test.concurrent).for(floods)(
    '%s, %s',
    { timeout: lasting + 60_000 },
    async ([kind, through, connections, proof], { task, expect, onTestFinished }) => {
      const server = await startChatServer({
        ...inspected,
        ...defaultLimits,
        CHAT_SESSION_STORE: memcached.url,
        CHAT_API_KEY: key,
        ...(through === 'directly' ? {} : { CHAT_TRUSTED_PROXIES: '127.0.0.1' }),
      });
      onTestFinished(async () => void (await server.stop()));
      let port = server.port;
      if (through !== 'directly') {
        const nginx = await startNginx(server.port);
        onTestFinished(() => nginx.stop());
        port = nginx.port;
      }
      const heapBefore = await alone(async () => {
        // Not in step with the probe.
        const talk = await startTalk(port, { cookies: talkers, room: 'lobby', every: 610 });
        const probe = startProbe(port);
        onTestFinished(() => probe.stop());
        await vi.waitUntil(() => talk.latencies.length >= 90, { timeout: 10_000 });
        const before = await liveHeap(server, key);
        talk.latencies.length = 0;
        probe.latencies.length = 0;

        const memory = watchRss(server.pid);
        const flood = startChild(process.execPath, [
          program,
          ...[kind, port, lasting, '127.0.0.2', connections].map(String),
        ]);
        const [outcome] = await flood.until(/^\{"done":.*\}$/m);
        const most = memory.most();
        memory.stop();
        const gone = talk.gone();
        probe.stop();
        await talk.stop();
        const [chat, health] = [talk.latencies, probe.latencies].map((values) => percentile(values, 0.99));
        console.log(
          `${task.name}: +${megabytes(most)} MB, p99 ${chat?.toFixed(1)} ms of ${talk.latencies.length} messages, ` +
            `${health?.toFixed(1)} ms of ${probe.latencies.length} × /healthz, ${outcome}`,
        );
        // The flood was one, and met what it was to meet.
        expect.soft(outcome).toMatch(proof);
        expect.soft(gone).toBe(0);
        expect.soft(probe.failures).toEqual([]);
        expect.soft(chat).toBeLessThan(within(100));
        expect.soft(health).toBeLessThan(within(100));
        expect.soft(megabytes(most)).toBeLessThan(within(100));
        return before;
      });
      await expect
        .poll(async () => megabytes((await liveHeap(server, key)) - heapBefore), {
          timeout: 10_000,
          interval: 500,
        })
        .toBeLessThan(10);
    },
  );
});
