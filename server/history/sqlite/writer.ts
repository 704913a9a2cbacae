import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RequestError } from '../../errors.ts';
import type { Change, Writes } from '../history.ts';
import { rules } from '../rules.ts';
import { probe } from '../work.ts';
import { Disk } from './disk.ts';
import { beginGeneration } from './index-state.ts';
import { migrate } from './migrations.ts';
import {
  type Batch,
  type Call,
  isFull,
  isLocked,
  isStorage,
  type Outcome,
  type Question,
  type Reply,
  type Request,
  storageFailure,
} from './protocol.ts';
import { prepareQueries } from './queries.ts';
import { SqliteWork } from './work.ts';

/**
 * The one thread that writes. All that was asked for while the last transaction ran goes into the next one, so that
 * many senders share a sync to the disk (group commit).
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('writer.ts runs as a worker thread');
const port = parentPort;

/** The most requests in a transaction. That bounds the time it takes, and so how long the first of its senders waits. */
const maxBatch = 1000;

/** The size to which the WAL is cut, in bytes: it reaches it by SQLite's own rule, a checkpoint at 1,000 pages. */
const maxWal = 1000 * 4096;

/** Another program may hold the file for a moment, a backup for instance. */
const lockTimeout = 1000;

/** Milliseconds after which a deleted text is removed from the WAL; also the pause before another try. */
const eraseAfter = 10_000;

/** Milliseconds between two steps that delete messages of deleted rooms, and old ones. */
const purgeEvery = 20;
/** Most milliseconds until it is seen that the index for searching has followed; a full disk may keep it from that. */
const longestWait = 1000;

/** What adds to the history, and is refused when the disk is nearly full. Everything else is small, or frees room. */
const adding: ReadonlySet<string> = new Set<keyof Writes>([
  'send',
  'edit',
  'react',
  'createRoom',
  'putRoom',
  'addMembers',
  'openDirect',
  'addFile',
]);

const db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: lockTimeout });
const disk = new Disk(db, path);
disk.lend(() => {
  db.exec('PRAGMA journal_mode = WAL');
  // FULL, not NORMAL: an acknowledged message survives the loss of power.
  db.exec('PRAGMA synchronous = FULL');
  // What is deleted is overwritten, not only forgotten.
  db.exec('PRAGMA secure_delete = ON');
  migrate(db);
  db.prepare('DELETE FROM bans WHERE until <= ?').run(Date.now());
  // Whoever held them has ended: the file belongs to one server.
  db.exec('UPDATE erasures SET held_until = 0');
  beginGeneration(db);
});
// While a backup reads, say, the WAL grows beyond that, and by itself the file would never shrink again.
db.exec(`PRAGMA journal_size_limit = ${maxWal}`);
const work = new SqliteWork(db);
const queries = prepareQueries(db);
let erasing: NodeJS.Timeout | undefined;
/** What the last run has left half done. */
let purging: NodeJS.Timeout | undefined = setTimeout(purge, purgeEvery);
/** The pause before its next step. */
let waited = purgeEvery;

port.on('message', (first: Request[]) => {
  const requests = [...first];
  while (requests.length < maxBatch) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    requests.push(...(next.message as Request[]));
  }
  const calls = requests.filter((request) => 'op' in request);
  for (let from = 0; from < calls.length; from += maxBatch) serve(calls.slice(from, from + maxBatch));
  if (calls.length < requests.length) {
    clearTimeout(erasing);
    clearTimeout(purging);
    // With the reserve, where it has to be: what is closed then leaves no WAL for the next start.
    disk.makeRoom();
    db.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies Reply);

function serve(calls: readonly Call[]): void {
  const writes = calls.filter((call) => !('read' in call));
  const batch: Batch = writes.length > 0 ? commit(writes) : { outcomes: [] };
  // After the transaction: what they tell is on the disk.
  for (const call of calls) if ('read' in call) batch.outcomes.push(answer(call));
  port.postMessage(batch satisfies Reply);
  const forgets = writes.some(({ op }) => op === 'forgetFiles' || op === 'eraseStep');
  if (forgets || batch.changes?.some(erases)) erasing ??= setTimeout(erase, eraseAfter);
  if (batch.changes?.some(leavesMessages)) purging ??= setTimeout(purge, purgeEvery);
  disk.checkpointInTime();
}

function answer({ id, op, input }: Question): Outcome {
  try {
    // The map pairs each query with its input; TypeScript cannot follow that.
    return { id, value: queries[op as 'room'](input as never) };
  } catch (error) {
    return { id, ...storageFailure(error) };
  }
}

function commit(calls: readonly Call[]): Batch {
  try {
    return withRoom(calls);
  } catch (error) {
    // One by one, so that what needs no room on the disk (a repeat) does not fail with what does. If another program
    // has locked the file, each of them would wait for it again.
    if (calls.length > 1 && !isLocked(error)) {
      const singly = calls.map((call) => commit([call]));
      return {
        outcomes: singly.flatMap((batch) => batch.outcomes),
        changes: singly.flatMap((batch) => batch.changes ?? []),
      };
    }
    return { outcomes: calls.map(({ id }) => ({ id, ...storageFailure(error) })) };
  }
}

/** If there is no room for the transaction, makes some and tries again; what adds nothing may use the reserve. */
function withRoom(calls: readonly Call[]): Batch {
  if (!calls.some(({ op }) => adding.has(op))) return disk.lend(() => transact(calls, false));
  const roomLeft = disk.hasRoom();
  try {
    return transact(calls, roomLeft);
  } catch (error) {
    if (!isFull(error)) throw error;
    disk.makeRoom();
    return transact(calls, roomLeft);
  }
}

function transact(calls: readonly Call[], roomLeft: boolean): Batch {
  const began = performance.now();
  const outcomes: Outcome[] = [];
  const changes: Change[] = [];
  inTransaction(() => {
    work.begin();
    for (const call of calls) outcomes.push(perform(call, changes, roomLeft));
    work.finish();
  });
  return { outcomes, changes, commitMs: performance.now() - began };
}

function inTransaction(task: () => void): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    task();
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** A refusal is an answer; anything else that is thrown undoes the whole transaction. */
function perform(call: Call, changes: Change[], roomLeft: boolean): Outcome {
  const { id, op, input } = call;
  if (!(op in rules)) throw new Error(`the history has no write called ${op}`);
  // The map pairs each operation with its input; TypeScript cannot follow that.
  const rule = rules[op as 'send'];
  try {
    if ('probe' in call || (!roomLeft && adding.has(op))) {
      // A repeat needs no room.
      const known = probe(work, (readOnly) => rule(readOnly, input as never, []));
      if (known !== null || 'probe' in call) return { id, value: known?.value ?? null };
      return { id, code: 'storage_full', detail: 'less than 128 KB is free on the disk of the history' };
    }
    const made = changes.length;
    const value = rule(work, input as never, changes);
    if ('asker' in call && call.asker !== undefined) {
      for (const change of changes.slice(made)) change.asker = call.asker;
    }
    return { id, value };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const { code, message, retryAfterMs, current } = error;
    return {
      id,
      code,
      detail: message,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(current === undefined ? {} : { current }),
    };
  }
}

function erases(change: Change): boolean {
  if (change.type === 'report') return change.closed;
  if (change.type === 'message' && change.reacted !== undefined) return false;
  return (change.type === 'message' || change.type === 'room') && change.is !== 'new';
}

/** A deleted room, or one whose first messages may be too old. */
function leavesMessages(change: Change): boolean {
  return change.type === 'room' && change.is !== 'new';
}

/** A step of deleting what was in deleted rooms, and what is too old. All that users ask for goes in between. */
function purge(): void {
  purging = undefined;
  let pause = purgeEvery;
  try {
    const room = work.roomToPurge();
    if (room === undefined) return;
    if (work.indexFollows()) {
      disk.lend(() => inTransaction(() => work.purge(room)));
      disk.checkpointInTime();
      erasing ??= setTimeout(erase, eraseAfter);
    } else pause = Math.min(2 * waited, longestWait);
  } catch (error) {
    if (!isStorage(error)) throw error;
    // A full disk, or one that fails.
    pause = eraseAfter;
  }
  waited = pause;
  purging = setTimeout(purge, pause);
}

/** Deleted and edited texts are overwritten in the database; this truncates the WAL, which still has them. */
function erase(): void {
  erasing = undefined;
  try {
    const result = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
    if (result?.busy === 0) return;
  } catch (error) {
    if (!isStorage(error)) throw error;
    // A full disk, or one that fails.
  }
  erasing = setTimeout(erase, eraseAfter);
}
