import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSnapshotOf } from '../../server/backup/backup.ts';
import { moveBack, moveHistory } from '../../server/backup/move.ts';
import { compareSamples } from '../../server/backup/samples.ts';
import { run as move } from '../../server/command/move.ts';
import type { DatabaseAddress } from '../../server/history/engine/address.ts';
import { portableTables, RowsDigest } from '../../server/history/engine/portable.ts';
import { record } from '../../server/history/engine/recording.ts';
import type { History } from '../../server/history/history.ts';
import type { DatabaseName } from '../../server/history/migrations.ts';
import { dialectOf, findHistoryFault, openHistory, openReads } from '../../server/history/open.ts';
import { size } from '../guarantees/size.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { everyWrite } from '../helpers/every-call.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { mariadbDatabase, openDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import {
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
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
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
  `INSERT INTO chat_webhooks (id, type, at, due, tries, turn, room_id, created_at, seq, message_id, user_id, report_id,
     held_message, account) VALUES ('e', 'room.created', 1, 1, 0, 1, 'odd', 2, 3, 'm', '1', 'r', 'h', 4)`,
  `INSERT INTO chat_due (user_id, due, claimed, again, sending) VALUES ('1', 5, 6, 7, 8)`,
  'UPDATE chat_due_rooms SET due = 5, claimed = 6, again = 7, everyone = 1',
  `INSERT INTO chat_pushes (user_id, room_id, due, claimed, again, sending, pushed, done)
     VALUES ('1', 'odd', 5, 6, 7, 8, '{}', 9)`,
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
  return commandHere(move, ['--to', file, '--settings='], { PATH: process.env.PATH, CHAT_HISTORY: from.url });
}

type Move = readonly [from: DatabaseName, to: DatabaseName];
const moves: Move[] = [
  ['SQLite', 'PostgreSQL'],
  ['PostgreSQL', 'MariaDB'],
  ['MariaDB', 'SQLite'],
];

test.each(size(moves, moves.slice(2)))(
  'moves all rows from %s to %s, with queues and revisions',
  async (name, other) => {
    const [from, to] = [await engines[name](), await engines[other]()];
    await fill(from);
    for (const insertion of queued) await from.query(insertion);
    await expectValues(from, portableTables);
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
  },
);

test('rejects a place that contains a history', async () => {
  const to = await engines.PostgreSQL();
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

/** More than a round of changes. */
const writesDuringCopy = 200;

/** Opens a history as a server does. */
async function startServer(one: Empty): Promise<History> {
  return openHistory(placeOf(one), {
    onFailure(error) {
      throw error;
    },
  });
}

/** Writes that servers make while their history moves. They change, add and delete rows of each kind. */
async function* busyWrites({ write }: History) {
  const user = { id: 'busy', name: 'Busy' };
  await write.putRoom({ id: 'busy', kind: 'public', name: 'Busy', at: 0 });
  await write.putRoom({ id: 'closed', kind: 'public', name: 'Closed', at: 0 });
  await write.join({ room: 'busy', user, at: 0 });
  for (let n = 0; ; n++) {
    const message = {
      room: 'busy',
      clientId: randomUUID(),
      user,
      text: `number ${n}`,
      sentAt: n,
      asMember: false,
    };
    const { seq } = (await write.send(message)).message;
    await write.send({ ...message, room: 'closed' });
    await write.react({
      room: 'busy',
      seq,
      reactions: [{ user: 'busy', emoji: '👍', on: n % 3 > 0 }],
    });
    if (n % 5 === 4)
      await write.delete({ room: 'busy', seq: seq - 1, user: 'busy', moderator: false, at: n });
    yield n;
  }
}

test.each(size(moves, moves.slice(0, 1)))(
  'moves %s to %s while a server uses it, with all changes until it stops',
  async (name, other) => {
    const [from, to] = [await engines[name](), await engines[other]()];
    await fill(from);
    const server = await startServer(from);
    const writes = busyWrites(server);
    let isReady = false;
    const ready = Promise.withResolvers<void>();
    const moving = moveHistory(placeOf(from), placeOf(to), {
      settleMs: 200,
      onProgress(is) {
        isReady ||= is === 'ready';
        if (isReady) ready.resolve();
      },
    });
    let count = 0;
    while (!isReady && count < writesDuringCopy) count = (await writes.next()).value as number;
    await ready.promise;
    for (const end = count + 30; count < end; ) count = (await writes.next()).value as number;
    await server.write.deleteRoom({ room: 'closed' });
    for (const [op, inputs] of Object.entries(everyWrite))
      for (const input of inputs) await server.write[op as 'send'](input as never).catch(() => {});
    await carryOutErasures(server, 'me');
    await server.close();
    const state = await rowsOf(from);
    await moving;
    expect(await rowsOf(from)).toEqual(state);
    expect(await openHistory(placeOf(from), { onFailure() {} }).catch(({ message }) => message)).toMatch(
      / cannot be opened: it was moved, or a move was interrupted: /,
    );
    expect(without(await rowsOf(to))).toEqual(without(await rowsOf(from)));
    const history = await openDatabase(to.url);
    const { messages } = await history.read.newest({ room: 'busy', upTo: count + 1, limit: 1 });
    expect(messages).toMatchObject([{ text: `number ${count}` }]);
    await history.close();
    await from.close();
    await to.close();
  },
);

againInSoak('continues while a server restarts', async () => {
  const [from, to] = [await engines.SQLite(), await engines.SQLite()];
  let server = await startServer(from);
  const stopped = Promise.withResolvers<void>();
  let isOver = false;
  let isReady = false;
  const moving = moveHistory(placeOf(from), placeOf(to), {
    settleMs: 2000,
    async onProgress(is) {
      if (is === 'ready') {
        isReady = true;
        await server.close();
      } else if (isReady) stopped.resolve();
    },
  }).finally(() => {
    isOver = true;
  });
  await stopped.promise;
  server = await startServer(from);
  await server.write.putRoom({ id: 'later', kind: 'public', name: 'Later', at: 0 });
  expect(isOver).toBe(false);
  await server.close();
  await moving;
  expect(without(await rowsOf(to))).toEqual(without(await rowsOf(from)));
  await from.close();
  await to.close();
});

test.each(size(['SQLite', 'PostgreSQL', 'MariaDB'] as const, ['PostgreSQL'] as const))(
  'rejects a copy of %s if another move has recorded its changes',
  async (name) => {
    const [from, to, other] = [await engines[name](), await engines.SQLite(), await engines.SQLite()];
    const server = await startServer(from);
    const ready = Promise.withResolvers<void>();
    const otherReady = Promise.withResolvers<void>();
    const onProgress = (resolve: () => void) => (is: unknown) => {
      if (is === 'ready') resolve();
    };
    const first = moveHistory(placeOf(from), placeOf(to), { onProgress: onProgress(ready.resolve) });
    const failed = expect(first).rejects.toMatchObject({
      code: 74,
      message: expect.stringMatching(/^the history was not moved: changes of the old history may be missing/),
    });
    await ready.promise;
    const second = moveHistory(placeOf(from), placeOf(other), {
      settleMs: 200,
      onProgress: onProgress(otherReady.resolve),
    });
    await failed;
    expect(existsSync(pathOf(to))).toBe(false);
    await otherReady.promise;
    await server.write.putRoom({ id: 'later', kind: 'public', name: 'Later', at: 0 });
    await server.close();
    await second;
    expect(without(await rowsOf(other))).toEqual(without(await rowsOf(from)));
    await from.close();
    await other.close();
  },
);

againInSoak(
  'leaves the server and its history as they are after a kill or a full disk at any call',
  async () => {
    const disk = faultyDisk(false);
    const from = await engines.SQLite();
    await fill(from);
    /** Moves while a server writes, and stops the server when the move is ready. */
    const run = async (to: Empty) => {
      await moveBack(placeOf(from));
      const server = await startServer(from);
      const writes = busyWrites(server);
      const child = startChild(
        process.execPath,
        ['server/command/main.ts', 'move', '--to', to.url, '--settings='],
        {
          cwd: root,
          env: { PATH: process.env.PATH, CHAT_HISTORY: from.url, ...disk.env },
        },
      );
      const ended = once(child.process, 'close');
      const over = Promise.race([ended, child.until(/All rows are copied/).catch(() => ended)]);
      for (let n = 0; n < writesDuringCopy; n++) await writes.next();
      await over;
      await writes.next();
      await server.close();
      const state = await rowsOf(from);
      await ended;
      expect(await rowsOf(from)).toEqual(state);
    };
    const whole = await engines.SQLite();
    await run(whole);
    await whole.close();
    const calls = disk.calls().length;
    const places = size(8, 1);
    for (let n = 0; n < places; n++) {
      const to = await engines.SQLite();
      const place = 1 + Math.round(((n + Math.random()) * calls) / places);
      const fault = n % 2 === 0 ? 'killed' : 'ENOSPC';
      disk.fail(place, fault);
      await run(to);
      disk.failed();
      if (!existsSync(pathOf(to)))
        expect([place, await moved(from, to.url)]).toMatchObject([place, { code: 0 }]);
      expect([place, fault, without(await rowsOf(to))]).toEqual([place, fault, without(await rowsOf(from))]);
      await to.close();
    }
    await from.close();
    disk.close();
  },
);

test.each(size(['SQLite', 'PostgreSQL', 'MariaDB'] as const, ['MariaDB'] as const))(
  'keeps servers from starting with a moved history in %s until it is moved back',
  async (name) => {
    const [from, to] = [await engines[name](), await engines.SQLite()];
    await (await openDatabase(from.url)).close();
    expect(await moved(from, to.url)).toMatchObject({ code: 0 });
    const fault = await findHistoryFault(placeOf(from));
    expect(fault).toMatchObject({
      because: 'data',
      message: expect.stringMatching(/ it was moved, or a move was interrupted: set CHAT_HISTORY /),
    });
    await expect(startServer(from)).rejects.toThrow(fault?.message);
    expect(
      await commandHere(move, ['--back', '--settings='], { PATH: process.env.PATH, CHAT_HISTORY: from.url }),
    ).toEqual({
      code: 0,
      said: expect.stringMatching(
        /^✓ Servers can use .* again\nErase the users again who were erased since /,
      ),
    });
    expect(await findHistoryFault(placeOf(from))).toBeUndefined();
    await (await startServer(from)).close();
    await from.close();
    await to.close();
  },
);

againInSoak('stops a server that lost its connections while its history was moved', async () => {
  const [from, to] = [await engines.PostgreSQL(), await engines.SQLite()];
  const port = Number(/(?<=:)\d+(?=\/)/.exec(from.url)?.[0]);
  const pass = (piece: Buffer, client: Socket) => client.write(piece);
  const line = await startTcpProxy(port, pass);
  const failed = Promise.withResolvers<Error>();
  const server = await openHistory(placeOf({ url: from.url.replace(`:${port}/`, `:${line.port}/`) }), {
    onFailure: failed.resolve,
  });
  await line.close();
  await moveHistory(placeOf(from), placeOf(to), { settleMs: 200 });
  const again = await startTcpProxy(port, pass, () => {}, line.port);
  expect((await failed.promise).message).toMatch(/ used it since then: restart this server$/);
  await server.close();
  await again.close();
  await from.close();
  await to.close();
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

test.each(size(['PostgreSQL', 'MariaDB'] as const, ['PostgreSQL'] as const))(
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

test.each(size(['PostgreSQL', 'MariaDB'] as const, []))(
  'does not affect a server with %s if a move is killed, and removes its triggers at the next run',
  async (name) => {
    const [from, to] = [await engines[name](), await engines.PostgreSQL()];
    await fill(from);
    const server = await startServer(from);
    const line = await startLine(to, () => {});
    const child = startMove(line.url, { CHAT_HISTORY: from.url });
    await line.reached;
    await child.stop('SIGKILL');
    await line.close();
    const writes = busyWrites(server);
    for (let n = 0; n < 10; n++) await writes.next();
    await server.close();
    expect(await from.query(tableNamed(name, 'moving_lease'))).toHaveLength(1);
    await expect.poll(async () => (await moved(from, to.url)).said).toMatch(/^✓/);
    expect(without(await rowsOf(to))).toEqual(without(await rowsOf(from)));
    expect(await from.query(tableNamed(name, 'moving_lease'))).toEqual([]);
    await from.close();
    await to.close();
  },
);

test.each(size(['PostgreSQL', 'MariaDB'] as const, ['PostgreSQL'] as const))(
  'deletes at the next start with %s what a killed move recorded, in steps, once it no longer records',
  async (name) => {
    const from = await engines[name]();
    const recorded = async () => ((await from.query('SELECT num FROM moving_changes')) as unknown[]).length;
    const server = await startServer(from);
    await record(await dialectOf(placeOf(from) as DatabaseAddress));
    await busyWrites(server).next();
    await server.close();
    const rows = Array.from({ length: 2500 }, () => `('chat_users', '["erased"]')`);
    await from.query(`INSERT INTO moving_changes (name, row_key) VALUES ${rows.join(', ')}`);
    await (await startServer(from)).close();
    expect(await recorded()).toBeGreaterThan(rows.length);
    // As if ten minutes had passed.
    await from.query('UPDATE moving_lease SET until = 0');
    const next = await startServer(from);
    await expect.poll(recorded, { timeout: 20_000 }).toBe(0);
    expect(await from.query('SELECT id FROM moving_lease')).toEqual([]);
    await next.close();
    await from.close();
  },
);

againInSoak(
  'names the setting that triggers need in MariaDB with a binary log, and leaves nothing',
  async () => {
    const server = await startMariadb(['--log-bin=log', '--server-id=1', '--binlog-format=MIXED']);
    const [from, to] = [await mariadbDatabase(server), await engines.SQLite()];
    const history = await startServer(from);
    expect(await moved(from, to.url)).toEqual({
      code: 74,
      said: expect.stringMatching(/ may not create triggers: set log_bin_trust_function_creators=1 in /),
    });
    expect(await from.query(tableNamed('MariaDB', 'moving_lease'))).toEqual([]);
    await history.close();
    await from.close();
    await to.close();
    await server.remove();
  },
);

againInSoak('leaves both histories as they were if the connection to the new database is lost', async () => {
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

test.each(size(['SQLite', 'PostgreSQL', 'MariaDB'] as const, ['SQLite'] as const))(
  'rejects a copy in %s that is read or searched in another way',
  async (name) => {
    const to = await engines[name]();
    const before = await openReads(placeOf(old));
    expect(await moved(old, to.url)).toMatchObject({ code: 0 });
    const copy = await openReads(placeOf(to));
    const changed = (query: 'newest' | 'search' | 'pins') => ({
      read: new Proxy(copy.read, {
        get: (read, op) =>
          op === query ? () => read.newest({ room: 'den', upTo: 1, limit: 1 }) : Reflect.get(read, op),
      }),
    });
    await compareSamples(before, copy, ['texts', 'odd', 'den', 'unknown']);
    for (const query of ['newest', 'search', 'pins'] as const)
      await expect(compareSamples(before, changed(query), ['texts'])).rejects.toThrow(
        /^(a search|a page of messages|the pins of a room) of the copy differs/,
      );
    await before.close();
    await copy.close();
    await to.close();
  },
);

againInSoak('leaves a usable history or none after a kill or a full disk at any call', async () => {
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
  const places = size(10, 4);
  for (let n = 0; n < places; n++) {
    const to = await engines.SQLite();
    // From the first call to the last.
    const place = 1 + Math.round((n * (calls - 1)) / (places - 1));
    const fault = n % 2 === 0 ? 'killed' : 'ENOSPC';
    disk.fail(place, fault);
    await run(to);
    // The last calls of the samples depend on the time of the search index.
    if (disk.failed() === null) expect([place, existsSync(pathOf(to))]).toEqual([place, true]);
    if (!existsSync(pathOf(to))) expect(await moved(old, to.url)).toMatchObject({ code: 0 });
    expect([place, without(await rowsOf(to))]).toEqual([place, without(oldRows)]);
    expect(await rowsOf(old)).toEqual(oldRows);
    await to.close();
  }
  disk.close();
});
