import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { migrationsFolder, migrationsOf, tooNew } from '../../migrations.ts';

/**
 * Migrates the file step by step, each step in its own transaction. `user_version` is the number of the last one.
 * @throws Error if a newer version of this server wrote the file
 */
export function migrate(db: DatabaseSync, folder = migrationsFolder): void {
  const steps = migrationsOf('SQLite', folder);
  const done = db.prepare('PRAGMA user_version').get()?.user_version as number;
  if (done > steps.length) throw tooNew(done, steps.length);
  for (const [index, { statements }] of steps.entries()) {
    if (index < done) continue;
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const statement of statements) db.exec(statement);
      db.exec(`PRAGMA user_version = ${index + 1}`);
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
