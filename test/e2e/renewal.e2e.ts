import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { reachable } from '../helpers/memcached.ts';
import { expect, test } from './fixtures.ts';

const seconds = process.env.SOAK === '1' ? 30 : 4;

declare global {
  interface Window {
    /** Texts that a visitor must not see, and has seen. */
    seen: string[];
  }
}

for (const [way, query] of [
  ['session_regenerate_id(true)', ''],
  ['session_regenerate_id(false)', '?keep'],
] as const) {
  test(`${way} again and again for ${seconds} s, 300 ms after the last: nothing lost, nothing doubled, never shown as logged out`, async ({
    alice,
    site,
  }) => {
    test.setTimeout((seconds * 3 + 180) * 1000);
    const room = query === '' ? 'renewal' : 'old-ids';
    const port = await ownPort();
    const rotating = startChild('php', ['-S', `127.0.0.1:${port}`, 'test/fixtures/rotating-site.php'], {
      env: { ...process.env, SESSION_STORE: site.memcached.url },
    });
    await reachable(port, rotating);
    const bob = await connectChat(site.chat.url, await site.php.login('bob'));
    await bob.request('room:join', { room });
    await alice.open(room);
    await alice.page.evaluate(() => {
      window.seen = [];
      const root = document.querySelector('php-chat')?.shadowRoot as ShadowRoot;
      new MutationObserver(() => {
        const text = root.textContent ?? '';
        for (const wrong of ['logged out', 'Please log in', 'Log in again', 'Not delivered', 'No connection'])
          if (text.includes(wrong)) window.seen.push(wrong);
      }).observe(root, { childList: true, subtree: true, characterData: true });
    });

    const page = await alice.page.context().newPage();
    await page.goto(`http://127.0.0.1:${port}/${query}`);
    await alice.page.bringToFront();
    const expected: string[] = [];
    for (let n = 0; n < seconds * 5; n++) {
      const text = `number ${n}`;
      expected.push(text);
      if (n % 10 === 0) {
        await expect(async () => {
          // A field that is hidden at the moment cannot be typed into.
          await alice.field.fill(text);
          await expect(alice.field).toHaveValue(text, { timeout: 100 });
        }).toPass();
        await alice.field.press('Enter');
        // A hidden chat sends nothing: the text is still there then.
        await expect(async () => {
          if ((await alice.field.inputValue()) === text) await alice.field.press('Enter');
          await expect(alice.field).toHaveValue('', { timeout: 200 });
        }).toPass();
      } else await bob.request('message:send', { room, text, clientId: newClientId() });
      await alice.page.waitForTimeout(200);
    }
    expect(Number(await page.title())).toBeGreaterThan(seconds);
    await page.close();
    await rotating.stop();

    const last = await bob.request('message:send', { room, text: 'the last', clientId: newClientId() });
    await expect(alice.message(last.message.text)).toBeVisible();
    // The browser's messages may have waited for its connection: all of them are there, at any position.
    const inHistory = () => bob.messages().map(({ text }) => text);
    await expect.poll(() => inHistory().toSorted()).toEqual([...expected, 'the last'].toSorted());
    // A last renewal may just have hidden everything again.
    await expect(async () => {
      const shown = await alice.texts.allTextContents();
      expect(shown.slice(-20)).toEqual(inHistory().slice(-20));
      expect(new Set(shown).size).toBe(shown.length);
    }).toPass();
    expect(await alice.page.evaluate(() => window.seen)).toEqual([]);
    bob.close();
  });
}
