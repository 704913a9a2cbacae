import type { SpawnOptions } from 'node:child_process';
import { connect } from 'node:net';
import { type Child, ownPort, startChild } from './child.ts';

export interface Memcached extends Child {
  readonly host: string;
  readonly port: number;
  /** The value of CHAT_SESSION_STORE and SESSION_STORE. */
  readonly url: string;
  /** Sends a command of the text protocol. @returns the whole response up to its last line */
  ask(command: string | Buffer, end?: RegExp): Promise<string>;
  set(key: string, value: string | Buffer, lifetime?: number, flags?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** The values under these keys, read without affecting them, and when the first one expires. */
  traces(...keys: string[]): Promise<{ held: string[]; expires: number }>;
}

/** Starts a real memcached for this test, on a free loopback port, or on the given one to restart it. */
export async function startMemcached(
  given?: number,
  args: readonly string[] = [],
  host = '127.0.0.1',
  options: SpawnOptions = {},
): Promise<Memcached> {
  const port = given ?? (await ownPort());
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const all = ['-l', host, '-p', String(port), '-U', '0', ...user, ...args];
  const child = startChild('memcached', all, options);
  await reachable(port, child, host);
  const { stop } = child;
  const ask = (command: string | Buffer, end = /(END|STORED|DELETED|NOT_FOUND|OK|ERROR.*)\r\n$/) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, host);
      let answer = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        answer += chunk;
        if (end.test(answer)) socket.end(() => resolve(answer));
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`memcached closed the connection after: ${answer}`)));
      socket.write(command);
    });
  return Object.assign(child, {
    // SIGKILL is faster, and memcached has no data on disk.
    stop: (name: NodeJS.Signals = 'SIGKILL') => stop(name),
    host,
    port,
    url: `memcached://${host}:${port}?prefix=sessions/&format=json`,
    ask,
    async set(key: string, value: string | Buffer, lifetime = 0, flags = 0) {
      const bytes = Buffer.from(value);
      const answer = await ask(
        Buffer.concat([
          Buffer.from(`set ${key} ${flags} ${lifetime} ${bytes.length}\r\n`),
          bytes,
          Buffer.from('\r\n'),
        ]),
      );
      if (answer !== 'STORED\r\n') throw new Error(`memcached did not store: ${answer}`);
    },
    async delete(key: string) {
      await ask(`delete ${key}\r\n`);
    },
    async traces(...keys: string[]) {
      const lines = await Promise.all(keys.map((key) => ask(`mg ${key} t f v\r\nmn\r\n`, /MN\r\n$/)));
      const lives = Number(/^VA \d+ t(-?\d+)/.exec(lines[0] ?? '')?.[1]);
      const held = lines.map((line) => line.replace(/ t-?\d+/, ''));
      return { held, expires: lives === -1 ? 0 : Date.now() / 1000 + lives };
    },
  });
}

/** Waits until a program accepts connections on the port. */
export async function reachable(port: number, child: Child, host = '127.0.0.1'): Promise<void> {
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    if (child.process.exitCode !== null) throw new Error(`ended at once:\n${child.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
