import { setTimeout as pause } from 'node:timers/promises';
import type { ChatServer } from './chat-server.ts';
import { startChild } from './child.ts';
import { hanging } from './hanging.ts';
import { watchHealth } from './health.ts';
import { watchRss } from './server-figures.ts';
import { startTalk } from './talk.ts';

/** The results of other users during the burden. */
export interface Fared<T> {
  outcome: T;
  /** How many of them have lost their connection. */
  gone: number;
  /**
   * Milliseconds from the sending of each message to its arrival at each of the others, and of each request to
   * `/healthz`.
   */
  messages: number[];
  health: number[];
  /** Answers of `/healthz` other than 200. */
  failures: string[];
  /** The largest growth of the server's memory, in bytes. */
  grown: number;
}

/**
 * Lets ten people talk, and asks for `/healthz`, while the server is under a burden.
 * @param ready called when all of them talk, before the burden begins
 * @param burden `served` resolves when each of the ten has been served since it began, and `/healthz` twenty times
 */
export async function othersDuring<T>(
  server: ChatServer,
  {
    cookies,
    port = server.port,
    ready,
  }: { cookies: readonly string[]; port?: number; ready?: () => Promise<void> },
  burden: (served: () => Promise<void>) => Promise<T>,
): Promise<Fared<T>> {
  // Not in step with the requests for /healthz.
  const talk = await startTalk(port, { cookies, room: 'lobby', every: 610 });
  // Code that is loaded and compiled with the first messages does not count as growth.
  while (talk.latencies.length < 90) await pause(20);
  await ready?.();
  const probe = watchHealth(port);
  const { sent } = talk.count;
  talk.latencies.length = 0;
  let isOver = false;
  const served = async () => {
    // An answer to an earlier message does not count.
    const enough = () => talk.count.acknowledged - sent >= cookies.length && probe.latencies.length >= 20;
    while (!enough() && !isOver) await pause(20);
  };

  const memory = watchRss(server.pid);
  const outcome = await burden(served);
  isOver = true;
  const grown = memory.most();
  memory.stop();
  const [messages, health] = [[...talk.latencies], [...probe.latencies]];
  const gone = talk.gone();
  await Promise.all([talk.stop(), probe.stop()]);
  return { outcome, gone, messages, health, failures: probe.failures, grown };
}

/** The attack and its size: the arguments of the program besides port and time. */
export interface Flood {
  program: 'flood' | 'http-flood';
  kind: string;
  rest: readonly (string | number)[];
  /** It goes on until this outcome has been seen; of `flood` alone. */
  first?: string;
}

/**
 * An attack from a separate process, for this many milliseconds, and longer until others have been served and
 * `first` has been seen; resolves with the attackers' result.
 * @returns `served` is false if that has not happened while it lasted
 */
export async function attack(
  { program, kind, rest, first }: Flood,
  { port, lasting, served }: { port: number; lasting: number; served: () => Promise<void> },
): Promise<{ said: string; served: boolean }> {
  const path = new URL(`${program}.ts`, import.meta.url).pathname;
  const args = [path, ...[kind, port, lasting + hanging, ...rest].map(String)];
  const flood = startChild(process.execPath, args);
  const ended = flood.until(/^\{"done":.*\}$/m);
  const seen = first === undefined ? undefined : flood.until(new RegExp(`^\\{"first":"${first}"\\}$`, 'm'));
  const all = Promise.all([pause(lasting), served(), seen]).then(() => true);
  const inTime = await Promise.race([all, ended.then(() => false)]);
  flood.signal('SIGTERM');
  const [said] = await ended;
  return { said, served: inTime };
}
