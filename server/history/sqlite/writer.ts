import { createHmac, randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Message } from '../../events.ts';
import type { NewMessage, RoomRecord } from '../history.ts';
import { Disk } from './disk.ts';
import { migrate } from './migrations.ts';
import {
  isFull,
  isLocked,
  type Outcome,
  type Reply,
  type Request,
  storageFailure,
  type WriteCall,
} from './protocol.ts';

/**
 * The one thread that writes. All that was asked for while the last transaction ran goes into the next one,
 * so that many senders share a sync to the disk (group commit).
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('sqlite-writer.ts runs as a worker thread');
const port = parentPort;

/** Bounds the time one transaction takes, and so how long the first of its senders waits. */
const maxBatch = 1000;

/** The size to which the WAL is cut, in bytes: what SQLite's own rule, a checkpoint at 1,000 pages, makes of it. */
const maxWal = 1000 * 4096;

/** Another program may hold the file for a moment, a backup for instance. */
const lockTimeout = 1000;

const db = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: lockTimeout });
const disk = new Disk(db, path);
disk.lend(() => {
  db.exec('PRAGMA journal_mode = WAL');
  // FULL, not NORMAL: an acknowledged message survives the loss of power.
  db.exec('PRAGMA synchronous = FULL');
  migrate(db);
});
// While a backup reads, say, the WAL grows beyond that, and by itself the file would never shrink again.
db.exec(`PRAGMA journal_size_limit = ${maxWal}`);

const digestKey = db.prepare('SELECT key FROM digest_key').get()?.key as Uint8Array;
const selectRoom = db.prepare('SELECT id, head, last_seq AS lastSeq FROM rooms WHERE id = ?');
const updateRoom = db.prepare('UPDATE rooms SET head = ?, last_seq = ? WHERE id = ?');
const insertRoom = db.prepare(
  `INSERT INTO rooms (id, name, kind) VALUES (?1, ?1, 'public') ON CONFLICT DO NOTHING`,
);
const selectRepeat = db.prepare(
  'SELECT seq, rev, id, user_name, text, sent_at, reply_to, digest FROM messages WHERE room = ? AND user_id = ? AND client_id = ?',
);
const insertMessage = db.prepare(
  `INSERT INTO messages (room, seq, rev, id, client_id, user_id, user_name, text, sent_at, reply_to, digest)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
);
const markRead = db.prepare('UPDATE members SET read_seq = max(read_seq, ?) WHERE room = ? AND user_id = ?');
const insertMember = db.prepare(
  'INSERT INTO members (user_id, room, read_seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
);
const selectReadSeq = db.prepare('SELECT read_seq FROM members WHERE room = ? AND user_id = ?');

type Numbers = Pick<RoomRecord, 'id' | 'head' | 'lastSeq'> & { changed: boolean };

/** What one transaction changes, written once at its end however many messages it holds. */
class Batch {
  readonly rooms = new Map<string, Numbers>();
  readonly reads = new Map<string, { room: string; userId: string; seq: number }>();
  /** Whether the disk has room for messages. */
  readonly roomLeft: boolean;

  constructor(roomLeft: boolean) {
    this.roomLeft = roomLeft;
  }

  room(id: string): Numbers | undefined {
    const known = this.rooms.get(id);
    if (known !== undefined) return known;
    const room = selectRoom.get(id) as Numbers | undefined;
    if (room !== undefined) this.rooms.set(id, { ...room, changed: false });
    return this.rooms.get(id);
  }

  finish() {
    for (const room of this.rooms.values())
      if (room.changed) updateRoom.run(room.head, room.lastSeq, room.id);
    for (const { room, userId, seq } of this.reads.values()) markRead.run(seq, room, userId);
  }
}

port.on('message', (first: Request) => {
  const requests = [first];
  while (requests.length < maxBatch) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    requests.push(next.message as Request);
  }
  const calls = requests.filter((request) => 'call' in request) as Call[];
  if (calls.length > 0) {
    port.postMessage(commit(calls) satisfies Reply);
    disk.checkpointInTime();
  }
  if (calls.length < requests.length) {
    // With the reserve, where it has to be: what is closed then leaves no WAL for the next start.
    disk.makeRoom();
    db.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies Reply);

type Call = { id: number; call: WriteCall };
type Committed = { outcomes: Outcome[]; commitMs?: number };

function commit(requests: Call[]): Committed {
  try {
    return withRoom(requests);
  } catch (error) {
    // One by one, so that what needs no room on the disk (a repeat) does not fail with what does. If another program
    // has locked the file, each of them would wait for it again.
    if (requests.length > 1 && !isLocked(error))
      return { outcomes: requests.flatMap((request) => commit([request]).outcomes) };
    const failure = storageFailure(error);
    return { outcomes: requests.map(({ id }) => ({ id, ...failure })) };
  }
}

/** If there is no room for the transaction, makes some and tries again; what holds no message may use the reserve. */
function withRoom(requests: Call[]): Committed {
  const stores = requests.some(({ call }) => call.op === 'append');
  if (!stores) return disk.lend(() => transact(requests, false));
  const roomLeft = disk.hasRoom();
  try {
    return transact(requests, roomLeft);
  } catch (error) {
    if (!isFull(error)) throw error;
    disk.makeRoom();
    return transact(requests, roomLeft);
  }
}

function transact(requests: Call[], roomLeft: boolean): Committed {
  const began = performance.now();
  const outcomes: Outcome[] = [];
  db.exec('BEGIN IMMEDIATE');
  try {
    const batch = new Batch(roomLeft);
    for (const { id, call } of requests) outcomes.push({ id, ...perform(call, batch) });
    batch.finish();
    db.exec('COMMIT');
    return { outcomes, commitMs: performance.now() - began };
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

type Result<T> = T extends unknown ? Omit<T, 'id'> : never;

function perform(call: WriteCall, batch: Batch): Result<Outcome> {
  if (call.op === 'append') return append(call.message, batch);
  if (call.op === 'repeatOf') return repeatOf(call.message, digestOf(call.message)) ?? { value: null };
  if (call.op === 'createRooms') {
    for (const id of call.ids) insertRoom.run(id);
    return { value: undefined };
  }
  // By the numbers of this batch: those in the table are written at its end.
  const room = batch.room(call.room);
  if (room === undefined) return { code: 'unknown_room', detail: 'there is no such room' };
  insertMember.run(call.userId, call.room, room.lastSeq);
  return { value: selectReadSeq.get(call.room, call.userId)?.read_seq };
}

function digestOf({ text, replyTo }: NewMessage): Buffer {
  return createHmac('sha256', digestKey)
    .update(`${replyTo ?? ''}\n${text}`)
    .digest();
}

/** The stored message of the same clientId, or a conflict with it; undefined when this is no repeat. */
function repeatOf({ room, user, clientId }: NewMessage, digest: Buffer) {
  const earlier = selectRepeat.get(room, user.id, clientId);
  if (earlier === undefined) return undefined;
  if (!digest.equals(earlier.digest as Uint8Array)) {
    return { code: 'conflict', detail: 'this clientId was used for another text' } as const;
  }
  const value: Message = {
    id: earlier.id as string,
    room,
    seq: earlier.seq as number,
    rev: earlier.rev as number,
    clientId,
    user: { id: user.id, name: earlier.user_name as string },
    text: earlier.text as string,
    sentAt: earlier.sent_at as number,
    ...(earlier.reply_to === null ? {} : { replyTo: earlier.reply_to as number }),
  };
  return { value };
}

function append(message: NewMessage, batch: Batch): Result<Outcome> {
  const { room: roomId, user, clientId, text, replyTo, sentAt } = message;
  const room = batch.room(roomId);
  if (room === undefined) return { code: 'unknown_room', detail: 'there is no such room' };
  const digest = digestOf(message);
  const repeat = repeatOf(message, digest);
  if (repeat !== undefined) {
    return 'code' in repeat ? repeat : { value: { message: repeat.value, repeated: true } };
  }
  if (replyTo !== undefined && replyTo > room.lastSeq) {
    return { code: 'unknown_message', detail: 'replyTo names no message of this room' };
  }
  if (!batch.roomLeft)
    return { code: 'storage_full', detail: 'less than 128 KB is free on the disk of the history' };
  const stored: Message = {
    id: randomUUID(),
    room: roomId,
    seq: room.lastSeq + 1,
    rev: room.head + 1,
    clientId,
    user,
    text,
    sentAt,
    ...(replyTo === undefined ? {} : { replyTo }),
  };
  insertMessage.run(
    roomId,
    stored.seq,
    stored.rev,
    stored.id,
    clientId,
    user.id,
    user.name,
    text,
    sentAt,
    replyTo ?? null,
    digest,
  );
  room.lastSeq = stored.seq;
  room.head = stored.rev;
  room.changed = true;
  batch.reads.set(JSON.stringify([roomId, user.id]), { room: roomId, userId: user.id, seq: stored.seq });
  return { value: { message: stored, repeated: false }, stored };
}
