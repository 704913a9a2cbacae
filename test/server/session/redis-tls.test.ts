import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { SessionStore } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { freePort } from '../../helpers/child.ts';
import { failureOf, type Redis, startRedis } from '../../helpers/redis.ts';

let redis: Redis;
let port: number;
const closing: (() => void)[] = [];

const file = (name: string) => join(redis.folder, name);
const settings = (certificate: string) => ({
  'tls-cert-file': file(`${certificate}.pem`),
  'tls-key-file': file(`${certificate}.key`),
  'tls-ca-cert-file': file('ca.pem'),
  'tls-auth-clients': 'no',
  'tls-port': String(port),
});
const use = (certificate: string) =>
  redis.ask('CONFIG', 'SET', ...Object.entries(settings(certificate)).flat());

beforeAll(async () => {
  [redis, port] = await Promise.all([startRedis(), freePort()]);
  const certify = (name: string, options: string) => {
    const key = `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key`;
    const command = `req -x509 ${key} -out ${name}.pem -subj /CN=${name} ${options}`;
    execFileSync('openssl', command.trim().split(' '), { cwd: redis.folder, stdio: 'ignore' });
  };
  certify('ca', '-days 2');
  certify('here', '-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1');
  certify('elsewhere', '-CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:elsewhere.example');
  await redis.ask('SET', 'PHPREDIS_SESSION:one', 'user_id|i:7;');
});
afterAll(() => redis.remove());
afterEach(() => {
  for (const close of closing.splice(0)) close();
  vi.unstubAllEnvs();
});

function store(options = ''): SessionStore {
  const opened = parseStoreUrl(`rediss://127.0.0.1:${port}${options}`).open();
  closing.push(() => opened.close());
  return opened;
}

test('with the certificate of an authority of one’s own', async () => {
  await use('here');
  expect(String(await store(`?ca=${file('ca.pem')}`).get('one'))).toBe('user_id|i:7;');
});

test('one of an unknown authority, or for another host, is refused, whatever the environment says', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  await use('here');
  expect(await failureOf(store().get('one'))).toMatch(/certificate is not trusted; ca= names/);
  await use('elsewhere');
  const sessions = store(`?ca=${file('ca.pem')}`);
  expect(await failureOf(sessions.get('one'))).toMatch(/certificate is for another host/);
});

test('closed at any moment until the first answer, while it connects too: no connection stays', async () => {
  await use('here');
  let answered = false;
  for (let after = 0; !answered; after += 0.25) {
    const sessions = store(`?ca=${file('ca.pem')}`);
    const answer = sessions.get('one').then(Boolean, () => false);
    const until = performance.now() + after;
    while (performance.now() < until) await new Promise(setImmediate);
    sessions.close();
    answered = await answer;
  }
  const connections = async () => String(await redis.ask('CLIENT', 'LIST')).match(/^id=/gm)?.length;
  // That of this question.
  await expect.poll(connections).toBe(1);
});
