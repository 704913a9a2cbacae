/**
 * Deliveries of a server per second of CPU, compared with the engine of Centrifugo, which is written in Go and here
 * keeps its history in memory: 1,000 connections in 10 rooms of 100, and in one room. Needs Go.
 * Run: npm run bench deliveries
 */
import { Crowd, compare, root, startCentrifuge, startChat, startSessions } from './load.ts';

const memcached = await startSessions();
try {
  for (const count of [10, 1]) {
    const rooms = Array.from({ length: count }, (_, n) => `room-${n}`);
    const crowds: Crowd[] = [];
    try {
      crowds.push(await Crowd.gather(await startCentrifuge(), rooms));
      crowds.push(await Crowd.gather(await startChat('this', root, memcached.url, rooms), rooms));
      for (const rate of [1000, 3000]) {
        console.log(`${rate} a second, in ${count} rooms of ${1000 / count}`);
        await compare(crowds, rate);
      }
    } finally {
      for (const crowd of crowds) await crowd.leave();
    }
  }
} finally {
  await memcached.stop();
}
