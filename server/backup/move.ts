import { existsSync, realpathSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { sync } from '../files/sync.ts';
import { type DatabaseAddress, placeOf } from '../history/engine/address.ts';
import { connectAlone, whyNotAlone } from '../history/engine/in-use.ts';
import {
  areValues,
  Inserting,
  portableTables,
  type Rows,
  RowsDigest,
  type RowsTarget,
  type Snapshot,
} from '../history/engine/portable.ts';
import { hasHistory } from '../history/engine/schema.ts';
import { restoringFile } from '../history/engine/sqlite/restoring.ts';
import { dialectOf, type HistoryPlace, openDatabaseHistory } from '../history/open.ts';
import { openSqliteHistory } from '../history/sqlite/sqlite.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { asProblem, openSnapshotOf } from './backup.ts';
import { claimedFor } from './restore.ts';

/** The rows that are copied, or that are read again in the new history to compare them. */
export type MoveProgress = { copied: number } | { compared: number };

/**
 * Copies a history that no server uses to a new file or database. The old history stays as it is. The copy can be used
 * only after all rows were compared; an interrupted move leaves nothing that a server would use.
 * @returns the number of rows
 * @throws CommandProblem
 */
export async function moveHistory(
  from: HistoryPlace,
  to: HistoryPlace,
  onProgress: (is: MoveProgress) => void = () => {},
): Promise<number> {
  const release = await claimOld(from);
  try {
    const snapshot = await openSnapshotOf(from);
    try {
      return to.kind === 'sqlite'
        ? await moveToFile(snapshot, resolve(to.path), onProgress)
        : await moveToDatabase(snapshot, to, onProgress);
    } finally {
      snapshot.close();
    }
  } catch (error) {
    throw asProblem(error, 'the history was not moved');
  } finally {
    release();
  }
}

/** Keeps servers from using the old history. @returns a function that releases it @throws CommandProblem */
async function claimOld(from: HistoryPlace): Promise<() => void> {
  if (from.kind === 'sqlite') {
    if (!existsSync(from.path))
      throw new CommandProblem(
        exit.configuration,
        `the history ${from.path} does not exist: check CHAT_HISTORY`,
      );
    const claimed = claimedFor(realpathSync(from.path));
    return () => claimed.close();
  }
  const connection = await connectAlone(await dialectOf(from)).catch((error: Error) => {
    throw new CommandProblem(exit.unavailable, whyNotAlone(from, error));
  });
  return () => connection.destroy();
}

const exists = (place: string) =>
  new CommandProblem(
    exit.configuration,
    `${place} already contains a history: choose another file or database`,
  );

async function moveToFile(
  snapshot: Snapshot,
  path: string,
  onProgress: (is: MoveProgress) => void,
): Promise<number> {
  if (existsSync(path)) throw exists(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const claimed = claimedFor(path);
  const unfinished = `${path}-moving`;
  try {
    // A killed move may have left it.
    await rm(unfinished, { force: true });
    const restoring = restoringFile(unfinished, snapshot.format, openSqliteHistory);
    try {
      const rows = await copyRows(snapshot, restoring, onProgress);
      await restoring.prepareMoved(path);
      await sync(unfinished);
      await rename(unfinished, path);
      await sync(dirname(path));
      return rows;
    } finally {
      restoring.close();
      await rm(unfinished, { force: true });
    }
  } finally {
    claimed.close();
  }
}

async function moveToDatabase(
  snapshot: Snapshot,
  to: DatabaseAddress,
  onProgress: (is: MoveProgress) => void,
): Promise<number> {
  const { restoring: prepareRestore } = await import('../history/engine/restoring.ts');
  const dialect = await dialectOf(to);
  const restoring = await prepareRestore(dialect, openDatabaseHistory).catch((error: Error) => {
    throw new CommandProblem(exit.unavailable, whyNotAlone(to, error));
  });
  try {
    const connection = await dialect.connect();
    const isThere = await hasHistory(connection, dialect).finally(() => connection.destroy());
    if (isThere) throw exists(placeOf(to));
    const rows = await copyRows(snapshot, await restoring.makeTables(snapshot.format), onProgress);
    await restoring.prepareMoved();
    await restoring.takePlace();
    return rows;
  } finally {
    await restoring.end();
  }
}

/** Copies all rows, and compares them. @returns their number @throws Error if the new rows differ */
async function copyRows(
  from: Snapshot,
  to: RowsTarget,
  onProgress: (is: MoveProgress) => void,
): Promise<number> {
  let copied = 0;
  const digests = new Map<string, string>();
  for (const table of portableTables) {
    const inserting = new Inserting(to, table);
    const columns = from.columns.get(table) ?? [];
    if (columns.join() !== to.columns.get(table)?.join()) throw new Error(`the columns of ${table} differ`);
    for await (const rows of from.rows(table)) {
      for (const row of rows) {
        if (!areValues(columns, row)) throw new Error(`a row of ${table} has a value that cannot be copied`);
        await inserting.insert(row, JSON.stringify(row));
      }
      copied += rows.length;
      onProgress({ copied });
    }
    await inserting.flush();
    const next = from.numbers.get(table);
    if (next !== undefined) await to.setNextNumber(table, next);
    digests.set(table, inserting.sha256);
  }
  let compared = 0;
  for (const table of portableTables) {
    const digest = await digestOf(to, table, (rows) => {
      compared += rows;
      onProgress({ compared });
    });
    if (digest !== digests.get(table)) throw new Error(`the copied rows of ${table} differ`);
  }
  return copied;
}

async function digestOf(of: Rows, table: string, onRows: (rows: number) => void): Promise<string> {
  const digest = new RowsDigest();
  for await (const rows of of.rows(table)) {
    for (const row of rows) digest.add(JSON.stringify(row));
    onRows(rows.length);
  }
  return digest.sha256;
}
