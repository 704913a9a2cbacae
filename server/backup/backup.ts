import { realpathSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { keepFiles } from '../files/copied.ts';
import { folderStorage } from '../files/folder.ts';
import type { Storage } from '../files/storage.ts';
import { sync } from '../files/sync.ts';
import { type ListedBefore, listedNow } from '../history/engine/sqlite/erased.ts';
import { copyHistory, storedFiles } from '../history/engine/sqlite/snapshot.ts';
import { dialectOf, type HistoryPlace } from '../history/open.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { ArchiveWriter } from './archive.ts';
import { entries, formatNow, type Manifest, tablesAfter } from './manifest.ts';

/** The data to back up or to restore. `files`: the folder of the files; undefined to omit them. */
export interface Data {
  history: HistoryPlace;
  files: string | undefined;
}

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
 * @param onProgress `history`: the copied part, from 0 to 1; `files`: the number of copied files
 * @throws CommandProblem
 */
export async function makeBackup(
  { history, files }: Data,
  to: string,
  onProgress: (what: { history: number } | { files: number }) => void = () => {},
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
  // Next to the backup, so that it is on the same disk. A killed backup may have left this folder.
  const work = `${to}.partial`;
  await rm(work, { recursive: true, force: true });
  // Called before the history is copied, so that servers keep the files that the copy names.
  const release = files === undefined ? undefined : await keepFiles(files);
  try {
    await mkdir(work, { mode: 0o700 });
    const copy = join(work, entries.history[history.kind]);
    const made = Date.now();
    const { migrations, stored, erased } = await copied(history, copy, work, (done) =>
      onProgress({ history: done }),
    );
    const manifest: Manifest = {
      format: formatNow,
      made,
      history: history.kind,
      migrations,
      tables: tablesAfter(history.kind, migrations),
      files: files !== undefined,
      erased,
    };
    const archive = await open(join(work, 'backup'), 'wx', 0o600);
    const list = await open(join(work, 'list'), 'wx+', 0o600);
    const counts = { files: 0, missing: 0 };
    try {
      const writer = new ArchiveWriter(archive, list, made);
      const about = Buffer.from(`${JSON.stringify(manifest)}\n`);
      await writer.add(entries.manifest, about.length, [about]);
      const bytes = await open(copy);
      await writer.add(entries.history[history.kind], (await bytes.stat()).size, bytes.createReadStream());
      if (files !== undefined) {
        const storage = folderStorage(files);
        for await (const { id, isDropped } of stored) {
          if (await addFile(writer, storage, id)) counts.files++;
          else if (!isDropped) counts.missing++;
          await addFile(writer, storage, `${id}.preview`);
          onProgress({ files: counts.files });
        }
      }
      await writer.end();
    } finally {
      await list.close();
      await archive.close();
    }
    await rename(join(work, 'backup'), to);
    await sync(dirname(to));
    return { size: (await stat(to)).size, ...counts };
  } catch (error) {
    throw asProblem(error, `the backup could not be made`);
  } finally {
    await release?.();
    await rm(work, { recursive: true, force: true });
  }
}

interface Copied {
  /** The number of the last migration. */
  migrations: number;
  /** As in the manifest. */
  erased?: ListedBefore;
  /** The files that the history names. */
  stored: AsyncIterable<{ id: string; isDropped?: boolean }> | Iterable<{ id: string; isDropped?: boolean }>;
}

/** Copies a consistent state of a history. @param work a folder for temporary files */
async function copied(
  history: HistoryPlace,
  to: string,
  work: string,
  onProgress: (done: number) => void,
): Promise<Copied> {
  if (history.kind === 'sqlite') {
    const erased = await listedNow(realpathSync(history.path));
    const migrations = await copyHistory(history.path, to, onProgress);
    return { migrations, erased, stored: storedFiles(to).map((id) => ({ id })) };
  }
  const snapshot = await import('../history/engine/snapshot.ts');
  const dialect = await dialectOf(history);
  const { format, dropped } = await snapshot.copyRows(history, dialect, to, work);
  // Omits files that were already pending deletion before the copy, because no copied message has them.
  return { migrations: format, stored: without(dropped, snapshot.storedFiles(dialect)) };
}

async function* without<One extends { id: string }>(
  ids: ReadonlySet<string>,
  all: AsyncIterable<One>,
): AsyncGenerator<One> {
  for await (const one of all) if (!ids.has(one.id)) yield one;
}

async function addFile(writer: ArchiveWriter, storage: Storage, name: string): Promise<boolean> {
  const found = await storage.open(name);
  if (found === null) return false;
  await writer.add(`${entries.files}${name}`, found.size, found.bytes);
  return true;
}

/** Converts an error to a CommandProblem. @param failed the beginning of its message */
export function asProblem(error: unknown, failed: string): CommandProblem {
  if (error instanceof CommandProblem) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new CommandProblem(code === 'UNKNOWN_TABLES' ? exit.data : exit.output, `${failed}: ${message}`);
}
