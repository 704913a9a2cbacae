import { execFileSync, type StdioOptions } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { SessionStore } from '../../packages/php-session/src/store.ts';
import { parseStoreUrl } from '../../packages/php-session/src/store-url.ts';
import type { Memcached } from './memcached.ts';

const script = fileURLToPath(new URL('../fixtures/many-sessions.php', import.meta.url));

/** A PHP site that keeps its sessions on several memcached servers (many-sessions.php). */
export interface ManySessionsSite {
  writer: 'memcached' | 'memcache' | 'Memcached' | 'Memcache';
  weights?: number[];
  ini?: Record<string, string | number>;
  options?: Record<string, string | boolean>;
  prefix?: string;
}

let sets = 0;

/** Returns unused session IDs. */
export function newIds(count: number): string[] {
  const set = sets++;
  return Array.from({ length: count }, (_, n) => createHash('md5').update(`${set}/${n}`).digest('hex'));
}

/** Writes a session `n|i:N;` for each ID in a PHP process. @returns its output, which is `done` if all are stored */
export function writeSessions(
  site: ManySessionsSite,
  ids: readonly string[],
  servers: readonly Memcached[],
): string {
  const { weights = [], ini = {}, ...rest } = site;
  const list = servers.map(({ host, port }, n) => [host, port, weights[n] ?? 1]);
  const settings = Object.entries(ini).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  const what = JSON.stringify({ ...rest, servers: list, ids });
  // PHP's warnings of a dead server are ignored.
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore'];
  return execFileSync('php', [...settings, script, what], { encoding: 'utf8', stdio });
}

/** Opens a store that reads these servers, with these options of its URL. */
export function openStore(options: string, servers: readonly Memcached[]): SessionStore {
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',');
  return parseStoreUrl(`memcached://${hosts}?${options}`).open();
}

/** Returns the hits and misses that a server has counted. */
export async function askedOf(server: Memcached): Promise<{ hits: number; misses: number }> {
  const stats = await server.ask('stats\r\n');
  const figure = (name: string) => Number(new RegExp(`STAT ${name} (\\d+)`).exec(stats)?.[1]);
  return { hits: figure('get_hits'), misses: figure('get_misses') };
}
