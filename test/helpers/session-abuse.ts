import { once } from 'node:events';
import { expect } from 'vitest';
import { watchRss } from './server-figures.ts';
import { type SessionClient, sessionClient } from './session-client.ts';
import { type SessionServer, startSessionServer } from './session-server.ts';

export const megabyte = 1024 * 1024;

/** A daemon of its own, of which the memory is watched. */
export async function withServer(
  env: NodeJS.ProcessEnv,
  work: (server: SessionServer, grown: () => number) => Promise<void>,
): Promise<void> {
  const server = await startSessionServer(env);
  const memory = watchRss(server.pid);
  try {
    await work(server, memory.most);
    // Whatever happened: others are served, and it ends when asked.
    await serves(server);
    expect(await server.stop()).toBe(0);
    expect(server.output()).not.toMatch(/unexpected error|warning/i);
  } finally {
    memory.stop();
    await server.stop('SIGKILL');
  }
}

export async function serves(server: SessionServer): Promise<void> {
  const client = await sessionClient(server);
  const began = performance.now();
  expect(await client.ask('new')).toMatch(/^ok [0-9a-f]{32}$/);
  expect(await client.ask('put k v')).toBe('ok');
  expect(await client.ask('close')).toBe('ok');
  expect(performance.now() - began).toBeLessThan(10_000);
  client.socket.destroy();
}

/** Writes for as long as the other side takes it. @returns how much */
export async function pour(client: SessionClient, chunk: Buffer, most: number): Promise<number> {
  let written = 0;
  while (written < most && !client.socket.destroyed) {
    if (!client.socket.write(chunk))
      await Promise.race([once(client.socket, 'drain').catch(() => {}), client.closed]);
    written += chunk.length;
  }
  return written;
}
