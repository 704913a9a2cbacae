import { setTimeout as pause } from 'node:timers/promises';
import { type TestContext, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { sessionPlaces } from '../helpers/session-places.ts';

// Long enough for a machine that stalls for a second or two between a message and the renewal.
const lifetime = 5;
const seconds = 30;

/** Keeps one user writing each second and another only reading, both for longer than a session lives. */
async function activeAndIdle(
  open: (typeof sessionPlaces)[number]['open'],
  { expect, onTestFinished }: TestContext,
): Promise<void> {
  const place = await open(`lifetime=${lifetime}`);
  onTestFinished(() => place.close());
  const php = await startPhpApp({ env: { SESSION_STORE: place.url } });
  onTestFinished(async () => void (await php.stop()));
  const chat = await chatServerHere({
    CHAT_SESSION_STORE: place.url,
    CHAT_SESSION_CHECK: '200ms',
  });
  onTestFinished(async () => void (await chat.stop()));
  const join = async (name: string) => {
    const cookie = await php.login(name);
    const client = await connectChat(chat.url, cookie);
    await client.request('room:join', { room: 'lobby' });
    return { client, cookie };
  };
  const active = await join('alice');
  const idle = await join('bob');
  let idleEnded: string | undefined;
  void idle.client.ended.then(({ reason }) => {
    idleEnded = reason;
  });
  const send = (client: ChatClient) =>
    client.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
  for (let n = 0; n < seconds; n++) {
    await send(active.client);
    await pause(1000);
  }
  expect(idleEnded).toBe('expired');
  expect(active.client.socket.connected).toBe(true);
  // The session is also alive in PHP, and the chat does not restore it after a logout.
  await php.logout(active.cookie);
  expect((await active.client.ended).reason).toBe('logout');
  const form = await (await fetch(`${php.url}/`, { headers: { cookie: active.cookie } })).text();
  expect(form).toContain('name="password"');
  // A store on a busy machine may respond late. The next renewal is in time.
  expect(chat.output().replaceAll(/.*did not answer within.*/g, '')).not.toContain('could not renew');
}

test.concurrent.for(sessionPlaces)(
  `a session of ${lifetime} s lasts ${seconds} s with an active chat, and expires with an idle one: $name`,
  ({ open }, context) => activeAndIdle(open, context),
);
