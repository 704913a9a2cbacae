import { beside, removeBeside } from './beside.ts';
import { requireNotMoved } from './claim.ts';
import type { DatabaseConnection, ServerDialect } from './dialect.ts';
import { migrate } from './migrations.ts';
import { checkRoundTrip } from './round-trip.ts';
import { formatIn } from './schema.ts';

/**
 * Tries what a server does with the database at its start. The history stays unchanged. An empty database has the
 * tables under other names during the trial, unless a server or a restore is creating its own.
 * @throws SqlError, or UnknownTables
 */
export async function tryStart(dialect: ServerDialect): Promise<void> {
  const connection = await dialect.connect();
  try {
    if ((await formatIn(connection, dialect)) > 0) {
      await requireNotMoved(connection);
      return await checkRoundTrip(connection, dialect);
    }
    const [lock] = await connection.query(dialect.tryLock);
    if (lock?.num === 1) await tryMigrations(connection, dialect);
  } finally {
    connection.destroy();
  }
}

/** @param connection has the lock for migrations */
async function tryMigrations(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const side = beside(dialect);
  const one = await side.connect();
  try {
    await removeBeside(connection, dialect);
    await migrate(one, side, () => {});
    await checkRoundTrip(one, side);
  } finally {
    one.destroy();
    // If this fails, the next trial or restore removes the tables.
    await removeBeside(connection, dialect).catch(() => {});
  }
}
