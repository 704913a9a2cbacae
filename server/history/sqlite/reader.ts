import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { FairQueue, WaitedTooLong } from '../../limits/fair-queue.ts';
import { turnOfServer } from '../../limits/requester.ts';
import { SealedCursors } from '../engine/sealed-cursors.ts';
import { SqliteConnection, sqlite } from '../engine/sqlite/dialect.ts';
import { digestKeyOf } from '../engine/sqlite/migrations.ts';
import { reads } from '../subjects.ts';
import {
  lastCommit,
  type ReadCall,
  type Request,
  readFailure,
  refusal,
  storageFailure,
  type ThreadOutcome,
  type ThreadReply,
} from './protocol.ts';

/** The reading thread. A slow disk or a long page blocks neither the writer nor the event loop. Accounts take turns. */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('reader.ts must run as a worker thread');
const port = parentPort;
const db = new DatabaseSync(path, { readOnly: true });
const connection = new SqliteConnection(db);
const context = { dialect: sqlite(db), cursors: new SealedCursors(digestKeyOf(db)) };
const commit = db.prepare(lastCommit);
/** Maximum results of one reply. Each may have 256 KB, and the first should not wait for all others. */
const callsPerReply = 20;
/** After this time a reply is sent, so that reads of other accounts can arrive. */
const maxReplyMs = 5;

const waiting = new FairQueue<{ call: ReadCall; until: number }>();
let isRunning = false;

port.on('message', (requests: Request[]) => {
  for (const request of requests) {
    if ('close' in request) {
      while (waiting.size > 0) answerSome();
      db.close();
      port.close();
    } else {
      const call = request as ReadCall;
      const { account, maxWaitMs, continues } = call.turn ?? turnOfServer;
      const until = performance.now() + (maxWaitMs ?? Number.POSITIVE_INFINITY);
      waiting.add(account, { call, until }, continues);
    }
  }
  if (!isRunning) answerWaiting();
});
port.postMessage({ ready: true } satisfies ThreadReply);

/** Sends one reply per event-loop tick, because reads that arrive may come first. */
function answerWaiting(): void {
  isRunning = waiting.size > 0;
  if (!isRunning) return;
  answerSome();
  setImmediate(answerWaiting);
}

/**
 * Runs some reads in one transaction, because SQLite would lock and unlock the file for each statement. The writer
 * cannot empty the WAL during it, so each reply has its own.
 */
function answerSome(): void {
  const startedAt = performance.now();
  const late = waiting.dropAll(({ until }) => until <= startedAt);
  const outcomes = late.map(({ call }): ThreadOutcome => ({ id: call.id, ...refusal(new WaitedTooLong()) }));
  try {
    db.exec('BEGIN');
    const seen = commit.get()?.num as number;
    for (let now = startedAt; outcomes.length < callsPerReply && now - startedAt < maxReplyMs; ) {
      const next = waiting.next();
      if (next === undefined) break;
      const { call } = next;
      outcomes.push(answer(call));
      const endedAt = performance.now();
      waiting.count(call.turn?.account ?? '', endedAt - now);
      now = endedAt;
    }
    // A disk failure may have ended the transaction.
    if (db.isTransaction) db.exec('COMMIT');
    port.postMessage({ outcomes, commit: seen } satisfies ThreadReply);
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    const ids = [...outcomes, ...waiting.dropAll().map(({ call }) => call)].map(({ id }) => id);
    port.postMessage({ outcomes: ids.map((id) => ({ id, ...storageFailure(error) })) } satisfies ThreadReply);
  }
}

function answer(call: ReadCall): ThreadOutcome {
  try {
    return { id: call.id, value: read(call) };
  } catch (error) {
    return { id: call.id, ...readFailure(error) };
  }
}

function read({ op, input }: ReadCall): unknown {
  if (!(op in reads)) throw new Error(`the history has no read called ${op}`);
  // The registry pairs each read with its input. TypeScript cannot follow that.
  return connection.answered(reads[op as 'room'](context, input as never));
}
