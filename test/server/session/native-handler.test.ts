import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
});
afterAll(() => memcached.stop());

/** One request of a site that uses ext-memcached's own session handler; the cookie that it sends. */
function request(format: string, cookie: string | null, code: string): string {
  const settings = {
    'session.save_handler': 'memcached',
    'session.save_path': `127.0.0.1:${memcached.port}`,
    'session.serialize_handler': format,
    'session.use_cookies': '0',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  const id = cookie === null ? '' : `session_id('${cookie.split('=')[1]}');`;
  return execFileSync(
    'php',
    [...options, '-r', `${id} session_start(); ${code}; echo "PHPSESSID=", session_id();`],
    {
      encoding: 'utf8',
    },
  );
}

test.each(['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'])(
  'ext-memcached’s own handler, %s: logged in, renamed, logged out',
  async (format) => {
    const chat = await startChatServer({
      CHAT_SESSION_STORE: `memcached://127.0.0.1:${memcached.port}?handler=memcached&format=${format}`,
      CHAT_USER_ID: 'app.user.id',
      CHAT_USER_NAME: 'app.user.name',
    });
    const login =
      '$_SESSION["app"] = ["user" => (object) ["id" => 42, "name" => "Zoë"]]; $_SESSION["bin"] = "\\xff"';
    const cookie = request(format, null, login);
    const client = await connectChat(chat.url, cookie);
    expect(client.ready.user).toEqual({ id: '42', name: 'Zoë' });
    request(format, cookie, 'unset($_SESSION["app"])');
    expect((await client.ended).reason).toBe('logout');
    expect(await chat.stop()).toBe(0);
  },
);

test('while PHP holds the lock of a session, a connection with it is not kept waiting', async () => {
  const chat = await startChatServer({
    CHAT_SESSION_STORE: `memcached://127.0.0.1:${memcached.port}?handler=memcached`,
  });
  const cookie = request('php', null, '$_SESSION["user_id"] = 7');
  await memcached.set(`memc.sess.key.lock.${cookie.split('=')[1]}`, '1', 10);
  const began = performance.now();
  const client = await connectChat(chat.url, cookie);
  expect(performance.now() - began).toBeLessThan(1000);
  expect(client.ready.user.id).toBe('7');
  expect(await memcached.ask(`get memc.sess.key.lock.${cookie.split('=')[1]}\r\n`)).toContain('\r\n1\r\n');
  client.close();
  await chat.stop();
});
