import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { RequestError } from '../../wire/errors.ts';

/** Bytes of a cursor: a random nonce, the number, and the tag that authenticates both. */
const nonceLength = 12;
const numberLength = 8;
const tagLength = 16;

const algorithm = 'aes-128-gcm';

/**
 * Cursors of lists, for clients: the encrypted number of an entry. These numbers count over all rooms, so in plain text
 * they would show activity in rooms that a user may not read. Two cursors do not show whether they contain the same
 * number. Otherwise users could find out whether entries that they may not see were stored between two entries of the
 * list.
 */
export class SealedCursors {
  readonly #digestKey: Uint8Array;
  /** A cursor of one list is not valid in another. */
  readonly #keyByList = new Map<string, Uint8Array>();

  /** @param digestKey is stored with the history */
  constructor(digestKey: Uint8Array) {
    this.#digestKey = digestKey;
  }

  #keyOf(list: string): Uint8Array {
    let key = this.#keyByList.get(list);
    if (key === undefined) {
      key = createHmac('sha256', this.#digestKey).update(`${list} cursor`).digest().subarray(0, 16);
      this.#keyByList.set(list, key);
    }
    return key;
  }

  seal(list: string, num: number): string {
    const number = Buffer.alloc(numberLength);
    number.writeBigUInt64BE(BigInt(num));
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv(algorithm, this.#keyOf(list), nonce, { authTagLength: tagLength });
    const sealed = Buffer.concat([nonce, cipher.update(number), cipher.final()]);
    return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /**
   * Decrypts a cursor.
   * @param cursor absent for the first page
   * @returns the number of the entry; for the first page the highest possible number
   * @throws RequestError `bad_request` if the cursor is not from this history and list
   */
  open(list: string, cursor: string | undefined): number {
    if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
    const sealed = Buffer.from(cursor, 'base64url');
    const end = nonceLength + numberLength;
    if (sealed.length === end + tagLength && sealed.toString('base64url') === cursor) {
      const nonce = sealed.subarray(0, nonceLength);
      const decipher = createDecipheriv(algorithm, this.#keyOf(list), nonce, { authTagLength: tagLength });
      decipher.setAuthTag(sealed.subarray(end));
      const number = decipher.update(sealed.subarray(nonceLength, end));
      try {
        decipher.final();
        return Number(number.readBigUInt64BE());
      } catch {
        // A cursor of another history or list.
      }
    }
    throw new RequestError('bad_request', 'this cursor is not from this list');
  }
}
