import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { apiKey } from '../../helpers/people.ts';
import { serverOverTime } from '../../helpers/server-over-time.ts';

test('a ban survives a restart and lasts for its time by the wall clock; without a time it is permanent', async () => {
  const { clock, history, start } = await serverOverTime('ann', 'ben');
  let url = '';
  const restart = async (signal: NodeJS.Signals) => {
    ({ url } = await start({ CHAT_API_KEY: apiKey }, { signal }));
  };
  const isIn = async (user: string) => {
    const connecting = connectChat(url, `PHPSESSID=${user}`);
    const came = connecting.then(
      (client) => {
        client.close();
        return 'in';
      },
      async () => (await refusalOf(connecting)).message,
    );
    return came;
  };
  await restart('SIGTERM');
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
  await restart('SIGKILL');
  clock.jump(3500);
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['forbidden', 'forbidden']);
  clock.jump(3700);
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['in', 'forbidden']);
  clock.jump(40 * 365 * 86_400);
  await restart('SIGTERM');
  expect([await isIn('ann'), await isIn('ben')]).toEqual(['in', 'forbidden']);
  // Without control characters, which not every database accepts.
  const stored = new DatabaseSync(history.path, { readOnly: true });
  expect(stored.prepare("SELECT reason FROM chat_bans WHERE user_id = 'ben'").get()).toEqual({
    reason: 'spam',
  });
  stored.close();
});
