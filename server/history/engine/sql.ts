import { setTimeout as pause } from 'node:timers/promises';
import { readInTurn } from '../../limits/requester.ts';
import type { RequestError } from '../../wire/errors.ts';
import type { Change } from '../records/changes.ts';
import type { SearchReads } from '../records/search.ts';
import { Background, type Renewal } from './background.ts';
import { positionOf } from './change-log.ts';
import { answered, type DatabaseConnection, type ServerDialect, SqlError, sql } from './dialect.ts';
import { follow, type Shared } from './followed.ts';
import { type HistoryOf, methods, type Operations } from './history.ts';
import { mostReaders, mostSearchers, searches } from './limits.ts';
import { digestKeyIn, type Migrating, migrate } from './migrations.ts';
import { Pool } from './pool.ts';
import type { AnyReads } from './read.ts';
import { checkRoundTrip } from './round-trip.ts';
import { formatIn } from './schema.ts';
import { SealedCursors } from './sealed-cursors.ts';
import { search } from './search.ts';
import type { Subjects } from './work.ts';
import { closed, unavailable, Writer } from './writer.ts';

/** The maximum time that `close` waits after the last write. */
const maxCloseMs = 1000;

/** A starting server deletes rows in `chat_writers` whose last transaction is older than this. */
const writersTtlMs = 30 * 86_400_000;

export interface SqlHistoryOptions {
  /** Called when this server must stop: after a bug, or because it cannot follow the change log. */
  onFailure: (error: Error) => void;
  /**
   * Called from the second consecutive failure of a background task on. Deleted texts may stay in the database until
   * it succeeds.
   */
  onDelay?: (error: Error) => void;
  /** Called when the renewal of the search index starts and ends. */
  onRenewal?: (is: Renewal) => void;
  onBatch?: (batch: { messages: number; commitMs: number }) => void;
  onMigration?: (is: Migrating) => void;
  /** Set if several servers use this history. */
  shared?: Shared;
  /** Called after the migrations, before any data is cached. */
  begin?: () => Promise<void>;
}

/**
 * Opens the history in a database server. Writes, reads, searches and background work use separate connections, so
 * reads never queue behind writes or searches.
 * @throws Error if the database is not available, or a newer version has changed its tables
 */
export async function openSqlHistory<Writes extends Operations<Writes>, Reads extends Operations<Reads>>(
  dialect: ServerDialect,
  { reads, subjects }: { reads: AnyReads; subjects: Subjects },
  options: SqlHistoryOptions,
): Promise<HistoryOf<Writes, Reads>> {
  const digestKey = await prepare(dialect, options.onMigration ?? (() => {}));
  await options.begin?.();
  const answerRead = answersOf(dialect, reads, digestKey);
  const readers = new Pool(dialect, mostReaders);
  const searchers = new Pool(dialect, mostSearchers);
  const backgroundPool = new Pool(dialect, 1);
  const background = new Background(dialect, backgroundPool, {
    onFailure: options.onFailure,
    onDelay: options.onDelay ?? (() => {}),
    onRenewal: options.onRenewal ?? (() => {}),
  });
  const listeners: ((change: Change) => void)[] = [];
  const dispatch = (changes: readonly Change[]) => {
    for (const change of changes) for (const listener of listeners) listener(change);
  };
  const others =
    options.shared === undefined
      ? undefined
      : await follow(dialect, digestKey, options.shared, { handOut: dispatch, onFailure: options.onFailure });
  const writer = new Writer(dialect, digestKey, {
    subjects,
    shared: others !== undefined,
    onBatch({ changes, commitMs, entry, upTo }) {
      const messages = changes.filter((change) => change.type === 'message' && change.is === 'new').length;
      let dispatched: Promise<void> | undefined;
      if (entry !== undefined) dispatched = others?.written(entry, changes);
      else if (upTo !== undefined) dispatched = others?.upTo(upTo);
      else dispatch(changes);
      if (messages > 0) options.onBatch?.({ messages, commitMs });
      background.follow(changes);
      return dispatched;
    },
  });
  let closing: Promise<void> | undefined;

  async function read(query: string, input: never): Promise<unknown> {
    if (closing !== undefined) throw closed();
    const answer = (connection: DatabaseConnection) => answerRead(connection, query, input);
    let found: unknown;
    try {
      found = await readInTurn((turn) =>
        query in searches ? searchers.use(answer, { ...turn, continues: false }) : readers.use(answer, turn),
      );
    } catch (error) {
      throw error instanceof SqlError ? unavailable(error) : (error as RequestError);
    }
    // The result may be newer than the last dispatched change.
    await current();
    return found;
  }

  async function current(): Promise<void> {
    if (others === undefined) return writer.current();
    if (closing !== undefined) throw closed();
    try {
      await others.upTo(await lastEntry());
    } catch (error) {
      throw error instanceof SqlError ? unavailable(error) : (error as Error);
    }
  }

  /** A position query that waits for a connection. Concurrent callers share it, so they do not block other reads. */
  let pendingLookup: Promise<number> | undefined;
  function lastEntry(): Promise<number> {
    if (pendingLookup !== undefined) return pendingLookup;
    const began = () => {
      if (pendingLookup === lookup) pendingLookup = undefined;
    };
    const lookup = readers.use((connection) => {
      began();
      return positionOf(connection);
    });
    lookup.catch(began);
    pendingLookup = lookup;
    return lookup;
  }

  return {
    write: methods((op, input, asker) => writer.call(op, input, { asker })),
    // The writer runs probes, because the write that a probe repeats may not be committed yet.
    probe: methods((op, input) => writer.call(op, input, { probe: true })),
    read: methods(read),
    current,
    onChange: (listener) => {
      listeners.push(listener);
    },
    ...(others === undefined ? {} : { say: others.say, digest: others.digest }),
    close() {
      closing ??= (async () => {
        const readersEnd = Promise.all([
          background.close().then(() => backgroundPool.close()),
          readers.close(),
          searchers.close(),
        ]);
        await writer.close();
        // `others` closes after the writer, because it dispatches the writer's last changes.
        const end = Promise.all([readersEnd, others?.close()]);
        // A hanging database must not block the shutdown. Only reads, dispatching and background work are left.
        await Promise.race([end, pause(maxCloseMs, undefined, { ref: false })]);
      })();
      return closing;
    },
  };
}

/** Returns a function that runs a read. */
function answersOf(dialect: ServerDialect, reads: AnyReads, digestKey: Uint8Array) {
  const context = { dialect, cursors: new SealedCursors(digestKey) };
  return (connection: DatabaseConnection, query: string, input: never): Promise<unknown> => {
    if (query === 'search')
      return search(dialect, connection, context.cursors, input as SearchReads['search']['in']);
    const own = reads[query];
    if (own === undefined) throw new Error(`the history has no read called ${query}`);
    return answered(own(context, input), connection);
  };
}

/** Opens a history that no server uses, without any changes. @throws SqlError */
export async function openSqlReads<Reads extends Operations<Reads>>(
  dialect: ServerDialect,
  reads: AnyReads,
): Promise<Pick<HistoryOf<object, Reads>, 'read' | 'close'>> {
  const connection = await dialect.connect();
  try {
    const answer = answersOf(dialect, reads, await digestKeyIn(connection));
    return {
      read: methods((query, input) => answer(connection, query, input)),
      close: async () => connection.destroy(),
    };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Migrates the tables, checks that they can be used, and deletes expired rows. @returns the key of the digests */
async function prepare(dialect: ServerDialect, onMigration: (is: Migrating) => void): Promise<Uint8Array> {
  const connection = await dialect.connect();
  try {
    // Throws if `migrate` would change tables of another program, or tables that lack something.
    await formatIn(connection, dialect);
    await migrate(connection, dialect, onMigration);
    await checkRoundTrip(connection, dialect).catch((error: SqlError) => {
      // Users can still read.
      if (error.problem !== 'full') throw error;
    });
    await connection.query(sql`DELETE FROM chat_writers WHERE since < ${Date.now() - writersTtlMs}`);
    await connection.query(sql`DELETE FROM chat_bans WHERE until <= ${Date.now()}`);
    return await digestKeyIn(connection);
  } finally {
    connection.destroy();
  }
}
