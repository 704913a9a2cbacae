import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArchive } from '../../server/backup/archive.ts';
import { makeBackup } from '../../server/backup/backup.ts';
import { restoreBackup } from '../../server/backup/restore.ts';
import { backupTables } from '../../server/history/engine/portable.ts';
import { size } from '../guarantees/size.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { openDatabase } from '../helpers/history-database.ts';
import {
  changed,
  type Empty,
  type Engines,
  expectValues,
  fill,
  odd,
  placeOf,
  readAll,
  startEngines,
} from '../helpers/portable-history.ts';
import { expectSearches } from '../helpers/searched-texts.ts';

let engines: Engines;
const folder = mkdtempSync(join(tmpdir(), 'portable-'));
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(async () => {
  await engines.stop();
  rmSync(folder, { recursive: true });
});
const names = ['SQLite', 'PostgreSQL', 'MariaDB'] as const;

const dataOf = (one: Empty) => ({ history: placeOf(one), files: undefined });
let made = 0;
const newFile = () => join(folder, `${made++}.tar`);

/** The last line of a table. */
interface Ending {
  rows: number;
  sha256: string;
  next?: number;
}

/** Returns the last line of each table of a backup. */
async function endingsIn(file: string): Promise<Record<string, Ending>> {
  const endings: [string, Ending][] = [];
  for await (const { name, bytes } of readArchive(file)) {
    const parts: Buffer[] = [];
    for await (const part of bytes) parts.push(part);
    const [, table = ''] = /^tables\/(\w+)\.jsonl\.gz$/.exec(name) ?? [];
    if (table !== '')
      endings.push([table, JSON.parse(gunzipSync(Buffer.concat(parts)).toString().split('\n').at(-2) ?? '')]);
  }
  return Object.fromEntries(endings);
}

async function backedUp(from: Empty): Promise<string> {
  const file = newFile();
  await makeBackup(dataOf(from), file);
  return file;
}

type Pair = [from: (typeof names)[number], to: (typeof names)[number]];
const eachInto: Pair[] = [
  ['SQLite', 'PostgreSQL'],
  ['PostgreSQL', 'MariaDB'],
  // test/server/move.test.ts moves the same rows.
  ...size<Pair[]>([['MariaDB', 'SQLite']], []),
];
const all = names.flatMap((from) => names.map((to): Pair => [from, to]));
test.each(size(all, eachInto))('restores a backup of %s into %s with the same rows', async (name, other) => {
  const from = await engines[name]();
  await fill(from);
  const file = await backedUp(from);
  const rows = await endingsIn(file);
  expect(Object.keys(rows)).toEqual(backupTables);
  await expectValues(from, backupTables);
  const original = await openDatabase(from.url);
  const answers = await readAll(original);
  await original.close();
  const same = (all: typeof rows) =>
    Object.entries(all).map(([table, ending]) => [
      table,
      changed.includes(table) ? { ...ending, rows: 0, sha256: '' } : ending,
    ]);
  const to = await engines[other]();
  await restoreBackup(file, dataOf(to));
  expect(same(await endingsIn(await backedUp(to)))).toEqual(same(rows));
  const history = await openDatabase(to.url);
  expect(await readAll(history)).toEqual(answers);
  const { write, read } = history;
  await expectSearches(history, 'texts');
  const { messages } = await read.newest({ room: 'odd', upTo: 99, limit: 99 });
  expect(messages.map(({ text }) => text)).toEqual(odd);
  const user = { id: '1', name: 'Ann' };
  const next = { room: 'odd', clientId: 'next', user, text: 'needle', sentAt: 0, asMember: false };
  await write.send(next);
  const search = { query: 'needle', rooms: ['odd'], everyPublic: false, limit: 9 };
  expect(await read.search(search)).toMatchObject({ messages: [{ text: 'needle', seq: odd.length + 1 }] });
  await history.close();
  await to.close();
  await from.close();
});

test('rejects a history in SQLite with a damaged index, which would hide rows', async () => {
  const from = await engines.SQLite();
  await fill(from);
  const db = new DatabaseSync(from.url.slice('sqlite:'.length), { defensive: false });
  // Adds a row that the index does not contain.
  db.exec(`
    CREATE TEMP TABLE hidden AS SELECT * FROM sqlite_master WHERE name = 'chat_messages_by_seq';
    PRAGMA writable_schema = ON;
    DELETE FROM sqlite_master WHERE name = 'chat_messages_by_seq';
    PRAGMA writable_schema = RESET;
    INSERT INTO chat_messages (room, seq, rev, id, client_id, user_id, user_name, text, sent_at, digest)
      VALUES (1, 9999, 9999, 'x', 'x', 'x', 'X', 'hidden', 1, '');
    PRAGMA writable_schema = ON;
    INSERT INTO sqlite_master SELECT * FROM hidden;
    PRAGMA writable_schema = RESET`);
  db.close();
  await expect(backedUp(from)).rejects.toMatchObject({
    code: 74,
    message: expect.stringMatching(/: an index of chat_messages is damaged: /),
  });
  await from.query('REINDEX');
  await backedUp(from);
  await from.close();
});

const fewer: Pair[] = [
  ['PostgreSQL', 'SQLite'],
  ['SQLite', 'PostgreSQL'],
  ['MariaDB', 'SQLite'],
];
test.each(fewer.slice(0, size(3, 1)))(
  'keeps audit entries of %s in %s that no server has stored yet',
  async (name, other) => {
    const from = await engines[name]();
    const history = await openDatabase(from.url);
    const audit = { name: 'audit', by: 'me', types: ['act'], lease: 60_000 } as const;
    const ban = (user: string) => history.write.setBan({ user, ban: { by: 'mod' }, actor: 'mod' });
    await history.write.consume({ ...audit, most: 0 });
    await ban('stored');
    const read = await history.write.consume({ ...audit, most: 9 });
    const done = 'upTo' in read ? read.upTo : -1;
    await history.write.consume({ ...audit, most: 0, done });
    await ban('pending');
    await history.close();
    const to = await engines[other]();
    await restoreBackup(await backedUp(from), dataOf(to));
    const restored = await openDatabase(to.url);
    const left = await restored.write.consume({ ...audit, by: 'other', most: 9 });
    expect(left).toMatchObject({ entries: [{}], skipped: 0 });
    expect(JSON.stringify(left)).toContain('pending');
    await restored.close();
    await from.close();
    await to.close();
  },
);

test.each(fewer.slice(0, size(2, 1)))(
  'erases users again from %s in %s if a newer backup was restored before',
  async (name, other) => {
    const from = await engines[name]();
    const history = await openDatabase(from.url);
    const ben = { id: 'ben', name: 'Ben' };
    await history.write.putRoom({ id: 'den', kind: 'public', name: 'Den', at: 0 });
    await history.write.send({
      ...{ room: 'den', clientId: '1', user: ben, text: 'I am here', sentAt: 0, asMember: false },
    });
    const older = await backedUp(from);
    await history.write.erase({ user: 'ben', messages: 'delete', at: 1 });
    await carryOutErasures(history);
    await history.close();
    const newer = await backedUp(from);
    const to = await engines[other]();
    const isThere = async () => {
      const restored = await openDatabase(to.url);
      const { messages } = await restored.read.newest({ room: 'den', upTo: 9, limit: 9 });
      await restored.close();
      return messages.some(({ text }) => text === 'I am here');
    };
    await restoreBackup(older, dataOf(to));
    expect(await isThere()).toBe(true);
    for (const file of [newer, older]) {
      await restoreBackup(file, dataOf(to));
      expect(await isThere()).toBe(false);
    }
    await from.close();
    await to.close();
  },
);
