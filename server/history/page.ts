import { maxPageBytes, type Page } from './history.ts';
import { messageFrom, type Row } from './rows.ts';

/** Takes rows until the limit or the size of a page is reached; at least one, so that every page goes on. */
export function fill(rows: Iterable<Row>, room: string, limit: number): Page {
  const messages: Page['messages'] = [];
  let bytes = 0;
  for (const row of rows) {
    const message = messageFrom(row, room);
    bytes += Buffer.byteLength(JSON.stringify(message)) + 1;
    if (messages.length === limit || (bytes > maxPageBytes && messages.length > 0))
      return { messages, complete: false };
    messages.push(message);
  }
  return { messages, complete: true };
}
