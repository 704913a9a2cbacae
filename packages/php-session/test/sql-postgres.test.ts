import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { ownPort } from '../../../test/helpers/child.ts';
import { startGate } from '../../../test/helpers/gate.ts';
import { pdoSite } from '../../../test/helpers/pdo-request.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { startPostgres } from '../../../test/helpers/postgres.ts';
import { spoilingProxy, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { makeSessionTable } from '../../../test/helpers/session-table.ts';
import { lost, subscribed } from '../../../test/helpers/subscribed.ts';
import { siteSql } from '../src/logins/sql.ts';
import { logoutMarker } from '../src/logout-marker.ts';
import { StoreError } from '../src/store.ts';
import { parseStoreUrl } from '../src/store-url.ts';
import { postgres } from '../src/stores/sql/postgres.ts';
import { sessionStoreContract } from './contracts/session-store.ts';
import { sqlServerContract } from './contracts/sql-server.ts';
import { sqlTableContract } from './contracts/sql-table.ts';
import { sqlVersionsContract } from './contracts/sql-versions.ts';

const db = await startPostgres(['timezone=Asia/Kolkata', 'log_statement=all']);
afterAll(() => db.remove());

const at = (port = db.port, database = 'site') => `postgres://${db.login}@127.0.0.1:${port}/${database}`;
/** The timeout is long enough for a busy machine. */
const open = (url: string, timeout = '3000ms') => storeAt(`${url}&timeout=${timeout}`);

sessionStoreContract('a table in PostgreSQL', { has: ['silence', 'keepForever'], proves: [] }, async () => {
  await db.query('CREATE TABLE sessions (id VARCHAR(256) PRIMARY KEY, data BYTEA, expires INTEGER)');
  await db.query('GRANT UPDATE (expires) ON sessions TO site');
  const gate = await startGate(db.port);
  const site = pdoSite(db.pdo);
  return {
    ...gate,
    url: `${at(gate.port)}?table=public.sessions&id=id&data=data&expires=expires`,
    request: site.request,
    async traces(id) {
      const [row] = await db.query('SELECT data::text AS held, expires FROM sessions WHERE id = $1', [id]);
      return { held: row?.held, expires: Number(row?.expires) };
    },
    expireIn: (id, seconds) =>
      db.query(`UPDATE sessions SET expires = extract(epoch from now()) + ${seconds} WHERE id = $1`, [id]),
    keepForever: (id) => db.query('UPDATE sessions SET expires = NULL WHERE id = $1', [id]),
    close() {
      site.end();
      return gate.close();
    },
  };
});

await db.query(
  "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
);
sqlTableContract('tables in PostgreSQL', async () => ({
  url: at(),
  query: (sql) => db.query(sql),
  types: { bytes: 'BYTEA', binaryId: 'BYTEA', datetime: 'TIMESTAMP' },
  literal: (bytes) => `'\\x${bytes.toString('hex')}'`,
  charset: '&charset=utf8mb4',
  caseless: 'COLLATE caseless',
  pdo: db.pdo,
  letRenew: (table) => db.query(`GRANT UPDATE ON ${table} TO site`),
  locks: 'row',
}));

sqlVersionsContract('PostgreSQL', {
  url: at(),
  query: (sql) => db.query(sql),
  type: 'TEXT COLLATE caseless',
  literal: (data) => `'${data}'`,
  now: 'extract(epoch from now())',
});

sqlServerContract('PostgreSQL', async () => {
  const where = "FROM pg_stat_activity WHERE usename = 'site'";
  return {
    ...db,
    protocol: 'postgresql',
    socket: `${db.folder}/.s.PGSQL.${db.port}`,
    selects: async () => db.output().match(/execute <unnamed>: SELECT substring/g)?.length ?? 0,
    connections: async () => (await db.query(`SELECT ${where}`)).length,
    disconnect: () => db.query(`SELECT pg_terminate_backend(pid) ${where}`),
    async lock(table) {
      const holder = new Client({ host: db.folder, port: db.port, user: 'postgres', database: 'site' });
      await holder.connect();
      await holder.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      return async () => holder.end();
    },
    slow: 'pg_sleep(60)',
    reloadCertificate: () => db.query('SELECT pg_reload_conf()'),
  };
});

describe('in PostgreSQL only', () => {
  test('computes a unique digest of a row, and each column once', async () => {
    const digest = siteSql(postgres).digestOfAll?.(['a', 'b']);
    const counted = '(SELECT count(*)::text FROM pg_class AS c WHERE c.oid = t.oid)';
    const plan = await db.query(
      `EXPLAIN SELECT ${digest} FROM (SELECT ${counted} AS a, ${counted} AS b FROM pg_class AS t) AS t`,
    );
    expect(plan.filter((line) => /^ *SubPlan \d+$/.test(String(line['QUERY PLAN'])))).toHaveLength(2);
    const rows = [
      ...["NULL, ''", "'', NULL", 'NULL, NULL', "'', ''", "'-', ''", "'NULL', ''", `'"', ''`, "'\\', ''"],
      ...["'1', '2'", "'1,2', ''", "'', '1,2'", "'1,', '2'", "'1', ',2'", "'(1', '2)'"],
    ];
    const [found] = await db.query(
      `SELECT count(DISTINCT ${digest}) AS n FROM (VALUES ${rows.map((row) => `(${row})`).join(', ')}) AS t (a, b)`,
    );
    expect(Number(found?.n)).toBe(rows.length);
  });

  test('reads a datetime with its zone, infinity and -infinity', async () => {
    await db.query('CREATE TABLE zoned (id TEXT, data TEXT, ends TIMESTAMPTZ)');
    await db.query(
      "INSERT INTO zoned VALUES ('live', 'x', now() + interval '9 seconds'), ('over', 'x', now() - interval '1 second'), ('ever', 'x', 'infinity'), ('never', 'x', '-infinity')",
    );
    const sessions = open(`${at()}?table=zoned&id=id&data=data&expires=ends&expires_unit=datetime`);
    expect(await text(sessions.get('live'))).toBe('x');
    expect(await sessions.get('over')).toBeNull();
    const left = ['ever', 'never'].map((id) => sessions.ttl(id));
    expect(await Promise.all(left)).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  test('reports a missing right to read the table and columns of unsupported types', async () => {
    await db.query('CREATE TABLE numbers (id INTEGER, data TEXT)');
    await db.query('CREATE TABLE forbidden (id TEXT, data TEXT)');
    await db.query('REVOKE ALL ON forbidden FROM site');
    for (const [table, reason] of [
      ['forbidden', /GRANT SELECT/],
      ['numbers', /of a type that does not fit/],
    ] as const)
      await expect(open(`${at()}?table=${table}&id=id&data=data`).get('one')).rejects.toThrow(reason);
  });

  test('needs UPDATE on a single column for a renewal', async () => {
    await db.query('CREATE TABLE read_only (id TEXT, data TEXT, ends BIGINT)');
    await db.query("INSERT INTO read_only VALUES ('one', 'x', extract(epoch from now()) + 100)");
    const sessions = open(`${at()}?table=read_only&id=id&data=data&expires=ends`);
    await expect(sessions.touch('one', 1000)).rejects.toThrow(/^the user .* GRANT UPDATE on the column/);
    expect(await text(sessions.get('one'))).toBe('x');
    await db.query('GRANT UPDATE (ends) ON read_only TO site');
    await sessions.touch('one', 1000);
    expect(await sessions.ttl('one')).toBeGreaterThan(900_000);
    await db.query(
      'CREATE VIEW counted AS SELECT id, data, max(ends) AS ends FROM read_only GROUP BY id, data',
    );
    const counted = open(`${at()}?table=counted&id=id&data=data&expires=ends`);
    await expect(counted.touch('one', 1000)).rejects.toThrow(/a view that cannot be written to/);
  });

  test('renews a session with an ID in bytes although the role has unusual defaults', async () => {
    await db.query('CREATE TABLE by_bytes (id BYTEA, data BYTEA, ends INTEGER)');
    await db.query("INSERT INTO by_bytes VALUES ('one', 'x', extract(epoch from now()) + 100)");
    await db.query('GRANT UPDATE ON by_bytes TO site');
    const defaults = [
      ['bytea_output', 'escape'],
      ['standard_conforming_strings', 'off'],
      ['default_transaction_isolation', 'serializable'],
      ['client_encoding', 'LATIN1'],
    ];
    for (const [name, value] of defaults) await db.query(`ALTER ROLE site SET ${name} = '${value}'`);
    onTestFinished(async () => void (await db.query('ALTER ROLE site RESET ALL')));
    const sessions = open(`${at()}?table=by_bytes&id=id&data=data&expires=ends`);
    await sessions.touch('one', 1000);
    expect(await sessions.ttl('one')).toBeGreaterThan(900_000);
  });

  test('reports an end with too few digits as an error of its session only', async () => {
    await db.query('CREATE TABLE odd (id TEXT, data TEXT, ends TEXT)');
    await db.query(
      "INSERT INTO odd VALUES ('feb', 'x', '99990231000000'), ('no', 'x', '9999'), ('one', 'x', '99991231235959')",
    );
    const sessions = open(`${at()}?table=odd&id=id&data=data&expires=ends&expires_unit=digits`);
    const answers = await Promise.allSettled(['feb', 'no', 'one'].map((id) => sessions.ttl(id)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  /** A new database with an empty table `texts`. */
  async function textsIn(database: string, encoding: string): Promise<Client> {
    await db.query(`CREATE DATABASE ${database} ENCODING '${encoding}' TEMPLATE template0`);
    const admin = new Client({ host: db.folder, port: db.port, user: 'postgres', database });
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query('CREATE TABLE texts (id TEXT, data TEXT); GRANT SELECT ON texts TO site');
    return admin;
  }

  test('reads text beyond ASCII from a LATIN1 database only with charset=', async () => {
    const admin = await textsIn('in_latin1', 'LATIN1');
    await admin.query("INSERT INTO texts VALUES ('named', 'Zoë')");
    const named = (charset: string) =>
      open(`${at(undefined, 'in_latin1')}?table=texts&id=id&data=data${charset}`).get('named');
    await expect(named('')).rejects.toThrow(/add charset=/);
    expect(await named('&charset=latin1')).toEqual(Buffer.from('Zoë', 'latin1'));
    expect(await named('&charset=utf8')).toEqual(Buffer.from('Zoë'));
  });

  test('returns UTF-8 from a database without an encoding with any charset=', async () => {
    const admin = await textsIn('raw', 'SQL_ASCII');
    await admin.query(`INSERT INTO texts VALUES ('utf8', 'Zoë'), ('latin1', E'Zo\\xeb')`);
    for (const charset of ['', '&charset=utf8', '&charset=latin1']) {
      const sessions = open(`${at(undefined, 'raw')}?table=texts&id=id&data=data${charset}`);
      expect(await sessions.get('utf8')).toEqual(Buffer.from('Zoë'));
      await expect(sessions.get('latin1')).rejects.toThrow(StoreError);
      // It still returns a version for both, because otherwise one unreadable session would make all
      // others fail.
      for (const id of ['utf8', 'latin1']) expect(await sessions.version?.(id)).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test.each([
    ['wants a login method that pg does not know', Buffer.from('520000000800000007', 'hex')],
    ['is not PostgreSQL', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['sends less than it announces', Buffer.from('440000000600ff', 'hex')],
  ])('reports a server that %s as a failure', async (_, nonsense) => {
    const proxy = await spoilingProxy(db.port, (_piece, client) => client.write(nonsense));
    await expect(open(`${at(proxy.port)}?table=t&id=id&data=data`, '250ms').get('one')).rejects.toThrow(
      StoreError,
    );
  });
});

describe('notifications', () => {
  const socket = `postgres://postgres@/site?socket=${db.folder}/.s.PGSQL.${db.port}`;
  const url = (place = `127.0.0.1:${db.port}`, login = db.login) =>
    `postgres://${login}@${place}/site?table=kept&id=id&data=data&expires=expires`;
  const subscribe = (...how: Parameters<typeof url>) => subscribed(parseStoreUrl(url(...how)).open());
  const listeners = "FROM pg_stat_activity WHERE usename = 'site' AND query LIKE 'LISTEN%'";
  const notify = (payload: string) => db.query('SELECT pg_notify($1, $2)', ['chat_ended', payload]);
  const marker = 'abcdef0123456789'.repeat(2);

  test('are sent by our handler only for a logout, with its marker', async () => {
    makeSessionTable(socket, 'kept');
    const autoload = fileURLToPath(new URL('../../../php/autoload.php', import.meta.url));
    const request = (code: string, id?: string) =>
      phpRequest(
        { 'session.use_strict_mode': '1' },
        code,
        id,
        `require '${autoload}'; session_set_save_handler(
          new PhpSessionChat\\Session\\Handler\\PdoHandler(new PDO(${db.pdo}, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]), 'kept'), false);`,
      );
    const store = subscribe();
    await store.active;
    const id = request('$_SESSION["user_id"] = 7');
    for (const payload of ['', 'x', marker.toUpperCase(), `${marker}0`]) await notify(payload);
    await db.query('SELECT pg_notify($1, $2)', ['another', marker]);
    const ended = store.until({ kind: 'changed', marker: logoutMarker(id) });
    request('session_destroy()', id);
    await ended;
    expect(store.received.slice(1)).toEqual([{ kind: 'changed', marker: logoutMarker(id) }]);
  });

  test('are lost once with the connection, until the next connection', async () => {
    const store = subscribe();
    await store.active;
    const back = store.until(lost(null));
    await db.query(`SELECT pg_terminate_backend(pid) ${listeners}`);
    await back;
    const ended = store.until({ kind: 'changed', marker });
    await notify(marker);
    await ended;
    expect(store.received.slice(0, 3)).toEqual([
      lost(null),
      lost(expect.objectContaining({ name: 'DatabaseError', message: expect.stringMatching(/57P01/) })),
      lost(null),
    ]);
  });

  test('are lost with a wrong password, which the error does not repeat', async () => {
    const refused = subscribe(undefined, 'site:wrong');
    await refused.until({ kind: 'lost' }, 0);
    const [first] = refused.received;
    expect(first).toEqual(
      lost(expect.objectContaining({ message: expect.stringMatching(/refuses the user or the password/) })),
    );
    expect(JSON.stringify(first)).not.toContain('wrong');
  });

  test('are active on the next of several hosts if the first is down', async () => {
    const store = subscribe(`127.0.0.1:${await ownPort()},127.0.0.1:${db.port}`);
    await store.active;
    expect(store.received).toEqual([lost(null)]);
  });

  test('end together with their connection when the subscription ends', async () => {
    const store = subscribe();
    await store.active;
    store.end();
    await notify(marker);
    await expect.poll(() => db.query(`SELECT pid ${listeners}`)).toEqual([]);
    expect(store.received).toEqual([lost(null)]);
  });
});
