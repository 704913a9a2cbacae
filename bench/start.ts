/**
 * The resources of the chat server before the first visitor, compared with plain Socket.IO: CPU of all threads until it
 * listens, and memory 3 s later.
 * Run: npm run bench start [-- 'OPTIONS OF NODE' …], to compare other options with those of `npm run server`
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { chatProgram, historyFolder } from '../test/helpers/chat-server.ts';
import { startChild } from '../test/helpers/child.ts';
import { percentile, rss } from '../test/helpers/server-figures.ts';

const rounds = 7;
const settling = 3000;
const root = new URL('..', import.meta.url).pathname;
/** sysconf(_SC_CLK_TCK) of Linux. */
const ticksPerSecond = 100;

/** JavaScript, so that it does not pay for types either. */
const plain = `
  import { createServer } from 'node:http';
  import { Server } from 'socket.io';
  const server = createServer();
  new Server(server);
  server.listen(0, '127.0.0.1', () => console.log('listening'));
`;

interface Variant {
  name: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
}

const program = chatProgram.slice(-3);
const variants: Variant[] = [
  { name: 'plain socket.io', args: ['--input-type=module', '-e', plain] },
  { name: 'this', args: chatProgram },
  // The first start of all, or of an account that may not write its cache.
  { name: 'this, nothing compiled', args: chatProgram, env: { NODE_COMPILE_CACHE: '' } },
  ...process.argv.slice(2).map((options) => ({
    name: `this, ${options || 'no options'}`,
    args: [...options.split(' ').filter((one) => one !== ''), ...program],
  })),
];

function cpuMilliseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

async function start({ args, env }: Variant): Promise<{ cpu: number; memory: number }> {
  const history = historyFolder();
  const server = startChild(process.execPath, args, {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      // It gets no requests before the first visitor.
      CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211',
      CHAT_HISTORY: history.url,
      ...env,
    },
  });
  try {
    await server.until(/listening/);
    const cpu = cpuMilliseconds(server.pid);
    await pause(settling);
    return { cpu, memory: rss(server.pid) / 2 ** 20 };
  } finally {
    await server.stop();
    history.remove();
  }
}

const figures = variants.map(() => ({ cpu: [] as number[], memory: [] as number[] }));
// The first round compiles.
for (let round = 0; round <= rounds; round++) {
  for (const [n, variant] of variants.entries()) {
    const { cpu, memory } = await start(variant);
    if (round === 0) continue;
    figures[n]?.cpu.push(cpu);
    figures[n]?.memory.push(memory);
  }
}
const median = (values: number[] = []) => percentile(values, 0.5);
for (const [n, { name }] of variants.entries()) {
  const [cpu, memory] = [median(figures[n]?.cpu), median(figures[n]?.memory)];
  console.log(
    `${name}: ${cpu.toFixed(0)} ms of CPU (${(cpu / median(figures[0]?.cpu)).toFixed(1)}), ` +
      `${memory.toFixed(0)} MB (${(memory / median(figures[0]?.memory)).toFixed(1)})`,
  );
}
