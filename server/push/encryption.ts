import { createCipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from 'node:crypto';

// Message Encryption for Web Push, RFC 8291. `node:crypto` has all of its parts, and the RFC has vectors, so that a library
// would add packages and no safety.

/** Of a point of P-256, uncompressed, and of the secret that a browser draws for a subscription. */
export const pointBytes = 65;
const authBytes = 16;
/** The body of a push, which services need not take if it is longer (RFC 8030, 7.2). */
const recordBytes = 4096;
const saltBytes = 16;
const tagBytes = 16;
const headerBytes = saltBytes + 4 + 1 + pointBytes;
/** Bytes of a text that fits into one push. */
export const mostPlain = recordBytes - headerBytes - tagBytes - 1;

/** The keys of a subscription, as its browser has given them. */
export interface SubscriptionKeys {
  /** A point of P-256, uncompressed. */
  p256dh: Uint8Array;
  auth: Uint8Array;
}

/** The random values of one push. */
export interface Drawn {
  ecdh: ECDH;
  salt: Uint8Array;
}

function drawn(): Drawn {
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  return { ecdh, salt: randomBytes(saltBytes) };
}

/** Whether a browser can have given these keys: the point lies on the curve. */
export function areKeys({ p256dh, auth }: SubscriptionKeys): boolean {
  if (p256dh.length !== pointBytes || p256dh[0] !== 4 || auth.length !== authBytes) return false;
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  try {
    ecdh.computeSecret(p256dh);
    return true;
  } catch {
    return false;
  }
}

/**
 * The body of a push, as one record of `aes128gcm` that only the browser can read.
 * @param plain at most `mostPlain` bytes
 */
export function encrypted(
  plain: Uint8Array,
  { p256dh, auth }: SubscriptionKeys,
  { ecdh, salt } = drawn(),
): Buffer {
  if (plain.length > mostPlain) throw new RangeError('longer than a push can be');
  const own = ecdh.getPublicKey();
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), p256dh, own]);
  const secret = hkdf(ecdh.computeSecret(p256dh), auth, info, 32);
  const key = hkdf(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
  const nonce = hkdf(secret, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
  const header = Buffer.alloc(saltBytes + 5);
  header.set(salt);
  header.writeUInt32BE(recordBytes, saltBytes);
  header.writeUInt8(pointBytes, saltBytes + 4);
  const cipher = createCipheriv('aes-128-gcm', key, nonce, { authTagLength: tagBytes });
  // The last record ends with 2 (RFC 8188, 2).
  const sealed = [cipher.update(plain), cipher.update(Buffer.of(2)), cipher.final()];
  return Buffer.concat([header, own, ...sealed, cipher.getAuthTag()]);
}

const hkdf = (secret: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, bytes));
