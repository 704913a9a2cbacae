import { deflateRawSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openSessions, type SessionOptions } from '../../../server/session/index.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { sqlServerContract } from '../../contracts/sql-server.ts';
import { sqlTableContract } from '../../contracts/sql-table.ts';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { startGate } from '../../helpers/gate.ts';
import { startMariadb } from '../../helpers/mariadb.ts';
import { pdoRequest } from '../../helpers/pdo-request.ts';

/** Set up so that a client which takes something for granted goes wrong. */
const db = await startMariadb([
  ...['--default-time-zone=+05:30', '--autocommit=0', '--transaction-isolation=SERIALIZABLE'],
  '--sql-mode=ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH',
]);
afterAll(() => db.remove());
await db.query('CREATE TABLE sessions (id VARCHAR(128) PRIMARY KEY, data MEDIUMBLOB, expires INT UNSIGNED)');

const at = `mysql://${db.login}@127.0.0.1:${db.port}/site`;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
function store(options: string) {
  const opened = parseStoreUrl(`${at}?${options}&timeout=3000ms`).open();
  closing.push(() => opened.close());
  return opened;
}

sessionStoreContract(
  'a table in MariaDB, by the contract',
  ['php', 'php_binary', 'php_serialize', 'json', 'igbinary', 'msgpack'],
  async () => {
    const gate = await startGate(db.port);
    const gated = at.replace(`:${db.port}/`, `:${gate.port}/`);
    return {
      ...gate,
      url: (format) => `${gated}?table=sessions&id=id&data=data&expires=expires&format=${format}`,
      request: (format, code, id) => pdoRequest(db.pdo, format, code, id),
      async traces(id) {
        const [row] = await db.query('SELECT HEX(data) AS held, expires FROM sessions WHERE id = ?', [id]);
        return { held: row?.held, expires: row?.expires };
      },
      live: (id, seconds) =>
        db.query(`UPDATE sessions SET expires = UNIX_TIMESTAMP() + ${seconds} WHERE id = ?`, [id]),
      liveForEver: (id) => db.query('UPDATE sessions SET expires = NULL WHERE id = ?', [id]),
    };
  },
);

sqlTableContract('tables in MariaDB', async () => ({
  url: at,
  query: (sql) => db.query(sql),
  types: { bytes: 'MEDIUMBLOB', datetime: 'DATETIME' },
  literal: (bytes) => `X'${bytes.toString('hex')}'`,
  charset: '&charset=utf8mb4',
  caseless: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
  pdo: db.pdo,
  letRenew() {},
  locks: 'row',
}));

sqlServerContract('MariaDB', async () => {
  const status = async (name: string) =>
    Number((await db.query(`SHOW GLOBAL STATUS LIKE '${name}'`))[0]?.Value);
  const connections = () => db.query("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'site'");
  return {
    ...db,
    protocol: 'mariadb',
    socket: `${db.folder}/socket`,
    selects: () => status('Com_stmt_execute'),
    connections: async () => (await connections()).length,
    async disconnect() {
      for (const { ID } of await connections()) {
        await db.query(`KILL ${ID}`).catch((error) => {
          // One of an earlier test, which has ended by itself meanwhile.
          if (error.code !== 'ER_NO_SUCH_THREAD') throw error;
        });
      }
    },
    async lock(table) {
      await db.query(`LOCK TABLES ${table} WRITE`);
      return () => db.query('UNLOCK TABLES');
    },
    slow: 'BENCHMARK(6000000000, 1 + 1)',
    reloadCertificate: () => db.query('FLUSH SSL'),
  };
});

describe('the tables of applications', () => {
  /** Who is logged in by each of the cookies. */
  async function users(store: string, cookies: string[], options: Omit<SessionOptions, 'store'>) {
    const sessions = openSessions({ store: `${at}?${store}&timeout=800ms`, ...options });
    closing.push(() => sessions.close());
    const answers = await Promise.all(cookies.map((cookie) => sessions.readSession(cookie)));
    return answers.map((answer) => ('user' in answer ? answer.user : answer.code));
  }

  test('Roundcube: base64, and the last use in the time zone of the database', async () => {
    await db.query(
      'CREATE TABLE session (sess_id VARCHAR(128), changed DATETIME, ip VARCHAR(40), vars MEDIUMTEXT)',
    );
    const vars = Buffer.from('user_id|i:7;username|s:4:"zoë";auth_secret|s:3:"abc";').toString('base64');
    for (const [id, minutes] of Object.entries({ live: 9, over: 11 })) {
      await db.query(`INSERT INTO session VALUES (?, NOW() - INTERVAL ${minutes} MINUTE, '::1', ?)`, [
        id,
        vars,
      ]);
    }
    const store =
      'table=session&id=sess_id&data=vars&last=changed&last_unit=datetime&lifetime=10m&layers=base64';
    const cookies = ['roundcube_sessid=live', 'roundcube_sessid=over'];
    expect(await users(store, cookies, { preset: 'roundcube' })).toEqual([
      { id: '7', name: 'zoë' },
      'unauthorized',
    ]);
  });

  test('MediaWiki: deflated, with the end in digits, under a prefix', async () => {
    await db.query('CREATE TABLE objectcache (keyname VARBINARY(255), value MEDIUMBLOB, exptime BINARY(14))');
    const value = deflateRawSync('a:1:{s:8:"metadata";a:2:{s:6:"userId";i:7;s:8:"userName";s:5:"Alice";}}');
    for (const [id, minutes] of Object.entries({ live: 60, over: -1 })) {
      const digits = `DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL ${minutes} MINUTE, '%Y%m%d%H%i%s')`;
      await db.query(`INSERT INTO objectcache VALUES (?, ?, ${digits})`, [`wiki:MWSession:${id}`, value]);
    }
    const store =
      'table=objectcache&id=keyname&data=value&expires=exptime&expires_unit=digits&prefix=wiki:MWSession:&layers=inflate&format=php_serialize';
    const cookies = ['wiki_session=live', 'wiki_session=over'];
    expect(await users(store, cookies, { preset: 'mediawiki', cookieName: 'wiki_session' })).toEqual([
      { id: '7', name: 'Alice' },
      'unauthorized',
    ]);
  });

  test('Cacti: the last use in seconds', async () => {
    await db.query('CREATE TABLE cacti (id VARCHAR(32), access INT UNSIGNED, data MEDIUMBLOB, user_id INT)');
    await db.query(`INSERT INTO cacti VALUES ('live', UNIX_TIMESTAMP() - 1400, 'sess_user_id|i:7;', 7)`);
    await db.query(`INSERT INTO cacti VALUES ('over', UNIX_TIMESTAMP() - 1500, 'sess_user_id|i:7;', 7)`);
    const cookies = ['Cacti=live', 'Cacti=over'];
    expect(await users('table=cacti&id=id&data=data&last=access', cookies, { preset: 'cacti' })).toEqual([
      { id: '7', name: '7' },
      'unauthorized',
    ]);
  });

  test('one without sessions of PHP, as Zabbix has it, by a view', async () => {
    await db.query('CREATE TABLE tokens (sessionid VARCHAR(32), userid BIGINT, lastaccess INT, status INT)');
    await db.query(
      `INSERT INTO tokens VALUES ('live', 7, UNIX_TIMESTAMP(), 0), ('out', 7, UNIX_TIMESTAMP(), 1), ('over', 7, 1, 0)`,
    );
    await db.query(`CREATE VIEW logged_in AS
      SELECT sessionid AS id, JSON_OBJECT('user_id', userid) AS data, lastaccess FROM tokens WHERE status = 0`);
    const store = 'table=site.logged_in&id=id&data=data&last=lastaccess&lifetime=15m&format=json';
    const cookies = ['PHPSESSID=live', 'PHPSESSID=out', 'PHPSESSID=over'];
    expect(await users(store, cookies, {})).toEqual([{ id: '7', name: '7' }, 'unauthorized', 'unauthorized']);
  });
});

test('a user who may not read the table, and one who logs in by other means: failures that say so', async () => {
  await db.query('CREATE TABLE mysql.forbidden (id VARCHAR(64), data BLOB)');
  const forbidden = store('table=mysql.forbidden&id=id&data=data');
  await expect(forbidden.get('one')).rejects.toThrow(/GRANT SELECT/);
  await db.query("INSTALL SONAME 'auth_ed25519'");
  await db.query("CREATE USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
  const url = `mysql://other:secret@127.0.0.1:${db.port}/site?table=sessions&id=id&data=data`;
  const other = parseStoreUrl(url).open();
  closing.push(() => other.close());
  await expect(other.get('one')).rejects.toThrow(/logs in by a method that is not supported/);
});

test('a user who may only read: told so when a session is to be renewed; one who may change its end is enough', async () => {
  await db.query('CREATE TABLE read_only (id VARCHAR(64), data BLOB, ends BIGINT)');
  await db.query("INSERT INTO read_only VALUES ('one', 'x', UNIX_TIMESTAMP() + 100)");
  await db.query("CREATE USER reader@'%' IDENTIFIED BY 'secret'");
  await db.query("GRANT SELECT ON site.read_only TO reader@'%'");
  const url = `mysql://reader:secret@127.0.0.1:${db.port}/site?table=read_only&id=id&data=data&expires=ends`;
  const sessions = parseStoreUrl(`${url}&timeout=3000ms`).open();
  closing.push(() => sessions.close());
  await expect(sessions.touch('one', 1000)).rejects.toThrow(/^the user .* GRANT UPDATE on the column/);
  expect(String(await sessions.get('one'))).toBe('x');
  await db.query("GRANT UPDATE (ends) ON site.read_only TO reader@'%'");
  await sessions.touch('one', 1000);
  expect(await sessions.ttl('one')).toBeGreaterThan(900_000);
  await db.query(
    'CREATE VIEW counted AS SELECT id, data, MAX(ends) AS ends FROM read_only GROUP BY id, data',
  );
  await expect(store('table=counted&id=id&data=data&expires=ends').touch('one', 1000)).rejects.toThrow(
    /a view that cannot be written to/,
  );
});

test('the chat knows who is logged in to a site with a table, and notices the logout', async () => {
  let chat: ChatServer | undefined;
  try {
    chat = await startChatServer({
      CHAT_SESSION_STORE: `${at}?table=sessions&id=id&data=data&expires=expires`,
    });
    const id = pdoRequest(db.pdo, 'php', '$_SESSION["user_id"] = 7; $_SESSION["firstname"] = "Zoë"');
    const client = await connectChat(chat.url, `PHPSESSID=${id}`);
    expect(client.ready.user).toEqual({ id: '7', name: 'Zoë' });
    pdoRequest(db.pdo, 'php', 'session_destroy()', id);
    expect((await client.ended).reason).toBe('logout');
    await db.query('RENAME TABLE sessions TO elsewhere');
    const { url, output } = chat;
    const refused = () => refusalOf(connectChat(url, `PHPSESSID=${id}`));
    expect((await refused()).message).toBe('session_store_unavailable');
    // The last try of a connection may be cut short by its deadline, and then that is the reason.
    await expect.poll(() => refused().then(output)).toMatch(/no such table as table= names/);
    expect(output()).not.toContain(id);
    expect(output()).not.toMatch(/se@same|se%40same/);
  } finally {
    await chat?.stop();
  }
});
