import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { size } from '../guarantees/size.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { makeSessionTable } from '../helpers/session-table.ts';
import { raw } from './http.ts';
import { idOf, loggedInAs } from './visitor.ts';

let memcached: Memcached[];
let redis: Redis;
let folder: string;
let keyFile: string;
/** The SQLite file with the table `sessions`. */
let table: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shared-session-'));
  keyFile = join(folder, 'keys');
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`);
  table = join(folder, 'site.db');
  makeSessionTable(`sqlite:${table}`);
  [redis, ...memcached] = await Promise.all([startRedis(), startMemcached(), startMemcached()]);
});
afterAll(async () => {
  await Promise.all([redis?.remove(), ...(memcached ?? []).map((one) => one.stop())]);
  rmSync(folder, { recursive: true, force: true });
});

const servers = () => memcached.map(({ port }) => `127.0.0.1:${port}`).join(',');
/** The value of a key in either of the two. */
const inMemcached = async (key: string) =>
  (await Promise.all(memcached.map((one) => one.ask(`get ${key}\r\n`)))).join('');

const inTable = (id: string) => {
  const database = new DatabaseSync(table, { readOnly: true });
  const row = database.prepare('SELECT data FROM sessions WHERE id = ?').get(id);
  database.close();
  return Buffer.from(row?.data as Uint8Array).toString('latin1');
};

/** `as` is the form of Alice's session: its handler and its format. */
const stores: {
  name: string;
  /** Another one is like it: for `npm run test:soak`. */
  again?: true;
  url: () => string;
  stored: (id: string) => Promise<string> | string;
  as: RegExp;
}[] = [
  {
    name: 'ext-memcached’s handler',
    url: () => `memcached://${servers()}?handler=memcached`,
    stored: (id) => inMemcached(`memc.sess.key.${id}`),
    as: /\r\nuser_id\|i:1;firstname\|s:5:"Alice";/,
  },
  {
    name: 'ext-memcache’s handler',
    again: true,
    url: () => `memcached://${servers()}?handler=memcache&persistent=1&weight=1&timeout=1&retry_interval=15`,
    stored: (id) => inMemcached(id),
    // On both.
    as: /\r\nuser_id\|i:1;.*\r\nuser_id\|i:1;/s,
  },
  {
    name: 'phpredis’s handler',
    again: true,
    url: () => `redis://127.0.0.1:${redis.port}`,
    stored: async (id) => String(await redis.ask('GET', `PHPREDIS_SESSION:${id}`)),
    as: /^user_id\|i:1;/,
  },
  {
    name: 'phpredis’s handler, with options, over a unix socket',
    again: true,
    url: () => `redis://${redis.folder}/redis.sock?database=3&prefix=siam_&format=igbinary&lifetime=1h`,
    stored: async (id) => {
      const script = `redis.call('SELECT', 3) return redis.call('GET', 'siam_${id}')`;
      return String(await redis.ask('EVAL', script, '0'));
    },
    as: /user_id(?!\|).*Alice/s,
  },
  {
    name: 'PHP’s files',
    again: true,
    url: () => `file://${folder}?lifetime=30m`,
    stored: (id) => readFileSync(join(folder, `sess_${id}`), 'latin1'),
    as: /^user_id\|i:1;/,
  },
  {
    name: 'ours in files, encrypted, with locks',
    again: true,
    url: () => `file://${folder}?prefix=own_&lock=10&layers=decrypt:${keyFile}`,
    stored: (id) => readFileSync(join(folder, `own_${id}`), 'latin1'),
    as: /^(?!.*Alice)/s,
  },
  {
    name: 'ours in a table of SQLite: JSON, encrypted',
    url: () =>
      `sqlite:${table}?table=sessions&id=id&data=data&expires=expires&format=json&layers=decrypt:${keyFile}`,
    stored: (id) => inTable(id),
    as: /^(?!.*Alice)/s,
  },
];

/** The page that shows a site's owner that two servers share a session. */
async function sessionPage(app: PhpApp, cookie: string) {
  const { body } = await raw(app.url, { path: '/session', headers: { cookie } });
  const told = (id: string) => new RegExp(`id="session-${id}"><[^>]+>([^<]*)<`).exec(body)?.[1] ?? '';
  return { id: told('id'), started: told('started'), now: told('now'), server: told('server') };
}

const tried = stores.filter(({ again }) => size(true, again === undefined));

test.each(tried)('two servers, one cookie, one session: $name', async ({ url, stored, as }) => {
  const env = { SESSION_STORE: url() };
  const apps = (await Promise.all([startPhpApp({ env }), startPhpApp({ env })])) as [PhpApp, PhpApp];
  onTestFinished(async () => {
    await Promise.all(apps.map((app) => app.stop()));
  });
  const cookie = await apps[0].login('alice');
  expect(await stored(idOf(cookie))).toMatch(as);

  const pages = [await sessionPage(apps[0], cookie), await sessionPage(apps[1], cookie)] as const;
  for (const [n, page] of pages.entries()) {
    expect(page.id).toBe(`${idOf(cookie).slice(0, 4)}…`);
    expect(page.started).toBe(pages[0].started);
    expect(Date.parse(page.now)).toBeGreaterThanOrEqual(Date.parse(page.started));
    expect(page.server).toMatch(new RegExp(`:${new URL(apps[n]?.url ?? '').port}$`));
  }

  const invented = `PHPSESSID=${'a'.repeat(26)}`;
  const answer = await raw(apps[1].url, { headers: { cookie: invented } });
  expect(answer.headers['set-cookie']?.[0]).toMatch(/^PHPSESSID=(?!aaaa)[A-Za-z0-9,-]{22,};/);

  await apps[1].logout(cookie);
  expect(await loggedInAs(apps[0], cookie)).toBeUndefined();
  for (const app of apps) expect(app.output()).not.toContain(idOf(cookie));
});
