import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { doctor } from '../../../server/doctor/report.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { startChatSite } from '../../helpers/chat-site.ts';
import { startMariadb } from '../../helpers/mariadb.ts';
import { codeOf } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';

test('finds the users of a plain PHP site before their first visit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'user-table-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'site.db');
  const db = new DatabaseSync(file);
  db.exec(
    "CREATE TABLE people (nr INTEGER PRIMARY KEY, called TEXT); INSERT INTO people VALUES (8, 'Zoë Quill'), (10, 'Casino Quill')",
  );
  const env = {
    CHAT_USER_TABLE: 'people(nr, called)',
    CHAT_SITE_DATABASE: `sqlite:${file}`,
    CHAT_FIND_PEOPLE: 'all',
    CHAT_ADMINS: '7',
    CHAT_HOLD_WORDS: 'casino',
  };
  const site = await startChatSite(env, chatServerHere);
  onTestFinished(() => site.close());
  const ann = await connectChat(site.chat.url, await site.session(7, 'Ann'));
  onTestFinished(() => ann.close());
  expect(ann.ready.roles).toEqual(['admin']);
  const zoe = { id: '8', name: 'Zoë Quill' };
  // A name with a listed word is replaced by the ID, as for connected users.
  const listed = { id: '10', name: '10' };
  // A search would block the main thread, so only ID lookups run there.
  const prepared = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const { users } = await ann.request('user:find', { query: 'qui', limit: 5 });
  const statements = prepared.mock.calls
    .map(([sql]) => sql)
    .filter((sql) => sql.includes('people') && !sql.includes('json_each(:ids)'));
  prepared.mockRestore();
  expect(users).toEqual([zoe, listed]);
  expect(statements).toEqual([]);
  expect((await ann.request('direct:open', { user: '10' })).room.with).toMatchObject(listed);
  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject(zoe);
  for (const user of ['9', 'x']) expect(await codeOf(ann, 'direct:open', { user })).toBe('unknown_user');

  writeFileSync(join(folder, 'index.php'), '<?php session_start();');
  const doctorOutput = async (more: Record<string, string> = {}) => {
    const lines: string[] = [];
    const say = (text: string) => void lines.push(text);
    const settings = { CHAT_SESSION_STORE: site.memcached.url, ...env, ...more };
    await doctor([], settings, { finding: say, problem: say });
    return lines.join('\n');
  };
  expect(await doctorOutput()).not.toContain('users of the site');
  db.exec('ALTER TABLE people RENAME COLUMN called TO title');
  const withFolder = { CHAT_SITE: folder, CHAT_USER_ID: 'user_id', CHAT_USER_NAME: 'firstname' };
  for (const more of [{}, withFolder])
    expect(await doctorOutput(more)).toMatch(
      /CHAT_USER_TABLE names a table or a column that does not exist.*\n {2}→ Correct CHAT_USER_TABLE/,
    );
  expect(
    await doctorOutput({
      ...withFolder,
      CHAT_MAIL: 'smtp://127.0.0.1:1',
      CHAT_MAIL_FROM: 'a@b.c',
      CHAT_URL: 'https://b.c',
    }),
  ).toContain('no setting names the path of the users’ addresses');
});

test('returns an empty result for text outside the character set of the table', async () => {
  const [mariadb, postgres] = await Promise.all([startMariadb(), startPostgres()]);
  onTestFinished(async () => void (await Promise.all([mariadb.remove(), postgres.remove()])));
  const rows = "INSERT INTO people VALUES ('Zoë', 'Zoë Quill')";
  const table = 'CREATE TABLE people (nick VARCHAR(40) PRIMARY KEY, called VARCHAR(40))';
  await mariadb.query(`${table} COLLATE latin1_bin`);
  await mariadb.query(rows);
  await postgres.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const latin = new Client({
    host: postgres.folder,
    port: postgres.port,
    user: 'postgres',
    database: 'latin',
  });
  await latin.connect();
  for (const sql of [table, rows, 'GRANT SELECT ON people TO site']) await latin.query(sql);
  await latin.end();
  for (const database of [
    `mysql://${mariadb.login}@127.0.0.1:${mariadb.port}/site`,
    `postgres://${postgres.login}@127.0.0.1:${postgres.port}/latin`,
  ]) {
    const env = { CHAT_USER_TABLE: 'people(nick, called)', CHAT_SITE_DATABASE: `${database}?timeout=9999ms` };
    const site = await startChatSite({ ...env, CHAT_FIND_PEOPLE: 'all' }, chatServerHere);
    const ann = await connectChat(site.chat.url, await site.session(7, 'Ann'));
    const found = async (query: string) => (await ann.request('user:find', { query, limit: 5 })).users;
    const zoe = { id: 'Zoë', name: 'Zoë Quill' };
    expect(await found('quill')).toEqual([zoe]);
    expect(await found('😀')).toEqual([]);
    expect(await codeOf(ann, 'direct:open', { user: 'Зоя' })).toBe('unknown_user');
    const made = { name: 'Den', kind: 'private', clientId: 'den' } as const;
    expect((await ann.request('room:create', { ...made, members: ['Зоя', 'Zoë'] })).room.members).toBe(2);
    expect((await ann.request('direct:open', { user: 'Zoë' })).room.with).toMatchObject(zoe);
    expect(site.chat.output()).not.toContain('cannot be searched');
    ann.close();
    await site.close();
  }
});
