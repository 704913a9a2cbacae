import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { causeOfRefusal } from '../../client/src/connection/origin-probe.ts';

/** Pages of a server have its origin. */
const location = { origin: '' };
vi.stubGlobal('location', location);

/** Returns the delay for a 429 response with this header. */
async function limited(retryAfter: string | undefined): Promise<number> {
  const server = createServer((_, res) => {
    res.writeHead(429, retryAfter === undefined ? {} : { 'Retry-After': retryAfter }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const verdict = await causeOfRefusal(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    if (verdict.kind !== 'limited') throw new Error(verdict.kind);
    return verdict.retryAfterMs;
  } finally {
    server.close();
  }
}

test('converts Retry-After, in seconds or as a date, to a delay of at most an hour', async () => {
  expect(await limited('30')).toBe(30_000);
  expect(await limited(undefined)).toBe(1000);
  const date = await limited(new Date(Date.now() + 20_000).toUTCString());
  expect(date).toBeGreaterThan(15_000);
  expect(date).toBeLessThanOrEqual(20_000);
  for (const odd of ['soon', '0', '-5', new Date(0).toUTCString()]) expect(await limited(odd)).toBe(1000);
  expect(await limited('1e12')).toBe(3_600_000);
});

test('asks with a POST on the own origin, because browsers send no Origin with a GET there', async () => {
  const methods: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    methods.push(req.method);
    if (req.method === 'GET') res.end('0{}');
    else res.writeHead(403).end('{"error": {"code": "origin_not_allowed"}}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    location.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await causeOfRefusal(`${location.origin}/`)).toEqual({ kind: 'refused' });
    expect(methods).toEqual(['GET', 'POST']);
  } finally {
    server.close();
  }
});
