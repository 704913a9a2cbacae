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

const lasting = size(30_000, 300);
/** Megabytes. The promise is 100, but a busy machine does not always collect garbage in time. */
const mostMemory = size(100, 500);
const alone = oneAtATime();
const key = 'a-key-of-more-than-16-characters';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 31; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

/** 1.6 MB of messages, the most that users 12 to 31 may send. */
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

/** `proof`: a text in the attackers' result that shows that the flood met the limit it was meant for. */
interface Case extends Flood {
  from: string;
  proof: RegExp;
  nginx?: boolean;
}

const user = 'PHPSESSID=u11';
const nobody = '';
function chat(
  kind: string,
  parallel: number,
  from: number,
  proof: RegExp,
  as: typeof user | '' = user,
): Case {
  const rest = [addresses(from).join(','), parallel, as];
  return { program: 'flood', kind, rest, from: `${parallel} at once from ${from}`, proof };
}
function plainHttp(kind: string, connections: number, proof: RegExp, nginx = false): Case {
  const from = `${connections} of plain HTTP ${nginx ? 'through nginx' : 'directly'}`;
  return { program: 'http-flood', kind, rest: ['127.0.0.2', connections], from, proof, nginx };
}

/** The most connections of a user, and nearly the most of an address. */
const [ofUser, ofAddress] = [20, 150];
const always = [{ ...chat('frames', ofAddress, 1, /"closed":\d/, nobody), first: 'closed' }];
// limits.test.ts shows the same from one address at less cost; guard.test.ts and limits.test.ts cover pings, packets
// and reads. Headers have 10 s, which http.test.ts waits for once.
const inFull = [
  chat('halfOpen', 10_000, 20, /"opened":\d{3}/),
  plainHttp('unread', 300, /"closed":\d/),
  chat('connects', 50, 20, /"told":\d/),
  chat('handshakes', 50, 20, /"101":\d\d/),
  chat('polling', 50, 20, /"200":\d\d/),
  chat('handshakes', 50, 1, /"101":\d{3},"429":\d{3}/),
  chat('pings', 20, 20, /"closed":\d/),
  chat('packets', 10, 20, /"rate_limited":\d/),
  chat('reads', ofUser, 1, /"rate_limited":\d/),
  chat('bursts', ofUser, 1, /"written":\d/),
  chat('events', ofUser, 1, /"closed":\d/),
  chat('posts', ofUser, 1, /"closed":\d/),
  chat('frames', ofUser, 1, /"closed":\d/),
  chat('posts', ofAddress, 1, /"closed":\d/, nobody),
  ...['fragments', 'emptyFragments', 'pongs', 'webSocketPings'].map((kind) =>
    chat(kind, ofAddress, 1, /"closed":\d/, nobody),
  ),
  chat('frames', ofAddress, 20, /"closed":\d/, nobody),
  chat('slowloris', 500, 1, /"408":\d/),
  plainHttp('images', 300, /"403":\d{3},"429":\d{3}/),
  plainHttp('hoarded', 600, /"opened":\d{3}/),
  plainHttp('head', 300, /"200":\d{3}/),
  plainHttp('files', 300, /"200":\d{3}/),
  plainHttp('health', 300, /"200":\d{3}/),
  plainHttp('errors', 300, /"404":\d{3}/),
  plainHttp('garbage', 300, /"400":\d{3}/),
  plainHttp('trickle', 600, /"200":\d{3}/),
  plainHttp('unfinished', 300, /"405":\d{3}/),
  plainHttp('unread', 300, /"opened":\d{3}/, true),
  plainHttp('images', 300, /"403":\d{3},"429":\d{3}/, true),
  plainHttp('hoarded', 300, /"opened":\d{3}/, true),
  plainHttp('files', 300, /"200":\d{3}/, true),
  plainHttp('health', 300, /"200":\d{3}/, true),
];

describe(`${lasting / 1000} s of it: others are served meanwhile, memory grows by less than ${mostMemory} MB and is given back`, () => {
  // The full run does one after the other.
  size(test, test.concurrent).for(size([...always, ...inFull], always))(
    '$kind, $from',
    { timeout: lasting + 120_000 },
    async ({ proof, nginx, ...flood }, { task, expect, onTestFinished }) => {
      // Each has its own server, because one that is still large from the last flood would not grow in the next.
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
          `${task.name}: +${megabytes(grown)} MB, meanwhile ${messages.length} messages arrived and ${health.length} × ` +
            `/healthz, ${outcome.said}`,
        );
        expect.soft(outcome.said).toMatch(proof);
        expect.soft(gone).toBe(0);
        // Others were served while it lasted. `npm run bench beside` measures the times.
        expect.soft(outcome.served).toBe(true);
        expect.soft(failures).toEqual([]);
        expect.soft(megabytes(grown)).toBeLessThan(mostMemory);
      });
      // The memory is freed once the clients without CONNECT have had their 5 s.
      await expect
        .poll(async () => megabytes((await liveHeap(server, key)) - heapBefore), {
          interval: 500,
        })
        .toBeLessThan(10);
    },
  );
});
