/**
 * How many messages a second the history stores durably for 100 senders who each wait for the answer, beside one
 * transaction of SQLite for each message; and how long they hold up the event loop. Once more with a disk that takes
 * 4 ms for each commit.
 * Run: npm run bench durable
 */
import { startChild } from '../test/helpers/child.ts';
import { percentile } from '../test/helpers/server-figures.ts';
import { root } from './load.ts';

const rounds = 5;

interface Outcome {
  /** Messages a second. */
  rate: number;
  /** Milliseconds, p99 of the delay of the event loop. */
  delay: number;
}

async function measure(way: 'history' | 'transactions', preload: string[]): Promise<Outcome> {
  const child = startChild(process.execPath, [...preload, 'bench/peers/senders.ts', way], { cwd: root });
  const [line] = await child.until(/^\{.*\}$/m);
  await child.stop();
  return JSON.parse(line) as Outcome;
}

for (const [disk, preload] of [
  ['this disk', []],
  ['4 ms a commit', ['--import=./bench/peers/slow-commit.ts']],
] as const) {
  const outcomes: { own: Outcome; plain: Outcome }[] = [];
  for (let round = 0; round < rounds; round++) {
    const plain = await measure('transactions', [...preload]);
    outcomes.push({ plain, own: await measure('history', [...preload]) });
  }
  const middle = (of: (outcome: (typeof outcomes)[number]) => number) => percentile(outcomes.map(of), 0.5);
  const ratios = outcomes.map(({ own, plain }) => own.rate / plain.rate);
  console.log(
    `${disk}: ${percentile(ratios, 0.5).toFixed(1)} (${Math.min(...ratios).toFixed(1)} to ` +
      `${Math.max(...ratios).toFixed(1)}); ${middle(({ own }) => own.rate).toFixed(0)} and ` +
      `${middle(({ plain }) => plain.rate).toFixed(0)} messages a second; event loop delay p99 ` +
      `${middle(({ own }) => own.delay).toFixed(1)} ms`,
  );
}
