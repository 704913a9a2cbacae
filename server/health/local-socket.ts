import { once } from 'node:events';
import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Finding } from 'php-sessions/doctor';
import type { Config } from '../settings/config.ts';
import type { Arrival } from './arrivals.ts';
import type { Health } from './health.ts';

/** What the running server reports. */
export interface Report {
  findings: Finding[];
  /** The settings of the running server that differ from the default, as the log shows them. */
  settings: Record<string, string>;
}

type Address = Pick<Config, 'history' | 'port'>;

/** The checks of a report end after a few seconds, even if a store hangs. */
const answerTimeoutMs = 10_000;
const maxReportBytes = 1024 * 1024;
/** The parent of the runtime folders of the services. */
const runtimeFolders = '/run/php-session-chat';

const fileName = (port: number) => `php-session-chat-${port}.sock`;

/**
 * Returns the path of the socket. It is next to a history in a file, because that belongs to one server. Otherwise it is
 * in the runtime folder of the service, or in the folder of temporary files.
 */
const pathFor = ({ history, port }: Address): string =>
  history.kind === 'sqlite'
    ? `${resolve(history.path)}-server`
    : join(process.env.RUNTIME_DIRECTORY ?? tmpdir(), fileName(port));

/** Returns the paths where a server with these settings may have its socket. */
function candidates(place: Address): string[] {
  if (place.history.kind === 'sqlite') return [pathFor(place)];
  return [...foldersIn(runtimeFolders), tmpdir()].map((folder) => join(folder, fileName(place.port)));
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * Serves the report on a Unix socket that only this account and root can open, so it needs no key and no proxy can
 * expose it. The history must be open already, because another server with the same history has the same socket.
 * @returns a function that closes the socket
 * @throws Error if the socket cannot be created
 */
export async function serveReport(
  place: Address,
  health: Health,
  settings: Record<string, string>,
): Promise<() => Promise<void>> {
  const path = pathFor(place);
  // A killed server leaves its socket.
  if (isSocket(path)) rmSync(path, { force: true });
  const server = createServer((req, res) => {
    const answer = async (): Promise<object> => {
      if (req.url === '/report') return { findings: await health.findings(), settings } satisfies Report;
      if (req.url === '/probe') return { probe: health.arrivals.openProbe() };
      return { arrival: health.arrivals.probed(req.url?.replace('/probe/', '') ?? '') };
    };
    answer().then(
      (body) => res.setHeader('Connection', 'close').end(JSON.stringify(body)),
      () => res.destroy(),
    );
  });
  server.listen(path);
  await once(server, 'listening');
  chmodSync(path, 0o600);
  return async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

/** The running server, as other processes of this machine see it. */
export interface LocalServer {
  report(): Promise<Report>;
  /** Returns the name of a new probe. Undefined if the server ended after its report. */
  openProbe(): Promise<string | undefined>;
  /** Returns how the last request with this probe arrived. Undefined if none did, or the server ended. */
  arrivalOf(probe: string): Promise<Arrival | undefined>;
}

/**
 * Finds the running server with these settings.
 * @returns the code of the error if no server answers
 */
export async function findLocalServer(place: Address): Promise<LocalServer | { code: string }> {
  let code = 'ENOENT';
  for (const path of candidates(place)) {
    if (!isTrustworthy(path)) continue;
    const ask = (url: string) => askAt(path, url);
    try {
      const report = (await ask('/report')) as Report;
      return {
        report: async () => report,
        openProbe: async () => ((await ask('/probe').catch(() => ({}))) as { probe?: string }).probe,
        arrivalOf: async (probe) =>
          ((await ask(`/probe/${probe}`).catch(() => ({}))) as { arrival?: Arrival }).arrival,
      };
    } catch (error) {
      const { code: known, name } = error as NodeJS.ErrnoException;
      // The code of a `DOMException` is a number.
      code = typeof known === 'string' && known !== '' ? known : name;
    }
  }
  return { code };
}

/** Another account could create a socket in a folder that all accounts can write to, and give bad advice to root. */
function isTrustworthy(path: string): boolean {
  if (!path.startsWith(`${tmpdir()}/php-session-chat-`)) return true;
  const uid = lstatSync(path, { throwIfNoEntry: false })?.uid;
  return uid === 0 || uid === process.geteuid?.();
}

async function askAt(socketPath: string, path: string): Promise<unknown> {
  const sent = request({ socketPath, path, signal: AbortSignal.timeout(answerTimeoutMs) });
  const [response] = (await once(sent.end(), 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of response.setEncoding('utf8')) {
    text += piece;
    if (text.length > maxReportBytes) throw new Error('the report is too long');
  }
  return JSON.parse(text);
}
