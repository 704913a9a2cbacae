/**
 * The cost of confining the process that decodes pictures, and of a new process for each picture: CPU of all threads of
 * a confined process, compared with the same module without restrictions. Both decode with WebAssembly.
 * Run: npm run bench separate
 */
import { type ChildProcess, fork } from 'node:child_process';
import { on, once } from 'node:events';
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import type { ToServer } from '../server/files/examiner.ts';
import { startSeparate } from '../server/limits/separate-process.ts';
import { percentile } from '../test/helpers/server-figures.ts';

const rounds = 5;
const module = new URL('../server/files/examine.ts', import.meta.url);

/** Returns the CPU time of a process, in ms. */
function cpuOf({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function unconfined(): Promise<ChildProcess> {
  const child = fork(module, ['pictures'], {
    serialization: 'advanced',
    execArgv: ['--no-addons'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

async function decode(child: ChildProcess, picture: Buffer): Promise<void> {
  child.send({ size: picture.length, types: ['image/*'], type: 'image/jpeg', maxBytes: 2 ** 25 });
  for await (const [message] of on(child, 'message') as AsyncIterable<[ToServer]>) {
    if (message === 'ready') continue;
    if ('found' in message) {
      if (!('made' in message.found)) throw new Error(JSON.stringify(message.found));
      return;
    }
    const { at, length } = message.read;
    child.send({ bytes: picture.subarray(at, at + length) });
  }
}

const photo = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: 'teal',
      noise: { type: 'gaussian', mean: 128, sigma: 20 },
    },
  })
    .jpeg()
    .toBuffer();
const pictures = { '0.3 megapixels': await photo(640, 480), '12 megapixels': await photo(4000, 3000) };
const starts = { confined: () => startSeparate(module, 'pictures'), unconfined };
const figures = new Map<string, number[]>();
const note = (name: string, value: number) => figures.set(name, [...(figures.get(name) ?? []), value]);

for (let round = 0; round < rounds; round++) {
  for (const [size, picture] of Object.entries(pictures)) {
    for (const [variant, start] of Object.entries(starts)) {
      const child = await start();
      child.ref();
      child.channel?.ref();
      let before = cpuOf(child);
      note(`start, ${variant}`, before);
      for (const which of ['first', 'next']) {
        await decode(child, picture);
        const after = cpuOf(child);
        note(`${which} picture of ${size}, ${variant}`, after - before);
        before = after;
      }
      child.kill('SIGKILL');
    }
  }
}
const median = (name: string) => percentile(figures.get(name) ?? [], 0.5);
console.log('CPU of the process in ms: confined, unconfined, ratio');
for (const name of figures.keys()) {
  if (!name.endsWith(', confined')) continue;
  const what = name.replace(/, confined$/, '');
  const [confined, plain] = [median(name), median(`${what}, unconfined`)];
  console.log(`${what.padEnd(32)} ${confined} ${plain} ${(confined / plain).toFixed(2)}`);
}
for (const size of Object.keys(pictures)) {
  const [first, next] = ['first', 'next'].map((which) => median(`${which} picture of ${size}, confined`));
  const ratio = (median('start, confined') + (first ?? 0)) / (next ?? 0);
  console.log(
    `a process for each picture of ${size}: ${ratio.toFixed(1)} times the CPU of one process for all`,
  );
}
process.exit();
