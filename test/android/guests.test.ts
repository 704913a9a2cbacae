import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { origin, upload } from '../helpers/files.ts';
import { nextJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({
    ...{ CHAT_GUESTS: 'write', CHAT_GUEST_ROOMS: 'support', CHAT_ROOMS: 'support', CHAT_ORIGINS: origin },
  });
});
afterAll(() => site.close());

/** Connects an app. Its HTTP client sends this session cookie. */
async function start(guest: string, cookie = 'PHPSESSID=none') {
  const app = nextJavaClient();
  onTestFinished(() => app.end());
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: cookie.split('=')[1] });
  await app.ask('chat', { server: site.chat.url, guest, name: 'Eve' });
  await app.ask('start');
  return app;
}
const newSecret = () => randomBytes(32).toString('base64url');

test('an app without a login exchanges messages and downloads files as a guest', async () => {
  const app = await start(newSecret());
  expect(await app.isTold('identity')).toMatchObject({
    user: expect.stringMatching(/^g-/),
    roles: ['GUEST'],
  });
  const ann = await site.person();
  await ann.request('room:join', { room: 'support' });
  await app.ask('open', { room: 'support' });
  await app.ask('send', { room: 'support', text: 'hello' });
  await expect.poll(() => ann.messages().at(-1)).toMatchObject({ user: { name: 'Guest Eve' } });
  const { file } = await upload(site.chat.url, ann.cookie, 'text', { room: 'support' });
  await ann.request('message:send', {
    ...{ room: 'support', text: 'a file', clientId: newClientId(), files: [{ id: file.id }] },
  });
  await app.isTold('messages', ({ last }) => last === 'a file');
  const { seq } = (await app.messages('support')).at(-1) ?? {};
  expect(await app.ask('download', { seq, index: 0 })).toMatchObject({ status: 200 });
  ann.close();
});

test('an app with a login connects the user', async () => {
  const ann = await site.person();
  const app = await start(newSecret(), ann.cookie);
  expect(await app.isTold('identity')).toMatchObject({ user: ann.id });
  ann.close();
});
