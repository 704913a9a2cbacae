import { inflateSync } from 'node:zlib';
import { FormatError } from '../../formats/value.ts';
import { maxSessionBytes } from '../../store.ts';
import { decodeFastlz } from './fastlz.ts';

/** A value with the 32 bits that its writer put beside it. */
export interface Item {
  bytes: Buffer;
  flags: number;
}

/**
 * The bytes that PHP handed to one of its extensions; of an array or an object, those that the extension made of
 * it. The upper 16 bits are the site's own.
 * @throws FormatError for what is no session, and for what cannot be unpacked
 */
export const itemDecoders = {
  /** php_memcached.c: a type, and beside it how the value is packed, behind its length. Its session handler's flags are 0. */
  memcached({ bytes, flags }: Item): Buffer {
    const type = flags & 0xf;
    // A string, or what serialize(), igbinary, json_encode() or msgpack made.
    if (type !== 0 && (type < 4 || type > 7)) throw new FormatError(notText);
    if ((flags & 0x10) === 0) return bytes;
    if (bytes.length < 4) throw new FormatError('the item is packed and too short');
    const length = bytes.readUInt32LE(0);
    if (length > maxSessionBytes) throw new FormatError(tooLarge);
    const stream = bytes.subarray(4);
    if ((flags & 0x40) !== 0) return decodeFastlz(stream, length);
    if ((flags & 0x20) === 0) throw new FormatError('the item is packed neither by zlib nor by FastLZ');
    const unpacked = inflate(stream);
    if (unpacked.length !== length) throw new FormatError('the item unpacks to another length than it says');
    return unpacked;
  },
  /** memcache_pool.c: serialized, packed, a type. Its session handler packs what is large, and so do objects. */
  memcache({ bytes, flags }: Item): Buffer {
    if ((flags & 0xf00) !== 0) throw new FormatError(notText);
    return (flags & 2) === 0 ? bytes : inflate(bytes);
  },
} as const satisfies Record<string, (item: Item) => Buffer>;

const notText = 'the item is no text by its flags; those of a Memcache object need distribution=memcache';
const tooLarge = `the item unpacks to more than ${maxSessionBytes} bytes`;

function inflate(stream: Buffer): Buffer {
  try {
    return inflateSync(stream, { maxOutputLength: maxSessionBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge : 'the item is not what zlib packs';
    throw new FormatError(message, { cause: error });
  }
}
