import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Child, startChild } from './child.ts';
import { type SessionServer, startSessionServer } from './session-server.ts';

export interface SessionServers {
  /** The folder of this test. */
  readonly folder: string;
  /** Starts a session server. @param cwd its working directory, by default the project's folder */
  start(env: NodeJS.ProcessEnv, cwd?: string): Promise<SessionServer>;
  /** Starts a session server that is expected to exit at once. */
  refused(env: NodeJS.ProcessEnv): Promise<{ code: unknown; output: string }>;
}

/** Starts session servers that end with their test. Provides a folder for their files. */
export function sessionServers(): SessionServers {
  let folder = '';
  const started: Child[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'session-server-'));
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((child) => child.stop('SIGKILL')));
    await rm(folder, { recursive: true });
  });
  return {
    get folder() {
      return folder;
    },
    async start(env, cwd) {
      const server = await startSessionServer(env, cwd);
      started.push(server);
      return server;
    },
    async refused(env) {
      const child = startChild(process.execPath, ['server/command/main.ts', 'session-server'], {
        env: { PATH: process.env.PATH, SESSION_SERVER_PORT: '0', ...env },
      });
      started.push(child);
      const [code] = await once(child.process, 'close');
      return { code, output: child.output() };
    },
  };
}
