import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../helpers/certificate.ts';
import { type ChatServer, startChatServer } from '../helpers/chat-server.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { configOf } from '../helpers/config.ts';
import { advised, runNginx, untilAnswered } from '../helpers/nginx.ts';
import { ticketKeys } from '../helpers/tickets.ts';

const page = 'sites/tickets.md';
const host = 'chat.example.org';
const tickets = ticketKeys();
const folder = mkdtempSync(join(tmpdir(), 'chat-docs-tickets-'));
const { certificate, key } = makeCertificate(folder, host);
let chat: ChatServer;

/** The settings of the page. */
const settings = Object.fromEntries(
  [
    ...readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8').matchAll(
      /^ {3}(CHAT_\w+)=(.*)$/gm,
    ),
  ].map(([, name, value = '']) => [name, value]),
) as Record<string, string>;

beforeAll(async () => {
  const here = Object.entries(settings).map(([name, value]) => [
    name,
    value
      .replace('/etc/php-session-chat/ticket-key', tickets.env.CHAT_TICKET_KEY_FILE)
      .replace('/var/lib', folder),
  ]);
  mkdirSync(join(folder, 'php-session-chat/main'), { recursive: true });
  chat = await startChatServer(Object.fromEntries(here));
});
afterAll(async () => {
  await chat.stop();
  tickets.remove();
  rmSync(folder, { recursive: true });
});

test('the settings listen on this machine only, and store in a folder that does not depend on the start', () => {
  const { host, history, files } = configOf({
    ...settings,
    CHAT_TICKET_KEY_FILE: tickets.env.CHAT_TICKET_KEY_FILE,
  });
  expect(host).toBe('127.0.0.1');
  expect([history, files]).toMatchObject([
    { path: expect.stringMatching(/^\//) },
    { folder: expect.stringMatching(/^\//) },
  ]);
});

/** Sends a request over TLS, as a browser on a page of the site. */
const ask = (port: number, path: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const address = { host: '127.0.0.1', port, servername: host, ca: readFileSync(certificate), path };
    const sent = request({
      ...address,
      headers: { Host: host, Origin: 'https://www.example.org', ...headers },
    });
    sent.on('error', reject);
    sent.on('response', async (answer) => resolve({ status: answer.statusCode, body: await text(answer) }));
    sent.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode, body: '' });
    });
    sent.end();
  });

async function expectChat(port: number): Promise<void> {
  expect(await ask(port, '/healthz')).toEqual({ status: 200, body: '{"status":"ok"}' });
  expect(await ask(port, '/readyz')).toEqual({ status: 200, body: '{"status":"ready"}' });
  expect((await ask(port, '/metrics')).status).toBe(404);
  const ticket = tickets.ticket({ aud: settings.CHAT_TICKET_AUDIENCE });
  const { body } = await ask(port, '/me', { Authorization: `Ticket ${ticket}` });
  expect(JSON.parse(body)).toMatchObject({ user: { id: '7' } });
  const upgrade = {
    ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
    ...{ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64') },
  };
  expect((await ask(port, '/socket.io/?EIO=4&transport=websocket', upgrade)).status).toBe(101);
}

const here = (block: string) =>
  block
    .replaceAll(/\/etc\/letsencrypt\/live\/chat\.example\.org\/fullchain\.pem/g, certificate)
    .replaceAll(/\/etc\/letsencrypt\/live\/chat\.example\.org\/privkey\.pem/g, key)
    .replace('http://127.0.0.1:7070', chat.url);

test('nginx with the lines of docs/sites/tickets.md forwards the chat over TLS', async () => {
  const [port, plain] = [await ownPort(), await ownPort()];
  const block = here(advised(page, 'nginx', 'map '))
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    // The helper waits for a response without TLS.
    .replace('listen [::]:443 ssl', `listen 127.0.0.1:${plain}`);
  const nginx = await runNginx(block, plain, `http://127.0.0.1:${plain}/healthz`);
  await expectChat(port);
  await nginx.stop();
});

test('Apache with the lines of docs/sites/tickets.md forwards the chat over TLS', async () => {
  const [port, plain] = [await ownPort(), await ownPort()];
  const modules = ['mpm_event', 'authz_core', 'ssl', 'proxy', 'proxy_http'].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  const file = join(folder, 'apache.conf');
  writeFileSync(
    file,
    [
      `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/apache.pid\nDefaultRuntimeDir ${folder}`,
      `ErrorLog ${folder}/apache.log\nUser www-data\nGroup www-data\n${modules.join('\n')}`,
      `Listen 127.0.0.1:${port}\nListen 127.0.0.1:${plain}`,
      here(advised(page, 'apache', '<VirtualHost ')).replace('*:443', `*:${port}`),
      // The helper waits for a response without TLS.
      `<VirtualHost *:${plain}>\nProxyPass "/" "${chat.url}/"\n</VirtualHost>`,
    ].join('\n'),
  );
  const apache = startChild('/usr/sbin/apache2', ['-X', '-f', file], { env: { PATH: process.env.PATH } });
  await untilAnswered(`http://127.0.0.1:${plain}/healthz`, apache);
  await expectChat(port);
  // Otherwise Apache waits up to 60 s for connections that it keeps.
  await apache.stop('SIGKILL');
});
