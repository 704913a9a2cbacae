/**
 * The cost of a message from the sender's frame to all receivers, stored durably, compared with plain Socket.IO, which
 * has neither storage nor users, bare ws and, with WORKERMAN, workerman: 1,000 connections in 10 rooms of 100, CPU of
 * all threads of the server.
 * Run: npm run bench messages [CHECKOUT], with another checkout of this project to compare with
 */
import { rss } from '../test/helpers/server-figures.ts';
import {
  Crowd,
  checkouts,
  compare,
  startBareWs,
  startChat,
  startPlain,
  startSessions,
  startWorkerman,
} from './load.ts';

const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);

const memcached = await startSessions();
const crowds: Crowd[] = [];
try {
  crowds.push(await Crowd.gather(await startPlain(), rooms), await Crowd.gather(await startBareWs(), rooms));
  for (const server of await startWorkerman()) crowds.push(await Crowd.gather(server, rooms));
  for (const { name, folder } of checkouts) {
    crowds.push(await Crowd.gather(await startChat(name, folder, memcached.url, rooms), rooms));
  }
  for (const { server, pid, connectCpu } of crowds) {
    const ratio = connectCpu / (crowds[0] as Crowd).connectCpu;
    console.log(
      `${server.name}: connection ${(connectCpu * 1e6).toFixed(0)} µs (${ratio.toFixed(2)}), ` +
        `${(rss(pid) / 2 ** 20).toFixed(0)} MB`,
    );
  }
  for (const rate of [200, 1000]) {
    console.log(`${rate} a second`);
    await compare(crowds, rate);
  }
} finally {
  for (const crowd of crowds) await crowd.leave();
  await memcached.stop();
}
