/**
 * The cost of a connection with its session looked up and its room joined, compared with plain Socket.IO without
 * sessions: CPU of all threads when fifty come at a time, the duration of a storm of all of them and the delay of
 * messages meanwhile, and the memory of idle connections.
 * Run: npm run bench connections [CHECKOUT], with another checkout of this project to compare with
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { percentile, rss } from '../test/helpers/server-figures.ts';
import { LightClient } from './light-client.ts';
import {
  checkouts,
  cpuSeconds,
  type Server,
  sessionOf,
  startChat,
  startPlain,
  startSessions,
} from './load.ts';
import type { Talk } from './talker.ts';

const usual = 1000;
const many = 5000;
const rounds = 4;
const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);

/** Connections that stay open, and their cost. */
class Visitors {
  readonly #server: Server;
  readonly #clients: LightClient[] = [];

  constructor(server: Server) {
    this.#server = server;
  }

  async enter(n: number): Promise<LightClient> {
    const { port, dialect, sessions, name } = this.#server;
    const client = await LightClient.open(port, dialect, sessions ? `PHPSESSID=${sessionOf(n)}` : '');
    this.#clients.push(client);
    const room = rooms[n % rooms.length] as string;
    if (!(await client.request('room:join', { room })))
      throw new Error(`${name}: a room could not be joined`);
    return client;
  }

  async leave(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    // Until the server has released them and their users.
    await pause(2000);
  }
}

/** Seconds of CPU of a connection, when fifty come at a time. */
async function oneByOne(server: Server): Promise<number> {
  const visitors = new Visitors(server);
  const before = cpuSeconds(server.process.pid);
  for (let n = 0; n < usual; n += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, k) => visitors.enter(n + k)));
  }
  await pause(1000);
  const cpu = cpuSeconds(server.process.pid) - before;
  await visitors.leave();
  return cpu / usual;
}

/**
 * Seconds until all are accepted, the number that was refused, milliseconds of other users' messages, bytes per
 * connection.
 */
interface Storm {
  time: number;
  failed: number;
  late: number[];
  memory: number;
}

async function storm(server: Server): Promise<Storm> {
  const visitors = new Visitors(server);
  const before = rss(server.process.pid);
  const talk: Talk = {
    port: server.port,
    entered: server.dialect.enter?.heard ?? '',
    cookie: server.sessions ? `PHPSESSID=${sessionOf(many)}` : '',
    room: rooms[many % rooms.length] as string,
  };
  const talker = new Worker(new URL('talker.ts', import.meta.url), { workerData: talk });
  await once(talker, 'message');
  const begun = performance.now();
  let failed = 0;
  const count = () => {
    failed++;
  };
  await Promise.all(Array.from({ length: many }, (_, n) => visitors.enter(n).catch(count)));
  const time = (performance.now() - begun) / 1000;
  talker.postMessage('stop');
  const [late] = (await once(talker, 'message')) as [number[]];
  await pause(5000);
  const memory = (rss(server.process.pid) - before) / many;
  await visitors.leave();
  return { time, failed, late, memory };
}

const memcached = await startSessions(many + 1);
const servers: Server[] = [];
try {
  servers.push(await startPlain());
  for (const { name, folder } of checkouts) {
    servers.push(await startChat(name, folder, memcached.url, rooms));
  }
  const cpu = servers.map(() => [] as number[]);
  for (let round = 0; round <= rounds; round++) {
    for (const [k, server] of servers.entries()) cpu[k]?.push(await oneByOne(server));
  }
  const median = (values: number[]) => percentile(values, 0.5);
  for (const [k, { name }] of servers.entries()) {
    // In the first round the server is cold, and its users are new to it.
    const [first = 0, ...later] = cpu[k] as number[];
    const ratios = later.map((each, n) => each / (cpu[0]?.[n + 1] as number));
    console.log(
      `${name}: ${(median(later) * 1e6).toFixed(0)} µs of CPU a connection, ${median(ratios).toFixed(2)} ` +
        `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}); ` +
        `for the first time ${(first * 1e6).toFixed(0)} µs, ${(first / (cpu[0]?.[0] as number)).toFixed(2)}`,
    );
  }
  const storms: Storm[] = [];
  for (const server of servers) storms.push(await storm(server));
  for (const [k, { name }] of servers.entries()) {
    const { time, failed, late, memory } = storms[k] as Storm;
    const first = storms[0] as Storm;
    console.log(
      `${name}: ${many} at once in ${time.toFixed(1)} s, ${failed} not let in (${(time / first.time).toFixed(2)}), messages meanwhile ` +
        `p99 ${percentile(late, 0.99).toFixed(0)} ms; ${(memory / 1000).toFixed(1)} KB each (${(memory / first.memory).toFixed(2)})`,
    );
  }
} finally {
  for (const server of servers) await server.stop();
  await memcached.stop();
}
