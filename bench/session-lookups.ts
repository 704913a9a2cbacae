/**
 * The cost of checking sessions once a second, as the server does for open connections, compared with reading all of
 * them at once with memjs.
 * Run: npm run bench session-lookups
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import memjs from 'memjs';
import type { Login } from 'php-sessions';
import { openLogins, readOptions } from 'php-sessions';
import { Liveness } from '../server/liveness/liveness.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { startRedis } from '../test/helpers/redis.ts';

const many = 10_000;
const few = 1000;
const warmUp = 5000;
const measured = 10_000;

const ids = Array.from({ length: many }, (_, n) => createHash('md5').update(String(n)).digest('hex'));
/** Returns a session of about 500 bytes, as in a shop or forum. */
const record = (n: number) =>
  `user_id|i:${n + 1};firstname|s:5:"Alice";csrf|s:64:"${'a1b2c3d4'.repeat(8)}";cart|s:380:"${'x'.repeat(380)}";`;

interface Figures {
  /** CPU seconds per second. */
  cpu: number;
  /** Checks per second. */
  checks: number;
  p99: number;
  longest: number;
}

/** Measures the checks. Runs in a separate process. */
async function measure(begin: () => { stop(): void }, checked: () => number): Promise<Figures> {
  const running = begin();
  await pause(warmUp);
  const [before, cpu, began] = [checked(), process.cpuUsage(), performance.now()];
  await pause(measured);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  const checks = checked() - before;
  // Measured in a separate run, because the measurement wakes the event loop every millisecond.
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await pause(measured);
  delay.disable();
  running.stop();
  return {
    cpu: (user + system) / 1e6 / seconds,
    checks: checks / seconds,
    p99: delay.percentile(99) / 1e6,
    longest: delay.max / 1e6,
  };
}

async function live(store: string, sessions: number): Promise<Figures> {
  const settings = readOptions({ store });
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, { onProblem: console.error });
  const known: Login[] = [];
  // Sequential, because some concurrent requests would time out on a busy machine.
  for (const session of ids.slice(0, sessions)) {
    const login = await logins.identify({ session });
    if ('code' in login) throw new Error(login.reason);
    known.push(login);
  }
  let checks = 0;
  const start = () => {
    const liveness = new Liveness(logins, {
      interval: 1000,
      grace: 1000,
      keepalive: false,
      onCheck: () => checks++,
      onEnd: (reason) => console.error('ended', reason),
      onStore: (silent) => console.error('silent', silent?.message),
      onUnconfirmed: () => {},
      onUnreadable: () => {},
      onNotifications: () => {},
      onKeepaliveFailure: () => {},
    });
    for (const login of known)
      liveness.subscribe(login, { ended() {}, unconfirmed: () => true, changed() {} });
    return liveness;
  };
  return measure(start, () => checks);
}

async function plainly(server: string): Promise<Figures> {
  const [host = '', port] = server.split(':');
  const client = memjs.Client.create(`${host}:${port}`, { retries: 0 });
  let checks = 0;
  const all = () => {
    for (const [n, id] of ids.entries()) {
      client.get(id).then(({ value }: { value: Buffer | null }) => {
        checks++;
        if (value?.toString() !== record(n)) throw new Error('another session');
      });
    }
  };
  const start = () => {
    const timer = setInterval(all, 1000);
    return { stop: () => clearInterval(timer) };
  };
  return measure(start, () => checks);
}

/** Sends all commands, and reads this number of response lines. */
function write(port: number, commands: string[], lines: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(commands.join('')));
    let seen = 0;
    socket.on('error', reject).on('data', (chunk) => {
      for (const byte of chunk) if (byte === 10) seen++;
      if (seen < lines) return;
      socket.destroy();
      resolve();
    });
  });
}

const [, , way, place = '', count] = process.argv;
if (way !== undefined) {
  console.log(JSON.stringify(await (way === 'memjs' ? plainly(place) : live(place, Number(count)))));
  process.exit();
}

const [memcached, redis] = await Promise.all([startMemcached(), startRedis()]);
const folder = mkdtempSync(join(tmpdir(), 'lookups-'));
try {
  const length = (n: number) => record(n).length;
  const set = ids.map((id, n) => `set ${id} 0 0 ${length(n)}\r\n${record(n)}\r\n`);
  await write(memcached.port, set, many);
  await write(
    redis.port,
    ids.map((id, n) => `*3\r\n$3\r\nSET\r\n$32\r\n${id}\r\n$${length(n)}\r\n${record(n)}\r\n`),
    many,
  );
  mkdirSync(folder, { recursive: true });
  for (const [n, id] of ids.entries()) writeFileSync(join(folder, `sess_${id}`), record(n));

  const inMemcached = `memcached://127.0.0.1:${memcached.port}?format=php`;
  const ways: [string, string, string, number][] = [
    ['memjs, all at once', 'memjs', `127.0.0.1:${memcached.port}`, many],
    ['memcached', 'live', inMemcached, many],
    ['memcached', 'live', inMemcached, few],
    ['Redis', 'live', `redis://127.0.0.1:${redis.port}?prefix=`, many],
    ['files', 'live', `file://${folder}`, many],
  ];
  console.log('                   sessions   checks/s   µs each      vs. memjs   p99 of the loop   longest');
  let first: number | undefined;
  for (const [name, how, where, sessions] of ways) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      import.meta.filename,
      how,
      where,
      String(sessions),
    ]);
    const { cpu, checks, p99, longest } = JSON.parse(stdout) as Figures;
    const each = cpu / sessions;
    first ??= each;
    const cells = [
      String(sessions).padStart(7),
      checks.toFixed(0).padStart(10),
      (1e6 * each).toFixed(1).padStart(9),
      (each / first).toFixed(2).padStart(14),
      `${p99.toFixed(1)} ms`.padStart(17),
      `${longest.toFixed(1)} ms`.padStart(9),
    ];
    console.log(name.padEnd(19), cells.join(' '));
  }
} finally {
  await Promise.all([memcached.stop(), redis.remove()]);
  rmSync(folder, { recursive: true, force: true });
}
