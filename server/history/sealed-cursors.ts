import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { RequestError } from '../wire/errors.ts';

/**
 * Where a list goes on, as clients get it: one block with the number of an entry, and zeros by which one that this
 * history gave is known. These numbers count over all rooms: in plain text they would show users how much there is where
 * they are not.
 */
export class SealedCursors {
  readonly #key: Uint8Array;

  /**
   * @param digestKey is kept with the history
   * @param list cursors of one list are none of another
   */
  constructor(digestKey: Uint8Array, list: 'search' | 'report') {
    this.#key = createHmac('sha256', digestKey).update(`${list} cursor`).digest().subarray(0, 16);
  }

  of(num: number): string {
    const block = Buffer.alloc(16);
    block.writeBigUInt64BE(BigInt(num), 8);
    return createCipheriv('aes-128-ecb', this.#key, null)
      .setAutoPadding(false)
      .update(block)
      .toString('base64url');
  }

  /**
   * @param cursor absent for the first page: every number is before that
   * @throws RequestError `bad_request`
   */
  numberOf(cursor: string | undefined): number {
    if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
    const sealed = Buffer.from(cursor, 'base64url');
    if (sealed.length === 16 && sealed.toString('base64url') === cursor) {
      const block = createDecipheriv('aes-128-ecb', this.#key, null).setAutoPadding(false).update(sealed);
      if (block.readBigUInt64BE(0) === 0n) return Number(block.readBigUInt64BE(8));
    }
    throw new RequestError('bad_request', 'this cursor is not from this server');
  }
}
