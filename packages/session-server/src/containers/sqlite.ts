import { chmodSync, closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { claim } from '../claim.ts';
import type { Container, Saved } from './container.ts';

/** Milliseconds to wait for the database: a backup, for instance, may lock it for a moment. */
const lockTimeout = 1000;
/** How many expired sessions one query returns. */
const page = 200;

interface Row {
  data: Uint8Array;
  revision: number;
  lifetime: number;
  /** Null for never. */
  expires: number | null;
}

/** `sqlite:PATH`: one row per session, and one transaction per commit. */
export function sqliteContainer(path: string): Container {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Created before SQLite does it, so that other users can never read it. SQLite's other files get the same mode.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  // Not a lock on the database itself, which others may read: a backup, for instance.
  const claimed = claim(
    `${realpathSync(path)}-lock`,
    `${path} is in use by another session server: stop that one, or use another SESSION_SERVER_CONTAINER`,
  );
  const db = new DatabaseSync(path, { timeout: lockTimeout });
  db.exec('PRAGMA journal_mode = WAL');
  // Overwrites deleted data, so that it cannot be found in the file.
  db.exec('PRAGMA secure_delete = ON');
  db.exec(`CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, data BLOB NOT NULL, revision INTEGER NOT NULL, lifetime INTEGER NOT NULL, expires INTEGER
  ) STRICT`);
  db.exec('CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires)');
  const select = db.prepare('SELECT data, revision, lifetime, expires FROM sessions WHERE id = ?');
  const insert = db.prepare(
    'INSERT INTO sessions (id, data, revision, lifetime, expires) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const update = db.prepare(
    'UPDATE sessions SET data = ?2, revision = ?3, lifetime = ?4, expires = ?5 WHERE id = ?1',
  );
  const touch = db.prepare('UPDATE sessions SET expires = ? WHERE id = ? AND revision = ?');
  const remove = db.prepare('DELETE FROM sessions WHERE id = ?');
  const expired = db.prepare(
    `SELECT id, expires FROM sessions WHERE (expires, id) > (?1, ?2) AND expires <= ?3 ORDER BY expires, id LIMIT ${page}`,
  );
  let count = db.prepare('SELECT count(*) AS n FROM sessions').get()?.n as number;
  const timeOf = (expiresAt: number) =>
    expiresAt === Number.POSITIVE_INFINITY ? null : Math.ceil(expiresAt);

  return {
    get count() {
      return count;
    },
    async open(id) {
      const row = select.get(id) as Row | undefined;
      if (row === undefined) return null;
      const { data, revision, lifetime, expires } = row;
      return {
        data: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        revision,
        lifetime,
        expiresAt: expires ?? Number.POSITIVE_INFINITY,
      } satisfies Saved;
    },
    async commit(id, { data, revision, lifetime, expiresAt }) {
      count += durably(db, () => {
        const values = [id, data, revision, lifetime, timeOf(expiresAt)] as const;
        return Number(update.run(...values).changes) > 0 ? 0 : Number(insert.run(...values).changes);
      });
    },
    async touch(id, revision, expiresAt) {
      touch.run(timeOf(expiresAt), id, revision);
    },
    async destroy(id) {
      const removed = durably(db, () => Number(remove.run(id).changes));
      count -= removed;
      return removed > 0;
    },
    async *expire(now) {
      let [expires, id] = [Number.MIN_SAFE_INTEGER, ''];
      for (;;) {
        const rows = expired.all(expires, id, now) as { id: string; expires: number }[];
        for (const row of rows) yield row.id;
        const last = rows.at(-1);
        if (last === undefined) return;
        ({ expires, id } = last);
      }
    },
    async close() {
      db.close();
      claimed.close();
    },
  };
}

/**
 * Runs a transaction that survives the loss of power (FULL). A touch need not survive it: with NORMAL it spares each
 * page view a sync to the disk.
 */
function durably<T>(db: DatabaseSync, work: () => T): T {
  db.exec('PRAGMA synchronous = FULL');
  try {
    db.exec('BEGIN IMMEDIATE');
    const done = work();
    db.exec('COMMIT');
    return done;
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
    db.exec('PRAGMA synchronous = NORMAL');
  }
}
