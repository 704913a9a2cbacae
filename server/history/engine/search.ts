import { folded, foldingWork } from '../../text/folding.ts';
import { holdings } from '../../wire/content.ts';
import type { Row } from '../records/columns.ts';
import { messageFrom, type StoredMessage } from '../records/message.ts';
import { isSearched, periodOf, type SearchReads } from '../records/search.ts';
import { allParts, blockSize, seqsOf } from './blocks.ts';
import { type DatabaseConnection, type Dialect, inList, raw, type Sql, sql } from './dialect.ts';
import { cutPageBySize } from './read.ts';
import type { SealedCursors } from './sealed-cursors.ts';
import { termsOfQuery, termsVersion } from './terms.ts';

/**
 * Messages that one page may check. The search continues on the next page. Each `charactersPerCandidate` of the
 * `foldingWork` of their texts count as one more message.
 */
const maxCandidates = 5000;
const charactersPerCandidate = 1000;
/** The `foldingWork` of one event-loop tick. */
const workPerTick = 256 * 1024;
/** Maximum blocks of one index lookup, and messages read before the next check of the limits. */
const maxBlocks = 500;
const messagesPerRound = 4 * blockSize;

/** Messages of a room that may match. */
interface Source {
  room: number;
  /** An upper bound of the message numbers. */
  last: number;
  /** The `seq` of single messages, or a range of them. */
  seqs: readonly number[] | Range;
  /** Whether a range may take several reads: see `tailsOf`. */
  isTail: boolean;
}

/** The messages with a `seq` after `after` and up to `upTo`. */
interface Range {
  after: number;
  upTo: number;
}

/**
 * Builds a page of search results.
 * @param found newest first, more than `limit` if there are more
 * @param rest an upper bound of the numbers of messages not searched yet; 0 if all are searched
 */
export function pageOfSearch(
  cursors: SealedCursors,
  found: readonly { num: number; message: () => StoredMessage }[],
  rest: number,
  limit: number,
): SearchReads['search']['out'] {
  const { page, last } = cutPageBySize(
    found.filter(({ num }) => num > rest),
    limit,
    ({ message }) => message(),
    (message) => Buffer.byteLength(JSON.stringify(message)) + 1,
  );
  const next = last?.num ?? (rest > 0 ? rest + 1 : undefined);
  return { messages: page, next: next === undefined ? undefined : cursors.seal('search', next) };
}

/**
 * Searches newest first. The index finds the blocks that contain all terms of the query. The messages of a room after
 * its last indexed block, its tail, are read directly. Each text is checked, so that all databases return the same
 * results.
 */
export async function search(
  dialect: Dialect,
  connection: DatabaseConnection,
  cursors: SealedCursors,
  { query, only = {}, rooms, everyPublic, except = [], from, limit }: SearchReads['search']['in'],
): Promise<SearchReads['search']['out']> {
  const before = cursors.open('search', from);
  if (rooms.length === 0 && !everyPublic) return { messages: [] };
  const amongRooms = (ids: readonly string[]) =>
    ids.length === 0 ? undefined : sql`rooms.${inList(dialect, 'id', ids)}`;
  const named = amongRooms(rooms);
  const hidden = amongRooms(except);
  const isPublic =
    hidden === undefined ? sql`rooms.kind = 'public'` : sql`rooms.kind = 'public' AND NOT ${hidden}`;
  const ofRooms = everyPublic
    ? named === undefined
      ? isPublic
      : sql`(${isPublic} OR ${named})`
    : (named as Sql);
  const terms = termsOfQuery(query, only.from);
  const period = periodOf(only);
  const isIndexed = terms.length > 0 || period !== undefined;
  // Before the blocks are queried, so that a block indexed in between is searched twice instead of missed.
  const places = !isIndexed
    ? await findRoomEnds()
    : await connection.query(
        sql`SELECT room, room_id, last_seq, last_block, ${newestIn('(coalesce(last_block, -1) + 1)', 'last_seq')} AS last
        FROM (SELECT rooms.num AS room, rooms.id AS room_id, rooms.last_seq AS last_seq, messages.num AS last_num,
            (SELECT max(block) FROM chat_blocks AS blocks WHERE blocks.room = rooms.num) AS last_block
          FROM chat_rooms AS rooms JOIN chat_messages AS messages
            ON messages.room = rooms.num AND messages.seq = rooms.last_seq
          WHERE ${ofRooms}) AS places`,
      );
  if (places.length === 0) return { messages: [] };
  const ids = new Map(places.map(({ room, room_id }) => [room as number, room_id as string]));
  const { sources, isAll } = isIndexed ? await findBlocks([...ids.keys()]) : { sources: [], isAll: true };
  let open: Source[] = [...tailsOf(places), ...sources].sort((a, b) => b.last - a.last);

  const needle = folded(query ?? '');
  const found = new Map<number, Row>();
  let checked = 0;
  let sinceTick = 0;
  /** Returns an upper bound of the numbers of messages not searched yet. */
  const rest = () => Math.max(open[0]?.last ?? 0, isAll ? 0 : (sources.at(-1)?.last ?? 0));
  while (open.length > 0) {
    const finalCount = [...found.keys()].filter((num) => num > rest()).length;
    if (finalCount > limit || (checked >= maxCandidates && rest() < before - 1)) break;
    let taken = 0;
    for (let most = messagesPerRound; most > 0 && taken < open.length; taken++) {
      const { seqs } = open[taken] as Source;
      most -= 'after' in seqs ? blockSize : seqs.length;
    }
    const next = open.splice(0, taken);
    await check(await readSingle(next));
    for (const source of next) {
      const { room, seqs, isTail } = source;
      if (!('after' in seqs)) continue;
      const rows = await readRange(room, seqs);
      await check(rows);
      const oldest = rows.at(-1);
      if (!isTail || oldest === undefined || rows.length < blockSize) continue;
      const left = { ...seqs, upTo: (oldest.seq as number) - 1 };
      open.push({ ...source, seqs: left, last: (oldest.num as number) - 1 });
      open = open.sort((a, b) => b.last - a.last);
    }
  }

  const newestFirst = [...found].sort(([a], [b]) => b - a);
  return pageOfSearch(
    cursors,
    newestFirst.map(([num, row]) => ({
      num,
      message: () => messageFrom(row, ids.get(row.room as number) as string),
    })),
    rest(),
    limit,
  );

  /** Adds the messages that match to `found`. */
  async function check(rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      const text = row.text as string;
      const work = foldingWork(text);
      checked += 1 + work / charactersPerCandidate;
      sinceTick += work;
      if (sinceTick > workPerTick) {
        sinceTick = 0;
        await new Promise(setImmediate);
      }
      if (isSearched(row, only) && folded(text).includes(needle)) found.set(row.num as number, row);
    }
  }

  /**
   * Selects the number of the newest message before the cursor in each row of `places`, from this block to `upTo`. The
   * subquery, which is slow for thousands of rooms, only runs if `last_num` is not before the cursor.
   */
  function newestIn(block: string, upTo: string): Sql {
    return sql`CASE WHEN last_num < ${before} THEN last_num ELSE coalesce(
        (SELECT older.num FROM chat_messages AS older WHERE older.room = places.room AND older.num < ${before}
          AND older.seq > ${raw(`${block} * ${blockSize}`)} AND older.seq <= ${raw(upTo)}
          ORDER BY older.seq DESC LIMIT 1), 0) END`;
  }

  /**
   * Finds the last message before the cursor in each room, by a binary search over all rooms at once, so that each page
   * costs the same. Only for a search that cannot use the index: all messages of a room are its tail.
   */
  async function findRoomEnds(): Promise<Row[]> {
    const all = await connection.query(
      sql`SELECT rooms.num AS room, rooms.id AS room_id, first_seq, last_seq, messages.num AS last
          FROM chat_rooms AS rooms JOIN chat_messages AS messages
            ON messages.room = rooms.num AND messages.seq = rooms.last_seq
          WHERE ${ofRooms}`,
    );
    const ends = all.map((row) => {
      const isBefore = (row.last as number) < before;
      const end = row.last_seq as number;
      return {
        row,
        from: isBefore ? end : (row.first_seq as number) - 1,
        to: end,
        last: isBefore ? (row.last as number) : 0,
      };
    });
    for (;;) {
      const open = ends.filter(({ from, to }) => from < to);
      if (open.length === 0) break;
      const middles = open.map(({ row, from, to }) => [row.room as number, Math.ceil((from + to) / 2)]);
      const rows = await connection.query(
        sql`SELECT room, num FROM chat_messages WHERE ${dialect.among(['room', 'seq'], middles)}`,
      );
      const nums = new Map(rows.map(({ room, num }) => [room as number, num as number]));
      for (const [n, end] of open.entries()) {
        const middle = middles[n]?.[1] as number;
        const num = nums.get(end.row.room as number) ?? 0;
        if (num < before) Object.assign(end, { from: middle, last: num });
        else end.to = middle - 1;
      }
    }
    return ends.map(({ row, from, last }) => ({ ...row, last_seq: from, last_block: null, last }));
  }

  /**
   * Returns the blocks of the period that contain all terms, and all outdated blocks. `isAll`: there are no others.
   */
  async function findBlocks(nums: readonly number[]): Promise<{ sources: Source[]; isAll: boolean }> {
    const inRooms = inList(dialect, 'room', nums);
    const withTerms =
      terms.length === 0
        ? raw(`CROSS JOIN (SELECT ${allParts} AS parts) AS hits`)
        : sql`JOIN (SELECT room, block, bit_and(parts) AS parts FROM chat_terms
              WHERE ${inRooms} AND ${inList(dialect, 'term', terms)} GROUP BY room, block
              HAVING count(*) = ${terms.length} AND bit_and(parts) <> 0) AS hits USING (room, block)`;
    const inPeriod =
      period === undefined ? raw('') : sql`AND last_at >= ${period.from} AND first_at < ${period.before}`;
    const rows = await connection.query(
      // MariaDB calculates bits as unsigned 64-bit numbers.
      sql`SELECT room, block, ${raw(`parts & ${2 ** 32 - 1}`)} AS parts, ${newestIn('block', `(block + 1) * ${blockSize}`)} AS last
          FROM (SELECT room, block, last_num, parts FROM chat_blocks ${withTerms}
            WHERE ${inRooms} AND stale = 0 AND folding = ${termsVersion} AND first_num < ${before} ${inPeriod}
            UNION ALL SELECT room, block, last_num, ${raw(`${allParts}`)} AS parts FROM chat_blocks
            WHERE (stale = 1 OR folding <> ${termsVersion}) AND first_num < ${before} AND ${inRooms}) AS places
          ORDER BY last DESC LIMIT ${maxBlocks}`,
    );
    const sources = rows.map(({ room, block, parts, last }) => {
      const [seqs, after] = [seqsOf(block as number, parts as number), (block as number) * blockSize];
      return {
        room: room as number,
        last: last as number,
        // A range is faster than its messages one by one.
        seqs: seqs.length > blockSize / 2 ? { after, upTo: after + blockSize } : seqs,
        isTail: false,
      };
    });
    return { sources, isAll: rows.length < maxBlocks };
  }

  /** Returns the single messages of these sources. */
  async function readSingle(sources: readonly Source[]): Promise<Row[]> {
    const places = sources.flatMap(({ room, seqs }) =>
      'after' in seqs ? [] : seqs.map((seq) => [room, seq]),
    );
    if (places.length === 0) return [];
    const { has } = only;
    const holds =
      has === undefined
        ? raw('')
        : sql`AND EXISTS (SELECT 1 FROM chat_holdings AS held
            WHERE held.room = messages.room AND held.seq = messages.seq AND held.holds = ${holdings.indexOf(has)})`;
    return connection.query(
      sql`SELECT room, num, ${dialect.messageColumns} FROM chat_messages AS messages
          WHERE ${dialect.among(['room', 'seq'], places)} AND num < ${before} ${holds}
            AND seq >= (SELECT first_seq FROM chat_rooms AS rooms WHERE rooms.num = messages.room)`,
    );
  }

  /** Returns the newest messages of a range, at most those of a block. */
  async function readRange(room: number, { after, upTo }: Range): Promise<Row[]> {
    const { has } = only;
    // Without the index, the range may be a whole room. The outer query returns only this many messages.
    const joinHoldings =
      has === undefined
        ? raw('')
        : sql`JOIN (SELECT seq AS held FROM chat_holdings
            WHERE room = ${room} AND holds = ${holdings.indexOf(has)} AND seq > ${after} AND seq <= ${upTo}
            ORDER BY seq DESC ${isIndexed ? raw('') : sql`LIMIT ${blockSize}`}) AS holding ON holding.held = messages.seq`;
    return connection.query(
      sql`SELECT room, num, ${dialect.messageColumns} FROM chat_messages AS messages ${joinHoldings}
          WHERE room = ${room} AND seq > ${after} AND seq <= ${upTo} AND num < ${before}
            AND seq >= (SELECT first_seq FROM chat_rooms WHERE num = ${room})
          ORDER BY seq DESC LIMIT ${blockSize}`,
    );
  }
}

/**
 * Yields the messages of each room that are not in an indexed block. Usually this is less than two blocks; more only
 * while the index is being built.
 */
function* tailsOf(places: readonly Row[]): Generator<Source> {
  for (const { room, last_seq, last_block, last } of places) {
    const after = last_block === null ? 0 : ((last_block as number) + 1) * blockSize;
    const upTo = last_seq as number;
    if (upTo <= after || last === 0) continue;
    yield { room: room as number, last: last as number, seqs: { after, upTo }, isTail: true };
  }
}
