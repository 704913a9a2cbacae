import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Child, startChild } from './child.ts';

export interface SessionServer extends Child {
  readonly port: number;
  /** The path of its socket, or undefined if it listens only on the port. */
  readonly socket: string | undefined;
  readonly url: string;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Starts a session server as a separate process. Resolves when its log says `listening`. */
export async function startSessionServer(env: NodeJS.ProcessEnv = {}, cwd = root): Promise<SessionServer> {
  const child = startChild(process.execPath, [`${root}server/command/main.ts`, 'session-server'], {
    cwd,
    env: {
      PATH: process.env.PATH,
      SESSION_SERVER_HOST: '127.0.0.1',
      SESSION_SERVER_PORT: '0',
      ...env,
    },
  });
  const match = await child.until(/^\{.*"msg":"listening".*\}$/m);
  const { port, socket } = JSON.parse(match[0]) as { port: number; socket: string | undefined };
  const url = port === undefined ? `session-server://${socket}` : `session-server://127.0.0.1:${port}`;
  return Object.assign(child, { port, socket, url });
}

/** Starts a session server that ends with the test and can be restarted on its port. */
export async function restartableSessionServer() {
  let server = await startSessionServer();
  const { port, url } = server;
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  return {
    port,
    url,
    signal: (name: NodeJS.Signals) => server.signal(name),
    async restart() {
      await server.stop('SIGKILL');
      server = await startSessionServer({ SESSION_SERVER_PORT: String(port) });
    },
  };
}
