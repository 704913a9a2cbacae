import { expect, test } from 'vitest';
import { sharedSessions } from '../../../test/helpers/kept-sessions.ts';
import { orNull, spoilingProxy, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { failureOf } from '../../../test/helpers/whole-error.ts';
import { storeConnectionContract } from './contracts/store-connection.ts';

const { server, kept } = await sharedSessions();

const urlOf = (port: number) => `session-server://127.0.0.1:${port}`;

storeConnectionContract(
  {
    nonsense: [
      ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n', /unexpected reply/],
      ['a reply to another request', 'ok\r\n', /unexpected reply/],
      ['an event', 'event destroyed one\r\n', /unexpected reply/],
      ['an unknown error', 'err unknown command one\r\n', /unexpected reply/],
      ['an invalid encoding', 'ok a:1:{s:0:"";s:1:"%4";}\r\n', /unexpected reply/],
      ['half a value', 'ok a:1:{s:0:"";s:9:"x', /250 ms/],
      ['a value that ends too soon', 'ok a:1:{s:0:"";s:9:"x";}\r\n', /^expected/],
      ['no array', 'ok i:1;\r\n', /^expected an array/],
      ['nothing', 'ok \r\n', /^expected/],
      ['nested arrays', `ok ${'a:1:{i:0;'.repeat(100_000)}\r\n`, /^expected/],
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
  'answers the next request correctly after an unexpected %j',
  async (nonsense) => {
    await kept.put('sane', 'here');
    const proxy = await spoilingProxy(server.port, (piece, client, nth) =>
      client.write(nth === 0 ? nonsense : piece),
    );
    const sessions = storeAt(urlOf(proxy.port));
    expect(await failureOf(sessions.get('sane'))).toMatch(/unexpected reply/);
    await expect.poll(() => orNull(text(sessions.get('sane')))).toBe('here');
  },
);
