/**
 * The packaged server, compared with plain Socket.IO (without users and storage), Centrifugo's engine with its history
 * in memory, and other checkouts of this project. Prints the medians of seven rounds, in which the servers alternate.
 * CPU counts all threads of a server. Needs Go.
 * Run: npm run bench compare [CHECKOUT …]
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { percentile, rss } from '../test/helpers/server-figures.ts';
import { centrifuge } from './light-client.ts';
import {
  Crowd,
  checkouts,
  compare,
  cpuSeconds,
  enter,
  enterAll,
  type Server,
  sessionOf,
  startCentrifuge,
  startChat,
  startPlain,
  startSessions,
} from './load.ts';
import type { Talk } from './talker.ts';

const rounds = 7;
const many = 5000;
const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);

class Contender {
  /** The measured values, by the name of the row. */
  readonly figures = new Map<string, number[]>();
  readonly name: string;
  readonly start: () => Promise<Server>;

  constructor(name: string, start: () => Promise<Server>) {
    this.name = name;
    this.start = start;
  }

  note(row: string, value: number): void {
    this.figures.set(row, [...(this.figures.get(row) ?? []), value]);
  }
}

/** Connects a thousand users, fifty at a time. @returns the CPU time per connection, in µs */
async function connectThousand(server: Server): Promise<number> {
  const before = cpuSeconds(server.process.pid);
  const clients = await enterAll(server, rooms);
  await pause(1000);
  const cpu = cpuSeconds(server.process.pid) - before;
  for (const client of clients) client.close();
  // Waits until the server has released the connections and their users.
  await pause(2000);
  return (cpu * 1e6) / clients.length;
}

/** Connects all users at once, while another user writes. */
async function storm(contender: Contender, server: Server): Promise<void> {
  const before = rss(server.process.pid);
  const talk: Talk = {
    port: server.port,
    isCentrifuge: server.dialect === centrifuge,
    entered: server.dialect.enter?.heard ?? '',
    cookie: server.sessions ? `PHPSESSID=${sessionOf(many)}` : '',
    room: rooms[many % rooms.length] as string,
  };
  const talker = new Worker(new URL('talker.ts', import.meta.url), { workerData: talk });
  await once(talker, 'message');
  const begun = performance.now();
  const clients = await Promise.all(Array.from({ length: many }, (_, n) => enter(server, rooms, n)));
  contender.note('a storm of 5,000, s', (performance.now() - begun) / 1000);
  talker.postMessage('stop');
  const [late] = (await once(talker, 'message')) as [number[]];
  contender.note('messages of open connections in a storm, p99, ms', percentile(late, 0.99));
  await pause(5000);
  // Later storms reuse memory that the first storm allocated.
  if (contender.figures.get('memory of a connection, KB') === undefined)
    contender.note('memory of a connection, KB', (rss(server.process.pid) - before) / many / 1000);
  for (const client of clients) client.close();
  await pause(2000);
}

/** Bundles the server of a checkout as for a release. @returns the command */
async function bundle(folder: string): Promise<string> {
  const out = join(folder, 'node_modules/.cache/bench');
  const { bundleRelease } = await import(join(folder, 'scripts/server-bundles.ts'));
  await bundleRelease(out);
  return join(out, 'server/command/main.js');
}

const memcached = await startSessions(many + 1);
const contenders = [
  new Contender('plain Socket.IO', startPlain),
  new Contender('Centrifugo’s engine', startCentrifuge),
];
for (const { name, folder } of checkouts.toReversed()) {
  // Packages of older versions contain the compiled sources instead of bundles.
  const program = existsSync(join(folder, 'scripts/server-bundles.ts')) ? await bundle(folder) : undefined;
  const start = () => startChat(name, folder, memcached.url, rooms, {}, program);
  contenders.push(new Contender(name, start));
}
try {
  // The first round is a warm-up for the caches of compiled code.
  for (let round = 0; round <= rounds; round++) {
    for (const contender of contenders) {
      const server = await contender.start();
      const cpu = cpuSeconds(server.process.pid) * 1000;
      await pause(3000);
      const memory = rss(server.process.pid) / 2 ** 20;
      const cold = await connectThousand(server);
      await server.stop();
      if (round === 0) continue;
      contender.note('CPU of a start, ms', cpu);
      contender.note('memory before the first visitor, MB', memory);
      contender.note('CPU of a connection and its room, cold, µs', cold);
    }
  }
  const servers: Server[] = [];
  try {
    for (const contender of contenders) servers.push(await contender.start());
    const each = async (measure: (contender: Contender, server: Server) => Promise<void>) => {
      for (const [n, contender] of contenders.entries()) await measure(contender, servers[n] as Server);
    };
    await each(async (_, server) => void (await connectThousand(server)));
    for (let round = 0; round < rounds; round++)
      await each(async (contender, server) =>
        contender.note('the same, warm', await connectThousand(server)),
      );
    for (let round = 0; round < rounds; round++) await each(storm);
    const crowds: Crowd[] = [];
    for (const server of servers) crowds.push(await Crowd.gather(server, rooms));
    for (const rate of [200, 1000]) {
      const slices = await compare(crowds, rate, rounds);
      for (const [n, contender] of contenders.entries())
        for (const { cpu, acks } of slices[n] ?? []) {
          contender.note(`CPU of a message to 100 at ${rate} a second, ms`, cpu);
          contender.note(`its answer, p50, ms (${rate})`, percentile(acks, 0.5));
        }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
} finally {
  await memcached.stop();
}

const [plain] = contenders as [Contender];
const median = (values: number[] = []) => percentile(values, 0.5);
const digits = (value: number) => value.toPrecision(value < 1000 ? 3 : 4);
console.log(`| | ${contenders.map(({ name }) => name).join(' | ')} |`);
console.log(`| --- ${contenders.map(() => '| --- ').join('')}|`);
for (const [row, values] of plain.figures) {
  const cells = contenders.map(({ figures }) => {
    const value = median(figures.get(row));
    return `${digits(value)} (${(value / median(values)).toFixed(2)})`;
  });
  console.log(`| ${row} | ${cells.join(' | ')} |`);
}
