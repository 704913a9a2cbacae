import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newClientId } from './chat-client.ts';
import type { ChatServer } from './chat-server.ts';
import { startChild } from './child.ts';
import { hanging } from './hanging.ts';
import { connectRaw } from './raw-client.ts';
import { watchRss } from './server-figures.ts';

/** What other users experienced under the load. */
export interface Fared<T> {
  outcome: T;
  /** The number of these users that lost their connection. */
  gone: number;
  /** Milliseconds from sending each message to its arrival at each of the others. */
  messages: number[];
  /** The duration of each request to `/healthz` in milliseconds. */
  health: number[];
  /** The failed requests to `/healthz`: statuses other than 200, and errors. */
  failures: string[];
  /** The largest growth of the server's memory, in bytes. */
  grown: number;
}

/** Connects users in the lobby who keep talking, each too rarely for any limit, and measures the delays. */
async function startTalk(port: number, cookies: readonly string[]) {
  const latencies: number[] = [];
  const count = { sent: 0, acknowledged: 0 };
  const clients = await Promise.all(cookies.map((cookie) => connectRaw(port, cookie, 'lobby')));
  const failures: string[] = [];
  const under = new Set<Promise<unknown>>();
  const timers = clients.map((client, n) => {
    client.onPacket((packet) => {
      const said = /^42\["message:new",.*"text":"(\d+) ([\d.]+)"/.exec(packet);
      if (said !== null && Number(said[1]) !== n) latencies.push(performance.now() - Number(said[2]));
    });
    // Not in step with the requests to /healthz.
    return setInterval(() => {
      const text = `${n} ${performance.now().toFixed(3)}`;
      count.sent++;
      const one = client
        .request('message:send', { room: 'lobby', text, clientId: newClientId() })
        .then((answer) => {
          if (answer.includes('"ok":true')) count.acknowledged++;
          else failures.push(answer);
        })
        .catch((error: unknown) => void failures.push(String(error)))
        .finally(() => under.delete(one));
      under.add(one);
    }, 610);
  });
  return {
    latencies,
    count,
    gone: () => clients.filter(({ closed }) => closed).length,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(under);
      for (const client of clients) client.socket.destroy();
      if (failures.length > 0) throw new Error(`messages were not taken: ${failures.slice(0, 3).join(', ')}`);
    },
  };
}

/** Requests `/healthz` twenty times a second without waiting for responses, so that a stall delays many of them. */
function watchHealth(port: number) {
  const latencies: number[] = [];
  const failures: string[] = [];
  const under = new Set<Promise<void>>();
  const ask = () => fetch(`http://127.0.0.1:${port}/healthz`);
  const timer = setInterval(() => {
    const began = performance.now();
    // The server closes idle connections in a flood, perhaps while a request is in flight. Browsers then repeat it.
    const one = ask()
      .catch(ask)
      .then(async (answer) => {
        await answer.arrayBuffer();
        if (answer.status !== 200) failures.push(String(answer.status));
      })
      // The message of `fetch` is always the same; the reason is in the error's cause.
      .catch((error: Error) => void failures.push(String(error.cause ?? error)))
      .finally(() => {
        latencies.push(performance.now() - began);
        under.delete(one);
      });
    under.add(one);
  }, 50);
  return {
    latencies,
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
    },
  };
}

/**
 * Lets one user per cookie talk, and requests `/healthz`, while the server is under load.
 * @param ready called when they talk, before the load starts
 * @param burden is the load. Its `served` resolves when the server has responded twenty times to `/healthz` and
 * acknowledged as many new messages as there are users, whoever sent them.
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
  const talk = await startTalk(port, cookies);
  // Code that is loaded and compiled for the first messages does not count as growth.
  while (talk.latencies.length < 90) await pause(20);
  await ready?.();
  const probe = watchHealth(port);
  const { sent } = talk.count;
  talk.latencies.length = 0;
  let isOver = false;
  const served = async () => {
    // A response to an earlier message does not count.
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

/** The attack and its size: the arguments of `flood.ts` except port and time. */
export interface Flood {
  kind: string;
  rest: readonly (string | number)[];
  /** It continues until this outcome has occurred. */
  first?: string;
}

/**
 * Attacks from a separate process for this many milliseconds, and longer until others have been served and `first` has
 * occurred.
 * @returns the attackers' result; `served` is false if the attack ended before that
 */
export async function attack(
  { kind, rest, first }: Flood,
  { port, lasting, served }: { port: number; lasting: number; served: () => Promise<void> },
): Promise<{ said: string; served: boolean }> {
  const path = fileURLToPath(new URL('flood.ts', import.meta.url));
  const flood = startChild(process.execPath, [path, ...[kind, port, lasting + hanging, ...rest].map(String)]);
  const ended = flood.until(/^\{"done":.*\}$/m);
  const seen = first === undefined ? undefined : flood.until(new RegExp(`^\\{"first":"${first}"\\}$`, 'm'));
  const all = Promise.all([pause(lasting), served(), seen]).then(() => true);
  const inTime = await Promise.race([all, ended.then(() => false)]);
  flood.signal('SIGTERM');
  const [said] = await ended;
  return { said, served: inTime };
}
