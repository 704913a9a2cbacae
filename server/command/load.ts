import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RecordableHistogram } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { type Figures, load } from '../load/load.ts';
import { loopback } from '../outgoing/addresses.ts';
import { callersFolder, howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../text/blank.ts';
import { progress } from './progress.ts';

/** Default and maximum of each option. Without a default, there is one connection per cookie. */
const bounds = { connections: [undefined, 1000], rate: [10, 500], seconds: [10, 120] } as const;

/** Time in ms after the last response until missing messages count as lost. */
const wait = 10_000;

export const help = `${howToRun('load', '--url URL --cookie-file FILE --room ID [--connections N] [--rate N] [--seconds N]')}

Load-tests a chat server: users write messages, and the result shows how many were delivered, and how fast. The messages
are real and stay, so use a room created for this. The exit code is ${exit.software} if messages were lost or duplicated, or if
connections ended early.

  --url URL           the address of the chat server
  --cookie-file FILE  session cookies, one a line, such as PHPSESSID=…; use users created for this
  --room ID           the room to write in; all these users must be able to join it
  --connections N     number of connections, up to ${bounds.connections[1]} (default: one per cookie). They share the cookies
  --rate N            total messages per second, up to ${bounds.rate[1]} (default ${bounds.rate[0]})
  --seconds N         duration, up to ${bounds.seconds[1]} (default ${bounds.seconds[0]})
  --yes-this-server-is-mine
                      allows an address of another machine

Example: ${howToRun('load', '--url http://127.0.0.1:7070 --cookie-file cookies.txt --room load --rate 50')}`;

export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      'cookie-file': { type: 'string' },
      room: { type: 'string' },
      connections: { type: 'string' },
      rate: { type: 'string' },
      seconds: { type: 'string' },
      'yes-this-server-is-mine': { type: 'boolean', default: false },
    },
  });
  const { url, 'cookie-file': file, room } = values;
  if (!url || !file || !room) throw wrongUse('--url, --cookie-file and --room are required');
  const address = addressOf(url, values['yes-this-server-is-mine']);
  const cookies = cookiesIn(resolve(callersFolder(env), file));
  const numberOf = (name: keyof typeof bounds): number => {
    const [usual = Math.min(cookies.length, bounds.connections[1]), most] = bounds[name];
    const given = values[name] ?? String(usual);
    if (!/^[1-9]\d{0,8}$/.test(given) || Number(given) > most)
      throw wrongUse(`--${name} must be a whole number from 1 to ${most}`);
    return Number(given);
  };
  const [connections, rate, seconds] = [numberOf('connections'), numberOf('rate'), numberOf('seconds')];
  const shown = progress();
  const figures = await load({ address, cookies, room, connections, rate, seconds, wait }, (opened, sent) =>
    shown.say(`connections: ${opened}, messages: ${sent}`),
  ).finally(() => shown.end());
  if (figures.opened === 0) {
    throw new CommandProblem(
      exit.unavailable,
      `no connection could join the room ${lineForScreen(room)} at ${address.origin} (${codes(figures.failed)})`,
    );
  }
  console.log(linesOf(figures, connections).join('\n'));
  return figures.lost + figures.doubled + figures.closed > 0 ? exit.software : 0;
}

const wrongUse = (message: string) => new CommandProblem(exit.usage, `${message}\n\n${help}`);

/** Parses the address of the chat server. @throws CommandProblem */
function addressOf(given: string, isOwn: boolean): URL {
  const address = URL.canParse(given) ? new URL(given) : undefined;
  if (address === undefined || !/^https?:$/.test(address.protocol) || address.search || address.hash)
    throw wrongUse('--url must be an address such as http://127.0.0.1:7070');
  if (!isOwn && !loopback.test(address.hostname)) {
    throw new CommandProblem(
      exit.usage,
      `${address.hostname} is not this machine, and a load test may stop a server: if the server is yours, add --yes-this-server-is-mine`,
    );
  }
  return address;
}

/** Reads the cookies of a file, one per line. @throws CommandProblem, without the content of the file */
function cookiesIn(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandProblem(exit.data, `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const lines = text.split('\n').map((line) => line.trim());
  const wrong = lines.findIndex((line) => line !== '' && !/^[!-<>-~]+=[!-~][ -~]*$/.test(line));
  if (wrong !== -1)
    throw new CommandProblem(exit.data, `line ${wrong + 1} of ${path} is not a cookie such as PHPSESSID=…`);
  const cookies = lines.filter((line) => line !== '');
  if (cookies.length === 0) throw new CommandProblem(exit.data, `${path} contains no cookies`);
  return cookies;
}

function linesOf(figures: Figures, connections: number): string[] {
  const { opened, failed, closed, wanted, acknowledged, refused, deliveries, lost, doubled } = figures;
  const line = (isWell: boolean, text: string, more: string) =>
    `${isWell ? '✓' : '!'} ${text}${more === '' ? '' : ` (${more})`}`;
  const missing = new Map([...failed, ...(closed === 0 ? [] : [['ended early', closed] as const])]);
  const uncounted = closed === 0 ? '' : 'none counted for ended connections';
  return [
    line(missing.size === 0, `Connections: ${opened} of ${connections}`, codes(missing)),
    line(acknowledged === wanted, `Acknowledged messages: ${acknowledged} of ${wanted}`, codes(refused)),
    line(
      lost + doubled + closed === 0,
      `Lost: ${lost}, duplicated: ${doubled}, of ${deliveries} deliveries`,
      uncounted,
    ),
    ...delays('until a message is acknowledged', figures.acks),
    ...delays('until a message arrives', figures.arrivals),
  ];
}

const codes = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([code, times]) => `${lineForScreen(code)}: ${times}`).join(', ');

function delays(what: string, histogram: RecordableHistogram): string[] {
  if (histogram.count === 0) return [];
  const ms = (share: number) => `${(histogram.percentile(share) / 1e6).toFixed(1)} ms`;
  return [`  Delay ${what}: p50 ${ms(50)}, p99 ${ms(99)}`];
}
