import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from './child.ts';

export interface ChatServer extends Child {
  readonly port: number;
  readonly url: string;
}

const root = new URL('../../', import.meta.url).pathname;

/** A folder for a history that outlives restarts of the server; removed by `remove()`. */
export function historyFolder(): { url: string; path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'chat-history-'));
  const path = join(folder, 'chat.db');
  return { url: `sqlite:${path}`, path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** All tests come from one address and send as fast as they can: those that are about limits set their own. */
const noLimits = {
  CHAT_LIMIT_SEND: '0',
  CHAT_LIMIT_REQUESTS: '0',
  CHAT_LIMIT_CONNECT_ADDRESS: '0',
  CHAT_LIMIT_CONNECTIONS_ADDRESS: '0',
  CHAT_LIMIT_CONNECTIONS_USER: '0',
  CHAT_LIMIT_ROOMS_USER: '0',
  CHAT_LIMIT_INVITE: '0',
  CHAT_LIMIT_SEARCH: '0',
  CHAT_LIMIT_CHANGE: '0',
  CHAT_LIMIT_CREATE: '0',
  CHAT_LIMIT_ME: '0',
};

/** As the server comes: an empty value is the default of each limit. */
export const defaultLimits = {
  CHAT_LIMIT_SEND: '',
  CHAT_LIMIT_REQUESTS: '',
  CHAT_LIMIT_CONNECT_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_ADDRESS: '',
  CHAT_LIMIT_CONNECTIONS_USER: '',
  CHAT_LIMIT_QUEUE: '',
};

/** What Node is told to run, as package.json has it. */
export const chatProgram = ['--max-semi-space-size=4', '--heap-growing-percent=15', 'server/main.ts'];

/** The chat server as a process of its own, ready when its log says `listening`; its history ends with it. */
export async function startChatServer(env: NodeJS.ProcessEnv, cwd = root): Promise<ChatServer> {
  const history = env.CHAT_HISTORY === undefined ? historyFolder() : undefined;
  const child = startChild(process.execPath, chatProgram, {
    cwd,
    env: {
      ...noLimits,
      PATH: process.env.PATH,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_HISTORY: history?.url,
      ...env,
    },
  });
  child.process.on('close', () => history?.remove());
  const match = await child.until(/^\{.*"msg":"listening".*\}$/m);
  const { port } = JSON.parse(match[0]) as { port: number };
  return Object.assign(child, { port, url: `http://127.0.0.1:${port}` });
}
