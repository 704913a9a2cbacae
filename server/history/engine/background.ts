import { setTimeout as pause } from 'node:timers/promises';
import type { Change } from '../records/changes.ts';
import type { Row, Value } from '../records/columns.ts';
import { fileStates } from '../records/file.ts';
import { gone, goneRooms } from '../records/room.ts';
import { blockOf, blockSize, partOf } from './blocks.ts';
import {
  type DatabaseConnection,
  inList,
  raw,
  type ServerDialect,
  type Sql,
  SqlError,
  sql,
} from './dialect.ts';
import type { Pool } from './pool.ts';
import { forgetKilled } from './recording.ts';
import { addFormerTerms, addTerms, indexedFrom, termsVersion } from './terms.ts';

/** Characters indexed in one event-loop tick. */
const charactersPerTick = 32 * 1024;
const termKey = ['room', 'term', 'block'] as const;
/** Rows of one statement. */
const maxRows = 1000;
/** Messages, reactions or index rows deleted in one step. */
const purgeRows = 500;
/** Expired messages deleted in one step. Their terms are computed in one event-loop tick. */
const expiredPerStep = 100;
/** Delay in milliseconds between steps, and after a failure. */
const stepDelayMs = 20;
const retryDelayMs = 1000;
/** Poll interval in milliseconds. Polling finishes the deletions of a server that stopped. */
const pollIntervalMs = 60_000;
/** Rooms of one query. */
const roomsPerQuery = 50;

/** The renewal of the search index after an upgrade that changes `termsVersion`. */
export type Renewal = 'begins' | 'ends';

/**
 * Runs deferred work in small steps: updates the search index, and deletes expired messages, the data of deleted rooms
 * and what a killed move recorded. User requests run between the steps. Several servers may do this concurrently,
 * because a step locks its room or only deletes rows that nothing reads.
 */
export class Background {
  readonly #dialect: ServerDialect;
  readonly #pool: Pool;
  readonly #onFailure: (error: Error) => void;
  readonly #onDelay: (error: Error) => void;
  readonly #onRenewal: (is: Renewal) => void;
  #isRenewing = false;
  readonly #poll: NodeJS.Timeout;
  #wanted = true;
  /** Rooms that may have a full block to index. */
  readonly #full = new Set<string>();
  /** The `num` of the last room that was checked for full blocks since the start. Undefined after the last room. */
  #checkedTo: number | undefined = 0;
  /** Whether a killed move may have left keys. Checked at each poll. */
  #moved = true;
  #running: Promise<void> | undefined;
  readonly #closing = new AbortController();

  /**
   * @param options.onFailure called after a bug in this program
   * @param options.onDelay called from the second consecutive database failure on. The work is retried.
   */
  constructor(
    dialect: ServerDialect,
    pool: Pool,
    options: {
      onFailure: (error: Error) => void;
      onDelay: (error: Error) => void;
      onRenewal: (is: Renewal) => void;
    },
  ) {
    this.#dialect = dialect;
    this.#pool = pool;
    this.#onFailure = options.onFailure;
    this.#onDelay = options.onDelay;
    this.#onRenewal = options.onRenewal;
    this.#poll = setInterval(() => {
      this.#moved = true;
      this.#start();
    }, pollIntervalMs).unref();
    this.#start();
  }

  follow(changes: readonly Change[]): void {
    let wanted = false;
    for (const change of changes) {
      if (completesBlock(change)) this.#full.add(change.message.room);
      wanted ||= needsWork(change);
    }
    if (wanted) this.#start();
  }

  /** Waits for the current step. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#poll);
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
      let wait = stepDelayMs;
      try {
        if (await this.#pool.use((connection) => this.#round(connection))) this.#wanted = true;
        failures = 0;
      } catch (error) {
        if (!(error instanceof SqlError)) return this.#onFailure(error as Error);
        if (++failures > 1) this.#onDelay(error);
        this.#wanted = true;
        wait = retryDelayMs;
      }
      await pause(wait, undefined, { signal }).catch(() => {});
    }
  }

  /**
   * Deletes some data of a deleted room, of expired messages and of a killed move, and indexes blocks.
   * @returns whether there may be more work
   */
  async #round(connection: DatabaseConnection): Promise<boolean> {
    const { signal } = this.#closing;
    // Deletions come before indexing, so that a failure of the index does not block them.
    const [deleted] = await connection.query(
      sql`SELECT num FROM chat_rooms WHERE ${raw(goneRooms)} ORDER BY id LIMIT 1`,
    );
    if (deleted !== undefined) await this.#purge(connection, deleted.num as number);
    const [expiring] = await connection.query(sql`SELECT num FROM chat_rooms WHERE expiring = 1 LIMIT 1`);
    if (expiring !== undefined) await this.#expire(connection, expiring.num as number);
    if (this.#moved) this.#moved = await forgetKilled(connection, this.#dialect);
    const full = await this.#fullRooms(connection);
    for (const { num, last_block } of full) {
      if (signal.aborted) return true;
      await this.#index(connection, num as number, (last_block as number) + 1);
    }
    const stale = await connection.query(
      sql`SELECT room, block FROM chat_blocks WHERE stale = 1 LIMIT ${roomsPerQuery}`,
    );
    const former = await connection.query(
      sql`SELECT room, block FROM chat_blocks WHERE folding < ${termsVersion} LIMIT ${roomsPerQuery}`,
    );
    for (const { room, block } of [...stale, ...former]) {
      if (signal.aborted) return true;
      await this.#index(connection, room as number, block as number);
    }
    this.#noteRenewal(former.length > 0);
    const more = deleted !== undefined || expiring !== undefined || this.#moved;
    const isUnindexed = this.#full.size > 0 || this.#checkedTo !== undefined;
    return isUnindexed || stale.length > 0 || former.length > 0 || more;
  }

  /** Reports the start and the end of the renewal of blocks whose terms are of an earlier `termsVersion`. */
  #noteRenewal(isRenewing: boolean): void {
    if (isRenewing !== this.#isRenewing) this.#onRenewal(isRenewing ? 'begins' : 'ends');
    this.#isRenewing = isRenewing;
  }

  /** Returns rooms with a full block to index, and the last block in the index. */
  async #fullRooms(connection: DatabaseConnection): Promise<Row[]> {
    if (this.#checkedTo !== undefined) await this.#checkRooms(connection, this.#checkedTo);
    const ids = [...this.#full.values().take(roomsPerQuery)];
    if (ids.length === 0) return [];
    // Deleted before the query, so that a room whose next block fills up during it is added again.
    for (const id of ids) this.#full.delete(id);
    try {
      const rooms = await connection.query(selectBlocks(inList(this.#dialect, 'id', ids)));
      const full = rooms.filter(hasFullBlock);
      // A room may have several full blocks.
      for (const { id } of full) this.#full.add(id as string);
      return full;
    } catch (error) {
      for (const id of ids) this.#full.add(id);
      throw error;
    }
  }

  /** Adds the full rooms among the next rooms to `#full`. No index finds them, so each room is checked once. */
  async #checkRooms(connection: DatabaseConnection, after: number): Promise<void> {
    const rooms = await connection.query(selectBlocks(sql`num > ${after} ORDER BY num LIMIT ${maxRows}`));
    for (const room of rooms) if (hasFullBlock(room)) this.#full.add(room.id as string);
    this.#checkedTo = rooms.length === maxRows ? (rooms.at(-1)?.num as number) : undefined;
  }

  /** Indexes a block. */
  async #index(connection: DatabaseConnection, room: number, block: number): Promise<void> {
    const [roomBefore] = await connection.query(sql`SELECT head FROM chat_rooms WHERE num = ${room}`);
    if (roomBefore === undefined) return;
    const [after, upTo] = [block * blockSize, (block + 1) * blockSize];
    const ofBlock = sql`room = ${room} AND seq > ${after} AND seq <= ${upTo}`;
    const messages = await connection.query(
      sql`SELECT num, seq, text, user_id, deleted_at, sent_at FROM chat_messages WHERE ${ofBlock} ORDER BY seq`,
    );
    /** The parts of each term. */
    const terms = new Map<number, number>();
    let characters = 0;
    for (const message of messages) {
      const own = new Set<number>();
      addTerms(own, indexedFrom(message));
      for (const term of own) terms.set(term, (terms.get(term) ?? 0) | partOf(message.seq as number));
      characters += (message.text as string).length;
      if (characters < charactersPerTick) continue;
      characters = 0;
      await new Promise(setImmediate);
    }
    const rows: Value[][] = [...terms].map(([term, parts]) => [room, term, block, parts]);
    await transaction(connection, async () => {
      const [locked] = await connection.query(sql`SELECT id FROM chat_rooms WHERE num = ${room} FOR UPDATE`);
      if (locked === undefined || (locked.id as string).startsWith(gone)) return;
      const [changed] = await connection.query(
        sql`SELECT seq FROM chat_messages WHERE ${ofBlock} AND rev > ${roomBefore.head as number} LIMIT 1`,
      );
      // A message changed during the read. The next round indexes its current text.
      if (changed !== undefined) return;
      for (let n = 0; n < rows.length; n += maxRows) {
        const some = rows.slice(n, n + maxRows);
        await connection.query(this.#dialect.upsert('chat_terms', termKey, [...termKey, 'parts'], some));
      }
      // All messages of the block may have expired.
      const rangeOf = (column: 'num' | 'sent_at') => {
        const values = messages.length > 0 ? messages.map((message) => message[column] as number) : [0];
        return [Math.min(...values), Math.max(...values)];
      };
      const row = [room, block, ...rangeOf('num'), ...rangeOf('sent_at'), 0, termsVersion];
      await connection.query(
        this.#dialect.upsert(
          'chat_blocks',
          ['room', 'block'],
          ['room', 'block', 'first_num', 'last_num', 'first_at', 'last_at', 'stale', 'folding'],
          [row],
        ),
      );
    });
  }

  /** Deletes a room's next expired messages and their terms in the search index. */
  async #expire(connection: DatabaseConnection, room: number): Promise<void> {
    await transaction(connection, async () => {
      const [locked] = await connection.query(
        sql`SELECT first_seq FROM chat_rooms WHERE num = ${room} FOR UPDATE`,
      );
      if (locked === undefined) return;
      const messages = await connection.query(
        sql`SELECT seq, text, user_id, deleted_at FROM chat_messages WHERE room = ${room} AND seq < ${locked.first_seq as number}
            ORDER BY seq LIMIT ${expiredPerStep}`,
      );
      const last = messages.at(-1);
      if (last === undefined) {
        await connection.query(sql`UPDATE chat_rooms SET expiring = NULL WHERE num = ${room}`);
        return;
      }
      for (const [block, some] of Map.groupBy(messages, ({ seq }) => blockOf(seq as number))) {
        const terms = new Set<number>();
        for (const message of some) addFormerTerms(terms, indexedFrom(message));
        // Other messages of the block may share these terms, so the block is indexed again.
        const rows: Value[][] = [...terms].map((term) => [room, term, block]);
        for (let n = 0; n < rows.length; n += maxRows) {
          const among = this.#dialect.among(termKey, rows.slice(n, n + maxRows));
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

  /** Deletes the next data of a deleted room, and finally the room itself. */
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
      // Marks the remaining files as pending deletion.
      await connection.query(sql`UPDATE chat_files SET state = ${fileStates.dropped} WHERE room = ${room}`);
      await connection.query(sql`DELETE FROM chat_rooms WHERE num = ${room}`);
    }
  }
}

/** Selects rooms with their last message and their last block in the index, which is -1 before the first. */
const selectBlocks = (where: Sql) =>
  sql`SELECT num, id, last_seq, CASE WHEN last_seq < ${blockSize} THEN -1 ELSE
          coalesce((SELECT max(block) FROM chat_blocks AS blocks WHERE blocks.room = rooms.num), -1) END AS last_block
      FROM chat_rooms AS rooms WHERE ${where}`;

/** Whether a row of `selectBlocks` is a room with a full block to index. */
const hasFullBlock = ({ id, last_seq, last_block }: Row): boolean =>
  (last_seq as number) >= ((last_block as number) + 2) * blockSize && !(id as string).startsWith(gone);

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

function completesBlock(change: Change): change is Change & { type: 'message' } {
  return change.type === 'message' && change.is === 'new' && change.message.seq % blockSize === 0;
}

/** Whether a change fills a block, outdates one, or may require deletions. */
function needsWork(change: Change): boolean {
  if (change.type === 'message') {
    return (change.is === 'changed' && change.reacted === undefined) || completesBlock(change);
  }
  return change.type === 'reset' || (change.type === 'room' && change.is !== 'new');
}
