import { z } from 'zod';

/** The form of backups that this version writes. It reads older ones too. */
export const formatNow = 1;

/** The names of the entries. That of a file goes on with its id. */
export const entries = {
  manifest: 'php-session-chat.json',
  /** That of SQLite is the database itself; the others are the rows, as its program writes them. */
  history: { sqlite: 'history.db', postgres: 'history.copy', mysql: 'history.sql' },
  files: 'files/',
} as const;

/** The first entry of a backup. */
export const manifest = z.object({
  format: z.int().min(1),
  /** When the copy of the history began, in milliseconds of the epoch. */
  made: z.int().min(0),
  history: z.enum(['sqlite', 'postgres', 'mysql']),
  /** The number of the last migration. */
  migrations: z.int().min(1),
  /** Whether files are in it. */
  files: z.boolean(),
  /** Of a history in SQLite: the list of erasures, as it was before the copy. */
  erased: z.object({ bytes: z.int().min(0), sha256: z.string() }).optional(),
});
export type Manifest = z.output<typeof manifest>;

/** Bytes. */
export const largestManifest = 64 * 1024;
