import { readdirSync, readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { findKeys, nameKey, sortKey } from '../text-keys.ts';

const folder = new URL('./migrations/', import.meta.url);

/**
 * Migrates the file to the newest schema, one numbered migration after the other, each in a transaction of its own.
 * `user_version` is the number of the last one.
 * @throws Error when the file was written by a newer version of this server
 */
export function migrate(db: DatabaseSync): void {
  const steps = readdirSync(folder)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort();
  const done = db.prepare('PRAGMA user_version').get()?.user_version as number;
  if (done > steps.length) {
    throw new Error(
      `the history was written by a newer version (format ${done}, this version knows ${steps.length})`,
    );
  }
  if (done === steps.length) return;
  // For the migrations alone: what SQL cannot compute as the server does.
  db.function('name_key', { deterministic: true }, (name) => nameKey(String(name)));
  db.function('sort_key', { deterministic: true }, (name) => sortKey(String(name)));
  db.function('find_keys', { deterministic: true }, (id, name) =>
    JSON.stringify(findKeys({ id: String(id), name: String(name) })),
  );
  for (const [index, name] of steps.entries()) {
    if (index < done) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      db.exec(readFileSync(new URL(name, folder), 'utf8'));
      db.exec(`PRAGMA user_version = ${index + 1}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}
