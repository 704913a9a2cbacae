import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { origin } from '../../helpers/files.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { codeOf, say, startPeopleSite } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';

// Where an answer waits for a lock, it looks at what is locked: so its time shows that this is there.

/** Eve has a room, and Ann another one, with a message in it. A transaction of another server has begun. */
async function twoRooms() {
  const server = await startPostgres();
  const database = await postgresDatabase(server);
  const files = mkdtempSync(join(tmpdir(), 'chat-files-'));
  const settings = { CHAT_HISTORY: database.url, CHAT_ORIGINS: origin, CHAT_FILES: `dir:${files}` };
  const site = await startPeopleSite(settings);
  const [ann, eve] = await site.people(2);
  onTestFinished(async () => {
    await database.query('ROLLBACK');
    for (const one of [ann, eve]) one.close();
    await site.close();
    await database.close();
    await server.remove();
    rmSync(files, { recursive: true });
  });
  const [hidden, own] = [(await site.den(ann)).id, (await site.den(eve)).id];
  for (const [one, room] of [[ann, hidden] as const, [eve, own] as const])
    await one.request('room:join', { room });
  const { seq } = await say(ann, hidden);
  await database.query('BEGIN');
  return { site, database, eve, hidden, own, seq };
}

test('who forwards from a room that he may not read does not wait for what happens there', async () => {
  const { database, eve, hidden, own, seq } = await twoRooms();
  await database.query('SELECT num FROM chat_rooms WHERE id = $1 FOR UPDATE', [hidden]);
  const copy = { room: own, from: { room: hidden, seq }, clientId: newClientId() };
  expect(await codeOf(eve, 'message:forward', copy)).toBe('unknown_message');
});

test('an upload into a room that its user may not read looks for no message of that room', async () => {
  const { site, database, eve, hidden } = await twoRooms();
  await database.query('LOCK TABLE chat_messages IN ACCESS EXCLUSIVE MODE');
  const headers = { cookie: eve.cookie, origin };
  const answer = await fetch(`${site.chat.url}/files?room=${hidden}&name=x`, {
    method: 'POST',
    headers,
    body: 'x',
  });
  expect(answer.status).toBe(404);
});
