import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Change } from '../../changes.ts';
import { reads, subjects } from '../../subjects.ts';
import { batchOf, carryOut, type Outcome } from '../batch.ts';
import { append, ofTypes, typesAfter, wantedTypes } from '../change-log.ts';
import { Kept } from '../kept.ts';
import { SealedCursors } from '../sealed-cursors.ts';
import { Transaction } from '../transaction.ts';
import { SqliteConnection, sqlite } from './dialect.ts';
import { Disk } from './disk.ts';
import { erasedDigest, type ListedErasure, listErased } from './erased.ts';
import { beginGeneration } from './index-state.ts';
import { digestKeyOf, migrate } from './migrations.ts';
import {
  type Batch,
  isFull,
  isLocked,
  isStorage,
  type ReadCall,
  type Request,
  refusal,
  storageFailure,
  type ThreadCall,
  type ThreadOutcome,
  type ThreadReply,
} from './protocol.ts';
import { purger } from './purge.ts';

/**
 * The one thread that writes. Writes that arrived while the last transaction ran share the next one, and its sync to
 * the disk (group commit).
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('writer.ts runs as a worker thread');
const port = parentPort;

/** The most requests in a transaction. That bounds the time it takes, and so how long the first of its senders waits. */
const maxBatch = { calls: 1000, characters: 16 * 1024 * 1024 };

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

const db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: lockTimeout });
const disk = new Disk(db, path);
disk.lend(() => {
  db.exec('PRAGMA journal_mode = WAL');
  // FULL, not NORMAL: an acknowledged message survives the loss of power.
  db.exec('PRAGMA synchronous = FULL');
  // Deleted data is overwritten, not only forgotten.
  db.exec('PRAGMA secure_delete = ON');
  migrate(db);
  db.prepare('DELETE FROM chat_bans WHERE until <= ?').run(Date.now());
  // Their holder has ended: the file belongs to one server.
  db.exec('UPDATE chat_consumers SET held_until = 0');
  beginGeneration(db);
  db.exec('UPDATE chat_commits SET num = 0');
});
/**
 * The transactions with changes are numbered. Other threads see one as soon as it is committed, before the main thread can
 * have heard of it: by the number it knows what their answers must wait for.
 */
const nextCommit = db.prepare('UPDATE chat_commits SET num = num + 1 RETURNING num');
// While a backup reads, say, the WAL grows beyond that, and by itself the file would never shrink again.
db.exec(`PRAGMA journal_size_limit = ${maxWal}`);
const connection = new SqliteConnection(db);
const dialect = sqlite(db);
const digestKey = digestKeyOf(db);
const kept = new Kept();
const context = { dialect, cursors: new SealedCursors(digestKey) };
/** The types of changes that go into the log. */
let types = connection.answered(wantedTypes());
const deleted = purger(db);
let erasing: NodeJS.Timeout | undefined;
/** Deletions that the last run has left half done. */
let purging: NodeJS.Timeout | undefined = setTimeout(purge, purgeEvery);
/** The pause before its next step. */
let waited = purgeEvery;

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
    clearTimeout(erasing);
    clearTimeout(purging);
    // With the reserve, where it has to be: what is closed then leaves no WAL for the next start.
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
  // After the transaction: what they tell is on the disk.
  for (const call of calls) if ('read' in call) batch.outcomes.push(answer(call));
  port.postMessage(batch satisfies ThreadReply);
  const forgets = writes.some(({ op }) => op === 'forgetFiles' || op === 'eraseStep');
  if (forgets || batch.changes?.some(erases)) erasing ??= setTimeout(erase, eraseAfter);
  if (batch.changes?.some(leavesMessages)) purging ??= setTimeout(purge, purgeEvery);
  disk.checkpointInTime();
}

function answer({ id, op, input }: ReadCall): ThreadOutcome {
  try {
    // The registry pairs each read with its input. TypeScript cannot follow that.
    return { id, value: connection.answered(reads[op as 'room'](context, input as never)) };
  } catch (error) {
    return { id, ...storageFailure(error) };
  }
}

function commit(calls: readonly Write[]): Batch {
  try {
    return withRoom(calls);
  } catch (error) {
    // Each by itself, so that a call that needs no space on the disk (a repeat) does not fail with others. If another
    // program
    // has locked the file, each of them would wait for it again.
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

/** If there is no room for the transaction, makes some and tries again; what adds nothing may use the reserve. */
function withRoom(calls: readonly Write[]): Batch {
  if (!calls.some(addsToHistory)) return disk.lend(() => transact(calls, false));
  const roomLeft = disk.hasRoom();
  try {
    return transact(calls, roomLeft);
  } catch (error) {
    if (!isFull(error)) throw error;
    disk.makeRoom();
    return transact(calls, roomLeft);
  }
}

function transact(calls: readonly Write[], roomLeft: boolean): Batch {
  const began = performance.now();
  const tooLarge = calls.map((call) => !roomLeft && addsToHistory(call));
  listErased(path, calls.flatMap(erasedBy));
  const { outcomes, changes, commit } = inTransaction(() => {
    const transaction = new Transaction();
    const place = { dialect, transaction, subjects, digestKey, kept };
    const asked = calls.map((call, n) => ({ ...call, probe: call.probe === true || tooLarge[n] }));
    const done = connection.answered(carryOut(place, asked));
    types = connection.answered(typesAfter(calls, types));
    const logged = ofTypes(done.changes, types);
    if (logged.length > 0) for (const statement of append(dialect, logged)) transaction.later(statement);
    connection.answered(transaction.flush());
    return { ...done, commit: done.changes.length === 0 ? 0 : (nextCommit.get()?.num as number) };
  });
  const answers = calls.map((call, n) => outcomeOf(call, outcomes[n] as Outcome, tooLarge[n] === true));
  return { outcomes: answers, changes, commit, commitMs: performance.now() - began };
}

const addsToHistory = ({ op }: Write): boolean => subjects.rules[op]?.adds === true;

function erasedBy(call: Write): ListedErasure[] {
  if (call.op !== 'erase' || call.probe === true) return [];
  const { user, at, messages } = call.input;
  return [{ at, messages, digest: erasedDigest(digestKey, user) }];
}

function outcomeOf({ id, probe }: Write, outcome: Outcome, isTooLarge: boolean): ThreadOutcome {
  if ('error' in outcome) return { id, ...refusal(outcome.error) };
  // A repeat needs no room.
  if (isTooLarge && probe !== true && outcome.value === null)
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

function erases(change: Change): boolean {
  if (change.type === 'report') return change.closed;
  if (change.type === 'held') return change.is === 'discarded';
  if (change.type === 'message' && change.reacted !== undefined) return false;
  return (change.type === 'message' || change.type === 'room') && change.is !== 'new';
}

/** A deleted room, or one whose first messages may be too old. */
function leavesMessages(change: Change): boolean {
  return change.type === 'room' && change.is !== 'new';
}

/** A step of deleting what was in deleted rooms, and what is too old. Requests of users run in between. */
function purge(): void {
  purging = undefined;
  let pause = purgeEvery;
  try {
    const room = deleted.room();
    if (room === undefined) return;
    if (deleted.indexFollows()) {
      const step = (size: 'large' | 'small') => () => inTransaction(() => deleted.purge(room, size));
      disk.lend(step('large'), step('small'));
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
