import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArchive } from '../../server/backup/archive.ts';
import { makeBackup } from '../../server/backup/backup.ts';
import { restoreBackup } from '../../server/backup/restore.ts';
import { portableTables } from '../../server/history/engine/portable.ts';
import type { History } from '../../server/history/history.ts';
import { type HistoryPlace, readHistoryPlace } from '../../server/history/open.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { everyRead, everyWrite } from '../helpers/every-call.ts';
import { mariadbDatabase, openDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { expectSearches, otherTexts, searchedTexts } from '../helpers/searched-texts.ts';

/** An empty history in a database. */
interface Empty {
  url: string;
  query(sql: string): Promise<unknown>;
  close(): unknown;
}

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let mariadb: Awaited<ReturnType<typeof startMariadb>>;
const folder = mkdtempSync(join(tmpdir(), 'portable-'));
beforeAll(async () => {
  [postgres, mariadb] = await Promise.all([startPostgres(), startMariadb()]);
});
afterAll(async () => {
  await Promise.all([postgres.remove(), mariadb.remove()]);
  rmSync(folder, { recursive: true });
});

const engines = {
  async SQLite(): Promise<Empty> {
    const { url, path, remove } = historyFolder();
    return {
      url,
      async query(sql) {
        const db = new DatabaseSync(path);
        db.exec(sql);
        db.close();
      },
      close: remove,
    };
  },
  PostgreSQL: (): Promise<Empty> => postgresDatabase(postgres),
  MariaDB: (): Promise<Empty> => mariadbDatabase(mariadb),
};
type Engine = keyof typeof engines;
const names = Object.keys(engines) as Engine[];

const placeOf = ({ url }: Empty) => ({ history: readHistoryPlace(url) as HistoryPlace, files: undefined });
let made = 0;
const newFile = () => join(folder, `${made++}.tar`);

/** Texts with characters that have a meaning in SQL, JSON or a line of text. */
const odd = [
  'two\nlines',
  'a\ttab and \\ and \\N',
  `'quotes" and ; and ?`,
  '🌱 ∑ ü\u2028',
  '{"rows":1}',
  ' end ',
];

/** The tables that a restore changes: it frees consumers and starts new revisions of rooms. */
const changed = ['chat_rooms', 'chat_former_rooms', 'chat_consumers'];
/** Tables with rows only during an erasure, which a restore completes. */
const passing = ['chat_erasures', 'chat_erased_rooms'];

/** Writes that would remove the last rows of a table. */
const removing =
  /^(erase|eraseStep|delete.*|forget.*|expire|dropFiles|discard.*|unschedule|removeDevice|revokeInvite|sendScheduled|settleDue|endRestrictions|removePreview|hideHere|removeMembers|approvePending|keepConsumers|endReminder|endPoll)$/;

/** Stores at least one row in each table. */
async function fill(empty: Empty): Promise<void> {
  const history = await openDatabase(empty.url);
  const { write } = history;
  for (const [op, inputs] of Object.entries(everyWrite)) {
    if (removing.test(op)) continue;
    // Some writes expect rows that a skipped write would have changed.
    for (const input of inputs) await write[op as 'send'](input as never).catch(() => {});
  }
  await write.setBan({ user: '9', ban: { by: '1', reason: 'why' } });
  await write.block({ user: '1', other: '3', blocked: true, at: 0 });
  for (const [id, texts] of [
    ['texts', [...searchedTexts, ...otherTexts].map(([text]) => text)],
    ['odd', odd],
  ] as const) {
    await write.putRoom({ id, kind: 'public', name: id, at: 0 });
    for (const [n, text] of texts.entries())
      await write.send({
        ...{ room: id, clientId: `${n}`, user: { id: `ü${n}`, name: 'Ünal ' }, text },
        ...{ sentAt: 0, asMember: false },
      });
  }
  await write.erase({ user: 'gone', messages: 'delete', at: 5 });
  // The holder of the lease in `everyWrite`.
  await carryOutErasures(history, 'me');
  await history.close();
  await empty.query('INSERT INTO chat_days (room, day, sent) VALUES (1, -1, 9007199254740991)');
  await empty.query(`INSERT INTO chat_former_rooms (digest, head) VALUES ('ab', 5)`);
}

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
  await makeBackup(placeOf(from), file);
  return file;
}

/** Returns the responses to all reads, without revisions and cursors. */
async function readAll({ read }: History): Promise<unknown> {
  const answers: unknown[] = [];
  for (const [query, inputs] of Object.entries(everyRead))
    for (const input of inputs)
      answers.push([query, await read[query as 'room'](input as never).catch(({ code }) => code)]);
  for (const text of ['all', 'ÁLL', 'nothing'])
    answers.push(await read.search({ query: text, rooms: ['den'], everyPublic: true, limit: 9 }));
  return JSON.parse(JSON.stringify(answers), (key, part: unknown) => {
    if (/^(next|head|reset)$/.test(key)) return undefined;
    // The order of some lists is unspecified.
    return Array.isArray(part) ? part.map((one) => JSON.stringify(one)).sort() : part;
  });
}

test.each(names)('restores a backup of %s into each database with the same rows', async (name) => {
  const from = await engines[name]();
  await fill(from);
  const file = await backedUp(from);
  const rows = await endingsIn(file);
  expect(Object.keys(rows)).toEqual(portableTables);
  const isEmpty = (table: string) => rows[table]?.rows === 0;
  expect(portableTables.filter(isEmpty)).toEqual(passing);
  const original = await openDatabase(from.url);
  const answers = await readAll(original);
  await original.close();
  const same = (all: typeof rows) =>
    Object.entries(all).map(([table, ending]) => [
      table,
      changed.includes(table) ? { ...ending, rows: 0, sha256: '' } : ending,
    ]);
  for (const other of names) {
    const to = await engines[other]();
    await restoreBackup(file, placeOf(to));
    expect([other, same(await endingsIn(await backedUp(to)))]).toEqual([other, same(rows)]);
    const history = await openDatabase(to.url);
    expect([other, await readAll(history)]).toEqual([other, answers]);
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
  }
  await from.close();
});

test.each([
  ['SQLite', 'PostgreSQL'],
  ['PostgreSQL', 'SQLite'],
] as const)('erases users again from %s in %s if a newer backup was restored before', async (name, other) => {
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
  await restoreBackup(older, placeOf(to));
  expect(await isThere()).toBe(true);
  for (const file of [newer, older]) {
    await restoreBackup(file, placeOf(to));
    expect(await isThere()).toBe(false);
  }
  await from.close();
  await to.close();
});
