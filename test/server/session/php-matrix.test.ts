import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSessions } from '../../../server/session/index.ts';
import { soak } from '../../guarantees/size.ts';
import { hanging } from '../../helpers/hanging.ts';
import { type Mariadb, startMariadb } from '../../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { type Postgres, startPostgres } from '../../helpers/postgres.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { makeSessionTable } from '../../helpers/session-table.ts';

let memcached: Memcached[];
let redis: Redis;
let mariadb: Mariadb;
let postgres: Postgres;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'php-matrix-'));
  const keys = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));
  writeFileSync(join(folder, 'keys'), keys.join('\n'));
  [redis, mariadb, postgres, ...memcached] = await Promise.all([
    startRedis(['--requirepass', 'p@ss']),
    startMariadb(),
    startPostgres(),
    startMemcached(),
    startMemcached(),
  ]);
  await redis.ask('ACL', 'SETUSER', 'site', 'on', '>p@ss', '~app:*', '+@all');
  const first = [...'0123456789abcdefghijklmnopqrstuv'];
  for (const names of first.flatMap((a) => first.map((b) => join(a, b))))
    mkdirSync(join(folder, 'deep', names), { recursive: true });
  for (const place of [inMariadb(), inPostgres(), inSqlite()])
    makeSessionTable(place.replace(/[?&]table=.*/, ''));
});
afterAll(async () => {
  const servers = [redis, mariadb, postgres].map((server) => server?.remove());
  await Promise.all([...servers, ...(memcached ?? []).map((one) => one.stop())]);
  rmSync(folder, { recursive: true, force: true });
});

const table = 'table=sessions&id=id&data=data&expires=expires';
const inMemcached = (options: string) =>
  `memcached://${memcached.map(({ port }) => `127.0.0.1:${port}`).join(',')}?${options}`;
const inRedis = (prefix = 'PHPREDIS_SESSION:') =>
  `redis://:p%40ss@127.0.0.1:${redis.port}/2?prefix=${prefix}`;
const inFiles = (prefix = 'sess_') => `file://${folder}?prefix=${prefix}`;
const inMariadb = () => `mysql://${mariadb.login}@127.0.0.1:${mariadb.port}/site?${table}`;
const inPostgres = () =>
  `postgres://postgres@/site?socket=${postgres.folder}/.s.PGSQL.${postgres.port}&${table}`;
const inSqlite = () => `sqlite:${join(folder, 'site.db')}?${table}`;

/** The ways in which a site starts its session at the URL `$argv[1]`, writes it and destroys it. */
const kinds = {
  native: {
    start: `
      $session = PhpSessionChat\\Session\\NativeHandler::fromUrl($argv[1]);
      $session->start(['use_strict_mode' => true]);`,
    write: '$session->close();',
    destroy: '$session->destroy();',
  },
  ours: {
    start: `
      session_set_save_handler(PhpSessionChat\\Session\\HandlerFactory::fromUrl($argv[1]), false);
      session_start(['use_strict_mode' => true]);`,
    write: 'session_write_close();',
    destroy: 'session_destroy();',
  },
};

/**
 * A request of a site.
 * @returns the id of the session
 */
async function request(url: string, code: string, id = ''): Promise<string> {
  const script = `
    require 'php/autoload.php';
    if ($argv[2] !== '') {
        $_COOKIE['PHPSESSID'] = $argv[2];
    }
    ${code}
    echo session_id();`;
  const root = new URL('../../..', import.meta.url);
  const options = ['-d', 'session.upload_progress.enabled=0'];
  return (await promisify(execFile)('php', [...options, '-r', script, '--', url, id], { cwd: root })).stdout;
}

/** The user, or the refusal, of a visitor by the same URL. */
async function visitor(url: string, id: string): Promise<unknown> {
  const sessions = openSessions({ store: url });
  try {
    for (const end = performance.now() + hanging; ; ) {
      const session = await sessions.readSession(`PHPSESSID=${id}`);
      if (!('code' in session)) return session.user;
      // A busy machine lets a store be late.
      if (session.code !== 'session_store_unavailable' || performance.now() > end) return session.code;
    }
  } finally {
    sessions.close();
  }
}

const user = { id: '7', name: 'Zoë 张伟' };

async function expectUser(kind: keyof typeof kinds, url: string): Promise<void> {
  const { start, write, destroy } = kinds[kind];
  const login = "$_SESSION = ['user_id' => 7, 'firstname' => 'Zoë 张伟', 'cart' => [['n' => 1], []]];";
  const id = await request(url, `${start} ${login} ${write}`);
  expect(await visitor(url, id)).toEqual(user);
  await request(url, `${start} ${destroy}`, id);
  expect(await visitor(url, id)).toBe('unauthorized');
}

describe('the chat knows the user of a session, and the logout, by the URL with which PHP writes it:', () => {
  const native: [string, () => string][] = [
    ['ext-memcached’s handler', () => inMemcached('handler=memcached')],
    ['and weights', () => inMemcached('handler=memcached&distribution=ketama_weighted&weight=3,1&prefix=a.')],
    ['and no ketama', () => inMemcached('handler=memcached&distribution=modula&format=msgpack')],
    ['ext-memcache’s handler', () => inMemcached('handler=memcache')],
    ['and FNV', () => inMemcached('handler=memcache&distribution=memcache_fnv&redundancy=1')],
    ['phpredis’s handler', () => inRedis()],
    [
      'as a user, over a socket',
      () => `redis://site:p%40ss@${redis.folder}/redis.sock?database=3&prefix=app:`,
    ],
    ['and igbinary', () => `${inRedis('siam_')}&format=igbinary`],
    ['PHP’s files', () => inFiles()],
    ['in folders of folders', () => `file://${folder}/deep?depth=2`],
    ['and php_binary', () => `${inFiles()}&format=php_binary`],
  ];
  // One of each handler.
  const few = ['and no ketama', 'ext-memcache’s handler', 'as a user, over a socket', 'PHP’s files'];
  test.concurrent.each(native.filter(([name]) => soak || few.includes(name)))('%s', (_, url) =>
    expectUser('native', url()),
  );

  const ours = [
    ['MemcachedHandler', () => inMemcached('prefix=sessions/')],
    ['MemcachedHandler with ketama', () => inMemcached('prefix=ketama/&distribution=ketama')],
    ['RedisHandler', () => inRedis('siam_')],
    ['FilesHandler', () => inFiles('own_')],
    ['PdoHandler in MariaDB', inMariadb],
    ['PdoHandler in PostgreSQL', inPostgres],
    ['PdoHandler in SQLite', inSqlite],
  ] as const;
  /**
   * The format and the encryption are the same for all handlers: in an ordinary run one has the first and the last of
   * their combinations, the others the last.
   */
  const forms = ['', '&format=json', '&format=igbinary'].flatMap((format) => [
    format,
    `${format}&layers=decrypt:KEYFILE`,
  ]);
  const combinations = ours.flatMap(([name, url], n) =>
    forms
      .filter((_, m) => (n === 0 && m === 0) || m === forms.length - 1 || soak)
      .map((form) => ({
        name: name + form,
        url: () => url() + form.replace('KEYFILE', join(folder, 'keys')),
      })),
  );
  test.concurrent.each(combinations)('$name', ({ url }) => expectUser('ours', url()));
});
