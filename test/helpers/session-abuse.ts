import { once } from 'node:events';
import { afterAll, beforeAll, expect } from 'vitest';
import { watchRss } from './server-figures.ts';
import { type SessionClient, sessionClient } from './session-client.ts';
import { type SessionServer, startSessionServer } from './session-server.ts';

export const megabyte = 1024 * 1024;

/** A session server for one task. `grown` is the largest growth of its memory, in bytes. */
export async function withServer(
  env: NodeJS.ProcessEnv,
  work: (server: SessionServer, grown: () => number) => Promise<void>,
): Promise<void> {
  const server = await startSessionServer(env);
  const memory = watchRss(server.pid);
  try {
    await work(server, memory.most);
    await stopsWell(server);
  } finally {
    memory.stop();
    await server.stop('SIGKILL');
  }
}

/** The same for all tests of a describe, with the growth since its start. */
export function sharedServer(env: NodeJS.ProcessEnv): { readonly server: SessionServer; grown(): number } {
  let server: SessionServer;
  let memory: ReturnType<typeof watchRss>;
  beforeAll(async () => {
    server = await startSessionServer(env);
    memory = watchRss(server.pid);
  });
  afterAll(async () => {
    memory.stop();
    try {
      await stopsWell(server);
    } finally {
      await server.stop('SIGKILL');
    }
  });
  return {
    get server() {
      return server;
    },
    grown: () => memory.most(),
  };
}

/** After any abuse, the server still serves clients and stops on request. */
async function stopsWell(server: SessionServer): Promise<void> {
  await serves(server);
  expect(await server.stop()).toBe(0);
  expect(server.output()).not.toMatch(/unexpected error|warning/i);
}

export async function serves(server: SessionServer): Promise<void> {
  const client = await sessionClient(server);
  expect(await client.ask('new')).toMatch(/^ok [0-9a-f]{32}$/);
  expect(await client.ask('put k v')).toBe('ok');
  expect(await client.ask('close')).toBe('ok');
  client.socket.destroy();
}

/** Writes up to `most` bytes, as long as the other side accepts them. @returns how many */
export async function pour(client: SessionClient, chunk: Buffer, most: number): Promise<number> {
  let written = 0;
  while (written < most && !client.socket.destroyed) {
    if (!client.socket.write(chunk))
      await Promise.race([once(client.socket, 'drain').catch(() => {}), client.closed]);
    written += chunk.length;
  }
  return written;
}
