import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { codeOf, say, startPeopleSite } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';

test('who forwards from a room that he may not read does not wait for what happens there', async () => {
  const server = await startPostgres();
  const database = await postgresDatabase(server);
  const site = await startPeopleSite({ CHAT_HISTORY: database.url });
  const [ann, eve] = [await site.person(), await site.person()];
  onTestFinished(async () => {
    await database.query('ROLLBACK');
    for (const one of [ann, eve]) one.close();
    await site.close();
    await database.close();
    await server.remove();
  });
  const [hidden, own] = [(await site.den(ann)).id, (await site.den(eve)).id];
  for (const [one, room] of [[ann, hidden] as const, [eve, own] as const])
    await one.request('room:join', { room });
  const { seq } = await say(ann, hidden);
  // Another server writes there.
  await database.query('BEGIN');
  await database.query('SELECT num FROM chat_rooms WHERE id = $1 FOR UPDATE', [hidden]);
  const copy = { room: own, from: { room: hidden, seq }, clientId: newClientId() };
  expect(await codeOf(eve, 'message:forward', copy)).toBe('unknown_message');
});
