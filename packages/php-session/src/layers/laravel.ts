import { type CipherGCMTypes, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeBase64 } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';
import { readKeyFile } from './key-file.ts';

/** GCM also accepts shorter tags, which can be guessed. */
const tagBytes = 16;

/** Reads Laravel's `APP_KEY`, followed by its `APP_PREVIOUS_KEYS`. @throws TypeError like `readKeyFile` */
export function readAppKeys(keyFile: string): Buffer[] {
  return readKeyFile(keyFile, [16, 32]);
}

/**
 * Decrypts the output of Laravel's `Encrypter::encryptString()` (Illuminate/Encryption/Encrypter.php): base64 of the JSON
 * `{iv, value, mac, tag}`. AES-CBC has a MAC, the hexadecimal HMAC-SHA256 of the texts of `iv` and `value`. AES-GCM has
 * a tag instead. The size of the key selects AES-128 or AES-256.
 * @returns the plaintext with its key
 * @throws FormatError
 */
export function decryptLaravel(text: string, keys: readonly Buffer[]): { plaintext: Buffer; key: Buffer } {
  const payload = parsePayload(text);
  for (const key of keys) {
    const plaintext = tryDecrypt(key, payload);
    if (plaintext !== null) return { plaintext, key };
  }
  throw new FormatError('none of the keys decrypts the bytes');
}

interface Payload {
  iv: Buffer;
  value: Buffer;
  /** The text that the MAC authenticates. */
  authenticatedText: string;
  mac: Buffer;
  tag: Buffer;
}

function parsePayload(text: string): Payload {
  const fields = parseFields(text);
  const readField = (name: string): string => {
    const value = Object.hasOwn(fields, name) ? (fields as Record<string, unknown>)[name] : '';
    if (typeof value !== 'string') throw new FormatError(`the field ${name} is not a string`);
    return value;
  };
  const [iv, value, tag] = [readField('iv'), readField('value'), readField('tag')];
  const payload = {
    iv: decodeBase64(iv),
    value: decodeBase64(value),
    authenticatedText: iv + value,
    mac: Buffer.from(readField('mac')),
    tag: decodeBase64(tag),
  };
  const isGcm = payload.tag.length > 0;
  if (isGcm === payload.mac.length > 0) throw new FormatError('the bytes must have either a mac or a tag');
  if (payload.iv.length !== (isGcm ? 12 : 16)) throw new FormatError('the iv has a wrong length');
  return payload;
}

function parseFields(text: string): object {
  try {
    return Object(JSON.parse(decodeBase64(text).toString()));
  } catch {
    // The message of V8 would contain the text.
    throw new FormatError('the bytes are not from Laravel’s Encrypter');
  }
}

function tryDecrypt(key: Buffer, { iv, value, authenticatedText, mac, tag }: Payload): Buffer | null {
  const aes = `aes-${key.length * 8}`;
  try {
    if (tag.length > 0) {
      const gcm = createDecipheriv(`${aes}-gcm` as CipherGCMTypes, key, iv, { authTagLength: tagBytes });
      gcm.setAuthTag(tag);
      return Buffer.concat([gcm.update(value), gcm.final()]);
    }
    const expected = Buffer.from(createHmac('sha256', key).update(authenticatedText).digest('hex'));
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return null;
    const cbc = createDecipheriv(`${aes}-cbc`, key, iv);
    return Buffer.concat([cbc.update(value), cbc.final()]);
  } catch {
    // Wrong key or damaged data. OpenSSL does not distinguish them.
    return null;
  }
}
