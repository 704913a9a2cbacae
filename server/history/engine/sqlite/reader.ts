import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { reads } from '../../subjects.ts';
import { SealedCursors } from '../sealed-cursors.ts';
import { SqliteConnection, sqlite } from './dialect.ts';
import { digestKeyOf } from './migrations.ts';
import {
  type Batch,
  lastCommit,
  type Request,
  readFailure,
  storageFailure,
  type ThreadCall,
  type ThreadOutcome,
  type ThreadReply,
} from './protocol.ts';

/** The reading thread. A slow disk or a long page blocks neither the writer nor the event loop. */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('reader.ts must run as a worker thread');
const port = parentPort;
const db = new DatabaseSync(path, { readOnly: true });
const connection = new SqliteConnection(db);
const context = { dialect: sqlite(db), cursors: new SealedCursors(digestKeyOf(db)) };
const commit = db.prepare(lastCommit);
/** Maximum results of one reply. Each may have 256 KB, and the first should not wait for all others. */
const callsPerReply = 20;

port.on('message', (requests: Request[]) => {
  const calls = requests.filter((request) => 'op' in request);
  for (let n = 0; n < calls.length; n += callsPerReply) {
    port.postMessage(answerAll(calls.slice(n, n + callsPerReply)) satisfies ThreadReply);
  }
  if (requests.some((request) => 'close' in request)) {
    db.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies ThreadReply);

/**
 * Runs the reads in one transaction, because SQLite would lock and unlock the file for each statement. The writer
 * cannot empty the WAL during it, so each reply has its own.
 */
function answerAll(calls: readonly ThreadCall[]): Batch {
  try {
    db.exec('BEGIN');
    const seen = commit.get()?.num as number;
    const outcomes = calls.map(answer);
    // A disk failure may have ended the transaction.
    if (db.isTransaction) db.exec('COMMIT');
    return { outcomes, commit: seen };
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    return { outcomes: calls.map(({ id }) => ({ id, ...storageFailure(error) })) };
  }
}

function answer(call: ThreadCall): ThreadOutcome {
  try {
    return { id: call.id, value: read(call) };
  } catch (error) {
    return { id: call.id, ...readFailure(error) };
  }
}

function read({ op, input }: ThreadCall): unknown {
  if (!(op in reads)) throw new Error(`the history has no read called ${op}`);
  // The registry pairs each read with its input. TypeScript cannot follow that.
  return connection.answered(reads[op as 'room'](context, input as never));
}
