import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { makeSessionTable } from '../helpers/session-table.ts';
import { raw } from './http.ts';
import { idOf, loggedInAs } from './visitor.ts';

let memcached: Memcached[];
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
  memcached = await Promise.all([startMemcached(), startMemcached()]);
});
afterAll(async () => {
  await Promise.all((memcached ?? []).map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

const servers = () => memcached.map(({ port }) => `127.0.0.1:${port}`).join(',');
/** Reads a key from both servers. Only one has it. */
const inMemcached = async (key: string) =>
  (await Promise.all(memcached.map((server) => server.ask(`get ${key}\r\n`)))).join('');

const inTable = (id: string) => {
  const database = new DatabaseSync(table, { readOnly: true });
  const row = database.prepare('SELECT data FROM sessions WHERE id = ?').get(id);
  database.close();
  return Buffer.from(row?.data as Uint8Array).toString('latin1');
};

/** `as` matches Alice's session in the format of the handler. */
const stores: {
  name: string;
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
    name: 'our handler with encrypted JSON in SQLite',
    url: () =>
      `sqlite:${table}?table=sessions&id=id&data=data&expires=expires&format=json&layers=decrypt:${keyFile}`,
    stored: (id) => inTable(id),
    as: /^(?!.*Alice)/s,
  },
];

/** Reads the page that shows whether two servers share a session. */
async function sessionPage(app: PhpApp, cookie: string) {
  const { body } = await raw(app.url, { path: '/session', headers: { cookie } });
  const field = (id: string) => new RegExp(`id="session-${id}"><[^>]+>([^<]*)<`).exec(body)?.[1] ?? '';
  return { id: field('id'), started: field('started'), now: field('now'), server: field('server') };
}

test.each(stores)('shares one session between two servers: $name', async ({ url, stored, as }) => {
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
