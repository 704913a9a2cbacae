import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { type Migration, migrationsFolder, migrationsOf, ownMigrations } from '../../migrations.ts';
import type { Row } from '../../records/columns.ts';
import { lastMigration, makeMigrations, migrationRows, tooNew } from '../schema.ts';
import { catalogues, requireShape } from '../shape.ts';

/**
 * Migrates the file step by step, each step in its own transaction.
 * @param options.upTo the number of the last migration to run
 * @param options.onProgress called before each migration, except in a new history, where they are instant
 * @throws UnknownTables if this version cannot use the tables
 */
export function migrate(
  db: DatabaseSync,
  {
    folder = migrationsFolder,
    upTo = Number.POSITIVE_INFINITY,
    onProgress = (_: { migration: string }): void => {},
  } = {},
): void {
  const steps = migrationsOf('SQLite', folder).slice(0, upTo);
  const last = formatOf(db, steps);
  for (const [index, { name, statements, needs, fingerprint }] of steps.entries()) {
    if (index < last) continue;
    if (last > 0) onProgress({ migration: name });
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const statement of [...statements, makeMigrations]) db.exec(statement);
      db.prepare('INSERT INTO chat_migrations (num, needs, fingerprint) VALUES (?, ?, ?)').run(
        index + 1,
        needs,
        fingerprint,
      );
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
  if (db.prepare('SELECT 1 FROM chat_digest_key').get() === undefined) {
    db.prepare('INSERT INTO chat_digest_key (digest) VALUES (?)').run(randomBytes(32).toString('hex'));
  }
}

/** Returns the key of the history's digests. */
export function digestKeyOf(db: DatabaseSync): Uint8Array {
  return Buffer.from(db.prepare('SELECT digest FROM chat_digest_key').get()?.digest as string, 'hex');
}

/**
 * Returns the number of the last migration of a file; 0 for an empty file.
 * @throws UnknownTables if this version cannot use the tables, or a newer version wrote them
 */
export function formatOf(db: DatabaseSync, known: readonly Migration[] = ownMigrations('SQLite')): number {
  const last = lastMigration(migrationsIn(db), known);
  if (last > known.length) throw tooNew(last, known.length);
  if (last > 0) requireShape(db.prepare(catalogues.SQLite.text).all() as Row[], known, last);
  return last;
}

/** Returns the rows of `chat_migrations`. Each migration and its row share a transaction. */
function migrationsIn(db: DatabaseSync): Row[] {
  const has = (table: string) =>
    db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !== undefined;
  if (has('chat_migrations')) return db.prepare(migrationRows.text).all();
  return has('chat_rooms') ? [{ num: 1 }] : [];
}
