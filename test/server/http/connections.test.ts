import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Connections } from '../../../server/http/connections.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { inShort, request, say, upgrade } from '../../helpers/fuzz-exchange.ts';
import { holdUp } from '../../helpers/hold-up.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { metrics } from '../../helpers/server-figures.ts';

let memcached: Memcached;
let server: RunningChat;
beforeAll(async () => {
  memcached = await startMemcached();
  // A long timeout keeps the server ready, even if memcached is slow on a busy machine.
  server = await chatServerHere({ CHAT_SESSION_STORE: `${memcached.url}&timeout=9999ms` });
});
afterAll(async () => {
  await server.stop();
  await memcached.stop();
});

interface Client {
  socket: Socket;
  /** Returns everything received so far. */
  text(): string;
  /** Resolves with everything received when the server closes the connection. */
  closed: Promise<string>;
}

function open(port: number, localAddress = '127.0.0.1'): Client {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    text: () => text,
    closed: new Promise((resolve) => socket.on('close', () => resolve(text))),
  };
}

const statuses = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));

test('announces that it keeps an idle connection for 75 s', async () => {
  const client = open(server.port);
  client.socket.write(request('/healthz'));
  await expect.poll(() => client.text()).toMatch(/^Keep-Alive: timeout=75\r$/m);
});

describe('unanswered requests of one connection', () => {
  test('are answered in order if eight arrive at once', async () => {
    const client = open(server.port);
    const targets = [
      '/readyz',
      '/nothing',
      '/readyz',
      '/healthz',
      '/nothing',
      '/healthz',
      '/readyz',
      '/nothing',
    ];
    client.socket.write(targets.map((target) => request(target)).join(''));
    const expected = targets.map((target) => (target === '/nothing' ? 404 : 200));
    await expect.poll(() => statuses(client.text())).toEqual(expected);
    client.socket.write(request('/healthz'));
    await expect.poll(() => statuses(client.text())).toEqual([...expected, 200]);
  });

  test.each([
    ['nine at once', request('/healthz').repeat(9)],
    ['2,000 without a Host', 'GET / HTTP/1.1\r\n\r\n'.repeat(2000)],
    ['2,000 with an expectation', request('/', { Expect: 'x' }).repeat(2000)],
    ['2,000 by HEAD', request('/', { method: 'HEAD' }).repeat(2000)],
    [
      'a second request with 26 headers',
      request('/healthz') +
        request('/healthz', Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`X-${n}`, 'x']))),
    ],
  ])('close the connection: %s', async (_, requests) => {
    const before = (await metrics(server.url)).get('chat_closed_total{reason="pipelining"}') ?? 0;
    const client = open(server.port);
    client.socket.write(requests);
    // At most the first request was answered.
    expect(statuses(await client.closed).length).toBeLessThan(2);
    expect((await metrics(server.url)).get('chat_closed_total{reason="pipelining"}')).toBe(before + 1);
  });

  test('close the connection if an upgrade or invalid HTTP follows', async () => {
    for (const last of [
      request('/socket.io/?EIO=4&transport=websocket', upgrade),
      request('/', upgrade),
      'no HTTP\r\n\r\n',
    ]) {
      const client = open(server.port);
      client.socket.write(request('/readyz') + last);
      expect(statuses(await client.closed)).toEqual([]);
    }
  });
});

describe('a single request', () => {
  const headers = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`X-${n}`, 'x']));
  test.each([
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', '400 bad_request'],
    ['no Host in HTTP/1.0', 'GET /healthz HTTP/1.0\r\n\r\n', '200'],
    ['Host twice', 'GET /healthz HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', '400 bad_request'],
    ['100 headers', request('/healthz', headers(99)), '200'],
    ['101 headers', request('/healthz', headers(100)), '431 header_too_large'],
    [
      '101 headers for a WebSocket',
      request('/socket.io/?', { ...headers(96), ...upgrade }),
      '431 header_too_large',
    ],
    ['2,000 headers', request('/healthz', headers(1100)), '431 header_too_large'],
    ['an unknown expectation', request('/healthz', { Expect: 'x' }), '200'],
    ['an upgrade with a body', request('/socket.io/?', { ...upgrade, body: 'x' }), '400 bad_request'],
  ])('with %s is answered by $2', async (_, text, answer) => {
    expect(inShort(await say(server.port, text))).toBe(answer);
  });

  test('is answered even if the client half-closes the connection', async () => {
    const client = open(server.port);
    client.socket.end(request('/healthz'));
    expect(statuses(await client.closed)).toEqual([200]);
  });

  test.each([
    ['of 1 MB', 'Content-Length: 1000000\r\n\r\nx'],
    ['of unknown length', 'Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n'],
  ])('is answered before its body %s arrives, and closes the connection', async (_, rest) => {
    const client = open(server.port);
    client.socket.write(`POST /nothing HTTP/1.1\r\nHost: a\r\n${rest}`);
    expect(await client.closed).toMatch(/^HTTP\/1\.1 404 [\s\S]*\r\nConnection: close\r\n/);
  });

  test('is answered before its small body arrives, and keeps the connection', async () => {
    const client = open(server.port);
    client.socket.write('POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n');
    await expect.poll(() => statuses(client.text())).toEqual([404]);
    client.socket.write('x'.repeat(100) + request('/healthz'));
    await expect.poll(() => statuses(client.text())).toEqual([404, 200]);
  });
});

describe('connections of one address', () => {
  const limits = { CHAT_LIMIT_CONNECTIONS_ADDRESS: '2', CHAT_LIMIT_CONNECT_ADDRESS: '' };

  test('are limited to three times CHAT_LIMIT_CONNECTIONS_ADDRESS at once', async () => {
    const small = await chatServerHere({ ...limits, CHAT_SESSION_STORE: memcached.url });
    onTestFinished(async () => void (await small.stop()));
    const kept = Array.from({ length: 6 }, () => open(small.port));
    for (const { socket } of kept) socket.write(request('/healthz'));
    for (const client of kept) await expect.poll(() => statuses(client.text())).toEqual([200]);
    const refused = await open(small.port).closed;
    expect(inShort(refused)).toBe('429 rate_limited');
    expect(refused).toMatch(/^Retry-After: 5\r$/m);
    await expect
      .poll(() => small.output())
      .toMatch(
        /too many HTTP connections from one address: if it is your proxy, list it in CHAT_TRUSTED_PROXIES/,
      );
    const other = open(small.port, '127.0.0.2');
    other.socket.write(request('/healthz'));
    await expect.poll(() => statuses(other.text())).toEqual([200]);
    // A connection that became a WebSocket no longer counts.
    kept[0]?.socket.write(request('/socket.io/?EIO=4&transport=websocket', upgrade));
    await expect.poll(() => statuses(kept[0]?.text() ?? '')).toEqual([200, 101]);
    const next = open(small.port);
    next.socket.write(request('/healthz'));
    await expect.poll(() => statuses(next.text())).toEqual([200]);
  });

  test('are unlimited from a trusted proxy, but the concurrent requests of each address are not', async () => {
    // While memcached is stopped, requests for /readyz are not answered.
    const held = await startMemcached();
    const proxied = await chatServerHere({
      ...limits,
      CHAT_SESSION_STORE: `${held.url}&timeout=9999ms`,
      CHAT_TRUSTED_PROXIES: '127.0.0.1',
    });
    onTestFinished(async () => {
      await proxied.stop();
      await held.stop();
    });
    held.signal('SIGSTOP');
    const ask = (target: string, from?: string) => {
      const client = open(proxied.port);
      client.socket.write(request(target, from === undefined ? {} : { 'X-Forwarded-For': from }));
      return client;
    };
    const waiting = Array.from({ length: 6 }, () => ask('/readyz', '203.0.113.1'));
    const status = async (client: Client) => {
      await expect.poll(() => statuses(client.text())).toHaveLength(1);
      return inShort(client.text());
    };
    await expect.poll(() => status(ask('/healthz', '203.0.113.1'))).toBe('429 rate_limited');
    expect(await status(ask('/healthz', '203.0.113.2'))).toBe('200');
    for (let n = 0; n < 10; n++) expect(await status(ask('/healthz'))).toBe('200');
    held.signal('SIGCONT');
    // On a busy machine, the server may be not ready.
    for (const client of waiting) expect(await status(client)).toMatch(/^(?:200|503)/);
    expect(await status(ask('/healthz', '203.0.113.1'))).toBe('200');
  });
});

describe('a slow client', () => {
  /** Starts a server with only these limits and a shorter timeout. */
  async function start(answer: RequestListener, timeoutMs: number) {
    // By default, Node closes connections after five idle seconds.
    const http = createServer({ keepAliveTimeout: 0 });
    const breaches: string[] = [];
    const place = () => () => {};
    const bounds = {
      places: { keyOf: () => '', connection: place, request: place },
      onRefusal: () => {},
      onBreach: (breach: string) => breaches.push(breach),
    };
    const connections = new Connections(http, bounds, timeoutMs);
    http.on('request', (req, res) => connections.inTurn(req, res, () => answer(req, res)));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    onTestFinished(() => void http.close().closeAllConnections());
    return { port: (http.address() as AddressInfo).port, breaches };
  }

  test('is closed after the timeout if it does not read the response', async () => {
    // More than the kernel buffers for a client that does not read.
    const { port, breaches } = await start((_, res) => res.end(Buffer.alloc(32_000_000)), 500);
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    const began = performance.now();
    socket.write(request('/'));
    const timer = setInterval(() => socket.write('\r\n'), 50);
    await closed;
    clearInterval(timer);
    expect(performance.now() - began).toBeGreaterThan(500);
    expect(breaches).toEqual(['slow_reader']);
  });

  test('is closed after the timeout if it sends only line feeds', async () => {
    const { port, breaches } = await start((_, res) => res.end('done'), 500);
    const client = open(port);
    client.socket.write(request('/'));
    const began = performance.now();
    const timer = setInterval(() => client.socket.write('\r\n'), 50);
    expect(statuses(await client.closed)).toEqual([200]);
    clearInterval(timer);
    expect(performance.now() - began).toBeGreaterThan(500);
    expect(breaches).toEqual([]);
  });

  /** Opens `count` connections and writes `text` to each. */
  async function openMany(port: number, count: number, text = '') {
    const clients: Client[] = [];
    while (clients.length < count) {
      const more = Array.from({ length: Math.min(100, count - clients.length) }, () => open(port));
      await Promise.all(more.map(({ socket }) => once(socket, 'connect')));
      for (const { socket } of more) socket.write(text);
      clients.push(...more);
    }
    return clients;
  }
  const answered = (clients: readonly Client[]) =>
    clients.filter((client) => client.text().endsWith('done')).length;
  test('is answered even if 1,100 clients send their requests late', async () => {
    const { port } = await start((_, res) => res.end('done'), 60_000);
    const clients = await openMany(port, 1100);
    await pause(500);
    clients.push(...(await openMany(port, 1)));
    for (const { socket } of clients) socket.write(request('/'));
    await expect.poll(() => answered(clients)).toBe(clients.length);
  });

  test('is closed if it waited longest of 1,200 clients with half a request', async () => {
    const { port } = await start((_, res) => res.end('done'), 60_000);
    const clients = await openMany(port, 1200, 'GET / HTTP/1.1\r\n');
    await Promise.all(clients.slice(0, 200).map(({ closed }) => closed));
    const rest = clients.slice(200);
    for (const { socket } of rest) socket.write('Host: a\r\n\r\n');
    await expect.poll(() => answered(rest)).toBe(rest.length);
  });

  test('is answered if 1,100 clients send their next request while the event loop is blocked', async () => {
    // With a fixed clock, no connection waits before the event loop is blocked, however slow the machine is.
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now);
    onTestFinished(() => clock.mockRestore());
    const { port } = await start((_, res) => res.end('done'), 1000);
    const clients = await openMany(port, 1000, request('/'));
    await expect.poll(() => answered(clients)).toBe(clients.length);
    clients.push(...(await openMany(port, 100, 'GET / HTTP/1.1\r\n')));
    // The server checks four times a second which clients have started a request.
    await pause(500);
    for (const { socket } of clients.slice(0, 1000)) socket.write(request('/'));
    for (const { socket } of clients.slice(1000)) socket.write('Host: a\r\n\r\n');
    open(port);
    // Longer than the 250 ms after which waiting connections may be closed if there are too many. Timers run
    // before reads.
    holdUp(400);
    clock.mockReturnValue(now + 400);
    const answers = () => clients.reduce((sum, client) => sum + statuses(client.text()).length, 0);
    await expect.poll(answers).toBe(2100);
  });

  test('is not closed while the server takes longer than the timeout', async () => {
    // With a fixed clock, the request arrives in time, however slow the machine is.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    onTestFinished(() => clock.mockRestore());
    const { port } = await start((_, res) => {
      clock.mockRestore();
      setTimeout(() => res.end('done'), 1000);
    }, 200);
    const client = open(port);
    client.socket.write(request('/'));
    await expect.poll(() => client.text()).toMatch(/done$/);
  });
});
