import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { nginxLocation, nginxMap } from '../../server/init/web-server.ts';
import { connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, startChatServer, usual } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { doctorRun } from '../helpers/doctor-says.ts';
import { runNginx } from '../helpers/nginx.ts';

const session = 'a'.repeat(26);

async function settings() {
  const folder = mkdtempSync(join(tmpdir(), 'broken-'));
  writeFileSync(join(folder, `sess_${session}`), 'user_id|i:7;firstname|s:3:"Ann";');
  const history = await emptyHistory();
  onTestFinished(() => {
    history.remove();
    rmSync(folder, { recursive: true });
  });
  return {
    ...usual,
    CHAT_PORT: String(await ownPort()),
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_SESSION_STORE: `file://${folder}`,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
  };
}

/** Starts nginx with the lines that `init` prints and this time limit. @returns the address of the chat */
async function proxy(port: string, seconds: number): Promise<string> {
  const own = await ownPort();
  const lines = nginxLocation('/chat/', `127.0.0.1:${port}`).replace(
    'read_timeout 60s',
    `read_timeout ${seconds}s`,
  );
  const nginx = await runNginx(
    `${nginxMap} server { listen 127.0.0.1:${own}; ${lines} }`,
    own,
    `http://127.0.0.1:${own}/chat/healthz`,
  );
  onTestFinished(() => nginx.stop());
  return `http://127.0.0.1:${own}`;
}

test('a proxy that cuts quiet WebSockets is found by doctor --chat, and in the report without it', async () => {
  const env = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const site = await proxy(env.CHAT_PORT, 6);
  const cuts = /^✗ The proxy cuts WebSockets that are quiet for 6 s, .*\n {2}→ .*proxy_read_timeout 60s/m;
  expect((await doctorRun(env, '--chat', `${site}/chat/`)).output).toMatch(cuts);

  const options = {
    path: '/chat/socket.io/',
    extraHeaders: { cookie: `PHPSESSID=${session}`, origin: site },
  };
  const visitors = await Promise.all(Array.from({ length: 6 }, () => connectChat(site, null, options)));
  await Promise.all(visitors.map(({ disconnected }) => disconnected));
  await expect.poll(async () => (await doctorRun(env)).output).toMatch(cuts);
});

test('doctor --chat finds no fault in the proxy of the documentation', async () => {
  const env = await settings();
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const site = await proxy(env.CHAT_PORT, 60);
  const { code, output } = await doctorRun({ ...env, CHAT_ORIGINS: site }, '--chat', `${site}/chat/`);
  expect(output).toMatch(/^✓ A quiet WebSocket stays open until the first ping\.$/m);
  expect(output).not.toMatch(/^✗/m);
  expect(code).toBe(0);
});

test('a server that hangs is the first finding of the doctor', async () => {
  const env = await settings();
  const server = await startChatServer(env);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  await server.signal('SIGSTOP');
  const { code, output } = await doctorRun(env);
  expect(/^[✓!✗] .*$/m.exec(output)?.[0]).toMatch(/^✗ The chat server at .* does not answer in time/);
  expect(code).toBe(1);
});
