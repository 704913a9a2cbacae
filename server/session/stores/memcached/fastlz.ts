import { Reader } from '../../formats/reader.ts';

/** A match of level 2 from so far back, or farther: two bytes say how much (`MAX_DISTANCE` in fastlz.c). */
const far = 8192;

/**
 * Unpacks FastLZ, levels 1 and 2 (`fastlz_decompress` in fastlz.c of ext-memcached).
 * @param length what comes out of it, to the byte
 * @throws FormatError when it does not
 */
export function decodeFastlz(stream: Buffer, length: number): Buffer {
  const reader = new Reader(stream);
  const out = Buffer.alloc(length);
  let end = 0;
  const grow = (by: number): void => {
    if (by > length - end) reader.fail(`at most ${length} unpacked bytes`);
    end += by;
  };

  // The first byte tells the level as well, and is always a run of plain bytes.
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

  /** Of long matches: one byte, in level 2 as many as are 255 and one more. */
  function extraSize(): number {
    let extra = 0;
    let byte: number;
    do {
      byte = reader.byte('a length');
      extra += byte;
    } while (level === 2 && byte === 255);
    return extra;
  }

  /** A match may reach into what it makes itself: then it is the last bytes again and again. */
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
