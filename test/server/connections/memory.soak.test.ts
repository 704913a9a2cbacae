import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

let site: ChatSite;
beforeAll(async () => {
  // With less memory than the answers of this test would take if they were kept.
  site = await startChatSite({ NODE_OPTIONS: '--max-old-space-size=44' }, startChatServer);
});
afterAll(() => site.close());

test('a connection that sends for hours leaves nothing in memory', async () => {
  const client = await connectChat(site.chat.url, await site.session(1));
  await client.request('room:join', { room: 'lobby' });
  const message = { room: 'lobby', text: 'x'.repeat(4000), clientId: newClientId() };
  // Each is a repeat, so that neither the disk nor this test's memory grows.
  for (let n = 0; n < 120; n++) {
    await Promise.all(Array.from({ length: 100 }, () => client.request('message:send', message)));
  }
  expect((await fetch(`${site.chat.url}/healthz`)).status).toBe(200);
  client.close();
});
