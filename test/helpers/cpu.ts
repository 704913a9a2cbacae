/** Returns the microseconds of CPU that this thread needs, independent of other processes. */
export function cpuOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  // Only the sum is exact. Linux estimates the two parts from samples, so a short time may count as one of them.
  return user + system;
}

const megabyte = new Uint8Array(1_000_000).fill(1);

/** Returns the CPU time for reading ten million bytes, as a measure of this machine's speed. */
export const tenMillionBytes = (): number =>
  cpuOf(() => {
    let sum = 0;
    for (let n = 0; n < 10; n++) for (let at = 0; at < megabyte.length; at++) sum += megabyte[at] as number;
    if (sum !== 10 * megabyte.length) throw new Error('the sum is wrong');
  });
