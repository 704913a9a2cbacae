import { expect, onTestFinished, test } from 'vitest';
import { siteDatabase } from '../../helpers/application-site.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
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
