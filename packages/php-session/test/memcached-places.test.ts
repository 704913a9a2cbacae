import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startMemcached } from '../../../test/helpers/memcached.ts';
import { lockedMemcached, memcachedSocket, twemproxy } from '../../../test/helpers/memcached-places.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { checked, readerAt, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { lost, subscribed } from '../../../test/helpers/subscribed.ts';
import { startTcpProxy } from '../../../test/helpers/tcp-proxy.ts';
import { failureOf } from '../../../test/helpers/whole-error.ts';
import type { Login } from '../src/login.ts';
import type { PhpSession } from '../src/logins/php-sessions.ts';
import { StoreError } from '../src/store.ts';
import { parseStoreUrl } from '../src/store-url.ts';
import { storeConnectionContract } from './contracts/store-connection.ts';

const user = 'chat';
const password = 'p@ss/w:rd+%é';
const login = `${user}:${encodeURIComponent(password)}`;

/** Starts a memcached with these arguments, and stops it when the test ends. */
async function memcachedWith(...args: string[]) {
  const memcached = await startMemcached(undefined, args);
  onTestFinished(async () => void (await memcached.stop()));
  return memcached;
}
const textOnly = () => memcachedWith('-B', 'ascii');

/** Removes the result of a helper when the test ends. */
async function forNow<T extends { remove(): Promise<void> }>(started: Promise<T>): Promise<T> {
  const one = await started;
  onTestFinished(() => one.remove());
  return one;
}

type Settings = Record<string, string>;
/** Each entry starts a server, and returns the settings of php.ini and the store URL. */
const places: [string, () => Promise<[Settings, string]>][] = [
  [
    'memcached -B ascii',
    async () => {
      const { port } = await textOnly();
      const settings = { 'session.save_path': `127.0.0.1:${port}`, 'memcached.sess_binary_protocol': '0' };
      return [settings, `memcached://127.0.0.1:${port}?handler=memcached`];
    },
  ],
  [
    'a twemproxy before two servers',
    async () => {
      const { port } = await forNow(twemproxy([await textOnly(), await textOnly()]));
      const settings = { 'session.save_path': `127.0.0.1:${port}`, 'memcached.sess_binary_protocol': '0' };
      return [settings, `memcached://127.0.0.1:${port}?handler=memcached`];
    },
  ],
  [
    'a Unix socket',
    async () => {
      const { path } = await forNow(memcachedSocket());
      return [{ 'session.save_path': path }, `memcached://${path}?handler=memcached`];
    },
  ],
  [
    'a login by SASL',
    async () => {
      const { port } = await forNow(lockedMemcached(user, password));
      const sasl = { 'memcached.sess_sasl_username': user, 'memcached.sess_sasl_password': password };
      const settings = { 'session.save_path': `127.0.0.1:${port}`, ...sasl };
      return [settings, `memcached://${login}@127.0.0.1:${port}?handler=memcached`];
    },
  ],
];

test.each(places)('reads, checks and renews sessions through %s', async (_, start) => {
  const [settings, url] = await start();
  const php = (code: string, id?: string) =>
    phpRequest({ 'session.save_handler': 'memcached', ...settings }, code, id);
  const ids = Array.from({ length: 5 }, (_, n) => php(`$_SESSION["user_id"] = ${n + 1}`));
  const sessions = readerAt(`${url}&timeout=5000ms`);
  const answers = await Promise.all(ids.map((session) => sessions.identify({ session })));
  for (const [n, answer] of answers.entries()) expect(answer).toMatchObject({ user: { id: String(n + 1) } });
  const [kept, changed, gone] = answers as Login<PhpSession>[] as [
    Login<PhpSession>,
    Login<PhpSession>,
    Login<PhpSession>,
  ];
  php('$_SESSION["user_id"] = 70', ids[1]);
  php('session_destroy()', ids[2]);
  await Promise.all([kept, changed, gone].map((one) => sessions.renew(one, 600)));
  // Checks more than once, because a proxy closes the connection for each unknown command.
  for (let n = 0; n < 3; n++) {
    expect(await checked(sessions, kept)).toBeNull();
    expect(await checked(sessions, changed)).toMatchObject({ login: { user: { id: '70' } } });
    expect(await checked(sessions, gone)).toMatchObject({ state: 'nobody' });
    expect(await sessions.ttl(kept)).toSatisfy((ttl) => ttl === null || Number(ttl) <= 600_000);
  }
  expect(await sessions.fault()).toBeNull();
});

describe('a twemproxy', () => {
  test('sends no notifications, and reports a stopped server as a failure', async () => {
    const server = await textOnly();
    const { port } = await forNow(twemproxy([server]));
    const url = `memcached://127.0.0.1:${port}?prefix=sessions/&timeout=5000ms`;
    await server.set('sessions/one', 'x');
    const store = subscribed(parseStoreUrl(url).open());
    await store.until({ kind: 'lost' }, 0);
    expect(store.received).toEqual([lost(expect.any(StoreError))]);
    const sessions = storeAt(url);
    expect(await text(sessions.get('one'))).toBe('x');
    await server.stop();
    expect(await failureOf(sessions.get('one'))).toMatch(/rejected the request \(SERVER_ERROR/);
    expect(await failureOf(sessions.ttl('one'))).toMatch(/rejected the request \(SERVER_ERROR/);
  });
});

test('reads sessions through a proxy that does not know `gets`, as some versions of mcrouter', async () => {
  const server = await textOnly();
  await server.set('sessions/one', 'x');
  let sent = '';
  const unknown = 'SERVER_ERROR unexpected result mc_res_unknown (0) for get\r\n';
  const proxy = await startTcpProxy(
    server.port,
    (piece, client) => client.write(sent.startsWith('gets ') ? unknown : piece),
    (piece) => {
      sent = String(piece);
    },
  );
  onTestFinished(() => proxy.close());
  const sessions = storeAt(`memcached://127.0.0.1:${proxy.port}?prefix=sessions/&timeout=5000ms`);
  for (let n = 0; n < 2; n++) expect(await text(sessions.get('one'))).toBe('x');
  expect(await sessions.get('none')).toBeNull();
});

describe('a login by SASL', () => {
  test('explains a wrong or unnecessary login without the password', async () => {
    const locked = await forNow(lockedMemcached(user, password));
    const open = await memcachedWith();
    for (const [port, message] of [
      [locked.port, /rejects the user or the password of the store URL/],
      [open.port, /has no login \(SASL\)/],
    ] as const) {
      const failure = await failureOf(
        storeAt(`memcached://chat:wrong-secret@127.0.0.1:${port}?timeout=5000ms`).get('one'),
      );
      expect(failure).toMatch(message);
      expect(failure).not.toContain('wrong-secret');
    }
  });
});

const hex = (text: string) => Buffer.from(text, 'hex');
/** The header of a reply to a `get` with this request number; its flags take 4 bytes. */
const answered = (number: string, bytes: string) =>
  hex(`81000000040000${'00'}${bytes}${number}${'00'.repeat(8)}00000000`);
const lookup = hex('8100');

describe('the binary protocol of a login', () => {
  let locked: Awaited<ReturnType<typeof lockedMemcached>>;
  beforeAll(async () => {
    locked = await lockedMemcached(user, password);
  });
  afterAll(() => locked.remove());

  storeConnectionContract(
    {
      nonsense: [
        ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n', /not a reply/],
        [
          'a reply to another request',
          hex(`8100${'00'.repeat(10)}ffffffff${'00'.repeat(8)}`),
          /unexpected reply/,
        ],
        ['a reply to another command', hex(`8101${'00'.repeat(22)}`), /unexpected reply/],
        ['a reply of 4 GB', hex(`8100${'00'.repeat(6)}ffffffff${'00'.repeat(12)}`), /not a reply/],
        [
          'a reply with contradictory lengths',
          hex(`8100ffff04${'00'.repeat(3)}00000004${'00'.repeat(16)}`),
          /not a reply/,
        ],
        ['half a reply', lookup, /250 ms/],
      ],
      waitsToReconnect: false,
    },
    () => ({
      port: locked.port,
      url: (port, timeout) => `memcached://${login}@127.0.0.1:${port}?prefix=sessions/&timeout=${timeout}ms`,
      put: async (id, value) => locked.put(`sessions/${id}`, value),
      answerIn: (piece) => piece.indexOf(lookup),
      unasked: Buffer.concat([answered('ffffffff', '00000010'), Buffer.from('user_id|i:1;')]),
    }),
  );
});
