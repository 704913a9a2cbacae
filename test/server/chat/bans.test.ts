import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../../helpers/chat-server.ts';
import { fakeClock } from '../../helpers/fake-clock.ts';
import { startMemcached } from '../../helpers/memcached.ts';
import { apiKey } from '../../helpers/people.ts';

test('a ban survives a restart and lasts for its time by the wall clock; without a time it is permanent', async () => {
  const [memcached, history, clock] = [await startMemcached(), historyFolder(), fakeClock()];
  let server: ChatServer | undefined;
  onTestFinished(async () => {
    await server?.stop();
    await memcached.stop();
    history.remove();
    clock.remove();
  });
  for (const user of ['ann', 'ben'])
    await memcached.set(`sessions/${user}`, JSON.stringify({ user_id: user }));
  const start = async () => {
    await server?.stop('SIGKILL');
    server = await startChatServer({
      ...clock.env,
      CHAT_SESSION_STORE: memcached.url,
      CHAT_HISTORY: history.url,
      CHAT_API_KEY: apiKey,
    });
    return server;
  };
  const isIn = async (user: string) => {
    const connecting = connectChat(server?.url as string, `PHPSESSID=${user}`);
    const came = connecting.then(
      (client) => {
        client.close();
        return 'in';
      },
      async () => (await refusalOf(connecting)).message,
    );
    return came;
  };
  const { url } = await start();
  const ban = async (user: string, body: object) => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const answer = await fetch(`${url}/api/users/${user}/ban`, {
      method: 'PUT',
      headers,
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
  };
  await ban('ann', { seconds: 3600 });
  await ban('ben', { reason: 'sp\0am\n' });
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['forbidden', 'forbidden']);
  await start();
  clock.jump(3500);
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['forbidden', 'forbidden']);
  clock.jump(3700);
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['in', 'forbidden']);
  clock.jump(40 * 365 * 86_400);
  await start();
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['in', 'forbidden']);
  // Without control characters, which not every database accepts.
  const stored = new DatabaseSync(history.path, { readOnly: true });
  expect(stored.prepare("SELECT reason FROM chat_bans WHERE user_id = 'ben'").get()).toEqual({
    reason: 'spam',
  });
  stored.close();
});
