import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { origin } from '../../helpers/files.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { codeOf, say, startPeopleSite } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';

// If a request waited for a lock in a hidden room, its response time would reveal that the room exists.

/** Creates a room of Ann's with a message and a room of Eve's, and opens a transaction of another server. */
async function twoRooms() {
  const server = await startPostgres();
  const database = await postgresDatabase(server);
  const files = mkdtempSync(join(tmpdir(), 'chat-files-'));
  const settings = { CHAT_HISTORY: database.url, CHAT_ORIGINS: origin, CHAT_FILES: `dir:${files}` };
  const site = await startPeopleSite(settings);
  const [ann, eve] = await site.people(2);
  onTestFinished(async () => {
    await database.query('ROLLBACK');
    for (const client of [ann, eve]) client.close();
    await site.close();
    await database.close();
    await server.remove();
    rmSync(files, { recursive: true });
  });
  const [hidden, own] = [(await site.den(ann)).id, (await site.den(eve)).id];
  for (const [client, room] of [[ann, hidden] as const, [eve, own] as const])
    await client.request('room:join', { room });
  const { seq } = await say(ann, hidden);
  await database.query('BEGIN');
  return { site, database, eve, hidden, own, seq };
}

test('rejects a forward from a hidden room without waiting for a lock on that room', async () => {
  const { database, eve, hidden, own, seq } = await twoRooms();
  await database.query('SELECT num FROM chat_rooms WHERE id = $1 FOR UPDATE', [hidden]);
  const copy = { room: own, from: { room: hidden, seq }, clientId: newClientId() };
  expect(await codeOf(eve, 'message:forward', copy)).toBe('unknown_message');
});

test('rejects an upload into a hidden room without reading its messages', async () => {
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
