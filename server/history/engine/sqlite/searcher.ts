import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { type Holding, holdings, messageFrom } from '../../messages/message.ts';
import { isSearched, type SearchReads } from '../../search.ts';
import { termsOfQuery } from '../../terms.ts';
import { SealedCursors } from '../sealed-cursors.ts';
import { pageOfSearch } from '../search.ts';
import type { Row } from '../table.ts';
import { columns } from './dialect.ts';
import { digestKeyOf } from './migrations.ts';
import {
  type Batch,
  lastCommit,
  type Request,
  readFailure,
  type ThreadCall,
  type ThreadReply,
} from './protocol.ts';
import { SearchIndex, TextChanges } from './search-index.ts';

/**
 * The thread that searches. Its index follows the history in steps; what it has not followed yet, a search looks at itself.
 * So neither sending nor a search waits for the index, and a search finds the same without it, only later.
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('searcher.ts runs as a worker thread');
const port = parentPort;

/** Messages that one step takes in, and characters of their texts. */
const step = 500;
const stepCharacters = 64 * 1024;
/**
 * The index follows the history this often, in milliseconds, and more often as long as texts change: the rest of a deleted
 * room waits for that.
 */
const followEvery = 1000;
const followChangesEvery = 50;
/**
 * A search looks at so many characters, some 20 ms. Then others have their turn. It does not depend on
 * a clock, which would show what else the server has to do. A row that is read takes as long as so many characters.
 */
const mostWork = 5_000_000;
const rowWork = 500;
const lockTimeout = 1000;

// Only read, except for `former_texts`, whose rows are deleted once the index has followed.
const history = new DatabaseSync(path, { timeout: lockTimeout });
history.exec('PRAGMA secure_delete = ON');
/** Rooms: where their messages begin and end, the number of the newest, and whether the index has missed changes. */
const places = `SELECT rooms.num AS room, rooms.id AS id, first_seq AS first, last_seq AS seq,
    (SELECT messages.num FROM chat_messages AS messages WHERE messages.room = rooms.num AND seq BETWEEN first_seq AND last_seq
      ORDER BY seq DESC LIMIT 1) AS newest,
    EXISTS (SELECT 1 FROM former_texts WHERE former_texts.room = rooms.num) AS changing FROM`;
const statements = {
  fresh: history.prepare(
    `SELECT num, room, seq, text FROM chat_messages WHERE num > ? ORDER BY num LIMIT ${step}`,
  ),
  former: history.prepare(
    `SELECT change, message, room, seq, text FROM former_texts WHERE change > ? ORDER BY change LIMIT ${step}`,
  ),
  laterFormer: history.prepare('SELECT message, text FROM former_texts WHERE change > ? ORDER BY change'),
  forget: history.prepare('DELETE FROM former_texts WHERE change <= ?'),
  current: history.prepare('SELECT text FROM chat_messages WHERE num = ?'),
  rooms: history.prepare(
    `${places} json_each(?) AS ids CROSS JOIN chat_rooms AS rooms ON rooms.id = ids.value`,
  ),
  publicRooms: history.prepare(`${places} chat_rooms AS rooms WHERE kind = 'public'`),
  newestUpTo: history.prepare(
    'SELECT seq, num FROM chat_messages WHERE room = ? AND seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1',
  ),
  newestChange: history.prepare(
    'SELECT max(seq) AS seq FROM former_texts WHERE room = ? AND seq BETWEEN ? AND ?',
  ),
  text: history.prepare(
    'SELECT num, text, user_id, sent_at, deleted_at FROM chat_messages WHERE room = ? AND seq = ?',
  ),
  newestHolding: history.prepare(
    'SELECT max(seq) AS seq FROM chat_holdings WHERE room = ? AND holds = ? AND seq BETWEEN ? AND ?',
  ),
  message: history.prepare(`SELECT ${columns} FROM chat_messages AS messages WHERE num = ?`),
  commit: history.prepare(lastCommit),
};
const cursors = new SealedCursors(digestKeyOf(history));
const index = SearchIndex.open(history, path);
let timer: NodeJS.Timeout | undefined;
/** When the index has last followed a text that was edited or deleted. */
let textsChanged = Number.NEGATIVE_INFINITY;
/** Whether former texts may lie there that the index has followed. The server before may have been killed with some. */
let isToForget = true;

/** A room that the asker may read, and how far a search has looked through it, from its newest message on backwards. */
interface Place {
  room: number;
  id: string;
  first: number;
  /** The newest message that is left. */
  seq: number;
  /** Its number, or a higher one; 0: none is left. */
  newest: number;
  /** Whether the index has not followed all changes of its texts yet: 1 or 0. */
  changing: number;
}

type TextRow = Row & { num: number; text: string };

interface Found {
  num: number;
  id: string;
}

port.on('message', (requests: Request[]) => {
  for (const request of requests) {
    if ('op' in request) {
      // Each by itself: the first need not wait for the others.
      port.postMessage(answer(request) satisfies ThreadReply);
      continue;
    }
    clearTimeout(timer);
    index.close();
    history.close();
    port.close();
  }
});
port.postMessage({ ready: true } satisfies ThreadReply);
keepFollowing();

function answer({ id, input }: ThreadCall): Batch {
  const files = [history, index.db];
  try {
    // All statements see the same state of both files and take a single lock.
    for (const file of files) file.exec('BEGIN');
    const commit = statements.commit.get()?.num as number;
    return { outcomes: [{ id, value: search(input as SearchReads['search']['in']) }], commit };
  } catch (error) {
    return { outcomes: [{ id, ...readFailure(error) }] };
  } finally {
    // Nothing was written. A failure of the disk may have ended it.
    for (const file of files) if (file.isTransaction) file.exec('ROLLBACK');
  }
}

/** Each turn is a single step, so that a search need not wait until an old history is indexed. */
function keepFollowing(): void {
  let more = false;
  try {
    more = follow();
    forget();
  } catch {
    // A full disk, or one that fails: the next step tries again.
  }
  const changing = performance.now() - textsChanged < followEvery;
  timer = setTimeout(keepFollowing, more ? 0 : changing ? followChangesEvery : followEvery);
}

/** Deletes the former texts that the index has followed. No search waits for that, or fails with it. */
function forget(): void {
  if (!isToForget) return;
  statements.forget.run(index.change);
  isToForget = false;
}

/** Takes the next changes and messages into the index. @returns whether there is more */
function follow(): boolean {
  history.exec('BEGIN');
  let former: { change: number; message: number; room: number; seq: number; text: string }[];
  const fresh: { num: number; room: number; seq: number; text: string }[] = [];
  let characters = 0;
  let moreFormer = false;
  const current = new Map<number, string>();
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
      current.set(message, (statements.current.get(message)?.text as string | undefined) ?? '');
    }
    if (moreFormer) {
      // A later step removes the next former text of a message, so this step has to add it.
      const open = new Set(current.keys());
      for (const row of statements.laterFormer.iterate(former.at(-1)?.change as number)) {
        const { message, text } = row as { message: number; text: string };
        if (open.delete(message)) current.set(message, text);
      }
    }
    history.exec('COMMIT');
  } catch (error) {
    // No search could begin one as long as this one is open.
    if (history.isTransaction) history.exec('ROLLBACK');
    throw error;
  }
  if (former.length === 0 && fresh.length === 0) return false;
  const changes = new TextChanges();
  // The index holds the first of a message's former texts.
  const followed = new Set<number>();
  for (const { message, room, seq, text } of former) {
    if (message > index.message || followed.has(message)) continue;
    followed.add(message);
    changes.note(room, seq, text, current.get(message) ?? '');
  }
  for (const { room, seq, text } of fresh) changes.note(room, seq, '', text);
  const change = former.at(-1)?.change ?? index.change;
  index.follow(changes, fresh.at(-1)?.num ?? index.message, change);
  if (former.length > 0) {
    isToForget = true;
    textsChanged = performance.now();
  }
  return moreFormer || fresh.length === step || characters > stepCharacters;
}

/**
 * Newest first, through all rooms at once. Each room is looked through by itself, and only as far as the page needs it:
 * what is in other rooms makes a search neither slower nor its pages shorter, so nothing is learnt of it.
 */
function search({
  query,
  only = {},
  rooms,
  everyPublic,
  except = [],
  from,
  limit,
}: SearchReads['search']['in']): SearchReads['search']['out'] {
  const before = cursors.open('search', from);
  const terms = query === undefined ? undefined : termsOfQuery(query);
  const lookedFor = query?.toLowerCase() ?? '';
  const fits = (row: TextRow) => isSearched(row, only) && row.text.toLowerCase().includes(lookedFor);
  /** The room with the newest message that is left is the last one. */
  const open = placesOf(rooms, everyPublic, except, before).sort((a, b) => a.newest - b.newest);
  /** Newest first, and one more than fits. */
  const found: Found[] = [];
  let work = 0;
  let rest = 0;
  for (;;) {
    rest = open.at(-1)?.newest ?? 0;
    const isFull = (found[limit]?.num ?? 0) > rest;
    if (rest === 0 || isFull || (work >= mostWork && rest < before - 1)) break;
    const place = open.pop() as Place;
    const { message, rows } = nextCandidate(place, terms, only.has, before);
    work += rowWork * rows + (message?.text.length ?? 0);
    if (message !== undefined && fits(message)) {
      insert(found, { num: message.num, id: place.id }, ({ num }) => -num);
      if (found.length > limit + 1) found.pop();
    }
    if (place.newest > 0) insert(open, place, ({ newest }) => newest);
  }
  const messages = found.map(({ num, id }) => ({
    num,
    message: () => messageFrom(statements.message.get(num) as Row, id),
  }));
  return pageOfSearch(cursors, messages, rest, limit);
}

/** The rooms with messages before that one. */
function placesOf(
  rooms: readonly string[],
  everyPublic: boolean,
  except: readonly string[],
  before: number,
): Place[] {
  const rows = statements.rooms.all(JSON.stringify(rooms));
  if (everyPublic) for (const row of statements.publicRooms.iterate()) rows.push(row);
  const found = new Map<string, Place>();
  for (const row of rows) if (row.newest !== null) found.set(row.id as string, row as unknown as Place);
  for (const id of except) found.delete(id);
  for (const place of found.values()) place.newest = Math.min(place.newest, before - 1);
  return [...found.values()];
}

/** The next message of the room that may be one that is looked for. `terms` undefined: whatever its text is. */
function nextCandidate(
  place: Place,
  terms: readonly number[] | undefined,
  has: Holding | undefined,
  before: number,
): { message?: TextRow; rows: number } {
  const { room, first } = place;
  if (place.newest === before - 1) {
    goOn(place, lastBefore(place, before));
    if (place.newest === 0) return { rows: 1 };
  }
  let next: { seq?: number; left: number; rows: number } = { seq: place.seq, left: place.seq, rows: 0 };
  if (terms === undefined) {
    if (has !== undefined) next = { ...newestHolding(place, has, first), rows: 1 };
  } else if (place.newest <= index.message) {
    next = index.candidate(room, terms, first, place.seq);
    // A text that has changed since, the index may not have.
    const changed = place.changing && statements.newestChange.get(room, next.left, place.seq)?.seq;
    if (changed) next = { ...next, seq: changed as number, left: changed as number };
  }
  const { seq } = next;
  const holds =
    seq !== undefined && (has === undefined || newestHolding({ room, seq }, has, seq).seq === seq);
  const row = holds ? statements.text.get(room, seq) : undefined;
  goOn(place, next.left - 1);
  // Beside those of the index, the message and the one after it.
  const rows = next.rows + 2;
  return row === undefined ? { rows } : { message: row as unknown as TextRow, rows };
}

/** The newest message of the room that holds that, from its `seq` down to `first`. */
function newestHolding(
  { room, seq }: Pick<Place, 'room' | 'seq'>,
  has: Holding,
  first: number,
): { seq?: number; left: number } {
  const found = statements.newestHolding.get(room, holdings.indexOf(has), first, seq)?.seq ?? null;
  return found === null ? { left: first } : { seq: found as number, left: found as number };
}

/** Only what is there up to that message is left. */
function goOn(place: Place, upTo: number): void {
  const row = upTo < place.first ? undefined : statements.newestUpTo.get(place.room, place.first, upTo);
  place.seq = (row?.seq as number | undefined) ?? 0;
  place.newest = (row?.num as number | undefined) ?? 0;
}

/** The place of the room's newest message before that one. */
function lastBefore({ room, first, seq }: Place, before: number): number {
  let [from, to] = [first - 1, seq];
  while (from < to) {
    const middle = Math.ceil((from + to) / 2);
    const row = statements.newestUpTo.get(room, first, middle);
    if (row === undefined || (row.num as number) < before) from = middle;
    else to = (row.seq as number) - 1;
  }
  return from;
}

/** Keeps the list in the order of its keys. */
function insert<T>(list: T[], one: T, keyOf: (one: T) => number): void {
  const key = keyOf(one);
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (keyOf(list[middle] as T) > key) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, one);
}
