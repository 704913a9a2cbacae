import { afterEach, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';

let memcached: Memcached | undefined;
const history = historyFolder();
afterEach(async () => {
  await memcached?.stop();
  history.remove();
});

test('SIGTERM: what was accepted is done and answered, clients are told, exit 0 within 10 s', async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 12; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
  const env = { CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url };
  const server = await startChatServer(env);
  const connect = (n: number, transports = ['websocket']) =>
    connectChat(server.url, `PHPSESSID=u${n}`, { transports });
  const clients = await Promise.all(Array.from({ length: 10 }, (_, n) => connect(n + 1)));
  const polling = await connect(11, ['polling']);
  await polling.request('room:join', { room: 'lobby' });

  // Joins and sends, alternately: each send waits for the join before it.
  const stored = new Set<string>();
  const sent = new Map<ChatClient, number>();
  const answered = new Map<ChatClient, string[]>();
  for (const client of clients) {
    const codes: string[] = [];
    answered.set(client, codes);
    for (let n = 0; n < 30; n++) {
      const clientId = newClientId();
      for (const [event, payload] of [
        ['room:join', { room: 'lobby' }],
        ['message:send', { room: 'lobby', text: clientId, clientId }],
      ] as const) {
        sent.set(client, (sent.get(client) ?? 0) + 1);
        client.raw(event, payload).then(
          (answer) => {
            codes.push(answer.ok ? 'ok' : answer.error.code);
            if (answer.ok && event === 'message:send') stored.add(clientId);
          },
          () => {},
        );
      }
    }
  }
  // When the first have been stored, all that was written before them has arrived.
  await expect.poll(() => stored.size, { interval: 1 }).toBeGreaterThan(0);
  const began = performance.now();
  const exit = server.stop('SIGTERM');
  for (const client of [...clients, polling]) expect(await client.disconnected).toBe('transport close');
  expect(await exit).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);

  for (const [client, codes] of answered) {
    expect(codes).toHaveLength(sent.get(client) as number);
    expect(codes.filter((code) => code !== 'ok' && code !== 'server_draining')).toEqual([]);
  }
  expect(server.output()).not.toContain('the history is closed');
  const again = await startChatServer(env);
  const reader = await connectChat(again.url, 'PHPSESSID=u12');
  const { messages } = await reader.request('room:sync', { room: 'lobby', since: 0, limit: 500 });
  expect(new Set(messages.map(({ clientId }) => clientId))).toEqual(stored);
  reader.close();
  await again.stop();
});

test('npm run server passes SIGTERM on, and the exit code back', async () => {
  const npm = startChild('npm', ['run', 'server'], {
    cwd: new URL('../../', import.meta.url).pathname,
    env: {
      ...process.env,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_HISTORY: history.url,
      CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211',
    },
  });
  await npm.until(/"msg":"listening"/);
  process.kill(npm.pid, 'SIGTERM');
  await new Promise((resolve) => npm.process.on('close', resolve));
  expect(npm.output()).toContain('"msg":"stopped"');
  expect(npm.process.exitCode).toBe(0);
});
