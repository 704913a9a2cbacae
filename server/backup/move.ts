import { existsSync, realpathSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause, setImmediate as tick } from 'node:timers/promises';
import { sync } from '../files/sync.ts';
import { type DatabaseAddress, placeOf } from '../history/engine/address.ts';
import { beside } from '../history/engine/beside.ts';
import { setMoved } from '../history/engine/claim.ts';
import { type DatabaseConnection, SqlError } from '../history/engine/dialect.ts';
import { connectAlone, InUse, whyNotAlone } from '../history/engine/in-use.ts';
import { type Recording, type RowsTarget, roomsOf, type Snapshot } from '../history/engine/portable.ts';
import { MissedChanges } from '../history/engine/recorded.ts';
import { hasHistory } from '../history/engine/schema.ts';
import { tryClaim } from '../history/engine/sqlite/claim.ts';
import { recordFile, removeFileRecording } from '../history/engine/sqlite/recording.ts';
import { type FileRestoring, restoringFile } from '../history/engine/sqlite/restoring.ts';
import type { ReadOnlyHistory } from '../history/history.ts';
import {
  dialectOf,
  type HistoryPlace,
  openDatabaseHistory,
  openDatabaseReads,
  openReads,
} from '../history/open.ts';
import { movedMarkOf, openSqliteHistory, openSqliteReads } from '../history/sqlite/sqlite.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { asProblem, openSnapshotOf } from './backup.ts';
import {
  copyChanges,
  copyNumbers,
  copyRows,
  digestRows,
  requireSameCounts,
  requireSameRows,
} from './copied-rows.ts';
import { claimedFor } from './restore.ts';
import { compareSamples } from './samples.ts';

/**
 * Rows that were copied, or read again to compare them; the number of rows that changed since the last round; `ready`,
 * once the servers can stop at any time; or the number of all rows, once servers can start with the new history.
 */
export type MoveProgress =
  | { copied: number }
  | { compared: number }
  | { changed: number }
  | 'ready'
  | { moved: number };

export interface MoveOptions {
  onProgress?: (is: MoveProgress) => void;
  /**
   * How long no server must use the old history until the move ends, in ms. A shorter interruption is a restart, after
   * which servers continue with the old history.
   */
  settleMs?: number;
}

/** A round with fewer changed rows takes less than a second. */
const fewChanges = 1000;
/** How long a database may list a closed connection, in ms. */
const endPatienceMs = 200;
/** The delay between rounds, in ms. */
const roundIntervalMs = 500;
/** The interval of `Recording.check`, in ms. */
const checkIntervalMs = 30_000;
/** Rows after which signals and timers have their turn. */
const rowsPerTick = 5000;

/**
 * Copies a history to a new file or database. If servers use the old history, it copies what they change, until they
 * stop. The copy can be used only after it was compared; an interrupted move leaves nothing that a server would use.
 * @throws CommandProblem, or an error of `onProgress`
 */
export async function moveHistory(
  from: HistoryPlace,
  to: HistoryPlace,
  { onProgress = () => {}, settleMs = 5000 }: MoveOptions = {},
): Promise<void> {
  const source = await openSource(from);
  try {
    const target = await openTarget(to);
    try {
      const move = new Move(source, target, onProgress);
      const claimed = await source.claim();
      await (claimed === undefined ? move.running(settleMs) : move.stopped(claimed));
    } finally {
      await target.close();
    }
  } catch (error) {
    throw asProblem(error, 'the history was not moved');
  }
}

class Move {
  readonly #source: Source;
  readonly #target: Target;
  readonly #onProgress: (is: MoveProgress) => void;

  constructor(source: Source, target: Target, onProgress: (is: MoveProgress) => void) {
    this.#source = source;
    this.#target = target;
    this.#onProgress = onProgress;
  }

  /** Copies a history that no server uses. */
  async stopped(claimed: Claimed): Promise<void> {
    try {
      await this.#source.removeRecording();
      const snapshot = await this.#source.open();
      try {
        const to = await this.#target.open(snapshot.format);
        const digests = await copyRows(snapshot, to, this.#counted('copied'));
        await copyNumbers(snapshot, to);
        requireSameRows(digests, await digestRows(to, this.#counted('compared')));
        await this.#switch(snapshot, await requireSameCounts(snapshot, to));
      } finally {
        snapshot.close();
      }
    } finally {
      claimed.close();
    }
  }

  /** Copies a history that servers use, and what they change, until they stop. */
  async running(settleMs: number): Promise<void> {
    const recording = await this.#source.record();
    let claimed: Claimed | undefined;
    try {
      const to = await this.#copyAll(recording);
      // Everything is compared while the servers run. Later changes are compared as they are copied.
      await this.#catchUp(recording, to);
      await this.#compareAll(recording, to);
      await this.#catchUp(recording, to);
      await this.#target.flush();
      this.#onProgress('ready');
      claimed = await this.#follow(recording, to, settleMs);
      const state = await recording.open();
      try {
        await copyChanges(state, to, () => {});
        await copyNumbers(state, to);
        const rows = await requireSameCounts(state, to);
        await recording.check();
        await this.#switch(state, rows);
      } finally {
        state.close();
      }
    } catch (error) {
      // Another process may have replaced the tables of the recording.
      const missed = await recording.check().catch((cause: unknown) => cause);
      throw missed instanceof MissedChanges ? missed : error;
    } finally {
      // Leftover triggers do nothing after some time, and the next move removes them.
      await recording.end().catch(() => {});
      claimed?.close();
    }
  }

  /**
   * Compares samples. Then ends the use of the old history before that of the new one starts, so that never both are
   * used.
   */
  async #switch(snapshot: Snapshot, rows: number): Promise<void> {
    const rooms = await roomsOf(snapshot);
    await this.#target.prepare();
    const old = await this.#source.openReads();
    try {
      const copy = await this.#target.openCopy();
      await compareSamples(old, copy, rooms).finally(() => copy.close());
    } finally {
      await old.close();
    }
    await this.#source.setMoved(true);
    try {
      await this.#target.takePlace();
    } catch (error) {
      // If the connection was lost, the new history may be in its place.
      if (error instanceof SqlError && error.problem === 'lost')
        throw new Error(
          `${error.message}. It is unknown whether the new history is complete: run this again`,
        );
      await this.#source.setMoved(false);
      throw error;
    }
    await this.#target.close();
    // Servers can start now, before the triggers of the old history are removed.
    this.#onProgress({ moved: rows });
  }

  async #copyAll(recording: Recording): Promise<RowsTarget> {
    const state = await recording.open();
    let to: RowsTarget;
    try {
      to = await this.#target.open(state.format);
      await copyRows(state, to, this.#counted('copied', recording));
    } finally {
      state.close();
    }
    await state.forget();
    return to;
  }

  /** Copies the changes of the servers, until there are few, or as many as each round takes. */
  async #catchUp(recording: Recording, to: RowsTarget): Promise<void> {
    let before = Number.POSITIVE_INFINITY;
    for (;;) {
      const changed = await this.#copyChanges(recording, to);
      if (changed < fewChanges || changed > before / 2) return;
      before = changed;
    }
  }

  /** Copies the changes since the last call. @returns their number */
  async #copyChanges(recording: Recording, to: RowsTarget): Promise<number> {
    const state = await recording.open();
    let changed: number;
    try {
      changed = await copyChanges(state, to, this.#counted(undefined, recording));
    } finally {
      state.close();
    }
    await state.forget();
    await recording.check();
    this.#onProgress({ changed });
    return changed;
  }

  /** Copies the changes since the last call, and compares all rows. @throws Error if they differ */
  async #compareAll(recording: Recording, to: RowsTarget): Promise<void> {
    const state = await recording.open();
    try {
      await copyChanges(state, to, () => {});
      const onRows = this.#counted('compared', recording);
      requireSameRows(await digestRows(state, onRows), await digestRows(to, onRows));
    } finally {
      state.close();
    }
    await state.forget();
  }

  /** Copies changes until all servers have stopped. */
  async #follow(recording: Recording, to: RowsTarget, settleMs: number): Promise<Claimed> {
    let freeSince: number | undefined;
    for (;;) {
      // Before the claim, so that the database does not list closed connections.
      await pause(roundIntervalMs);
      const claimed = await this.#source.claim();
      freeSince = claimed && (freeSince ?? performance.now());
      if (freeSince !== undefined && performance.now() - freeSince >= settleMs) return claimed as Claimed;
      claimed?.close();
      await this.#copyChanges(recording, to);
    }
  }

  /** Returns a function that reports rows, checks the recording and lets other work run. */
  #counted(as: 'copied' | 'compared' | undefined, recording?: Recording): (rows: number) => Promise<void> {
    let counted = 0;
    let sinceTick = 0;
    let checkedAt = performance.now();
    return async (rows) => {
      counted += rows;
      if (as !== undefined) this.#onProgress({ [as]: counted } as MoveProgress);
      sinceTick += rows;
      if (sinceTick >= rowsPerTick) {
        sinceTick = 0;
        await tick();
      }
      if (recording === undefined || performance.now() - checkedAt < checkIntervalMs) return;
      checkedAt = performance.now();
      await recording.check();
    };
  }
}

/** Keeps servers from using a history. */
interface Claimed {
  close(): void;
}

/** The old history. */
interface Source {
  /** @returns undefined while a server uses it */
  claim(): Promise<Claimed | undefined>;
  open(): Promise<Snapshot>;
  openReads(): Promise<ReadOnlyHistory>;
  record(): Promise<Recording>;
  /** Removes the triggers of a killed move. */
  removeRecording(): Promise<void>;
  /** Sets whether servers reject the history, because it was moved. */
  setMoved(isMoved: boolean): Promise<void>;
}

/** Lets servers use a history again that was moved. @throws CommandProblem */
export async function moveBack(history: HistoryPlace): Promise<void> {
  try {
    const source = await openSource(history);
    const claimed = await source.claim();
    if (claimed === undefined)
      throw new CommandProblem(exit.unavailable, 'a chat server is using this history');
    await source.setMoved(false).finally(() => claimed.close());
  } catch (error) {
    throw asProblem(error, 'nothing was changed');
  }
}

async function openSource(from: HistoryPlace): Promise<Source> {
  const reading = { open: () => openSnapshotOf(from), openReads: () => openReads(from) };
  if (from.kind === 'sqlite') {
    if (!existsSync(from.path))
      throw new CommandProblem(
        exit.configuration,
        `the history ${from.path} does not exist: check CHAT_HISTORY`,
      );
    const path = realpathSync(from.path);
    return {
      ...reading,
      claim: async () => tryClaim(`${path}-lock`),
      record: async () => recordFile(path),
      removeRecording: async () => removeFileRecording(path),
      async setMoved(isMoved) {
        if (isMoved) await writeFile(movedMarkOf(path), '', { mode: 0o600 });
        else await rm(movedMarkOf(path), { force: true });
        await sync(dirname(path));
      },
    };
  }
  const dialect = await dialectOf(from);
  const recordings = () => import('../history/engine/recording.ts');
  async function using(work: (connection: DatabaseConnection) => Promise<void>): Promise<void> {
    const connection = await dialect.connect();
    await work(connection).finally(() => connection.destroy());
  }
  return {
    ...reading,
    async claim() {
      try {
        const connection = await connectAlone(dialect, { patienceMs: endPatienceMs });
        return { close: () => connection.destroy() };
      } catch (error) {
        if (error instanceof InUse) return undefined;
        throw new CommandProblem(exit.unavailable, whyNotAlone(from, error as Error));
      }
    },
    record: async () => (await recordings()).record(dialect),
    removeRecording: () =>
      using(async (connection) => (await recordings()).removeRecording(connection, dialect)),
    setMoved: (isMoved) => using((connection) => setMoved(connection, dialect, isMoved)),
  };
}

/** The new history. No server can use it until `close`. */
interface Target {
  /** Creates empty tables. @param format the number of the last migration */
  open(format: number): Promise<RowsTarget>;
  /** Writes the copy to the disk, so that less is left to write while no server runs. */
  flush(): Promise<void>;
  /** Prepares the copy for a server. */
  prepare(): Promise<void>;
  /** Opens the prepared copy. */
  openCopy(): Promise<ReadOnlyHistory>;
  /** Puts the copy in its place. */
  takePlace(): Promise<void>;
  /** Removes an unfinished copy, and lets servers use the new history. May be called twice. */
  close(): Promise<void>;
}

const openTarget = (to: HistoryPlace): Promise<Target> =>
  to.kind === 'sqlite' ? openTargetFile(resolve(to.path)) : openTargetDatabase(to);

const exists = (place: string) =>
  new CommandProblem(
    exit.configuration,
    `${place} already contains a history: choose another file or database`,
  );

async function openTargetFile(path: string): Promise<Target> {
  if (existsSync(path)) throw exists(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const claimed = claimedFor(path);
  // In a folder, because servers and their search create more files next to a history.
  const folder = `${path}-moving`;
  const unfinished = join(folder, 'history.db');
  let restoring: FileRestoring | undefined;
  return {
    async open(format) {
      // A killed move may have left it.
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { mode: 0o700 });
      restoring = restoringFile(unfinished, format, openSqliteHistory);
      return restoring;
    },
    async prepare() {
      await restoring?.prepareMoved(path);
    },
    flush: () => sync(unfinished),
    openCopy: async () => openSqliteReads(unfinished),
    async takePlace() {
      await sync(unfinished);
      await rename(unfinished, path);
      await sync(dirname(path));
    },
    async close() {
      restoring?.close();
      await rm(folder, { recursive: true, force: true });
      claimed.close();
    },
  };
}

async function openTargetDatabase(to: DatabaseAddress): Promise<Target> {
  const { restoring: prepareRestore } = await import('../history/engine/restoring.ts');
  const dialect = await dialectOf(to);
  const restoring = await prepareRestore(dialect, openDatabaseHistory).catch((error: Error) => {
    throw new CommandProblem(exit.unavailable, whyNotAlone(to, error));
  });
  try {
    const connection = await dialect.connect();
    const isThere = await hasHistory(connection, dialect).finally(() => connection.destroy());
    if (isThere) throw exists(placeOf(to));
  } catch (error) {
    await restoring.end();
    throw error;
  }
  return {
    open: (format) => restoring.makeTables(format),
    flush: async () => {},
    prepare: () => restoring.prepareMoved(),
    openCopy: () => openDatabaseReads(beside(dialect)),
    takePlace: () => restoring.takePlace(),
    close: () => restoring.end(),
  };
}
