import { expect } from 'vitest';

const median = (times: number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

/**
 * Expects that the one and the other take equally long, one time of three at least: the medians of so many answers are
 * within `most` milliseconds, or within a share of the shorter one. A server that shows something by its time shows it each
 * time; what else the machine does is seldom the same three times.
 */
export async function takesAsLong(
  both: readonly [() => Promise<unknown>, () => Promise<unknown>],
  { answers, most, share }: { answers: number; most: number; share: number },
): Promise<void> {
  const medians = async () => {
    const times: [number[], number[]] = [[], []];
    // By turns, so that whatever slows the machine down slows both, and no order is the advantage of one.
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
    const [a, b] = await medians();
    if (Math.abs(a - b) < Math.max(most, share * Math.min(a, b))) return;
    tries.push(`${a} ms and ${b} ms`);
  }
  expect(tries).toEqual([]);
}
