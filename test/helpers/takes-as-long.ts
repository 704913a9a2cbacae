import { expect } from 'vitest';

const median = (times: number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

/**
 * Expects both to take equally long in at least one of three tries: the medians of the response times differ by at most
 * `most` milliseconds, or by a `share` of the shorter median. A server that leaks information through its response
 * times does so in each try, but other load on the machine is rarely the same three times.
 *
 * @param beforeRepeat called before the second and the third try
 */
export async function takesAsLong(
  both: readonly [() => Promise<unknown>, () => Promise<unknown>],
  { answers, most, share }: { answers: number; most: number; share: number },
  beforeRepeat: () => Promise<unknown> = async () => {},
): Promise<void> {
  const medians = async () => {
    const times: [number[], number[]] = [[], []];
    // They alternate, so that anything that slows the machine down affects both, and the order gives neither an
    // advantage.
    for (let n = 0; n < answers; n++) {
      for (const one of n % 2 ? ([0, 1] as const) : ([1, 0] as const)) {
        const began = performance.now();
        await both[one]();
        times[one].push(performance.now() - began);
      }
    }
    return [median(times[0]), median(times[1])] as const;
  };
  const tries: string[] = [];
  for (let n = 0; n < 3; n++) {
    if (n > 0) await beforeRepeat();
    const [a, b] = await medians();
    if (Math.abs(a - b) < Math.max(most, share * Math.min(a, b))) return;
    tries.push(`${a} ms and ${b} ms`);
  }
  expect(tries).toEqual([]);
}
