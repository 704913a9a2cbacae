import { decodeIgbinary } from './igbinary.ts';
import { decodeJson } from './json.ts';
import { decodeMsgpack } from './msgpack.ts';
import { decodePhp, decodePhpBinary } from './php.ts';
import { decodePhpSerialize } from './php-serialize.ts';
import type { PhpValue } from './value.ts';

/**
 * The formats by the names of PHP's `session.serialize_handler`, and `json` for handlers of one's own. Each throws
 * FormatError, and nothing else, for bytes that are not of its kind.
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

/** How a store has its sessions; `memcached` is whatever a `Memcached` object makes of an array. */
export type StoredFormat = FormatName | 'memcached';

/** The format of these bytes: PHP's `memcached.serializer` decides it, and their first byte tells it. */
export function formatOf(stored: StoredFormat, [first = 0x61]: Buffer): FormatName {
  if (stored !== 'memcached') return stored;
  if (first === 0) return 'igbinary';
  if (first >= 0x80) return 'msgpack';
  return first === 0x7b || first === 0x5b ? 'json' : 'php_serialize';
}

/** @throws FormatError */
export const decodeStored = (stored: StoredFormat, bytes: Buffer): PhpValue =>
  formats[formatOf(stored, bytes)](bytes);

export function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(formats, name);
}
