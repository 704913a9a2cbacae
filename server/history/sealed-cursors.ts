import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { RequestError } from '../wire/errors.ts';

/** Bytes of a cursor: what is drawn for it alone, the number, and the tag by which one that this history gave is known. */
const nonceLength = 12;
const numberLength = 8;
const tagLength = 16;

const algorithm = 'aes-128-gcm';

export type CursorList = 'act' | 'held' | 'report' | 'search';

/**
 * Where a list goes on, as clients get it: the number of an entry, sealed. These numbers count over all rooms: in plain
 * text they would show users how much there is where they are not. Nor do two cursors show whether they hold the same
 * number: a page may end at an entry, or behind the number before the next one, and users who could compare the two would
 * see whether something was stored in between.
 */
export class SealedCursors {
  readonly #key: Uint8Array;

  /**
   * @param digestKey is kept with the history
   * @param list cursors of one list are none of another
   */
  constructor(digestKey: Uint8Array, list: CursorList) {
    this.#key = createHmac('sha256', digestKey).update(`${list} cursor`).digest().subarray(0, 16);
  }

  of(num: number): string {
    const number = Buffer.alloc(numberLength);
    number.writeBigUInt64BE(BigInt(num));
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv(algorithm, this.#key, nonce, { authTagLength: tagLength });
    const sealed = Buffer.concat([nonce, cipher.update(number), cipher.final()]);
    return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /**
   * @param cursor absent for the first page: every number is before that
   * @throws RequestError `bad_request`
   */
  numberOf(cursor: string | undefined): number {
    if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
    const sealed = Buffer.from(cursor, 'base64url');
    const ends = nonceLength + numberLength;
    if (sealed.length === ends + tagLength && sealed.toString('base64url') === cursor) {
      const nonce = sealed.subarray(0, nonceLength);
      const decipher = createDecipheriv(algorithm, this.#key, nonce, { authTagLength: tagLength });
      decipher.setAuthTag(sealed.subarray(ends));
      const number = decipher.update(sealed.subarray(nonceLength, ends));
      try {
        decipher.final();
        return Number(number.readBigUInt64BE());
      } catch {
        // Not a cursor of this history, or one of another list.
      }
    }
    throw new RequestError('bad_request', 'this cursor is not from this server');
  }
}
