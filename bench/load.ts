/** Shared code of the message benchmarks: servers with a thousand connections each, and messages at a fixed rate. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chatProgram, historyFolder } from '../test/helpers/chat-server.ts';
import { type Child, startChild } from '../test/helpers/child.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { centrifuge, type Dialect, LightClient, socketIo } from './light-client.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
/** The compared checkouts: this checkout and the arguments. */
export const checkouts: readonly { name: string; folder: string }[] = [
  { name: 'this', folder: root },
  ...process.argv.slice(2).map((folder) => ({ name: basename(folder), folder })),
];
const connections = 1000;
const text = 'x'.repeat(80);
const seconds = 4;
/** The maximum number of pending messages. It limits the rate of a server that cannot keep up. */
const mostUnanswered = 1000;
/** sysconf(_SC_CLK_TCK) of Linux. */
const ticksPerSecond = 100;

export interface Server {
  readonly name: string;
  readonly process: Child;
  readonly port: number;
  readonly dialect: Dialect;
  /** Whether its users have sessions. */
  readonly sessions?: boolean;
  stop(): Promise<void>;
}

/** Returns the CPU time of all threads of a process, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

async function startPeer(name: string, program: string, args: string[], dialect: Dialect): Promise<Server> {
  const child = startChild(program, args, { cwd: root });
  const [, port] = await child.until(/port (\d+)/);
  return {
    name,
    process: child,
    port: Number(port),
    dialect,
    stop: async () => void (await child.stop()),
  };
}

export const startPlain = () =>
  startPeer('plain Socket.IO', process.execPath, ['bench/peers/plain-socketio.ts'], socketIo('40{'));

/** Starts Centrifugo's engine with its history in memory. Needs Go, and the module proxy on the first run. */
export async function startCentrifuge(): Promise<Server> {
  const program = `${root}node_modules/.cache/centrifuge-peer`;
  await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: `${root}bench/peers/centrifuge` });
  return startPeer('Centrifugo’s engine', program, [], centrifuge);
}

/**
 * Starts a chat server.
 * @param folder this checkout or another checkout
 * @param store the URL of the session store
 * @param bundle the program to start instead of the sources
 */
export async function startChat(
  name: string,
  folder: string,
  store: string,
  rooms: readonly string[],
  settings: NodeJS.ProcessEnv = {},
  bundle?: string,
): Promise<Server> {
  const history = historyFolder();
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    CHAT_HOST: '127.0.0.1',
    CHAT_PORT: '0',
    CHAT_HISTORY: history.url,
    CHAT_SESSION_STORE: store,
    CHAT_ROOMS: rooms.join(','),
    CHAT_LOG_LEVEL: 'warn',
    ...settings,
  };
  for (const limit of ['SEND', 'REQUESTS', 'CONNECT_ADDRESS', 'CONNECTIONS_ADDRESS', 'CONNECTIONS_USER']) {
    env[`CHAT_LIMIT_${limit}`] = '0';
  }
  const args = chatProgram.map((word) => (word.endsWith('.ts') ? (bundle ?? word) : word));
  const server = startChild(process.execPath, args, { cwd: folder, env });
  const [line] = await server.until(/^\{.*"msg":"listening".*\}$/m);
  const { port } = JSON.parse(line) as { port: number };
  const stop = async () => {
    await server.stop();
    history.remove();
  };
  return { name, process: server, port, dialect: socketIo('"session:ready"'), sessions: true, stop };
}

export const sessionOf = (n: number) => `bench${String(n).padStart(27, '0')}`;

const sessionBytes = (n: number) => `user_id|i:${n + 1};firstname|s:5:"Alice";`;

/** A session store with PHP sessions. */
export interface Sessions {
  readonly url: string;
  stop(): Promise<unknown>;
}

/** Starts a memcached with sessions. */
export async function startSessions(count = connections): Promise<Sessions> {
  const memcached = await startMemcached();
  for (let n = 0; n < count; n++) await memcached.set(sessionOf(n), sessionBytes(n));
  const { host, port } = memcached;
  return { url: `memcached://${host}:${port}?prefix=&format=php`, stop: () => memcached.stop() };
}

/** Starts a Redis with sessions and notifications of all changes. */
export async function startRedisSessions(count = connections): Promise<Sessions> {
  const redis = await startRedis(['--notify-keyspace-events', 'Egx$']);
  const items = Array.from({ length: count }, (_, n) => [
    `PHPREDIS_SESSION:${sessionOf(n)}`,
    sessionBytes(n),
  ]);
  await redis.ask('MSET', ...items.flat());
  return { url: `redis://127.0.0.1:${redis.port}`, stop: () => redis.remove() };
}

/**
 * The cost of a slice: CPU time per message in ms, messages per second, and the times until the response in ms.
 */
export interface Slice {
  cpu: number;
  rate: number;
  acks: number[];
}

/**
 * The result of evenly sent messages: their number, the time until all responses in ms, and the time of each response.
 */
export interface Sent {
  sent: number;
  lasted: number;
  acks: number[];
}

/** Sends messages evenly at this rate, alternating between the clients. @throws Error if a message is rejected */
export async function sendEvenly(
  clients: readonly LightClient[],
  rate: number,
  roomOf: (client: number) => string,
): Promise<Sent> {
  const acks: number[] = [];
  const waits = new Set<Promise<void>>();
  const begun = performance.now();
  let sent = 0;
  while (performance.now() - begun < seconds * 1000) {
    const due = Math.floor(((performance.now() - begun) / 1000) * rate);
    for (; sent < due && waits.size < mostUnanswered; sent++) {
      const at = performance.now();
      const n = sent % clients.length;
      const message = { room: roomOf(n), text, clientId: randomUUID() };
      const wait = (clients[n] as LightClient).request('message:send', message).then((ok) => {
        if (!ok) throw new Error('a message was rejected');
        acks.push(performance.now() - at);
        waits.delete(wait);
      });
      waits.add(wait);
    }
    await pause(1);
  }
  await Promise.all(waits);
  const lasted = performance.now() - begun;
  await pause(200);
  return { sent, lasted, acks };
}

/** Returns the room of user `n`. All rooms have equally many users. */
const roomOf = (rooms: readonly string[], n: number): string => rooms[n % rooms.length] as string;

/** Connects a user and joins a room. @throws Error if the server rejects the join */
export async function enter(server: Server, rooms: readonly string[], n: number): Promise<LightClient> {
  const { name, port, dialect, sessions } = server;
  const client = await LightClient.open(port, dialect, sessions ? `PHPSESSID=${sessionOf(n)}` : '');
  if (!(await client.request('room:join', { room: roomOf(rooms, n) })))
    throw new Error(`${name}: a room could not be joined`);
  return client;
}

/** Connects a thousand users, fifty at a time. */
export async function enterAll(server: Server, rooms: readonly string[]): Promise<LightClient[]> {
  const clients: LightClient[] = [];
  for (let n = 0; n < connections; n += 50)
    clients.push(...(await Promise.all(Array.from({ length: 50 }, (_, k) => enter(server, rooms, n + k)))));
  return clients;
}

/** A server with a thousand connections, distributed over the rooms. */
export class Crowd {
  readonly server: Server;
  readonly #rooms: readonly string[];
  readonly #clients: readonly LightClient[];

  private constructor(server: Server, rooms: readonly string[], clients: readonly LightClient[]) {
    this.server = server;
    this.#rooms = rooms;
    this.#clients = clients;
  }

  static async gather(server: Server, rooms: readonly string[]): Promise<Crowd> {
    const crowd = new Crowd(server, rooms, await enterAll(server, rooms));
    await pause(1500);
    return crowd;
  }

  /** Sends messages evenly at this rate, alternating between the connections. */
  async talk(rate: number): Promise<Slice> {
    const { pid } = this.server.process;
    const received = () => this.#clients.reduce((sum, { bytes }) => sum + bytes, 0);
    const [bytes, cpu] = [received(), cpuSeconds(pid)];
    const { sent, lasted, acks } = await sendEvenly(this.#clients, rate, (n) => roomOf(this.#rooms, n));
    const deliveries = sent * (connections / this.#rooms.length);
    if (received() - bytes < deliveries * text.length) {
      throw new Error(`${this.server.name}: ${received() - bytes} bytes are not ${deliveries} deliveries`);
    }
    return { cpu: ((cpuSeconds(pid) - cpu) * 1000) / sent, rate: (sent * 1000) / lasted, acks };
  }

  async leave(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
  }
}

/**
 * Measures the crowds alternately at this rate, in several rounds.
 * @param rounds the number of rounds after the warm-up
 * @returns the rounds of each crowd
 */
export async function compare(crowds: readonly Crowd[], rate: number, rounds = 5): Promise<Slice[][]> {
  const slices = new Map(crowds.map((crowd) => [crowd, [] as Slice[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const crowd of crowds) {
      const slice = await crowd.talk(rate);
      if (round > 0) slices.get(crowd)?.push(slice);
    }
  }
  return [...slices.values()];
}
