/**
 * The cost of idle connections: CPU of all threads of the server per second and its memory, for 20,000 connections with a
 * session each in memcached or Redis, which is checked once a second, compared with plain Socket.IO, which only pings.
 * Run: ulimit -n 50000; npm run bench idle [CHECKOUT], with another checkout of this project to compare with
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
/** A ping interval is 25 s: a slice holds one ping of each connection. */
const slice = 25_000;
const slices = 3;

/** Returns the microseconds of CPU per second and connection of each slice, and the megabytes at the end. */
async function cost({ port, dialect, sessions, process: { pid } }: Server) {
  const clients: LightClient[] = [];
  while (clients.length < connections) {
    const more = Array.from({ length: 50 }, (_, k) => {
      const cookie = sessions ? `PHPSESSID=${sessionOf(clients.length + k)}` : '';
      return LightClient.open(port, dialect, cookie);
    });
    clients.push(...(await Promise.all(more)));
  }
  // V8 collects the garbage of the connects in this time.
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

// The servers run one after the other, because a process may not have more files open than the connections to one of
// them.
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
