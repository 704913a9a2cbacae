import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { goneRooms } from '../rows.ts';

/** The file of the index for searching, beside the history. */
export const indexOf = (path: string): string => `${path}-search`;

/** Whether that index holds all of a history, so that its thread has nothing to do before something is written. */
export function isIndexed(path: string): boolean {
  const history = new DatabaseSync(path, { readOnly: true });
  try {
    const { newest, changed, deleted } = history
      .prepare(
        `SELECT (SELECT max(num) FROM messages) AS newest, EXISTS (SELECT 1 FROM former_texts) AS changed,
           EXISTS (SELECT 1 FROM rooms WHERE ${goneRooms}) AS deleted`,
      )
      .get() as { newest: number | null; changed: number; deleted: number };
    if (changed === 1 || deleted === 1) return false;
    return newest === null || newest === newestIn(indexOf(path));
  } finally {
    history.close();
  }
}

/** The number of the newest message in an index. One that cannot be read is made again by its thread. */
function newestIn(index: string): number | undefined {
  if (!existsSync(index)) return undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(index, { readOnly: true });
    return db.prepare('SELECT message FROM state').get()?.message as number | undefined;
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
