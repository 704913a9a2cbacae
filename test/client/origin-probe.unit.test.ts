import { afterAll, expect, test, vi } from 'vitest';
import { causeOfRefusal } from '../../client/src/connection/origin-probe.ts';

/** Pages of a server have its origin. */
const location = { origin: '' };
vi.stubGlobal('location', location);

const server = 'http://chat.example/';
const fetched = vi.fn<(url: URL, init: RequestInit) => Promise<Response>>();
vi.stubGlobal('fetch', fetched);
afterAll(() => void vi.unstubAllGlobals());

/** Returns the delay for a 429 response with this header. */
async function limited(retryAfter: string | undefined): Promise<number> {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
  fetched.mockResolvedValueOnce(new Response(null, { status: 429, headers }));
  const verdict = await causeOfRefusal(server);
  if (verdict.kind !== 'limited') throw new Error(verdict.kind);
  return verdict.retryAfterMs;
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
  location.origin = new URL(server).origin;
  fetched.mockReset().mockImplementation(async (_, { method }) => {
    if (method === 'GET') return new Response('0{}');
    return Response.json({ error: { code: 'origin_not_allowed' } }, { status: 403 });
  });
  expect(await causeOfRefusal(server)).toEqual({ kind: 'refused' });
  expect(fetched.mock.calls.map(([, { method }]) => method)).toEqual(['GET', 'POST']);
});
