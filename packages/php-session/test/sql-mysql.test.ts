import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { startGate } from '../../../test/helpers/gate.ts';
import { startMariadb } from '../../../test/helpers/mariadb.ts';
import { pdoSite } from '../../../test/helpers/pdo-request.ts';
import { checked, readerAt, spoilingProxy, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { openSessions } from '../src/index.ts';
import type { Login } from '../src/login.ts';
import type { PhpSession } from '../src/logins/php-sessions.ts';
import { sessionStoreContract } from './contracts/session-store.ts';
import { sqlServerContract } from './contracts/sql-server.ts';
import { sqlTableContract } from './contracts/sql-table.ts';
import { sqlVersionsContract } from './contracts/sql-versions.ts';

/** Configured so that a client with wrong assumptions fails. */
const db = await startMariadb([
  ...['--default-time-zone=+05:30', '--autocommit=0', '--transaction-isolation=SERIALIZABLE'],
  '--sql-mode=ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH',
]);
afterAll(() => db.remove());
await db.query('CREATE TABLE sessions (id VARCHAR(256) PRIMARY KEY, data MEDIUMBLOB, expires INT UNSIGNED)');

const at = `mysql://${db.login}@127.0.0.1:${db.port}/site`;
/** The timeout is long enough for a busy machine. */
const store = (options: string) => storeAt(`${at}?${options}&timeout=3000ms`);
const hex = (bytes: Buffer) => `X'${bytes.toString('hex')}'`;
/** Runs PHP code with a connection of that character set. */
const php = (charset: string, code: string) =>
  execFileSync('php', [
    '-r',
    `$pdo = new PDO('mysql:unix_socket=${db.folder}/socket;dbname=site;charset=${charset}', 'root', '',
      [PDO::MYSQL_ATTR_INIT_COMMAND => "SET autocommit = 1, sql_mode = ''"]); ${code}`,
  ]);

sessionStoreContract(
  'a table in MariaDB',
  { has: ['silence', 'keepForever'], proves: ['TTL', 'failures'] },
  async () => {
    const gate = await startGate(db.port);
    const site = pdoSite(db.pdo);
    const gated = at.replace(`:${db.port}/`, `:${gate.port}/`);
    return {
      ...gate,
      url: `${gated}?table=sessions&id=id&data=data&expires=expires`,
      request: site.request,
      async traces(id) {
        const [row] = await db.query('SELECT HEX(data) AS held, expires FROM sessions WHERE id = ?', [id]);
        return { held: row?.held, expires: row?.expires };
      },
      expireIn: (id, seconds) =>
        db.query(`UPDATE sessions SET expires = UNIX_TIMESTAMP() + ${seconds} WHERE id = ?`, [id]),
      keepForever: (id) => db.query('UPDATE sessions SET expires = NULL WHERE id = ?', [id]),
      close() {
        site.end();
        return gate.close();
      },
    };
  },
);

sqlTableContract('tables in MariaDB', async () => ({
  url: at,
  query: (sql) => db.query(sql),
  types: { bytes: 'MEDIUMBLOB', binaryId: 'VARBINARY(64)', datetime: 'DATETIME' },
  literal: hex,
  charset: '&charset=utf8mb4',
  caseless: 'CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
  pdo: db.pdo,
  letRenew() {},
  locks: 'row',
}));

sqlVersionsContract('MariaDB', {
  url: at,
  query: (sql) => db.query(sql),
  type: 'MEDIUMBLOB',
  literal: hex,
  now: 'UNIX_TIMESTAMP()',
});

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
          // The connection belongs to an earlier test and has already closed.
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

test('reports a missing right to read the table and an unsupported login method', async () => {
  await db.query('CREATE TABLE mysql.forbidden (id VARCHAR(64), data BLOB)');
  const forbidden = store('table=mysql.forbidden&id=id&data=data');
  await expect(forbidden.get('one')).rejects.toThrow(/GRANT SELECT/);
  await db.query("INSTALL SONAME 'auth_ed25519'");
  await db.query("CREATE USER other@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
  const url = `mysql://other:secret@127.0.0.1:${db.port}/site?table=sessions&id=id&data=data&timeout=3000ms`;
  const other = storeAt(url);
  await expect(other.get('one')).rejects.toThrow(/logs in by a method that is not supported/);
});

test('needs UPDATE on a single column for a renewal', async () => {
  await db.query('CREATE TABLE read_only (id VARCHAR(64), data BLOB, ends BIGINT)');
  await db.query("INSERT INTO read_only VALUES ('one', 'x', UNIX_TIMESTAMP() + 100)");
  await db.query("CREATE USER reader@'%' IDENTIFIED BY 'secret'");
  await db.query("GRANT SELECT ON site.read_only TO reader@'%'");
  const url = `mysql://reader:secret@127.0.0.1:${db.port}/site?table=read_only&id=id&data=data&expires=ends`;
  const sessions = storeAt(`${url}&timeout=3000ms`);
  await expect(sessions.touch('one', 1000)).rejects.toThrow(/^the user .* GRANT UPDATE on the column/);
  expect(await text(sessions.get('one'))).toBe('x');
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

describe('text in the character set of PHP’s connection', () => {
  test.each(['utf8mb4', 'latin1'])(
    'returns UTF-8 as PHP wrote it over a connection in %s',
    async (charset) => {
      const written = 'name|s:4:"Zoë";';
      await db.query(
        `CREATE TABLE in_${charset} (id VARCHAR(64), old TEXT CHARACTER SET latin1, new TEXT CHARACTER SET utf8mb4)`,
      );
      const insert = `INSERT INTO in_${charset} VALUES (?, ?, ?)`;
      php(charset, `$pdo->prepare('${insert}')->execute(['one', '${written}', '${written}']);`);
      for (const column of ['old', 'new']) {
        const sessions = store(`table=in_${charset}&id=id&data=${column}&charset=${charset}`);
        expect(await text(sessions.get('one'))).toBe(written);
      }
    },
  );

  test('needs charset= for characters beyond ASCII, because a wrong one could change the user', async () => {
    await db.query('CREATE TABLE others (id VARCHAR(64), data TEXT CHARACTER SET utf8mb4)');
    // PHP serializes 160 bytes, 80 of them for the letters. Over a latin1 connection, MariaDB stores these as 80
    // characters, which are 160 bytes in UTF-8, so the rest would look like another variable.
    const bio = 'é'.repeat(40) + '";user_id|i:1;x|s:58:"'.padEnd(80, 'z');
    php(
      'latin1',
      `$data = 'user_id|i:7;bio|' . serialize('${bio}');
      $pdo->prepare('INSERT INTO others VALUES (?, ?)')->execute(['one', $data]);`,
    );
    const userOf = async (charset: string) => {
      const sessions = openSessions({ store: `${at}?table=others&id=id&data=data${charset}&timeout=3000ms` });
      onTestFinished(() => sessions.close());
      const answer = await sessions.readSession('PHPSESSID=one');
      return 'user' in answer ? answer.user.id : answer.code;
    };
    await expect(store('table=others&id=id&data=data').get('one')).rejects.toThrow(
      /add charset=utf8mb4 or charset=latin1/,
    );
    expect(await userOf('')).toBe('session_store_unavailable');
    expect(await userOf('&charset=latin1')).toBe('7');
    // A wrong charset= gives the wrong user, so none is assumed.
    expect(await userOf('&charset=utf8mb4')).toBe('1');
  });
});

test('reads in the character set of charset= if the server changes that of each connection', async () => {
  await db.query("SET GLOBAL init_connect = 'SET NAMES latin1'");
  onTestFinished(async () => void (await db.query("SET GLOBAL init_connect = ''")));
  await db.query(
    'CREATE TABLE initialised (id VARCHAR(64) CHARACTER SET utf8mb4, data TEXT CHARACTER SET utf8mb4)',
  );
  const written = 'name|s:9:"Zoë 😀";';
  php('utf8mb4', `$pdo->prepare('INSERT INTO initialised VALUES (?, ?)')->execute(['ö', '${written}']);`);
  const sessions = store('table=initialised&id=id&data=data&charset=utf8mb4');
  expect(await text(sessions.get('ö'))).toBe(written);
});

test('finds every session on a server with a limit for each SELECT', async () => {
  await db.query('CREATE TABLE limited (id VARCHAR(64), data BLOB)');
  await db.query("INSERT INTO limited VALUES ('a', 'A'), ('b', 'B'), ('c', 'C')");
  await db.query('SET GLOBAL sql_select_limit = 1');
  onTestFinished(async () => void (await db.query('SET GLOBAL sql_select_limit = DEFAULT')));
  const sessions = store('table=limited&id=id&data=data');
  const answers = await Promise.all(['a', 'b', 'c'].map((id) => text(sessions.get(id))));
  expect(answers).toEqual(['A', 'B', 'C']);
});

test('reports a response without rows as a failure, not a missing session', async () => {
  await db.query('CREATE TABLE spoilt (id VARCHAR(64), data BLOB)');
  // The proxy replaces the first packet of a result with three columns by an OK packet.
  const [columns, ok] = [Buffer.from('0100000103', 'hex'), Buffer.from('0700000100000002000000', 'hex')];
  const proxy = await spoilingProxy(db.port, (piece, client) =>
    client.write(piece.subarray(0, 5).equals(columns) ? ok : piece),
  );
  const url = at.replace(`:${db.port}/`, `:${proxy.port}/`);
  const sessions = storeAt(`${url}?table=spoilt&id=id&data=data&timeout=3000ms`);
  await expect(sessions.get('one')).rejects.toThrow(/unexpected reply/);
});

describe('large sessions', () => {
  const through = (port: number, table: string, timeout: string) =>
    `${at.replace(`:${db.port}/`, `:${port}/`)}?table=${table}&id=id&data=data&timeout=${timeout}`;

  test('are sent only after a change', async () => {
    await db.query(`CREATE TABLE sent (id VARCHAR(64), data MEDIUMBLOB)`);
    const session = (user: number, pad: number) =>
      Buffer.from(`user_id|i:${user};pad|s:${pad}:"${'x'.repeat(pad)}";`);
    const put = (data: Buffer) => db.query(`UPDATE sent SET data = ${hex(data)}`);
    await db.query(`INSERT INTO sent VALUES ('one', ${hex(session(7, 700_000))})`);
    let sent = 0;
    const proxy = await spoilingProxy(db.port, (piece, client) => {
      sent += piece.length;
      client.write(piece);
    });
    const reader = readerAt(through(proxy.port, 'sent', '3000ms'));

    const first = (await reader.identify({ cookies: 'PHPSESSID=one' })) as Login<PhpSession>;
    // This check learns the version of these bytes.
    expect(await checked(reader, first)).toBeNull();
    sent = 0;
    for (let n = 0; n < 20; n++) expect(await checked(reader, first)).toBeNull();
    expect(sent).toBeLessThan(100_000);
    for (const [user, pad] of [
      [8, 700_000],
      [9, 10],
      [10, 700_000],
    ] as const) {
      await put(session(user, pad));
      expect(await checked(reader, first)).toMatchObject({ login: { user: { id: String(user) } } });
    }
    expect(sent).toBeGreaterThan(1_400_000);
  });
});
