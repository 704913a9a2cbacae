import { z } from 'zod';
import { type DatabaseName, ownMigrations } from '../history/migrations.ts';

/** The format that this version writes. It can also read older formats. */
export const formatNow = 1;

/** The names of the entries. For a file, `files/` is followed by its ID. */
export const entries = {
  manifest: 'php-session-chat.json',
  /** For SQLite the database file, otherwise the rows as pg_dump or mariadb-dump writes them. */
  history: { sqlite: 'history.db', postgres: 'history.copy', mysql: 'history.sql' },
  files: 'files/',
} as const;

/** The first entry of a backup. */
export const manifest = z.object({
  format: z.int().min(1),
  /** When the copy of the history started, in Unix ms. */
  made: z.int().min(0),
  history: z.enum(['sqlite', 'postgres', 'mysql']),
  /** The number of the last migration. */
  migrations: z.int().min(1),
  /** The fingerprint of the tables. Optional, because older builds did not write it. */
  tables: z.string().optional(),
  /** Whether the backup contains files. */
  files: z.boolean(),
  /** For SQLite, a fingerprint of the list of erasures before the copy. */
  erased: z.object({ bytes: z.int().min(0), sha256: z.string() }).optional(),
});
export type Manifest = z.output<typeof manifest>;

/** Maximum size of the manifest, in bytes. */
export const largestManifest = 64 * 1024;

export const databases: Record<Manifest['history'], DatabaseName> = {
  sqlite: 'SQLite',
  postgres: 'PostgreSQL',
  mysql: 'MariaDB',
};

/** Returns the fingerprint of the tables after a migration; undefined if this version does not know it. */
export const tablesAfter = (history: Manifest['history'], migration: number): string | undefined =>
  ownMigrations(databases[history])[migration - 1]?.fingerprint;
