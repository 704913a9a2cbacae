import type { IncomingMessage } from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { Admission } from '../../../server/connections/admission.ts';
import { Drain } from '../../../server/requests/drain.ts';
import { expectCpuBelow, tenMillionBytes } from '../../helpers/cpu.ts';

const unlimited = { count: 0, ms: 1000 };
const origins =
  'https://good.example,http://shop.example:8080,https://*.blogs.example,capacitor://localhost,app://chat';
const open = (options: Partial<ConstructorParameters<typeof Admission>[0]> = {}, drain = new Drain()) =>
  new Admission(
    {
      origins: origins.split(','),
      nativeClients: true,
      trustedProxies: [],
      limitConnectAddress: unlimited,
      limitConnectionsAddress: 0,
      limitMe: unlimited,
      ...options,
    },
    { binding: () => null },
    drain,
    { isProbe: () => false, observe() {}, refuseOrigin() {} },
  );
const [admission, strict] = [open(), open({ nativeClients: false })];
afterEach(() => void vi.useRealTimers());

const request = (headers: Record<string, string | undefined>, remoteAddress = '127.0.0.1', method = 'GET') =>
  ({
    method,
    headers: { host: 'chat.example', ...headers },
    socket: { remoteAddress },
  }) as unknown as IncomingMessage;
const address = (upgrade: boolean) =>
  new URL(`http://chat.example/socket.io/?EIO=4&transport=${upgrade ? 'websocket' : 'polling'}`);
const refusalOf = (by: Admission, req: IncomingMessage, upgrade = false) =>
  by.refusal(req, address(upgrade), upgrade)?.code ?? 'admitted';
const onBoth = (by: Admission, headers: Record<string, string | undefined>) => [
  refusalOf(by, request(headers)),
  refusalOf(by, request(headers), true),
];

test.each<[string, string, string?]>([
  ['evil', 'https://evil.example'],
  ['null', 'null'],
  ['a name that starts like an allowed one', 'https://good.example.evil'],
  ['http for https', 'http://good.example'],
  ['a wrong port', 'https://good.example:444'],
  ['a path', 'https://good.example/'],
  ['the server’s address under a foreign name', 'http://rebound.example:7070', 'rebound.example:7070'],
  ['http for https on the server’s host', 'http://good.example:7070', 'good.example:7070'],
  ['no URL', 'good.example'],
  ['two labels for a wildcard', 'https://a.b.blogs.example'],
  ['no label for a wildcard', 'https://blogs.example'],
  ['a wildcard within a label', 'https://evilblogs.example'],
  ['a wildcard host with another port', 'https://a.blogs.example:444'],
  ['a user name where a wildcard has a label', 'https://evil@a.blogs.example'],
  ['a backslash where a wildcard has a label', 'https://evil\\.blogs.example'],
  ['another app', 'app://other'],
  ['another scheme', 'ionic://localhost'],
])('rejects a foreign origin on both transports: %s', (_, origin, host = 'chat.example') => {
  expect(onBoth(admission, { origin, host })).toEqual(Array(2).fill('origin_not_allowed'));
});

test.each<[string, string | undefined, string?]>([
  ['as listed', 'https://good.example'],
  ['as listed, with a port', 'http://shop.example:8080'],
  ['the server’s page on loopback', 'http://localhost:7070', 'localhost:7070'],
  ['the server’s page on 127.0.0.1', 'http://127.0.0.1:7070', '127.0.0.1:7070'],
  ['the server’s page on a listed host and scheme', 'https://good.example:7070', 'good.example:7070'],
  ['a label for a wildcard', 'https://a.blogs.example'],
  ['the server’s page on a host of a wildcard', 'https://a.blogs.example:7070', 'a.blogs.example:7070'],
  ['an app with its own scheme', 'capacitor://localhost'],
  ['an app with its own name', 'app://chat'],
  ['a native client', undefined],
])('allows an origin on both transports: %s', (_, origin, host = 'chat.example') => {
  expect(onBoth(admission, { origin, host })).toEqual(['admitted', 'admitted']);
});

test('requires an Origin for an upgrade if native clients are off', () => {
  expect(onBoth(strict, {})).toEqual(['admitted', 'origin_not_allowed']);
  expect(onBoth(strict, { origin: 'https://good.example' })).toEqual(['admitted', 'admitted']);
});

// A sibling subdomain is foreign too, because its legitimate requests have an Origin.
test.each<[string, string | undefined, boolean]>([
  ['cross-site', undefined, false],
  ['same-site', undefined, false],
  ['none, same-origin', undefined, false],
  ['same-origin', undefined, true],
  ['none', undefined, true],
  ...['image', 'iframe', 'script'].map((dest) => ['same-origin', dest, false] as [string, string, boolean]),
  ...['empty', 'document'].map((dest) => ['same-origin', dest, true] as [string, string, boolean]),
])(
  'admits a GET without Origin, with Sec-Fetch-Site %s and Sec-Fetch-Dest %s: %s',
  (site, dest, isAdmitted) => {
    const headers = { 'sec-fetch-site': site, 'sec-fetch-dest': dest };
    for (const by of [admission, strict])
      expect(refusalOf(by, request(headers))).toBe(isAdmitted ? 'admitted' : 'origin_not_allowed');
    const origin = 'https://good.example';
    expect(refusalOf(strict, request({ origin, 'sec-fetch-site': site }))).toBe('admitted');
  },
);

test.each([
  ['GET', ''],
  ['GET', '&sid=of-another-server'],
  ['POST', '&sid=of-another-server'],
])(
  'rejects %s …polling%s with server_draining while the server drains, even above the rate limit',
  (method, sid) => {
    const drain = new Drain();
    const draining = open({ limitConnectAddress: { count: 1, ms: 60_000 } }, drain);
    drain.start();
    const url = new URL(`${address(false)}${sid}`);
    const ask = () => draining.refusal(request({}, undefined, method), url, false);
    expect([ask(), ask(), ask()]).toEqual(Array(3).fill({ code: 'server_draining', readable: true }));
  },
);

test('checks the longest possible origin in bounded time', () => {
  const signs = Array.from({ length: 1700 }, (_, n) => String.fromCodePoint(0x4e00 + ((n * 7919) % 20_000)));
  const req = request({ origin: `http://${encodeURIComponent(signs.join(''))}` });
  expect(refusalOf(admission, req)).toBe('origin_not_allowed');
  expectCpuBelow(tenMillionBytes(), () => {
    for (let n = 0; n < 20; n++) refusalOf(admission, req);
  });
});

test('returns the full client address in the credentials, never a forged one', () => {
  const proxied = open({ trustedProxies: ['10.0.0.0/8'] });
  const headers = { cookie: 'a=1', 'user-agent': 'Browser', 'x-forwarded-for': '6.6.6.6, 2001:db8::5:6' };
  const forwardedFor = headers['x-forwarded-for'];
  const isPageHost = expect.any(Function);
  const others = { cookies: 'a=1', session: 'own', userAgent: 'Browser', forwardedFor, isPageHost };
  expect(proxied.credentials(request(headers, '::ffff:10.0.0.1'), { session: 'own' })).toEqual({
    ...others,
    address: '2001:db8::5:6',
    client: '2001:db8:0:0::/64',
  });
  expect(proxied.credentials(request(headers, '::ffff:192.0.2.1'), { session: 'own' })).toEqual({
    ...others,
    address: '192.0.2.1',
    client: '192.0.2.1',
  });
});

test('limits the rate of new connections per address', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const limited = open({ limitConnectAddress: { count: 2, ms: 10_000 } });
  const ask = (from?: string) => limited.refusal(request({}, from), address(false), false);
  expect([ask(), ask()]).toEqual([null, null]);
  expect(ask()).toEqual({ code: 'rate_limited', retryAfterMs: 10_000, readable: true });
  expect(ask('127.0.0.2')).toBeNull();
  vi.advanceTimersByTime(10_000);
  expect(ask()).toBeNull();
});

test('limits rejected requests separately from admitted ones', () => {
  const limited = open({ limitConnectAddress: { count: 2, ms: 3_600_000 }, limitConnectionsAddress: 1 });
  const image = request({ 'sec-fetch-site': 'cross-site' });
  expect([1, 2, 3].map(() => refusalOf(limited, image))).toEqual([
    'origin_not_allowed',
    'origin_not_allowed',
    'rate_limited',
  ]);
  const first = request({});
  expect(refusalOf(limited, first)).toBe('admitted');
  for (let n = 0; n < 3; n++) expect(refusalOf(limited, request({}))).toBe('rate_limited');
  limited.over(first);
  const second = request({});
  expect(refusalOf(limited, second)).toBe('admitted');
  limited.over(second);
  expect(refusalOf(limited, request({}))).toBe('rate_limited');
});

test('uses only the address that a trusted proxy added', () => {
  const limited = open({
    limitConnectAddress: { count: 1, ms: 3_600_000 },
    trustedProxies: ['127.0.0.1', '10.0.0.0/8'],
  });
  const from = (forwarded: string, peer?: string) =>
    refusalOf(limited, request({ 'x-forwarded-for': forwarded }, peer));
  for (const [forwarded, becomes] of [
    ['203.0.113.1', 'admitted'],
    ['203.0.113.2', 'admitted'],
    ['203.0.113.2', 'rate_limited'],
    // Clients can forge the addresses on the left. Trusted proxies on the right are skipped.
    ['198.51.100.7, 203.0.113.2', 'rate_limited'],
    ['203.0.113.2, 10.1.2.3', 'rate_limited'],
    ['::ffff:203.0.113.2', 'rate_limited'],
    ['203.0.113.2:4711', 'rate_limited'],
    // IPv6 by /64.
    ['2001:db8:1:2::1', 'admitted'],
    ['[2001:db8:1:2:ffff::9]:4711', 'rate_limited'],
    ['2001:db8:1:3::1', 'admitted'],
  ] as const)
    expect([forwarded, from(forwarded)]).toEqual([forwarded, becomes]);
  // The header of an untrusted peer is ignored.
  expect(from('203.0.113.77', '127.0.0.9')).toBe('admitted');
  expect(from('203.0.113.78', '127.0.0.9')).toBe('rate_limited');
});
