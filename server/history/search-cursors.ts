import { maxPageBytes, type Reads, type StoredMessage } from './history.ts';
import { SealedCursors } from './sealed-cursors.ts';

/** Where a search goes on: behind the message of this number. */
export class SearchCursors extends SealedCursors {
  /** @param digestKey is kept with the history */
  constructor(digestKey: Uint8Array) {
    super(digestKey, 'search');
  }

  /**
   * A page of a search.
   * @param found newest first, and one more than fits where there are more
   * @param rest whatever is not found yet has no higher number; 0: nothing is left
   */
  page(
    found: readonly { num: number; message: () => StoredMessage }[],
    rest: number,
    limit: number,
  ): Reads['search']['out'] {
    const messages: StoredMessage[] = [];
    let bytes = 0;
    let last = 0;
    for (const { num, message } of found) {
      if (num <= rest) break;
      if (messages.length === limit) return { messages, next: this.of(last) };
      const shown = message();
      bytes += Buffer.byteLength(JSON.stringify(shown)) + 1;
      if (bytes > maxPageBytes && messages.length > 0) return { messages, next: this.of(last) };
      messages.push(shown);
      last = num;
    }
    return rest > 0 ? { messages, next: this.of(rest + 1) } : { messages };
  }
}
