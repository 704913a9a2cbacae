import { once } from 'node:events';
import { Agent } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NotFetched, request } from '../../../server/outgoing/request.ts';
import { PushServices } from '../../../server/push/push-service.ts';
import { drawVapidKey, vapidKeyOf } from '../../../server/push/vapid.ts';
import {
  browserKeys,
  decrypted,
  type PushServiceOfTest,
  startPushService,
  trust,
} from '../../helpers/push-service.ts';

const keys = browserKeys();
const vapid = vapidKeyOf(drawVapidKey());
const push = { text: Buffer.from('{"title":"Garden"}'), topic: 'a-topic', urgency: 'high' } as const;
let service: PushServiceOfTest;
let services: PushServices;

beforeAll(async () => {
  service = await startPushService();
  trust(service);
  services = new PushServices('mailto:owner@example.org', new Set([service.host]));
});
afterAll(async () => {
  services.close();
  await service.close();
});

const send = (path = '/1') => services.send(`https://${service.host}${path}`, keys, vapid, push);

test('sends a push by RFC 8030 that only the browser can decrypt', async () => {
  expect(await send()).toEqual({ is: 'sent' });
  const [taken] = service.taken.splice(0);
  expect(taken?.headers).toMatchObject({
    ttl: '86400',
    topic: 'a-topic',
    urgency: 'high',
    'content-encoding': 'aes128gcm',
    authorization: expect.stringMatching(/^vapid t=[\w-]+\.[\w-]+\.[\w-]+,k=[\w-]{87}$/),
  });
  const claims = taken?.headers.authorization?.split('.')[1] ?? '';
  expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toEqual({
    aud: `https://${service.host}`,
    exp: expect.any(Number),
    sub: 'mailto:owner@example.org',
  });
  expect(decrypted(taken?.body as Buffer, keys).toString()).toBe(push.text.toString());
  expect(() => decrypted(taken?.body as Buffer, browserKeys())).toThrow();
});

test('maps each response of a service to its outcome', async () => {
  const answers: [status: number, headers: Record<string, string>, outcome: object][] = [
    [202, {}, { is: 'sent' }],
    [404, {}, { is: 'gone' }],
    [410, {}, { is: 'gone' }],
    [413, {}, { is: 'refused', reason: 'status 413' }],
    [429, { 'retry-after': '7' }, { is: 'busy', wait: 7000, reason: 'status 429' }],
    [429, {}, { is: 'busy', wait: 0, reason: 'status 429' }],
    [503, { 'retry-after': 'soon' }, { is: 'busy', wait: 0, reason: 'status 503' }],
    [307, { location: `https://${service.host}/elsewhere` }, { is: 'refused', reason: 'status 307' }],
    [403, {}, { is: 'refused', reason: 'status 403' }],
  ];
  for (const [status, headers, outcome] of answers) {
    service.answer = (response) => response.writeHead(status, headers).end('why');
    expect(await send(), String(status)).toEqual(outcome);
  }
  expect(service.taken.splice(0).map(({ path }) => path)).toEqual(answers.map(() => '/1'));
});

test('stops reading an endless response and uses its status', async () => {
  let closed: Promise<unknown> | undefined;
  service.answer = (response) => {
    response.writeHead(201);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      if (!response.destroyed) response.once('drain', more);
    };
    closed = new Promise((done) => response.once('close', done));
    more();
  };
  expect(await send()).toEqual({ is: 'sent' });
  await closed;
  service.answer = (response) => {
    response.socket?.destroy();
  };
  expect(await send()).toEqual({ is: 'refused', reason: 'no answer (ECONNRESET)', silent: true });
  service.answer = (response) => response.writeHead(201).end();
});

test('reports a service that cannot be reached as busy', async () => {
  const closed = await startPushService();
  await closed.close();
  const others = new PushServices('mailto:owner@example.org', new Set([closed.host]));
  expect(await others.send(`https://${closed.host}/1`, keys, vapid, push)).toEqual({
    is: 'busy',
    wait: 0,
    reason: 'no answer (ECONNREFUSED)',
    silent: true,
  });
  others.close();
});

test.each([
  ...['http://fcm.googleapis.com/1', 'https://fcm.googleapis.com:8443/1', 'https://u:p@fcm.googleapis.com/1'],
  ...['https://127.0.0.1/1', 'https://169.254.169.254/latest', 'https://[::1]/1', 'https://localhost/1'],
  ...['https://[::ffff:127.0.0.1]/1', 'https://2130706433/1', 'https://0/1', 'https://example.org/1'],
  ...['https://fcm.googleapis.com.example.org/1', 'https://fcm.googleapis.com@example.org/1'],
  ...['https://push.apple.com.evil.example/1', 'https://evilpush.apple.com/1', 'https://push.apple.com/1'],
  ...['https://fcm.googleapis.com./1', 'https://example.org/?.push.apple.com', 'ftp://fcm.googleapis.com/1'],
  ...['file:///etc/passwd', '', 'https://', `https://fcm.googleapis.com/${'x'.repeat(2048)}`],
])('rejects the endpoint %s', async (endpoint) => {
  expect(services.takes(endpoint)).toBe(false);
  expect(await services.send(endpoint, keys, vapid, push)).toMatchObject({ is: 'refused' });
});

test('accepts the services of browsers as endpoints', () => {
  for (const endpoint of [
    'https://fcm.googleapis.com/fcm/send/abc:def',
    'https://updates.push.services.mozilla.com/wpush/v2/abc',
    'https://web.push.apple.com/abc',
    'https://wns2-par02p.notify.windows.com/w/?token=abc',
    'https://FCM.googleapis.com:443/fcm/send/abc',
  ]) {
    expect(services.takes(endpoint), endpoint).toBe(true);
  }
});

test('closes a connection to an internal address before it sends a byte', async () => {
  let got = '';
  const inner = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      got += bytes;
    });
  });
  await once(inner.listen(0, '127.0.0.1'), 'listening');
  const { port } = inner.address() as AddressInfo;
  const ended = once(inner, 'connection').then(([socket]) => once(socket as Socket, 'close'));
  // As if the name had resolved to another address after the check.
  const agent = Object.assign(new Agent(), { createConnection: () => connect(port, '127.0.0.1') });
  const posted = request(new URL('http://1.1.1.1/'), {
    method: 'POST',
    headers: {},
    body: Buffer.from('a secret'),
    allowed: new Set(),
    agent,
    signal: AbortSignal.timeout(60_000),
  });
  await expect(posted).rejects.toThrow(new NotFetched('not a public address'));
  await ended;
  expect(got).toBe('');
  await new Promise((done) => inner.close(done));
});
