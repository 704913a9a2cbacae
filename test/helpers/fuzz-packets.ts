import fc from 'fast-check';

export const byte = fc.nat({ max: 255 });
/** A value with many parts is refused for the first wrong one, so each part is mostly valid. */
export const mostly = <T>(usual: T, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary });

/**
 * A change to bytes. Positions are numbers modulo the length, so that a case stays valid, short to print and
 * reproducible for any input.
 */
export type Edit =
  | { op: 'flip'; at: number; bit: number }
  | { op: 'cut'; at: number; count: number }
  | { op: 'insert'; at: number; bytes: number[] }
  | { op: 'repeat'; at: number; count: number; times: number }
  | { op: 'splice'; at: number; from: number; count: number };

const at = fc.nat({ max: 100_000 });
const few = fc.integer({ min: 1, max: 12 });
const anEdit: fc.Arbitrary<Edit> = fc.oneof(
  // The highest bit is rarely set: ws refuses invalid UTF-8 itself.
  fc.record({
    op: fc.constant('flip'),
    at,
    bit: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7),
  }),
  fc.record({ op: fc.constant('cut'), at, count: few }),
  fc.record({
    op: fc.constant('insert'),
    at,
    bytes: fc.oneof(
      fc
        .constantFrom(
          '"',
          '\\',
          '[',
          ']',
          '{',
          '}',
          ',',
          '-',
          '/',
          '0',
          '9e9',
          '\0',
          '\\ud800',
          '\x1e',
          '{"__proto__":',
        )
        .map((text) => [...Buffer.from(text)]),
      fc.array(byte, { minLength: 1, maxLength: 8 }),
    ),
  }),
  fc.record({ op: fc.constant('repeat'), at, count: few, times: fc.constantFrom(1, 2, 40, 3000) }),
  fc.record({ op: fc.constant('splice'), at, from: at, count: fc.integer({ min: 1, max: 40 }) }),
);
/** Mostly one: a value with many changes is refused for the first of them. */
export const edits = fc.oneof(
  { weight: 6, arbitrary: fc.array(anEdit, { minLength: 1, maxLength: 1 }) },
  { weight: 3, arbitrary: fc.array(anEdit, { minLength: 2, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constant<Edit[]>([]) },
);

/** @param donor the source of spliced bytes */
export function mutate(bytes: Buffer, changes: readonly Edit[], donor: Buffer): Buffer {
  let result = bytes;
  for (const edit of changes) {
    const place = edit.at % (result.length + 1);
    const [before, after] = [result.subarray(0, place), result.subarray(place)];
    switch (edit.op) {
      case 'flip':
        result = Buffer.from(result);
        if (after.length > 0) result[place] = (result[place] as number) ^ (1 << edit.bit);
        break;
      case 'cut':
        result = Buffer.concat([before, after.subarray(edit.count)]);
        break;
      case 'insert':
        result = Buffer.concat([before, Buffer.from(edit.bytes), after]);
        break;
      case 'repeat':
        result = Buffer.concat([before, ...Array(edit.times).fill(after.subarray(0, edit.count)), after]);
        break;
      case 'splice': {
        const from = edit.from % donor.length;
        result = Buffer.concat([before, donor.subarray(from, from + edit.count), after.subarray(edit.count)]);
      }
    }
  }
  return result;
}

const bytesFrame = (...bytes: number[]) => Buffer.from(bytes);
/** Real packets, as the client library sends them; a Buffer is sent as a binary frame. */
export const packets: (string | Buffer)[][] = [
  ['40'],
  ['40{"session":"0123456789abcdef0123456789abcdef"}'],
  ['40/admin,{"session":"x"}'],
  ['41'],
  ['41/admin,'],
  ['42["room:list",{}]'],
  ['420["room:list",{}]'],
  ['421["room:join",{"room":"lobby","since":0}]'],
  ['4212["room:sync",{"room":"lobby","since":3,"limit":20}]'],
  ['42345["room:leave",{"room":"lobby"}]'],
  ['427["message:send",{"room":"lobby","text":"grüße 😀","clientId":"c-1","replyTo":1}]'],
  ['428["message:history",{"room":"lobby","before":9,"limit":5}]'],
  ['429["no:such",{"a":[1,2.5,-3e7,true,null,"\\u0000"]},7]'],
  ['42/admin,3["room:list",{}]'],
  ['430[{"ok":true}]'],
  ['44{"message":"x"}'],
  [
    '451-3["message:send",{"room":"lobby","text":{"_placeholder":true,"num":0},"clientId":"c"}]',
    bytesFrame(1, 2, 3),
  ],
  [
    '452-4["room:list",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
    bytesFrame(0),
    bytesFrame(255, 254),
  ],
  ['461-0[{"_placeholder":true,"num":0}]', bytesFrame()],
  ['0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":9}'],
  ['1'],
  ['2'],
  ['2probe'],
  ['3'],
  ['3probe'],
  ['5'],
  ['6'],
  ['bAQID'],
];
const all = Buffer.from(packets.flat().join(''), 'latin1');

export interface PacketCase {
  packet: number;
  /** The frame of the packet that is changed. */
  which: number;
  changes: Edit[];
  order: 'as it is' | 'twice' | 'backwards' | 'without the first';
  /** Sent as the other kind of frame. */
  swapped: boolean;
  /** On a connection that has not sent CONNECT yet. */
  first: boolean;
}

export const packetCase: fc.Arbitrary<PacketCase> = fc.record({
  packet: fc.nat({ max: packets.length - 1 }),
  which: fc.nat({ max: 2 }),
  changes: edits,
  order: fc.constantFrom(
    'as it is',
    'as it is',
    'as it is',
    'as it is',
    'twice',
    'backwards',
    'without the first',
  ),
  swapped: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  first: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});

/** The payloads of one case, each with the opcode of its frame. */
export function packetsOf({
  packet,
  which,
  changes,
  order,
  swapped,
}: PacketCase): { payload: Buffer; opcode: number }[] {
  const frames = (packets[packet] as (string | Buffer)[]).map((part, n, { length }) => ({
    payload:
      n === which % length ? mutate(Buffer.from(part as string), changes, all) : Buffer.from(part as string),
    opcode: (typeof part === 'string') !== swapped ? 1 : 2,
  }));
  if (order === 'twice') return [...frames, ...frames];
  if (order === 'backwards') return frames.reverse();
  return order === 'without the first' ? frames.slice(1) : frames;
}
