import type { ErasedMessages } from '../records/erasure.ts';
import { beside, besideName, removeBeside, tablesThere, takePlace } from './beside.ts';
import { type DatabaseConnection, raw, type ServerDialect, sql } from './dialect.ts';
import {
  type ErasingHistory,
  endLog,
  eraseAgain,
  forRestored,
  freeConsumers,
  type LostErasure,
  namesOfUsers,
} from './erase-again.ts';
import { connectAlone } from './in-use.ts';
import { migrate } from './migrations.ts';
import { deleteRowsOf, deleteRowsWith, portableTables, type RowsTarget } from './portable.ts';
import { removeRecording } from './recording.ts';
import { hasHistory } from './schema.ts';
import { columnsOf, rowsIn } from './snapshot.ts';
import { erasedDigest, erasuresByDigest, type ListedErasure } from './sqlite/erased.ts';

/** Returns the IDs of all files of the history; empty if there is no history. */
export async function idsOfFiles(dialect: ServerDialect): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const connection = await dialect.connect();
  try {
    if (!(await tablesThere(connection, dialect)).includes('chat_files')) return ids;
    await connection.query(raw('BEGIN'));
    for await (const rows of connection.stream('SELECT DISTINCT stored FROM chat_files'))
      for (const { stored } of rows) ids.add(stored as string);
    return ids;
  } finally {
    connection.destroy();
  }
}

/** A restore into separate tables, next to the current history. */
export interface Restoring {
  /**
   * Creates empty tables for the rows of a backup.
   * @param format the number of the last migration of the backup
   */
  makeTables(format: number): Promise<RowsTarget>;
  /**
   * Migrates the rows and repeats later erasures.
   * @param unsettled see `Snapshot`
   */
  prepare(unsettled: number | undefined): Promise<void>;
  /** Like `prepare`, for the rows of a history that moves here. The history continues where it was. */
  prepareMoved(): Promise<void>;
  /** Replaces the current history. */
  takePlace(): Promise<void>;
  /** Removes the leftover tables. Until then no server can start. */
  end(): Promise<void>;
}

/** Prepares a restore. @throws Error like `connectAlone` */
export async function restoring(
  dialect: ServerDialect,
  open: (dialect: ServerDialect, options: { onFailure: (error: Error) => void }) => Promise<ErasingHistory>,
): Promise<Restoring> {
  const connection = await connectAlone(dialect);
  const side = beside(dialect);
  try {
    // Throws if the tables are another program's, which the restore would drop.
    await hasHistory(connection, dialect);
    await connection.query(dialect.withoutTimeouts);
    await removeRecording(connection, dialect);
    await removeBeside(connection, dialect);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  const onSide = async <T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> => {
    const one = await side.connect();
    try {
      await one.query(dialect.withoutTimeouts);
      return await work(one);
    } finally {
      one.destroy();
    }
  };
  /** Loads the rows. A separate connection, which checks the references between tables. */
  let loader: DatabaseConnection | undefined;
  async function prepareMoved(): Promise<void> {
    loader?.destroy();
    await onSide(async (one) => {
      await migrate(one, side, () => {});
      await one.query(raw(freeConsumers));
    });
  }
  return {
    async makeTables(format) {
      const one = await side.connect();
      loader = one;
      await one.query(dialect.withoutTimeouts);
      await migrate(one, side, () => {}, { upTo: format });
      // Some migrations insert rows.
      for (const table of portableTables) await one.query(deleteRowsOf(table));
      const found = await columnsOf(one, dialect, portableTables.map(besideName));
      const columns = new Map(portableTables.map((table) => [table, found.get(besideName(table)) ?? []]));
      const reads = rowsIn(one, dialect, columns);
      return {
        ...reads,
        async insert(table, rows) {
          await one.queryPatiently(dialect.insert(table, columns.get(table) ?? [], rows));
        },
        async remove(table, keys) {
          await one.queryPatiently(deleteRowsWith(dialect, table, keys));
        },
        async setNextNumber(table, num) {
          await one.queryPatiently(dialect.setNextNumber(table, num));
        },
        async *rows(table) {
          await one.query(raw('BEGIN'));
          yield* reads.rows(table);
          await one.query(raw('COMMIT'));
        },
      };
    },
    prepareMoved,
    async prepare(unsettled) {
      await prepareMoved();
      const there = await tablesThere(connection, dialect);
      await onSide(async (one) => {
        for (const statement of endLog) await one.queryPatiently(raw(statement));
      });
      const into = raw(besideName('chat_erased'));
      const inCopy = sql`EXISTS (SELECT 1 FROM ${into} AS new WHERE new.digest = old.digest AND new.at = old.at)`;
      const from = raw('FROM chat_erased AS old');
      // An erasure and its list entry share a transaction. So the copy lacks exactly the erasures that it does not
      // list, except for those of a copy of SQLite since `unsettled`. Apart from these, clocks do not matter.
      const erased = there.includes('chat_erased')
        ? await connection.queryPatiently(
            sql`SELECT digest, at, erases ${from} WHERE NOT ${inCopy} OR at >= ${unsettled ?? Number.MAX_SAFE_INTEGER}`,
          )
        : [];
      const listed = erased.map(({ digest, at, erases }) => ({
        digest: digest as string,
        at: at as number,
        messages: erases as ErasedMessages,
      }));
      const lost = listed.length === 0 ? [] : await onSide((one) => lostErasures(one, dialect, listed));
      // Unfinished erasures continue here, because no change-log entry will start a server's erasure task.
      const [unfinished] = await onSide((one) => one.query(raw('SELECT user_id FROM chat_erasures LIMIT 1')));
      if (lost.length > 0 || unfinished !== undefined) {
        const history = await open(side, {
          onFailure(error) {
            throw error;
          },
        });
        await eraseAgain(history, lost).finally(() => history.close());
      }
      if (there.includes('chat_erased')) {
        await connection.queryPatiently(
          sql`INSERT INTO ${into} (digest, at, erases) SELECT digest, at, erases ${from} WHERE NOT ${inCopy}`,
        );
      }
      await onSide(async (one) => {
        for (const statement of forRestored()) await one.queryPatiently(raw(statement));
        await one.query(raw('DELETE FROM chat_writers'));
      });
    },
    takePlace: () =>
      takePlace(connection, dialect).catch(async (error: unknown) => {
        // The locks of the transaction would block reads of the current history.
        await connection.query(raw('ROLLBACK')).catch(() => {});
        throw error;
      }),
    async end() {
      loader?.destroy();
      // If this fails, the next restore removes the tables.
      await removeBeside(connection, dialect).catch(() => {});
      connection.destroy();
    },
  };
}

/** Finds the users of the restored history among these erasures. */
async function lostErasures(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  listed: readonly ListedErasure[],
): Promise<LostErasure[]> {
  const [key] = await connection.query(raw('SELECT digest FROM chat_digest_key'));
  const digestKey = Buffer.from(key?.digest as string, 'hex');
  const byDigest = erasuresByDigest(listed);
  const columns = await connection.query(
    sql`SELECT table_name AS table_name, column_name AS column_name FROM information_schema.columns
      WHERE table_schema = ${dialect.schema} AND table_name LIKE ${`${besideName('chat')}%`}`,
  );
  const found = new Map<string, LostErasure>();
  for (const { table_name: table, column_name: column } of columns) {
    const isUser = table === besideName('chat_users') && column === 'id';
    if (!isUser && !namesOfUsers.includes(column as string)) continue;
    // The name already has the prefix, so `redirect` does not change it.
    const rows = await connection.queryPatiently({
      text: `SELECT DISTINCT ${column} AS id FROM ${table} WHERE ${column} IS NOT NULL`,
      values: [],
    });
    for (const { id } of rows) {
      const one = byDigest.get(erasedDigest(digestKey, id as string));
      if (one !== undefined) found.set(id as string, { user: id as string, ...one });
    }
  }
  return [...found.values()];
}
