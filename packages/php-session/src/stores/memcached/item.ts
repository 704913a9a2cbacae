import zlib from 'node:zlib';
import { Reader } from '../../formats/reader.ts';
import { FormatError } from '../../formats/value.ts';
import { maxSessionBytes, SessionTooLargeError } from '../../store.ts';

/** A value with the 32-bit flags of its writer. */
export interface Item {
  bytes: Buffer;
  flags: number;
}

/** Each write changes `cas`. It is 0 if memcached does not store it (`-C`). */
export interface VersionedItem extends Item {
  cas: string;
}

/**
 * Functions that return the bytes that PHP passed to the extension. Arrays and objects are returned serialized. The
 * upper 16 bits of the flags belong to the site.
 * @throws FormatError if the item is not a session or cannot be decompressed
 */
export const itemDecoders = {
  /** As php_memcached.c. The flags contain a type and the compression. A compressed value follows its length. */
  memcached({ bytes, flags }: Item): Buffer {
    const type = flags & 0xf;
    // A string, or the output of serialize(), igbinary, json_encode() or msgpack.
    if (type !== 0 && (type < 4 || type > 7)) throw new FormatError(notText);
    if ((flags & 0x10) === 0) return bytes;
    if (bytes.length < 4) throw new FormatError('the item is packed and too short');
    const length = bytes.readUInt32LE(0);
    if (length > maxSessionBytes) throw new SessionTooLargeError();
    const stream = bytes.subarray(4);
    if ((flags & 0x40) !== 0) return decodeFastlz(stream, length);
    if ((flags & 0xa0) === 0) throw new FormatError('the item is packed, but not by zlib, FastLZ or zstd');
    const method = (flags & 0x20) !== 0 ? zlib.inflateSync : zlib.zstdDecompressSync;
    if (method === undefined)
      throw new FormatError(`zstd needs Node 22.15 or later, and this is ${process.version}`);
    const value = decompress(stream, method);
    if (value.length !== length)
      throw new FormatError('the item does not unpack to the length that it states');
    return value;
  },
  /** Decodes an item like memcache_pool.c. The flags contain a type, and whether the value is serialized and compressed. */
  memcache({ bytes, flags }: Item): Buffer {
    if ((flags & 0xf00) !== 0) throw new FormatError(notText);
    return (flags & 2) === 0 ? bytes : decompress(bytes, zlib.inflateSync);
  },
} as const satisfies Record<string, (item: Item) => Buffer>;

const notText =
  'the flags say that the item is not text; items of a Memcache object need distribution=memcache';

function decompress(
  stream: Buffer,
  method: typeof zlib.inflateSync | typeof zlib.zstdDecompressSync,
): Buffer {
  try {
    return method(stream, { maxOutputLength: maxSessionBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new SessionTooLargeError();
    throw new FormatError('the item cannot be unpacked', { cause: error });
  }
}

/** In level 2 this distance is followed by a 16-bit distance (`MAX_DISTANCE` in fastlz.c). */
const maxShortDistance = 8192;

/**
 * Decompresses FastLZ of level 1 or 2 (`fastlz_decompress` in fastlz.c of ext-memcached).
 * @throws FormatError if the result does not have `length` bytes
 */
function decodeFastlz(stream: Buffer, length: number): Buffer {
  const reader = new Reader(stream);
  const out = Buffer.alloc(length);
  let end = 0;
  const grow = (by: number): void => {
    if (by > length - end) reader.fail(`at most ${length} unpacked bytes`);
    end += by;
  };

  // The first byte contains the level, and always starts a run of literals.
  const first = reader.readByte('a FastLZ stream');
  const level = (first >> 5) + 1;
  if (level > 2) reader.fail('FastLZ of level 1 or 2', 0);
  let control = first & 31;
  for (;;) {
    const start = end;
    if (control < 32) {
      grow(control + 1);
      reader.readBytes(control + 1).copy(out, start);
    } else {
      let size = (control >> 5) + 2;
      let distance = ((control & 31) << 8) + 1;
      if (size === 9) size += readExtraSize();
      distance += reader.readByte('a distance');
      if (level === 2 && distance === maxShortDistance)
        distance += (reader.readByte('a distance') << 8) + reader.readByte('a distance');
      if (distance > start) reader.fail('a distance within what is unpacked');
      grow(size);
      copyMatch(start, distance);
    }
    if (reader.remainingBytes === 0) break;
    control = reader.readByte('a length');
  }
  if (end !== length) reader.fail(`${length} unpacked bytes`);
  return out;

  /** Reads one byte. In level 2, reads all bytes up to the first byte below 255. */
  function readExtraSize(): number {
    let extra = 0;
    let byte: number;
    do {
      byte = reader.readByte('a length');
      extra += byte;
    } while (level === 2 && byte === 255);
    return extra;
  }

  /** A match may overlap its own output, which repeats the last bytes. */
  function copyMatch(start: number, distance: number): void {
    const source = start - distance;
    let target = start;
    while (target < end) {
      const size = Math.min(target - source, end - target);
      out.copyWithin(target, source, source + size);
      target += size;
    }
  }
}
