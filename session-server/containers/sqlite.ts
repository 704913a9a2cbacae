import { chmodSync, closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { claim } from '../../server/claim.ts';
import type { Container, Saved } from './container.ts';

/** Another program may hold the file for a moment, a backup for instance. */
const lockTimeout = 1000;
/** Found at a time when sessions that are over are looked for. */
const page = 200;

interface Row {
  data: Uint8Array;
  revision: number;
  lifetime: number;
  /** Null for never. */
  expires: number | null;
}

/** One row a session, and one transaction a commit. */
export function sqliteContainer(path: string): Container {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Made before SQLite does, so that nobody else can read it at any moment; its other files take the mode of this one.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  // Not a lock on the database itself, which others may read: a backup, for instance.
  const claimed = claim(
    `${realpathSync(path)}-lock`,
    `${path} is in use by another session daemon: stop it, or set SESSION_SERVER_CONTAINER to another place`,
  );
  const db = new DatabaseSync(path, { timeout: lockTimeout });
  db.exec('PRAGMA journal_mode = WAL');
  // What was removed from a session is not to be found in the file.
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
  const over = db.prepare(
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
        const rows = over.all(expires, id, now) as { id: string; expires: number }[];
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
 * With FULL a transaction survives the loss of power. Where a session is only used anew it need not, and NORMAL spares
 * the sync to the disk that each page view would cost.
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
