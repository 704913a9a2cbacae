import { existsSync, realpathSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { folderStorage } from '../files/folder.ts';
import { storedName } from '../files/storage.ts';
import { sync } from '../files/sync.ts';
import type { DatabaseAddress } from '../history/engine/address.ts';
import { SqlError } from '../history/engine/dialect.ts';
import { whyNotAlone } from '../history/engine/in-use.ts';
import { claim } from '../history/engine/sqlite/claim.ts';
import { askingForFiles, prepareRestored } from '../history/engine/sqlite/snapshot.ts';
import { restoredOf } from '../history/engine/sqlite/sqlite.ts';
import { dialectOf, openDatabaseHistory } from '../history/open.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { type ArchiveEntry, readArchive, Unreadable } from './archive.ts';
import { asProblem, type Data } from './backup.ts';
import {
  databases,
  entries,
  formatNow,
  largestManifest,
  type Manifest,
  manifest,
  tablesAfter,
} from './manifest.ts';

/**
 * Replaces a history and its files by a backup. The whole backup is unpacked and checked before the current history
 * changes.
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
  onProgress?: (files: number) => void;
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
      const { made, erased } = await unpack(from, place, options);
      await prepareRestored(join(place.unpacked, entries.history.sqlite), history, made, erased);
      await sync(join(place.unpacked, entries.history.sqlite));
      await rename(join(place.unpacked, entries.history.sqlite), place.restored);
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
  const snapshot = await import('../history/engine/snapshot.ts');
  const dialect = await dialectOf(history);
  const restoring = await snapshot.restoring(dialect, openDatabaseHistory).catch((error: Error) => {
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
    let loaded = false;
    const { made } = await unpackEach(from, {
      kind: history.kind,
      folder,
      files,
      ...options,
      async history({ bytes }, { migrations }) {
        loaded = true;
        await restoring.makeTables(migrations);
        await restoring.load(linesOf(bytes)).catch(async (error: Error) => {
          throw await damageOf(from, error);
        });
      },
    });
    if (!loaded) throw new Unreadable('it has no history');
    await restoring.prepare();
    if (files !== undefined && folder !== undefined && existsSync(files)) {
      const added = new Set<string>();
      try {
        await putFiles(folder, files, added);
        await takePlace();
      } catch (error) {
        // Added files stay until the next call if they cannot be removed, or if it is unknown which history is current.
        if (!(error instanceof CommandProblem))
          await snapshot
            .idsOfFiles(dialect)
            .then((known) => removeUnknown(folder, known, added))
            .catch(() => {});
        throw error;
      }
      restored = true;
      await removeUnknown(folder, await snapshot.idsOfFiles(dialect));
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

/** Yields the lines of a text, without line breaks. */
async function* linesOf(parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const part of parts) {
    let from = 0;
    for (let end = part.indexOf(10); end >= 0; end = part.indexOf(10, from)) {
      yield Buffer.concat([...rest, part.subarray(from, end)]);
      rest = [];
      from = end + 1;
    }
    rest.push(part.subarray(from));
  }
  yield Buffer.concat(rest);
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

function claimedFor(history: string): { close(): void } {
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

/** Unpacks and checks the history and the files. @throws Unreadable, CommandProblem */
async function unpack(from: string, { unpacked, files, folder }: Place, options: Options): Promise<Manifest> {
  let hasHistory = false;
  const about = await unpackEach(from, {
    kind: 'sqlite',
    folder,
    files,
    ...options,
    async history(entry) {
      hasHistory = true;
      await mkdir(unpacked, { mode: 0o700 });
      await write(join(unpacked, entries.history.sqlite), entry);
    },
  });
  if (!hasHistory) throw new Unreadable('it has no history');
  return about;
}

/** Unpacks the files, passes the history to `to.history`, and checks both. @throws Unreadable, CommandProblem */
async function unpackEach(
  from: string,
  to: Options & {
    kind: Manifest['history'];
    folder: string | undefined;
    files: string | undefined;
    history(entry: ArchiveEntry, about: Manifest): Promise<void>;
  },
): Promise<Manifest> {
  const { files, folder } = to;
  let about: Manifest | undefined;
  let count = 0;
  for await (const entry of readArchive(from)) {
    const { name } = entry;
    if (about === undefined) {
      about = await manifestOf(entry);
      if (about.history !== to.kind) {
        throw new CommandProblem(
          exit.configuration,
          `the backup contains a history in ${databases[about.history]}, but CHAT_HISTORY is in ${databases[to.kind]}: set CHAT_HISTORY to ${databases[about.history]}`,
        );
      }
      requireKnownTables(about);
      if (about.files && files === undefined && !to.withoutFiles) {
        throw new CommandProblem(
          exit.configuration,
          'the backup contains files, which can be restored only into a folder: set CHAT_FILES=dir:FOLDER, or omit them with --without-files',
        );
      }
      if (about.files && folder !== undefined && files !== undefined) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await mkdir(files, { mode: 0o700 });
      }
    } else if (name === entries.history[to.kind]) {
      await to.history(entry, about);
    } else {
      const id = name.startsWith(entries.files) ? name.slice(entries.files.length) : '';
      if (!about.files || !storedName.test(id)) throw new Unreadable('it contains an unknown entry');
      if (files !== undefined) await write(join(files, id), entry);
      // Skipped files are read too, because the digests cover them.
      else for await (const _ of entry.bytes);
      to.onProgress?.(++count);
    }
  }
  if (about === undefined) throw new Unreadable('it has no history');
  return about;
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
  if (!read.success) throw new Unreadable('its manifest is damaged');
  return read.data;
}

/** @throws CommandProblem if this version cannot use the tables of the backup */
function requireKnownTables({ history, migrations, tables }: Manifest): void {
  const known = tablesAfter(history, migrations);
  if (known === undefined) throw ofAnotherBuild('a newer version');
  if (known !== tables) throw ofAnotherBuild('another build, with other tables,');
}

const ofAnotherBuild = (which: string) =>
  new CommandProblem(
    exit.data,
    `${which} made this backup: restore it with that version. Current data is unchanged`,
  );

async function write(path: string, { bytes }: ArchiveEntry): Promise<void> {
  const file = await open(path, 'wx', 0o600);
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
  for (const other of ['-wal', '-shm', '-search', '-search-wal', '-search-shm', '-search-journal'])
    await rm(`${history}${other}`, { force: true });
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
