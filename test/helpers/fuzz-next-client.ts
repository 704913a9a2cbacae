import { Agent } from 'node:http';
import { expect } from 'vitest';
import { connectChat } from './chat-client.ts';
import type { ChatServer } from './chat-server.ts';

/** Checks the promise after each bad input: `/healthz`, a new connection and its first request are answered. */
export async function servesNext(
  server: ChatServer,
  cookie: string,
  localAddress = '127.0.0.1',
): Promise<void> {
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  // The types and documentation of engine.io-client declare the option as a string or false; in Node it is an Agent.
  const agent = new Agent({ localAddress }) as unknown as string;
  const client = await connectChat(server.url, cookie, { agent });
  await client.request('room:list', {});
  client.close();
}
