import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type DatabaseName, ownMigrations } from '../history/migrations.ts';

/**
 * The format that this version writes. Builds before the first release wrote format 1, with files of databases, and
 * format 2, without the change log.
 */
export const formatNow = 3;

/** The names of the entries. `tables/` is followed by the name of a table, `files/` by the ID of a file. */
export const entries = {
  manifest: 'php-session-chat.json',
  tables: 'tables/',
  files: 'files/',
} as const;

/** Unix ms of a `Date`. */
const time = z.int().min(0).max(8_640_000_000_000_000);

/** The first entry of a backup. It does not name the database: a backup can be restored into each. */
export const manifest = z.object({
  format: z.int().min(1),
  /** When the copy of the history started, in Unix ms. */
  made: time,
  /** The number of the last migration. */
  migrations: z.int().min(1),
  /** The fingerprint of the tables. */
  tables: z.string(),
  /** Whether the backup contains files. */
  files: z.boolean(),
  /** See `Snapshot`. */
  unsettled: time.optional(),
});
export type Manifest = z.output<typeof manifest>;

/** Maximum size of the manifest, in bytes. */
export const largestManifest = 64 * 1024;

const databases: readonly DatabaseName[] = ['SQLite', 'PostgreSQL', 'MariaDB'];

/**
 * Returns the fingerprint of the tables after a migration, in all databases; undefined if this version does not know
 * the migration.
 */
export function tablesAfter(migration: number): string | undefined {
  const fingerprints = databases.map((name) => ownMigrations(name)[migration - 1]?.fingerprint);
  return fingerprints.includes(undefined)
    ? undefined
    : createHash('sha256').update(fingerprints.join()).digest('hex');
}
