import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { reachable } from '../helpers/memcached.ts';
import { expect, test } from './fixtures.ts';

const times = 40;

declare global {
  interface Window {
    /** Forbidden texts that were visible. */
    seen: string[];
    /** Gives the session a new ID on the rotating site. */
    renew(): Promise<number>;
  }
}

for (const [way, query, room] of [
  ['session_regenerate_id(true)', '', 'renewal'],
  ['session_regenerate_id(false)', '?keep', 'old-ids'],
] as const) {
  test(`${way} ${times} times does not lose, duplicate or reject messages`, {
    tag: '@soak',
  }, async ({ alice, site }) => {
    const port = await ownPort();
    const settings = ['-d', 'session.upload_progress.enabled=0'];
    const rotating = startChild(
      'php',
      [...settings, '-S', `127.0.0.1:${port}`, 'test/fixtures/rotating-site.php'],
      { env: { ...process.env, SESSION_STORE: site.memcached.url } },
    );
    await reachable(port, rotating);
    const bob = await connectChat(site.chat.url, await site.php.login('bob'));
    await bob.request('room:join', { room });
    await alice.open(room);
    await alice.page.evaluate(() => {
      window.seen = [];
      const root = document.querySelector('php-chat')?.shadowRoot as ShadowRoot;
      new MutationObserver(() => {
        const text = root.textContent ?? '';
        for (const wrong of ['Not delivered', 'No connection'])
          if (text.includes(wrong)) window.seen.push(wrong);
      }).observe(root, { childList: true, subtree: true, characterData: true });
    });
    let connections = 0;
    alice.page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        if (String(payload).includes('"session:ready"')) connections++;
      }),
    );

    const page = await alice.page.context().newPage();
    await page.goto(`http://127.0.0.1:${port}/${query}`);
    await alice.page.bringToFront();
    const expected: string[] = [];
    for (let n = 1; n <= times; n++) {
      await alice.write(`from Alice ${n}`);
      expected.push(`from Alice ${n}`, `from Bob ${n}`);
      // The message may still be in flight.
      expect(await page.evaluate(() => window.renew())).toBe(204);
      await bob.request('message:send', { room, text: `from Bob ${n}`, clientId: newClientId() });
      // The old record is deleted, which ends the connection.
      if (query === '') await expect.poll(() => connections, { timeout: 30_000 }).toBe(n);
    }
    await page.close();
    await rotating.stop();

    const last = await bob.request('message:send', { room, text: 'the last', clientId: newClientId() });
    await expect(alice.message(last.message.text)).toBeVisible();
    // A message may have waited in the browser for a connection, so the order may differ.
    const inHistory = () => bob.messages().map(({ text }) => text);
    await expect.poll(() => inHistory().toSorted()).toEqual([...expected, 'the last'].toSorted());
    await expect
      .poll(async () => (await alice.texts.allTextContents()).slice(-9))
      .toEqual(inHistory().slice(-9));
    expect(await alice.page.evaluate(() => window.seen)).toEqual([]);
    bob.close();
  });
}
