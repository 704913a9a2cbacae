import { inflateRawSync, inflateSync } from 'node:zlib';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { decodeBase64, urlDecode } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';
import { maxSessionBytes, SessionTooLargeError } from '../store.ts';
import { readKeyFile } from './key-file.ts';
import { decryptLaravel, readAppKeys } from './laravel.ts';

/** An encoding of the bytes of a session, to remove before decoding. */
export interface Layer {
  name: string;
  /** @throws FormatError that names the layer */
  unwrap(bytes: Buffer, id: string): Buffer;
}

/** Layers without a key file. */
const plain: Record<string, Layer['unwrap']> = {
  base64: (bytes) => decodeBase64(bytes.toString('latin1')),
  inflate: (bytes) => decompress(inflateRawSync, bytes),
  zlib: (bytes) => decompress(inflateSync, bytes),
  urldecode: urlDecode,
  unserialize: unserializeString,
};

/** Layers with a key file. */
const encrypted: Record<string, (keyFile: string) => Layer['unwrap']> = {
  decrypt(keyFile) {
    const keys = readKeyFile(keyFile, [32]);
    return (bytes, id) => decrypt(bytes, Buffer.from(id), keys);
  },
  laravel: (keyFile) => createLaravelLayer(readAppKeys(keyFile)),
};

const createLaravelLayer =
  (keys: readonly Buffer[]): Layer['unwrap'] =>
  (bytes) =>
    decryptLaravel(bytes.toString('latin1'), keys).plaintext;

/**
 * Parses `layers=` of a store URL, comma-separated with the outermost first, and reads its key files.
 *
 * - `base64`
 * - `inflate`: raw deflate, PHP's `gzdeflate()`
 * - `zlib`: PHP's `gzcompress()`
 * - `urldecode`
 * - `unserialize`: a string in PHP's `serialize()`
 * - `decrypt:KEYFILE`: 24 bytes of nonce, then libsodium's `crypto_aead_xchacha20poly1305_ietf_encrypt` with the
 *   session ID as additional data; keys of 32 bytes
 * - `laravel:KEYFILE`: the output of Laravel's `Encrypter`. `session.encrypt` encrypts a serialized string, which needs
 *   `laravel:KEYFILE,unserialize`. `laravel` uses `appKeys`
 * @param appKeys the keys in the configuration of the site
 * @throws TypeError for an unknown name or an unusable key file
 */
export function parseLayers(text: string, appKeys: readonly Buffer[] = []): Layer[] {
  return text === '' ? [] : text.split(',').map((layer) => parseLayer(layer, appKeys));
}

function parseLayer(text: string, appKeys: readonly Buffer[]): Layer {
  const [, name = text, keyFile = ''] = /^([^:]*):(.+)$/.exec(text) ?? [];
  const unwrap = Object.hasOwn(plain, text)
    ? plain[text]
    : keyFile !== '' && Object.hasOwn(encrypted, name)
      ? encrypted[name]?.(keyFile)
      : text === 'laravel' && appKeys.length > 0
        ? createLaravelLayer(appKeys)
        : undefined;
  if (unwrap === undefined) {
    const supported = [...Object.keys(plain), ...Object.keys(encrypted).map((layer) => `${layer}:KEYFILE`)];
    throw new TypeError(`layers= must be a comma-separated list of ${supported.join(', ')}`);
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

/**
 * Decompresses bytes. Stops at the size limit of a session, because a megabyte can inflate to a gigabyte.
 * @throws FormatError, SessionTooLargeError
 */
export function decompress(inflate: typeof inflateSync, bytes: Buffer): Buffer {
  try {
    return inflate(bytes, { maxOutputLength: maxSessionBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new SessionTooLargeError();
    throw new FormatError('the bytes are cut off, or not compressed in this way');
  }
}

/** Removes the frame of a serialized string, `s:5:"bytes";`. @throws FormatError */
function unserializeString(bytes: Buffer): Buffer {
  const [start = '', length] = /^s:(\d{1,7}):"/.exec(bytes.toString('latin1', 0, 11)) ?? [];
  const end = start.length + Number(length);
  if (bytes.length !== end + 2 || bytes.toString('latin1', end) !== '";') {
    throw new FormatError('the bytes are not a serialized string');
  }
  return bytes.subarray(start.length, end);
}

function decrypt(bytes: Buffer, id: Buffer, keys: readonly Buffer[]): Buffer {
  const nonce = bytes.subarray(0, 24);
  const box = bytes.subarray(24);
  // The size of the tag.
  if (box.length < 16) throw new FormatError('the bytes are too short for a nonce and a tag');
  for (const key of keys) {
    try {
      return Buffer.from(xchacha20poly1305(key, nonce, id).decrypt(box));
    } catch {
      // Another key may match.
    }
  }
  throw new FormatError('none of the keys decrypts the bytes for this session ID');
}
