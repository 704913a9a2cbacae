import { type Child, startChild } from './child.ts';

export interface SessionServer extends Child {
  readonly port: number;
  readonly url: string;
}

const root = new URL('../../', import.meta.url).pathname;

/** The session daemon as a process of its own, ready when its log says `listening`. */
export async function startSessionServer(env: NodeJS.ProcessEnv = {}): Promise<SessionServer> {
  const child = startChild(process.execPath, ['server/session-server/main.ts'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      SESSION_SERVER_HOST: '127.0.0.1',
      SESSION_SERVER_PORT: '0',
      ...env,
    },
  });
  const match = await child.until(/^\{.*"msg":"listening".*\}$/m);
  const { port } = JSON.parse(match[0]) as { port: number };
  return Object.assign(child, { port, url: `session-server://127.0.0.1:${port}` });
}
