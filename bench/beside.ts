/**
 * Delays of messages and /healthz for other users, and growth of the server's memory, during floods, with clients that
 * do not read, slow uploads, and a session store that does not respond.
 * Run: npm run bench beside
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { newClientId } from '../test/helpers/chat-client.ts';
import { type ChatServer, defaultLimits, startChatServer } from '../test/helpers/chat-server.ts';
import { origin } from '../test/helpers/files.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { attack, type Flood, othersDuring } from '../test/helpers/others-during.ts';
import { connectRaw } from '../test/helpers/raw-client.ts';
import { megabytes, percentile } from '../test/helpers/server-figures.ts';

const lasting = 10_000;
const memcached = await startMemcached();
for (let user = 1; user <= 50; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
const cookie = (user: number) => `PHPSESSID=u${user}`;
const cookies = Array.from({ length: 10 }, (_, n) => cookie(n + 1));
const addresses = Array.from({ length: 20 }, (_, n) => `127.0.0.${n + 2}`).join(',');

/** Sends 400 messages of 1 KB a second to 20 clients that do not read. */
async function slowReaders({ port }: ChatServer): Promise<void> {
  const all = await Promise.all(
    Array.from({ length: 21 }, (_, n) => connectRaw(port, cookie(n + 11), 'lobby')),
  );
  const [writer, ...paused] = all;
  for (const { socket } of paused) socket.pause();
  const text = 'x'.repeat(1000);
  for (
    const began = performance.now(), sent = { count: 0 };
    performance.now() - began < lasting;
    await pause(5)
  ) {
    for (; sent.count < ((performance.now() - began) / 1000) * 400; sent.count++) {
      const message = { room: 'lobby', clientId: newClientId(), text };
      writer?.send(`42999${JSON.stringify(['message:send', message])}`);
    }
  }
  for (const { socket } of all) socket.destroy();
}

/** Uploads 10 MB in small chunks with delays. */
async function slowUpload({ port }: ChatServer, user: number): Promise<void> {
  const size = 10 * 1024 * 1024;
  const piece = Buffer.alloc(64 * 1024, 'x');
  const socket = connect(port, '127.0.0.1').resume();
  const ended = once(socket, 'close');
  socket.write(
    `POST /files?room=lobby&name=x HTTP/1.1\r\nHost: x\r\nOrigin: ${origin}\r\nCookie: ${cookie(user)}\r\nContent-Length: ${size}\r\n\r\n`,
  );
  for (let sent = 0; sent < size; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, 'drain');
    await pause(30);
  }
  await ended;
}

const flood = (kind: string, ...rest: Flood['rest']) =>
  [
    kind,
    defaultLimits,
    ({ port }: ChatServer, served: () => Promise<void>) => attack({ kind, rest }, { port, lasting, served }),
  ] as const;
const burdens: readonly (readonly [
  string,
  NodeJS.ProcessEnv,
  (server: ChatServer, served: () => Promise<void>) => Promise<unknown>,
])[] = [
  ['nothing', {}, () => pause(lasting)],
  flood('handshakes', addresses, 50, ''),
  flood('connects', addresses, 50, ''),
  flood('events', '127.0.0.2', 20, cookie(11)),
  flood('posts', '127.0.0.2', 20, cookie(11)),
  flood('frames', '127.0.0.2', 150, ''),
  flood('halfOpen', addresses, 2000, ''),
  flood('unread', '127.0.0.2', 300, ''),
  ['20 slow readers', { CHAT_LIMIT_QUEUE: '1MB' }, slowReaders],
  [
    '20 slow uploads',
    { CHAT_ORIGINS: origin, CHAT_LIMIT_FILES_USER: '0' },
    (server) => Promise.all(Array.from({ length: 20 }, (_, n) => slowUpload(server, n + 11))),
  ],
  [
    'memcached stopped',
    {},
    async () => {
      memcached.signal('SIGSTOP');
      await pause(lasting);
      memcached.signal('SIGCONT');
    },
  ],
];

console.log(
  '| beside | a message p50 | p99 | `/healthz` p50 | p99 | memory |\n| --- | --- | --- | --- | --- | --- |',
);
for (const [name, env, burden] of burdens) {
  const server = await startChatServer({ ...env, CHAT_SESSION_STORE: memcached.url });
  const { messages, health, grown } = await othersDuring(server, { cookies }, (served) =>
    burden(server, served),
  );
  const times = [messages, health].flatMap((latencies) =>
    [0.5, 0.99].map((share) => `${percentile(latencies, share).toFixed(1)} ms`),
  );
  console.log(`| ${[name, ...times, `+${megabytes(grown)} MB`].join(' | ')} |`);
  await server.stop();
}
await memcached.stop();
process.exit();
