import fc from 'fast-check';
import { frame } from './raw-client.ts';

export const words = (list: string) => list.split(' ');
/** A value with many parts is rejected for the first wrong one, so each part is mostly valid. */
export const mostly = <T>(usual: T, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary });
export const someBytes = (most: number) =>
  fc.array(fc.nat({ max: 255 }), { minLength: 1, maxLength: most }).map((list) => Buffer.from(list));

const pieces = [...words('" \\ [ ] { } , - / 0 9e9 \\ud800 {"__proto__":'), '\0', '\x1e'].map((text) =>
  Buffer.from(text),
);
/** A change at `at` modulo the length, so that it fits any bytes. */
const edit = fc.record({
  op: fc.constantFrom('flip', 'cut', 'insert', 'repeat', 'splice'),
  at: fc.nat({ max: 100_000 }),
  // The highest bit is rarely set, because ws itself rejects invalid UTF-8.
  bit: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7),
  count: fc.integer({ min: 1, max: 12 }),
  times: fc.constantFrom(1, 2, 40, 3000),
  piece: fc.oneof(fc.constantFrom(...pieces), someBytes(8)),
});
export type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;
/** Mostly one change, because the server stops at the first wrong byte. */
export const edits = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(edit) },
  { weight: 3, arbitrary: fc.array(edit, { minLength: 2, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant<Edit[]>([]) },
);

/** @param donor the source of spliced bytes */
export function mutate(bytes: Buffer, changes: readonly Edit[], donor: Buffer): Buffer {
  return changes.reduce((all: Buffer, { op, at, bit, count, times, piece }) => {
    const place = at % (all.length + 1);
    const [before, after] = [all.subarray(0, place), all.subarray(place)];
    const [head, tail] = [after.subarray(0, count), after.subarray(count)];
    if (op === 'insert') return Buffer.concat([before, piece, after]);
    if (op === 'repeat') return Buffer.concat([before, ...Array<Buffer>(times).fill(head), after]);
    if (op === 'flip')
      return Buffer.concat([
        before,
        after.subarray(0, 1).map((byte) => byte ^ (1 << bit)),
        after.subarray(1),
      ]);
    const from = (at * 31) % donor.length;
    return Buffer.concat(
      [before, op === 'splice' ? donor.subarray(from, from + 3 * count) : '', tail].map((part) =>
        Buffer.from(part as string),
      ),
    );
  }, bytes);
}

/** Real packets, as the client library sends them. A Buffer is sent as a binary frame. */
const packets: (string | Buffer)[][] = [
  ...words('40 40/admin,{"session":"x"} 41 41/admin, 42["room:list",{}] 42/admin,3["room:list",{}]'),
  ...words('430[{"ok":true}] 44{"message":"x"} 1 2 2probe 3 3probe 5 6 bAQID'),
  '40{"session":"0123456789abcdef0123456789abcdef"}',
  '421["room:join",{"room":"lobby","since":0}]',
  '427["message:send",{"room":"lobby","text":"grüße 😀","clientId":"c-1","replyTo":1}]',
  '429["no:such",{"a":[1,2.5,-3e7,true,null,"\\u0000"]},7]',
  '0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":9}',
].map((packet): (string | Buffer)[] => [packet]);
packets.push(
  [
    '451-3["message:send",{"room":"lobby","text":{"_placeholder":true,"num":0},"clientId":"c"}]',
    Buffer.of(1, 2),
  ],
  [
    '452-4["room:list",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    Buffer.of(0),
    Buffer.of(255),
  ],
  ['461-0[{"_placeholder":true,"num":0}]', Buffer.alloc(0)],
);
const all = Buffer.from(packets.flat().join(''), 'latin1');

export const packetCase = fc.record({
  packet: fc.constantFrom(...packets),
  /** The index of the frame that is changed. */
  which: fc.nat({ max: 2 }),
  changes: edits,
  order: mostly('as it is', fc.constantFrom('twice', 'backwards', 'without the first')),
  /** Whether it is sent as the other kind of frame. */
  swapped: mostly(false, fc.boolean()),
  /** Whether it is sent before CONNECT. */
  first: mostly(false, fc.constant(true)),
});
export type PacketCase = typeof packetCase extends fc.Arbitrary<infer T> ? T : never;

/** Returns the payloads of one case, each with the opcode of its frame. */
export function packetsOf(one: PacketCase): { payload: Buffer; opcode: number }[] {
  const parts = one.packet.map((part, n, { length }) => {
    const payload = Buffer.from(part as string);
    return {
      payload: n === one.which % length ? mutate(payload, one.changes, all) : payload,
      opcode: (typeof part === 'string') !== one.swapped ? 1 : 2,
    };
  });
  if (one.order === 'twice') return [...parts, ...parts];
  if (one.order === 'backwards') return parts.reverse();
  return one.order === 'without the first' ? parts.slice(1) : parts;
}

const opcodes = fc.oneof(fc.constantFrom(0, 1, 2, 8, 9, 10), fc.nat({ max: 15 }));
const lengths = fc.oneof(
  fc.constantFrom(0n, 125n, 126n, 65_535n, 65_536n, 65_537n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 400n }),
);
const frames = fc.array(
  fc.record({
    payload: fc.oneof(
      fc.constantFrom(...packets.flat()),
      someBytes(40),
      fc
        .constantFrom(65_535, 65_536, 65_537, 300_000)
        .map((size) => `42["room:list",{"a":"${'x'.repeat(size)}`.slice(0, size)),
    ),
    op: opcodes,
    fin: mostly(true, fc.constant(false)),
    rsv: mostly(0, fc.nat({ max: 7 })),
    masked: mostly(true, fc.constant(false)),
    length: mostly<bigint | undefined>(undefined, lengths),
    times: mostly(1, fc.constantFrom(2, 5, 120)),
  }),
  { minLength: 1, maxLength: 4 },
);

/** Frames, as bytes. `ends`: the server would not read further bytes as separate frames. */
export const frameCase = fc.oneof(
  { weight: 1, arbitrary: someBytes(200).map((bytes) => ({ bytes, ends: true })) },
  {
    weight: 4,
    arbitrary: frames.map((list) => ({
      bytes: Buffer.concat(
        list.flatMap(({ payload, op, times, ...odd }) =>
          Array<Buffer>(payload.length > 1000 ? 1 : times).fill(frame(payload, op, odd)),
        ),
      ),
      ends: list.some(({ length, masked }) => length !== undefined || !masked),
    })),
  },
);
