import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { siteDatabase } from '../../helpers/application-site.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { chatProgram } from '../../helpers/chat-server.ts';
import { startChild } from '../../helpers/child.ts';
import { phpbbSite } from '../../helpers/phpbb.ts';

const db = await siteDatabase('sqlite');

/** Creates a site for one test. */
async function phpBB() {
  const site = await phpbbSite(db);
  onTestFinished(async () => void (await site.remove()));
  return site;
}

async function chatOf(folder: string, env: NodeJS.ProcessEnv = {}) {
  const server = await chatServerHere({ CHAT_SITE: folder, ...env });
  onTestFinished(async () => void (await server.stop()));
  return server;
}

test('admits a session only from its address and browser, until the logout', async () => {
  const { folder, logIn } = await phpBB();
  const server = await chatOf(folder);
  const device = await logIn('7', { name: 'Ann &amp; Co', address: '127.0.0.1' });
  const client = await connectChat(server.url, device.cookies);
  expect(client.ready).toMatchObject({ user: { id: '7', name: 'Ann & Co' }, roles: [] });
  for (const elsewhere of [{ address: '203.0.113.9' }, { address: '127.0.0.1', browser: 'Another' }]) {
    const { cookies } = await logIn('7', elsewhere);
    await expect(connectChat(server.url, cookies)).rejects.toThrow('unauthorized');
  }
  await device.logOut();
  expect(await client.ended).toMatchObject({ reason: 'logout' });
  expect(server.output()).not.toContain(device.sid);
});

test('checks each connection of a session against IP bans by the connection’s own address', async () => {
  const { folder, logIn, insert } = await phpBB();
  const server = await chatOf(folder, { CHAT_TRUSTED_PROXIES: '127.0.0.1' });
  const { cookies } = await logIn('7', { address: '203.0.113.9' });
  const from = (address: string) =>
    connectChat(server.url, null, { extraHeaders: { cookie: cookies, 'x-forwarded-for': address } });
  const [first, second] = [await from('203.0.113.77'), await from('203.0.113.78')];
  await insert('banlist', { ban_ip: '203.0.113.78' });
  expect(await second.ended).toMatchObject({ reason: 'logout' });
  await first.request('room:join', { room: 'lobby' });
  await insert('banlist', { ban_ip: '203.0.113.77' });
  expect(await first.ended).toMatchObject({ reason: 'logout' });
});

test('rejects unusable settings and an unreadable configuration with run --check as with run', async () => {
  const { folder } = await phpBB();
  chmodSync(folder, 0o755);
  /** Returns the exit code and the output. Root may read everything, so the program runs as another account. */
  const outcome = async (env: NodeJS.ProcessEnv, ...options: string[]) => {
    const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    const child = startChild(process.execPath, [...chatProgram, ...options], {
      cwd: join(import.meta.dirname, '../../..'),
      env: { PATH: process.env.PATH, CHAT_SITE: folder, CHAT_PORT: '0', NODE_COMPILE_CACHE: folder, ...env },
      ...nobody,
    });
    const code = await new Promise((resolve) => child.process.on('close', resolve));
    return { code, said: child.output().replace(/^\{.*\n/gm, '') };
  };
  const both = async (env: NodeJS.ProcessEnv) => {
    const [checked, started] = await Promise.all([outcome(env, '--check'), outcome(env)]);
    expect(started).toEqual(checked);
    return checked;
  };
  const own = mkdtempSync(join(tmpdir(), 'own-'));
  onTestFinished(() => rmSync(own, { recursive: true }));
  chmodSync(own, 0o777);
  const checked = await outcome({ CHAT_HISTORY: `sqlite:${own}/chat.db`, CHAT_FILES: 'off' }, '--check');
  expect(checked).toEqual({
    code: 1,
    said: expect.stringMatching(
      /^✓ The settings can be used\.\n✗ The server cannot read logins.*\(EACCES\)[\s\S]*^Not checked: /m,
    ),
  });
  expect(await both({ CHAT_USER_REQUIRE: 'a', CHAT_USER_BANNED: 'b' })).toEqual({
    code: 78,
    said: expect.stringContaining('CHAT_USER_REQUIRE, CHAT_USER_BANNED: phpBB determines this itself'),
  });
  chmodSync(join(folder, 'config.php'), 0o000);
  expect(await both({})).toEqual({
    code: 78,
    said: expect.stringContaining(
      `${folder}/config.php cannot be read (EACCES): npm run doctor prints the commands that let this account`,
    ),
  });
});
