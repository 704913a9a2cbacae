import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Encrypts secrets in the history, so that a copy of the history alone does not reveal them. The keys are stored
 * elsewhere: see CHAT_PUSH_KEY_FILE.
 */
export class Sealing {
  readonly #keys: readonly Uint8Array[];

  /** @param keys the first key encrypts; all keys decrypt, so that the first can replace the others */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys;
  }

  /** Encrypts a value. @param place the row that contains the value; it cannot be decrypted in another row */
  seal(place: string, value: object): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#keys[0] as Uint8Array, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(place));
    const sealed = [nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  /** Decrypts a text of `seal`. Returns null if no key decrypts it in this row. */
  open(place: string, text: string): unknown {
    const sealed = Buffer.from(text, 'base64url');
    if (sealed.length < nonceBytes + tagBytes) return null;
    for (const key of this.#keys) {
      const nonce = sealed.subarray(0, nonceBytes);
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(place));
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      const opened = decipher.update(sealed.subarray(nonceBytes, -tagBytes));
      try {
        return JSON.parse(Buffer.concat([opened, decipher.final()]).toString());
      } catch {
        // Encrypted with another key, or for another row.
      }
    }
    return null;
  }
}

/**
 * Returns the ID of a device: a digest of its address. The address is long and random, so it cannot be guessed from the
 * digest.
 */
export const deviceIdOf = (address: string): string => hash('sha256', address, 'base64url');
