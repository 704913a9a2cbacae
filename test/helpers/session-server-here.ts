import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { startSessionServer } from '../../packages/session-server/src/server.ts';
import { createLog, QuietLog } from '../../server/log.ts';
import { readSettings } from '../../server/settings/session-server.ts';
import { type SessionClient, sessionClients } from './session-client.ts';
import { textSink } from './text-sink.ts';

/** A session server in the process of the test, which needs less CPU than a separate process. */
export interface SessionServerHere {
  readonly port: number;
  /** Its log. */
  output(): string;
  close(): Promise<void>;
}

export async function sessionServerHere(env: NodeJS.ProcessEnv = {}): Promise<SessionServerHere> {
  const settings = readSettings({ SESSION_SERVER_HOST: '127.0.0.1', SESSION_SERVER_PORT: '0', ...env });
  const output = textSink();
  const log = createLog(settings.logLevel, undefined, output.stream);
  const quiet = new QuietLog(log);
  const server = await startSessionServer(settings, (...event) => quiet.warn(...event));
  let closed: Promise<void> | undefined;
  return {
    port: server.address?.port ?? 0,
    output: output.text,
    close() {
      closed ??= server.close();
      return closed;
    },
  };
}

/** Starts a session server for one test, and closes its clients and the server afterwards. */
export async function sessionServerForTest(
  env: NodeJS.ProcessEnv,
): Promise<SessionServerHere & { connect(): Promise<SessionClient> }> {
  const server = await sessionServerHere(env);
  onTestFinished(() => server.close());
  return { ...server, connect: sessionClients(() => server, onTestFinished) };
}

/** Starts a session server for all tests of a describe block. */
export function sharedSessionServer(env: NodeJS.ProcessEnv = {}) {
  let server: SessionServerHere;
  beforeAll(async () => {
    server = await sessionServerHere(env);
  });
  afterAll(() => server.close());
  return { connect: sessionClients(() => server), output: () => server.output(), port: () => server.port };
}

/** Sends lines, and expects the reply `ok` to each. */
export async function say(client: SessionClient, ...lines: string[]): Promise<void> {
  for (const line of lines) {
    const reply = await client.ask(line);
    if (!/^ok\b/.test(reply)) expect(`${line.slice(0, 80)} → ${reply}`).toMatch(/ → ok\b/);
  }
}
