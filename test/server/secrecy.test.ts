import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';

const apiKey = 'key-that-nobody-may-see-0123456789';
let site: ChatSite;
beforeAll(async () => {
  site = await startChatSite(
    { CHAT_API_KEY: apiKey, CHAT_LOG_LEVEL: 'trace', CHAT_SESSION_CHECK: '50ms' },
    startChatServer,
  );
});
afterAll(() => site.close());

test('keeps session IDs, cookies, keys, session data and message texts out of all output', async () => {
  const cookies: string[] = [];
  const remember = async (cookie: Promise<string> | string) => {
    cookies.push(await cookie);
    return cookie;
  };
  const text = 'a text that is nobody else’s business';
  const origin = 'https://evil.example';

  const good = await remember(site.session(1));
  const client = await connectChat(site.chat.url, good);
  await client.request('room:join', { room: 'lobby' });
  await client.request('message:send', { room: 'lobby', text, clientId: newClientId() });
  for (const payload of [
    { room: 'lobby', text, clientId: '!' },
    { room: 'cellar', text, clientId: 'a' },
    { text },
    text,
  ]) {
    await client.raw('message:send', payload);
  }
  await client.raw(text, {});
  const [, id] = good.split('=');
  const native = await connectChat(site.chat.url, null, { auth: { session: id } });

  for (const bytes of [
    '{"user_id":true,"password":"hunter2"}',
    '{"user_id":1,"password":"hunter2"',
    'password|s:7:"hunter2";',
  ]) {
    await refusalOf(connectChat(site.chat.url, await remember(site.rawSession(bytes))));
  }
  for (const reason of ['user_id is not a user id', 'the bytes look like json', 'the bytes look like php"']) {
    await site.chat.until(new RegExp(reason));
  }
  await refusalOf(connectChat(site.chat.url, await remember('PHPSESSID=unknownunknownunknown')));
  await refusalOf(connectChat(site.chat.url, await remember('PHPSESSID=not%20an%20id')));
  await refusalOf(connectChat(site.chat.url, good, { extraHeaders: { cookie: good, origin } }));
  await refusalOf(connectChat(site.chat.url, null, { query: { PHPSESSID: id } }));
  for (const path of [`/nothing?PHPSESSID=${id}`, `/socket.io/?EIO=4&transport=polling&sid=${id}`]) {
    await fetch(site.chat.url + path, { headers: { cookie: good, authorization: `Bearer ${apiKey}` } });
  }

  site.memcached.signal('SIGSTOP');
  await site.chat.until(/session store not responding/);
  await refusalOf(connectChat(site.chat.url, good));
  site.memcached.signal('SIGCONT');
  await site.chat.until(/responding again/);
  await site.memcached.set(site.key(good), '{"user_id":2,"password":"hunter2"}');
  await client.ended;
  await native.ended;
  const metrics = await (await fetch(`${site.chat.url}/metrics`)).text();
  expect(await site.chat.stop()).toBe(0);

  const output = site.chat.output() + metrics;
  expect(output).toContain('"msg":"stopped"');
  const secrets = [text, 'nobody else', 'hunter2', 'not-for-the-log', apiKey, 'PHPSESSID='];
  for (const secret of [...secrets, ...cookies.map((cookie) => cookie.slice('PHPSESSID='.length))]) {
    expect(output.includes(secret), `a secret of ${secret.length} characters is in the output`).toBe(false);
  }
});
