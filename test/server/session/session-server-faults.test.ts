import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FormatError } from '../../../server/session/formats/value.ts';
import { type SessionStore, StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type KeptSessions, keptSessions } from '../../helpers/kept-sessions.ts';
import { failureOf } from '../../helpers/redis.ts';
import { type SessionServer, startSessionServer } from '../../helpers/session-server.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';

let server: SessionServer;
let kept: KeptSessions;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startSessionServer();
  kept = await keptSessions(server.port);
});
afterAll(async () => {
  kept.close();
  await server.stop();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function store(port = server.port): SessionStore {
  const opened = parseStoreUrl(`session-server://127.0.0.1:${port}`).open();
  closing.push(() => opened.close());
  return opened;
}

/** A store behind a proxy that spoils what the session server says. */
async function spoiled(
  reply: (piece: Buffer, client: Socket, nth: number) => void,
): Promise<[SessionStore, TcpProxy]> {
  const proxy = await startTcpProxy(server.port, reply);
  const opened = store(proxy.port);
  closing.push(() => proxy.close());
  return [opened, proxy];
}

const text = (bytes: Promise<Buffer | null>) => bytes.then((found) => found && String(found));

test('stopped: a failure in time; and well again when it goes on, each question with its own answer', async () => {
  await Promise.all([kept.put('one', 'user_id|i:1;')]);
  await kept.put('two', 'user_id|i:2;');
  const sessions = store();
  await sessions.get('one');
  server.signal('SIGSTOP');
  try {
    const began = performance.now();
    expect(await failureOf(sessions.get('one'))).toMatch(/did not answer within 250 ms/);
    // Connections are still taken by the kernel.
    expect(await failureOf(store().get('one'))).toMatch(/did not answer within 250 ms/);
    expect(performance.now() - began).toBeLessThan(5000);
  } finally {
    server.signal('SIGCONT');
  }
  await expect.poll(() => text(sessions.get('two')).catch(() => null)).toBe('user_id|i:2;');
});

test('silent under steady traffic: the time-out fires all the same', async () => {
  const [sessions] = await spoiled(() => {});
  const first = sessions.get('one');
  const traffic = setInterval(() => sessions.get('two').catch(() => {}), 20);
  closing.push(() => clearInterval(traffic));
  expect(await failureOf(first)).toMatch(/250 ms/);
});

test('cut again and again, or nobody listens: a failure, and not a connection for each question', async () => {
  const [sessions, proxy] = await spoiled((_, client) => client.destroy());
  const asking = Array.from({ length: 300 }, (_, n) => pause(n).then(() => failureOf(sessions.get('one'))));
  for (const failure of await Promise.all(asking))
    expect(failure).toMatch(/closed the connection|ECONNRESET|EPIPE/);
  expect(proxy.accepted).toBeLessThan(50);
  await proxy.close();
  await expect.poll(() => failureOf(sessions.get('one'))).toMatch(/cannot be reached \(ECONNREFUSED\)/);
});

/** Of a session that is there, and is none, too. */
const reasonOf = (question: Promise<unknown>) =>
  question.then(
    () => 'there was an answer',
    (error: unknown) => {
      expect(error).toSatisfy((one) => one instanceof StoreError || one instanceof FormatError);
      return (error as Error).message;
    },
  );

const peeked = (piece: Buffer) => piece.includes('a:1:{');

test.each([
  ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n', /not asked/],
  ['the answer to another question', 'ok\r\n', /not asked/],
  ['an event', 'event destroyed sane\r\n', /not asked/],
  ['an error that says nothing', 'err unknown command sane\r\n', /not asked/],
  ['an encoding that is none', 'ok a:1:{s:0:"";s:1:"%4";}\r\n', /not asked/],
  ['half a value', 'ok a:1:{s:0:"";s:9:"x', /250 ms/],
  ['a value that ends too soon', 'ok a:1:{s:0:"";s:9:"x";}\r\n', /^expected/],
  ['a value that ends too late', 'ok a:1:{s:0:"";s:0:"";}x\r\n', /^expected/],
  ['no array', 'ok i:1;\r\n', /^expected an array/],
  ['nothing', 'ok \r\n', /^expected/],
  ['lists in lists', `ok ${'a:1:{i:0;'.repeat(100_000)}\r\n`, /^expected/],
  ['a line without an end', 'x'.repeat(8_000_000), /250 ms/],
])('%s: a failure, and the next questions get their answers', async (_, nonsense, reason) => {
  await kept.put('sane', 'here');
  let said = false;
  const [sessions] = await spoiled((piece, client) => {
    const at = said ? -1 : piece.indexOf('ok a:1:{');
    client.write(at === -1 ? piece : Buffer.concat([piece.subarray(0, at), Buffer.from(nonsense)]));
    said ||= at !== -1;
  });
  expect(await reasonOf(sessions.get('sane'))).toMatch(reason);
  await expect.poll(() => text(sessions.get('sane')).catch(() => null)).toBe('here');
});

test.each(['HTTP/1.1 400 Bad Request\r\n\r\n', 'ok\r\nok\r\n', '\r\n'])(
  'says %j before it is asked: a failure, and well again',
  async (nonsense) => {
    await kept.put('sane', 'here');
    const [sessions] = await spoiled((piece, client, nth) => client.write(nth === 0 ? nonsense : piece));
    expect(await failureOf(sessions.get('sane'))).toMatch(/not asked/);
    await expect.poll(() => text(sessions.get('sane')).catch(() => null)).toBe('here');
  },
);

test('more than was asked for: nothing of it answers a later question', async () => {
  await kept.put('two', 'user_id|i:2;');
  const [sessions] = await spoiled((piece, client, nth) => {
    const more = nth === 0 && peeked(piece) ? 'ok a:1:{s:0:"";s:12:"user_id|i:1;";}\r\n' : '';
    client.write(Buffer.concat([piece, Buffer.from(more)]));
  });
  await sessions.get('two');
  for (let n = 0; n < 20; n++) {
    expect(await text(sessions.get('two')).catch(() => 'failed')).toMatch(/failed|user_id\|i:2;/);
    await pause(5);
  }
});

test('cut in the middle of a reply: the rest never reaches the next question', async () => {
  await kept.put('one', 'user_id|i:1;');
  await kept.put('two', 'user_id|i:2;');
  const [sessions, proxy] = await spoiled((piece, client, nth) => {
    if (nth > 0 || !peeked(piece)) return client.write(piece);
    client.write(piece.subarray(0, piece.length - 5));
    client.end();
  });
  await failureOf(sessions.get('one'));
  await expect.poll(() => text(sessions.get('two')).catch(() => null)).toBe('user_id|i:2;');
  expect(proxy.accepted).toBe(2);
});

test('replies in single bytes', async () => {
  await kept.put('slow', 'here');
  const [sessions] = await spoiled((piece, client) => {
    for (const byte of piece) client.write(Buffer.of(byte));
  });
  expect(await text(sessions.get('slow'))).toBe('here');
});

test('restarted empty: its sessions are gone, and the new ones are found', async () => {
  let own = await startSessionServer();
  closing.push(() => own.stop());
  const first = await keptSessions(own.port);
  await first.put('one', 'x');
  const sessions = store(own.port);
  expect(await text(sessions.get('one'))).toBe('x');
  await own.stop('SIGKILL');
  expect(await failureOf(sessions.get('one'))).toMatch(/closed the connection|cannot be reached/);
  own = await startSessionServer({ SESSION_SERVER_PORT: String(own.port) });
  await expect.poll(() => sessions.get('one').catch(() => 'failed')).toBeNull();
  const second = await keptSessions(own.port);
  await second.put('one', 'again');
  expect(await text(sessions.get('one'))).toBe('again');
});
