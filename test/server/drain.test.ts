import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { hanging } from '../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { say, startPeopleSite } from '../helpers/people.ts';
import { pushKeyOf, startPushService, subscription, trust } from '../helpers/push-service.ts';

let memcached: Memcached;
const history = historyFolder();
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 12; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(async () => {
  await memcached.stop();
  history.remove();
});

test('answers accepted requests after SIGTERM before it exits', async () => {
  const env = { CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url };
  const server = await startChatServer(env);
  const connect = (n: number, transports = ['websocket']) =>
    connectChat(server.url, `PHPSESSID=u${n}`, { transports });
  const clients = await Promise.all(Array.from({ length: 4 }, (_, n) => connect(n + 1)));
  const polling = await connect(11, ['polling']);
  await polling.request('room:join', { room: 'lobby' });

  // Joins and sends alternate: each send waits for the preceding join.
  const stored = new Set<string>();
  const answered: string[][] = [];
  for (const client of clients) {
    const codes: string[] = [];
    answered.push(codes);
    for (let n = 0; n < 20; n++) {
      const clientId = newClientId();
      for (const [event, payload] of [
        ['room:join', { room: 'lobby' }],
        ['message:send', { room: 'lobby', text: clientId, clientId }],
      ] as const) {
        client.raw(event, payload).then(
          (answer) => {
            codes.push(answer.ok ? 'ok' : answer.error.code);
            if (answer.ok && event === 'message:send') stored.add(clientId);
          },
          () => {},
        );
      }
    }
  }
  // Now some requests are in flight. On a busy machine the server may have read only part of them when it stops.
  await expect.poll(() => stored.size, { interval: 1 }).toBeGreaterThan(0);
  const exit = server.stop('SIGTERM');
  for (const client of [...clients, polling]) expect(await client.disconnected).toBe('transport close');
  // The exit code would not be 0 after 9.5 s.
  expect(await exit).toBe(0);

  for (const codes of answered) {
    expect(codes.filter((code) => code !== 'ok' && code !== 'server_draining')).toEqual([]);
  }
  expect(server.output()).not.toContain('the history is closed');
  const again = await chatServerHere(env);
  const reader = await connectChat(again.url, 'PHPSESSID=u12');
  const { messages } = await reader.request('room:sync', { room: 'lobby', since: 0, limit: 500 });
  // Each stored message was acknowledged, and each acknowledged message is stored.
  expect(new Set(messages.map(({ clientId }) => clientId))).toEqual(stored);
  reader.close();
  await again.stop();
});

test('closes connections one by one during CHAT_DRAIN and still serves the others', async () => {
  const server = await chatServerHere({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_DRAIN: '1h',
  });
  const clients = await Promise.all(
    [1, 2, 3, 4].map((user) => connectChat(server.url, `PHPSESSID=u${user}`)),
  );
  for (const client of clients) await client.request('room:join', { room: 'lobby' });
  const exit = server.stop();
  await Promise.race(clients.map(({ disconnected }) => disconnected));
  const staying = clients.filter(({ socket }) => socket.connected);
  expect(staying).toHaveLength(3);
  const [one, two, three] = staying as [ChatClient, ChatClient, ChatClient];

  expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ missing: ['draining'] });
  const refused = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'server_draining' } }]);
  const { message } = await one.request('message:send', {
    room: 'lobby',
    text: 'still here',
    clientId: newClientId(),
  });
  await expect.poll(() => two.messages()).toEqual([message]);
  await memcached.delete(`sessions/u${three.ready.user.id}`);
  expect((await three.ended).reason).toBe('logout');
  one.close();
  two.close();
  expect(await exit).toBe(0);
});

/** Resolves to `late` if the server still runs half a second before the deadline at which its process would give up. */
const ended = (server: RunningChat) => Promise.race([server.stop(), pause(9500, 'late', { ref: false })]);

againInSoak('stops within CHAT_DRAIN and 2 s, spreading the disconnects over that time', async () => {
  const server = await chatServerHere({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
    // A slow machine has a quarter of this plus 1.5 s left after the last connection is closed.
    CHAT_DRAIN: '8s',
  });
  const clients = await Promise.all(
    [9, 10, 11, 12].map((user) => connectChat(server.url, `PHPSESSID=u${user}`)),
  );
  const began = performance.now();
  const end = ended(server);
  await Promise.all(clients.map(({ disconnected }) => disconnected));
  // The last quarter is kept for the last connection.
  expect((performance.now() - began) / 1000).toBeGreaterThan(4);
  expect(await end).toBe(0);
});

againInSoak('stops although push services do not answer', async () => {
  const service = await startPushService();
  trust(service);
  service.answer = () => {};
  const [keyFile, account] = [`${history.path}.push-key`, `${history.path}.account`];
  writeFileSync(keyFile, randomBytes(32).toString('base64'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(
    account,
    JSON.stringify({
      type: 'service_account',
      project_id: 'garden',
      client_email: 'chat@garden.example',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: `https://${service.host}/token`,
    }),
  );
  const site = await startPeopleSite({
    CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
    CHAT_PUSH_KEY_FILE: keyFile,
    CHAT_PUSH_HOSTS: service.host,
    CHAT_FCM: account,
  });
  onTestFinished(async () => {
    await site.close();
    await service.close();
  });
  const [ann, ben] = [await site.person(), await site.person({ mail: 'ben@site.example' })];
  await ben.request('notify:set', { quiet: null });
  const den = await site.den(ann, [ben]);
  await ann.request('room:join', { room: den.id });
  await ben.request('device:register', subscription(service, await pushKeyOf(site.chat)));
  await ben.request('device:register', { token: 'app:1' });
  await say(ann, den.id);
  await vi.waitUntil(() => service.taken.length === 2, { timeout: hanging });
  expect(await ended(site.chat)).toBe(0);
});
