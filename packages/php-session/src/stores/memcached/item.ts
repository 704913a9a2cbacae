import zlib from 'node:zlib';
import { Reader } from '../../formats/reader.ts';
import { FormatError } from '../../formats/value.ts';
import { maxSessionBytes, SessionTooLargeError } from '../../store.ts';

/** A value, and the 32 bits that its writer stored beside it. */
export interface Item {
  bytes: Buffer;
  flags: number;
}

/** `count`: a number that each write changes, 0 if memcached is configured not to keep it (`-C`). */
export interface CountedItem extends Item {
  count: string;
}

/**
 * The bytes that PHP gave to one of its extensions; for an array or an object, the bytes into which the extension
 * serialized it. The upper 16 bits of the flags are the site's own.
 * @throws FormatError if the item is no session, or cannot be unpacked
 */
export const itemDecoders = {
  /** php_memcached.c: the flags hold a type and how the value is packed. A packed value follows its length. */
  memcached({ bytes, flags }: Item): Buffer {
    const type = flags & 0xf;
    // A string, or what serialize(), igbinary, json_encode() or msgpack made.
    if (type !== 0 && (type < 4 || type > 7)) throw new FormatError(notText);
    if ((flags & 0x10) === 0) return bytes;
    if (bytes.length < 4) throw new FormatError('the item is packed and too short');
    const length = bytes.readUInt32LE(0);
    if (length > maxSessionBytes) throw new SessionTooLargeError();
    const stream = bytes.subarray(4);
    if ((flags & 0x40) !== 0) return decodeFastlz(stream, length);
    if ((flags & 0xa0) === 0) throw new FormatError('the item is packed, but not by zlib, FastLZ or zstd');
    const by = (flags & 0x20) !== 0 ? zlib.inflateSync : zlib.zstdDecompressSync;
    if (by === undefined)
      throw new FormatError(`zstd needs Node 22.15 or later, and this is ${process.version}`);
    const unpacked = unpack(stream, by);
    if (unpacked.length !== length) throw new FormatError('the item unpacks to another length than it says');
    return unpacked;
  },
  /** memcache_pool.c: the flags say serialized, packed, and a type. Large values are packed. */
  memcache({ bytes, flags }: Item): Buffer {
    if ((flags & 0xf00) !== 0) throw new FormatError(notText);
    return (flags & 2) === 0 ? bytes : unpack(bytes, zlib.inflateSync);
  },
} as const satisfies Record<string, (item: Item) => Buffer>;

const notText = 'the item is no text by its flags; those of a Memcache object need distribution=memcache';

function unpack(stream: Buffer, by: typeof zlib.inflateSync | typeof zlib.zstdDecompressSync): Buffer {
  try {
    return by(stream, { maxOutputLength: maxSessionBytes });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new SessionTooLargeError();
    throw new FormatError('the item cannot be unpacked', { cause: error });
  }
}

/** At this distance or more, a match of level 2 has two more bytes for it (`MAX_DISTANCE` in fastlz.c). */
const far = 8192;

/**
 * Unpacks FastLZ, levels 1 and 2 (`fastlz_decompress` in fastlz.c of ext-memcached).
 * @param length of the result, to the byte
 * @throws FormatError if the result has another length
 */
export function decodeFastlz(stream: Buffer, length: number): Buffer {
  const reader = new Reader(stream);
  const out = Buffer.alloc(length);
  let end = 0;
  const grow = (by: number): void => {
    if (by > length - end) reader.fail(`at most ${length} unpacked bytes`);
    end += by;
  };

  // The first byte holds the level too, and always begins a run of plain bytes.
  const first = reader.byte('a FastLZ stream');
  const level = (first >> 5) + 1;
  if (level > 2) reader.fail('FastLZ of level 1 or 2', 0);
  let control = first & 31;
  for (;;) {
    const start = end;
    if (control < 32) {
      grow(control + 1);
      reader.take(control + 1).copy(out, start);
    } else {
      let size = (control >> 5) + 2;
      let distance = ((control & 31) << 8) + 1;
      if (size === 9) size += extraSize();
      distance += reader.byte('a distance');
      if (level === 2 && distance === far)
        distance += (reader.byte('a distance') << 8) + reader.byte('a distance');
      if (distance > start) reader.fail('a distance within what is unpacked');
      grow(size);
      repeat(start, distance);
    }
    if (reader.left === 0) break;
    control = reader.byte('a length');
  }
  if (end !== length) reader.fail(`${length} unpacked bytes`);
  return out;

  /** The rest of a long match's size: one byte, or in level 2 all bytes of 255 and one more. */
  function extraSize(): number {
    let extra = 0;
    let byte: number;
    do {
      byte = reader.byte('a length');
      extra += byte;
    } while (level === 2 && byte === 255);
    return extra;
  }

  /** A match may overlap its own output: it then repeats the last bytes. */
  function repeat(start: number, distance: number): void {
    const source = start - distance;
    let at = start;
    while (at < end) {
      const size = Math.min(at - source, end - at);
      out.copyWithin(at, source, source + size);
      at += size;
    }
  }
}
