import { Agent } from 'node:http';
import { expect } from 'vitest';
import { connectChat } from './chat-client.ts';
import type { ChatServer } from './chat-server.ts';
import { percentile } from './server-figures.ts';

/**
 * Checks the promise after each bad input: `/healthz`, a new connection and its first request, all within 100 ms. The
 * median of a few tries counts, because a single one could be slow for other reasons on a shared machine.
 */
export async function servesNext(
  server: ChatServer,
  cookie: string,
  localAddress = '127.0.0.1',
): Promise<void> {
  const times: number[] = [];
  // The types and documentation of engine.io-client declare the option as a string or false; in Node it is an Agent.
  const agent = new Agent({ localAddress }) as unknown as string;
  for (let n = 0; n < 5; n++) {
    const began = performance.now();
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    const client = await connectChat(server.url, cookie, { agent });
    await client.request('room:list', {});
    times.push(performance.now() - began);
    client.close();
  }
  expect(percentile(times, 0.5)).toBeLessThan(1000);
}
