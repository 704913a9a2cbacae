import { Client } from 'pg';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { sqlServerContract } from '../../contracts/sql-server.ts';
import { sqlTableContract } from '../../contracts/sql-table.ts';
import { startGate } from '../../helpers/gate.ts';
import { pdoRequest } from '../../helpers/pdo-request.ts';
import { startPostgres } from '../../helpers/postgres.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';

const db = await startPostgres(['timezone=Asia/Kolkata', 'log_statement=all']);
afterAll(() => db.remove());

const at = (port = db.port, database = 'site') => `postgres://${db.login}@127.0.0.1:${port}/${database}`;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
/** Time enough for a machine that is busy. */
function open(url: string, timeout = '3000ms') {
  const opened = parseStoreUrl(`${url}&timeout=${timeout}`).open();
  closing.push(() => opened.close());
  return opened;
}

sessionStoreContract(
  'a table in PostgreSQL, by the contract',
  ['php', 'php_binary', 'php_serialize', 'json', 'igbinary', 'msgpack'],
  async () => {
    await db.query('CREATE TABLE sessions (id VARCHAR(128) PRIMARY KEY, data BYTEA, expires INTEGER)');
    await db.query('GRANT UPDATE (expires) ON sessions TO site');
    const gate = await startGate(db.port);
    return {
      ...gate,
      url: (format) =>
        `${at(gate.port)}?table=public.sessions&id=id&data=data&expires=expires&format=${format}`,
      request: (format, code, id) => pdoRequest(db.pdo, format, code, id),
      async traces(id) {
        const [row] = await db.query('SELECT data::text AS held, expires FROM sessions WHERE id = $1', [id]);
        return { held: row?.held, expires: Number(row?.expires) };
      },
      live: (id, seconds) =>
        db.query(`UPDATE sessions SET expires = extract(epoch from now()) + ${seconds} WHERE id = $1`, [id]),
      liveForEver: (id) => db.query('UPDATE sessions SET expires = NULL WHERE id = $1', [id]),
    };
  },
);

await db.query(
  "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
);
sqlTableContract('tables in PostgreSQL', async () => ({
  url: at(),
  query: (sql) => db.query(sql),
  types: { bytes: 'BYTEA', datetime: 'TIMESTAMP' },
  literal: (bytes) => `'\\x${bytes.toString('hex')}'`,
  charset: '&charset=utf8mb4',
  caseless: 'COLLATE caseless',
  pdo: db.pdo,
  letRenew: (table) => db.query(`GRANT UPDATE ON ${table} TO site`),
  locks: 'row',
}));

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

describe('PostgreSQL', () => {
  test('a datetime with its zone', async () => {
    await db.query('CREATE TABLE zoned (id TEXT, data TEXT, ends TIMESTAMPTZ)');
    await db.query(
      "INSERT INTO zoned VALUES ('live', 'x', now() + interval '9 seconds'), ('over', 'x', now() - interval '1 second')",
    );
    const sessions = open(`${at()}?table=zoned&id=id&data=data&expires=ends&expires_unit=datetime`);
    expect(String(await sessions.get('live'))).toBe('x');
    expect(await sessions.get('over')).toBeNull();
  });

  test('an end that never comes', async () => {
    await db.query('CREATE TABLE endless (id TEXT, data BYTEA, ends TIMESTAMPTZ)');
    await db.query("INSERT INTO endless VALUES ('ever', 'x', 'infinity'), ('never', 'x', '-infinity')");
    const sessions = open(`${at()}?table=endless&id=id&data=data&expires=ends&expires_unit=datetime`);
    const left = ['ever', 'never'].map((id) => sessions.ttl(id));
    expect(await Promise.all(left)).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  test('a user who may not read the table, and columns of other types: failures that say so', async () => {
    await db.query('CREATE TABLE numbers (id INTEGER, data TEXT)');
    await db.query('CREATE TABLE forbidden (id TEXT, data TEXT)');
    await db.query('REVOKE ALL ON forbidden FROM site');
    const failure = (table: string) =>
      expect(open(`${at()}?table=${table}&id=id&data=data`).get('one')).rejects;
    await failure('forbidden').toThrow(/GRANT SELECT/);
    await failure('numbers').toThrow(/of a type that does not fit/);
  });

  test('a user who may only read: told so when a session is to be renewed; one who may change its end is enough', async () => {
    await db.query('CREATE TABLE read_only (id TEXT, data TEXT, ends BIGINT)');
    await db.query("INSERT INTO read_only VALUES ('one', 'x', extract(epoch from now()) + 100)");
    const sessions = open(`${at()}?table=read_only&id=id&data=data&expires=ends`);
    await expect(sessions.touch('one', 1000)).rejects.toThrow(/^the user .* GRANT UPDATE on the column/);
    expect(String(await sessions.get('one'))).toBe('x');
    await db.query('GRANT UPDATE (ends) ON read_only TO site');
    await sessions.touch('one', 1000);
    expect(await sessions.ttl('one')).toBeGreaterThan(900_000);
    await db.query(
      'CREATE VIEW counted AS SELECT id, data, max(ends) AS ends FROM read_only GROUP BY id, data',
    );
    const counted = open(`${at()}?table=counted&id=id&data=data&expires=ends`);
    await expect(counted.touch('one', 1000)).rejects.toThrow(/a view that cannot be written to/);
  });

  test('digits that are no date: said, and whoever asks beside it gets his answer', async () => {
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
    closing.push(() => admin.end());
    await admin.query('CREATE TABLE texts (id TEXT, data TEXT); GRANT SELECT ON texts TO site');
    return admin;
  }

  test.each(['LATIN1', 'UTF8'])(
    'a database in %s: text beyond ASCII only in the character set that is said',
    async (encoding) => {
      const admin = await textsIn(`in_${encoding.toLowerCase()}`, encoding);
      await admin.query("INSERT INTO texts VALUES ('plain', 'Zoe'), ('named', 'Zoë')");
      const of = (charset: string) =>
        open(`${at(undefined, `in_${encoding.toLowerCase()}`)}?table=texts&id=id&data=data${charset}`);
      expect(String(await of('').get('plain'))).toBe('Zoe');
      const answers = await Promise.allSettled(['plain', 'named'].map((id) => of('').get(id)));
      expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      await expect(of('').get('named')).rejects.toThrow(/add charset=/);
      expect(await of('&charset=latin1').get('named')).toEqual(Buffer.from('Zoë', 'latin1'));
      expect(await of('&charset=utf8').get('named')).toEqual(Buffer.from('Zoë'));
    },
  );

  test('a database without an encoding: the bytes that lie there, whatever is said, or a failure', async () => {
    const admin = await textsIn('raw', 'SQL_ASCII');
    await admin.query(`INSERT INTO texts VALUES ('utf8', 'Zoë'), ('latin1', E'Zo\\xeb')`);
    for (const charset of ['', '&charset=utf8', '&charset=latin1']) {
      const sessions = open(`${at(undefined, 'raw')}?table=texts&id=id&data=data${charset}`);
      expect(await sessions.get('utf8')).toEqual(Buffer.from('Zoë'));
      await expect(sessions.get('latin1')).rejects.toThrow(StoreError);
      // Their versions are told all the same: one session that cannot be read would make the others fail with it.
      for (const id of ['utf8', 'latin1']) expect(await sessions.version?.(id)).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test.each([
    ['asks for a way to log in that pg does not know', Buffer.from('520000000800000007', 'hex')],
    ['is something else altogether', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['says less than it announces', Buffer.from('440000000600ff', 'hex')],
  ])('a server that %s: a failure, and no more than that', async (_, nonsense) => {
    const proxy = await startTcpProxy(db.port, (_piece, client) => client.write(nonsense));
    closing.push(() => proxy.close());
    await expect(open(`${at(proxy.port)}?table=t&id=id&data=data`, '250ms').get('one')).rejects.toThrow(
      StoreError,
    );
  });
});
