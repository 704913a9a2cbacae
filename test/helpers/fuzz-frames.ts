import fc from 'fast-check';
import { anyText } from './any-text.ts';
import { byte, mostly, packets } from './fuzz-packets.ts';
import { type FrameFields, frame } from './fuzz-wire.ts';

export type FrameCase =
  | { kind: 'bytes'; bytes: number[] }
  | { kind: 'fields'; frames: { fields: FrameFields; text: string; times: number }[] }
  | { kind: 'fragments'; packet: number; cuts: number[]; between: number | null; open: boolean }
  | { kind: 'large'; bytes: number; opcode: number; count: number };

const opcode = fc.oneof(fc.constantFrom(0, 1, 2, 8, 9, 10), fc.nat({ max: 15 }));
const length = fc.oneof(
  fc.constantFrom(
    0n,
    125n,
    126n,
    65_535n,
    65_536n,
    65_537n,
    2n ** 31n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ),
  fc.bigInt({ min: 0n, max: 400n }),
);
const text = fc.oneof(
  fc.constantFrom(...packets.flat().filter((part) => typeof part === 'string')),
  anyText(40),
  fc.constantFrom('', '\x03\xe8', '\x03\xe9bye', '\x00\x00', '\xff\xfe', '\xc3(', '\xed\xa0\x80'),
);

export const frameCase: fc.Arbitrary<FrameCase> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('bytes'),
      bytes: fc.array(byte, { minLength: 1, maxLength: 200 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('fields'),
      frames: fc.array(
        fc.record({
          fields: fc.record({
            fin: mostly(true, fc.constant(false)),
            rsv: mostly(0, fc.nat({ max: 7 })),
            opcode,
            masked: mostly(true, fc.constant(false)),
            mask: fc.integer(),
            length: mostly<bigint | null>(null, length),
          }),
          text,
          times: mostly(1, fc.constantFrom(2, 5, 120)),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('fragments'),
      packet: fc.nat({ max: packets.length - 1 }),
      cuts: fc.array(fc.nat({ max: 30 }), { maxLength: 8 }),
      between: fc.option(opcode),
      open: mostly(false, fc.constant(true)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('large'),
      bytes: fc.oneof(fc.constantFrom(65_534, 65_535, 65_536, 65_537), fc.nat({ max: 300_000 })),
      opcode: fc.constantFrom(1, 2, 9),
      count: fc.constantFrom(1, 1, 3),
    }),
  },
);

/** The bytes of one case; `ends`: the server would not read further bytes as separate frames. */
export function framesOf(one: FrameCase): { bytes: Buffer; ends: boolean } {
  switch (one.kind) {
    case 'bytes':
      return { bytes: Buffer.from(one.bytes), ends: true };
    case 'large': {
      const packet = frame(`42["room:list",{"a":"${'x'.repeat(one.bytes)}`.slice(0, one.bytes), one);
      return { bytes: Buffer.concat(Array(one.count).fill(packet)), ends: false };
    }
    case 'fields':
      return {
        bytes: Buffer.concat(
          one.frames.flatMap(({ fields, text, times }) =>
            Array<Buffer>(times).fill(frame(Buffer.from(text, 'latin1'), fields)),
          ),
        ),
        ends: one.frames.some(({ fields }) => typeof fields.length === 'bigint' || fields.masked === false),
      };
    case 'fragments': {
      const whole = Buffer.from((packets[one.packet] as (string | Buffer)[])[0] as string);
      const places = [
        0,
        ...one.cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b),
        whole.length,
      ];
      const parts = places.slice(1).map((end, n) => {
        const fin = n === places.length - 2 && !one.open;
        return frame(whole.subarray(places[n], end), { fin, opcode: n === 0 ? 1 : 0 });
      });
      const between = one.between === null ? [] : [frame('', { opcode: one.between })];
      return { bytes: Buffer.concat(parts.flatMap((part) => [part, ...between])), ends: false };
    }
  }
}
