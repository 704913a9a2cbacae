import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { raw, type ServerDialect, SqlError } from './dialect.ts';
import { claimLimit } from './limits.ts';
import { Pool } from './pool.ts';
import type { Row } from './table.ts';

/** Milliseconds between two looks whether it is still held. */
const lookEvery = 1000;
/** Milliseconds until what another server has is asked for again. */
const tryAgain = 250;

/** Answers with the one that was alone last. */
const lastAlone = raw(`SELECT holder FROM chat_claims WHERE id = 'alone'`);
const holderIn = ([row]: readonly Row[]): string => (row?.holder as string | undefined) ?? '';

export interface Claim {
  /**
   * Notes that this server begins: the tables are there, and nothing has been read that it keeps. From then on the claim is
   * lost, too, when another server was alone here meanwhile and has ended: its bans and removals are unknown to this one.
   */
  begin(): Promise<void>;
  close(): void;
}

/**
 * A lock in the database that this server holds until it closes the claim or ends, even by kill -9: alone, or together
 * with others that follow each other's changes. It is held by a connection. After the loss of that, such as by a restart
 * of the database, another one takes it again.
 * @param options.patience milliseconds to wait for another server, which may be ending
 * @param options.onWaiting called when that begins
 * @param options.inUse the message of the error when another server has it
 * @param options.usedSince the message of the error when another server has had it
 * @param options.onLost called when another one has got it meanwhile, or has had it: this one must not go on
 * @throws Error with that message, or SqlError
 */
export async function claim(
  dialect: ServerDialect,
  as: keyof ServerDialect['claims'],
  options: {
    patience: number;
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
  /** The one that was alone last when this server began. */
  let known: string | undefined;

  const ask = () =>
    pool.use(async (connection) => {
      const asked = [dialect.leased, dialect.claims[as], ...(known === undefined ? [] : [lastAlone])];
      const [, answer, last] = await connection.queryAll(asked);
      if (last !== undefined && holderIn(last) !== known) throw new Error(options.usedSince);
      return answer?.[0]?.num === 1;
    });
  async function take(patience: number): Promise<boolean> {
    const until = performance.now() + patience;
    while (!(await ask())) {
      if (signal.aborted || performance.now() > until) return false;
      await pause(tryAgain);
    }
    return true;
  }
  async function keep(): Promise<void> {
    for (let next = lookEvery; !signal.aborted; ) {
      await pause(next, undefined, { signal }).catch(() => {});
      next = lookEvery;
      try {
        // For so long the connection that was lost may still have it.
        if (!signal.aborted && !(await take(claimLimit))) break;
      } catch (error) {
        // While the database is away, no other server gets it either.
        if (!(error instanceof SqlError)) throw error;
        next = tryAgain;
      }
    }
    if (!signal.aborted) throw inUse();
  }
  async function begin(): Promise<void> {
    known = await pool.use(async (connection) => {
      if (as === 'alone') {
        const row = ['alone', randomUUID()];
        await connection.query(dialect.upsert('chat_claims', ['id'], ['id', 'holder'], [row]));
      }
      return holderIn(await connection.query(lastAlone));
    });
  }
  function close(): void {
    closing.abort();
    void pool.close();
  }

  try {
    if (!(await ask())) {
      options.onWaiting();
      if (!(await take(options.patience))) throw inUse();
    }
  } catch (error) {
    close();
    throw error;
  }
  keep().catch(options.onLost);
  return { begin, close };
}
