import { collectDefaultMetrics, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { Metrics } from '../../../server/http/metrics.ts';

/** Without what differs from one look to the next: the values, and of which things there are how many. */
const shape = (text: string) =>
  new Set(
    text
      .split('\n')
      .map((line) => line.replace(/(?:\{[^}]*\})? \S+$/, (end) => (line[0] === '#' ? end : ''))),
  );

test('/metrics has all that prom-client says of a process, in its words', async () => {
  const theirs = new Registry();
  collectDefaultMetrics({ register: theirs });
  const ours = shape(await new Metrics(() => 0).text());
  const missing = shape(await theirs.metrics()).difference(ours);
  expect([...missing]).toEqual([]);
  expect([...ours].filter((line) => !line.includes('chat_')).length).toBe(shape(await theirs.metrics()).size);
});

test('the CPU of the process grows in /metrics, its two parts add up to it', async () => {
  const metrics = new Metrics(() => 0);
  const seconds = async () => {
    const text = await metrics.text();
    const of = (part: string) =>
      Number(new RegExp(`^process_cpu_${part}seconds_total (\\S+)$`, 'm').exec(text)?.[1]);
    return { user: of('user_'), system: of('system_'), both: of('') };
  };
  const before = await seconds();
  expect(before.both).toBeCloseTo(before.user + before.system, 9);
  const used = process.cpuUsage();
  while (process.cpuUsage(used).user < 50_000);
  const after = await seconds();
  expect(after.both).toBeCloseTo(after.user + after.system, 9);
  expect(after.user - before.user).toBeGreaterThanOrEqual(0.05);
});
