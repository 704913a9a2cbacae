/** A set of message numbers, as runs of consecutive numbers in ascending order. */
export type Runs = [first: number, count: number][];

export function addToRuns(runs: Runs, seq: number): Runs {
  const isBefore = ([first, count]: Runs[number]) => first + count < seq;
  const isAfter = ([first]: Runs[number]) => first > seq + 1;
  const touching = runs.filter((run) => !isBefore(run) && !isAfter(run));
  const first = Math.min(seq, ...touching.map(([first]) => first));
  const end = Math.max(seq + 1, ...touching.map(([first, count]) => first + count));
  return [...runs.filter(isBefore), [first, end - first], ...runs.filter(isAfter)];
}

/** Counts the numbers above `seq`. */
export function countAfter(runs: Runs | undefined, seq: number): number {
  let sum = 0;
  for (const [first, count] of runs ?? []) sum += Math.max(0, first + count - Math.max(first, seq + 1));
  return sum;
}
