/**
 * What a message costs from the sender's frame to all receivers, stored durably, beside plain Socket.IO, which stores
 * nothing and knows nobody: 1,000 connections in 10 rooms of 100, CPU of all threads of the server.
 * Run: npm run bench:messages [-- CHECKOUT], with another checkout of this project to compare with
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chatProgram, historyFolder } from '../test/helpers/chat-server.ts';
import { type Child, startChild } from '../test/helpers/child.ts';
import { type Memcached, startMemcached } from '../test/helpers/memcached.ts';
import { percentile, rss } from '../test/helpers/server-figures.ts';
import { LightClient } from './light-client.ts';

const connections = 1000;
const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);
const rates = [200, 1000];
const rounds = 5;
const seconds = 4;
const text = 'x'.repeat(80);
const root = new URL('..', import.meta.url).pathname;
/** sysconf(_SC_CLK_TCK) of Linux. */
const ticksPerSecond = 100;

interface Variant {
  name: string;
  server: Child;
  clients: LightClient[];
  rooms: string[];
  /** Per rate: milliseconds of CPU a message, and of the time from sending to the ack. */
  cpu: Map<number, number[]>;
  acks: Map<number, number[]>;
  connectCpu: number;
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function startVariant(name: string, server: Child, port: number, sessions: boolean): Promise<Variant> {
  const { pid = 0 } = server.process;
  const before = cpuSeconds(pid);
  const clients: LightClient[] = [];
  for (let n = 0; n < connections; n += 50) {
    clients.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, async (_, k) => {
          const client = await LightClient.open(
            port,
            sessions ? `PHPSESSID=${sessionOf(n + k)}` : '',
            sessions ? '"session:ready"' : '40{',
          );
          const room = rooms[(n + k) % rooms.length];
          if (!(await client.request('room:join', { room })))
            throw new Error(`${name}: room:join was refused`);
          return client;
        }),
      )),
    );
  }
  await pause(1500);
  const figures = () => new Map(rates.map((rate) => [rate, [] as number[]]));
  const connectCpu = (cpuSeconds(pid) - before) / connections;
  return { name, server, clients, rooms, cpu: figures(), acks: figures(), connectCpu };
}

const sessionOf = (n: number) => `bench${String(n).padStart(27, '0')}`;

/** One slice: sends at this rate, evenly, from one connection of each room in turn. */
async function measure({ name, server, clients, cpu, acks }: Variant, rate: number): Promise<void> {
  const { pid = 0 } = server.process;
  const started = clients.reduce((sum, { bytes }) => sum + bytes, 0);
  const waits: Promise<void>[] = [];
  const before = cpuSeconds(pid);
  const begun = performance.now();
  let sent = 0;
  while (performance.now() - begun < seconds * 1000) {
    const due = Math.floor(((performance.now() - begun) / 1000) * rate);
    for (; sent < due; sent++) {
      const client = clients[sent % 500] as LightClient;
      const room = rooms[(sent % 500) % rooms.length] as string;
      const at = performance.now();
      waits.push(
        client.request('message:send', { room, text, clientId: randomUUID() }).then((ok) => {
          if (!ok) throw new Error(`${name}: message:send was refused`);
          (acks.get(rate) as number[]).push(performance.now() - at);
        }),
      );
    }
    await pause(1);
  }
  await Promise.all(waits);
  await pause(200);
  (cpu.get(rate) as number[]).push(((cpuSeconds(pid) - before) * 1000) / sent);
  const bytes = clients.reduce((sum, one) => sum + one.bytes, 0) - started;
  const deliveries = sent * (connections / rooms.length);
  if (bytes < deliveries * text.length)
    throw new Error(`${name}: only ${bytes} bytes for ${deliveries} deliveries`);
}

async function startChat(
  folder: string,
  memcached: Memcached,
): Promise<{ server: Child; port: number; remove(): void }> {
  const history = historyFolder();
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    CHAT_HOST: '127.0.0.1',
    CHAT_PORT: '0',
    CHAT_HISTORY: history.url,
    CHAT_SESSION_STORE: `${memcached.url.split('?')[0]}?prefix=&format=php`,
    CHAT_ROOMS: rooms.join(','),
    CHAT_LOG_LEVEL: 'warn',
  };
  for (const limit of ['SEND', 'REQUESTS', 'CONNECT_ADDRESS', 'CONNECTIONS_ADDRESS', 'CONNECTIONS_USER']) {
    env[`CHAT_LIMIT_${limit}`] = '0';
  }
  const server = startChild(process.execPath, chatProgram, { cwd: folder, env });
  const [line] = await server.until(/^\{.*"msg":"listening".*\}$/m);
  return { server, port: (JSON.parse(line) as { port: number }).port, remove: () => history.remove() };
}

const memcached = await startMemcached();
const removals: (() => void)[] = [];
const variants: Variant[] = [];
try {
  for (let n = 0; n < connections; n++) {
    await memcached.set(sessionOf(n), `user_id|i:${n + 1};firstname|s:5:"Alice";`);
  }
  const plain = startChild(process.execPath, [join(root, 'bench/peers/plain-socketio.ts')], { cwd: root });
  const [, port] = await plain.until(/port (\d+)/);
  variants.push(await startVariant('plain socket.io', plain, Number(port), false));
  const checkouts = [['this', root], ...process.argv.slice(2).map((folder) => [folder, folder])];
  for (const [name = '', folder = ''] of checkouts) {
    const chat = await startChat(folder, memcached);
    removals.push(chat.remove);
    variants.push(await startVariant(name, chat.server, chat.port, true));
  }
  for (const rate of rates) {
    for (let round = 0; round <= rounds; round++) {
      for (const variant of variants) {
        await measure(variant, rate);
        // The first round warms up.
        if (round === 0) for (const figures of [variant.cpu, variant.acks]) figures.set(rate, []);
      }
    }
  }
  const median = (values: number[] = []) => percentile(values, 0.5);
  const [first] = variants as [Variant];
  for (const { name, server, cpu, acks, connectCpu } of variants) {
    const memory = rss(server.process.pid ?? 0) / 2 ** 20;
    console.log(
      `${name}: connection ${(connectCpu * 1e6).toFixed(0)} µs (${(connectCpu / first.connectCpu).toFixed(2)}), ${memory.toFixed(0)} MB`,
    );
    for (const rate of rates) {
      const ratios = (cpu.get(rate) ?? []).map((each, n) => each / (first.cpu.get(rate)?.[n] ?? Number.NaN));
      console.log(
        `  ${rate}/s: ${median(cpu.get(rate)).toFixed(3)} ms of CPU a message, ${median(ratios).toFixed(2)} of plain ` +
          `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}); ack p50 ${median(acks.get(rate)).toFixed(1)} ms, p99 ${percentile(acks.get(rate) ?? [], 0.99).toFixed(1)} ms`,
      );
    }
  }
} finally {
  for (const { clients, server } of variants) {
    for (const client of clients) client.close();
    await server.stop();
  }
  for (const remove of removals) remove();
  await memcached.stop();
}
