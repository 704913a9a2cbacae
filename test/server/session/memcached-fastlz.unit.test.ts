import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from '../../../server/session/formats/value.ts';
import { decodeFastlz } from '../../../server/session/stores/memcached/item.ts';

/** Plain bytes, or a repetition of `length` bytes from `back` bytes before (or less, if there are fewer). */
type Piece = { plain: Uint8Array } | { back: number; length: number };

/** A stream of the pieces as fastlz.c would write it, and the bytes that it unpacks to. */
function written(level: 1 | 2, pieces: readonly Piece[]): { stream: Buffer; text: Buffer } {
  const stream: number[] = [];
  const text: number[] = [];
  for (const piece of pieces) {
    if ('plain' in piece) {
      stream.push(piece.plain.length - 1, ...piece.plain);
      text.push(...piece.plain);
      continue;
    }
    const distance = 1 + (piece.back % Math.min(text.length, level === 1 ? 8192 : 73_727));
    const length = level === 1 ? Math.min(piece.length, 264) : piece.length;
    const far = level === 2 && distance >= 8192;
    const high = far ? 31 : (distance - 1) >> 8;
    stream.push((Math.min(length - 2, 7) << 5) | high);
    for (let extra = length - 9; extra >= 0; extra -= 255) {
      stream.push(Math.min(extra, 255));
      if (level === 1 || extra < 255) break;
    }
    stream.push(far ? 255 : (distance - 1) & 255);
    if (far) stream.push((distance - 8192) >> 8, (distance - 8192) & 255);
    for (let n = 0; n < length; n++) text.push(text[text.length - distance] as number);
  }
  stream[0] = (stream[0] as number) | ((level - 1) << 5);
  return { stream: Buffer.from(stream), text: Buffer.from(text) };
}

const plain = fc.uint8Array({ minLength: 1, maxLength: 32 }).map((bytes) => ({ plain: bytes }));
const again = fc.record({
  back: fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 80_000 })),
  length: fc.oneof(fc.integer({ min: 3, max: 12 }), fc.integer({ min: 3, max: 40_000 })),
});
const sample = fc
  .tuple(fc.constantFrom(1 as const, 2 as const), plain, fc.array(fc.oneof(plain, again), { maxLength: 12 }))
  .map(([level, first, rest]) => written(level, [first, ...rest]));

test('500 streams of both levels are unpacked to the byte', () => {
  fc.assert(
    fc.property(sample, ({ stream, text }) => {
      expect(decodeFastlz(stream, text.length).equals(text)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('2000 streams that are cut off, changed or of another length: the requested length, or a FormatError', () => {
  const wrong = fc.tuple(sample, fc.nat(), fc.nat({ max: 255 }), fc.nat(), fc.integer({ min: -3, max: 3 }));
  fc.assert(
    fc.property(wrong, ([{ stream, text }, at, byte, cut, more]) => {
      const bytes = Buffer.from(
        stream.subarray(0, stream.length - (cut % 3 === 0 ? cut % stream.length : 0)),
      );
      bytes[at % bytes.length] = byte;
      const length = Math.max(0, text.length + more);
      try {
        expect(decodeFastlz(bytes, length).length).toBe(length);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
