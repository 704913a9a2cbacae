import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { startGate } from '../../helpers/gate.ts';
import { startPostgres } from '../../helpers/postgres.ts';

const db = await startPostgres();
afterAll(() => db.remove());

test('rejects an unreadable session and logs the reason, but stays ready', async () => {
  const gate = await startGate(join(db.folder, `.s.PGSQL.${db.port}`));
  onTestFinished(() => gate.close());
  await db.query('CREATE TABLE odd_sessions (id TEXT PRIMARY KEY, data TEXT, expires BIGINT)');
  const store = `postgres://${db.login}@127.0.0.1:${gate.port}/site?table=odd_sessions&id=id&data=data&expires=expires&timeout=3000ms`;
  const chat = await chatServerHere({ CHAT_SESSION_STORE: store, CHAT_SESSION_CHECK: '100ms' });
  onTestFinished(async () => void (await chat.stop()));
  const connect = (id: string) => connectChat(chat.url, `PHPSESSID=${id}`);
  await db.query(
    "INSERT INTO odd_sessions SELECT id, 'user_id|i:' || n || ';', extract(epoch from now())::bigint + 1440 FROM (VALUES ('charset', 7), ('expiry', 8), ('well', 9)) AS t (id, n)",
  );
  const clients = await Promise.all(['charset', 'expiry', 'well'].map(connect));
  await db.query(`UPDATE odd_sessions SET data = data || 'bio|s:2:"é";' WHERE id = 'charset'`);
  await db.query("UPDATE odd_sessions SET expires = expires * 1000 WHERE id = 'expiry'");
  for (const [id, reason] of [
    ['charset', /add charset=utf8mb4/],
    ['expiry', /is not a time in expires_unit=/],
  ] as const) {
    expect((await refusalOf(connect(id))).message).toBe('session_store_unavailable');
    await chat.until(reason);
  }
  // When the server notices the end of this session, it has checked all sessions.
  await db.query("DELETE FROM odd_sessions WHERE id = 'well'");
  expect((await clients[2]?.ended)?.reason).toBe('logout');
  expect(clients.slice(0, 2).map(({ socket }) => socket.connected)).toEqual([true, true]);
  expect((await fetch(`${chat.url}/readyz`)).status).toBe(200);
  expect(chat.output()).not.toMatch(/is silent/);
  gate.silence.begin();
  await chat.until(/session store not responding/);
  gate.silence.end();
  await chat.until(/session store responding again/);
  // Once for each reason.
  expect(chat.output().match(/could not read a session with open connections/g)).toHaveLength(2);
});
