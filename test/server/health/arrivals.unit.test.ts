import type { IncomingMessage } from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { Arrivals } from '../../../server/health/arrivals.ts';
import { findingLines } from '../../../server/program/findings.ts';

afterEach(() => void vi.useRealTimers());

const open = (origins = ['https://www.example.org']) =>
  new Arrivals({ origins, trustedProxies: ['10.0.0.5'] });
const linesOf = (arrivals: Arrivals) => [...arrivals.findings()].flatMap(findingLines);

const request = (headers: Record<string, string>, remoteAddress = '10.0.0.5') =>
  ({ headers, socket: { remoteAddress, localAddress: '10.0.0.7' } }) as unknown as IncomingMessage;
const good = { host: 'www.example.org', 'x-forwarded-for': '198.51.100.1' };

test('reports rejected origins with their number and the time of the last one', () => {
  vi.setSystemTime('2026-11-29T00:40:30Z');
  const arrivals = open();
  for (let n = 0; n < 3; n++) arrivals.refuseOrigin('https://example.org', 'www.example.org');
  expect(linesOf(arrivals)).toEqual([
    '✗ Pages of https://example.org may not connect: CHAT_ORIGINS does not list it. 3 requests were rejected, the last at 2026-11-29 00:40 UTC.',
    '  → Only if pages of your site have this origin, add it, and restart the server: CHAT_ORIGINS=https://www.example.org,https://example.org. https://www.example.org is another origin: scheme, host and port must be the same.',
  ]);
});

test.each([
  ['a foreign host', 'www.example.org', '!'],
  ['the host of the chat, as after DNS rebinding', 'evil.example', '✗'],
])('advises to admit an origin of %s only on a condition', (_, host, mark) => {
  const arrivals = open();
  arrivals.refuseOrigin('https://evil.example', host);
  expect(linesOf(arrivals)).toEqual([
    expect.stringContaining(`${mark} Pages of https://evil.example may not connect`),
    '  → Only if pages of your site have this origin, add it, and restart the server: CHAT_ORIGINS=https://www.example.org,https://evil.example.',
  ]);
});

test('does not take the headers of a client on the internet for a certain fault', () => {
  const arrivals = open();
  arrivals.observe(request(good, '8.8.8.8'), false, null);
  expect(linesOf(arrivals)[0]).toMatch(/^! Requests come through the proxy 8\.8\.8\.8/);
});

test('keeps 20 origins of a flood, without control characters, and forgets them after a day', () => {
  vi.setSystemTime('2026-11-29T00:40:30Z');
  const arrivals = open();
  for (let n = 0; n < 1000; n++) arrivals.refuseOrigin(`https://${n}\u001b[31m.example`, undefined);
  const lines = linesOf(arrivals);
  expect(lines.length).toBe(2 * 20);
  expect(lines[0]).toContain('https://980?[31m.example');
  vi.setSystemTime('2026-11-30T00:41:30Z');
  expect(linesOf(arrivals)).toEqual([]);
});

test.each<[string, Record<string, string>, string?]>([
  ['without X-Forwarded-For', { host: 'www.example.org' }],
  ['with the host of the chat server', { ...good, host: '10.0.0.7:7070' }],
  ['through a proxy that is not trusted', good, '10.0.0.9'],
])('reports requests %s until the next one from there is right', (_, headers, peer) => {
  const arrivals = open();
  arrivals.observe(request(headers, peer), peer === undefined, null);
  expect(linesOf(arrivals)[0]).toMatch(/^✗ /);
  arrivals.observe(request(good, peer), true, null);
  expect(linesOf(arrivals)).toEqual(['✓ The requests of visitors arrive as they should.']);
});

test('reports nothing about requests that come directly', () => {
  const arrivals = open();
  arrivals.observe(request({ host: 'chat.example.org:7070' }, '198.51.100.1'), false, null);
  expect(linesOf(arrivals)).toEqual(['✓ The requests of visitors arrive as they should.']);
});

test('reports a proxy that cuts quiet WebSockets at the same time, but no other ends', () => {
  const arrivals = open();
  for (const idleMs of [1000, 4500, 7000, 9000, 11_000, 13_000, 15_000, 17_000, 26_000, 60_000])
    arrivals.cut(idleMs);
  expect(linesOf(arrivals)).toEqual([]);
  for (let n = 0; n < 9; n++) arrivals.cut(20_000 + 100 * n);
  expect(linesOf(arrivals)).toEqual([
    expect.stringMatching(/^✗ The proxy cuts WebSockets that are quiet for 20 s, .* after 25 s/),
    expect.stringContaining('proxy_read_timeout 60s'),
  ]);
});

test('recognises only probes that were opened, and keeps their arrival apart', () => {
  const arrivals = open();
  const probe = arrivals.openProbe();
  expect([arrivals.isProbe(probe), arrivals.isProbe('other'), arrivals.isProbe(null)]).toEqual([
    true,
    false,
    false,
  ]);
  arrivals.observe(request({ host: 'x' }), true, probe);
  expect(arrivals.probed(probe)).toMatchObject({ host: 'x', namesClient: false, isTrusted: true });
  expect(linesOf(arrivals)).toEqual([]);
});
