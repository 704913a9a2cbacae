import { decodeIgbinary } from './igbinary.ts';
import { decodeJson } from './json.ts';
import { decodeMsgpack } from './msgpack.ts';
import { decodePhp, decodePhpBinary } from './php.ts';
import { decodePhpSerialize } from './php-serialize.ts';
import type { PhpValue } from './value.ts';

/**
 * The decoders, by the values of PHP's `session.serialize_handler`, and `json` for custom handlers. They throw only
 * FormatError.
 */
export const formats = {
  php: decodePhp,
  php_binary: decodePhpBinary,
  php_serialize: decodePhpSerialize,
  json: decodeJson,
  igbinary: decodeIgbinary,
  msgpack: decodeMsgpack,
} as const satisfies Record<string, (bytes: Buffer) => PhpValue>;

export type FormatName = keyof typeof formats;

/** The format of the sessions in a store. `memcached` stands for any serializer of a `Memcached` object. */
export type StoredFormat = FormatName | 'memcached';

/** Detects the serializer of a `Memcached` object by the first byte. */
export function detectFormat(stored: StoredFormat, [first = 0x61]: Buffer): FormatName {
  if (stored !== 'memcached') return stored;
  if (first === 0) return 'igbinary';
  if (first >= 0x80) return 'msgpack';
  return first === 0x7b || first === 0x5b ? 'json' : 'php_serialize';
}

/** Decodes a stored session. @throws FormatError */
export const decodeStored = (stored: StoredFormat, bytes: Buffer): PhpValue =>
  formats[detectFormat(stored, bytes)](bytes);

export function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(formats, name);
}
