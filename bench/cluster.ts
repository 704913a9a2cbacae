/**
 * The cost of a message for two chat servers on PostgreSQL and Redis, compared with a single server on the same
 * database, in rooms of three sizes. Also the cost for a third server without connections in the room.
 * Run: npm run bench cluster
 */
import { type ChatServer, startChatServer } from '../test/helpers/chat-server.ts';
import { postgresDatabase } from '../test/helpers/history-database.ts';
import { startPostgres } from '../test/helpers/postgres.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { percentile } from '../test/helpers/server-figures.ts';
import { LightClient, socketIo } from './light-client.ts';
import { cpuSeconds, sendEvenly, sessionOf, startSessions } from './load.ts';

interface Load {
  rooms: number;
  receivers: number;
  /** The measured rates, in messages per second. */
  rates: number[];
}

const loads: readonly Load[] = [
  { rooms: 10, receivers: 40, rates: [200, 1000] },
  { rooms: 10, receivers: 100, rates: [200, 1000] },
  { rooms: 4, receivers: 250, rates: [100] },
];
const mostConnections = Math.max(...loads.map(({ rooms, receivers }) => rooms * receivers));
const rounds = 7;
const dialect = socketIo('"session:ready"');

/** Distributes the users evenly, so that each server has the same share of each room. */
async function crowd(
  servers: readonly ChatServer[],
  { rooms, receivers }: Load,
  roomOf: (client: number) => string,
): Promise<LightClient[]> {
  const clients: LightClient[] = [];
  for (let n = 0; n < rooms * receivers; n++) {
    const { port } = servers[Math.floor(n / rooms) % servers.length] as ChatServer;
    const client = await LightClient.open(port, dialect, `PHPSESSID=${sessionOf(n)}`);
    if (!(await client.request('room:join', { room: roomOf(n) })))
      throw new Error('a room could not be joined');
    clients.push(client);
  }
  return clients;
}

/** Sends messages evenly at this rate. Returns the CPU time per message of each server, in ms. */
async function talk(
  clients: readonly LightClient[],
  servers: readonly ChatServer[],
  rate: number,
  roomOf: (client: number) => string,
): Promise<{ cpu: number[]; acks: number[] }> {
  const cpu = servers.map(({ pid }) => cpuSeconds(pid));
  const { sent, acks } = await sendEvenly(clients, rate, roomOf);
  return { cpu: servers.map(({ pid }, n) => ((cpuSeconds(pid) - (cpu[n] as number)) * 1000) / sent), acks };
}

const [memcached, postgres, redis] = await Promise.all([
  startSessions(mostConnections),
  startPostgres(['fsync=on']),
  startRedis(),
]);

async function measure(load: Load): Promise<void> {
  const { rooms, receivers, rates } = load;
  const names = Array.from({ length: rooms }, (_, n) => `room-${n}`);
  const roomOf = (n: number) => names[n % rooms] as string;
  const running: ChatServer[] = [];
  const start = async (history: string, cluster: NodeJS.ProcessEnv) => {
    const server = await startChatServer({
      CHAT_HISTORY: history,
      CHAT_ROOMS: names.join(','),
      CHAT_SESSION_STORE: `${memcached.url.split('?')[0]}?prefix=&format=php`,
      CHAT_LOG_LEVEL: 'warn',
      CHAT_DRAIN: '0s',
      ...cluster,
    });
    running.push(server);
    return server;
  };
  const [first, second] = [await postgresDatabase(postgres), await postgresDatabase(postgres)];
  try {
    const alone = [await start(first.url, {})];
    const bus = { CHAT_CLUSTER: `redis://127.0.0.1:${redis.port}` };
    const several = [
      await start(second.url, bus),
      await start(second.url, bus),
      await start(second.url, bus),
    ];
    const byOne = await crowd(alone, load, roomOf);
    const byTwo = await crowd(several.slice(0, 2), load, roomOf);
    const median = (values: number[]) => percentile(values, 0.5);
    // Each of two servers runs half as much, so it needs a second warm-up until its code is compiled.
    for (let warmUp = 0; warmUp < 2; warmUp++) {
      await talk(byOne, alone, Math.max(...rates), roomOf);
      await talk(byTwo, several, Math.max(...rates), roomOf);
    }
    for (const rate of rates) {
      const costs = {
        one: [] as number[],
        two: [] as number[],
        third: [] as number[],
        ratio: [] as number[],
      };
      const acks: { one: number[]; two: number[] } = { one: [], two: [] };
      for (let round = 0; round < rounds; round++) {
        const one = await talk(byOne, alone, rate, roomOf);
        const two = await talk(byTwo, several, rate, roomOf);
        const [a = 0, b = 0, third = 0] = two.cpu;
        const [single = 0] = one.cpu;
        costs.one.push(single);
        costs.two.push(a + b);
        costs.third.push(third);
        costs.ratio.push((a + b) / single);
        acks.one.push(...one.acks);
        acks.two.push(...two.acks);
      }
      const ms = (values: number[]) => `${median(values).toFixed(3)} ms`;
      const answer = (values: number[]) =>
        `p50 ${median(values).toFixed(1)} ms, p99 ${percentile(values, 0.99).toFixed(1)} ms`;
      console.log(`${rate} a second, ${receivers} receivers each`);
      console.log(`  one server: ${ms(costs.one)} of CPU a message; answer ${answer(acks.one)}`);
      console.log(
        `  two servers: ${ms(costs.two)}, ${median(costs.ratio).toFixed(2)} (${Math.min(...costs.ratio).toFixed(2)} to ` +
          `${Math.max(...costs.ratio).toFixed(2)}); answer ${answer(acks.two)}`,
      );
      console.log(`  a third server, without receivers: ${ms(costs.third)}`);
    }
    for (const client of [...byOne, ...byTwo]) client.close();
  } finally {
    for (const server of running) await server.stop('SIGKILL');
    await Promise.all([first.close(), second.close()]);
  }
}

try {
  for (const load of loads) await measure(load);
} finally {
  await Promise.all([memcached.stop(), postgres.remove(), redis.remove()]);
}
