import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { batchOf, type Outcome, runBatch } from '../engine/batch.ts';
import { append, ofTypes, typesAfter, wantedTypes } from '../engine/change-log.ts';
import { Kept } from '../engine/kept.ts';
import { SealedCursors } from '../engine/sealed-cursors.ts';
import { SqliteConnection, sqlite } from '../engine/sqlite/dialect.ts';
import { Disk } from '../engine/sqlite/disk.ts';
import { erasedDigest, type ListedErasure, listErased } from '../engine/sqlite/erased.ts';
import { isFull, isLocked, isStorage } from '../engine/sqlite/errors.ts';
import { beginGeneration } from '../engine/sqlite/index-state.ts';
import { digestKeyOf, migrate } from '../engine/sqlite/migrations.ts';
import { purger } from '../engine/sqlite/purge.ts';
import { forgetKilled, isRecorded } from '../engine/sqlite/recording.ts';
import { Transaction } from '../engine/transaction.ts';
import type { Change } from '../records/changes.ts';
import { reads, subjects } from '../subjects.ts';
import {
  type Batch,
  type ReadCall,
  type Request,
  readFailure,
  refusal,
  storageFailure,
  type ThreadCall,
  type ThreadOutcome,
  type ThreadReply,
} from './protocol.ts';

/** The writing thread. Writes that arrive during a transaction share the next one and its sync (group commit). */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('writer.ts must run as a worker thread');
const port = parentPort;

/** Limits of one transaction. They bound its duration, and so how long the first sender waits. */
const maxBatch = { calls: 1000, characters: 16 * 1024 * 1024 };

/** The size in bytes to which SQLite truncates the WAL. At 1,000 pages it also runs its automatic checkpoint. */
const maxWal = 1000 * 4096;

/** How long to wait while another program, such as a backup, locks the file. */
const lockTimeoutMs = 1000;

/** The delay until a deleted text is removed from the WAL, and between failed attempts. */
const eraseDelayMs = 10_000;

/** The delay between two deletion steps. */
const purgeIntervalMs = 20;
/** The maximum delay between checks whether the search index has caught up. A full disk may block the index. */
const maxPurgeDelayMs = 1000;

const db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: lockTimeoutMs });
const disk = new Disk(db, path);
disk.lend(() => {
  db.exec('PRAGMA journal_mode = WAL');
  // FULL, not NORMAL, so that acknowledged messages survive a power loss.
  db.exec('PRAGMA synchronous = FULL');
  // Overwrite deleted data.
  db.exec('PRAGMA secure_delete = ON');
  migrate(db, { onProgress: (is) => port.postMessage(is satisfies ThreadReply) });
  db.prepare('DELETE FROM chat_bans WHERE until <= ?').run(Date.now());
  // Ends the consumers' leases. Only one server uses the file, so the process that held them has ended.
  db.exec('UPDATE chat_consumers SET held_until = 0');
  beginGeneration(db);
  db.exec('UPDATE chat_commits SET num = 0');
});
/**
 * Numbers the transactions with changes. Other threads see a commit before the main thread has its changes. With the
 * number, the main thread dispatches these changes before the result of a read.
 */
const nextCommit = db.prepare('UPDATE chat_commits SET num = num + 1 RETURNING num');
// The WAL grows beyond this, for example during a backup, and SQLite would not shrink the file otherwise.
db.exec(`PRAGMA journal_size_limit = ${maxWal}`);
const connection = new SqliteConnection(db);
const dialect = sqlite(db);
const digestKey = digestKeyOf(db);
const kept = new Kept();
const context = { dialect, cursors: new SealedCursors(digestKey) };
/** The change types to log. */
let types = connection.answered(wantedTypes());
const deletions = purger(db);
let eraseTimer: NodeJS.Timeout | undefined;
/** Set at the start, to finish the deletions of the previous process. */
let purgeTimer: NodeJS.Timeout | undefined = setTimeout(purge, purgeIntervalMs);
/** The delay before the next step, in milliseconds. */
let purgeDelayMs = purgeIntervalMs;
let forgetTimer = setTimeout(forgetMove, purgeIntervalMs);

port.on('message', (first: Request[]) => {
  const requests = [...first];
  while (requests.length < maxBatch.calls) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    requests.push(...(next.message as Request[]));
  }
  const calls = requests.filter((request) => 'op' in request);
  for (const rest = [...calls]; rest.length > 0; ) serve(rest.splice(0, batchOf(subjects, rest, maxBatch)));
  if (calls.length < requests.length) {
    clearTimeout(eraseTimer);
    clearTimeout(purgeTimer);
    clearTimeout(forgetTimer);
    // Empties the WAL, with the reserve if needed, so that none is left for the next start.
    disk.makeRoom();
    db.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies ThreadReply);

type Write = Exclude<ThreadCall, ReadCall>;

function serve(calls: readonly ThreadCall[]): void {
  const writes = calls.filter((call): call is Write => !('read' in call));
  const batch: Batch = writes.length > 0 ? commit(writes) : { outcomes: [] };
  // Reads run after the commit, so that their results are on the disk.
  for (const call of calls) if ('read' in call) batch.outcomes.push(answer(call));
  port.postMessage(batch satisfies ThreadReply);
  const forgets = writes.some(({ op }) => op === 'forgetFiles' || op === 'eraseStep');
  if (forgets || batch.changes?.some(removesText)) eraseTimer ??= setTimeout(erase, eraseDelayMs);
  if (batch.changes?.some(needsPurge)) purgeTimer ??= setTimeout(purge, purgeIntervalMs);
  disk.checkpointInTime();
}

function answer({ id, op, input }: ReadCall): ThreadOutcome {
  try {
    // The registry pairs each read with its input. TypeScript cannot follow that.
    return { id, value: connection.answered(reads[op as 'room'](context, input as never)) };
  } catch (error) {
    return { id, ...readFailure(error) };
  }
}

function commit(calls: readonly Write[]): Batch {
  try {
    return commitWithSpace(calls);
  } catch (error) {
    // One at a time: a call that needs no disk space, such as a duplicate, must not fail with the others. But if
    // another program has locked the file, each would wait for the lock again.
    if (calls.length > 1 && !isLocked(error)) {
      const singly = calls.map((call) => commit([call]));
      return {
        outcomes: singly.flatMap((batch) => batch.outcomes),
        changes: singly.flatMap((batch) => batch.changes ?? []),
        commit: Math.max(...singly.map((batch) => batch.commit ?? 0)),
      };
    }
    return { outcomes: calls.map(({ id }) => ({ id, ...storageFailure(error) })) };
  }
}

/**
 * Runs a transaction. If the disk is full, frees space and tries again. Calls that add nothing may use the reserve.
 */
function commitWithSpace(calls: readonly Write[]): Batch {
  if (!calls.some(addsToHistory)) return disk.lend(() => transact(calls, false));
  const hasSpace = disk.hasRoom();
  try {
    return transact(calls, hasSpace);
  } catch (error) {
    if (!isFull(error)) throw error;
    disk.makeRoom();
    return transact(calls, hasSpace);
  }
}

function transact(calls: readonly Write[], hasSpace: boolean): Batch {
  const began = performance.now();
  const lacksSpace = calls.map((call) => !hasSpace && addsToHistory(call));
  listErased(path, calls.flatMap(erasedBy));
  const { outcomes, changes, commit } = inTransaction(() => {
    const transaction = new Transaction();
    const context = { dialect, transaction, subjects, digestKey, kept };
    const asked = calls.map((call, n) => ({ ...call, probe: call.probe === true || lacksSpace[n] }));
    const done = connection.answered(runBatch(context, asked));
    types = connection.answered(typesAfter(calls, types));
    const logged = ofTypes(done.changes, types);
    if (logged.length > 0) for (const statement of append(dialect, logged)) transaction.later(statement);
    connection.answered(transaction.flush());
    return { ...done, commit: done.changes.length === 0 ? 0 : (nextCommit.get()?.num as number) };
  });
  const answers = calls.map((call, n) => outcomeOf(call, outcomes[n] as Outcome, lacksSpace[n] === true));
  return { outcomes: answers, changes, commit, commitMs: performance.now() - began };
}

const addsToHistory = ({ op }: Write): boolean => subjects.rules[op]?.adds === true;

function erasedBy(call: Write): ListedErasure[] {
  if (call.op !== 'erase' || call.probe === true) return [];
  const { user, at, messages } = call.input;
  return [{ at, messages, digest: erasedDigest(digestKey, user) }];
}

function outcomeOf({ id, probe }: Write, outcome: Outcome, isOutOfSpace: boolean): ThreadOutcome {
  if ('error' in outcome) return { id, ...refusal(outcome.error) };
  // A duplicate needs no space.
  if (isOutOfSpace && probe !== true && outcome.value === null)
    return { id, code: 'storage_full', detail: 'less than 128 KB is free on the disk of the history' };
  return { id, value: outcome.value };
}

function inTransaction<T>(task: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const done = task();
    db.exec('COMMIT');
    return done;
  } catch (error) {
    kept.forget();
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function removesText(change: Change): boolean {
  if (change.type === 'report') return change.closed;
  if ('is' in change && (change.is === 'discarded' || change.is === 'edited')) return true;
  if (change.type === 'held') return false;
  if (change.type === 'message' && change.reacted !== undefined) return false;
  return (change.type === 'message' || change.type === 'room') && change.is !== 'new';
}

/** Whether a change may leave data to delete: a deleted room, or expired messages. */
function needsPurge(change: Change): boolean {
  return change.type === 'room' && change.is !== 'new';
}

/** Runs a deletion step. User requests run between the steps. */
function purge(): void {
  purgeTimer = undefined;
  let pause = purgeIntervalMs;
  try {
    const room = deletions.room();
    if (room === undefined) return;
    if (deletions.indexFollows()) {
      const step = (size: 'large' | 'small') => () => inTransaction(() => deletions.purge(room, size));
      disk.lend(step('large'), step('small'));
      disk.checkpointInTime();
      eraseTimer ??= setTimeout(erase, eraseDelayMs);
    } else pause = Math.min(2 * purgeDelayMs, maxPurgeDelayMs);
  } catch (error) {
    if (!isStorage(error)) throw error;
    // The disk is full or failing.
    pause = eraseDelayMs;
  }
  purgeDelayMs = pause;
  purgeTimer = setTimeout(purge, pause);
}

/** Deletes what a killed move recorded, in steps. */
function forgetMove(): void {
  let pause = eraseDelayMs;
  try {
    if (isRecorded(db) && disk.lend(() => inTransaction(() => forgetKilled(db)))) {
      pause = purgeIntervalMs;
      disk.checkpointInTime();
      eraseTimer ??= setTimeout(erase, eraseDelayMs);
    }
  } catch (error) {
    if (!isStorage(error)) throw error;
    // The disk is full or failing.
  }
  forgetTimer = setTimeout(forgetMove, pause);
}

/** Moves the WAL into the database and truncates it, because it still contains edited and deleted texts. */
function erase(): void {
  eraseTimer = undefined;
  try {
    const result = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    if (result?.busy === 0) return;
  } catch (error) {
    if (!isStorage(error)) throw error;
    // The disk is full or failing.
  }
  eraseTimer = setTimeout(erase, eraseDelayMs);
}
