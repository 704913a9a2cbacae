import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Fcm, readServiceAccount } from '../../../server/push/fcm.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

interface Asked {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Requests to the test server, which acts as FCM and as its token server. */
let asked: Asked[] = [];
let answer: (response: ServerResponse) => void;
let token: (response: ServerResponse) => void;
const service = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  asked.push({ path: request.url ?? '', headers: request.headers, body });
  if (request.url === '/token') token(response);
  else answer(response);
});
let origin: string;
beforeAll(async () => {
  await once(service.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});
afterAll(() => {
  service.closeAllConnections();
  service.close();
});
beforeEach(() => {
  asked = [];
  answer = (response) => response.writeHead(200).end('{"name":"projects/garden/messages/1"}');
  token = (response) => response.writeHead(200).end('{"access_token":"secret-token","expires_in":3600}');
});

const file = (over: object = {}) =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'garden',
    client_email: 'chat@garden.example',
    private_key: pem,
    token_uri: `${origin}/token`,
    ...over,
  });
const open = () => {
  const account = readServiceAccount(file());
  if (account === undefined) throw new Error('no service account');
  return new Fcm(account, origin);
};
const push = { data: { room: 'den', seq: '7', unread: '2' }, isUrgent: true };

test('sends data messages with one access token from a signed assertion', async () => {
  const fcm = open();
  expect(await Promise.all([fcm.send('device-1', push), fcm.send('device-2', push)])).toEqual([
    { is: 'sent' },
    { is: 'sent' },
  ]);
  expect(await fcm.send('device-3', { ...push, isUrgent: false })).toEqual({ is: 'sent' });
  const [tokens, sent] = [true, false].map((is) => asked.filter(({ path }) => (path === '/token') === is));
  expect(tokens).toHaveLength(1);
  const form = new URLSearchParams(tokens?.[0]?.body);
  expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
  const [head = '', claims = '', signature = ''] = form.get('assertion')?.split('.') ?? [];
  expect(
    verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      createPublicKey(privateKey),
      Buffer.from(signature, 'base64url'),
    ),
  ).toBe(true);
  const { iat, exp, ...said } = JSON.parse(Buffer.from(claims, 'base64url').toString());
  expect(said).toEqual({
    iss: 'chat@garden.example',
    scope: 'https://www.googleapis.com/auth/firebase.messaging',
    aud: `${origin}/token`,
  });
  expect(exp - iat).toBeLessThanOrEqual(3600);
  expect(sent?.map(({ path }) => path)).toEqual(Array(3).fill('/v1/projects/garden/messages:send'));
  expect(sent?.[0]?.headers.authorization).toBe('Bearer secret-token');
  const messages = sent?.map(({ body }) => JSON.parse(body).message);
  expect(messages).toContainEqual({
    token: 'device-1',
    data: push.data,
    android: { priority: 'high', ttl: '86400s' },
  });
  expect(messages?.at(-1)).toMatchObject({ token: 'device-3', android: { priority: 'normal' } });
});

const failure = (status: number, errorCode?: string) =>
  JSON.stringify({ error: { code: status, details: errorCode === undefined ? [] : [{ errorCode }] } });

test('maps each response to its outcome', async () => {
  const fcm = open();
  const answers: [
    status: number,
    code: string | undefined,
    headers: Record<string, string>,
    outcome: object,
  ][] = [
    [404, 'UNREGISTERED', {}, { is: 'gone' }],
    [403, 'SENDER_ID_MISMATCH', {}, { is: 'refused', reason: 'status 403 SENDER_ID_MISMATCH' }],
    [404, undefined, {}, { is: 'refused', reason: 'status 404' }],
    [400, 'INVALID_ARGUMENT', {}, { is: 'refused', reason: 'status 400 INVALID_ARGUMENT' }],
    [
      429,
      'QUOTA_EXCEEDED',
      { 'retry-after': '7' },
      { is: 'busy', wait: 7000, reason: 'status 429 QUOTA_EXCEEDED' },
    ],
    [503, 'UNAVAILABLE', {}, { is: 'busy', wait: 0, reason: 'status 503 UNAVAILABLE' }],
    [500, 'a secret', {}, { is: 'busy', wait: 0, reason: 'status 500' }],
  ];
  for (const [status, code, headers, outcome] of answers) {
    answer = (response) => response.writeHead(status, headers).end(failure(status, code));
    expect(await fcm.send('device', push), `${status} ${code}`).toEqual(outcome);
  }
});

test('retries a push once with a new token after the old one is rejected', async () => {
  const fcm = open();
  expect(await fcm.send('device', push)).toEqual({ is: 'sent' });
  token = (response) => response.writeHead(200).end('{"access_token":"new-token","expires_in":3600}');
  const said: (string | undefined)[] = [];
  answer = (response) => {
    said.push(asked.at(-1)?.headers.authorization);
    response.writeHead(said.at(-1) === 'Bearer new-token' ? 200 : 401).end();
  };
  expect(await Promise.all([fcm.send('device', push), fcm.send('other', push)])).toEqual([
    { is: 'sent' },
    { is: 'sent' },
  ]);
  expect(said).toEqual([...Array(2).fill('Bearer secret-token'), ...Array(2).fill('Bearer new-token')]);
  expect(asked.filter(({ path }) => path === '/token')).toHaveLength(2);
});

test('sends nothing after a rejected token until a new one is issued', async () => {
  const fcm = open();
  answer = (response) => response.writeHead(401).end();
  expect(await fcm.send('device', push)).toEqual({ is: 'refused', reason: 'status 401' });
  token = (response) => response.writeHead(400).end('{"error":"invalid_grant"}');
  asked = [];
  expect(await fcm.send('device', push)).toEqual({ is: 'refused', reason: 'no token: status 400' });
  expect(asked.map(({ path }) => path)).toEqual(['/token']);
  token = (response) => response.writeHead(503).end();
  expect(await fcm.send('device', push)).toEqual({ is: 'busy', wait: 0, reason: 'no token: status 503' });
  token = (response) => response.destroy();
  expect(await fcm.send('device', push)).toMatchObject({ is: 'busy', silent: true });
  token = (response) => {
    response.writeHead(200);
    const more = () => {
      while (response.write('x'.repeat(64 * 1024))) if (response.destroyed) return;
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  expect(await fcm.send('device', push)).toEqual({ is: 'refused', reason: 'the response is too long' });
});

test.each([
  ['that is not JSON', '{'],
  ['that is not an object', 'null'],
  ['of another type', '{"type":"authorized_user"}'],
  ['without a key', file({ private_key: undefined })],
  ['with a broken key', file({ private_key: 'x' })],
  ['without a token URL', file({ token_uri: 'token' })],
])('rejects a service account file %s', (_, text) => {
  expect(readServiceAccount(text)).toBeUndefined();
});
