import { appendFileSync, rmSync, statfsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ChatServer, chatProgram } from './chat-server.ts';
import { startChild } from './child.ts';

export interface SmallDisk {
  /** The path of the history on this disk, as processes outside of the namespace see it. */
  readonly path: string;
  /** Starts the chat server with its history on this disk. */
  start(): Promise<ChatServer>;
  /** Fills this many more bytes of the disk. Without a number, it fills all free blocks. */
  fill(bytes?: number): void;
  /** Frees all bytes that `fill` has filled. */
  free(): void;
  /** Removes the disk. All servers on it must have ended. */
  remove(): Promise<unknown>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
/** An empty folder that exists on every system. */
const folder = '/mnt';
/**
 * Creates a tmpfs that only the servers on it can see. It is in a mount namespace, which ends with the process that
 * holds it, so nothing has to be unmounted. A user other than root creates it in a user namespace.
 */
export async function smallDisk(bytes: number, env: NodeJS.ProcessEnv): Promise<SmallDisk> {
  const isRoot = process.getuid?.() === 0;
  const namespaces = isRoot ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
  const mount = `mount -t tmpfs -o size=${bytes} tmpfs ${folder} && echo mounted && exec sleep infinity`;
  const holder = startChild('unshare', [...namespaces, 'sh', '-c', mount]);
  await holder.until(/mounted/);
  const seen = `/proc/${holder.pid}/root${folder}`;
  const filler = `${seen}/filler`;
  const enter = isRoot ? ['--mount'] : ['--mount', '--user', '--preserve-credentials'];
  const inside = ['--target', String(holder.pid), ...enter, 'env', '-C', root, process.execPath];
  return {
    path: `${seen}/chat.db`,
    async start() {
      const child = startChild('nsenter', [...inside, ...chatProgram], {
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
      return Object.assign(child, { port, url: `http://127.0.0.1:${port}` });
    },
    fill(size) {
      const { bavail, bsize } = statfsSync(seen);
      try {
        appendFileSync(filler, Buffer.alloc(size ?? bavail * bsize));
      } catch (error) {
        // The server may have taken blocks since `statfsSync`.
        if (size !== undefined || (error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(filler),
    remove: () => holder.stop(),
  };
}
