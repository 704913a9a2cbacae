import { raw, sql } from '../engine/dialect.ts';
import { deleteRows } from '../engine/store.ts';
import type { Value } from '../engine/table.ts';
import {
  type Loader,
  missing,
  type Need,
  needOf,
  type Place,
  type Question,
  type Work,
} from '../engine/work.ts';
import type { StoredMessage } from '../messages/message.ts';
import { existingRoom } from '../rooms/loaded.ts';
import { goneRooms } from '../rooms/room.ts';
import { fileColumns, fileFields, fileFrom, fileRow, fileStates, type StoredFile } from './file.ts';

/** A message carries that file no more. */
export function release(
  work: Work,
  { room }: StoredMessage,
  id: string,
  now: { state: 'loose' | 'dropped'; at: number },
): void {
  const file = getFile(work, room, id);
  if (file !== undefined) setFile(work, { ...file, ...now });
}

// Files in a transaction.

interface LoadedFile {
  row: StoredFile;
  /** The number of its room, or the id where that is new too. */
  room: number | string;
  state: 'stored' | 'new' | 'changed';
}

/** Files that are to be deleted, as they are in the database. */
interface Doomed {
  before: number;
  most: number;
  /** How many rooms the transaction had deleted by then. */
  deletedRooms: number;
  /** The files under whose ids their bytes are stored, by their own ids. */
  stored: Map<string, string>;
  /** The files that have bytes among these and are not dropped, by these bytes. */
  sharing: ReadonlyMap<string, readonly string[]>;
}

const loaded = () => ({
  files: new Map<string, LoadedFile | null>(),
  /** Files of the database that are dropped, or forgotten, whatever else is known of them. */
  dropped: new Set<string>(),
  forgotten: new Set<string>(),
  doomed: undefined as Doomed | undefined,
});

const idsIn = (ids: Iterable<string>) => [...ids].map((id) => [id]);

const fileLoader: Loader<{ id: string }> = {
  name: 'file',
  /** They are locked: one belongs to one message, and what is to be deleted gets no message any more. */
  ask({ dialect }, work, needs): Question[] {
    const { files } = work.part(loaded);
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

/** A file that was uploaded into this room. */
export function getFile(work: Work, room: string, id: string): StoredFile | undefined {
  const { files, dropped } = work.part(loaded);
  const known = files.get(id);
  if (known === undefined) return missing(fileLoader, { id });
  if (known === null || (known.room !== room && known.room !== existingRoom(work, room).num))
    return undefined;
  return dropped.has(id) ? { ...known.row, state: 'dropped' } : known.row;
}

export function insertFile(work: Work, room: string, row: StoredFile): void {
  const { files } = work.part(loaded);
  work.set(files, row.id, { row, room: existingRoom(work, room).num ?? room, state: 'new' });
}

/** Changes the state of a file that the rule has asked for. */
export function setFile(work: Work, row: StoredFile): void {
  const { files } = work.part(loaded);
  const known = files.get(row.id) as LoadedFile;
  work.set(files, row.id, { ...known, row, state: known.state === 'new' ? 'new' : 'changed' });
}

const doomedLoader: Loader<{ before: number; most: number }> = {
  name: 'files to be deleted',
  ask({ dialect }, work, needs): Question[] {
    const [sweep] = needs;
    if (sweep === undefined) return [];
    const { before, most } = sweep;
    const { deletedRooms } = work;
    const stored = new Map<string, string>();
    const state = work.part(loaded);
    state.doomed = { before, most, deletedRooms: deletedRooms.length, stored, sharing: new Map() };
    // The condition of the index.
    const open = raw(`state <> ${fileStates.carried}`);
    const which = [
      sql`${open} AND state = ${fileStates.dropped}`,
      sql`${open} AND state = ${fileStates.loose} AND at < ${before}`,
      sql`room IN (SELECT num FROM chat_rooms WHERE ${raw(goneRooms)})`,
    ];
    if (deletedRooms.length > 0) {
      which.push(
        dialect.among(
          ['room'],
          deletedRooms.map((num) => [num]),
        ),
      );
    }
    return which.map((some) => ({
      sql: sql`SELECT id, stored FROM chat_files WHERE ${some} ORDER BY id LIMIT ${most} ${dialect.lock}`,
      take(found) {
        for (const row of found) stored.set(row.id as string, row.stored as string);
      },
    }));
  },
  *finish({ dialect, transaction }, work) {
    const { doomed, files } = work.part(loaded);
    if (doomed === undefined) return;
    const known = [...files.values()].flatMap((file) => (file === null ? [] : [file.row.stored]));
    const bytes = [...new Set([...doomed.stored.values(), ...known])].sort();
    if (bytes.length === 0) return;
    const which = dialect.each(['stored'], idsIn(bytes));
    const found = yield* transaction.query(
      sql`SELECT id, stored FROM chat_files WHERE ${which} AND state <> ${fileStates.dropped} ${dialect.lock}`,
    );
    const sharing = new Map<string, string[]>();
    for (const { id, stored } of found) {
      const others = sharing.get(stored as string);
      if (others === undefined) sharing.set(stored as string, [id as string]);
      else others.push(id as string);
    }
    doomed.sharing = sharing;
  },
};

export const doomedFilesNeed = (before: number, most: number): Need => needOf(doomedLoader, { before, most });

/**
 * Files to be deleted: those that are dropped, loose ones since before that time, and those of deleted rooms. `stored`:
 * the bytes that no other file shares.
 */
export function doomedFiles(work: Work, before: number, most: number): { ids: string[]; stored: string[] } {
  const { files, dropped, forgotten, doomed } = work.part(loaded);
  const changed = [...files.values()]
    .filter((file) => file !== null)
    .filter(({ state }) => state !== 'stored');
  const wanted = most + changed.length + forgotten.size;
  const { deletedRooms } = work;
  if (doomed?.before !== before || doomed.most < wanted || doomed.deletedRooms !== deletedRooms.length) {
    return missing(doomedLoader, { before, most: wanted });
  }
  const isDoomed = (id: string) => {
    const file = files.get(id);
    if (forgotten.has(id)) return false;
    if (!file || file.state === 'stored' || dropped.has(id)) return true;
    const { row, room } = file;
    const hasRoom = typeof room === 'string' ? work.rooms.get(room) !== null : !deletedRooms.includes(room);
    return !hasRoom || row.state === 'dropped' || (row.state === 'loose' && row.at < before);
  };
  const ids = [...doomed.stored.keys(), ...dropped, ...changed.map(({ row }) => row.id)];
  const chosen = [...new Set(ids)].filter(isDoomed).sort().slice(0, most);
  const stored = new Set(chosen.map((id) => doomed.stored.get(id) ?? files.get(id)?.row.stored ?? id));
  const going = new Set(chosen);
  const isShared = (bytes: string) =>
    (doomed.sharing.get(bytes) ?? []).some((id) => !going.has(id)) ||
    changed.some(({ row }) => row.stored === bytes && row.state !== 'dropped' && !going.has(row.id));
  return { ids: chosen, stored: [...stored].filter((bytes) => !isShared(bytes)) };
}

/** It is dropped, whatever its room. */
export const dropFile = (work: Work, id: string): void => work.add(work.part(loaded).dropped, id);

export const forgetFile = (work: Work, id: string): void => work.add(work.part(loaded).forgotten, id);

export function storeFiles(place: Place, work: Work): undefined {
  const { dialect, transaction } = place;
  const { files, dropped, forgotten } = work.part(loaded);
  const fresh: Value[][] = [];
  const changed: Value[][] = [];
  for (const file of files.values()) {
    if (file === null || file.state === 'stored') continue;
    const room = typeof file.room === 'number' ? file.room : (work.rooms.get(file.room)?.num as number);
    (file.state === 'new' ? fresh : changed).push(fileRow(room, file.row));
  }
  if (fresh.length > 0) transaction.later(dialect.insert('chat_files', fileFields, fresh));
  if (changed.length > 0) transaction.later(dialect.upsert('chat_files', ['id'], fileFields, changed));
  if (dropped.size > 0) {
    const which = dialect.each(['id'], idsIn(dropped));
    transaction.later(sql`UPDATE chat_files SET state = ${fileStates.dropped} WHERE ${which}`);
  }
  deleteRows(place, 'chat_files', ['id'], idsIn(forgotten));
}
