import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals what lies in the history and must be of no use to somebody who has the history alone. The keys are outside of it:
 * see CHAT_PUSH_KEY_FILE.
 */
export class Sealing {
  readonly #keys: readonly Uint8Array[];

  /** @param keys the first one seals; the others still open, while the first replaces them */
  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys;
  }

  /** @param place the row to which it belongs: it opens nowhere else */
  seal(place: string, value: object): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#keys[0] as Uint8Array, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(place));
    const sealed = [nonce, cipher.update(JSON.stringify(value)), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  /** Null if none of the keys opens it. */
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
        // Sealed by another key, or for another row.
      }
    }
    return null;
  }
}

/** The id of a device: a digest of its address, which is random and long, so that it does not reveal it. */
export const deviceIdOf = (address: string): string => hash('sha256', address, 'base64url');
