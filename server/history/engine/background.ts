import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../changes.ts';
import { fileStates } from '../files/file.ts';
import { gone, goneRooms } from '../rooms/room.ts';
import { addTerms } from '../terms.ts';
import { blockOf, blockSize } from './blocks.ts';
import { type DatabaseConnection, inList, raw, type ServerDialect, SqlError, sql } from './dialect.ts';
import type { Pool } from './pool.ts';
import type { Row, Value } from './table.ts';

/** Characters whose terms are found in one turn of the event loop. */
const turnCharacters = 32 * 1024;
/** Rows of one statement. */
const mostRows = 1000;
/** Messages, and rows of the index, that one step deletes. */
const purgeRows = 500;
/** Messages that are too old, in one step: their terms are found in one turn of the event loop. */
const expiredAtOnce = 100;
/** Milliseconds between two steps, and after a failure. */
const stepPause = 20;
const failurePause = 1000;
/** Milliseconds until it looks by itself: another server may have ended before it has deleted what it was to. */
const lookEvery = 60_000;
/** Rooms that are looked for at once. */
const roomsAtOnce = 50;

/**
 * Work that can wait: the search index, and the deletion of messages of deleted rooms and of old ones. In small
 * steps, so that all
 * that users ask for goes in between. Several servers may do it at once: each step locks its room.
 */
export class Background {
  readonly #dialect: ServerDialect;
  readonly #pool: Pool;
  readonly #onFailure: (error: Error) => void;
  readonly #onDelay: (error: Error) => void;
  readonly #looking: NodeJS.Timeout;
  #wanted = true;
  /** Rooms that may have a full block; before the first round and after a failure, any may. */
  readonly #full = new Set<string>();
  #anyFull = true;
  #running: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /**
   * @param options.onFailure called after a bug in this program
   * @param options.onDelay called when the database fails again: it is tried once more
   */
  constructor(
    dialect: ServerDialect,
    pool: Pool,
    options: { onFailure: (error: Error) => void; onDelay: (error: Error) => void },
  ) {
    this.#dialect = dialect;
    this.#pool = pool;
    this.#onFailure = options.onFailure;
    this.#onDelay = options.onDelay;
    this.#looking = setInterval(() => this.#start(), lookEvery).unref();
    this.#start();
  }

  follow(changes: readonly Change[]): void {
    let wanted = false;
    for (const change of changes) {
      if (fillsBlock(change)) this.#full.add(change.message.room);
      wanted ||= isWork(change);
    }
    if (wanted) this.#start();
  }

  /** Ends after the step that is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#looking);
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
    let failures = 0;
    while (this.#wanted && !signal.aborted) {
      this.#wanted = false;
      let wait = stepPause;
      try {
        if (await this.#pool.use((connection) => this.#round(connection))) this.#wanted = true;
        failures = 0;
      } catch (error) {
        if (!(error instanceof SqlError)) return this.#onFailure(error as Error);
        if (++failures > 1) this.#onDelay(error);
        this.#wanted = true;
        this.#anyFull = true;
        wait = failurePause;
      }
      await pause(wait, undefined, { signal }).catch(() => {});
    }
  }

  /** @returns whether there may be more to do */
  async #round(connection: DatabaseConnection): Promise<boolean> {
    const { signal } = this.#closing;
    // Before the index, whose failure would keep what is to go.
    const [deleted] = await connection.query(
      sql`SELECT num FROM chat_rooms WHERE ${raw(goneRooms)} ORDER BY id LIMIT 1`,
    );
    if (deleted !== undefined) await this.#purge(connection, deleted.num as number);
    const [expiring] = await connection.query(sql`SELECT num FROM chat_rooms WHERE expiring = 1 LIMIT 1`);
    if (expiring !== undefined) await this.#expire(connection, expiring.num as number);
    const full = await this.#fullRooms(connection);
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
    const more = deleted !== undefined || expiring !== undefined;
    return this.#full.size > 0 || this.#anyFull || stale.length > 0 || more;
  }

  /** Rooms with a full block that is not in the index, with the last one that is. */
  async #fullRooms(connection: DatabaseConnection): Promise<Row[]> {
    const ids = [...this.#full].slice(0, roomsAtOnce);
    if (ids.length === 0 && !this.#anyFull) return [];
    // Before they are looked at: what fills a block meanwhile notes them again.
    for (const id of ids) this.#full.delete(id);
    const which = this.#anyFull ? sql`NOT (${raw(goneRooms)})` : inList(this.#dialect, 'id', ids);
    const rows = await connection.query(
      sql`SELECT num, id, last_block FROM (SELECT num, id, last_seq,
            coalesce((SELECT max(block) FROM chat_blocks AS blocks WHERE blocks.room = rooms.num), -1) AS last_block
          FROM chat_rooms AS rooms WHERE last_seq >= ${blockSize} AND ${which}) AS rooms
          WHERE last_seq >= (last_block + 2) * ${blockSize} LIMIT ${roomsAtOnce}`,
    );
    if (this.#anyFull) this.#anyFull = rows.length > 0;
    // They may have more than one.
    for (const { id } of rows) this.#full.add(id as string);
    return rows;
  }

  /** Takes the terms of a block into the index. */
  async #index(connection: DatabaseConnection, room: number, block: number): Promise<void> {
    const [seen] = await connection.query(sql`SELECT head FROM chat_rooms WHERE num = ${room}`);
    if (seen === undefined) return;
    const [after, upTo] = [block * blockSize, (block + 1) * blockSize];
    const ofBlock = sql`room = ${room} AND seq > ${after} AND seq <= ${upTo}`;
    const messages = await connection.query(
      sql`SELECT num, text FROM chat_messages WHERE ${ofBlock} ORDER BY seq`,
    );
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
      const [locked] = await connection.query(sql`SELECT id FROM chat_rooms WHERE num = ${room} FOR UPDATE`);
      if (locked === undefined || (locked.id as string).startsWith(gone)) return;
      const [changed] = await connection.query(
        sql`SELECT seq FROM chat_messages WHERE ${ofBlock} AND rev > ${seen.head as number} LIMIT 1`,
      );
      // Then the next round takes it as it is now.
      if (changed !== undefined) return;
      for (let n = 0; n < rows.length; n += mostRows) {
        const some = rows.slice(n, n + mostRows);
        await connection.query(this.#dialect.insertNew('chat_terms', ['room', 'term', 'block'], some));
      }
      // Somebody may have deleted messages by hand.
      const nums = messages.length > 0 ? messages.map(({ num }) => num as number) : [0];
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

  /** Deletes the next messages of a room that are too old, and what the index for searching holds of them. */
  async #expire(connection: DatabaseConnection, room: number): Promise<void> {
    await transaction(connection, async () => {
      const [locked] = await connection.query(
        sql`SELECT first_seq FROM chat_rooms WHERE num = ${room} FOR UPDATE`,
      );
      if (locked === undefined) return;
      const messages = await connection.query(
        sql`SELECT seq, text FROM chat_messages WHERE room = ${room} AND seq < ${locked.first_seq as number}
            ORDER BY seq LIMIT ${expiredAtOnce}`,
      );
      const last = messages.at(-1);
      if (last === undefined) {
        await connection.query(sql`UPDATE chat_rooms SET expiring = NULL WHERE num = ${room}`);
        return;
      }
      for (const [block, some] of Map.groupBy(messages, ({ seq }) => blockOf(seq as number))) {
        const terms = new Set<number>();
        for (const { text } of some) addTerms(terms, text as string);
        // Other messages in the block may have had the same terms, so it is indexed again.
        const rows: Value[][] = [...terms].map((term) => [room, term, block]);
        for (let n = 0; n < rows.length; n += mostRows) {
          const among = this.#dialect.among(['room', 'term', 'block'], rows.slice(n, n + mostRows));
          await connection.query(sql`DELETE FROM chat_terms WHERE ${among}`);
        }
        await connection.query(
          sql`UPDATE chat_blocks SET stale = 1 WHERE room = ${room} AND block = ${block}`,
        );
      }
      await connection.query(
        sql`UPDATE chat_files SET state = ${fileStates.dropped}
            WHERE room = ${room} AND seq <= ${last.seq as number}`,
      );
      await connection.query(
        sql`DELETE FROM chat_messages WHERE room = ${room} AND seq <= ${last.seq as number}`,
      );
    });
  }

  /** Deletes the next messages of a deleted room, or the room itself when none is left. */
  async #purge(connection: DatabaseConnection, room: number): Promise<void> {
    const [reactions] = await connection.query(
      sql`SELECT seq FROM chat_reactions WHERE room = ${room} ORDER BY seq LIMIT 1`,
    );
    const [message] = await connection.query(
      sql`SELECT min(seq) AS seq FROM chat_messages WHERE room = ${room}`,
    );
    const [term] = await connection.query(
      sql`SELECT term FROM chat_terms WHERE room = ${room} ORDER BY term LIMIT 1`,
    );
    if (reactions !== undefined) {
      const [end] = await connection.query(
        sql`SELECT seq FROM chat_reactions WHERE room = ${room} ORDER BY seq LIMIT 1 OFFSET ${purgeRows}`,
      );
      const upTo = (end?.seq as number | undefined) ?? Number.MAX_SAFE_INTEGER;
      await connection.query(sql`DELETE FROM chat_reactions WHERE room = ${room} AND seq <= ${upTo}`);
    } else if (typeof message?.seq === 'number') {
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
      // Whatever has not been deleted yet.
      await connection.query(sql`UPDATE chat_files SET state = ${fileStates.dropped} WHERE room = ${room}`);
      await connection.query(sql`DELETE FROM chat_rooms WHERE num = ${room}`);
    }
  }
}

async function transaction(connection: DatabaseConnection, work: () => Promise<void>): Promise<void> {
  await connection.query(raw('BEGIN'));
  try {
    await work();
    await connection.query(raw('COMMIT'));
  } catch (error) {
    await connection.query(raw('ROLLBACK')).catch(() => connection.destroy());
    throw error;
  }
}

function fillsBlock(change: Change): change is Change & { type: 'message' } {
  return change.type === 'message' && change.is === 'new' && change.message.seq % blockSize === 0;
}

/** Whether a change makes a block full or out of date, or may leave something to delete. */
function isWork(change: Change): boolean {
  if (change.type === 'message') {
    return (change.is === 'changed' && change.reacted === undefined) || fillsBlock(change);
  }
  return change.type === 'reset' || (change.type === 'room' && change.is !== 'new');
}
