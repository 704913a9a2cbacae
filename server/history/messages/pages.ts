import { type Holding, holdings } from '../../wire/content.ts';
import { messagesAt } from '../engine/change-log.ts';
import { type Asking, ask, raw, sql } from '../engine/dialect.ts';
import { askNumber, maxScannedRows, type ReadsOf } from '../engine/read.ts';
import type { Row } from '../records/columns.ts';
import { messageFrom, type Page, reactedFrom, type StoredMessage } from '../records/message.ts';
import { goneRooms, roomsLookedThrough } from '../records/room.ts';
import { cutBySize, cutPageOfMessages, readPage, selectMessages } from '../rows/message-pages.ts';
import { isUnexpired, isUnexpiredAfter, parseRoomCursor, roomNumber } from '../rows/select.ts';

export interface MessageReads {
  /** Finds messages by room and `seq`, in any order. Missing messages are left out. */
  messages: { in: { places: readonly { room: string; seq: number }[] }; out: StoredMessage[] };
  /** Returns the newest messages with `seq` ≤ `upTo`, oldest first. */
  newest: { in: { room: string; upTo: number; limit: number }; out: Page };
  /** Returns the oldest messages with `after` < `seq` ≤ `upTo`. */
  after: { in: { room: string; after: number; upTo: number; limit: number }; out: Page };
  /**
   * Returns the messages that changed after `since` and up to `upTo`, by `rev`, each once and in its newest state. A
   * complete page also has the messages that changed up to `upTo` and got a reaction after it, because the event of a
   * reaction carries no text.
   */
  changes: { in: { room: string; since: number; upTo: number; limit: number }; out: Page };
  /**
   * Returns the messages of a user without tombstones, by room and `seq`. `next` is the `from` of the next page. A page
   * with `next` can be empty.
   */
  written: {
    in: { user: string; from: string; limit: number };
    out: { messages: Page['messages']; next?: string };
  };
  /** Returns the newest messages with `seq` < `before` in a list of the room, newest first. */
  holding: { in: { room: string; what: Holding; before: number; limit: number }; out: Page };
}

export const messageReads: ReadsOf<MessageReads> = {
  messages: ({ dialect }, { places }) => messagesAt(dialect, places),
  *newest(context, { room, upTo, limit }) {
    const condition = sql`${isUnexpired(room)} AND seq <= ${upTo}`;
    const page = yield* readPage(context, { room, condition, order: 'seq DESC', limit });
    page.messages.reverse();
    return page;
  },
  *after(context, { room, after, upTo, limit }) {
    const condition = sql`${isUnexpiredAfter(room, after)} AND seq <= ${upTo}`;
    return yield* readPage(context, { room, condition, order: 'seq', limit });
  },
  *changes(context, { room, since, upTo, limit }) {
    // `+ 0` excludes the index by `seq`, with which PostgreSQL would read and sort the whole room.
    const condition = sql`${isUnexpired(room, 'seq + 0')} AND rev > ${since} AND (rev <= ${upTo} OR rich IS NOT NULL)`;
    const rows = yield* selectMessages(context, { room, condition, order: 'rev', limit });
    const page = cutPageOfChanges(rows, room, upTo, limit);
    if (page !== null) return page;
    // All further messages got reactions after `upTo`. A page cannot end at one of them, so this page has all of them.
    // They are few, because `upTo` is behind only until the stored changes are published.
    const all = yield* ask(
      sql`SELECT ${context.dialect.messageColumns} FROM chat_messages AS messages WHERE room = ${roomNumber(room)} AND ${condition} ORDER BY rev`,
    );
    const messages = all.filter((row) => isChangedBefore(row, upTo)).map((row) => messageFrom(row, room));
    return { messages, complete: true };
  },
  *holding({ dialect }, { room, what, before, limit }) {
    const num = roomNumber(room);
    const rows = yield* ask(
      cutBySize(
        sql`SELECT ${dialect.messageColumns} FROM (
              SELECT seq AS found_seq FROM chat_holdings
              WHERE room = ${num} AND holds = ${holdings.indexOf(what)} AND seq < ${before} AND ${isUnexpired(room)}
              ORDER BY seq DESC LIMIT ${limit + 1}) AS found
            JOIN chat_messages AS messages ON messages.room = ${num} AND messages.seq = found.found_seq`,
        raw('seq DESC'),
      ),
    );
    return cutPageOfMessages(rows, room, limit);
  },
  *written({ dialect }, { user, from, limit }) {
    const [num, seq] = parseRoomCursor(from);
    const [room] = yield* ask(sql`SELECT id, first_seq, last_seq FROM chat_rooms WHERE num = ${num}`);
    if (room === undefined) return { messages: [], ...(yield* nextRoomWritten(user, num)) };
    const isTheirs = sql`room = ${num} AND user_id = ${user}`;
    // The index by author is not sorted by `seq`. If the author has many messages, every page would have to sort them
    // all.
    const count = yield* askNumber(
      sql`SELECT count(*) AS num FROM (SELECT 1 FROM chat_messages ${dialect.by('chat_messages_by_author')}
          WHERE ${isTheirs} LIMIT ${maxScannedRows + 1}) AS few`,
    );
    const areFew = count <= maxScannedRows;
    const after = Math.max(seq, (room.first_seq as number) - 1);
    const end = after + maxScannedRows;
    const index = dialect.by(areFew ? 'chat_messages_by_author' : 'chat_messages_by_seq');
    const rows = yield* ask(
      sql`SELECT ${dialect.messageColumns} FROM chat_messages AS messages ${index}
          WHERE ${isTheirs} AND seq > ${after} AND seq <= ${areFew ? Number.MAX_SAFE_INTEGER : end} AND deleted_at IS NULL
          ORDER BY seq LIMIT ${limit + 1}`,
    );
    const { messages, complete } = cutPageOfMessages(rows, room.id as string, limit);
    if (!complete) return { messages, next: `${num} ${messages.at(-1)?.seq}` };
    const isEndOfRoom = areFew || end >= (room.last_seq as number);
    return { messages, ...(isEndOfRoom ? yield* nextRoomWritten(user, num) : { next: `${num} ${end}` }) };
  },
};

/** Whether the message, apart from its reactions, was last changed at `upTo` or before. */
function isChangedBefore(row: Row, upTo: number): boolean {
  if ((row.rev as number) <= upTo) return true;
  const reacted = reactedFrom(row);
  return reacted !== undefined && reacted.rev === row.rev && reacted.textRev <= upTo;
}

/**
 * Cuts a page of changed messages, by `rev`.
 * @param rows one more than `limit` if there are more. Rows beyond `upTo` have or had reactions.
 * @returns null if the page is not complete, and all its messages changed after `upTo`
 */
function cutPageOfChanges(rows: readonly Row[], room: string, upTo: number, limit: number): Page | null {
  // Cut before filtering, because the database counted the bytes of all rows.
  const page = cutPageOfMessages(rows, room, limit);
  if (page.complete) {
    const messages = page.messages.filter((_, n) => isChangedBefore(rows[n] as Row, upTo));
    return { messages, complete: true };
  }
  // The next page starts after the last `rev` of this page, so this page must not skip a message before that `rev`.
  const messages = page.messages.filter(({ rev }) => rev <= upTo);
  return messages.length === 0 ? null : { messages, complete: false };
}

/**
 * Returns the cursor of the next page: the next room after room `num` with messages of the user. If the scanned range
 * of rooms has none, the cursor points to the end of this range.
 */
function* nextRoomWritten(user: string, num: number): Asking<{ next?: string }> {
  const end = num + roomsLookedThrough;
  const [next] = yield* ask(
    sql`SELECT num FROM chat_rooms AS rooms WHERE num > ${num} AND num <= ${end} AND NOT (${raw(goneRooms)})
          AND EXISTS (SELECT 1 FROM chat_messages AS messages WHERE room = rooms.num AND user_id = ${user})
        ORDER BY num LIMIT 1`,
  );
  if (next !== undefined) return { next: `${next.num} 0` };
  const [later] = yield* ask(sql`SELECT num FROM chat_rooms WHERE num > ${end} ORDER BY num LIMIT 1`);
  return { next: later && `${end} ${Number.MAX_SAFE_INTEGER}` };
}
