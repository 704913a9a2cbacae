import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { startGate } from '../../helpers/gate.ts';
import { startPostgres } from '../../helpers/postgres.ts';

test.each([
  ['text that nobody can read without charset=', `data = data || 'bio|s:2:"é";'`, /add charset=utf8mb4/],
  ['an end that is no time', 'expires = expires * 1000', /holds no time in expires_unit=/],
])(
  'one session that cannot be read (%s) is no silence of the store: that is told when it comes',
  async (_, change, reason) => {
    const db = await startPostgres();
    onTestFinished(() => db.remove());
    const gate = await startGate(join(db.folder, `.s.PGSQL.${db.port}`));
    onTestFinished(() => gate.close());
    await db.query('CREATE TABLE sessions (id TEXT PRIMARY KEY, data TEXT, expires BIGINT)');
    const store = `postgres://${db.login}@127.0.0.1:${gate.port}/site?table=sessions&id=id&data=data&expires=expires&timeout=2000ms`;
    const chat = await startChatServer({ CHAT_SESSION_STORE: store, CHAT_SESSION_CHECK: '100ms' });
    onTestFinished(async () => void (await chat.stop()));
    for (const [id, user] of Object.entries({ spoilt: 7, well: 8 })) {
      await db.query(
        `INSERT INTO sessions VALUES ('${id}', 'user_id|i:${user};', extract(epoch from now())::bigint + 1440)`,
      );
    }
    const spoilt = await connectChat(chat.url, 'PHPSESSID=spoilt');
    const well = await connectChat(chat.url, 'PHPSESSID=well');
    await db.query(`UPDATE sessions SET ${change} WHERE id = 'spoilt'`);

    // Who comes with it is refused, and the log says why.
    const refused = () => refusalOf(connectChat(chat.url, 'PHPSESSID=spoilt'));
    expect((await refused()).message).toBe('session_store_unavailable');
    await chat.until(reason);
    // A look at everybody has been there since.
    await db.query("DELETE FROM sessions WHERE id = 'well'");
    expect((await well.ended).reason).toBe('logout');
    expect(spoilt.socket.connected).toBe(true);
    expect((await fetch(`${chat.url}/readyz`)).status).toBe(200);
    expect(chat.output()).not.toMatch(/is silent/);

    await db.query("INSERT INTO sessions VALUES ('other', 'user_id|i:9;', NULL)");
    await connectChat(chat.url, 'PHPSESSID=other');
    gate.silence.begin();
    await chat.until(/the session store is silent/);
    gate.silence.end();
    await chat.until(/the session store answers again/);
    expect(chat.output().match(/a session in use cannot be read now/g)).toHaveLength(1);
  },
);
