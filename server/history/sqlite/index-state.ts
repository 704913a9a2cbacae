import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { goneRooms } from '../rows.ts';

/** The file of the index for searching, beside the history. */
export const indexOf = (path: string): string => `${path}-search`;

/** What the index knows of each message: its room, and which pairs its text has, but not where. */
export const indexTable =
  "fts5(room, text, content = '', columnsize = 0, detail = column, tokenize = 'ascii', prefix = '1')";

/** Whether an index that is there has this form, and not that of another version. */
export function hasForm(index: DatabaseSync): boolean {
  const { sql } = index.prepare(`SELECT sql FROM sqlite_master WHERE name = 'pairs'`).get() as {
    sql: string;
  };
  return sql.endsWith(indexTable);
}

/** Whether that index holds all of a history, so that its thread has nothing to do before something is written. */
export function isIndexed(path: string): boolean {
  const history = new DatabaseSync(path, { readOnly: true });
  try {
    const { changed, deleted } = history
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM former_texts) AS changed, EXISTS (SELECT 1 FROM rooms WHERE ${goneRooms}) AS deleted`,
      )
      .get() as { changed: number; deleted: number };
    if (changed === 1 || deleted === 1) return false;
    const newest = history.prepare('SELECT num, id FROM messages ORDER BY num DESC LIMIT 1').get();
    if (newest === undefined && !existsSync(indexOf(path))) return true;
    return newestIn(indexOf(path)) === (newest === undefined ? '0 ' : `${newest.num} ${newest.id}`);
  } finally {
    history.close();
  }
}

/** The newest message in an index, number and id. One that cannot be read is made again by its thread. */
function newestIn(index: string): string | undefined {
  if (!existsSync(index)) return undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(index, { readOnly: true });
    const { message, id } = db.prepare('SELECT message, id FROM state').get() as {
      message: number;
      id: string;
    };
    return hasForm(db) ? `${message} ${id}` : undefined;
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
