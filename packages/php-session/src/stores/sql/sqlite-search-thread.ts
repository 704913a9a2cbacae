import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { SearchReply, SqliteSearch } from './sqlite.ts';

/** A thread for searches, one after the other. */
parentPort?.on('message', (search: SqliteSearch) => parentPort?.postMessage(answer(search)));

function answer({ location, sql, pattern }: SqliteSearch): SearchReply {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(location, { readOnly: true, timeout: 0 });
    return { rows: db.prepare(sql).all({ pattern }) };
  } catch (error) {
    const { code, errcode, message } = error as NodeJS.ErrnoException & { errcode?: number };
    return { failed: { code, errcode, message } };
  } finally {
    db?.close();
  }
}
