/**
 * What connections cost while nothing happens: CPU of all threads of the server a second, for 10,000 connections with a
 * session each in memcached, beside plain Socket.IO, which only pings. Sessions are looked at once in 15 s while
 * memcached is quiet, and once a second while it is in use: then an item is deleted ten times a second.
 * Run: npm run bench idle [CHECKOUT], with another checkout of this project to compare with
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Memcached } from '../test/helpers/memcached.ts';
import { percentile } from '../test/helpers/server-figures.ts';
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

const connections = 10_000;
/** A ping interval is 25 s: a slice holds one ping of each connection. */
const slice = 25_000;
const slices = 3;

/** Microseconds of CPU a second and connection, of each slice. */
async function cost({ port, dialect, sessions, process: { pid } }: Server): Promise<number[]> {
  const clients: LightClient[] = [];
  while (clients.length < connections) {
    const more = Array.from({ length: 50 }, (_, k) => {
      const cookie = sessions ? `PHPSESSID=${sessionOf(clients.length + k)}` : '';
      return LightClient.open(port, dialect, cookie);
    });
    clients.push(...(await Promise.all(more)));
  }
  // Until what connecting has left behind is collected.
  await pause(10_000);
  const costs: number[] = [];
  for (let n = 0; n < slices; n++) {
    const [before, began] = [cpuSeconds(pid), performance.now()];
    await pause(slice);
    const seconds = (performance.now() - began) / 1000;
    costs.push(((cpuSeconds(pid) - before) * 1e6) / seconds / connections);
  }
  for (const client of clients) client.close();
  return costs;
}

/** While it lasts, there is always something of which memcached notifies nobody. */
function use(memcached: Memcached): () => void {
  const deleting = setInterval(async () => {
    await memcached.set('used', 'x');
    await memcached.delete('used');
  }, 100);
  return () => clearInterval(deleting);
}

// One after the other: a process may not have more files open than the connections to one of them.
const memcached = await startSessions(connections);
try {
  const chats = checkouts.flatMap((checkout) => [
    { ...checkout, inUse: false },
    { ...checkout, inUse: true },
  ]);
  for (const chat of [undefined, ...chats]) {
    const server =
      chat === undefined
        ? await startPlain()
        : await startChat(
            `${chat.name}, memcached ${chat.inUse ? 'in use' : 'quiet'}`,
            chat.folder,
            memcached,
            ['lobby'],
          );
    const end = chat?.inUse ? use(memcached) : () => {};
    try {
      const costs = await cost(server);
      console.log(
        `${server.name}: ${percentile(costs, 0.5).toFixed(1)} µs of CPU a second and connection ` +
          `(${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)})`,
      );
    } finally {
      end();
      await server.stop();
    }
  }
} finally {
  await memcached.stop();
}
