import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { goneRooms } from '../../rooms/room.ts';

/** The file of the index for searching, beside the history. */
export const indexOf = (path: string): string => `${path}-search`;

/**
 * The index holds which messages of a block have a term, one bit each; which blocks of a group have it; and how far it has
 * followed the history.
 */
export const indexTables = {
  terms:
    'terms (room INTEGER NOT NULL, block INTEGER NOT NULL, term INTEGER NOT NULL, messages INTEGER NOT NULL, ' +
    'PRIMARY KEY (room, block, term)) STRICT, WITHOUT ROWID',
  block_terms:
    'block_terms (room INTEGER NOT NULL, block_group INTEGER NOT NULL, term INTEGER NOT NULL, blocks INTEGER NOT NULL, ' +
    'PRIMARY KEY (room, block_group, term)) STRICT, WITHOUT ROWID',
  state: 'state (generation TEXT NOT NULL, message INTEGER NOT NULL, change INTEGER NOT NULL) STRICT',
} as const;

/** How far the index has followed: up to which message, and which change of a text, in which generation of the history. */
export interface IndexState {
  generation: string;
  message: number;
  change: number;
}

/** How many generations are kept. An index of an older one is made again. */
const mostGenerations = 1000;

/**
 * Begins a generation of the history. To be called at each start, before anything else is written: an index that went on
 * with another copy of this file has then gone further than the generation which both have in common.
 */
export function beginGeneration(history: DatabaseSync): void {
  history.exec(`
    INSERT INTO generations (id, message, change)
      SELECT hex(randomblob(16)), max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages)) - 1,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'former_texts'), 0) FROM next_message;
    DELETE FROM generations WHERE num <= (SELECT max(num) FROM generations) - ${mostGenerations};
  `);
}

export function currentGeneration(history: DatabaseSync): string {
  return history.prepare('SELECT id FROM generations ORDER BY num DESC LIMIT 1').get()?.id as string;
}

/** Whether this history goes on from where the index ends. If not, the index was made from another one. */
export function isContinued(history: DatabaseSync, { generation, message, change }: IndexState): boolean {
  const known = history.prepare('SELECT num FROM generations WHERE id = ?').get(generation);
  if (known === undefined) return false;
  const next = history
    .prepare('SELECT message, change FROM generations WHERE num > ? ORDER BY num LIMIT 1')
    .get(known.num as number);
  return next === undefined || (message <= (next.message as number) && change <= (next.change as number));
}

/** The state of an index that is there, unless it has the form of another version. */
export function stateOf(index: DatabaseSync): IndexState | undefined {
  const tables = index.prepare(`SELECT name, sql FROM sqlite_master WHERE type = 'table'`).all();
  const forms = new Map(tables.map(({ name, sql }) => [name, sql as string]));
  for (const [name, form] of Object.entries(indexTables)) {
    if (!forms.get(name)?.endsWith(form)) return undefined;
  }
  return index.prepare('SELECT generation, message, change FROM state').get() as IndexState | undefined;
}

/** Whether that index holds all of a history, so that its thread has nothing to do before something is written. */
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

/** The state of the index in that file. Its thread makes an index again that cannot be read. */
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
