/**
 * The cost of idle connections: CPU of all threads per second and memory of the server, for 20,000 connections. Each
 * has a session in memcached or Redis, which is checked once a second. Compared with plain Socket.IO, which only pings.
 * Run: ulimit -n 50000; npm run bench idle [CHECKOUT], where CHECKOUT is another checkout of this project
 */
import { setTimeout as pause } from 'node:timers/promises';
import { percentile, rss } from '../test/helpers/server-figures.ts';
import { LightClient } from './light-client.ts';
import {
  checkouts,
  cpuSeconds,
  type Server,
  sessionOf,
  startChat,
  startPlain,
  startRedisSessions,
  startSessions,
} from './load.ts';

const connections = 20_000;
/** The duration of a slice, in ms. It contains one ping of each connection, because the ping interval is 25 s. */
const slice = 25_000;
const slices = 3;

/** Returns the CPU time in µs per second and connection of each slice, and the memory at the end in MB. */
async function cost({ port, dialect, sessions, process: { pid } }: Server) {
  const clients: LightClient[] = [];
  while (clients.length < connections) {
    const more = Array.from({ length: 50 }, (_, k) => {
      const cookie = sessions ? `PHPSESSID=${sessionOf(clients.length + k)}` : '';
      return LightClient.open(port, dialect, cookie);
    });
    clients.push(...(await Promise.all(more)));
  }
  // Waits until V8 has collected the garbage of the connects.
  await pause(10_000);
  const costs: number[] = [];
  for (let n = 0; n < slices; n++) {
    const [before, began] = [cpuSeconds(pid), performance.now()];
    await pause(slice);
    const seconds = (performance.now() - began) / 1000;
    costs.push(((cpuSeconds(pid) - before) * 1e6) / seconds / connections);
  }
  const memory = rss(pid) / 2 ** 20;
  for (const client of clients) client.close();
  return { costs, memory };
}

async function report(server: Server): Promise<void> {
  try {
    const { costs, memory } = await cost(server);
    console.log(
      `${server.name}: ${percentile(costs, 0.5).toFixed(1)} µs of CPU a second and connection ` +
        `(${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)}), ${memory.toFixed(0)} MB`,
    );
  } finally {
    await server.stop();
  }
}

// The servers run sequentially, because a process cannot open enough files for the connections to two servers.
await report(await startPlain());
const stores = [
  { name: 'memcached', start: startSessions },
  { name: 'Redis', start: startRedisSessions },
];
for (const store of stores) {
  const sessions = await store.start(connections);
  try {
    for (const { name, folder } of checkouts) {
      await report(await startChat(`${name}, ${store.name}`, folder, sessions.url, ['lobby']));
    }
  } finally {
    await sessions.stop();
  }
}
