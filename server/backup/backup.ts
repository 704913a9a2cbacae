import { lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { keepFiles } from '../files/copied.ts';
import { folderStorage } from '../files/folder.ts';
import type { Storage } from '../files/storage.ts';
import { sync } from '../files/sync.ts';
import { backupTables, type Snapshot } from '../history/engine/portable.ts';
import { tryClaim } from '../history/engine/sqlite/claim.ts';
import { openFileSnapshot } from '../history/engine/sqlite/snapshot.ts';
import { dialectOf, type HistoryPlace } from '../history/open.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { ArchiveWriter } from './archive.ts';
import { entries, formatNow, type Manifest, tablesAfter } from './manifest.ts';
import { packTable, tableEntry } from './tables.ts';

/** The data to back up or to restore. `files`: the folder of the files; undefined to omit them. */
export interface Data {
  history: HistoryPlace;
  files: string | undefined;
}

/** The copied rows of the history, or the copied files. */
export type Progress = { rows: number } | { files: number };

export interface Made {
  /** In bytes. */
  size: number;
  files: number;
  /** Files that the history names, but that the folder lacks. */
  missing: number;
}

/**
 * Writes a backup. The server may be running.
 * @param to the path of a new file, which only this account can read
 * @throws CommandProblem
 */
export async function makeBackup(
  { history, files }: Data,
  to: string,
  onProgress: (is: Progress) => void = () => {},
): Promise<Made> {
  if ((await stat(to).catch(() => null)) !== null) {
    throw new CommandProblem(exit.output, `${to} already exists: choose another file`);
  }
  if (history.kind === 'sqlite' && (await stat(history.path).catch(() => null)) === null) {
    throw new CommandProblem(
      exit.configuration,
      `the history ${history.path} does not exist: check CHAT_HISTORY`,
    );
  }
  // Next to the backup, so that it is on the same disk.
  const work = `${to}.partial`;
  const claimed = await claimFolder(work, to).catch((error: unknown) => {
    throw asProblem(error, failed);
  });
  let release: (() => Promise<void>) | undefined;
  try {
    // Called before the history is copied, so that servers keep the files that the copy names.
    release = files === undefined ? undefined : await keepFiles(files);
    const archive = await open(join(work, 'backup'), 'wx', 0o600);
    const list = await open(join(work, 'list'), 'wx+', 0o600);
    const stored = await open(join(work, 'files'), 'wx+', 0o600);
    const counts = { files: 0, missing: 0 };
    try {
      const snapshot = await openSnapshotOf(history);
      let writer: ArchiveWriter;
      try {
        writer = new ArchiveWriter(archive, list, snapshot.made);
        await addHistory(writer, snapshot, files !== undefined, onProgress);
        // In a file, because there may be millions. The copying of their bytes may take hours, in which an open
        // snapshot would make the database keep all changed rows.
        if (files !== undefined)
          for await (const ids of snapshot.files())
            await stored.appendFile(ids.map((id) => `${id}\n`).join(''));
      } finally {
        snapshot.close();
      }
      if (files !== undefined) {
        const storage = folderStorage(files);
        for await (const id of stored.readLines({ start: 0, autoClose: false })) {
          if (await addFile(writer, storage, id)) counts.files++;
          else counts.missing++;
          await addFile(writer, storage, `${id}.preview`);
          onProgress({ files: counts.files });
        }
      }
      await writer.end();
    } finally {
      await stored.close();
      await list.close();
      await archive.close();
    }
    await rename(join(work, 'backup'), to);
    await sync(dirname(to));
    return { size: (await stat(to)).size, ...counts };
  } catch (error) {
    throw asProblem(error, failed);
  } finally {
    await release?.();
    await rm(work, { recursive: true, force: true });
    claimed.close();
  }
}

const failed = 'the backup could not be made';

/**
 * Creates the folder for an unfinished backup, or empties that of a killed one.
 * @throws CommandProblem if another backup uses it
 */
async function claimFolder(folder: string, to: string): Promise<{ close(): void }> {
  await mkdir(folder, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
    const existing = await lstat(folder);
    if (!existing.isDirectory() || existing.uid !== (process.getuid?.() ?? existing.uid)) throw error;
  });
  const claimed = tryClaim(join(folder, 'lock'));
  if (claimed === undefined)
    throw new CommandProblem(exit.output, `another backup is writing ${to}: wait for its end`);
  for (const name of ['backup', 'list', 'files']) await rm(join(folder, name), { force: true });
  return claimed;
}

/** Reads a history. Its servers may be running. */
export async function openSnapshotOf(history: HistoryPlace): Promise<Snapshot> {
  if (history.kind === 'sqlite') return openFileSnapshot(history.path);
  const { openSnapshot } = await import('../history/engine/snapshot.ts');
  return openSnapshot(await dialectOf(history));
}

/** Adds the manifest and the rows. */
async function addHistory(
  writer: ArchiveWriter,
  snapshot: Snapshot,
  files: boolean,
  onProgress: (is: Progress) => void,
): Promise<void> {
  const { format: migrations, made, unsettled } = snapshot;
  const tables = tablesAfter(migrations) ?? '';
  const about: Manifest = { format: formatNow, made, migrations, tables, files, unsettled };
  await writer.add(entries.manifest, [Buffer.from(`${JSON.stringify(about)}\n`)]);
  let copied = 0;
  for (const table of backupTables) {
    const rows = packTable(snapshot, table, (count) => {
      copied += count;
      onProgress({ rows: copied });
    });
    await writer.add(tableEntry(table), rows);
  }
}

async function addFile(writer: ArchiveWriter, storage: Storage, name: string): Promise<boolean> {
  const found = await storage.open(name);
  if (found === null) return false;
  await writer.add(`${entries.files}${name}`, found.bytes, found.size);
  return true;
}

/** Converts an error to a CommandProblem. @param failed the beginning of its message */
export function asProblem(error: unknown, failed: string): CommandProblem {
  if (error instanceof CommandProblem) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new CommandProblem(code === 'UNKNOWN_TABLES' ? exit.data : exit.output, `${failed}: ${message}`);
}
