import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { migrationsFolder, migrationsOf } from '../migrations.ts';
import { type DatabaseConnection, raw, type ServerDialect, sql } from './dialect.ts';
import { lastMigration, makeMigrations, migrationRows } from './schema.ts';

/** The delay between attempts to take the lock. */
const retryDelayMs = 100;

/** The name of the migration that starts, or `waiting` while another server migrates. */
export type Migrating = { migration: string } | 'waiting';

/**
 * Migrates the tables step by step. Servers that start together wait for each other. Migrations have no timeout,
 * because indexing millions of rows takes minutes. A migration only adds to what the previous version uses, so both
 * versions can run side by side. A later version removes what is no longer used.
 * @param options.upTo the number of the last migration to run
 * @throws UnknownTables if this version cannot use the tables
 */
export async function migrate(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  onProgress: (is: Migrating) => void,
  { folder = migrationsFolder, upTo = Number.POSITIVE_INFINITY } = {},
): Promise<void> {
  const steps = migrationsOf(dialect.name, folder).slice(0, upTo);
  await lock(connection, dialect, onProgress);
  try {
    await connection.query(raw(makeMigrations));
    const last = lastMigration(await connection.query(migrationRows), steps);
    if (last < steps.length) await connection.query(dialect.withoutTimeouts);
    for (const [index, { name, needs, statements, fingerprint }] of steps.entries()) {
      if (index < last) continue;
      // In a new history, migrations are instant.
      if (last > 0) onProgress({ migration: name });
      await connection.query(raw('BEGIN'));
      for (const statement of statements) await connection.queryPatiently(raw(statement));
      await connection.query(
        sql`INSERT INTO chat_migrations (num, needs, fingerprint) VALUES (${index + 1}, ${needs}, ${fingerprint})`,
      );
      await connection.query(raw('COMMIT'));
    }
    const [key] = await connection.query(raw('SELECT digest FROM chat_digest_key'));
    if (key === undefined) {
      await connection.query(
        sql`INSERT INTO chat_digest_key (digest) VALUES (${randomBytes(32).toString('hex')})`,
      );
    }
  } finally {
    await connection.query(dialect.unlock).catch(() => {});
  }
}

/** Returns the key of the history's digests. */
export async function digestKeyIn(connection: DatabaseConnection): Promise<Uint8Array> {
  const [row] = await connection.query(raw('SELECT digest FROM chat_digest_key'));
  return Buffer.from(row?.digest as string, 'hex');
}

async function lock(
  connection: DatabaseConnection,
  { tryLock }: ServerDialect,
  onProgress: (is: Migrating) => void,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const [row] = await connection.query(tryLock);
    if (row?.num === 1) return;
    if (attempt === 0) onProgress('waiting');
    await pause(retryDelayMs);
  }
}
