import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { goneRooms } from '../../records/room.ts';
import { termsVersion } from '../terms.ts';

/** Returns the path of the search index, next to the history. */
export const indexOf = (path: string): string => `${path}-search`;

/**
 * The tables of the search index. `terms` has a bit for each message of a block that contains the term, and
 * `block_terms` a bit for each block of a group. `group_times` has the range of the times at which the messages of a group
 * were sent, for groups with terms. `state` is how far the index has followed the history.
 */
export const indexTables = {
  terms:
    'terms (room INTEGER NOT NULL, block INTEGER NOT NULL, term INTEGER NOT NULL, messages INTEGER NOT NULL, ' +
    'PRIMARY KEY (room, block, term)) STRICT, WITHOUT ROWID',
  block_terms:
    'block_terms (room INTEGER NOT NULL, block_group INTEGER NOT NULL, term INTEGER NOT NULL, blocks INTEGER NOT NULL, ' +
    'PRIMARY KEY (room, block_group, term)) STRICT, WITHOUT ROWID',
  group_times:
    'group_times (room INTEGER NOT NULL, block_group INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, ' +
    'PRIMARY KEY (room, block_group)) STRICT, WITHOUT ROWID',
  state:
    'state (generation TEXT NOT NULL, message INTEGER NOT NULL, change INTEGER NOT NULL, folding INTEGER NOT NULL) STRICT',
} as const;

/**
 * How far the index has followed the history: the last message, the last change of a text, and the history's
 * generation.
 */
export interface IndexState {
  generation: string;
  message: number;
  change: number;
}

/** Generations that are remembered. An index of an older one is rebuilt. */
const maxGenerations = 1000;

/**
 * Starts a generation of the history. Call it at each start, before other writes. From the numbers stored here,
 * `isContinued` detects an index that has followed another copy of this file.
 */
export function beginGeneration(history: DatabaseSync): void {
  history.exec(`
    INSERT INTO generations (id, message, change)
      SELECT hex(randomblob(16)), max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages)) - 1,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'former_texts'), 0) FROM next_message;
    DELETE FROM generations WHERE num <= (SELECT max(num) FROM generations) - ${maxGenerations};
  `);
}

export function currentGeneration(history: DatabaseSync): string {
  return history.prepare('SELECT id FROM generations ORDER BY num DESC LIMIT 1').get()?.id as string;
}

/** Whether the index belongs to this history. If not, it followed another copy, or is too old. */
export function isContinued(history: DatabaseSync, { generation, message, change }: IndexState): boolean {
  const generationRow = history.prepare('SELECT num FROM generations WHERE id = ?').get(generation);
  if (generationRow === undefined) return false;
  const next = history
    .prepare('SELECT message, change FROM generations WHERE num > ? ORDER BY num LIMIT 1')
    .get(generationRow.num as number);
  return next === undefined || (message <= (next.message as number) && change <= (next.change as number));
}

/** Returns the state of an index, or undefined if another version created its tables or terms. */
export function stateOf(index: DatabaseSync): IndexState | undefined {
  const tables = index.prepare(`SELECT name, sql FROM sqlite_master WHERE type = 'table'`).all();
  const schemaByTable = new Map(tables.map(({ name, sql }) => [name, sql as string]));
  for (const [name, form] of Object.entries(indexTables)) {
    if (!schemaByTable.get(name)?.endsWith(form)) return undefined;
  }
  return index.prepare('SELECT generation, message, change FROM state WHERE folding = ?').get(termsVersion) as
    | IndexState
    | undefined;
}

/** Whether the index is complete, so that the search thread need not start yet. */
export function isIndexed(path: string): boolean {
  const history = new DatabaseSync(path, { readOnly: true });
  try {
    const { changed, deleted, newest } = history
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM former_texts) AS changed, EXISTS (SELECT 1 FROM chat_rooms WHERE ${goneRooms}) AS deleted,
           (SELECT coalesce(max(num), 0) FROM chat_messages) AS newest`,
      )
      .get() as { changed: number; deleted: number; newest: number };
    if (changed === 1 || deleted === 1) return false;
    if (newest === 0 && !existsSync(indexOf(path))) return true;
    const state = stateIn(indexOf(path));
    return state !== undefined && state.message >= newest && isContinued(history, state);
  } finally {
    history.close();
  }
}

/** Returns the state of an index file; undefined if it is missing or cannot be read. */
function stateIn(file: string): IndexState | undefined {
  if (!existsSync(file)) return undefined;
  let index: DatabaseSync | undefined;
  try {
    index = new DatabaseSync(file, { readOnly: true });
    return stateOf(index);
  } catch {
    return undefined;
  } finally {
    index?.close();
  }
}
