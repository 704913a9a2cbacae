import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { RequestError } from '../errors.ts';
import { maxPageBytes, type Reads, type StoredMessage } from './history.ts';

/**
 * Where a search goes on, as clients get it: one block with the number of a message, and zeros by which one that this
 * history gave is known. A number in plain text would show users how many messages others write.
 */
export class SearchCursors {
  readonly #key: Uint8Array;

  /** @param digestKey is kept with the history */
  constructor(digestKey: Uint8Array) {
    this.#key = createHmac('sha256', digestKey).update('search cursor').digest().subarray(0, 16);
  }

  of(message: number): string {
    const block = Buffer.alloc(16);
    block.writeBigUInt64BE(BigInt(message), 8);
    return createCipheriv('aes-128-ecb', this.#key, null)
      .setAutoPadding(false)
      .update(block)
      .toString('base64url');
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

  /** @throws RequestError `bad_request` */
  messageOf(cursor: string): number {
    const sealed = Buffer.from(cursor, 'base64url');
    if (sealed.length === 16 && sealed.toString('base64url') === cursor) {
      const block = createDecipheriv('aes-128-ecb', this.#key, null).setAutoPadding(false).update(sealed);
      if (block.readBigUInt64BE(0) === 0n) return Number(block.readBigUInt64BE(8));
    }
    throw new RequestError('bad_request', 'this cursor is not from this server');
  }
}
