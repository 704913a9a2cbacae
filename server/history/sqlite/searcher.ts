import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { folded, foldingWork } from '../../text/folding.ts';
import { type Holding, holdings } from '../../wire/content.ts';
import { SealedCursors } from '../engine/sealed-cursors.ts';
import { pageOfSearch } from '../engine/search.ts';
import { columns, SqliteConnection, sqlite } from '../engine/sqlite/dialect.ts';
import { digestKeyOf } from '../engine/sqlite/migrations.ts';
import { SearchIndex, TextChanges } from '../engine/sqlite/search-index.ts';
import { type Indexed, indexedFrom, nothingIndexed, termsOfQuery } from '../engine/terms.ts';
import { type FindUsersReads, findUsersSubject } from '../find-users.ts';
import type { Row } from '../records/columns.ts';
import { messageFrom } from '../records/message.ts';
import { isSearched, periodOf, type SearchReads } from '../records/search.ts';
import {
  type Batch,
  lastCommit,
  type Request,
  readFailure,
  type ThreadCall,
  type ThreadReply,
} from './protocol.ts';

/**
 * The searching thread. Its index follows the history in steps, and a search reads newer messages directly. So
 * neither sends nor searches wait for the index, and results do not depend on it.
 */
const { path } = workerData as { path: string };
if (parentPort === null) throw new Error('searcher.ts must run as a worker thread');
const port = parentPort;

/** Messages of one indexing step, and characters of their texts. */
const messagesPerStep = 500;
const charactersPerStep = 64 * 1024;
/**
 * How often the index follows the history, in milliseconds. More often while texts change, because the deletion of a
 * room waits for the index.
 */
const followIntervalMs = 1000;
const followChangesIntervalMs = 50;
/**
 * Characters that one page may fold and check, about 20 ms of work. Then other requests have their turn. Not measured by a
 * clock, which would reveal the load of the server. Reading a row counts as `rowWork` characters.
 */
const maxWork = 5_000_000;
const rowWork = 500;
const lockTimeoutMs = 1000;

// Opened for reading, except for `former_texts`: its rows are deleted once they are applied to the index.
const history = new DatabaseSync(path, { timeout: lockTimeoutMs });
history.exec('PRAGMA secure_delete = ON');
/** For each room: the range of its messages, the number of the newest, and whether the index misses changes. */
const places = `SELECT rooms.num AS room, rooms.id AS id, first_seq AS first, last_seq AS seq,
    (SELECT messages.num FROM chat_messages AS messages WHERE messages.room = rooms.num AND seq BETWEEN first_seq AND last_seq
      ORDER BY seq DESC LIMIT 1) AS newest,
    EXISTS (SELECT 1 FROM former_texts WHERE former_texts.room = rooms.num) AS changing FROM`;
const statements = {
  fresh: history.prepare(
    `SELECT num, room, seq, text, user_id, deleted_at, sent_at FROM chat_messages WHERE num > ? ORDER BY num LIMIT ${messagesPerStep}`,
  ),
  former: history.prepare(
    `SELECT change, message, room, seq, text, author FROM former_texts WHERE change > ? ORDER BY change LIMIT ${messagesPerStep}`,
  ),
  laterFormer: history.prepare(
    'SELECT message, text, author FROM former_texts WHERE change > ? ORDER BY change',
  ),
  forget: history.prepare('DELETE FROM former_texts WHERE change <= ?'),
  current: history.prepare('SELECT text, user_id, deleted_at FROM chat_messages WHERE num = ?'),
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
const connection = new SqliteConnection(history);
const context = { dialect: sqlite(history), cursors };
const index = SearchIndex.open(history, path);
// A server that was stopped may have left an index that is far behind.
const { newest } = history.prepare('SELECT coalesce(max(num), 0) AS newest FROM chat_messages').get() as {
  newest: number;
};
index.isRenewing ||= newest - index.message > messagesPerStep;
let timer: NodeJS.Timeout | undefined;
/** When the index last applied an edited or deleted text. */
let lastTextChange = Number.NEGATIVE_INFINITY;
/**
 * Whether `former_texts` may have rows that the index has already applied. True at the start, because a killed server
 * may have left some.
 */
let hasAppliedTexts = true;

/** A readable room, and how far the search has gone in it, from the newest message backwards. */
interface RoomCursor {
  room: number;
  id: string;
  first: number;
  /** `seq` of the newest message not searched yet. */
  seq: number;
  /** The number of that message, or an upper bound of it; 0 if no message is left. */
  newest: number;
  /** 1 if the index has not applied all changed texts of the room yet, else 0. */
  changing: number;
}

type TextRow = Row & { num: number; text: string };
type FreshRow = Row & { num: number; room: number; seq: number; sent_at: number };

interface Match {
  num: number;
  id: string;
}

port.on('message', (requests: Request[]) => {
  for (const request of requests) {
    if ('op' in request) {
      // One reply each, so that the first does not wait for the others.
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
if (index.isRenewing) port.postMessage({ outcomes: [], renewal: 'begins' } satisfies ThreadReply);
keepFollowing();

function answer({ id, op, input }: ThreadCall): Batch {
  const files = [history, index.db];
  try {
    // All statements then see the same state of both files, and each file is locked only once.
    for (const file of files) file.exec('BEGIN');
    const commit = statements.commit.get()?.num as number;
    const value =
      op === 'search'
        ? search(input as SearchReads['search']['in'])
        : // The registry pairs each read with its input. TypeScript cannot follow that.
          connection.answered<unknown>(
            findUsersSubject.reads[op as keyof FindUsersReads](context, input as never),
          );
    return { outcomes: [{ id, value }], commit };
  } catch (error) {
    return { outcomes: [{ id, ...readFailure(error) }] };
  } finally {
    // Nothing was written. A disk failure may have ended the transaction.
    for (const file of files) if (file.isTransaction) file.exec('ROLLBACK');
  }
}

/** Runs indexing steps, one per event-loop tick, so that searches do not wait until an old history is indexed. */
function keepFollowing(): void {
  let more = false;
  try {
    more = follow();
    forget();
    if (index.isRenewing && !more) {
      index.isRenewing = false;
      port.postMessage({ outcomes: [], renewal: 'ends' } satisfies ThreadReply);
    }
  } catch {
    // The disk is full or failing. The next step tries again.
  }
  const changing = performance.now() - lastTextChange < followIntervalMs;
  timer = setTimeout(keepFollowing, more ? 0 : changing ? followChangesIntervalMs : followIntervalMs);
}

/** Deletes the applied rows of `former_texts`. If this fails, searches still work. */
function forget(): void {
  if (!hasAppliedTexts) return;
  statements.forget.run(index.change);
  hasAppliedTexts = false;
}

/** Runs one indexing step. @returns whether there is more */
function follow(): boolean {
  history.exec('BEGIN');
  let former: (Indexed & { change: number; message: number; room: number; seq: number })[];
  const fresh: FreshRow[] = [];
  let characters = 0;
  let moreFormer = false;
  const current = new Map<number, Indexed>();
  try {
    former = statements.former.all(index.change) as unknown as typeof former;
    moreFormer = former.length === messagesPerStep;
    // New messages wait until all changes are applied. They are indexed with their current texts, which include their
    // changes.
    if (!moreFormer) {
      for (const row of statements.fresh.iterate(index.message)) {
        fresh.push(row as FreshRow);
        characters += (row.text as string).length;
        if (characters > charactersPerStep) break;
      }
    }
    for (const { message } of former) {
      const row = statements.current.get(message);
      current.set(message, row === undefined ? nothingIndexed : indexedFrom(row as Row));
    }
    if (moreFormer) {
      // A later step removes the message's next former text, so this step must add that text.
      const open = new Set(current.keys());
      for (const row of statements.laterFormer.iterate(former.at(-1)?.change as number)) {
        const { message, ...indexed } = row as unknown as Indexed & { message: number };
        if (open.delete(message)) current.set(message, indexed);
      }
    }
    history.exec('COMMIT');
  } catch (error) {
    // With an open transaction, all searches would fail.
    if (history.isTransaction) history.exec('ROLLBACK');
    throw error;
  }
  if (former.length === 0 && fresh.length === 0) return false;
  const changes = new TextChanges();
  // The index contains only the first of a message's former texts.
  const followed = new Set<number>();
  for (const { message, room, seq, text, author } of former) {
    if (message > index.message || followed.has(message)) continue;
    followed.add(message);
    changes.note(room, seq, { text, author }, current.get(message) ?? nothingIndexed);
  }
  for (const row of fresh) changes.noteNew(row.room, row.seq, indexedFrom(row), row.sent_at);
  const change = former.at(-1)?.change ?? index.change;
  index.follow(changes, fresh.at(-1)?.num ?? index.message, change);
  if (former.length > 0) {
    hasAppliedTexts = true;
    lastTextChange = performance.now();
  }
  return moreFormer || fresh.length === messagesPerStep || characters > charactersPerStep;
}

/**
 * Searches these rooms together, newest first. Each room is searched separately, only as far as the page needs. So
 * rooms that the user may not read affect neither the duration nor the length of a page.
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
  const wanted: Wanted = {
    terms: termsOfQuery(query, only.from),
    has: only.has,
    period: periodOf(only),
    before,
  };
  const needle = folded(query ?? '');
  const isMatch = (row: TextRow) => isSearched(row, only) && folded(row.text).includes(needle);
  /** Sorted by the newest message not searched yet. The last room is next. */
  const open = findRooms(rooms, everyPublic, except, before).sort((a, b) => a.newest - b.newest);
  /** Newest first, at most one more than `limit`. */
  const found: Match[] = [];
  let work = 0;
  let rest = 0;
  for (;;) {
    rest = open.at(-1)?.newest ?? 0;
    const isFull = (found[limit]?.num ?? 0) > rest;
    if (rest === 0 || isFull || (work >= maxWork && rest < before - 1)) break;
    const place = open.pop() as RoomCursor;
    const { message, rows } = nextCandidate(place, wanted);
    work += rowWork * rows + foldingWork(message?.text ?? '');
    if (message !== undefined && isMatch(message)) {
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

/** Returns the rooms that may have messages before the cursor. */
function findRooms(
  rooms: readonly string[],
  everyPublic: boolean,
  except: readonly string[],
  before: number,
): RoomCursor[] {
  const rows = statements.rooms.all(JSON.stringify(rooms));
  if (everyPublic) for (const row of statements.publicRooms.iterate()) rows.push(row);
  const found = new Map<string, RoomCursor>();
  for (const row of rows) if (row.newest !== null) found.set(row.id as string, row as unknown as RoomCursor);
  for (const id of except) found.delete(id);
  for (const place of found.values()) place.newest = Math.min(place.newest, before - 1);
  return [...found.values()];
}

/** What a search looks up. The texts of the candidates are checked afterwards. */
interface Wanted {
  /** Empty to accept any text by any author. */
  terms: readonly number[];
  has: Holding | undefined;
  period: ReturnType<typeof periodOf>;
  /** The number of the first message that is too new. */
  before: number;
}

/**
 * Finds the next message of the room that may match, and moves the cursor below it.
 * @returns `message`: absent if this step found none. `rows`: the number of rows read
 */
function nextCandidate(
  place: RoomCursor,
  { terms, has, period, before }: Wanted,
): { message?: TextRow; rows: number } {
  const { room, first } = place;
  if (place.newest === before - 1) {
    moveCursor(place, findSeqBefore(place, before));
    if (place.newest === 0) return { rows: 1 };
  }
  const isIndexed = place.newest <= index.message;
  const upTo = period !== undefined && isIndexed ? index.newestIn(room, first, place.seq, period) : place.seq;
  if (upTo === undefined) {
    moveCursor(place, 0);
    return { rows: 1 };
  }
  let next: { seq?: number; left: number; rows: number } = { seq: upTo, left: upTo, rows: 0 };
  if (terms.length === 0) {
    if (has !== undefined) next = { ...newestHolding({ room, seq: upTo }, has, first), rows: 1 };
  } else if (isIndexed) {
    next = index.candidate(room, terms, first, upTo);
    // The index may lack a text that changed, so a changed message is a candidate too.
    const changed = place.changing && statements.newestChange.get(room, next.left, upTo)?.seq;
    if (changed) next = { ...next, seq: changed as number, left: changed as number };
  }
  const { seq } = next;
  const holds =
    seq !== undefined && (has === undefined || newestHolding({ room, seq }, has, seq).seq === seq);
  const row = holds ? statements.text.get(room, seq) : undefined;
  moveCursor(place, next.left - 1);
  // Also counts the reads of the message and of the one after it.
  const rows = next.rows + 2;
  return row === undefined ? { rows } : { message: row as unknown as TextRow, rows };
}

/**
 * Searches the room from `seq` down to `first` for the newest message with this kind of content. `left` is the lowest
 * `seq` that the search covered.
 */
function newestHolding(
  { room, seq }: Pick<RoomCursor, 'room' | 'seq'>,
  has: Holding,
  first: number,
): { seq?: number; left: number } {
  const found = statements.newestHolding.get(room, holdings.indexOf(has), first, seq)?.seq ?? null;
  return found === null ? { left: first } : { seq: found as number, left: found as number };
}

/** Moves the cursor of the room to its newest message up to `upTo`. */
function moveCursor(place: RoomCursor, upTo: number): void {
  const row = upTo < place.first ? undefined : statements.newestUpTo.get(place.room, place.first, upTo);
  place.seq = (row?.seq as number | undefined) ?? 0;
  place.newest = (row?.num as number | undefined) ?? 0;
}

/** Returns the `seq` of the room's newest message before number `before`. */
function findSeqBefore({ room, first, seq }: RoomCursor, before: number): number {
  let [from, to] = [first - 1, seq];
  while (from < to) {
    const middle = Math.ceil((from + to) / 2);
    const row = statements.newestUpTo.get(room, first, middle);
    if (row === undefined || (row.num as number) < before) from = middle;
    else to = (row.seq as number) - 1;
  }
  return from;
}

/** Inserts an item into a list sorted by key. */
function insert<T>(list: T[], item: T, keyOf: (item: T) => number): void {
  const key = keyOf(item);
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (keyOf(list[middle] as T) > key) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, item);
}
