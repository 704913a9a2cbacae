import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type ChatServer, chatProgram } from './chat-server.ts';
import { startChild } from './child.ts';

export interface SmallDiskServer extends ChatServer {
  /** Puts so many bytes of something else on the server's disk. */
  fill(bytes: number): void;
  /** Takes them away again. */
  free(): void;
}

const root = new URL('../../', import.meta.url).pathname;

/**
 * The chat server with its history on a disk of its own: a tmpfs that only it can see, in a mount namespace that
 * ends with it, so that nothing is left to be unmounted. Who is not root makes it in a user namespace.
 */
export async function startOnSmallDisk(bytes: number, env: NodeJS.ProcessEnv): Promise<SmallDiskServer> {
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
  // An empty folder that every system has; the mount is not seen outside.
  const folder = '/mnt';
  const script = `mount -t tmpfs -o size=${bytes} tmpfs ${folder} && exec "$0" "$@"`;
  const child = startChild('unshare', [...namespaces, 'sh', '-c', script, process.execPath, ...chatProgram], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_LIMIT_SEND: '0',
      CHAT_LIMIT_REQUESTS: '0',
      CHAT_HISTORY: `sqlite:${folder}/chat.db`,
      ...env,
    },
  });
  const match = await child.until(/^\{.*"msg":"listening".*\}$/m);
  const { port } = JSON.parse(match[0]) as { port: number };
  // unshare, sh and node are one process after another, so this is the folder as the server sees it.
  const seen = `/proc/${child.pid}/root${folder}`;
  if (!readdirSync(seen).includes('chat.db')) throw new Error('the history is not on the small disk');
  return Object.assign(child, {
    port,
    url: `http://127.0.0.1:${port}`,
    fill: (size: number) => writeFileSync(`${seen}/filler`, Buffer.alloc(size)),
    free: () => rmSync(`${seen}/filler`),
  });
}
