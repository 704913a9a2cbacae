import { readFileSync } from 'node:fs';

/**
 * Returns the current samples of `/metrics`, by name with labels.
 * @param key the API key, which a server with trusted proxies requires
 */
export async function metrics(url: string, key?: string): Promise<Map<string, number>> {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const cut = line.lastIndexOf(' ');
    if (!line.startsWith('#') && cut > 0) samples.set(line.slice(0, cut), Number(line.slice(cut + 1)));
  }
  return samples;
}

/** Returns the number of connected clients according to the server. */
export const connections = async (url: string): Promise<number> =>
  (await metrics(url)).get('chat_connections') ?? Number.NaN;

/** Returns the resident memory of a process in bytes. */
export function rss(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kilobytes) * 1024;
}

/** Watches the memory of a process; `most` is its highest growth so far, in bytes. */
export function watchRss(pid: number): { most(): number; stop(): void } {
  const before = rss(pid);
  let most = 0;
  const look = () => {
    most = Math.max(most, rss(pid) - before);
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch {
      // The process has ended. The test detects that itself.
      clearInterval(timer);
    }
  }, 20);
  return {
    most() {
      look();
      return most;
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * A TCP connection to a local port. `bytes` is the data in the kernel's queues: not yet acknowledged, or not yet read.
 */
export interface KernelQueue {
  established: boolean;
  bytes: number;
}

/** Returns the connections to a loopback port by the client's port, from Linux's proc_net_tcp(5). */
export function kernelQueues(serverPort: number): Map<number, KernelQueue> {
  const queues = new Map<number, KernelQueue>();
  const queue = (port: number) => {
    const known = queues.get(port) ?? { established: false, bytes: 0 };
    queues.set(port, known);
    return known;
  };
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', state, waiting = ''] = line.trim().split(/\s+/);
    const [here, there] = [local, remote].map((address) => Number.parseInt(address.split(':')[1] ?? '', 16));
    const [unsent = 0, unread = 0] = waiting.split(':').map((hex) => Number.parseInt(hex, 16));
    if (here === serverPort && state !== '0A') {
      const entry = queue(there as number);
      entry.established = state === '01';
      entry.bytes += unsent;
    } else if (there === serverPort) queue(here as number).bytes += unread;
  }
  return queues;
}

/** Returns the value below which this share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error('nothing was measured');
  return value;
}

/** Rounds to megabytes (10^6 bytes, as in docs/guarantees.md) for the output of a test. */
export const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;
