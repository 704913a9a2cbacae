import { afterAll, beforeAll, describe, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { defaultLimits, startChatServer } from '../helpers/chat-server.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startNginx } from '../helpers/nginx.ts';
import { oneAtATime } from '../helpers/one-at-a-time.ts';
import { attack, type Flood, othersDuring } from '../helpers/others-during.ts';
import { connectRaw } from '../helpers/raw-client.ts';
import { megabytes } from '../helpers/server-figures.ts';
import { size } from './size.ts';

const lasting = size(10_000, 300);
/**
 * Megabytes. The server keeps up to 7,000 waiting connections of 20 KB, and V8 frees used buffers only when they reach
 * 64 MB. In the reduced run, busy machines collect garbage later.
 */
const mostMemory = size(250, 500);
const alone = oneAtATime();
const key = 'a-key-of-more-than-16-characters';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 31; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

/** Sends 1.6 MB of messages, the most that users 12 to 31 may send. */
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

const cookies = Array.from({ length: 10 }, (_, n) => `PHPSESSID=u${n + 1}`);
const addresses = (count: number) => Array.from({ length: count }, (_, n) => `127.0.0.${n + 2}`);

/** `proof` matches the attackers' result if the flood reached the limit it was meant for. */
interface Case extends Flood {
  from: string;
  proof: RegExp;
  nginx?: boolean;
}

const user = 'PHPSESSID=u11';
function flood(kind: string, parallel: number, from: number, proof: RegExp, as = '', nginx = false): Case {
  const rest = [addresses(from).join(','), parallel, as];
  return {
    kind,
    rest,
    from: `${parallel} at once, client addresses: ${from}${nginx ? ', through nginx' : ''}`,
    proof,
    nginx,
  };
}

/** The connection limit of a user, and nearly the limit of an address. */
const [ofUser, ofAddress] = [20, 150];
const always = [{ ...flood('frames', ofAddress, 1, /"closed":\d/), first: 'closed' }];
// limits.test.ts and guard.test.ts test the limits themselves at less cost.
const inFull = [
  flood('frames', ofAddress, 20, /"closed":\d/),
  flood('halfOpen', 10_000, 20, /"opened":\d{3}/),
  flood('connects', 50, 20, /"told":\d/),
  flood('handshakes', 50, 20, /"101":\d\d/),
  flood('handshakes', 50, 1, /"101":\d{3}.*"429":\d{3}/),
  flood('packets', 10, 20, /"closed":\d/, user),
  flood('reads', ofUser, 1, /"rate_limited":\d/, user),
  flood('events', ofUser, 1, /"closed":\d/, user),
  flood('posts', ofUser, 1, /"closed":\d/, user),
  flood('posts', ofAddress, 1, /"closed":\d/),
  flood('errors', 300, 1, /"404":\d{3}/),
  flood('trickle', 600, 1, /"200":\d{3}/),
  flood('unread', 300, 1, /"closed":\d/),
  flood('unread', 300, 1, /"opened":\d{3}/, '', true),
  flood('images', 300, 1, /"403":\d{3},"429":\d{3}/),
  flood('hoarded', 600, 1, /"opened":\d{3}/),
  flood('hoarded', 300, 1, /"opened":\d{3}/, '', true),
];

describe(`others are served during a flood of ${lasting / 1000} s, and memory grows by less than ${mostMemory} MB`, () => {
  // The full run is sequential.
  size(test, test.concurrent).for(size([...always, ...inFull], always))(
    '$kind, $from',
    { timeout: lasting + 120_000 },
    async ({ proof, nginx, ...flood }, { task, expect, onTestFinished }) => {
      // Each flood has its own server, because a heap that is still large would not grow in the next flood.
      const server = await startChatServer({
        ...inspected,
        ...defaultLimits,
        CHAT_SESSION_STORE: memcached.url,
        CHAT_API_KEY: key,
        ...(nginx ? { CHAT_TRUSTED_PROXIES: '127.0.0.1' } : {}),
      });
      onTestFinished(async () => void (await server.stop()));
      const proxy = nginx ? await startNginx(server.port) : undefined;
      onTestFinished(() => proxy?.stop());
      if (flood.kind === 'reads') await fill(server.port);
      const port = proxy?.port ?? server.port;
      let heapBefore = Number.NaN;
      const ready = async () => {
        heapBefore = await liveHeap(server, key);
      };
      await alone(async () => {
        const fared = await othersDuring(server, { cookies, port, ready }, (served) =>
          attack(flood, { port, lasting, served }),
        );
        const { outcome, gone, messages, health, failures, grown } = fared;
        console.log(
          `${task.name}: +${megabytes(grown)} MB, ${messages.length} messages arrived and ${health.length} × ` +
            `/healthz, ${outcome.said}`,
        );
        expect.soft(outcome.said).toMatch(proof);
        expect.soft(gone).toBe(0);
        // Others were served throughout. `npm run bench beside` measures the times.
        expect.soft(outcome.served).toBe(true);
        expect.soft(failures).toEqual([]);
        expect.soft(megabytes(grown)).toBeLessThan(mostMemory);
      });
      // The memory is freed after the clients without CONNECT reach their limit of 5 s.
      await expect
        .poll(async () => megabytes((await liveHeap(server, key)) - heapBefore), { interval: 500 })
        .toBeLessThan(10);
    },
  );
});
