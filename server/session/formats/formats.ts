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

export function isFormatName(name: string): name is FormatName {
  return Object.hasOwn(formats, name);
}
