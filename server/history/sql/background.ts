import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../history.ts';
import { goneRooms } from '../rows.ts';
import { type Connection, type Dialect, raw, SqlError, sql, type Value } from './dialect.ts';
import type { Pool } from './pool.ts';
import { addTerms, blockSize } from './terms.ts';

/** Characters whose terms are found in one turn of the event loop. */
const turnCharacters = 32 * 1024;
/** Rows of one statement. */
const mostRows = 1000;
/** Messages, and rows of the index, that one step deletes. */
const purgeRows = 500;
/** Milliseconds between two steps, and after a failure. */
const stepPause = 20;
const failurePause = 1000;
/** Rooms that are looked for at once. */
const roomsAtOnce = 50;

/**
 * What can wait: the index for searching, and the deletion of what was in deleted rooms. In small steps, so that all
 * that users ask for goes in between. Several servers may do it at once: each step locks its room.
 */
export class Background {
  readonly #dialect: Dialect;
  readonly #pool: Pool;
  readonly #onFailure: (error: Error) => void;
  /** What has been left by the last run is looked for first. */
  #wanted = true;
  #running: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(dialect: Dialect, pool: Pool, onFailure: (error: Error) => void) {
    this.#dialect = dialect;
    this.#pool = pool;
    this.#onFailure = onFailure;
    this.#start();
  }

  follow(changes: readonly Change[]): void {
    if (changes.some(isWork)) this.#start();
  }

  /** Ends after the step that is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  #start(): void {
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#wanted && !signal.aborted) {
      this.#wanted = false;
      let wait = stepPause;
      try {
        if (await this.#pool.use((connection) => this.#round(connection))) this.#wanted = true;
      } catch (error) {
        if (!(error instanceof SqlError)) return this.#onFailure(error as Error);
        this.#wanted = true;
        wait = failurePause;
      }
      await pause(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** @returns whether there may be more to do */
  async #round(connection: Connection): Promise<boolean> {
    const { signal } = this.#closing;
    const full = await connection.query(
      sql`SELECT num, last_seq, last_block FROM (SELECT num, last_seq,
            coalesce((SELECT max(block) FROM chat_blocks AS blocks WHERE blocks.room = rooms.num), -1) AS last_block
          FROM chat_rooms AS rooms WHERE last_seq >= ${blockSize} AND NOT (${raw(goneRooms)})) AS rooms
          WHERE last_seq >= (last_block + 2) * ${blockSize} LIMIT ${roomsAtOnce}`,
    );
    for (const { num, last_block } of full) {
      if (signal.aborted) return true;
      await this.#index(connection, num as number, (last_block as number) + 1);
    }
    const stale = await connection.query(
      sql`SELECT room, block FROM chat_blocks WHERE stale = 1 LIMIT ${roomsAtOnce}`,
    );
    for (const { room, block } of stale) {
      if (signal.aborted) return true;
      await this.#index(connection, room as number, block as number);
    }
    const [gone] = await connection.query(
      sql`SELECT num FROM chat_rooms WHERE ${raw(goneRooms)} ORDER BY id LIMIT 1`,
    );
    if (gone !== undefined) await this.#purge(connection, gone.num as number);
    return full.length > 0 || stale.length > 0 || gone !== undefined;
  }

  /** Takes the terms of a block into the index. */
  async #index(connection: Connection, room: number, block: number): Promise<void> {
    const [seen] = await connection.query(sql`SELECT head FROM chat_rooms WHERE num = ${room}`);
    if (seen === undefined) return;
    const [after, upTo] = [block * blockSize, (block + 1) * blockSize];
    const ofBlock = sql`room = ${room} AND seq > ${after} AND seq <= ${upTo}`;
    const messages = await connection.query(
      sql`SELECT num, text FROM chat_messages WHERE ${ofBlock} ORDER BY seq`,
    );
    if (messages.length < blockSize) return;
    const terms = new Set<number>();
    let characters = 0;
    for (const { text } of messages) {
      addTerms(terms, text as string);
      characters += (text as string).length;
      if (characters < turnCharacters) continue;
      characters = 0;
      await new Promise(setImmediate);
    }
    const rows: Value[][] = [...terms].map((term) => [room, term, block]);
    await transaction(connection, async () => {
      await connection.query(sql`SELECT head FROM chat_rooms WHERE num = ${room} FOR UPDATE`);
      const [changed] = await connection.query(
        sql`SELECT seq FROM chat_messages WHERE ${ofBlock} AND rev > ${seen.head as number} LIMIT 1`,
      );
      // Then the next round takes it as it is now.
      if (changed !== undefined) return;
      for (let n = 0; n < rows.length; n += mostRows) {
        const some = rows.slice(n, n + mostRows);
        await connection.query(this.#dialect.insertNew('chat_terms', ['room', 'term', 'block'], some));
      }
      const nums = messages.map(({ num }) => num as number);
      const row = [room, block, Math.min(...nums), Math.max(...nums), 0];
      await connection.query(
        this.#dialect.upsert(
          'chat_blocks',
          ['room', 'block'],
          ['room', 'block', 'first_num', 'last_num', 'stale'],
          [row],
        ),
      );
    });
  }

  /** Deletes the next messages of a deleted room, or the room itself when none is left. */
  async #purge(connection: Connection, room: number): Promise<void> {
    const [message] = await connection.query(
      sql`SELECT min(seq) AS seq FROM chat_messages WHERE room = ${room}`,
    );
    const [term] = await connection.query(
      sql`SELECT term FROM chat_terms WHERE room = ${room} ORDER BY term LIMIT 1`,
    );
    if (typeof message?.seq === 'number') {
      const upTo = message.seq + purgeRows;
      await connection.query(sql`DELETE FROM chat_messages WHERE room = ${room} AND seq < ${upTo}`);
    } else if (term !== undefined) {
      const [end] = await connection.query(
        sql`SELECT term FROM chat_terms WHERE room = ${room} ORDER BY term LIMIT 1 OFFSET ${purgeRows}`,
      );
      const upTo = (end?.term as number | undefined) ?? 2 ** 31 - 1;
      await connection.query(sql`DELETE FROM chat_terms WHERE room = ${room} AND term <= ${upTo}`);
    } else {
      await connection.query(sql`DELETE FROM chat_blocks WHERE room = ${room}`);
      await connection.query(sql`DELETE FROM chat_rooms WHERE num = ${room}`);
    }
  }
}

async function transaction(connection: Connection, work: () => Promise<void>): Promise<void> {
  await connection.query(raw('BEGIN'));
  try {
    await work();
    await connection.query(raw('COMMIT'));
  } catch (error) {
    await connection.query(raw('ROLLBACK')).catch(() => connection.destroy());
    throw error;
  }
}

/** Whether a change may make a block full or out of date, or leaves something to delete. */
function isWork(change: Change): boolean {
  if (change.type === 'message') return change.is === 'changed' || change.message.seq % blockSize === 0;
  return change.type === 'room' && change.is === 'deleted';
}
