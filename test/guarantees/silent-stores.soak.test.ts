import { test, vi } from 'vitest';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { hanging, within } from '../helpers/hanging.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { sessionPlaces } from '../helpers/session-places.ts';

const silence = 20_000;

// SQLite is never silent.
test.concurrent.for(sessionPlaces.filter(({ name }) => name !== 'SQLite'))(
  `a store that does not respond for ${silence / 1000} s logs out no user, and delays responses by less than ${within(1)} s: $name`,
  async ({ open }, { expect, onTestFinished }) => {
    const place = await open();
    onTestFinished(() => place.close());
    const php = await startPhpApp({ env: { SESSION_STORE: place.url } });
    onTestFinished(async () => void (await php.stop()));
    const chat = await chatServerHere({ CHAT_SESSION_STORE: place.url });
    onTestFinished(async () => void (await chat.stop()));
    const cookies: string[] = [];
    for (const name of ['alice', 'bob', 'carol']) cookies.push(await php.login(name));
    const enter = async (cookie: string) => {
      const client = await connectChat(chat.url, cookie);
      await client.request('room:join', { room: 'lobby' });
      return client;
    };
    // A busy database may respond too late, so the client retries.
    const clients = await Promise.all(cookies.map((cookie) => vi.waitFor(() => enter(cookie), hanging)));
    const send = (client: ChatClient) =>
      client.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
    const status = async (path: string) => (await fetch(`${chat.url}${path}`)).status;
    const ready = () => status('/readyz');

    // Ignores earlier lines, because a busy database may have been slow before.
    const said = chat.output().length;
    place.silence?.begin();
    const refusals: { code: string; took: number }[] = [];
    for (const until = performance.now() + silence; performance.now() < until; ) {
      const began = performance.now();
      const refused = await Promise.all(cookies.map((cookie) => refusalOf(connectChat(chat.url, cookie))));
      for (const { message } of refused) refusals.push({ code: message, took: performance.now() - began });
      for (const client of clients) await send(client);
      expect(await status('/healthz')).toBe(200);
    }
    expect(await ready()).toBe(503);
    place.silence?.end();

    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['session_store_unavailable']));
    expect(Math.max(...refusals.map(({ took }) => took))).toBeLessThan(within(1000));
    await expect.poll(ready).toBe(200);
    const log = () => chat.output().slice(said);
    await expect.poll(log).toContain('session store responding again');
    for (const word of ['not responding', 'responding again']) {
      expect(log().match(new RegExp(`session store ${word}`, 'g'))).toHaveLength(1);
    }
    for (const client of clients) {
      expect(client.socket.connected).toBe(true);
      await send(client);
    }
    // A busy database may still be slow.
    for (const cookie of cookies) (await vi.waitFor(() => enter(cookie), hanging)).close();

    await place.empty();
    for (const client of clients) expect((await client.ended).reason).toBe('logout');
    for (const cookie of cookies) {
      // A busy database may still be slow.
      await expect
        .poll(async () => (await refusalOf(connectChat(chat.url, cookie))).message)
        .toBe('unauthorized');
    }
  },
);
