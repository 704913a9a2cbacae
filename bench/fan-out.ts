/**
 * The cost of sending messages to 1,000 connections, compared with Socket.IO's `io.to(room).emit`. The messages are
 * sent in the same event-loop tick, in one room and in three rooms.
 * Run: npm run bench fan-out
 */
import { once } from 'node:events';
import { startChild } from '../test/helpers/child.ts';
import { percentile } from '../test/helpers/server-figures.ts';
import { LightClient, socketIo } from './light-client.ts';
import { root } from './load.ts';
import type { Order } from './peers/broadcasts.ts';

const connections = 1000;
const rounds = 5;

const server = startChild(process.execPath, ['bench/peers/broadcasts.ts'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
});
try {
  const [, port] = await server.until(/port (\d+)/);
  const clients: LightClient[] = [];
  while (clients.length < connections) {
    clients.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, () => LightClient.open(Number(port), socketIo('40{'), '')),
      )),
    );
  }
  const cost = async (order: Order): Promise<number> => {
    server.process.send(order);
    const [microseconds] = (await once(server.process, 'message')) as [number];
    return microseconds / (order.times * order.together * order.rooms.length * connections);
  };
  const cases: [title: string, order: Omit<Order, 'way'>][] = [
    ...[1, 2, 8, 32].map((together): [string, Omit<Order, 'way'>] => [
      `${together} together`,
      { rooms: ['hall'], together, times: Math.ceil(64 / together) },
    ]),
    ['one in each of three rooms', { rooms: ['hall', 'yard', 'shed'], together: 1, times: 40 }],
  ];
  for (const [title, order] of cases) {
    const ratios: number[] = [];
    let [plain, own] = [0, 0];
    for (let round = 0; round <= rounds; round++) {
      plain = await cost({ ...order, way: 'broadcast' });
      own = await cost({ ...order, way: 'fan-out' });
      // The first round warms up.
      if (round > 0) ratios.push(own / plain);
    }
    console.log(
      `${title}: ${percentile(ratios, 0.5).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ` +
        `${Math.max(...ratios).toFixed(2)}); the last ${plain.toFixed(2)} and ${own.toFixed(2)} µs a delivery`,
    );
  }
  for (const client of clients) client.close();
} finally {
  await server.stop();
}
