import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import { type Child, startChild } from './child.ts';

/** A chat server in this process or in a separate one. */
export interface RunningChat extends Pick<Child, 'output' | 'stop' | 'until'> {
  readonly port: number;
  readonly url: string;
}

export type ChatServer = RunningChat & Child;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Creates a folder for a history that survives restarts of the server. `remove()` deletes it. */
export function historyFolder(): { url: string; path: string; files: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'chat-history-'));
  const path = join(folder, 'chat.db');
  return {
    url: `sqlite:${path}`,
    path,
    /** The value for CHAT_FILES. */
    files: `dir:${join(folder, 'files')}`,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

let nothing: Promise<Buffer> | undefined;

/** Returns the file of an empty history, as a server leaves it. */
async function emptyFile(): Promise<Buffer> {
  const history = historyFolder();
  try {
    const onFailure = (error: Error) => {
      throw error;
    };
    await (await openSqliteHistory({ path: history.path, onFailure })).close();
    return readFileSync(history.path);
  } finally {
    history.remove();
  }
}

/** Like `historyFolder`, with a copy of an empty history, because creating one takes time and many syncs. */
export async function emptyHistory(): Promise<ReturnType<typeof historyFolder>> {
  nothing ??= emptyFile();
  const history = historyFolder();
  writeFileSync(history.path, await nothing);
  return history;
}

/** All tests come from one address and send as fast as they can. Tests of limits set their own. */
const noLimits = {
  CHAT_LIMIT_SEND: '0',
  CHAT_LIMIT_REQUESTS: '0',
  CHAT_LIMIT_CONNECT_ADDRESS: '0',
  CHAT_LIMIT_CONNECTIONS_ADDRESS: '0',
  CHAT_LIMIT_CONNECTIONS_USER: '0',
  CHAT_LIMIT_ROOMS_USER: '0',
  CHAT_LIMIT_INVITE: '0',
  CHAT_LIMIT_REPORT: '0',
  CHAT_LIMIT_SEARCH: '0',
  CHAT_LIMIT_CHANGE: '0',
  CHAT_LIMIT_CREATE: '0',
  CHAT_LIMIT_ME: '0',
};

/** The default limits. An empty value means the default. */
export const defaultLimits = {
  CHAT_LIMIT_SEND: '',
  CHAT_LIMIT_REQUESTS: '',
  CHAT_LIMIT_CONNECT_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_USER: '',
  CHAT_LIMIT_QUEUE: '',
};

/** The arguments of Node, as in package.json. `--settings=` ignores the settings of a chat on this machine. */
export const chatProgram = [
  ...['--max-semi-space-size=4', '--heap-growing-percent=50', 'server/command/main.ts'],
  'run',
  '--settings=',
];

/** Settings of servers in tests. A test may set others. */
export const usual = { ...noLimits, CHAT_HOST: '127.0.0.1', CHAT_PORT: '0' };

/** Returns the address from the log of a started server. @param from the start of that log in the output */
async function listening(child: Child, from = 0): Promise<{ port: number; url: string }> {
  const [line] = await child.until(/^\{.*"msg":"listening".*\}$/m, from);
  const { port } = JSON.parse(line) as { port: number };
  return { port, url: `http://127.0.0.1:${port}` };
}

/**
 * Starts the chat server as a separate process and waits until it logs `listening`. Without `CHAT_HISTORY`, its history
 * is temporary.
 */
export async function startChatServer(env: NodeJS.ProcessEnv, cwd = root): Promise<ChatServer> {
  const history = env.CHAT_HISTORY === undefined ? await emptyHistory() : undefined;
  const child = startChild(process.execPath, chatProgram, {
    cwd,
    env: { ...usual, PATH: process.env.PATH, CHAT_HISTORY: history?.url, CHAT_FILES: history?.files, ...env },
  });
  child.process.on('close', () => history?.remove());
  return Object.assign(child, await listening(child));
}

/** Processes that can run the next server. */
const idle = new Set<Child>();
/** The maximum number of idle processes, because they take memory from tests that run in parallel. */
const mostIdle = 4;

/**
 * Starts a chat server in a process that may have run others before, because loading the code takes most of a start.
 * Only tests of starts, ends and memory need a new process. `stop()` keeps the process for the next server. Other
 * signals reach the process itself.
 */
export async function nextChatServer(env: NodeJS.ProcessEnv): Promise<ChatServer> {
  const history = env.CHAT_HISTORY === undefined ? await emptyHistory() : undefined;
  const [child = startNext()] = idle;
  idle.delete(child);
  const from = child.output().length;
  child.process.send({ ...usual, CHAT_HISTORY: history?.url, CHAT_FILES: history?.files, ...env });
  const where = await listening(child, from);
  let stopped: Promise<number | NodeJS.Signals | null> | undefined;
  return {
    ...child,
    ...where,
    pid: child.pid,
    output: () => child.output().slice(from),
    until: (pattern, since = 0) => child.until(pattern, from + since),
    stop(name = 'SIGTERM') {
      stopped ??= (async () => {
        if (name !== 'SIGTERM') return child.stop(name);
        const said = child.output().length;
        child.signal('SIGCONT');
        child.process.send('stop');
        await child.until(/^stopped$/m, said);
        if (idle.size < mostIdle) idle.add(child);
        else await child.stop('SIGKILL');
        return 0;
      })().finally(() => history?.remove());
      return stopped;
    },
  };
}

/** Loads a process for the next server in advance, which shortens the time without a server. */
export async function loadNext(): Promise<void> {
  const child = startNext();
  await child.until(/^loaded$/m);
  idle.add(child);
}

function startNext(): Child {
  const child = startChild(
    process.execPath,
    [...chatProgram.slice(0, -3), 'test/helpers/next-chat-server.ts'],
    {
      cwd: root,
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  );
  child.process.on('close', () => idle.delete(child));
  return child;
}
