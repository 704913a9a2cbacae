import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Mariadb, startMariadb } from '../../../test/helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { digest } from '../../../test/helpers/php-digest.ts';
import { type Postgres, startPostgres } from '../../../test/helpers/postgres.ts';
import { type Redis, startRedis } from '../../../test/helpers/redis.ts';
import { type SessionServer, startSessionServer } from '../../../test/helpers/session-server.ts';
import { makeSessionTable } from '../../../test/helpers/session-table.ts';
import { decodeSession } from '../src/decode.ts';
import type { FormatName } from '../src/formats/formats.ts';
import { newRecord } from '../src/formats/value.ts';
import { findUser } from '../src/identity.ts';
import { parseStoreUrl } from '../src/store-url.ts';

let memcached: Memcached[];
let redis: Redis;
let mariadb: Mariadb;
let postgres: Postgres;
let sessionServer: SessionServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'php-matrix-'));
  const keys = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));
  writeFileSync(join(folder, 'keys'), keys.join('\n'));
  [redis, mariadb, postgres, sessionServer, ...memcached] = await Promise.all([
    startRedis(['--requirepass', 'p@ss']),
    startMariadb(),
    startPostgres(),
    startSessionServer(),
    startMemcached(),
    startMemcached(),
  ]);
  await redis.ask('ACL', 'SETUSER', 'site', 'on', '>p@ss', '~app:*', '+@all');
  for (const place of [inMariadb(), inPostgres(), inSqlite()])
    makeSessionTable(place.replace(/[?&]table=.*/, ''));
});
afterAll(async () => {
  const servers = [redis, mariadb, postgres].map((server) => server?.remove());
  await Promise.all([...servers, sessionServer?.stop(), ...(memcached ?? []).map((one) => one.stop())]);
  rmSync(folder, { recursive: true, force: true });
});

const table = 'table=sessions&id=id&data=data&expires=expires';
const inMemcached = (options: string) =>
  `memcached://${memcached.map(({ port }) => `127.0.0.1:${port}`).join(',')}?${options}`;
const inRedis = (prefix: string) => `redis://:p%40ss@127.0.0.1:${redis.port}/2?prefix=${prefix}`;
const inFiles = (prefix = 'sess_') => `file://${folder}?prefix=${prefix}`;
const inMariadb = () => `mysql://${mariadb.login}@127.0.0.1:${mariadb.port}/site?${table}`;
const inPostgres = () =>
  `postgres://postgres@/site?socket=${postgres.folder}/.s.PGSQL.${postgres.port}&${table}`;
const inSqlite = () => `sqlite:${join(folder, 'site.db')}?${table}`;

/**
 * A session that PHP stored, the digest of all values that PHP reads, and the user. The digest is null if
 * the session is gone.
 */
type Row = [name: string, id: string, digest: string | null, user: string | null];

const script = fileURLToPath(new URL('../../../test/fixtures/stored-sessions.php', import.meta.url));
/** php-reads.test.ts compares the values of the other sessions. */
const few = 'a user|what looks like another user|every scalar|all bytes|objects|both|destroyed';
/** A session may contain itself, so only the first values count. */
const mostValues = 1500;

async function writtenByPhp(kind: string, url: string, format: FormatName): Promise<Row[]> {
  const options = ['-d', 'session.upload_progress.enabled=0', '-d', 'session.use_cookies=0'];
  const args = [...options, script, kind, url, format, String(mostValues), few];
  const { stdout } = await promisify(execFile)('php', args, { maxBuffer: 2 ** 24 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

/** Returns what the chat finds in the same sessions. */
async function readByChat(url: string, format: FormatName, rows: readonly Row[]): Promise<Row[]> {
  const source = parseStoreUrl(`${url}&format=${format}&timeout=9999ms`);
  const store = source.open();
  const read = async ([name, id]: Row): Promise<Row> => {
    const bytes = await store.get(id);
    if (!bytes) return [name, id, null, null];
    const session = decodeSession(source, id, bytes) ?? newRecord();
    const found = findUser(session, { id: ['user_id'], name: [] });
    return [name, id, digest(session, mostValues), 'user' in found ? found.user.id : null];
  };
  return Promise.all(rows.map(read)).finally(() => store.close());
}

const ofPhp = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'] as const;
/** Each of PHP’s own handlers. */
const native: [string, () => string][] = [
  ['ext-memcached’s handler', () => inMemcached('handler=memcached&distribution=modula')],
  ['ext-memcache’s handler', () => inMemcached('handler=memcache')],
  ['phpredis’s handler', () => `redis://site:p%40ss@${redis.folder}/redis.sock?database=3&prefix=app:`],
  ['PHP’s files', () => inFiles()],
];
/** The encryption is the same in all handlers, so one handler goes without it. */
const encrypted = () => `&layers=decrypt:${folder}/keys`;
const ours: [string, () => string][] = [
  ['MemcachedHandler', () => inMemcached('prefix=ketama/&distribution=ketama')],
  ['RedisHandler, encrypted', () => inRedis('siam_') + encrypted()],
  ['FilesHandler, encrypted', () => inFiles('own_') + encrypted()],
  ['SessionServerHandler, encrypted', () => `${sessionServer.url}?lifetime=1440${encrypted()}`],
  ['PdoHandler in MariaDB, encrypted', () => inMariadb() + encrypted()],
  ['PdoHandler in PostgreSQL, encrypted', () => inPostgres() + encrypted()],
  ['PdoHandler in SQLite, encrypted', () => inSqlite() + encrypted()],
];

/** Formats do not depend on the store, so each store is tested with one format. */
const cases = [
  ...native.map(([name, url], n) => [name, ofPhp[n % 5] ?? 'php', 'native', url] as const),
  ...ours.map(
    ([name, url], n) => [name, ([...ofPhp, 'json'] as const)[n % 6] ?? 'php', 'ours', url] as const,
  ),
];

describe('each value and user of each session is what PHP reads', () => {
  test.concurrent.each(cases)('%s: %s', async (_, format, kind, url) => {
    const rows = await writtenByPhp(kind, url(), format);
    expect(await readByChat(url(), format, rows)).toEqual(rows);
    // Most have the user 7; the last one was destroyed.
    expect(rows.filter(([, , , user]) => user === '7').length).toBeGreaterThan(1);
    expect(rows.filter(([, , digest]) => digest === null)).toHaveLength(1);
  });
});
