import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { SearchReply, SqliteSearch } from './sqlite.ts';

parentPort?.on('message', (query: SqliteSearch) => parentPort?.postMessage(search(query)));

function search({ location, sql, pattern }: SqliteSearch): SearchReply {
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
