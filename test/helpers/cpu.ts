import { expect } from 'vitest';

/**
 * Returns the microseconds of CPU that the work takes on this thread, independent of other processes. Linux may count
 * in ticks of 4 ms, so this is the minimum of three runs, or the first below `limit`.
 */
export function cpuOf(work: () => unknown, limit = 0): number {
  let least = once(work);
  for (let runs = 1; runs < 3 && least >= limit; runs++) least = Math.min(least, once(work));
  return least;
}

/** Expects the work to take less CPU than this many microseconds. */
export const expectCpuBelow = (limit: number, work: () => unknown): void =>
  expect(cpuOf(work, limit)).toBeLessThan(limit);

function once(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}

const megabyte = new Uint8Array(1_000_000).fill(1);
let measured: number | undefined;

/** Returns the CPU time for reading ten million bytes, as a measure of this machine's speed. */
export function tenMillionBytes(): number {
  // Long enough that a tick more or less does not matter.
  measured ??= once(() => {
    let sum = 0;
    for (let n = 0; n < 100; n++) for (let at = 0; at < megabyte.length; at++) sum += megabyte[at] as number;
    if (sum !== 100 * megabyte.length) throw new Error('the sum is wrong');
  });
  return measured / 10;
}
