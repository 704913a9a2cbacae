import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { keyOfTable, portableTables, type RecordedSnapshot, type Recording } from '../portable.ts';
import { changedKeys, leaseMs, MissedChanges, recordingTables } from '../recorded.ts';
import { openFileState } from './snapshot.ts';

/** Keys that one step removes after a kill. */
const keysPerStep = 1000;

/** How long to wait for the server's transactions. */
const lockTimeoutMs = 10_000;

const { changes, lease } = recordingTables;
const now = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`;

/** `chat_erased` is a file, which only grows: see erased.ts. */
const recordedTables = portableTables.filter((table) => table !== 'chat_erased');

/** Records the keys of changed rows in a file, whose server may be running. @throws Error of SQLite */
export function recordFile(path: string): Recording {
  const id = randomUUID();
  // Each time a new connection, so that a restored file is noticed.
  const using = <T>(work: (db: DatabaseSync) => T): T => withFile(path, work);
  using((db) => {
    db.exec('BEGIN IMMEDIATE');
    db.exec(removal());
    db.exec(`CREATE TABLE ${changes} (num INTEGER PRIMARY KEY, name TEXT NOT NULL, row_key TEXT NOT NULL) STRICT;
      CREATE TABLE ${lease} (id TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
      INSERT INTO ${lease} SELECT '${id}', ${now} + ${leaseMs}`);
    for (const table of recordedTables) db.exec(triggers(table));
    db.exec('COMMIT');
  });
  return {
    async open(): Promise<RecordedSnapshot> {
      const { snapshot, more } = await openFileState(path, (db, erased) => {
        const rows = db.prepare(`SELECT num, name, row_key FROM ${changes}`).all();
        const keys = rows.map(({ name, row_key }) => [name as string, row_key as string] as const);
        const changed = changedKeys(keys);
        // The list is short, so all of it is copied again.
        changed.set(
          'chat_erased',
          erased.map(({ digest, at }) => [digest, at]),
        );
        return { changed, upTo: Math.max(0, ...rows.map(({ num }) => num as number)) };
      });
      return {
        ...snapshot,
        changed: more.changed,
        async forget() {
          using((db) => db.prepare(`DELETE FROM ${changes} WHERE num <= ?`).run(more.upTo));
        },
      };
    },
    async check() {
      using((db) => {
        if (!isRecorded(db, id)) throw new MissedChanges();
        db.exec(`UPDATE ${lease} SET until = ${now} + ${leaseMs} WHERE until > ${now}`);
      });
    },
    async end() {
      if (using((db) => isRecorded(db, id))) removeFileRecording(path);
    },
  };
}

/** Whether changes are being recorded, or were until a kill. @param id only by this recording */
export function isRecorded(db: DatabaseSync, id?: string): boolean {
  if (db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(lease) === undefined) return false;
  return (
    id === undefined ||
    db.prepare(`SELECT 1 FROM ${lease} WHERE id = ? AND until > ${now}`).get(id) !== undefined
  );
}

/** Stops the recording of another process, and removes its triggers and tables. */
export const removeFileRecording = (path: string): void =>
  withFile(path, (db) => {
    if (isRecorded(db)) db.exec(`BEGIN IMMEDIATE; ${removal()}; COMMIT`);
  });

function withFile<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path, { timeout: lockTimeoutMs });
  try {
    // Keys contain the IDs and names of users, who may be erased later.
    db.exec('PRAGMA secure_delete = ON');
    return work(db);
  } finally {
    db.close();
  }
}

const events = ['insert', 'update', 'delete'] as const;

const removal = () =>
  [
    ...recordedTables.flatMap((table) =>
      events.map((event) => `DROP TRIGGER IF EXISTS moving_${event}_${table}`),
    ),
    `DROP TABLE IF EXISTS ${changes}`,
    `DROP TABLE IF EXISTS ${lease}`,
  ].join(';');

/**
 * Deletes some keys that a killed process recorded, because an erasure does not find them. Call it in a transaction, if
 * `isRecorded`.
 * @returns whether more may be left
 */
export function forgetKilled(db: DatabaseSync): boolean {
  // Without the lease, `check` detects that keys were deleted.
  db.exec(`DELETE FROM ${lease} WHERE until <= ${now}`);
  const { changes: deleted } = db
    .prepare(
      `DELETE FROM ${changes} WHERE num IN
         (SELECT num FROM ${changes} WHERE NOT EXISTS (SELECT 1 FROM ${lease}) LIMIT ${keysPerStep})`,
    )
    .run();
  return Number(deleted) > 0;
}

/** A change that is not recorded deletes the lease, so that `check` detects it. */
function triggers(table: string): string {
  const key = (row: 'OLD' | 'NEW') =>
    `json_array(${keyOfTable(table)
      .map((column) => `${row}.${column}`)
      .join(', ')})`;
  const keys = {
    insert: `SELECT ${key('NEW')}`,
    update: `SELECT ${key('OLD')} UNION SELECT ${key('NEW')}`,
    delete: `SELECT ${key('OLD')}`,
  };
  return events
    .map(
      (event) => `CREATE TRIGGER moving_${event}_${table} AFTER ${event.toUpperCase()} ON ${table} BEGIN
        INSERT INTO ${changes} (name, row_key)
          SELECT '${table}', changed.* FROM (${keys[event]}) AS changed JOIN ${lease} ON until > ${now};
        DELETE FROM ${lease} WHERE until <= ${now};
      END`,
    )
    .join(';');
}
