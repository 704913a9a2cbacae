import { describe, expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { nextChatServer } from '../../helpers/chat-server.ts';
import { keptSessions } from '../../helpers/kept-sessions.ts';
import { metrics } from '../../helpers/server-figures.ts';
import { restartableSessionServer } from '../../helpers/session-server.ts';

describe('a chat server with a session check every 100 ms', () => {
  const user = (id: number, name: string) => `user_id|i:${id};firstname|s:${name.length}:"${name}";`;

  test('checks sessions only while the session server does not respond, and notices each end of a session', async () => {
    const own = await restartableSessionServer();
    const sessions = await keptSessions(own.port);
    const chat = await nextChatServer({ CHAT_SESSION_STORE: own.url, CHAT_SESSION_CHECK: '100ms' });
    onTestFinished(async () => void (await chat.stop()));
    await chat.until(/store notifications/);
    const ids = Array.from({ length: 5 }, (_, n) => `session${n}`);
    for (const [n, id] of ids.entries()) await sessions.put(id, user(n + 1, 'Ann'));
    const clients = await Promise.all(ids.map((id) => connectChat(chat.url, `PHPSESSID=${id}`)));
    const checks = async () => (await metrics(chat.url)).get('chat_session_checks_total') ?? Number.NaN;
    const checksIn = async (milliseconds: number) => {
      const before = await checks();
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      return (await checks()) - before;
    };

    await expect.poll(() => checksIn(300)).toBe(0);
    for (const [n, [end, reason]] of [
      [() => sessions.destroy('session0'), 'logout'] as const,
      [() => sessions.put('session1', user(99, 'Eve')), 'user_changed'] as const,
      [() => sessions.regenerate('session2'), 'logout'] as const,
      [() => sessions.put('session3', 'user_id|'), 'invalid'] as const,
    ].entries()) {
      await end();
      expect((await clients[n]?.ended)?.reason).toBe(reason);
    }
    await expect.poll(() => checksIn(500)).toBe(0);
    own.signal('SIGSTOP');
    await expect.poll(() => checksIn(300)).toBeGreaterThan(0);
    own.signal('SIGCONT');
    await expect.poll(() => checksIn(300)).toBe(0);
    expect(clients[4]?.socket.connected).toBe(true);
    // The session server restarts without its sessions.
    await own.restart();
    expect((await clients[4]?.ended)?.reason).toBe('logout');
  });
});
