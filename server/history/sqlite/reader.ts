import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Message } from '../../events.ts';
import { type Membership, maxPageBytes, type Page, type RoomRecord } from '../history.ts';
import { type Outcome, type ReadCall, type Reply, type Request, storageFailure } from './protocol.ts';

/** The thread that reads: a slow disk or a long page holds up neither the writer nor the event loop. */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('sqlite-reader.ts runs as a worker thread');
const port = parentPort;
const db = new DatabaseSync(path, { readOnly: true });

const columns = 'room, seq, rev, id, client_id, user_id, user_name, text, sent_at, reply_to';
const selectRooms = db.prepare('SELECT id, name, kind, head, last_seq AS lastSeq FROM rooms');
const selectMemberships = db.prepare('SELECT room, read_seq AS readSeq FROM members WHERE user_id = ?');
const selectReadSeq = db.prepare('SELECT read_seq FROM members WHERE room = ? AND user_id = ?');
const selectNewest = db.prepare(
  `SELECT ${columns} FROM messages WHERE room = ? AND seq <= ? ORDER BY seq DESC LIMIT ?`,
);
const selectChanges = db.prepare(
  `SELECT ${columns} FROM messages WHERE room = ? AND rev > ? AND rev <= ? ORDER BY rev LIMIT ?`,
);

port.on('message', (request: Request) => {
  if ('close' in request) {
    db.close();
    port.close();
    return;
  }
  let outcome: Outcome;
  try {
    outcome = { id: request.id, value: read(request.call as ReadCall) };
  } catch (error) {
    outcome = { id: request.id, ...storageFailure(error) };
  }
  port.postMessage({ outcomes: [outcome] } satisfies Reply);
});
port.postMessage({ ready: true } satisfies Reply);

function read(call: ReadCall): RoomRecord[] | Membership[] | Page | number | null {
  switch (call.op) {
    case 'rooms':
      return selectRooms.all() as unknown as RoomRecord[];
    case 'memberships':
      return selectMemberships.all(call.userId) as unknown as Membership[];
    case 'readSeq':
      return (selectReadSeq.get(call.room, call.userId)?.read_seq ?? null) as number | null;
    case 'newest': {
      const page = fill(selectNewest.iterate(call.room, call.upTo, call.limit + 1), call.limit);
      page.messages.reverse();
      return page;
    }
    case 'changes':
      return fill(selectChanges.iterate(call.room, call.since, call.upTo, call.limit + 1), call.limit);
  }
}

type Row = Record<string, unknown>;

/** Takes rows until the limit or the size of a page is reached; at least one, so that every page goes on. */
function fill(rows: Iterable<Row>, limit: number): Page {
  const messages: Message[] = [];
  let bytes = 0;
  for (const row of rows) {
    const message = messageFrom(row);
    bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
    if (messages.length === limit || (bytes > maxPageBytes && messages.length > 0))
      return { messages, complete: false };
    messages.push(message);
  }
  return { messages, complete: true };
}

function messageFrom(row: Row): Message {
  return {
    id: row.id as string,
    room: row.room as string,
    seq: row.seq as number,
    rev: row.rev as number,
    clientId: row.client_id as string,
    user: { id: row.user_id as string, name: row.user_name as string },
    text: row.text as string,
    sentAt: row.sent_at as number,
    ...(row.reply_to === null ? {} : { replyTo: row.reply_to as number }),
  };
}
