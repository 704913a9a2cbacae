import { expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { keptSessions } from '../../helpers/kept-sessions.ts';
import { metrics } from '../../helpers/server-figures.ts';
import { startSessionServer } from '../../helpers/session-server.ts';

const user = (id: number, name: string) => `user_id|i:${id};firstname|s:${name.length}:"${name}";`;

/** A chat server that would look at each session ten times a second. */
async function site(sessions: number) {
  let server = await startSessionServer();
  const { port, url } = server;
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  const kept = await keptSessions(port);
  onTestFinished(() => kept.close());
  const chat = await startChatServer({ CHAT_SESSION_STORE: url, CHAT_SESSION_CHECK: '100ms' });
  onTestFinished(async () => void (await chat.stop()));
  await chat.until(/ended sessions are notified/);
  const ids = Array.from({ length: sessions }, (_, n) => `session${n}`);
  for (const [n, id] of ids.entries()) await kept.put(id, user(n + 1, 'Ann'));
  const clients = await Promise.all(ids.map((id) => connectChat(chat.url, `PHPSESSID=${id}`)));
  const looks = async () => (await metrics(chat.url)).get('chat_session_lookups_total') ?? Number.NaN;
  const looksIn = async (milliseconds: number) => {
    const before = await looks();
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return (await looks()) - before;
  };
  return {
    kept,
    clients,
    looksIn,
    signal: (name: NodeJS.Signals) => server.signal(name),
    async restart() {
      await server.stop('SIGKILL');
      server = await startSessionServer({ SESSION_SERVER_PORT: String(port) });
    },
  };
}

test('sessions whose server tells each change are not looked at, and end all the same', async () => {
  const { kept, clients, looksIn } = await site(5);
  await expect.poll(() => looksIn(300)).toBe(0);
  expect(await looksIn(1000)).toBe(0);
  const began = performance.now();
  await kept.destroy('session0');
  expect((await clients[0]?.ended)?.reason).toBe('logout');
  await kept.put('session1', user(99, 'Eve'));
  expect((await clients[1]?.ended)?.reason).toBe('user_changed');
  await kept.regenerate('session2');
  expect((await clients[2]?.ended)?.reason).toBe('logout');
  await kept.put('session3', 'user_id|');
  expect((await clients[3]?.ended)?.reason).toBe('invalid');
  expect(performance.now() - began).toBeLessThan(10_000);
  // What has changed, and nothing else.
  expect(clients[4]?.socket.connected).toBe(true);
  expect(await looksIn(500)).toBe(0);
});

test('a server that is silent: they are looked at again, and no longer when it goes on', async () => {
  const { clients, looksIn, signal } = await site(3);
  await expect.poll(() => looksIn(300)).toBe(0);
  signal('SIGSTOP');
  await expect.poll(() => looksIn(300)).toBeGreaterThan(0);
  signal('SIGCONT');
  await expect.poll(() => looksIn(300)).toBe(0);
  for (const { socket } of clients) expect(socket.connected).toBe(true);
});

test('a server that was restarted, and is empty: all of them are over', async () => {
  const { clients, looksIn, restart } = await site(3);
  await expect.poll(() => looksIn(300)).toBe(0);
  await restart();
  for (const { ended } of clients) expect((await ended).reason).toBe('logout');
});
