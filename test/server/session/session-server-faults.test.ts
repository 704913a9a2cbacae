import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { storeConnectionContract } from '../../contracts/store-connection.ts';
import { type KeptSessions, keptSessions } from '../../helpers/kept-sessions.ts';
import { type SessionServer, startSessionServer } from '../../helpers/session-server.ts';
import { orNull, spoilingProxy, storeAt, text } from '../../helpers/session-stores.ts';
import { failureOf } from '../../helpers/whole-error.ts';

let server: SessionServer;
let kept: KeptSessions;
beforeAll(async () => {
  server = await startSessionServer();
  kept = await keptSessions(server.port);
});
afterAll(async () => {
  kept.close();
  await server.stop();
});

const urlOf = (port: number) => `session-server://127.0.0.1:${port}`;

storeConnectionContract(
  {
    nonsense: [
      ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n', /not asked/],
      ['the answer to another question', 'ok\r\n', /not asked/],
      ['an event', 'event destroyed one\r\n', /not asked/],
      ['an error of no meaning', 'err unknown command one\r\n', /not asked/],
      ['an encoding that is none', 'ok a:1:{s:0:"";s:1:"%4";}\r\n', /not asked/],
      ['half a value', 'ok a:1:{s:0:"";s:9:"x', /250 ms/],
      ['a value that ends too soon', 'ok a:1:{s:0:"";s:9:"x";}\r\n', /^expected/],
      ['no array', 'ok i:1;\r\n', /^expected an array/],
      ['nothing', 'ok \r\n', /^expected/],
      ['lists in lists', `ok ${'a:1:{i:0;'.repeat(100_000)}\r\n`, /^expected/],
      ['a line without an end', 'x'.repeat(8_000_000), /250 ms/],
    ],
    waitsToReconnect: true,
  },
  () => ({
    port: server.port,
    url: (port, timeout) => `${urlOf(port)}?timeout=${timeout}ms`,
    put: (id, value) => kept.put(id, value),
    answerIn: (piece) => piece.indexOf('ok a:1:{'),
    unasked: Buffer.from('ok a:1:{s:0:"";s:12:"user_id|i:1;";}\r\n'),
  }),
);

test.each(['HTTP/1.1 400 Bad Request\r\n\r\n', 'ok\r\nok\r\n', '\r\n'])(
  'a server that says %j before it is asked: a failure, and the next question gets its answer',
  async (nonsense) => {
    await kept.put('sane', 'here');
    const proxy = await spoilingProxy(server.port, (piece, client, nth) =>
      client.write(nth === 0 ? nonsense : piece),
    );
    const sessions = storeAt(urlOf(proxy.port));
    expect(await failureOf(sessions.get('sane'))).toMatch(/not asked/);
    await expect.poll(() => orNull(text(sessions.get('sane')))).toBe('here');
  },
);

test('restarted empty: its sessions are gone, and new ones are found', async () => {
  const first = await startSessionServer();
  onTestFinished(async () => void (await first.stop('SIGKILL')));
  await (await keptSessions(first.port)).put('one', 'x');
  const sessions = storeAt(urlOf(first.port));
  expect(await text(sessions.get('one'))).toBe('x');
  await first.stop('SIGKILL');
  expect(await failureOf(sessions.get('one'))).toMatch(/closed the connection|cannot be reached/);
  const second = await startSessionServer({ SESSION_SERVER_PORT: String(first.port) });
  onTestFinished(async () => void (await second.stop('SIGKILL')));
  await expect.poll(() => sessions.get('one').catch(() => 'failed')).toBeNull();
  await (await keptSessions(second.port)).put('one', 'again');
  expect(await text(sessions.get('one'))).toBe('again');
});
