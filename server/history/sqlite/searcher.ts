import { rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { RequestError } from '../../errors.ts';
import { maxPageBytes, type Reads } from '../history.ts';
import { messageFrom } from '../rows.ts';
import { SearchCursors } from '../search-cursors.ts';
import { pairsOf, searchPairs } from '../text-keys.ts';
import { columns } from './columns.ts';
import { hasForm, indexOf, indexTable } from './index-state.ts';
import { type Call, isFull, type Outcome, type Reply, type Request, storageFailure } from './protocol.ts';

/**
 * The thread that searches. Its index is a file of its own beside the history, made from the history alone. Sending does
 * not wait for it, and if the file is lost it is built again. It follows the history in steps, and catches up before
 * each search, unless it is just being built for a large history.
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('searcher.ts runs as a worker thread');
const port = parentPort;
const indexPath = indexOf(path);

/** Messages that one step takes in, characters of their texts, and steps that a search waits for. */
const step = 500;
const stepCharacters = 128 * 1024;
const stepsBeforeSearch = 4;
/**
 * With nothing asked, the index follows the history this often, in milliseconds, and more often as long as texts change:
 * the rest of a deleted room waits for that.
 */
const followEvery = 1000;
const followChangesEvery = 50;
/**
 * A search in more rooms than this asks for the text alone. In fewer, what others write elsewhere makes it neither slower nor
 * its pages shorter: nothing is learnt of it.
 */
const mostRoomTerms = 100;
/** A search looks at so many messages, and for so many milliseconds. Then others have their turn. */
const mostCandidates = 5000;
const longestSearch = 25;
const lockTimeout = 1000;

// Only read, except for `former_texts`, whose rows are deleted once the index has followed.
const history = new DatabaseSync(path, { timeout: lockTimeout });
history.exec('PRAGMA secure_delete = ON');
const statements = {
  fresh: history.prepare(`SELECT num, room, id, text FROM messages WHERE num > ? ORDER BY num LIMIT ${step}`),
  former: history.prepare(
    `SELECT change, message, room, text FROM former_texts WHERE change > ? ORDER BY change LIMIT ${step}`,
  ),
  laterFormer: history.prepare(
    'SELECT message, room, text FROM former_texts WHERE change > ? ORDER BY change',
  ),
  forget: history.prepare('DELETE FROM former_texts WHERE change <= ?'),
  current: history.prepare('SELECT room, text FROM messages WHERE num = ?'),
  idOf: history.prepare('SELECT id FROM messages WHERE num = ?'),
  nextMessage: history.prepare(
    'SELECT max(num, (SELECT coalesce(max(num), 0) + 1 FROM messages)) AS num FROM next_message',
  ),
  roomNum: history.prepare('SELECT num FROM rooms WHERE id = ?'),
  publicNums: history.prepare(`SELECT num FROM rooms WHERE kind = 'public'`),
  message: history.prepare(
    `SELECT ${columns}, rooms.id AS room_id, rooms.num AS room_num FROM messages JOIN rooms ON rooms.num = messages.room
     WHERE messages.num = ? AND messages.seq >= rooms.first_seq`,
  ),
};
const cursors = new SearchCursors(history.prepare('SELECT key FROM digest_key').get()?.key as Uint8Array);
const index = openIndex();
let timer: NodeJS.Timeout | undefined;
/** When a text that was edited or deleted was last taken out of the index. */
let textsChanged = Number.NEGATIVE_INFINITY;

interface Index {
  db: DatabaseSync;
  add: StatementSync;
  remove: StatementSync;
  setState: StatementSync;
  /** The newest message that is in the index: its number and id. */
  message: number;
  id: string;
  /** The newest row of former_texts that the index has followed. */
  change: number;
}

port.on('message', (requests: Request[]) => {
  for (const request of requests) {
    if ('op' in request) {
      // One by one: the first need not wait for the others.
      port.postMessage({ outcomes: [answer(request)] } satisfies Reply);
      continue;
    }
    clearTimeout(timer);
    index.db.close();
    history.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies Reply);
keepFollowing();

function answer({ id, input }: Call): Outcome {
  try {
    catchUp();
    return { id, value: search(input as Reads['search']['in']) };
  } catch (error) {
    return error instanceof RequestError
      ? { id, code: error.code, detail: error.message }
      : { id, ...storageFailure(error) };
  }
}

/** A full disk keeps the index from following: what it holds can still be found. */
function catchUp(): void {
  try {
    for (let n = 0; n < stepsBeforeSearch && follow(); n++);
  } catch (error) {
    if (!isFull(error)) throw error;
  }
}

/** One step a turn, so that a search need not wait until an old history is indexed. */
function keepFollowing(): void {
  let more = false;
  try {
    more = follow();
  } catch {
    // A full disk, or one that fails: a search says so, and the next step tries again.
  }
  const changing = performance.now() - textsChanged < followEvery;
  timer = setTimeout(keepFollowing, more ? 0 : changing ? followChangesEvery : followEvery);
}

/** Takes the next changes and messages into the index. @returns whether there is more */
function follow(): boolean {
  history.exec('BEGIN');
  let former: { change: number; message: number; room: number; text: string }[];
  const fresh: { num: number; room: number; id: string; text: string }[] = [];
  let characters = 0;
  let moreFormer = false;
  const current = new Map<number, { room: number; text: string } | undefined>();
  try {
    former = statements.former.all(index.change) as typeof former;
    moreFormer = former.length === step;
    // New messages only when all changes are followed: the index takes them in as they are now.
    if (!moreFormer) {
      for (const row of statements.fresh.iterate(index.message)) {
        fresh.push(row as (typeof fresh)[number]);
        characters += (row.text as string).length;
        if (characters > stepCharacters) break;
      }
    }
    for (const { message } of former) {
      current.set(message, statements.current.get(message) as { room: number; text: string } | undefined);
    }
    if (moreFormer) {
      // What a later step removes of a message, its next former text, is what this step has to add.
      const open = new Set(current.keys());
      for (const row of statements.laterFormer.iterate(former.at(-1)?.change as number)) {
        const { message, room, text } = row as { message: number; room: number; text: string };
        if (open.delete(message)) current.set(message, { room, text });
      }
    }
  } finally {
    history.exec('COMMIT');
  }
  if (former.length === 0 && fresh.length === 0) return false;
  const { db } = index;
  const last = fresh.at(-1);
  const change = former.at(-1)?.change ?? index.change;
  db.exec('BEGIN IMMEDIATE');
  try {
    // What the index holds of a message is the first of its former texts.
    const followed = new Set<number>();
    for (const { message, room, text } of former) {
      if (message > index.message || followed.has(message)) continue;
      followed.add(message);
      const now = current.get(message);
      if (text !== '') index.remove.run(message, `r${room}`, wordsOf(text));
      if (now !== undefined && now.text !== '') index.add.run(message, `r${now.room}`, wordsOf(now.text));
    }
    for (const { num, room, text } of fresh) {
      if (text !== '') index.add.run(num, `r${room}`, wordsOf(text));
    }
    index.setState.run(last?.num ?? index.message, last?.id ?? index.id, change);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  index.message = last?.num ?? index.message;
  index.id = last?.id ?? index.id;
  if (former.length > 0) {
    index.change = change;
    statements.forget.run(change);
    textsChanged = performance.now();
  }
  return moreFormer || fresh.length === step || characters > stepCharacters;
}

/** The pairs of a text, each once: the index knows which a text has, and not where. */
function wordsOf(text: string): string {
  return [...new Set(pairsOf(text))].join(' ');
}

/**
 * The index finds the messages that have all pairs of what is looked for; each is looked at itself then. So no text, and
 * nothing that is looked for, makes the index work for long without a message to show for it, and the time can be kept.
 */
function search({
  query,
  rooms,
  everyPublic,
  except = [],
  from,
  limit,
}: Reads['search']['in']): Reads['search']['out'] {
  const before = from === undefined ? Number.MAX_SAFE_INTEGER : cursors.messageOf(from);
  const nums = new Set<number>();
  for (const room of rooms) {
    const num = statements.roomNum.get(room)?.num as number | undefined;
    if (num !== undefined) nums.add(num);
  }
  if (everyPublic) for (const { num } of statements.publicNums.all()) nums.add(num as number);
  for (const room of except) nums.delete(statements.roomNum.get(room)?.num as number);
  if (nums.size === 0) return { messages: [] };
  const wanted = searchPairs(query);
  const text =
    'pairs' in wanted
      ? `text : (${[...new Set(wanted.pairs)].map((pair) => `"${pair}"`).join(' AND ')})`
      : `text : "${wanted.beginning}" *`;
  const few = nums.size <= mostRoomTerms;
  const where = few ? `room : (${[...nums].map((num) => `r${num}`).join(' OR ')}) AND (${text})` : text;
  const lookedFor = query.toLowerCase();
  const began = performance.now();
  const found = index.db
    .prepare('SELECT rowid AS num FROM pairs WHERE pairs MATCH ? AND rowid < ? ORDER BY rowid DESC')
    .iterate(where, before);
  const messages: Reads['search']['out']['messages'] = [];
  let looked = 0;
  let last = 0;
  let bytes = 0;
  for (const { num } of found) {
    const over = looked === mostCandidates || performance.now() - began > longestSearch;
    if (messages.length === limit || (over && last > 0)) return { messages, next: cursors.of(last) };
    looked++;
    const row = statements.message.get(num as number);
    // Deleted, edited, gone or too old since the index was made.
    const readable = row !== undefined && nums.has(row.room_num as number);
    const message = readable ? messageFrom(row, row.room_id as string) : undefined;
    if (message?.text.toLowerCase().includes(lookedFor)) {
      bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
      if (bytes > maxPageBytes && messages.length > 0) return { messages, next: cursors.of(last) };
      messages.push(message);
    }
    last = num as number;
  }
  return { messages };
}

/**
 * Opens the index, or makes it anew if it is damaged or belongs to another history. On a full disk it is made in memory:
 * the server then starts, though it cannot search everything.
 */
function openIndex(): Index {
  try {
    return opened(indexPath);
  } catch (error) {
    if (isFull(error)) return opened(':memory:');
  }
  try {
    for (const file of ['', '-journal']) rmSync(`${indexPath}${file}`, { force: true });
    return opened(indexPath);
  } catch {
    return opened(':memory:');
  }
}

/** @throws Error when the index is damaged, or was not made from this history */
function opened(file: string): Index {
  const db = new DatabaseSync(file);
  try {
    // One thread alone reads and writes it, so that it needs no WAL, which would take room on the history's disk.
    db.exec('PRAGMA journal_mode = TRUNCATE');
    // Losing the last steps costs nothing: they are taken again.
    db.exec('PRAGMA synchronous = NORMAL');
    db.exec('PRAGMA secure_delete = ON');
    db.exec(`
      CREATE TABLE IF NOT EXISTS state (message INTEGER NOT NULL, id TEXT NOT NULL, change INTEGER NOT NULL) STRICT;
      CREATE VIRTUAL TABLE IF NOT EXISTS pairs USING ${indexTable};
    `);
    if (!hasForm(db)) throw new Error('the index is of an older form');
    // Nothing is written where all is as it should be: the disk may be full.
    const secure = db.prepare(`SELECT v FROM pairs_config WHERE k = 'secure-delete'`).get()?.v;
    if (secure !== 1) db.exec(`INSERT INTO pairs (pairs, rank) VALUES ('secure-delete', 1)`);
    const state = db.prepare('SELECT message, id, change FROM state');
    if (state.get() === undefined) db.exec(`INSERT INTO state VALUES (0, '', 0)`);
    const { message, id, change } = state.get() as {
      message: number;
      id: string;
      change: number;
    };
    const known = statements.idOf.get(message)?.id;
    // The message may be gone with its room, but its number was given before.
    const given = (statements.nextMessage.get() as { num: number }).num > message;
    if (!given || (message > 0 && known !== id && known !== undefined))
      throw new Error('the index is of another history');
    return {
      db,
      add: db.prepare('INSERT INTO pairs (rowid, room, text) VALUES (?, ?, ?)'),
      remove: db.prepare(`INSERT INTO pairs (pairs, rowid, room, text) VALUES ('delete', ?, ?, ?)`),
      setState: db.prepare('UPDATE state SET message = ?, id = ?, change = ?'),
      message,
      id,
      change,
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
