/** Microseconds of CPU that this thread takes for something, whatever else the machine does. */
export function cpuOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  // Only their sum is measured. Linux divides it by what it met at its ticks: of a short time all may be of one kind.
  return user + system;
}

const megabyte = new Uint8Array(1_000_000).fill(1);

/** The same for looking at each of ten million bytes: as fast as this machine is. */
export const tenMillionBytes = (): number =>
  cpuOf(() => {
    let sum = 0;
    for (let n = 0; n < 10; n++) for (let at = 0; at < megabyte.length; at++) sum += megabyte[at] as number;
    if (sum !== 10 * megabyte.length) throw new Error('not all of them');
  });
