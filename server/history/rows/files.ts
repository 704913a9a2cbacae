import { raw, sql } from '../engine/dialect.ts';
import {
  type Loader,
  missing,
  type Need,
  needOf,
  type Query,
  type ValueLoader,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import type { Value } from '../records/columns.ts';
import { fileColumns, fileFields, fileFrom, fileRow, fileStates, type StoredFile } from '../records/file.ts';
import type { StoredMessage } from '../records/message.ts';
import { goneRooms } from '../records/room.ts';
import { existingRoom } from './rooms.ts';

/** Detaches a file from its message or room. */
export function release(
  work: Work,
  { room }: Pick<StoredMessage, 'room'>,
  id: string,
  now: { state: 'loose' | 'dropped'; at?: number },
): void {
  const file = getFile(work, room, id);
  if (file !== undefined) setFile(work, { ...file, ...now });
}

// Files in a transaction.

interface LoadedFile {
  row: StoredFile;
  /** The number of its room, or the ID if the transaction creates the room. */
  room: number | string;
  state: 'stored' | 'new' | 'changed';
}

const loadedFiles = (): Map<string, LoadedFile | null> => new Map();

export const idsIn = (ids: Iterable<string>) => [...ids].map((id) => [id]);

const fileLoader: Loader<{ id: string }> = {
  name: 'file',
  /** Locks the files, so that a file is not attached to two messages, and not attached after it is dropped. */
  ask({ dialect }, work, needs): Query[] {
    const files = work.part(loadedFiles);
    const ids = [...new Set(needs.map(({ id }) => id))].filter((id) => !files.has(id)).sort();
    if (ids.length === 0) return [];
    const which = dialect.each(['id'], idsIn(ids));
    return [
      {
        sql: sql`SELECT room, ${raw(fileColumns)} FROM chat_files AS files WHERE ${which} ORDER BY id ${dialect.lock}`,
        take(found) {
          for (const id of ids) files.set(id, null);
          for (const one of found) {
            const row = fileFrom(one);
            files.set(row.id, { row, room: one.room as number, state: 'stored' });
          }
        },
      },
    ];
  },
};

export const fileNeed = (id: string): Need => needOf(fileLoader, { id });

/** Returns the file, if it belongs to this room. */
export function getFile(work: Work, room: string, id: string): StoredFile | undefined {
  const known = work.part(loadedFiles).get(id);
  if (known === undefined) return missing(fileLoader, { id });
  if (known === null || (known.room !== room && known.room !== existingRoom(work, room).num))
    return undefined;
  return known.row;
}

export function insertFile(work: Work, room: string, row: StoredFile): void {
  const files = work.part(loadedFiles);
  work.set(files, row.id, { row, room: existingRoom(work, room).num ?? room, state: 'new' });
}

/** Changes a file that the rule has loaded. */
export function setFile(work: Work, row: StoredFile): void {
  const files = work.part(loadedFiles);
  const known = files.get(row.id) as LoadedFile;
  work.set(files, row.id, { ...known, row, state: known.state === 'new' ? 'new' : 'changed' });
}

/** Files to delete. */
interface Doomed {
  /** The IDs of their bytes, by file ID. */
  stored: ReadonlyMap<string, string>;
  /** Other files that are not dropped and share these bytes, by the ID of the bytes. */
  sharing: ReadonlyMap<string, readonly string[]>;
}

/**
 * Loads the files to delete. Only for rules that run `alone`, because changes of the same transaction are not taken
 * into account.
 */
const doomedLoader: ValueLoader<{ before: number; most: number }, Doomed> = {
  name: 'files to be deleted',
  *find({ dialect, transaction }, work, needs) {
    // Repeats the condition of the partial index, so that the database uses it.
    const open = raw(`state <> ${fileStates.carried}`);
    for (const need of needs) {
      const { before, most } = need;
      const found = yield* transaction.queryAll(
        [
          sql`${open} AND state = ${fileStates.dropped}`,
          sql`${open} AND state = ${fileStates.loose} AND at < ${before}`,
          sql`room IN (SELECT num FROM chat_rooms WHERE ${raw(goneRooms)})`,
        ].map(
          (some) =>
            sql`SELECT id, stored FROM chat_files WHERE ${some} ORDER BY id LIMIT ${most} ${dialect.lock}`,
        ),
      );
      const stored = new Map(found.flat().map((row) => [row.id as string, row.stored as string]));
      const which = dialect.each(['stored'], idsIn(new Set([...stored.values()].sort())));
      const others =
        stored.size === 0
          ? []
          : yield* transaction.query(
              sql`SELECT id, stored FROM chat_files WHERE ${which} AND state <> ${fileStates.dropped} ${dialect.lock}`,
            );
      const sharing = new Map<string, string[]>();
      for (const row of others) {
        const bytes = row.stored as string;
        sharing.set(bytes, [...(sharing.get(bytes) ?? []), row.id as string]);
      }
      work.keep(doomedLoader, need, { stored, sharing });
    }
    return [];
  },
};

export const doomedFilesNeed = (before: number, most: number): Need => needOf(doomedLoader, { before, most });

/**
 * Returns up to `most` files to delete: dropped files, files orphaned since before `before`, and files of deleted
 * rooms. `stored`: the IDs of the bytes that no remaining file shares.
 */
export function doomedFiles(work: Work, before: number, most: number): { ids: string[]; stored: string[] } {
  const { stored, sharing } = work.value(doomedLoader, { before, most });
  const ids = [...stored.keys()].sort().slice(0, most);
  const going = new Set(ids);
  const isShared = (bytes: string) => (sharing.get(bytes) ?? []).some((id) => !going.has(id));
  const bytes = new Set(ids.map((id) => stored.get(id) as string));
  return { ids, stored: [...bytes].filter((one) => !isShared(one)) };
}

export function storeFiles(context: WriteContext, work: Work): undefined {
  const { dialect, transaction } = context;
  const files = work.part(loadedFiles);
  const fresh: Value[][] = [];
  const changed: Value[][] = [];
  for (const file of files.values()) {
    if (file === null || file.state === 'stored') continue;
    const room = typeof file.room === 'number' ? file.room : (work.rooms.get(file.room)?.num as number);
    (file.state === 'new' ? fresh : changed).push(fileRow(room, file.row));
  }
  if (fresh.length > 0) transaction.later(dialect.insert('chat_files', fileFields, fresh));
  if (changed.length > 0) transaction.later(dialect.upsert('chat_files', ['id'], fileFields, changed));
}
