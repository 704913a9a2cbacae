import { chmodSync, closeSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { claim } from './claim.ts';
import type { Container, Saved } from './container.ts';

/** The limit of the wait for a backup that has the database locked. */
const lockTimeoutMs = 1000;
const expiredPerQuery = 200;

interface Row {
  data: Uint8Array;
  revision: number;
  lifetime: number;
  /** Null if the session does not expire. */
  expires: number | null;
}

/** `sqlite:PATH` has a row per session. */
export function sqliteContainer(path: string): Container {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Created with this mode, so that other accounts can never read it. SQLite copies the mode to its other files.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  // A lock on the database itself would prevent backups.
  const lock = claim(`${realpathSync(path)}-lock`, path);
  const db = new DatabaseSync(path, { timeout: lockTimeoutMs });
  db.exec('PRAGMA journal_mode = WAL');
  // Overwrites deleted sessions in the file.
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
    `SELECT id, expires FROM sessions WHERE (expires, id) > (?1, ?2) AND expires <= ?3 ORDER BY expires, id LIMIT ${expiredPerQuery}`,
  );
  let count = db.prepare('SELECT count(*) AS n FROM sessions').get()?.n as number;
  const toColumn = (expiresAt: number) =>
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
        lifetimeSeconds: lifetime,
        expiresAt: expires ?? Number.POSITIVE_INFINITY,
      } satisfies Saved;
    },
    async commit(id, { data, revision, lifetimeSeconds, expiresAt }) {
      count += writeDurably(db, () => {
        const values = [id, data, revision, lifetimeSeconds, toColumn(expiresAt)] as const;
        return Number(update.run(...values).changes) > 0 ? 0 : Number(insert.run(...values).changes);
      });
    },
    async touch(id, revision, expiresAt) {
      touch.run(toColumn(expiresAt), id, revision);
    },
    async destroy(id) {
      const removed = writeDurably(db, () => Number(remove.run(id).changes));
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
      lock.close();
    },
  };
}

/** Runs a transaction that survives a power failure. Touches are not durable, which saves a disk sync per page view. */
function writeDurably<T>(db: DatabaseSync, work: () => T): T {
  db.exec('PRAGMA synchronous = FULL');
  try {
    db.exec('BEGIN IMMEDIATE');
    const result = work();
    db.exec('COMMIT');
    return result;
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
    db.exec('PRAGMA synchronous = NORMAL');
  }
}
