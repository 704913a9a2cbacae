import { type CipherGCMTypes, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeBase64 } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';
import { readKeyFile } from './key-file.ts';

/** In bytes. GCM itself would accept shorter tags too, down to some that can be guessed. */
const tagLength = 16;

/**
 * Reads Laravel's `APP_KEY` and the `APP_PREVIOUS_KEYS` after it.
 * @throws TypeError as `readKeyFile` does
 */
export function readAppKeys(keyFile: string): Buffer[] {
  return readKeyFile(keyFile, [16, 32]);
}

/**
 * Decrypts the output of Laravel's `Encrypter::encryptString()` (Illuminate/Encryption/Encrypter.php), which is base64
 * of the JSON `{iv, value, mac, tag}`. With AES-CBC it has a mac, the hexadecimal HMAC-SHA256 of the texts of `iv` and
 * `value`; with AES-GCM it has a tag instead. The length of the key decides between AES-128 and AES-256.
 * @returns the plaintext, and the key that decrypted it
 * @throws FormatError
 */
export function decryptLaravel(text: string, keys: readonly Buffer[]): { plaintext: Buffer; key: Buffer } {
  const payload = parsePayload(text);
  for (const key of keys) {
    const plaintext = decryptWith(key, payload);
    if (plaintext !== null) return { plaintext, key };
  }
  throw new FormatError('encrypted with none of the keys in the key file');
}

interface Payload {
  iv: Buffer;
  value: Buffer;
  /** The text that the mac is for. */
  signed: string;
  mac: Buffer;
  tag: Buffer;
}

function parsePayload(text: string): Payload {
  const fields = parseFields(text);
  const field = (name: string): string => {
    const value = Object.hasOwn(fields, name) ? (fields as Record<string, unknown>)[name] : '';
    if (typeof value !== 'string') throw new FormatError(`its ${name} is no string`);
    return value;
  };
  const [iv, value, tag] = [field('iv'), field('value'), field('tag')];
  const payload = {
    iv: decodeBase64(iv),
    value: decodeBase64(value),
    signed: iv + value,
    mac: Buffer.from(field('mac')),
    tag: decodeBase64(tag),
  };
  const gcm = payload.tag.length > 0;
  if (gcm === payload.mac.length > 0) throw new FormatError('a mac or a tag is needed, and not both');
  if (payload.iv.length !== (gcm ? 12 : 16)) throw new FormatError('its iv has another length');
  return payload;
}

function parseFields(text: string): object {
  try {
    return Object(JSON.parse(decodeBase64(text).toString()));
  } catch {
    // V8's message quotes the text.
    throw new FormatError('not what Laravel’s Encrypter writes');
  }
}

function decryptWith(key: Buffer, { iv, value, signed, mac, tag }: Payload): Buffer | null {
  const aes = `aes-${key.length * 8}`;
  try {
    if (tag.length > 0) {
      const gcm = createDecipheriv(`${aes}-gcm` as CipherGCMTypes, key, iv, { authTagLength: tagLength });
      gcm.setAuthTag(tag);
      return Buffer.concat([gcm.update(value), gcm.final()]);
    }
    const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('hex'));
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return null;
    const cbc = createDecipheriv(`${aes}-cbc`, key, iv);
    return Buffer.concat([cbc.update(value), cbc.final()]);
  } catch {
    // OpenSSL's error says only that the key does not fit.
    return null;
  }
}
