import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from '../records/columns.ts';
import { movedAway } from '../unusable.ts';
import { type DatabaseConnection, raw, type ServerDialect, SqlError } from './dialect.ts';
import { claimLimit } from './limits.ts';
import { Pool } from './pool.ts';

/** The delay between checks that the lock is still held. */
const checkIntervalMs = 1000;
/** The delay between attempts to take a lock that another server holds. */
const retryDelayMs = 250;

/** Selects the last server that ran alone. */
const lastAloneHolder = raw(`SELECT holder FROM chat_claims WHERE id = 'alone'`);
const holderIn = ([row]: readonly Row[]): string => (row?.holder as string | undefined) ?? '';

/** The holder of a history that was moved. Servers that may still use it notice that they lost their claim. */
const moved = 'moved';

/** Sets whether a history was moved. No server uses it. */
export async function setMoved(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  isMoved: boolean,
): Promise<void> {
  const row = ['alone', isMoved ? moved : randomUUID()];
  await connection.query(dialect.upsert('chat_claims', ['id'], ['id', 'holder'], [row]));
}

/** @throws UnknownTables if the history was moved */
export async function requireNotMoved(connection: DatabaseConnection): Promise<void> {
  if (holderIn(await connection.query(lastAloneHolder)) === moved) throw movedAway();
}

export interface Claim {
  /**
   * Records that this server starts. Call it when the tables exist, before reading data that is cached. If another
   * server runs alone afterwards, the claim counts as lost, because this server missed the other's bans and removals.
   */
  begin(): Promise<void>;
  close(): void;
}

/**
 * Takes a lock in the database, and keeps it until `close` or until the process ends, even by kill -9. The lock is
 * exclusive (`alone`), or shared with servers that follow each other's changes (`together`). It belongs to a
 * connection; if that is lost, for example when the database restarts, another connection takes it again.
 * @param options.maxWaitMs how long to wait for another server, in ms, because it may be shutting down
 * @param options.onWaiting called when the wait starts
 * @param options.inUse error message if another server holds the lock
 * @param options.usedSince error message if another server has run alone since `begin`
 * @param options.onLost called when the lock is lost for one of these reasons. This server must stop.
 * @throws Error with the message `inUse`, or SqlError
 */
export async function claim(
  dialect: ServerDialect,
  as: keyof ServerDialect['claims'],
  options: {
    maxWaitMs: number;
    onWaiting(): void;
    inUse: string;
    usedSince: string;
    onLost(error: Error): void;
  },
): Promise<Claim> {
  const pool = new Pool(dialect, 1);
  const closing = new AbortController();
  const { signal } = closing;
  const inUse = () => new Error(options.inUse);
  /** The last server that ran alone, as of `begin`. */
  let holderAtStart: string | undefined;

  const ask = () =>
    pool.use(async (connection) => {
      const statements = [
        dialect.leased,
        dialect.claims[as],
        ...(holderAtStart === undefined ? [] : [lastAloneHolder]),
      ];
      const [, answer, last] = await connection.queryAll(statements);
      if (last !== undefined && holderIn(last) !== holderAtStart) throw new Error(options.usedSince);
      return answer?.[0]?.num === 1;
    });
  async function take(maxWaitMs: number): Promise<boolean> {
    const until = performance.now() + maxWaitMs;
    while (!(await ask())) {
      if (signal.aborted || performance.now() > until) return false;
      await pause(retryDelayMs);
    }
    return true;
  }
  async function keep(): Promise<void> {
    for (let next = checkIntervalMs; !signal.aborted; ) {
      await pause(next, undefined, { signal }).catch(() => {});
      next = checkIntervalMs;
      try {
        // After a connection is lost, the database may keep it, and with it the lock, for this time.
        if (!signal.aborted && !(await take(claimLimit))) break;
      } catch (error) {
        // While the database is down, no other server can take the lock either.
        if (!(error instanceof SqlError)) throw error;
        next = retryDelayMs;
      }
    }
    if (!signal.aborted) throw inUse();
  }
  async function begin(): Promise<void> {
    holderAtStart = await pool.use(async (connection) => {
      await requireNotMoved(connection);
      if (as === 'alone') {
        const row = ['alone', randomUUID()];
        await connection.query(dialect.upsert('chat_claims', ['id'], ['id', 'holder'], [row]));
      }
      return holderIn(await connection.query(lastAloneHolder));
    });
  }
  function close(): void {
    closing.abort();
    void pool.close();
  }

  try {
    if (!(await ask())) {
      options.onWaiting();
      if (!(await take(options.maxWaitMs))) throw inUse();
    }
  } catch (error) {
    close();
    throw error;
  }
  keep().catch(options.onLost);
  return { begin, close };
}
