import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConnectRefused, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { size } from './size.ts';

const users = size(50, 10);
const cutsWanted = size(1000, 25);

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let n = 1; n <= users; n++) {
    await memcached.set(
      `sessions/user${n}`,
      JSON.stringify({ user_id: n, firstname: `User ${n}`, pad: 'x'.repeat(n * 7) }),
    );
  }
});
afterAll(() => memcached.stop());

test(`replies cut in the middle ${cutsWanted} times under ${users} parallel connections: nobody is taken for another`, async () => {
  let cuts = 0;
  let replies = 0;
  const proxy = await startTcpProxy(memcached.port, (piece, client) => {
    // Cuts two in five, at every offset in turn, in header and body.
    if (cuts < cutsWanted && ++replies % 5 < 2) {
      cuts++;
      client.write(piece.subarray(0, (cuts * 7) % piece.length));
      client.end();
    } else client.write(piece);
  });
  const server = await chatServerHere({
    CHAT_SESSION_STORE: `memcached://127.0.0.1:${proxy.port}?prefix=sessions/&format=json`,
    CHAT_SESSION_CHECK: '100ms',
    CHAT_LOG_LEVEL: 'fatal',
  });

  const wrong: string[] = [];
  const codes = new Map<string, number>();
  const seen = (what: string) => codes.set(what, (codes.get(what) ?? 0) + 1);
  await Promise.all(
    Array.from({ length: users }, async (_, i) => {
      const n = i + 1;
      do {
        try {
          const client = await connectChat(server.url, `PHPSESSID=user${n}`);
          if (client.ready.user.id !== String(n)) wrong.push(`${n} was taken for ${client.ready.user.id}`);
          seen('connected');
          // Stays for some regular checks, which must not end it.
          const outcome = await Promise.race([
            client.ended,
            new Promise((resolve) => setTimeout(resolve, 250)),
          ]);
          if (outcome !== undefined) wrong.push(`${n} was ended: ${JSON.stringify(outcome)}`);
          client.close();
        } catch (error) {
          if (!(error instanceof ConnectRefused)) throw error;
          seen(error.message);
        }
      } while (cuts < cutsWanted);
    }),
  );
  expect(wrong).toEqual([]);
  expect([...codes.keys()].sort().filter((code) => code !== 'session_store_unavailable')).toEqual([
    'connected',
  ]);
  expect(cuts).toBe(cutsWanted);
  // No call is pending: everybody is served, since the replies are complete again.
  for (let n = 1; n <= users; n++) {
    const client = await connectChat(server.url, `PHPSESSID=user${n}`);
    expect(client.ready.user.id).toBe(String(n));
    client.close();
  }
  expect(await server.stop()).toBe(0);
  await proxy.close();
});
