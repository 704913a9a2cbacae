import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ArrivalCursor } from '../../server/history/arrivals.ts';
import type { Renewal } from '../../server/history/engine/background.ts';
import { entriesAfter, selectOld } from '../../server/history/engine/change-log.ts';
import {
  type DatabaseConnection,
  raw,
  type ServerDialect,
  type Sql,
  SqlError,
  sql,
} from '../../server/history/engine/dialect.ts';
import { type Expiry, selectOldest } from '../../server/history/engine/expired-rows.ts';
import { follow, type Shared } from '../../server/history/engine/followed.ts';
import { connectAlone } from '../../server/history/engine/in-use.ts';
import { migrate } from '../../server/history/engine/migrations.ts';
import { restoring } from '../../server/history/engine/restoring.ts';
import { catalogues, shapeAfter } from '../../server/history/engine/shape.ts';
import { termsVersion } from '../../server/history/engine/terms.ts';
import { erasuresOf } from '../../server/history/erased-users.ts';
import { erasableOf, rowsNaming } from '../../server/history/erasure/find.ts';
import { type Change, deletedUser, type History } from '../../server/history/history.ts';
import { ownMigrations } from '../../server/history/migrations.ts';
import {
  findHistoryFault,
  type HistoryPlace,
  openDatabaseHistory,
  openHistory,
  readHistoryPlace,
} from '../../server/history/open.ts';
import { type ColumnName, type Columns, columnTypes } from '../../server/history/records/columns.ts';
import { pairsOf } from '../../server/history/records/text-keys.ts';
import { subjects, tables } from '../../server/history/subjects.ts';
import { selectSendable } from '../../server/history/webhooks.ts';

import type { RequestError } from '../../server/wire/errors.ts';
import { size, soak } from '../guarantees/size.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { chatProgram, emptyHistory, startChatServer } from '../helpers/chat-server.ts';
import { type Child, startChild } from '../helpers/child.ts';
import { carryOutErasures, erasureSteps } from '../helpers/erasures.ts';
import { everyRead, everyWrite } from '../helpers/every-call.ts';
import { hanging } from '../helpers/hanging.ts';
import { type HistoryDatabase, openDatabase } from '../helpers/history-database.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { unexpectedFailure } from '../helpers/own-history.ts';
import { expectSearches, otherTexts, searchedTexts } from '../helpers/searched-texts.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';
import { historyContract } from './history.ts';
import { expectRefusal, openTested } from './history-tested.ts';

/** The columns without a default of the tables with rows that expire, and those by which they expire. */
const columnsOfExpiring: Readonly<Record<string, Columns>> = {
  chat_active: ['user_id', 'at'],
  chat_audit: ['act', 'at'],
  chat_days: ['room', 'day', 'sent'],
  chat_devices: ['id', 'user_id', 'kind', 'sealed', 'at', 'since'],
  chat_ended_logins: ['id', 'until'],
  chat_invites: ['id', 'room', 'digest', 'by_id', 'access', 'at', 'until', 'used'],
  chat_last_here: ['user_id', 'at'],
  chat_mail_rejected: ['id', 'user_id', 'at'],
  chat_mail_replies: ['id', 'user_id', 'room_id', 'at'],
  chat_mail_stops: ['id', 'user_id', 'at'],
  chat_pushes: ['user_id', 'room_id', 'done'],
};

/**
 * Removes generated IDs and cursors from a response, and sorts its lists, because the order of some is
 * unspecified.
 */
function comparable(answer: unknown): unknown {
  const ids = /"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64})"/g;
  return JSON.parse(JSON.stringify(answer ?? null).replace(ids, '""'), (key, part: unknown) =>
    key === 'next' ? true : Array.isArray(part) ? part.map((one) => JSON.stringify(one)).sort() : part,
  );
}

/** The hash of a term, as all versions store it: see terms.ts. */
const hashOf = (word: string): number => {
  let value = 0x811c9dc5;
  for (let n = 0; n < word.length; n++) value = Math.imul(value ^ word.charCodeAt(n), 0x01000193);
  return value | 0;
};

/** A database server to test with. */
interface Engine {
  readonly port: number;
  database(): Promise<HistoryDatabase>;
  dialect(database: HistoryDatabase): ServerDialect;
  /** The steps of these statements that scan a table, sort, or read rows unnecessarily. */
  unindexed(connection: DatabaseConnection, statements: readonly Sql[]): Promise<string[]>;
  /** The round trips for storing a message. */
  readonly trips: number;
  remove(): Promise<void>;
  /** The certificate of `localhost` in PEM. */
  readonly certificate: string;
  readonly socket: string;
  /** Copies a database with the programs of the database server. */
  copy(from: HistoryDatabase, to: HistoryDatabase): void;
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Statements that give new connections other defaults than usual, and statements that undo it. */
  readonly defaults: { change: readonly string[]; undo: readonly string[] };
  /** The statement that takes the right to create tables in the database. */
  withoutRights(database: HistoryDatabase): string;
  /** Runs a statement as the administrator. */
  administer(statement: string): Promise<unknown>;
  /** Whether this reply of the server confirms a COMMIT. */
  saysCommitted(reply: Buffer, sent: Buffer): boolean;
  /** Ends all connections to a database except the caller's. */
  disconnect(database: HistoryDatabase): Promise<void>;
}

const ann = { id: '1', name: 'Ann' };
const lobby = { rooms: [{ id: 'lobby', name: 'lobby' }], at: 0 };
let n = 0;
const message = (text = 'hello', room = 'lobby', user = ann) => ({
  room,
  clientId: `c${n++}`,
  user,
  text,
  sentAt: 0,
  asMember: false,
});

/**
 * Tests a history in a database server: the contract of every history, and what only a database server can
 * get wrong.
 */
export function historyDatabaseContract(name: string, start: () => Promise<Engine>) {
  let engine: Engine;
  let database: HistoryDatabase;
  const closing: (() => unknown)[] = [];
  beforeAll(async () => {
    engine = await start();
    database = await engine.database();
    await (await openDatabase(database.url)).close();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await database.close();
    await engine.remove();
  });

  // Without soak, `every-call.ts` compares this database with SQLite instead.
  if (soak)
    historyContract(name, () =>
      openTested({
        open: () => openDatabase(database.url),
        empty: () => database.empty(),
        holding: (text) => database.holding(text),
        close() {},
      }),
    );

  /** For tests of code that hardly depends on the database server. Without soak, they run only with PostgreSQL. */
  const it: (title: string, run: () => Promise<void>) => void = size(true, name === 'PostgreSQL')
    ? test
    : () => {};

  describe(`a history in ${name}`, () => {
    async function open(
      url = database.url,
      onBatch?: (batch: { messages: number }) => void,
      shared?: Shared,
    ): Promise<History> {
      const history = await openDatabase(url, onBatch, shared);
      closing.push(() => history.close());
      return history;
    }
    /** Opens the history like a chat server, which claims it. */
    async function claimed(
      url: string,
      {
        shared,
        onFailure = unexpectedFailure,
        maxWaitMs = 0,
      }: { shared?: Shared; onFailure?: (error: Error) => void; maxWaitMs?: number } = {},
    ): Promise<History> {
      const place = readHistoryPlace(url) as HistoryPlace;
      const options = { onFailure, maxWaitMs, shared };
      const history = await openHistory(place, options);
      closing.push(() => history.close());
      return history;
    }
    const shared: Shared = { self: 'one', look: 3_600_000, onSaid() {}, onForeign() {} };
    /** Starts a connection to the database that the test can cut. */
    async function startLine(
      reply: (piece: Buffer, client: Socket) => void = (piece, client) => client.write(piece),
      onSent?: (piece: Buffer) => void,
    ) {
      let proxy = await startTcpProxy(engine.port, reply, onSent);
      const { port } = proxy;
      closing.push(() => proxy.close());
      return {
        url: database.url.replace(`:${engine.port}/`, `:${port}/`),
        cut: () => proxy.close(),
        async mend() {
          proxy = await startTcpProxy(engine.port, reply, onSent, port);
        },
      };
    }
    /** The dialect with callbacks around the statements of each connection. */
    function watched(around: {
      query?(text: string): void;
      before?(statements: readonly Sql[]): unknown;
      after?(statements: readonly Sql[]): unknown;
    }): ServerDialect {
      const dialect = engine.dialect(database);
      return {
        ...dialect,
        async connect() {
          const connection = await dialect.connect();
          return {
            async query(statement) {
              around.query?.(statement.text);
              return connection.query(statement);
            },
            queryPatiently: (statement) => connection.queryPatiently(statement),
            stream: (select) => connection.stream(select),
            async queryAll(statements) {
              await around.before?.(statements);
              const answers = await connection.queryAll(statements);
              await around.after?.(statements);
              return answers;
            },
            destroy: () => connection.destroy(),
          };
        },
      };
    }
    /** Starts a chat server while another one runs. It takes over after a kill -9 of the first. */
    async function startBesideAnother() {
      const other = await engine.database();
      const env = {
        CHAT_SESSION_STORE: 'file:///tmp',
        CHAT_HISTORY: other.url,
        CHAT_DRAIN: '0s',
        CHAT_LOG_LEVEL: 'trace',
      };
      const children: Child[] = [];
      try {
        const first = await startChatServer(env);
        children.push(first);
        const cwd = fileURLToPath(new URL('../../', import.meta.url));
        const settings = { PATH: process.env.PATH, CHAT_PORT: '0', ...env };
        const next = startChild(process.execPath, chatProgram, { cwd, env: settings });
        children.push(next);
        await next.until(/history in use by another chat server, waiting/);
        await first.stop('SIGKILL');
        await next.until(/"listening"/);
        return { said: first.output(), password: /:([^:@]+)@/.exec(other.url)?.[1] as string };
      } finally {
        for (const child of children) await child.stop('SIGKILL');
        await other.close();
      }
    }
    let waiting: ReturnType<typeof startBesideAnother>;
    let batches: number[];
    let kept: History;
    beforeAll(async () => {
      if (it === test) {
        // Runs in parallel with the other tests.
        waiting = startBesideAnother();
        waiting.catch(() => {});
      }
      kept = await openKept();
    });
    const openKept = () => openDatabase(database.url, ({ messages }) => batches.push(messages));
    afterAll(() => kept.close());
    /** Empties the history that all tests share, and creates the lobby. */
    async function empty(): Promise<History> {
      await database.empty();
      await kept.write.publicRooms(lobby);
      batches = [];
      return kept;
    }
    const all = (history: History, room: string, upTo = 10_000) =>
      history.read.changes({ room, since: 0, upTo, limit: 500 });
    const count = async (what: string) =>
      Number((await database.query(`SELECT count(*) AS n FROM ${what}`))[0]?.n);

    test('creates the tables once if servers start together on an empty database', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const histories = await Promise.all([1, 2, 3].map(() => open(fresh.url)));
      await Promise.all(histories.map((history) => history.write.publicRooms(lobby)));
      for (const history of histories) {
        expect(await history.read.publicRooms(null)).toMatchObject([{ id: 'lobby' }]);
      }
      expect(Number((await fresh.query('SELECT count(*) AS n FROM chat_digest_key'))[0]?.n)).toBe(1);
      // An erasure requested before the first message does not affect it.
      const [history] = histories as [History];
      await history.write.erase({ user: ann.id, messages: 'delete', at: 1 });
      const step = erasureSteps(history, 'one', 1);
      for (let closed = 0; closed < 2; ) if ((await step())?.kick) closed++;
      await step();
      const { message: first } = await history.write.send(message());
      while ((await step()) !== null);
      expect((await all(history, 'lobby')).messages).toEqual([first]);
    });

    it('reports the time of the last erasure of a user to an import', async () => {
      const history = await empty();
      for (const at of [7, 9]) await history.write.erase({ user: ann.id, messages: 'delete', at });
      const erasedAt = await erasuresOf(readHistoryPlace(database.url) as HistoryPlace);
      expect([ann.id, '2'].map(erasedAt)).toEqual([9, undefined]);
    });

    test('runs a migration on one of several starting servers, without a statement limit', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const dialect = engine.dialect(fresh);
      const folder = mkdtempSync(join(tmpdir(), 'migrations-'));
      closing.push(() => rmSync(folder, { recursive: true }));
      const limit = fresh.url.startsWith('mysql')
        ? '@@max_statement_time'
        : `current_setting('statement_timeout')`;
      const add = (num: string, statement: string) =>
        writeFileSync(join(folder, `${num}-next.sql`), `-- needs: 1\n${statement};`);
      const [holder, ...others] = await Promise.all([1, 2, 3].map(() => dialect.connect()));
      closing.push(() => {
        for (const one of [holder, ...others]) one?.destroy();
      });
      const progress: unknown[] = [];
      const waiting = Promise.withResolvers<void>();
      const runMigrations = (by = holder) =>
        migrate(
          by as DatabaseConnection,
          dialect,
          (is) => {
            progress.push(is);
            if (progress.length === 2) waiting.resolve();
          },
          { folder: pathToFileURL(`${folder}/`) },
        );
      add('001', 'CREATE TABLE chat_digest_key (digest VARCHAR(64))');
      await runMigrations();
      // Fails if run twice.
      add('002', `CREATE TABLE seen AS SELECT ${limit} AS was`);
      await holder?.query(dialect.tryLock);
      const migrating = others.map(runMigrations);
      await waiting.promise;
      await holder?.query(dialect.unlock);
      await Promise.all(migrating);
      expect(progress).toEqual(['waiting', 'waiting', { migration: '002-next' }]);
      expect((await fresh.query('SELECT was FROM seen')).map(({ was }) => Number(was))).toEqual([0]);
    });

    test('refuses a second server on the database unless all set CHAT_CLUSTER', async () => {
      const inUse =
        /cannot be opened: another chat server, an import or a restore is using it: stop that first, or set CHAT_CLUSTER on each/;
      // The database may keep the lock a moment longer than the connection, also that of the last test.
      const maxWaitMs = hanging;
      const alone = await claimed(database.url, { maxWaitMs });
      await expect(claimed(database.url)).rejects.toThrow(inUse);
      await expect(claimed(database.url, { shared })).rejects.toThrow(inUse);
      // Another database on the same server, because earlier connections may take a moment to end.
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const restoring = await connectAlone(engine.dialect(fresh));
      closing.push(() => restoring.destroy());
      await expect(claimed(fresh.url)).rejects.toThrow(inUse);
      await expect(claimed(fresh.url, { shared })).rejects.toThrow(inUse);
      await alone.close();
      const together = [
        await claimed(database.url, { shared, maxWaitMs }),
        await claimed(database.url, { shared }),
      ];
      for (const history of together) {
        await expect(claimed(database.url)).rejects.toThrow(inUse);
        await history.close();
      }
      await (await claimed(database.url, { maxWaitMs })).close();
    });

    test('lets a restore wait for a server that is shutting down', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const ending = await claimed(fresh.url);
      const dialect = engine.dialect(fresh);
      const counted = Promise.withResolvers<void>();
      const restoring = connectAlone({
        ...dialect,
        async connect() {
          const connection = await dialect.connect();
          const query = connection.query.bind(connection);
          connection.query = async (statement) => {
            const rows = await query(statement);
            if (statement.text.includes('count(*)')) counted.resolve();
            return rows;
          };
          return connection;
        },
      });
      await counted.promise;
      await ending.close();
      (await restoring).destroy();
    });

    it('continues after a lost connection unless another server claimed the database', async () => {
      let lockQueries = 0;
      const line = await startLine(undefined, (piece) => {
        if (/try_advisory_lock|IS_USED_LOCK/.test(piece.toString('latin1'))) lockQueries++;
      });
      const failed = Promise.withResolvers<Error>();
      // The database may need a moment to notice that the last test closed its history.
      await claimed(line.url, { onFailure: failed.resolve, maxWaitMs: hanging });
      await line.cut();
      await line.mend();
      lockQueries = 0;
      // The second query follows the response to the first.
      await expect.poll(() => lockQueries).toBeGreaterThan(1);
      await expect(claimed(database.url)).rejects.toThrow(
        /another chat server, an import or a restore is using it/,
      );
      await line.cut();
      await expect.poll(() => claimed(database.url).catch(() => null)).not.toBe(null);
      await line.mend();
      expect((await failed.promise).message).toMatch(/lost the connection to .*, and another chat server/);
    });

    test.each(['alone', 'one of several'])(
      'fails after a lost connection if another server used the database alone (server: %s)',
      async (how) => {
        const line = await startLine();
        const failed = Promise.withResolvers<Error>();
        // The database may need a moment to notice that the last test closed its histories.
        const maxWaitMs = hanging;
        await claimed(line.url, {
          ...{ onFailure: failed.resolve, maxWaitMs },
          ...(how === 'alone' ? {} : { shared }),
        });
        await line.cut();
        const other = await claimed(database.url, { maxWaitMs });
        await other.close();
        await line.mend();
        expect((await failed.promise).message).toMatch(
          /lost the connection to .*, and another chat server, an import or a restore used it since then/,
        );
      },
    );

    it('reruns a migration that a killed server ran without recording it', async () => {
      const { message: sent } = await (await empty()).write.send(message());
      await database.query('DELETE FROM chat_migrations');
      expect((await all(await open(), 'lobby')).messages).toEqual([sent]);
    });

    it('needs few round trips to store a message or remove many reactions', async () => {
      await empty();
      let trips = 0;
      let waits = false;
      const { url } = await startLine(
        (piece, client) => {
          waits = false;
          client.write(piece);
        },
        () => {
          if (!waits) trips++;
          waits = true;
        },
      );
      const history = await open(url);
      await history.write.send(message());
      trips = 0;
      for (let sent = 0; sent < 20; sent++) await history.write.send(message());
      expect(trips / 20).toBeCloseTo(engine.trips, 0);
      const users = Array.from({ length: 520 }, (_, i) => ({ id: `u${i}`, name: `User ${i}` }));
      await Promise.all(users.map((user) => history.write.join({ room: 'lobby', user, at: 0 })));
      const react = (some: readonly (typeof ann)[], on: boolean) => {
        const reactions = some.map(({ id }) => ({ user: id, emoji: '👍', on }));
        return history.write.react({ room: 'lobby', seq: 1, reactions });
      };
      await react(users, true);
      trips = 0;
      // Each removed user was named in the message, so another user is named instead.
      const { message: left } = await react(users.slice(0, 505), false);
      expect(trips).toBeLessThan(4 * engine.trips);
      const named = users.slice(505, 515).map(({ id }) => id);
      expect(left.reactions).toEqual([{ emoji: '👍', count: 15, users: named }]);
    });

    test('numbers messages without gaps while two servers write to the same rooms', async () => {
      const first = await empty();
      const rooms = ['a', 'b', 'c', 'd'].map((id) => ({ id, name: id }));
      await first.write.publicRooms({ rooms, at: 0 });
      const histories = [first, await open()];
      const changes = histories.map((history) => {
        const own: Change[] = [];
        history.onChange((change) => own.push(change));
        return own;
      });
      const users = Array.from({ length: 8 }, (_, i) => ({ id: `u${i}`, name: `User ${i}` }));
      await Promise.all(
        Array.from({ length: size(400, 120) }, async (_, i) => {
          // The delay splits the messages into many transactions.
          for (let turn = 0; turn < i; turn += 8) await new Promise(setImmediate);
          const history = histories[i % 2] as History;
          const user = users[i % 8] as typeof ann;
          const room = rooms[i % 3]?.id as string;
          if (i % 10 === 0) await history.write.join({ room, user, at: i });
          await history.write.send(message('hello', room, user));
        }),
      );
      for (const { id } of rooms.slice(0, 3)) {
        const { messages } = await all(first, id);
        expect(messages.map(({ rev }) => rev)).toEqual(messages.map((_, i) => i + 1));
        for (const own of changes) {
          const revs = own.flatMap((one) =>
            one.type === 'message' && one.message.room === id ? one.message.rev : [],
          );
          expect(revs).toEqual(revs.toSorted((a, b) => a - b));
        }
      }
      expect(await count('chat_messages')).toBe(size(400, 120));
    });

    test('undoes all statements of a transaction if one fails', async () => {
      await database.empty();
      const connection = await engine.dialect(database).connect();
      closing.push(() => connection.destroy());
      const insert = (id: string, num: number) =>
        sql`INSERT INTO chat_writers (id, num, since) VALUES (${id}, ${num}, 0)`;
      const failed = connection.queryAll([
        raw('BEGIN'),
        insert('a', 1),
        insert('a', 2),
        insert('b', 3),
        raw('COMMIT'),
      ]);
      await expect(failed).rejects.toMatchObject({ problem: 'again' });
      await connection.query(raw('ROLLBACK'));
      expect(await count('chat_writers')).toBe(0);
      const all = [raw('BEGIN'), insert('a', 1), raw('SELECT num FROM chat_writers'), raw('COMMIT')];
      expect((await connection.queryAll(all))[2]).toEqual([{ num: 1 }]);
      expect(await count('chat_writers')).toBe(1);
    });

    test('stores one message for the same clientId sent through two servers at once', async () => {
      const histories = [await empty(), await open()];
      const sent = Array.from({ length: 50 }, () => message());
      const answers = await Promise.all(
        histories.map((history) => Promise.all(sent.map((one) => history.write.send(one)))),
      );
      expect(answers[0]?.map((one) => one.message)).toEqual(answers[1]?.map((one) => one.message));
      expect(await count('chat_messages')).toBe(50);
    });

    test('assigns each due mail and push to one of two servers', async () => {
      const histories = [await empty(), await open()];
      const { write } = histories[0] as History;
      const users = Array.from({ length: 20 }, (_, n) => `away${n}`).sort();
      for (const id of users) await write.arrive({ user: { id, name: id }, at: 0 });
      const consumer = { name: 'notify', by: 'me', types: ['message'], lease: 60_000, most: 9 } as const;
      const taken = await write.consume(consumer);
      const pushes = users.map((user) => ({ user, room: 'den' }));
      const concerned = { users, rooms: [], due: 1, roomsDue: 1, pushes, pushDue: 1 };
      const done = 'upTo' in taken ? taken.upTo : 0;
      await write.consume({ ...consumer, done, rows: { concerned } });
      const claim = { at: 1, until: 60_000, most: 2 };
      const claims = { users: [] as string[], pushes: [] as string[] };
      for (let left = 1; left > 0; ) {
        const due = await Promise.all(histories.map(({ write }) => write.claimDueUsers(claim)));
        const push = await Promise.all(
          histories.map(({ write }) => write.claimPushes({ ...claim, before: 0 })),
        );
        claims.users.push(...due.flatMap((one) => one.users.map(({ user }) => user)));
        claims.pushes.push(...push.flatMap((one) => one.pushes.map(({ user }) => user)));
        left = due.flatMap((one) => one.users).length + push.flatMap((one) => one.pushes).length;
      }
      expect(claims.users.sort()).toEqual(users);
      expect(claims.pushes.sort()).toEqual(users);
    });

    test.each(['alone', 'one of several'])(
      'stores a message once if the response to a COMMIT is lost (server: %s)',
      async (how) => {
        const history = await empty();
        const lost = { commits: 0 };
        let sent: Buffer = Buffer.alloc(0);
        const { url } = await startLine(
          (piece, client) => {
            if (lost.commits > 0 && engine.saysCommitted(piece, sent)) {
              lost.commits--;
              client.destroy();
            } else client.write(piece);
          },
          (piece) => {
            sent = piece;
          },
        );
        const cut = await open(url, undefined, how === 'alone' ? undefined : { ...shared, look: 1000 });
        const changes: Change[] = [];
        cut.onChange((change) => changes.push(change));
        await cut.write.send(message('before'));
        lost.commits = 1;
        const { message: stored, repeated } = await cut.write.send(message('once'));
        expect(lost.commits).toBe(0);
        expect(repeated).toBe(false);
        expect((await all(history, 'lobby')).messages).toMatchObject([{ text: 'before' }, stored]);
        expect(changes.filter(({ type }) => type === 'message')).toHaveLength(2);
      },
    );

    it('rejects current() if the database disappears before the response to a COMMIT', async () => {
      await empty();
      const gone = Promise.withResolvers<void>();
      let isLast = false;
      let sent: Buffer = Buffer.alloc(0);
      const line = await startLine(
        (piece, client) => {
          if (isLast && engine.saysCommitted(piece, sent)) gone.resolve(line.cut());
          else client.write(piece);
        },
        (piece) => {
          sent = piece;
        },
      );
      const cut = await open(line.url);
      await cut.write.send(message('before'));
      isLast = true;
      const sending = cut.write.send(message('unsure'));
      await gone.promise;
      await expectRefusal(cut.current(), 'storage_unavailable');
      isLast = false;
      await line.mend();
      expect(await sending).toMatchObject({ message: { seq: 2 }, repeated: false });
      await cut.current();
    });

    it('rejects requests with storage_unavailable until the database is back', async () => {
      await empty();
      const line = await startLine();
      const history = await open(line.url);
      await history.write.send(message('before'));
      await line.cut();
      const lost = message('lost');
      const refused = { code: 'storage_unavailable' };
      await Promise.all([
        expect(history.write.send(lost)).rejects.toMatchObject(refused),
        expect(history.read.room({ room: 'lobby' })).rejects.toMatchObject(refused),
        expect(
          history.read.search({ query: 'x', rooms: [], everyPublic: true, limit: 1 }),
        ).rejects.toMatchObject(refused),
      ]);
      await line.mend();
      expect(await history.write.send(lost)).toMatchObject({ message: { seq: 2 }, repeated: false });
      expect((await all(history, 'lobby')).messages).toHaveLength(2);
    });

    it('finds current texts with and without the search index', async () => {
      const history = await empty();
      await history.write.join({ room: 'lobby', user: ann, at: 0 });
      const text = (i: number) => (i % 50 === 0 ? `Nadel 针${i}` : `hay ${i}`);
      for (let i = 1; i <= 400; i++) {
        const sent = history.write.send(message(text(i)));
        if (i % 100 === 0) await sent;
      }
      const search = async (query: string) => {
        const found: string[] = [];
        let from: string | undefined;
        do {
          const page = await history.read.search({
            query,
            rooms: ['lobby'],
            everyPublic: false,
            limit: 3,
            from,
          });
          found.push(...page.messages.map((one) => one.text));
          from = page.next;
        } while (from !== undefined);
        return found;
      };
      const needles = [400, 350, 300, 250, 200, 150, 100, 50].map(text);
      expect(await search('nadel')).toEqual(needles);
      await expect.poll(() => count('chat_blocks')).toBe(3);
      expect(await search('nadel')).toEqual(needles);
      expect(await search('针3')).toEqual([text(350), text(300)]);
      expect(await search('针')).toEqual(needles);
      expect(await search('nadeln')).toEqual([]);
      const at = { room: 'lobby', user: ann.id, at: 0 };
      await history.write.edit({ ...at, seq: 50, text: 'nadeln' });
      await history.write.delete({ ...at, seq: 100, moderator: false });
      const left = [...needles.slice(0, 6), 'nadeln'];
      expect(await search('nadel')).toEqual(left);
      await expect.poll(() => count('chat_blocks WHERE stale = 1')).toBe(0);
      expect(await search('nadel')).toEqual(left);
      expect(await search('nadeln')).toEqual(['nadeln']);
      // Rows deleted manually by an operator do not block indexing.
      await database.query('DELETE FROM chat_messages WHERE seq = 390');
      await Promise.all(Array.from({ length: 250 }, () => history.write.send(message('more'))));
      await expect.poll(() => count('chat_blocks')).toBe(5);
      expect(await search('nadel')).toEqual(left);
      await history.write.deleteRoom({ room: 'lobby' });
      await expect.poll(() => count('chat_terms')).toBe(0);
      await expect.poll(() => count('chat_rooms')).toBe(0);
    });

    againInSoak(
      'finds folded texts, also while the index and the keys of an earlier version are renewed',
      async () => {
        const history = await empty();
        await history.write.join({ room: 'lobby', user: ann, at: 0 });
        const texts = [...searchedTexts, ...otherTexts].map(([text]) => text);
        const fill = Array.from({ length: 2 * 128 - texts.length }, (_, i) => `hay ${i}`);
        await Promise.all([...texts, ...fill].map((text) => history.write.send(message(text))));
        const jose = { id: 'j', name: 'José' };
        await history.write.arrive({ user: jose, at: 0 });
        // Folding lengthens this name beyond what databases index.
        const long = { id: 'long', name: '\ufdfa'.repeat(64) };
        await history.write.arrive({ user: long, at: 0 });
        await history.write.putRoom({ id: 'den', kind: 'private', name: 'den', at: 0 });
        const people = { room: 'den', users: [jose, long], source: 'api' as const, mayReturn: true, at: 0 };
        await history.write.addMembers(people);
        for (const [id, name] of ['Zoë', 'Zoey', 'Zoë Zoëlle', 'Zola'].entries())
          await history.write.arrive({ user: { id: `z${id}`, name }, at: 0 });
        /** The users in the moderators' list, in pages of one. */
        const findArrivals = async (query: string) => {
          const found: string[] = [];
          let after: ArrivalCursor | undefined;
          do {
            const page = await history.read.arrivals({ query, limit: 1, ...(after && { after }) });
            found.push(...page.users.map(({ id }) => id));
            after = page.next;
          } while (after !== undefined);
          return found;
        };
        const finds = () => expectSearches(history, 'lobby');
        const findUsers = async (query: string) =>
          (await history.read.findUsers({ user: 'x', query, onlyShared: false, limit: 9 })).map(
            ({ id }) => id,
          );
        await finds();
        expect(await findUsers('\ufdfa'.repeat(60))).toEqual(['long']);
        await expect.poll(() => count(`chat_blocks WHERE folding = ${termsVersion}`)).toBe(2);
        await finds();
        // A newer version has written these blocks. They are neither used nor overwritten.
        await database.query('UPDATE chat_blocks SET folding = 99');
        await database.query('DELETE FROM chat_terms');
        await finds();
        await Promise.all(Array.from({ length: 128 }, (_, i) => history.write.send(message(`more ${i}`))));
        await expect.poll(() => count('chat_blocks')).toBe(3);
        expect(await count('chat_blocks WHERE folding = 99')).toBe(2);
        // What an earlier version stored: the terms of the texts in small letters, and keys with accents.
        const terms = new Set(texts.flatMap((text) => pairsOf(text.toLowerCase()).map(hashOf)));
        for (const term of terms)
          await database.query(
            `INSERT INTO chat_terms (room, term, block) SELECT num, ${term}, 0 FROM chat_rooms WHERE id = 'lobby'`,
          );
        await database.query(`UPDATE chat_user_keys SET find_key = 'josé' WHERE find_key = 'jose'`);
        await database.query(`UPDATE chat_members SET sort = 'josé' WHERE user_id = 'j'`);
        for (const key of ['zoe', 'zoe zoelle', 'zoelle'])
          await database.query(
            `UPDATE chat_user_keys SET find_key = '${key.replaceAll('zoe', 'zoë')}' WHERE find_key = '${key}'`,
          );
        for (const table of ['chat_blocks', 'chat_users'])
          await database.query(`UPDATE ${table} SET folding = 0`);
        await finds();
        expect(await findUsers('José')).toEqual(['j']);
        expect(await findArrivals('Zoë')).toEqual(['z1', 'z0', 'z2']);
        const renewals: Renewal[] = [];
        const other = await openDatabase(database.url, undefined, undefined, (is) => renewals.push(is));
        closing.push(() => other.close());
        const users = await count('chat_users WHERE folding = 0');
        const most = { most: users + 1 };
        const renewed = await Promise.all([history, other].map(({ write }) => write.renewKeys(most)));
        expect(renewed).toContainEqual({ users });
        expect(await history.write.renewKeys(most)).toEqual({ users: 0 });
        expect([await findUsers('jose'), await findUsers('José')]).toEqual([['j'], ['j']]);
        expect(await findArrivals('Zoë')).toEqual(['z0', 'z2', 'z1']);
        expect(await count(`chat_members WHERE user_id = 'j' AND sort = 'jose'`)).toBe(1);
        await expect.poll(() => renewals).toEqual(['begins', 'ends']);
        expect(await count('chat_blocks WHERE folding = 0')).toBe(0);
        await finds();
        // Another server renames a user while this one renews the keys.
        await database.query(`UPDATE chat_users SET folding = 0`);
        await database.query('BEGIN');
        await database.query(`UPDATE chat_users SET name = 'Pepe' WHERE id = 'j'`);
        const renewing = history.write.renewKeys(most);
        const waiting =
          engine.dialect(database).name === 'PostgreSQL'
            ? `pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
            : `information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'`;
        // MariaDB does not update this table if it was read less than 0.1 s ago.
        await expect.poll(() => count(waiting), { interval: 200 }).toBe(1);
        await database.query('COMMIT');
        expect(await renewing).toEqual({ users });
        expect(await history.read.users({ ids: ['j'] })).toMatchObject([{ name: 'Pepe' }]);
        // No term of a deleted text is left, not even of the earlier version.
        const at = { room: 'lobby', user: ann.id, at: 0, moderator: true };
        await Promise.all(
          Array.from({ length: 2 * 128 }, (_, i) => history.write.delete({ ...at, seq: i + 1 })),
        );
        await expect.poll(() => count('chat_blocks WHERE stale = 1')).toBe(0);
        expect(await count('chat_terms WHERE block < 2')).toBe(0);
      },
    );

    it('checks only messages near those that have all pairs of the query', async () => {
      const history = await empty();
      // Each block has all pairs of the query, but no message has them except one.
      const kinds = ['a'.repeat(3900), 'b'.repeat(3900), 'cab'].flatMap((text) => Array(4).fill(text));
      const texts = Array.from({ length: 15 * 128 }, (_, n) =>
        n === 300 ? 'aabb' : kinds[n % kinds.length],
      );
      await Promise.all(texts.map((text) => history.write.send(message(text))));
      await expect.poll(() => count('chat_blocks')).toBe(15);
      const page = await history.read.search({
        query: 'aabb',
        rooms: ['lobby'],
        everyPublic: false,
        limit: 9,
      });
      expect(page).toMatchObject({ messages: [{ text: 'aabb' }], next: undefined });
    });

    it('ends a search page early after long texts', async () => {
      const history = await empty();
      // Each text contains all pairs of the query, but not the query.
      const text = `ba${'a'.repeat(3900)}b`;
      await Promise.all(Array.from({ length: 1100 }, () => history.write.send(message(text))));
      const input = { query: `${'a'.repeat(98)}ba`, rooms: ['lobby'], everyPublic: false, limit: 9 };
      const page = await history.read.search(input);
      expect(page).toEqual({ messages: [], next: expect.any(String) });
      expect(await history.read.search({ ...input, from: page.next as string })).toEqual({ messages: [] });
    });

    it('removes deleted and edited texts and deleted rooms from all tables', async () => {
      const history = await empty();
      await history.write.join({ room: 'lobby', user: ann, at: 0 });
      await history.write.putRoom({ id: 'den', kind: 'private', name: 'Wm4kZ-room', at: 0 });
      const [deleted, edited, gone] = ['Wm4kZ-deleted', 'Wm4kZ-edited', 'Wm4kZ-gone'];
      const people = { room: 'den', users: [ann], source: 'api' as const, mayReturn: true, at: 0 };
      await history.write.addMembers(people);
      const mentions = [{ user: ann.id, start: 0, length: 1 }];
      for (const one of [message(deleted), message(edited), message(gone, 'den')]) {
        await history.write.send({ ...one, mentions });
      }
      const reactions = [{ user: ann.id, emoji: '👍', on: true }];
      for (const room of ['lobby', 'den']) await history.write.react({ room, seq: 1, reactions });
      expect(await count('chat_reactions')).toBe(2);
      expect(await count('chat_mentions')).toBe(3);
      expect(await database.holding('Wm4kZ')).toEqual(['chat_messages', 'chat_rooms']);
      const at = { room: 'lobby', user: ann.id, at: 0 };
      await history.write.delete({ ...at, seq: 1, moderator: false });
      await history.write.edit({ ...at, seq: 2, text: 'other' });
      expect(await database.holding('Wm4kZ-deleted')).toEqual([]);
      expect(await database.holding('Wm4kZ-edited')).toEqual([]);
      expect(await count('chat_reactions')).toBe(1);
      expect(await count('chat_mentions')).toBe(1);
      await history.write.deleteRoom({ room: 'den' });
      await expect.poll(() => database.holding('Wm4kZ')).toEqual([]);
      expect(await count('chat_reactions')).toBe(0);
      expect(await count('chat_mentions')).toBe(0);
    });

    /** Opens another history on the database. @param onQuery called before each statement that is sent alone */
    async function openBeside(
      onQuery: (text: string) => void,
      onDelay: (error: Error) => void = unexpectedFailure,
    ): Promise<void> {
      const settings = { onFailure: unexpectedFailure, onDelay };
      const history = await openDatabaseHistory(watched({ query: onQuery }), settings);
      closing.push(() => history.close());
    }
    /** Leaves the database like a server that was killed right after deleting the room. */
    const leave = () => database.query(`UPDATE chat_rooms SET id = 'gone/1'`);

    it('removes the texts that a killed server left in a deleted room within a minute', async () => {
      const killed = await open();
      await empty();
      await killed.write.send(message('Wm4kZ-left'));
      await killed.close();
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      closing.push(() => vi.useRealTimers());
      // Waits until the server has no more work.
      const round = new Set(['WHERE expiring = 1', 'WHERE stale = 1']);
      await openBeside((text) => {
        for (const part of round) if (text.includes(part)) round.delete(part);
      });
      await vi.waitUntil(() => round.size === 0, { timeout: hanging });
      await leave();
      vi.advanceTimersByTime(60_000);
      await expect.poll(() => database.holding('Wm4kZ')).toEqual([]);
    });

    it('removes the texts of a deleted room even if the search index fails', async () => {
      const killed = await open();
      await empty();
      await killed.write.send(message('Wm4kZ-left'));
      await killed.close();
      await leave();
      const delayed = Promise.withResolvers<Error>();
      await openBeside((text) => {
        if (text.includes('WHERE stale = 1')) throw new SqlError('refused', 'no index');
      }, delayed.resolve);
      expect((await delayed.promise).message).toBe('no index');
      await expect.poll(() => database.holding('Wm4kZ')).toEqual([]);
    });

    it('checks all rooms once for texts to index, also after a failure', async () => {
      const { write } = await empty();
      // More rooms than one page. The last one has several blocks.
      const rooms = Array.from({ length: 1001 }, (_, n) => `den${n}`);
      await Promise.all(rooms.map((id) => write.putRoom({ id, kind: 'private', name: id, at: 0 })));
      const last = rooms.at(-1) as string;
      await Promise.all(Array.from({ length: 6 * 128 }, () => write.send(message('hay', last))));
      await expect.poll(() => count('chat_blocks')).toBe(6);
      // Its own background work would index them.
      await kept.close();
      closing.push(async () => {
        kept = await openKept();
      });
      for (const table of ['chat_blocks', 'chat_terms']) await database.query(`DELETE FROM ${table}`);
      let ofAll = 0;
      let ofSome = 0;
      await openBeside((text) => {
        if (!/last_block.* FROM chat_rooms/s.test(text)) return;
        // The statement names the rooms, or not.
        if (!/\bid (IN|= ANY)/.test(text)) ofAll++;
        else if (++ofSome === 3) throw new SqlError('refused', 'down for a moment');
      });
      await expect.poll(() => count('chat_blocks'), { timeout: hanging }).toBe(6);
      expect(ofAll).toBe(2);
    });

    test('returns the same results as SQLite for each kind of call', async () => {
      const folder = await emptyHistory();
      closing.push(() => folder.remove());
      await database.empty();
      const both = [await open(), await open(folder.url)] as const;
      const call = async (how: 'write' | 'read', op: string, input: unknown) => {
        const [own, other] = await Promise.all(
          both.map((history) =>
            // `op` and `input` match.
            (history[how] as History['write'])
              [op as 'join'](input as never)
              .catch(({ code }: RequestError) => ({ code })),
          ),
        );
        expect(comparable(own), `${op} ${JSON.stringify(input)}`).toEqual(comparable(other));
      };
      for (const [op, inputs] of Object.entries(everyWrite))
        for (const input of inputs) await call('write', op, input);
      for (const [op, inputs] of Object.entries(everyRead))
        for (const input of inputs) await call('read', op, input);
      for (const query of ['all', 'ÁLL', 'N', '@', 'nothing'])
        await call('read', 'search', { query, rooms: ['den'], everyPublic: true, limit: 9 });
    });

    test('distinguishes user IDs that differ in case, a trailing space or an accent', async () => {
      const { write, read } = await empty();
      for (const id of ['Bob', 'bob', 'bob ', 'Bób'])
        await write.send({ ...message('hello', 'lobby', { id, name: id }), clientId: 'same' });
      expect(await read.room({ room: 'lobby' })).toMatchObject({ lastSeq: 4 });
      const found = await read.findUsers({ user: 'x', query: 'bob', onlyShared: false, limit: 9 });
      expect(found.map(({ id }) => id)).toEqual(['Bob', 'bob', 'bob ', 'Bób']);
    });

    it('rejects tables that a newer version changed incompatibly', async () => {
      await database.query("INSERT INTO chat_migrations (num, needs, fingerprint) VALUES (99, 98, '')");
      try {
        await expect(open()).rejects.toThrow(
          /written by a newer version \(format 98, this version knows \d+\)/,
        );
        await database.query('UPDATE chat_migrations SET needs = 1 WHERE num = 99');
        await open();
      } finally {
        await database.query('DELETE FROM chat_migrations WHERE num = 99');
      }
    });

    test('rejects tables of another build, also while a server runs', async () => {
      const place = readHistoryPlace(database.url) as HistoryPlace;
      const history = await open();
      expect(await findHistoryFault(place)).toBeUndefined();
      expect(await history.read.hasKnownTables(null)).toBe(true);
      const [{ num, fingerprint } = {}] = await database.query(
        'SELECT num, fingerprint FROM chat_migrations ORDER BY num DESC',
      );
      await database.query(`UPDATE chat_migrations SET fingerprint = 'old' WHERE num = ${num}`);
      try {
        const fault = await findHistoryFault(place);
        expect(fault).toMatchObject({
          because: 'data',
          message: expect.stringContaining('its tables are from another'),
        });
        await expect(open()).rejects.toThrow(/its tables are from another build: install that build/);
        expect(await history.read.hasKnownTables(null)).toBe(false);
      } finally {
        await database.query(`UPDATE chat_migrations SET fingerprint = '${fingerprint}' WHERE num = ${num}`);
      }
    });

    test('rejects tables that lack a column or an index, also while a server runs', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const place = readHistoryPlace(fresh.url) as HistoryPlace;
      const history = await open(fresh.url);
      const index = 'chat_members_by_id';
      const on = engine.dialect(fresh).name === 'MariaDB' ? ' ON chat_members' : '';
      for (const [statement, reason] of [
        [`DROP INDEX ${index}${on}`, `the index ${index} is missing`],
        ['ALTER TABLE chat_rooms DROP COLUMN tile_picture', 'the column chat_rooms.tile_picture is missing'],
      ] as const) {
        expect(await history.read.hasWholeTables(null)).toBe(true);
        await fresh.query(statement);
        expect(await findHistoryFault(place)).toMatchObject({
          because: 'data',
          message: expect.stringContaining(reason),
        });
        await expect(open(fresh.url)).rejects.toThrow(reason);
        expect(await history.read.hasWholeTables(null)).toBe(false);
        const [, remedy] = /create it by: (.*)$/.exec((await findHistoryFault(place))?.message ?? '') ?? [];
        if (remedy !== undefined) await fresh.query(remedy);
      }
    });

    test('knows every column of the tables that its migrations make', async () => {
      const { name } = engine.dialect(database);
      const rows = await database.query(catalogues[name].text);
      const own = rows.filter((row) => row.field !== null && /^chat_(?!migrations)/.test(String(row.name)));
      const { columns } = shapeAfter(ownMigrations(name));
      expect(own.map((row) => `${row.name}.${row.field}`).sort()).toEqual([...columns].sort());
    });

    test('rejects a database in which another program has tables with these names', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      await fresh.query('CREATE TABLE chat_users (id INT PRIMARY KEY)');
      const inUse = /another program uses the table chat_users in this database/;
      await expect(open(fresh.url)).rejects.toThrow(inUse);
      expect((await findHistoryFault(readHistoryPlace(fresh.url) as HistoryPlace))?.message).toMatch(inUse);
      await expect(restoring(engine.dialect(fresh), openDatabaseHistory)).rejects.toThrow(inUse);
    });

    test('tries in an empty database what a server does at its start, and leaves no table', async () => {
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const place = readHistoryPlace(fresh.url) as HistoryPlace;
      const schema = fresh.url.startsWith('mysql') ? 'DATABASE()' : 'current_schema()';
      const tablesIn = async () =>
        (await fresh.query(`SELECT 1 FROM information_schema.tables WHERE table_schema = ${schema}`)).length;
      expect(await findHistoryFault(place)).toBeUndefined();
      expect(await tablesIn()).toBe(0);
      await engine.administer(engine.withoutRights(fresh));
      expect(await findHistoryFault(place)).toMatchObject({
        because: 'configuration',
        message: expect.stringContaining('the user lacks a privilege'),
      });
      expect(await tablesIn()).toBe(0);
    });

    it('does not log the password while waiting for the history', async () => {
      const { said, password } = await waiting;
      expect(said).toContain('CHAT_HISTORY');
      for (const form of [password, decodeURIComponent(password)]) expect(said).not.toContain(form);
    });

    againInSoak('loses and duplicates no message while the database hangs', async () => {
      await database.empty();
      const memcached = await startMemcached();
      closing.push(() => memcached.stop());
      await memcached.set('sessions/u1', '{"user_id":1}');
      const server = await chatServerHere({ CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: database.url });
      closing.push(() => server.stop());
      const ann = await connectChat(server.url, 'PHPSESSID=u1');
      closing.push(() => ann.close());
      await ann.request('room:join', { room: 'lobby' });
      const ready = async () => {
        const answer = await fetch(`${server.url}/readyz`);
        return [answer.status, ((await answer.json()) as { missing?: string[] }).missing];
      };
      expect(await ready()).toEqual([200, undefined]);
      const sent = Array.from({ length: 20 }, () => ({
        room: 'lobby',
        text: 'hello',
        clientId: newClientId(),
      }));
      // Some may already be on their way to the disk.
      const sending = sent.map((one) => ann.raw('message:send', one));
      engine.signal('SIGSTOP');
      const answers = await Promise.all([
        ...sending,
        ann.raw('message:history', { room: 'lobby' }),
        ann.raw('message:search', { query: 'hello' }),
      ]);
      for (const answer of answers) if (!answer.ok) expect(answer.error.code).toBe('storage_unavailable');
      expect(answers.at(-1)).toMatchObject({ ok: false });
      expect(await ready()).toEqual([503, ['history']]);
      engine.signal('SIGCONT');
      await expect.poll(ready, { interval: 200 }).toEqual([200, undefined]);
      // The writing connection may be lost later than the one that readiness checks, so the client sends
      // again.
      for (const one of sent)
        await expect.poll(() => ann.raw('message:send', one)).toMatchObject({ ok: true });
      const { messages } = await ann.request('message:history', { room: 'lobby' });
      expect(messages.map(({ seq }) => seq)).toEqual(sent.map((_, i) => i + 1));
      expect(messages.map(({ clientId }) => clientId).sort()).toEqual(sent.map((one) => one.clientId).sort());
    });

    // backup-databases.test.ts shows it of the backups of the chat.
    againInSoak('restores a complete history from a dump into a database with another name', async () => {
      const history = await empty();
      const sent = message('before');
      const { message: stored } = await history.write.send(sent);
      const restored = await engine.database();
      closing.push(() => restored.close());
      engine.copy(database, restored);
      const copy = await open(restored.url);
      expect(await copy.write.send(sent)).toEqual({ message: stored, repeated: true });
      await copy.write.send(message('after'));
      const found = await copy.read.search({ query: 'fo', rooms: ['lobby'], everyPublic: false, limit: 5 });
      expect(found.messages).toEqual([stored]);
      expect((await all(copy, 'lobby')).messages.map(({ seq }) => seq)).toEqual([1, 2]);
    });

    againInSoak('stores and finds the same if the database gives connections unusual defaults', async () => {
      for (const statement of engine.defaults.change) await engine.administer(statement);
      closing.push(async () => {
        for (const statement of engine.defaults.undo) await engine.administer(statement);
      });
      const fresh = await engine.database();
      closing.push(() => fresh.close());
      const history = await open(fresh.url);
      await history.write.publicRooms(lobby);
      // The names of the mentioned users exceed a small limit of GROUP_CONCAT.
      const users = Array.from({ length: 20 }, (_, n) => ({
        id: `${n} 😀 \\'`,
        name: `${n} ${'😀'.repeat(50)}`,
      }));
      for (const user of users) await history.write.send(message('hi 😀 e\u0301 \\', 'lobby', user));
      const mentions = users.map(({ id }, n) => ({ user: id, start: n, length: 1 }));
      const text = '😀'.repeat(10_000);
      await history.write.send({ ...message(text), mentions });
      const { messages } = await all(history, 'lobby');
      expect(messages.map((one) => one.text)).toEqual([...users.map(() => 'hi 😀 e\u0301 \\'), text]);
      expect(messages.map(({ user }) => user)).toEqual([...users, ann]);
      expect(messages.at(-1)?.mentions).toEqual(
        users.map(({ id, name }, n) => ({ user: id, start: n, length: 1, name, shown: true })),
      );
    });

    test('refuses to start if texts come back changed', async () => {
      const dialect = engine.dialect(database);
      const lossy: ServerDialect = {
        ...dialect,
        async connect() {
          const connection = await dialect.connect();
          return {
            ...connection,
            query: async (statement) =>
              JSON.parse(JSON.stringify(await connection.query(statement)).replaceAll('😀', '?')),
            queryPatiently: (statement) => connection.queryPatiently(statement),
            stream: (select) => connection.stream(select),
            queryAll: (statements) => connection.queryAll(statements),
            destroy: () => connection.destroy(),
          };
        },
      };
      await expect(openDatabaseHistory(lossy, { onFailure: unexpectedFailure })).rejects.toThrow(
        /texts come back changed, such as "hi 😀": .* another character set/,
      );
      expect(await count('chat_vapid_keys')).toBe(0);
    });

    it('starts while the disk is full, so that users can read', async () => {
      const full = watched({
        query(text) {
          if (text.startsWith('INSERT INTO chat_vapid_keys')) throw new SqlError('full', 'the disk is full');
        },
      });
      const history = await openDatabaseHistory(full, { onFailure: unexpectedFailure });
      closing.push(() => history.close());
      expect(await history.read.hasKnownTables(null)).toBe(true);
    });

    test('connects over TLS with a verified certificate, and over a Unix socket', async () => {
      await empty();
      const secured = `${database.url.replace('127.0.0.1', 'localhost')}?tls=on`;
      const byTls = await open(`${secured}&ca=${engine.certificate}`);
      await byTls.write.send(message());
      await expect(openDatabase(secured)).rejects.toThrow(/TLS failed: the certificate/);
      const bySocket = await open(`${database.url.replace(/@[^/]*/, '@')}?socket=${engine.socket}`);
      expect(await bySocket.read.room({ room: 'lobby' })).toMatchObject({ lastSeq: 1 });
    });

    test("finds a user's rows for an erasure through an index", async () => {
      const history = await empty();
      const rooms = Array.from({ length: 300 }, (_, i) => ({ id: `room-${i}`, name: `Room ${i}` }));
      await history.write.publicRooms({ rooms, at: 0 });
      const restrict = { kind: 'muted', restriction: { by: 'another' }, at: 0 } as const;
      const users = rooms.map(({ id }) => id);
      await Promise.all(users.map((user) => history.write.restrict({ room: 'lobby', user, ...restrict })));
      const connection = await engine.dialect(database).connect();
      closing.push(() => connection.destroy());
      const statements = [
        ...Object.values(erasableOf).map((of) => of('somebody', engine.dialect(database))),
        ...tables.filter(({ erased }) => erased !== undefined).map((table) => rowsNaming('somebody', table)),
      ];
      expect(await engine.unindexed(connection, statements)).toEqual([]);
    });

    it('erases the author from a copy of a copy forwarded during the erasure', async () => {
      const history = await empty();
      for (const user of [ann, { id: '2', name: 'Ben' }])
        await history.write.join({ room: 'lobby', user, at: 0 });
      const forward = async (seq: number) => {
        const user = { id: '2', name: 'Ben' };
        const from = { room: 'lobby', seq };
        return (await history.write.forward({ ...message(), user, from })).message.seq;
      };
      const { message: original } = await history.write.send(message('words'));
      const copy = await forward(original.seq);
      const between = [() => forward(copy)];
      // The copies are found. Next, their rooms are locked.
      const after = (statements: readonly Sql[]) =>
        statements.some(({ text }) => text.includes('WHERE origin =')) && between.pop()?.();
      const erasing = await openDatabaseHistory(watched({ after }), { onFailure: unexpectedFailure });
      closing.push(() => erasing.close());
      await erasing.write.erase({ user: ann.id, messages: 'anonymise', at: 1 });
      await carryOutErasures(erasing);
      expect(between).toEqual([]);
      const { messages } = await all(history, 'lobby');
      expect(messages.map(({ text, forwarded }) => [text, forwarded?.user.id])).toEqual([
        ['words', undefined],
        ['words', deletedUser.id],
        ['words', deletedUser.id],
      ]);
    });

    it("dispatches another server's changes before a later read resolves", async () => {
      await empty();
      const writing = await open(database.url, undefined, shared);
      const reading = await open(database.url, undefined, { ...shared, self: 'two' });
      const received: string[] = [];
      reading.onChange((change) => {
        if (change.type === 'message') received.push(change.message.text);
      });
      await writing.write.send(message('news'));
      const { messages } = await reading.read.after({ room: 'lobby', after: 0, upTo: 1, limit: 1 });
      expect([messages.map(({ text }) => text), received]).toEqual([['news'], ['news']]);
    });

    /** Follows a history. The test can write between the read of an entry and the read of its message. */
    async function following() {
      await empty();
      const writing = await open(database.url, undefined, shared);
      const first = { ...message('first'), mentions: [{ user: 'b', start: 0, length: 1 }] };
      await writing.write.join({ room: 'lobby', user: first.user, at: 0 });
      const between: (() => Promise<unknown>)[] = [];
      const seen: Change[] = [];
      const looked = Promise.withResolvers<void>();
      // The entry was read. Its message is read next.
      const before = async ([first]: readonly Sql[]) => {
        if (first?.text.includes('FROM chat_consumers')) looked.resolve();
        if (first?.text.includes('FROM chat_rooms')) await between.pop()?.();
      };
      const others = await follow(
        watched({ before }),
        Buffer.alloc(32),
        { ...shared, self: 'two' },
        { handOut: (changes) => void seen.push(...changes), onFailure: console.error },
      );
      closing.push(() => others.close());
      // It looks once for entries when it starts, and then deletes old ones. A later look would read the message early.
      await looked.promise;
      return {
        ...{ writing, others, between },
        messages: () => seen.filter((change) => change.type === 'message'),
        mentions: () => seen.filter((change) => change.type === 'mentions'),
        concerned: () => seen.filter((change) => change.type === 'concerned'),
        ...(await writing.write.send(first)),
      };
    }
    const banned = (write: History['write'], user: string) =>
      write.restrict({ room: 'lobby', user, kind: 'banned', restriction: { by: 'api' }, at: 1 });

    it('reports a new message in order on a server that reads it after an edit', async () => {
      const { writing, others, between, messages, message: sent } = await following();
      const { message: next } = await writing.write.send(message('next'));
      const { room, seq, rev, user } = sent;
      between.push(() => writing.write.edit({ room, seq, user: user.id, text: 'edited', at: 1 }));
      await others.upTo(4);
      expect(between).toEqual([]);
      expect(messages()).toMatchObject([
        { is: 'new', message: { seq, rev, text: 'edited' } },
        { is: 'new', message: { seq: next.seq, rev: next.rev, text: 'next' } },
        { is: 'changed', message: { seq, rev: next.rev + 1, text: 'edited' } },
      ]);
    });

    it('delivers new content of a message on another server only after an earlier ban', async () => {
      const preview = 'https://secret.example/';
      const changed = {
        edited: { text: `a secret ${preview}`, editedAt: 2, preview: { url: preview } },
        deleted: { text: '', deletedAt: 2, deletedBy: 'author' },
      };
      for (const [from, how] of [
        ['the room', 'edited'],
        ['the site', 'deleted'],
      ] as const) {
        const { writing, others, between, messages, mentions, message } = await following();
        const { mentions: _, ...sent } = message;
        const { room, seq, rev, user } = sent;
        const one = { room, seq, user: user.id, at: 2 };
        between.push(async () => {
          await (from === 'the room'
            ? banned(writing.write, 'b')
            : writing.write.setBan({ user: 'b', ban: {} }));
          await (how === 'edited'
            ? writing.write.edit({ ...one, text: changed.edited.text, preview })
            : writing.write.delete({ ...one, moderator: false }));
        });
        await others.upTo(4);
        expect(between).toEqual([]);
        expect(messages()).toEqual([
          { type: 'message', is: 'new', message: { ...sent, text: '' } },
          { type: 'message', is: 'changed', message: { ...sent, rev: rev + 1, ...changed[how] } },
        ]);
        expect(mentions()[0]?.message).toEqual({ ...sent, text: '' });
      }
    });

    it('reports each mention with content once if a server reads the message late', async () => {
      const named = ['b', 'd'].map((user, start) => ({ user, start, length: 1 }));
      for (const how of ['reacted', 'edited'] as const) {
        const { writing, others, mentions } = await following();
        await others.upTo(2);
        const sent = await writing.write.send({ ...message('late'), mentions: named.slice(0, 1) });
        const { room, seq, user } = sent.message;
        await banned(writing.write, 'c');
        await (how === 'reacted'
          ? writing.write.react({ room, seq, reactions: [{ user: user.id, emoji: '👍', on: true }] })
          : writing.write.edit({ room, seq, user: user.id, text: 'edited', mentions: named, at: 1 }));
        await others.upTo(5);
        const [, before, ...after] = mentions();
        expect(before?.message.text).toBe('');
        expect(after.flatMap(({ added }) => added).sort()).toEqual(how === 'reacted' ? ['b'] : ['b', 'd']);
        for (const { message, removed } of after) {
          expect(removed).toEqual([]);
          expect(message.mentions?.[0]).toMatchObject({ user: 'b' });
        }
      }
    });

    it('reports a reply to thread followers once, with its content, if a server reads it late', async () => {
      const ben = { id: '2', name: 'Ben' };
      for (const how of ['reacted', 'edited', 'deleted'] as const) {
        const { writing, others, concerned, message: first } = await following();
        await writing.write.join({ room: 'lobby', user: ben, at: 0 });
        await others.upTo(3);
        const reply = { ...message('late', 'lobby', ben), replyTo: first.seq };
        const { room, seq } = (await writing.write.send(reply)).message;
        await banned(writing.write, 'c');
        await {
          reacted: () =>
            writing.write.react({ room, seq, reactions: [{ user: '2', emoji: '👍', on: true }] }),
          edited: () => writing.write.edit({ room, seq, user: '2', text: 'edited', at: 1 }),
          deleted: () => writing.write.delete({ room, seq, user: '2', moderator: false, at: 1 }),
        }[how]();
        await others.upTo(6);
        const { is, text } = {
          reacted: { is: 'new', text: 'late' },
          edited: { is: 'new', text: 'edited' },
          deleted: { is: 'deleted', text: '' },
        }[how];
        expect(concerned(), how).toMatchObject([{ is, users: [ann.id], message: { seq, text } }]);
      }
    });

    it("does not notify thread followers if another room has the deleted room's ID", async () => {
      const { writing, others, between, messages, concerned, message: first } = await following();
      const { room } = first;
      await writing.write.join({ room, user: { id: '2', name: 'Ben' }, at: 0 });
      await others.upTo(3);
      const reply = { ...message('late', room, { id: '2', name: 'Ben' }), replyTo: first.seq };
      const { seq } = (await writing.write.send(reply)).message;
      const edited = { room, seq, at: 1 };
      between.push(
        async () => {
          await writing.write.deleteRoom({ room });
          await writing.write.putRoom({ id: room, kind: 'public', name: 'Lobby', at: 2 });
          await writing.write.join({ room, user: ann, at: 2 });
          await Promise.all([writing.write.send(message('one')), writing.write.send(message('two'))]);
          await writing.write.edit({ ...edited, user: ann.id, text: 'edited' });
        },
        async () => {
          await banned(writing.write, 'c');
          await writing.write.edit({ ...edited, user: '2', text: 'outdated' });
        },
      );
      await others.upTo(6);
      const [last] = await database.query('SELECT num FROM chat_position');
      await others.upTo(last?.num as number);
      expect(between).toEqual([]);
      expect(messages().at(-1)).toMatchObject({ is: 'changed', message: { room, seq, text: 'edited' } });
      expect(concerned()).toEqual([]);
    });

    it('reads a thousand messages at a time on a server that is far behind', async () => {
      await empty();
      const { write } = await open(database.url, undefined, shared);
      await Promise.all(Array.from({ length: 1100 }, () => write.send(message())));
      const places: number[] = [];
      const dialect = watched({
        before(statements) {
          for (const { text, values } of statements)
            if (text.includes('FROM chat_messages')) places.push(values.flat().length / 2);
        },
      });
      const connection = await dialect.connect();
      closing.push(() => connection.destroy());
      const entries = await entriesAfter({ dialect, connection }, 0, new Map());
      const found = entries.flatMap(({ changes }) => changes.filter(({ type }) => type === 'message'));
      expect([found.length, places]).toEqual([1100, [1000, 100]]);
    });

    it('keeps entries for other servers for one hour of database time', async () => {
      await empty();
      const { write } = await open(database.url, undefined, shared);
      for (let sent = 0; sent < 3; sent++) await write.send(message());
      const nums = async () =>
        (await database.query('SELECT num FROM chat_changes ORDER BY num')).map(({ num }) => Number(num));
      const [oldest, ...others] = await nums();
      await database.query(`UPDATE chat_changes SET since = since - 3600001 WHERE num = ${oldest}`);
      const twoHoursAhead = Date.now() + 2 * 3_600_000;
      const clock = vi.spyOn(Date, 'now').mockReturnValue(twoHoursAhead);
      closing.push(() => clock.mockRestore());
      await open(database.url, undefined, { ...shared, self: 'two' });
      await expect.poll(nums).toEqual(others);
    });

    test('claims events through an index', async () => {
      await empty();
      const dialect = engine.dialect(database);
      const connection = await dialect.connect();
      closing.push(() => connection.destroy());
      const events = Array.from({ length: 900 }, (_, i) => {
        // New events, failed events that are due at some time, and events without attempts left.
        const [turn, due] = [[i, 0] as const, [-1, i] as const, [-1, null] as const][i % 3] ?? [];
        return [`e${i}`, 'message.created', i, due ?? null, 0, turn ?? -1];
      });
      await connection.query(
        dialect.insert('chat_webhooks', ['id', 'type', 'at', 'due', 'tries', 'turn'], events),
      );
      expect(await engine.unindexed(connection, selectSendable(dialect, 600, 32))).toEqual([]);
    });

    test('finds old entries of the change log through an index', async () => {
      await empty();
      const dialect = engine.dialect(database);
      const connection = await dialect.connect();
      closing.push(() => connection.destroy());
      const entries = Array.from({ length: 300 }, (_, i) => [i, Date.now(), 0, '[]']);
      await connection.query(dialect.insert('chat_changes', ['num', 'since', 'types', 'changes'], entries));
      const statement = selectOld(dialect, entries.length);
      expect(await engine.unindexed(connection, [statement])).toEqual([]);
    });

    test('deletes at most 5,000 old entries of the change log with a batch of a consumer', async () => {
      const { write } = await empty();
      const dialect = engine.dialect(database);
      const connection = await dialect.connect();
      closing.push(() => connection.destroy());
      const entries = Array.from({ length: 5002 }, (_, i) => [-i - 1, i, 0, '[]']);
      await connection.query(dialect.insert('chat_changes', ['num', 'since', 'types', 'changes'], entries));
      const consume = () => write.consume({ name: 'one', by: 'me', types: ['act'], lease: 9, most: 9 });
      const left = async () =>
        (await database.query('SELECT num FROM chat_changes WHERE num < 0 ORDER BY num')).map(({ num }) =>
          Number(num),
        );
      await consume();
      expect(await left()).toEqual([-5002, -5001]);
      await consume();
      expect(await left()).toEqual([]);
    });

    test('finds expired rows through an index', async () => {
      await empty();
      const dialect = engine.dialect(database);
      const connection = await dialect.connect();
      closing.push(() => connection.destroy());
      const before = 100;
      const needs = Object.entries(everyWrite).flatMap(([op, [input]]) =>
        (subjects.rules[op]?.needs({ ...input, before } as never) ?? []).flatMap(({ of }) =>
          'expiry' in of ? [of.expiry as Expiry] : [],
        ),
      );
      expect(needs.map(({ name }) => name).sort()).toEqual(Object.keys(columnsOfExpiring).sort());
      for (const { name } of needs) {
        const columns = columnsOfExpiring[name] ?? [];
        const cellOf = (column: ColumnName, n: number) => (columnTypes[column] === 'int' ? n : `k${n}`);
        const rows = Array.from({ length: 900 }, (_, n) => columns.map((column) => cellOf(column, n + 1)));
        await connection.query(dialect.insert(name, columns, rows));
      }
      const statements = needs.map((expiry) => selectOldest(dialect, expiry, expiry.isExpired(before), 9));
      expect(await engine.unindexed(connection, statements)).toEqual([]);
    });

    test('reports a wrong password with the address but without the password', async () => {
      const wrong = database.url.replace(/:[^:@]+@/, ':geheim@');
      const error = await claimed(wrong).catch((reason: Error) => reason);
      expect(String(error)).toContain(`127.0.0.1:${engine.port}`);
      expect(String(error)).toMatch(/wrong user or password/);
      for (let one: unknown = error; one instanceof Error; one = one.cause) {
        expect(`${one.message} ${one.stack} ${JSON.stringify(one)}`).not.toContain('geheim');
      }
    });
  });
}
