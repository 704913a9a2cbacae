import { existsSync, realpathSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { folderStorage } from '../files/folder.ts';
import { storedName } from '../files/storage.ts';
import { sync } from '../files/sync.ts';
import type { DatabaseAddress } from '../history/engine/address.ts';
import { SqlError } from '../history/engine/dialect.ts';
import { whyNotAlone } from '../history/engine/in-use.ts';
import { backupTables, type RowsTarget } from '../history/engine/portable.ts';
import { claim } from '../history/engine/sqlite/claim.ts';
import { indexOf } from '../history/engine/sqlite/index-state.ts';
import { askingForFiles, type FileRestoring, restoringFile } from '../history/engine/sqlite/restoring.ts';
import { dialectOf, openDatabaseHistory } from '../history/open.ts';
import { movedMarkOf, openSqliteHistory, restoredOf } from '../history/sqlite/sqlite.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { type ArchiveEntry, readArchive, Unreadable } from './archive.ts';
import { asProblem, type Data, type Progress } from './backup.ts';
import { entries, formatNow, largestManifest, type Manifest, manifest, tablesAfter } from './manifest.ts';
import { tableEntry, unpackTable } from './tables.ts';

/**
 * Replaces a history and its files by a backup of any database. The whole backup is unpacked and checked before the
 * current history changes.
 * @returns when the backup was made, in Unix ms
 * @throws CommandProblem
 */
export function restoreBackup(
  from: string,
  { history, files }: Data,
  options: Options = {},
): Promise<number> {
  return history.kind === 'sqlite'
    ? restoreFile(from, { history: history.path, files }, options)
    : restoreRows(from, { history, files }, options);
}

interface Options {
  /** Skips the files of the backup if there is no folder for them. Otherwise that is an error. */
  withoutFiles?: boolean;
  onProgress?: (is: Progress) => void;
}

/** Whether a folder contains files of a history. A restore deletes the files that the backup lacks. */
export async function hasFiles(folder: string): Promise<boolean> {
  return existsSync(folder) && (await readdir(folder)).some((name) => partName.test(name));
}

/** The names of subfolders with files: see server/files/folder.ts. */
const partName = /^[0-9a-f]{2}$/;

/**
 * Restores a history in SQLite. The checked copy gets the name that `restoredOf` returns. While a file with that name
 * exists, no server starts, and the next call first completes this restore.
 */
async function restoreFile(
  from: string,
  data: { history: string; files: string | undefined },
  options: Options,
): Promise<number> {
  await mkdir(dirname(resolve(data.history)), { recursive: true, mode: 0o700 });
  const history = existsSync(data.history) ? realpathSync(data.history) : resolve(data.history);
  const place: Place = {
    history,
    restored: restoredOf(history),
    unpacked: `${history}-restoring`,
    folder: data.files,
    files: data.files === undefined ? undefined : join(resolve(data.files), 'restoring'),
  };
  const claimed = claimedFor(history);
  try {
    if (existsSync(place.restored)) await finish(place);
    await clear(place);
    try {
      const path = join(place.unpacked, 'history.db');
      const made = await unpackFile(from, path, place, options);
      await sync(path);
      await rename(path, place.restored);
      await sync(dirname(history));
      await finish(place);
      return made;
    } finally {
      if (!existsSync(place.restored)) await clear(place);
    }
  } catch (error) {
    if (existsSync(place.restored)) {
      throw asProblem(error, 'the backup is valid, but only partly restored: run this again to complete it');
    }
    throw unchanged(from, error);
  } finally {
    claimed.close();
  }
}

const unchanged = (from: string, error: unknown): CommandProblem =>
  error instanceof Unreadable
    ? new CommandProblem(
        exit.data,
        `${from} is not a complete backup: ${error.message}. Current data is unchanged`,
      )
    : asProblem(error, 'nothing was restored');

/**
 * Finds the cause of a failed load. Rows are loaded before all digests are checked, so the database may reject the rows
 * of a damaged backup first. The check takes minutes, so it is skipped if the cause is known.
 */
async function damageOf(from: string, failure: Error): Promise<Error> {
  if (failure instanceof Unreadable || failure instanceof CommandProblem) return failure;
  if (failure instanceof SqlError && (failure.problem === 'lost' || failure.problem === 'full'))
    return failure;
  try {
    for await (const { bytes } of readArchive(from)) for await (const _ of bytes);
    return failure;
  } catch (error) {
    return error instanceof Unreadable ? error : failure;
  }
}

/**
 * Restores a history in a database server. The rows are loaded into separate tables, which replace the current tables
 * in one step at the end. The files are moved into their folder before that, where the current history ignores them.
 */
async function restoreRows(
  from: string,
  { history, files: folder }: { history: DatabaseAddress; files: string | undefined },
  options: Options,
): Promise<number> {
  const { idsOfFiles, restoring: prepareRestore } = await import('../history/engine/restoring.ts');
  const dialect = await dialectOf(history);
  const restoring = await prepareRestore(dialect, openDatabaseHistory).catch((error: Error) => {
    throw new CommandProblem(exit.unavailable, whyNotAlone(history, error));
  });
  const files = folder === undefined ? undefined : join(resolve(folder), 'restoring');
  let restored = false;
  const takePlace = () =>
    restoring.takePlace().catch((error: unknown) => {
      // If the connection was lost, the database may already have replaced the tables.
      throw error instanceof SqlError && error.problem === 'lost'
        ? asProblem(error, 'it is unknown whether the backup was restored: run this again')
        : error;
    });
  try {
    if (files !== undefined) await rm(files, { recursive: true, force: true });
    const { made, unsettled } = await unpack(from, (format) => restoring.makeTables(format), {
      folder,
      files,
      ...options,
    });
    await restoring.prepare(unsettled);
    if (files !== undefined && folder !== undefined && existsSync(files)) {
      const added = new Set<string>();
      try {
        await putFiles(folder, files, added);
        await takePlace();
      } catch (error) {
        // Added files stay until the next call if they cannot be removed, or if it is unknown which history is current.
        if (!(error instanceof CommandProblem))
          await idsOfFiles(dialect)
            .then((known) => removeUnknown(folder, known, added))
            .catch(() => {});
        throw error;
      }
      restored = true;
      await removeUnknown(folder, await idsOfFiles(dialect));
    } else await takePlace();
    return made;
  } catch (error) {
    throw restored
      ? asProblem(error, 'the history is restored, but old files remain: run this again')
      : unchanged(from, error);
  } finally {
    if (files !== undefined) await rm(files, { recursive: true, force: true });
    await restoring.end();
  }
}

interface Place {
  history: string;
  restored: string;
  /** A folder next to the history. */
  unpacked: string;
  folder: string | undefined;
  /** A folder inside `folder`, so that it is on the same disk. */
  files: string | undefined;
}

export function claimedFor(history: string): { close(): void } {
  const inUse = 'a chat server is using this history: stop it first';
  try {
    return claim(`${history}-lock`, inUse);
  } catch (error) {
    throw new CommandProblem(exit.unavailable, (error as Error).message);
  }
}

/** Removes the unpacked files of this call or of an interrupted one. */
async function clear({ unpacked, files }: Place): Promise<void> {
  await rm(unpacked, { recursive: true, force: true });
  if (files !== undefined) await rm(files, { recursive: true, force: true });
}

/** Unpacks the backup into a new file and the folder `place.files`. @returns when the backup was made */
async function unpackFile(
  from: string,
  path: string,
  { history, unpacked, folder, files }: Place,
  options: Options,
): Promise<number> {
  let restoring: FileRestoring | undefined;
  try {
    const makeTables = async (format: number) => {
      await mkdir(unpacked, { mode: 0o700 });
      restoring = restoringFile(path, format, openSqliteHistory);
      return restoring;
    };
    const { made, unsettled } = await unpack(from, makeTables, { folder, files, ...options });
    await restoring?.prepare(history, unsettled);
    return made;
  } finally {
    restoring?.close();
  }
}

/**
 * Unpacks and checks the history and the files.
 * @param makeTables creates the tables after a migration
 * @param to.files the folder for the files
 * @throws Unreadable, CommandProblem
 */
async function unpack(
  from: string,
  makeTables: (format: number) => Promise<RowsTarget>,
  to: Options & { folder: string | undefined; files: string | undefined },
): Promise<Manifest> {
  let about: Manifest | undefined;
  let target: RowsTarget | undefined;
  const counts = { rows: 0, files: 0 };
  /** The tables that are expected next. */
  const tables = [...backupTables];
  const onRows = (rows: number) => {
    counts.rows += rows;
    to.onProgress?.({ rows: counts.rows });
  };
  for await (const entry of readArchive(from)) {
    const [table] = tables;
    if (about === undefined) {
      about = await manifestOf(entry);
      await prepareFiles(about, to);
    } else if (table !== undefined) {
      if (entry.name !== tableEntry(table)) throw new Unreadable(`it lacks the rows of ${table}`);
      try {
        target ??= await makeTables(about.migrations);
        await unpackTable(entry.bytes, table, target, onRows);
      } catch (error) {
        throw await damageOf(from, error as Error);
      }
      tables.shift();
    } else {
      await unpackFileOf(about, entry, to.files);
      to.onProgress?.({ files: ++counts.files });
    }
  }
  if (about === undefined || tables.length > 0) throw new Unreadable('it has no history');
  return about;
}

/** Prepares the folders for the files. @throws CommandProblem if there is no folder */
async function prepareFiles(
  about: Manifest,
  { files, folder, withoutFiles }: Options & { folder: string | undefined; files: string | undefined },
): Promise<void> {
  if (!about.files) return;
  if (files !== undefined && folder !== undefined) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(files, { mode: 0o700 });
  } else if (!withoutFiles) {
    throw new CommandProblem(
      exit.configuration,
      'the backup contains files, which can be restored only into a folder: set CHAT_FILES=dir:FOLDER, or omit them with --without-files',
    );
  }
}

async function unpackFileOf(about: Manifest, entry: ArchiveEntry, files: string | undefined): Promise<void> {
  const id = entry.name.startsWith(entries.files) ? entry.name.slice(entries.files.length) : '';
  if (!about.files || !storedName.test(id)) throw new Unreadable('it contains an unknown entry');
  if (files !== undefined) await write(join(files, id), entry);
  // Skipped files are read too, because the digests cover them.
  else for await (const _ of entry.bytes);
}

async function manifestOf({ name, size, bytes }: ArchiveEntry): Promise<Manifest> {
  if (name !== entries.manifest || size > largestManifest)
    throw new Unreadable('it is a different kind of file');
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  const text = Buffer.concat(parts).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Unreadable('its manifest is damaged');
  }
  const format = (value as { format?: unknown } | null)?.format;
  const read = manifest.safeParse(value);
  if (typeof format === 'number' && format > formatNow) throw ofAnotherBuild('a newer version');
  if (typeof format === 'number' && format < formatNow) throw ofAnotherBuild('an older build');
  if (!read.success) throw new Unreadable('its manifest is damaged');
  requireKnownTables(read.data);
  return read.data;
}

/** @throws CommandProblem if this version cannot use the tables of the backup */
function requireKnownTables({ migrations, tables }: Manifest): void {
  const known = tablesAfter(migrations);
  if (known === undefined) throw ofAnotherBuild('a newer version');
  if (known !== tables) throw ofAnotherBuild('another build, with other tables,');
}

const ofAnotherBuild = (which: string) =>
  new CommandProblem(
    exit.data,
    `${which} made this backup: restore it with that version. Current data is unchanged`,
  );

async function write(path: string, { bytes }: ArchiveEntry): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? new Unreadable('it contains a file twice') : error;
  });
  try {
    for await (const part of bytes) await file.appendFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Moves the unpacked files and the restored history to their places. After an interruption, call it again. */
async function finish({ history, restored, unpacked, files, folder }: Place): Promise<void> {
  if (files !== undefined && folder !== undefined && existsSync(files)) {
    await putFiles(folder, files);
    const known = askingForFiles(restored);
    await removeUnknown(folder, known).finally(() => known.close());
    await rm(files, { recursive: true });
  }
  // The server builds a new search index at its next start.
  const index = ['', '-wal', '-shm', '-journal'].map((ending) => indexOf(history) + ending);
  for (const other of [`${history}-wal`, `${history}-shm`, ...index, movedMarkOf(history)])
    await rm(other, { force: true });
  await rename(restored, history);
  await sync(dirname(history));
  await rm(unpacked, { recursive: true, force: true });
}

/**
 * Moves the unpacked files into their folder.
 * @param added receives the names of files that the folder did not contain before
 */
async function putFiles(folder: string, files: string, added = new Set<string>()): Promise<void> {
  const storage = folderStorage(folder);
  for (const name of await readdir(files)) {
    if (!existsSync(join(folder, name.slice(0, 2), name))) added.add(name);
    await storage.put(name, join(files, name));
  }
}

/**
 * Removes the files that the history does not know. No server would ever delete them.
 * @param among removes only files with these names
 */
async function removeUnknown(
  folder: string,
  known: { has(id: string): boolean },
  among?: ReadonlySet<string>,
): Promise<void> {
  for (const part of await readdir(folder)) {
    if (!partName.test(part)) continue;
    for (const name of await readdir(join(folder, part))) {
      const isUnknown = storedName.test(name) && !known.has(name.slice(0, 32));
      if (isUnknown && among?.has(name) !== false) await rm(join(folder, part, name));
    }
  }
}
