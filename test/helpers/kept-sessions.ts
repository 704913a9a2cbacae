import { afterAll } from 'vitest';
import { type SessionClient, sessionClient } from './session-client.ts';
import { type SessionServerHere, sessionServerHere } from './session-server-here.ts';

/** Changes sessions in a session server as PHP's session handler would, over one connection. */
export interface KeptSessions {
  put(id: string, data: string | Buffer): Promise<void>;
  destroy(id: string): Promise<void>;
  /** Gives the session another ID. */
  regenerate(id: string): Promise<void>;
  /** Runs any commands, each of which must succeed. */
  do(...commands: string[]): Promise<void>;
  close(): void;
}

export async function keptSessions(port: number): Promise<KeptSessions> {
  const client: SessionClient = await sessionClient({ port });
  const run = async (...commands: string[]) => {
    for (const command of commands) {
      const reply = await client.ask(command);
      if (!reply.startsWith('ok')) throw new Error(`${command.split(' ')[0]}: ${reply}`);
    }
  };
  await run('encoding percent');
  return {
    put: (id, data) => run(`open ${id} rw`, `put  ${percent(data)}`, 'close'),
    destroy: (id) => run(`open ${id} rw`, 'destroy'),
    regenerate: (id) => run(`open ${id} rw`, 'regenerate_id', 'close'),
    do: run,
    close: () => client.socket.destroy(),
  };
}

/** Starts a session server with access to its sessions, for all tests of a file. */
export async function sharedSessions(): Promise<{ server: SessionServerHere; kept: KeptSessions }> {
  const server = await sessionServerHere();
  const kept = await keptSessions(server.port);
  afterAll(async () => {
    kept.close();
    await server.close();
  });
  return { server, kept };
}

function percent(data: string | Buffer): string {
  const encoded = (byte: string) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return Buffer.from(data)
    .toString('latin1')
    .replace(/[^!-$&-~]/g, encoded);
}
