import { setTimeout as pause } from 'node:timers/promises';
import { type ServerDialect, SqlError } from './dialect.ts';
import { claimLimit } from './limits.ts';
import { Pool } from './pool.ts';

/** Milliseconds between two looks whether it is still held. */
const lookEvery = 1000;
/** Milliseconds until what another server has is asked for again. */
const tryAgain = 250;

/**
 * A lock in the database that this server holds until it closes the claim or ends, even by kill -9: alone, or together
 * with others that follow each other's changes. It is held by a connection. After the loss of that, such as by a restart
 * of the database, another one takes it again.
 * @param options.patience milliseconds to wait for another server, which may be ending
 * @param options.onWaiting called when that begins
 * @param options.inUse the message of the error when another server has it
 * @param options.onLost called when another one has got it meanwhile: this one must not go on
 * @throws Error with that message, or SqlError
 */
export async function claim(
  dialect: ServerDialect,
  as: keyof ServerDialect['claims'],
  options: { patience: number; onWaiting(): void; inUse: string; onLost(error: Error): void },
): Promise<{ close(): void }> {
  const pool = new Pool(dialect, 1);
  const closing = new AbortController();
  const { signal } = closing;
  const inUse = () => new Error(options.inUse);

  const ask = () =>
    pool.use(async (connection) => {
      const [, answer] = await connection.queryAll([dialect.leased, dialect.claims[as]]);
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
  return { close };
}
