import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { makeCertificate } from '../../helpers/certificate.ts';
import { failureOf } from '../../helpers/redis.ts';
import { startSessionServer } from '../../helpers/session-server.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched } from '../../helpers/watched.ts';
import { everything } from '../../helpers/whole-error.ts';

const token = 'a-token-of-this-test';
let folder: string;
const file = (name: string, content?: string) => {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, content);
  return path;
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'session-server-'));
  file('token', `${token}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = (url: string) => {
  const store = parseStoreUrl(url).open();
  onTestFinished(() => store.close());
  return store;
};
const start = async (env: NodeJS.ProcessEnv) => {
  const server = await startSessionServer(env);
  onTestFinished(async () => void (await server.stop()));
  return server;
};

test('a token: with it sessions are read and watched; a wrong one, or none, is told, and never repeated', async () => {
  const server = await start({ SESSION_SERVER_AUTH_FILE: file('token') });
  const url = `session-server://127.0.0.1:${server.port}`;
  expect(await open(`${url}?auth_file=${file('token')}`).get('one')).toBeNull();
  await watched(open(`${url}?auth_file=${file('token')}`)).works;

  const none = open(url);
  expect(await failureOf(none.get('one'))).toMatch(/wants a token: auth_file= names the file/);
  const other = 'some-other-token';
  const wrong = open(`${url}?auth_file=${file('wrong', other)}`);
  const failure = await wrong.get('one').catch((error: unknown) => error);
  expect(String(failure)).toMatch(/refuses the token of auth_file=/);
  expect(everything(failure)).not.toContain(other);
  const watch = watched(open(`${url}?auth_file=${file('wrong')}`));
  const told = await watch.until({ kind: 'lost' }, 0);
  expect(everything('reason' in told ? told.reason : null)).toMatch(/refuses the token/);
  expect(everything('reason' in told ? told.reason : null)).not.toContain(other);
});

test('over a unix socket', async () => {
  const path = join(folder, 'sessions.sock');
  await start({ SESSION_SERVER_SOCKET: path });
  expect(await open(`session-server://${path}`).get('one')).toBeNull();
  await watched(open(`session-server://${path}`)).works;
  expect(await failureOf(open(`session-server://${path}.none`).get('one'))).toMatch(/\(ENOENT\)/);
});

test('with TLS: the certificate is checked, whatever the environment says', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { certificate, key } = makeCertificate(folder, 'localhost');
  const server = await start({ SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key });
  const url = (host: string, more = '') => `session-server://${host}:${server.port}?tls=on${more}`;
  const sessions = open(url('localhost', `&ca=${certificate}`));
  expect(await sessions.get('one')).toBeNull();
  await watched(open(url('localhost', `&ca=${certificate}`))).works;
  expect(await failureOf(open(url('localhost')).get('one'))).toMatch(/certificate is not trusted; ca= names/);
  const elsewhere = open(url('127.0.0.1', `&ca=${certificate}`));
  expect(await failureOf(elsewhere.get('one'))).toMatch(/certificate is for another host/);
});

test('a session server of old is named as one', async () => {
  const proxy = await startTcpProxy((await start({})).port, (_, client) => {
    client.write('err unknown command\r\n');
  });
  onTestFinished(() => proxy.close());
  const sessions = open(`session-server://127.0.0.1:${proxy.port}`);
  expect(await failureOf(sessions.get('one'))).toMatch(/is of another kind/);
});

test.each([
  ['session-server://', /names no host, and no socket/],
  ['session-server:///', /names no host, and no socket/],
  ['session-server://one,two', /names one host/],
  ['session-server://me:secret@host', /takes no user/],
  ['session-server://host/run/x.sock', /either a host or a socket/],
  ['session-server:///run/x.sock?tls=on', /not for a socket/],
  ['session-server://host?ca=/none', /ca= is for tls=on/],
  ['session-server://host?tls=yes', /tls= is on or off/],
  ['session-server://host?prefix=x', /prefix= is not an option/],
  ['session-server://host?auth_file=/none', /cannot be read, or is not one word/],
])('%s is refused', (url, reason) => {
  expect(() => parseStoreUrl(url)).toThrow(reason);
});

test.each([
  ['a file that holds no token', () => file('secrets', 'two secret words')],
  ['the token itself', () => 'secret'],
])('%s in place of a file with one is refused, and not repeated', (_, given) => {
  let failure: unknown;
  try {
    parseStoreUrl(`session-server://host?auth_file=${given()}`);
  } catch (error) {
    failure = error;
  }
  expect(String(failure)).toMatch(/cannot be read, or is not one word/);
  expect(everything(failure)).not.toContain('secret');
});
