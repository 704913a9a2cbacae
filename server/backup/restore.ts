import { existsSync, realpathSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CommandProblem, exit } from '../command/problem.ts';
import { folderStorage } from '../files/folder.ts';
import { claim } from '../history/sqlite/claim.ts';
import { askingForFiles, knownFormat, prepareRestored } from '../history/sqlite/snapshot.ts';
import { restoredOf } from '../history/sqlite/sqlite.ts';
import { type ArchiveEntry, readArchive, Unreadable } from './archive.ts';
import { asProblem, type Data, syncFolder } from './backup.ts';
import { entries, formatNow, largestManifest, type Manifest, manifest, storedName } from './manifest.ts';

/**
 * Puts a backup in the place of a history and its files. All of it is unpacked beside them and checked. Then the
 * history gets the name of `restoredOf`: from there on the restore only goes forward, no server starts, and the next
 * call begins by finishing it. Before that, nothing has changed.
 * @returns when the backup was made, in milliseconds of the epoch
 * @throws CommandProblem
 */
export async function restoreBackup(
  from: string,
  data: Data,
  onProgress: (files: number) => void = () => {},
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
      const { made } = await unpack(from, place, onProgress);
      await prepareRestored(join(place.unpacked, entries.history), history, made);
      await sync(join(place.unpacked, entries.history));
      await rename(join(place.unpacked, entries.history), place.restored);
      await syncFolder(dirname(history));
      await finish(place);
      return made;
    } finally {
      if (!existsSync(place.restored)) await clear(place);
    }
  } catch (error) {
    if (existsSync(place.restored)) {
      throw asProblem(error, 'the backup is checked and half restored; do this again, and it goes on');
    }
    if (!(error instanceof Unreadable)) throw asProblem(error, 'nothing has been restored');
    throw new CommandProblem(exit.data, `${from} is no whole backup: ${error.message}. Nothing has changed`);
  } finally {
    claimed.close();
  }
}

interface Place {
  history: string;
  restored: string;
  /** A folder beside the history. */
  unpacked: string;
  folder: string | undefined;
  /** A folder in that of the files, so that it is on the same disk. */
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

/** Removes what an earlier call has unpacked. */
async function clear({ unpacked, files }: Place): Promise<void> {
  await rm(unpacked, { recursive: true, force: true });
  if (files !== undefined) await rm(files, { recursive: true, force: true });
}

/** Unpacks all, and checks it. @throws Unreadable, CommandProblem */
async function unpack(
  from: string,
  { unpacked, files, folder }: Place,
  onProgress: (files: number) => void,
): Promise<Manifest> {
  let about: Manifest | undefined;
  let hasHistory = false;
  let count = 0;
  for await (const entry of readArchive(from)) {
    const { name } = entry;
    if (about === undefined) {
      about = await manifestOf(entry);
      if (about.files && files === undefined) {
        throw new CommandProblem(
          exit.configuration,
          'the backup has files, which are restored into a folder only: set CHAT_FILES=dir:FOLDER',
        );
      }
      await mkdir(unpacked, { mode: 0o700 });
      if (about.files && folder !== undefined && files !== undefined) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await mkdir(files, { mode: 0o700 });
      }
    } else if (name === entries.history && !hasHistory) {
      hasHistory = true;
      await write(join(unpacked, entries.history), entry);
    } else {
      const id = name.startsWith(entries.files) ? name.slice(entries.files.length) : '';
      if (!about.files || files === undefined || !storedName.test(id))
        throw new Unreadable('it holds something else');
      await write(join(files, id), entry);
      onProgress(++count);
    }
  }
  if (about === undefined || !hasHistory) throw new Unreadable('it has no history');
  return about;
}

async function manifestOf({ name, size, bytes }: ArchiveEntry): Promise<Manifest> {
  if (name !== entries.manifest || size > largestManifest) throw new Unreadable('it is another kind of file');
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  const text = Buffer.concat(parts).toString();
  let value: { format?: unknown; migrations?: unknown };
  try {
    value = JSON.parse(text);
  } catch {
    throw new Unreadable('its description is damaged');
  }
  const isNewer = (number: unknown, known: number) => typeof number === 'number' && number > known;
  if (isNewer(value.format, formatNow) || isNewer(value.migrations, knownFormat())) {
    throw new CommandProblem(
      exit.data,
      'a newer version has made this backup: restore it with that version. Nothing has changed',
    );
  }
  const read = manifest.safeParse(value);
  if (!read.success) throw new Unreadable('its description is damaged');
  return read.data;
}

async function write(path: string, { bytes }: ArchiveEntry): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const part of bytes) await file.appendFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts what was unpacked and checked in its place. It may be called again, as often as it is cut off. */
async function finish({ history, restored, unpacked, files, folder }: Place): Promise<void> {
  if (files !== undefined && folder !== undefined && existsSync(files)) {
    const storage = folderStorage(folder);
    for (const name of await readdir(files)) await storage.put(name, join(files, name));
    await removeUnknown(folder, restored);
    await rm(files, { recursive: true });
  }
  // The index for searching is made anew.
  for (const other of ['-wal', '-shm', '-search', '-search-wal', '-search-shm', '-search-journal'])
    await rm(`${history}${other}`, { force: true });
  await rename(restored, history);
  await syncFolder(dirname(history));
  await rm(unpacked, { recursive: true, force: true });
}

/** Removes the files that the restored history does not know: no server would ever do that. */
async function removeUnknown(folder: string, history: string): Promise<void> {
  const known = askingForFiles(history);
  try {
    for (const part of await readdir(folder)) {
      if (!/^[0-9a-f]{2}$/.test(part)) continue;
      for (const name of await readdir(join(folder, part))) {
        if (storedName.test(name) && !known.has(name.slice(0, 32))) await rm(join(folder, part, name));
      }
    }
  } finally {
    known.close();
  }
}
