import { getHeapStatistics } from 'node:v8';
import { beforeAll, describe, expect, test } from 'vitest';
import { type FormatName, formats } from '../../packages/php-session/src/formats/formats.ts';
import { FormatError } from '../../packages/php-session/src/formats/value.ts';
import { dice } from '../helpers/dice.ts';
import { phpSessions } from '../helpers/php-sessions.ts';
import { size } from './size.ts';

/** 240,000 cases in all. Without soak, they are fewer and always the same. FUZZ_SEED repeats a run. */
const cases = size(40_000, 150);
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));
const maxBytes = 64 * 1024;
/**
 * The maximum multiple of the time for ordinary sessions. Nested maps take 9 times as long, and a quadratic decoder
 * would take hundreds of times.
 */
const times = 50;
/** The maximum bytes of memory per byte of a session. Nested maps take 150. */
const memory = 300;

/** Changes the bytes like storage, networks or attackers might. */
function changed(bytes: Buffer, others: readonly Buffer[], roll: (below: number) => number): Buffer {
  const at = roll(bytes.length + 1);
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (roll(8)) {
    case 0:
      return head;
    case 1:
      return Buffer.concat([head, tail.subarray(1 + roll(8))]);
    case 2:
      return Buffer.concat([head, Buffer.of(roll(256)), tail.subarray(1)]);
    case 3:
      return Buffer.concat([
        head,
        Buffer.from(['9', '00', '2000000000', '-1', '{', '}', '"', '|'][roll(8)] as string),
        tail,
      ]);
    case 4: {
      const other = others[roll(others.length)] as Buffer;
      return Buffer.concat([head, other.subarray(roll(other.length + 1))]);
    }
    case 5:
      return Buffer.concat([head, bytes.subarray(roll(at + 1), at), tail]);
    case 6:
      return Buffer.concat([
        head,
        Buffer.from([0xff, 0x81, 0x91, 0x14, 0xdf, 0xc0, 0x25, 0x61]).subarray(0, 1 + roll(8)),
        tail,
      ]);
    default: {
      // A repetition, up to the largest tested size.
      const piece = bytes.subarray(roll(at + 1), at);
      const times = piece.length === 0 ? 0 : roll(Math.floor(maxBytes / piece.length) + 1);
      return Buffer.concat([
        head,
        ...Array.from({ length: Math.min(times, 4000) }, () => piece),
        tail,
      ]).subarray(0, maxBytes);
    }
  }
}

function random(roll: (below: number) => number): Buffer {
  const bytes = Buffer.alloc(roll(roll(10) === 0 ? 4096 : 64));
  for (let n = 0; n < bytes.length; n++) bytes[n] = roll(256);
  return bytes;
}

/** Measures the milliseconds and the allocated bytes, including those freed since. */
function cost(decode: () => void): { ms: number; allocated: number } {
  const before = getHeapStatistics();
  const began = performance.now();
  try {
    decode();
  } catch (error) {
    // Any other error would end the connection of another user.
    if (!(error instanceof FormatError)) throw error;
  }
  const ms = performance.now() - began;
  const after = getHeapStatistics() as typeof before & { total_allocated_bytes: number };
  const allocated =
    after.total_allocated_bytes -
    (before as typeof after).total_allocated_bytes +
    after.external_memory -
    before.external_memory;
  return { ms, allocated };
}

/** Returns the bounds of one decoding. Its time is relative to ordinary sessions of the same size on this machine. */
function boundsOf(format: FormatName, sessions: Buffer[]): { ms: number; allocated: number } {
  const ordinary = sessions.filter(({ length }) => length > 0 && length < 1024);
  const runs = Array.from({ length: 20 }, () =>
    cost(() => {
      for (let n = 0, bytes = 0; bytes < maxBytes; n++) {
        const session = ordinary[n % ordinary.length] as Buffer;
        formats[format](session);
        bytes += session.length;
      }
    }),
  );
  return { ms: times * Math.min(...runs.map(({ ms }) => ms)), allocated: memory * maxBytes };
}

/**
 * A decoder counts as slow only if every attempt is slow, because a garbage collection or compilation may delay one,
 * and if its CPU time is high too. On a busy machine the clock includes the time of other processes.
 */
function expectWithin(bounds: { ms: number; allocated: number }, decode: () => void): void {
  const least = cost(decode);
  for (let again = 0; again < 15 && (least.ms > bounds.ms || least.allocated > bounds.allocated); again++) {
    const { ms, allocated } = cost(decode);
    least.ms = Math.min(least.ms, ms);
    least.allocated = Math.min(least.allocated, allocated);
  }
  if (least.ms > bounds.ms) least.ms = cpuOf(decode);
  expect(least.ms).toBeLessThanOrEqual(bounds.ms);
  expect(least.allocated).toBeLessThanOrEqual(bounds.allocated);
}

/** Returns the CPU milliseconds of one decoding. It averages twenty, because the system counts in steps of 4 ms. */
function cpuOf(decode: () => void): number {
  const began = process.threadCpuUsage();
  for (let n = 0; n < 20; n++) cost(decode);
  const { user, system } = process.threadCpuUsage(began);
  return (user + system) / 20_000;
}

describe(`reads or rejects ${cases} damaged sessions of each format, seed ${seed}, in at most ${times} times the usual time and ${memory} bytes per byte`, () => {
  const sessions = new Map<FormatName, Buffer[]>();
  const bounds = new Map<FormatName, ReturnType<typeof boundsOf>>();
  beforeAll(() => {
    for (const format of Object.keys(formats) as FormatName[]) {
      const real = phpSessions(format).map(({ bytes }) => bytes);
      sessions.set(format, real);
      bounds.set(format, boundsOf(format, real));
    }
  });
  const expectBounded = (format: FormatName, bytes: Buffer) =>
    expectWithin(bounds.get(format) as ReturnType<typeof boundsOf>, () => formats[format](bytes));

  test.each(Object.keys(formats) as FormatName[])('%s', (format) => {
    const roll = dice(seed);
    const seeds = (sessions.get(format) as Buffer[]).map((bytes) => bytes.subarray(0, maxBytes));
    for (let n = 0; n < cases; n++) {
      let bytes = seeds[roll(seeds.length)] as Buffer;
      if (n % 10 === 0) bytes = random(roll);
      else for (let changes = 1 + roll(4); changes > 0; changes--) bytes = changed(bytes, seeds, roll);
      bytes = bytes.subarray(0, maxBytes);
      try {
        expectBounded(format, bytes);
      } catch (error) {
        throw new Error(`case ${n}: ${bytes.toString('base64').slice(0, 2000)}`, { cause: error });
      }
    }
  });

  test.each<[string, FormatName, string, string, number]>([
    ['empty maps', 'msgpack', '82c001a161dd0000f000', '80', 61_440],
    ['lists in lists', 'msgpack', '82c001a161dd00007800', '9190', 30_720],
    ['maps in maps', 'msgpack', '82c001a161dd00005000', '810080', 20_480],
    ['strings that are not UTF-8', 'msgpack', '82c001a161dd00007800', 'a1ff', 30_720],
    ['floats', 'msgpack', '82c001a161dd00003000', 'ca00000000', 12_288],
    ['arrays with a large key', 'igbinary', '00000002140111016b', '140106c8', 16_380],
    ['arrays with a large key', 'msgpack', '82c001a161dd00003ff8', '81ccc880', 16_376],
    ['integers', 'json', '7b2261223a5b30', '2c31', 30_720],
    ['floats', 'json', '7b2261223a5b30', '2c312e35', 15_360],
    ['objects', 'json', '7b2261223a5b30', '2c7b7d', 20_480],
  ])('reads 64 KB of only %s in %s within the bounds', (_, format, head, unit, count) => {
    const end = { json: '5d7d', igbinary: '00' }[format as string] ?? '';
    const bytes = Buffer.from(head + unit.repeat(count) + end, 'hex');
    // A valid session, not one that is rejected at its first bytes.
    expect(() => formats[format](bytes)).not.toThrow();
    expectBounded(format, bytes);
  });
});
