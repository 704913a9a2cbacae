import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSnapshotOf } from '../../server/backup/backup.ts';
import { moveHistory } from '../../server/backup/move.ts';
import { run as move } from '../../server/command/move.ts';
import { portableTables, RowsDigest } from '../../server/history/engine/portable.ts';
import { size } from '../guarantees/size.ts';
import { startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { openDatabase } from '../helpers/history-database.ts';
import {
  type Empty,
  type Engines,
  fill,
  odd,
  passing,
  placeOf,
  readAll,
  startEngines,
} from '../helpers/portable-history.ts';
import { expectSearches } from '../helpers/searched-texts.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

const root = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'move-'));
let engines: Engines;
/** A history in SQLite that tests move away from, and its rows. */
let old: Empty;
let oldRows: Rows;
beforeAll(async () => {
  engines = await startEngines();
  old = await engines.SQLite();
  await fill(old);
  oldRows = await rowsOf(old);
});
afterAll(async () => {
  await old.close();
  await engines.stop();
  rmSync(folder, { recursive: true });
});

type Rows = Record<string, [rows: number, sha256: string, next: number | undefined]>;

/** Returns the number of rows, their digest and the next number of each table. */
async function rowsOf(one: Empty): Promise<Rows> {
  const snapshot = await openSnapshotOf(placeOf(one));
  try {
    const found: Rows = {};
    for (const table of portableTables) {
      const digest = new RowsDigest();
      for await (const rows of snapshot.rows(table)) for (const row of rows) digest.add(JSON.stringify(row));
      found[table] = [digest.rows, digest.sha256, snapshot.numbers.get(table)];
    }
    return found;
  } finally {
    snapshot.close();
  }
}

/** Selects a table of this database. */
const tableNamed = (name: 'PostgreSQL' | 'MariaDB', table: string) =>
  `SELECT 1 FROM information_schema.tables WHERE table_name = '${table}' AND table_schema =
    ${name === 'PostgreSQL' ? 'current_schema()' : 'DATABASE()'}`;

/** Statements that fill the queues. */
const queued = [
  `INSERT INTO chat_webhooks (id, type, at, due, tries, turn) VALUES ('e', 'room.created', 1, 1, 0, 1)`,
  `INSERT INTO chat_due (user_id, due) VALUES ('1', 5)`,
  `INSERT INTO chat_pushes (user_id, room_id, due) VALUES ('1', 'odd', 5)`,
];

/** The tables that a move changes: it frees consumers. */
const without = ({ chat_consumers: _, ...rows }: Rows) => rows;

/** Moves `old` in a separate process. */
const startMove = (to: string, env: NodeJS.ProcessEnv = {}) =>
  startChild(process.execPath, ['server/command/main.ts', 'move', '--to', to, '--settings='], {
    cwd: root,
    env: { PATH: process.env.PATH, CHAT_HISTORY: old.url, ...env },
  });

const pathOf = ({ url }: Empty) => url.slice('sqlite:'.length);

async function moved(from: Empty, to: string) {
  const file = join(folder, 'new-history');
  writeFileSync(file, `${to}\n`, { mode: 0o600 });
  return commandHere(move, ['--to', file], { PATH: process.env.PATH, CHAT_HISTORY: from.url });
}

test.each([
  ['SQLite', 'PostgreSQL'],
  ['PostgreSQL', 'MariaDB'],
  ['MariaDB', 'SQLite'],
] as const)('moves all rows from %s to %s, with queues and revisions', async (name, other) => {
  const [from, to] = [await engines[name](), await engines[other]()];
  await fill(from);
  for (const insertion of queued) await from.query(insertion);
  const rows = await rowsOf(from);
  expect(portableTables.filter((table) => rows[table]?.[0] === 0)).toEqual([...passing]);
  const before = await openDatabase(from.url);
  const answers = await readAll(before);
  await before.close();
  const asked = await rowsOf(from);
  const { code, said } = await moved(from, to.url);
  expect([code, said]).toEqual([0, expect.stringMatching(/^✓ Copied and compared: \d+ rows, from .* to /)]);
  expect(without(await rowsOf(to))).toEqual(without(asked));
  expect(await rowsOf(from)).toEqual(asked);
  const history = await openDatabase(to.url);
  expect(await readAll(history)).toEqual(answers);
  await expectSearches(history, 'texts');
  const { head } = (await history.read.room({ room: 'odd' })) ?? {};
  const user = { id: '1', name: 'Ann' };
  const next = { room: 'odd', clientId: 'next', user, text: 'needle', sentAt: 0, asMember: false };
  await history.write.send(next);
  expect(await history.read.room({ room: 'odd' })).toMatchObject({
    lastSeq: odd.length + 1,
    head: (head as number) + 1,
  });
  await history.close();
  await from.close();
  await to.close();
});

test('rejects a history that a server uses, and a place that contains a history', async () => {
  const to = await engines.PostgreSQL();
  const server = await openDatabase(old.url);
  expect(await moved(old, to.url)).toEqual({
    code: 69,
    said: 'a chat server is using this history: stop it first',
  });
  await server.close();
  // A server frees its consumers.
  oldRows = await rowsOf(old);
  const used = await openDatabase(to.url);
  await used.close();
  const other = await engines.SQLite();
  await (await openDatabase(other.url)).close();
  for (const place of [to, other]) {
    await expect
      .poll(() => moved(old, place.url))
      .toEqual({ code: 78, said: expect.stringMatching(/ already contains a history: choose another/) });
    expect((await rowsOf(place)).chat_messages?.[0]).toBe(0);
  }
  expect(await moved(old, 'redis://x')).toMatchObject({ code: 64 });
  expect(await rowsOf(old)).toEqual(oldRows);
  await to.close();
  await other.close();
});

/** Starts a proxy to a database. From `INSERT INTO restoring_chat_reactions` on, `reply` gets its replies. */
async function startLine(to: Empty, reply: (client: Socket) => void) {
  const port = /(?<=:)\d+(?=\/)/.exec(to.url)?.[0] ?? '';
  const reached = Promise.withResolvers<void>();
  let isReached = false;
  const line = await startTcpProxy(
    Number(port),
    (piece, client) => {
      if (isReached) reply(client);
      else client.write(piece);
    },
    (sent) => {
      isReached ||= sent.includes('INSERT INTO restoring_chat_reactions');
      if (isReached) reached.resolve();
    },
  );
  return {
    url: to.url.replace(`:${port}/`, `:${line.port}/`),
    reached: reached.promise,
    close: () => line.close(),
  };
}

test.each(['PostgreSQL', 'MariaDB'] as const)(
  'completes a killed move to %s at the next run',
  async (name) => {
    const to = await engines[name]();
    // The database does not answer any more, so that the move cannot end before it is killed.
    const line = await startLine(to, () => {});
    const child = startMove(line.url);
    await line.reached;
    await child.stop('SIGKILL');
    await line.close();
    expect(await to.query(tableNamed(name, 'restoring_chat_messages'))).toHaveLength(1);
    expect(await to.query(tableNamed(name, 'chat_messages'))).toEqual([]);
    // The database may still list the connections of the killed process.
    await expect.poll(async () => (await moved(old, to.url)).said).toMatch(/^✓/);
    expect(without(await rowsOf(to))).toEqual(without(oldRows));
    expect(await to.query(tableNamed(name, 'restoring_chat_messages'))).toEqual([]);
    expect(await rowsOf(old)).toEqual(oldRows);
    await to.close();
  },
);

test('leaves both histories as they were if the connection to the new database is lost', async () => {
  const to = await engines.PostgreSQL();
  const line = await startLine(to, (client) => client.destroy());
  await expect(moveHistory(placeOf(old), placeOf(line))).rejects.toMatchObject({
    code: 74,
    message: expect.stringMatching(/^the history was not moved: chat_reactions: PostgreSQL: /),
  });
  await line.close();
  expect(await to.query(tableNamed('PostgreSQL', 'chat_messages'))).toEqual([]);
  await expect.poll(async () => (await moved(old, to.url)).said).toMatch(/^✓/);
  expect(without(await rowsOf(to))).toEqual(without(oldRows));
  await to.close();
});

test('names the table if the new database rejects a row', async () => {
  const [from, to] = [await engines.SQLite(), await engines.MariaDB()];
  await fill(from);
  await from.query(`UPDATE chat_users SET name = '${'x'.repeat(256)}' WHERE id = '1'`);
  expect(await moved(from, to.url)).toEqual({
    code: 74,
    said: 'the history was not moved: chat_users: MariaDB: error 1406',
  });
  expect(await to.query(tableNamed('MariaDB', 'chat_messages'))).toEqual([]);
  await from.close();
  await to.close();
});

test('rejects a copy whose rows differ', async () => {
  const to = await engines.MariaDB();
  const port = /(?<=:)\d+(?=\/)/.exec(to.url)?.[0] ?? '';
  const line = await startTcpProxy(Number(port), (piece, client) => {
    client.write(Buffer.from(piece.toString('latin1').replace('quotes', 'quotas'), 'latin1'));
  });
  await expect(
    moveHistory(placeOf(old), placeOf({ url: to.url.replace(`:${port}/`, `:${line.port}/`) })),
  ).rejects.toMatchObject({
    code: 74,
    message: 'the history was not moved: the copied rows of chat_messages differ',
  });
  await line.close();
  expect(await to.query(tableNamed('MariaDB', 'chat_messages'))).toEqual([]);
  await to.close();
});

test('leaves a usable history or none after a kill or a full disk at any call', async () => {
  const disk = faultyDisk(false);
  const run = async (to: Empty) => {
    const child = startMove(to.url, disk.env);
    await new Promise((resolve) => child.process.on('close', resolve));
  };
  const whole = await engines.SQLite();
  await run(whole);
  expect(without(await rowsOf(whole))).toEqual(without(oldRows));
  await whole.close();
  const calls = disk.calls().length;
  expect(calls).toBeGreaterThan(100);
  const places = size(24, 4);
  for (let n = 0; n < places; n++) {
    const to = await engines.SQLite();
    // From the first call to the last.
    const place = 1 + Math.round((n * (calls - 1)) / (places - 1));
    const fault = n % 2 === 0 ? 'killed' : 'ENOSPC';
    disk.fail(place, fault);
    await run(to);
    expect([place, fault, disk.failed()?.trim()]).toEqual([place, fault, expect.stringMatching(/ at /)]);
    if (!existsSync(pathOf(to))) expect(await moved(old, to.url)).toMatchObject({ code: 0 });
    expect([place, without(await rowsOf(to))]).toEqual([place, without(oldRows)]);
    expect(await rowsOf(old)).toEqual(oldRows);
    await to.close();
  }
  disk.close();
});
