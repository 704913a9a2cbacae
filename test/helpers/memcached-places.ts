import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, ownPort, startChild } from './child.ts';
import { type Memcached, reachable, startMemcached } from './memcached.ts';

interface Removable {
  remove(): Promise<void>;
}

/** Creates a folder in which memcached, which runs as `nobody`, can create a socket. */
function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'memcached-'));
  chmodSync(folder, 0o777);
  return folder;
}

const removing = <T extends Child>(child: T, folder: string): T & Removable =>
  Object.assign(child, {
    async remove() {
      await child.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  });

/** Debian installs these programs where only root's PATH finds them. */
const inSbin = (program: string) => (existsSync(`/usr/sbin/${program}`) ? `/usr/sbin/${program}` : program);

/** Starts a memcached on a Unix socket. */
export async function memcachedSocket(): Promise<Removable & { path: string }> {
  const folder = openFolder();
  const path = join(folder, 'memcached.sock');
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = startChild('memcached', ['-s', path, '-a', '777', ...user]);
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
  return Object.assign(removing(child, folder), { path });
}

export interface LockedMemcached extends Memcached, Removable {
  /** Stores an item through PHP, because this server speaks only the binary protocol. */
  put(key: string, value: string | Buffer): void;
}

/** Starts a memcached that requires a login by SASL. */
export async function lockedMemcached(user: string, password: string): Promise<LockedMemcached> {
  const folder = openFolder();
  const database = join(folder, 'sasldb2');
  const create = ['-p', '-f', database, '-a', 'memcached', '-c', '-u', hostname(), user];
  execFileSync(inSbin('saslpasswd2'), create, { input: password });
  chmodSync(database, 0o644);
  writeFileSync(join(folder, 'memcached.conf'), `mech_list: plain\nsasldb_path: ${database}\n`);
  const env = { ...process.env, SASL_CONF_PATH: folder };
  const memcached = await startMemcached(undefined, ['-S'], undefined, { env });
  const code = `$m = new Memcached(); $m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
    $m->setSaslAuthData($argv[1], $argv[2]); $m->addServer('127.0.0.1', ${memcached.port});
    exit($m->set($argv[3], stream_get_contents(STDIN)) ? 0 : 1);`;
  return Object.assign(removing(memcached, folder), {
    put(key: string, value: string | Buffer) {
      execFileSync('php', ['-r', code, '--', user, password, key], { input: value });
    },
  });
}

/** Starts a twemproxy in front of these servers. */
export async function twemproxy(
  servers: readonly Memcached[],
): Promise<Child & Removable & { port: number }> {
  const [port, statsPort] = [await ownPort(), await ownPort()];
  const folder = openFolder();
  const file = join(folder, 'twemproxy.yml');
  const pool = [`listen: 127.0.0.1:${port}`, 'hash: fnv1a_64', 'distribution: ketama', 'timeout: 2000'];
  const list = servers.map((server) => `   - 127.0.0.1:${server.port}:1\n`).join('');
  writeFileSync(file, `site:\n${pool.map((line) => `  ${line}\n`).join('')}  servers:\n${list}`);
  const child = startChild(inSbin('nutcracker'), ['-c', file, '-a', '127.0.0.1', '-s', String(statsPort)]);
  await reachable(port, child);
  return Object.assign(removing(child, folder), { port });
}
