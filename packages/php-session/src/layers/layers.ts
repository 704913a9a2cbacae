import { inflateRawSync, inflateSync } from 'node:zlib';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { decodeBase64, urlDecode } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';
import { maxSessionBytes, SessionTooLargeError } from '../store.ts';
import { readKeyFile } from './key-file.ts';
import { decryptLaravel, readAppKeys } from './laravel.ts';

/** An encoding around the bytes of a session, which is removed before they are decoded. */
export interface Layer {
  name: string;
  /** @throws FormatError that names the layer, if the bytes have another encoding */
  unwrap(bytes: Buffer, id: string): Buffer;
}

/** The names are those of PHP's functions for one direction or the other. */
const plain: Record<string, Layer['unwrap']> = {
  base64: (bytes) => decodeBase64(bytes.toString('latin1')),
  inflate: (bytes) => inflated(inflateRawSync, bytes),
  zlib: (bytes) => inflated(inflateSync, bytes),
  urldecode: urlDecode,
  unserialize: unserialized,
};

/** The layers with a key file. */
const encrypted: Record<string, (keyFile: string) => Layer['unwrap']> = {
  decrypt(keyFile) {
    const keys = readKeyFile(keyFile, [32]);
    return (bytes, id) => decrypted(bytes, Buffer.from(id), keys);
  },
  laravel: (keyFile) => laravelLayer(readAppKeys(keyFile)),
};

const laravelLayer =
  (keys: readonly Buffer[]): Layer['unwrap'] =>
  (bytes) =>
    decryptLaravel(bytes.toString('latin1'), keys).plaintext;

/**
 * Reads `layers=` of a store URL, names separated by commas with the outermost first, and the key files in it.
 *
 * - `base64`
 * - `inflate`: raw deflate, PHP's `gzdeflate()`
 * - `zlib`: PHP's `gzcompress()`
 * - `urldecode`
 * - `unserialize`: a string in PHP's `serialize()`
 * - `decrypt:KEYFILE`: 24 bytes of nonce, then libsodium's `crypto_aead_xchacha20poly1305_ietf_encrypt` with the
 *   session id as additional data; keys of 32 bytes
 * - `laravel:KEYFILE`: the output of Laravel's `Encrypter`. `session.encrypt` encrypts a serialized string, so that
 *   `laravel:KEYFILE,unserialize` is needed. Without a key file the site's configuration has the keys
 * @param appKeys those of the site's configuration
 * @throws TypeError for an unknown name, and for a key file that cannot be used
 */
export function parseLayers(text: string, appKeys: readonly Buffer[] = []): Layer[] {
  return text === '' ? [] : text.split(',').map((one) => parseLayer(one, appKeys));
}

function parseLayer(text: string, appKeys: readonly Buffer[]): Layer {
  const [, name = text, keyFile = ''] = /^([^:]*):(.+)$/.exec(text) ?? [];
  const unwrap = Object.hasOwn(plain, text)
    ? plain[text]
    : keyFile !== '' && Object.hasOwn(encrypted, name)
      ? encrypted[name]?.(keyFile)
      : text === 'laravel' && appKeys.length > 0
        ? laravelLayer(appKeys)
        : undefined;
  if (unwrap === undefined) {
    const known = [...Object.keys(plain), ...Object.keys(encrypted).map((one) => `${one}:KEYFILE`)];
    throw new TypeError(`layers= takes ${known.join(', ')}`);
  }
  return {
    name,
    unwrap(bytes, id) {
      try {
        return unwrap(bytes, id);
      } catch (error) {
        if (!(error instanceof FormatError) || error instanceof SessionTooLargeError) throw error;
        throw new FormatError(`layers=${name}: ${error.message}`);
      }
    },
  };
}

/** A few bytes can inflate to gigabytes, so inflating ends as soon as there is more than a session may have. */
export function inflated(inflate: typeof inflateSync, bytes: Buffer): Buffer {
  try {
    return inflate(bytes, { maxOutputLength: maxSessionBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new SessionTooLargeError();
    throw new FormatError('not compressed so, or cut off');
  }
}

/** `s:5:"bytes";` */
function unserialized(bytes: Buffer): Buffer {
  const [start = '', length] = /^s:(\d{1,7}):"/.exec(bytes.toString('latin1', 0, 11)) ?? [];
  const end = start.length + Number(length);
  if (bytes.length !== end + 2 || bytes.toString('latin1', end) !== '";') {
    throw new FormatError('not a serialized string');
  }
  return bytes.subarray(start.length, end);
}

function decrypted(bytes: Buffer, id: Buffer, keys: readonly Buffer[]): Buffer {
  const nonce = bytes.subarray(0, 24);
  const box = bytes.subarray(24);
  // The tag alone has 16 bytes.
  if (box.length < 16) throw new FormatError('too short for a nonce and a tag');
  for (const key of keys) {
    try {
      return Buffer.from(xchacha20poly1305(key, nonce, id).decrypt(box));
    } catch {
      // Encrypted with another key, or for another session id.
    }
  }
  throw new FormatError('encrypted with none of the keys in the key file, or for another session id');
}
