import { type Asking, ask, raw, type Sql, sql } from '../engine/dialect.ts';
import { cutPageBySize, maxPageBytes, type ReadContext } from '../engine/read.ts';
import type { Row } from '../records/columns.ts';
import { messageFrom, type Page, sizeOf } from '../records/message.ts';
import { roomNumber } from './select.ts';

/** The size of a message's content in bytes. Its JSON is longer. */
const messageBytes = raw(
  '(octet_length(text) + coalesce(octet_length(content), 0) + coalesce(octet_length(rich), 0))',
);

/** Selects the messages that fit into a page, and the first one beyond its size. */
export const cutBySize = (messages: Sql, order: Sql): Sql =>
  sql`SELECT * FROM (
        SELECT p.*, sum(${messageBytes}) OVER (ORDER BY ${order}) - ${messageBytes} AS bytes_so_far FROM (${messages}) AS p) AS q
      WHERE bytes_so_far <= ${maxPageBytes} ORDER BY ${order}`;

interface MessageQuery {
  room: string;
  condition: Sql;
  order: 'seq' | 'seq DESC' | 'rev';
  limit: number;
  index?: string;
}

export function selectMessages(
  { dialect }: ReadContext,
  { room, condition, order, limit, index }: MessageQuery,
): Asking<Row[]> {
  const by = index === undefined ? raw('') : dialect.by(index);
  return ask(
    cutBySize(
      sql`SELECT ${dialect.messageColumns} FROM chat_messages AS messages ${by} WHERE room = ${roomNumber(room)} AND ${condition}
          ORDER BY ${raw(order)} LIMIT ${limit + 1}`,
      raw(order),
    ),
  );
}

export function* readPage(context: ReadContext, query: MessageQuery): Asking<Page> {
  return cutPageOfMessages(yield* selectMessages(context, query), query.room, query.limit);
}

export function cutPageOfMessages(rows: readonly Row[], room: string, limit: number): Page {
  const toMessage = (row: Row) => messageFrom(row, room);
  const { page, last } = cutPageBySize(rows, limit, toMessage, (message) => sizeOf(message) + 1);
  return { messages: page, complete: last === undefined };
}
