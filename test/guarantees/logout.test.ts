import { expect, onTestFinished, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { startChatSite } from '../helpers/chat-site.ts';
import { within } from '../helpers/hanging.ts';
import { logOutAll, manyVisitors } from '../helpers/logouts.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { sessionPlaces } from '../helpers/session-places.ts';
import { size } from './size.ts';

const sessions = size(50, 2);
const tabs = size(3, 2);
/** For the other stores, the soak run tests that a logout ends the connections. */
const few = sessionPlaces.filter(({ name }) => name.startsWith('memcached, our'));

// The full run is sequential.
size(test, test.concurrent).for(size(sessionPlaces, few))(
  `closes ${sessions} sessions × ${tabs} sockets within ${within(2)} s of a logout in PHP: $name`,
  async ({ open, tells }, { expect, onTestFinished }) => {
    const place = await open();
    onTestFinished(() => place.close());
    const php = await startPhpApp({ env: { SESSION_STORE: place.url } });
    onTestFinished(async () => void (await php.stop()));
    // With notifications, the regular check is not needed.
    const chat = await chatServerHere({
      CHAT_SESSION_STORE: place.url,
      CHAT_SESSION_CHECK: tells ? '1m' : '1s',
    });
    onTestFinished(async () => void (await chat.stop()));
    if (tells) await chat.until(/store notifications active/);

    const visitors = await manyVisitors(php, chat, sessions, tabs);
    expect(visitors.tabs[1]?.[0]?.ready.user).toEqual({ id: '2', name: 'Bob' });
    const ended = await logOutAll(php, visitors);
    expect(ended.map(({ reason }) => reason)).toEqual(Array(sessions * tabs).fill('logout'));
    const took = ended.map((one) => one.took);
    expect(Math.max(...took)).toBeLessThan(within(2000));
    for (const tab of visitors.tabs.flat()) {
      expect(await tab.disconnected).toBe('io server disconnect');
      expect(tab.events.at(-1)?.name).toBe('session:ended');
    }
  },
);

const logouts = size(1000, 12);
test(`sends no event after session:ended in ${logouts} logouts under 200 messages a second`, async () => {
  const site = await startChatSite({}, chatServerHere);
  onTestFinished(() => site.close());
  const join = async (cookie: string) => {
    const client = await connectChat(site.chat.url, cookie);
    await client.request('room:join', { room: 'lobby' });
    return client;
  };
  const talkers = await Promise.all([1, 2, 3, 4].map(async (n) => join(await site.session(n))));
  let sent = 0;
  const talking = setInterval(() => {
    const talker = talkers[sent++ % talkers.length] as ChatClient;
    talker.raw('message:send', { room: 'lobby', text: 'x', clientId: newClientId() }).catch(() => {});
  }, 5);
  onTestFinished(() => clearInterval(talking));

  const left: ChatClient[] = [];
  const atOnce = Math.min(50, logouts);
  for (let begun = 0; begun < logouts; begun += atOnce) {
    const cookies = await Promise.all(
      Array.from({ length: atOnce }, (_, n) => site.session(100 + begun + n)),
    );
    const clients = await Promise.all(cookies.map(join));
    await Promise.all(
      clients.map(async (client, n) => {
        // A slow server may receive the logout before it sends the next message.
        await expect.poll(() => client.messages().length, { interval: 5 }).toBeGreaterThan(0);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
        // Deletes the session as MemcachedHandler.php does.
        await site.memcached.delete(site.key(cookies[n] as string));
        expect((await client.ended).reason).toBe('logout');
        await client.disconnected;
      }),
    );
    left.push(...clients);
  }
  clearInterval(talking);
  const [talker] = talkers as [ChatClient];
  const last = await talker.request('message:send', { room: 'lobby', text: 'last', clientId: newClientId() });
  await expect.poll(() => talker.messages().some(({ id }) => id === last.message.id)).toBe(true);
  for (const client of left) {
    expect(client.messages().length).toBeGreaterThan(0);
    expect(client.events.at(-1)?.name).toBe('session:ended');
    expect(client.events.filter(({ name }) => name === 'session:ended')).toHaveLength(1);
  }
  for (const one of talkers) one.close();
});
