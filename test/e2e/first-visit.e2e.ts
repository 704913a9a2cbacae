import type { Page } from '@playwright/test';
import { expect, test } from './fixtures.ts';

interface LayoutShift {
  readonly sources: readonly { readonly node?: Node; readonly currentRect: DOMRectReadOnly }[];
}

/** The elements that moved since the page started to load. */
const movedOn = (page: Page) => page.evaluate(() => (document as unknown as { moved: unknown[] }).moved);

test('a page with the chat loads without layout shifts or console output', async ({ visitor, site }) => {
  const { page } = visitor;
  // The site writes the message, so that no user goes offline while the page loads.
  const answer = await fetch(`${site.chat.url}/api/rooms/announcements/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user: { id: '2', name: 'Bob' }, clientId: 'welcome-1', text: 'Welcome to all.' }),
  });
  expect(answer.status).toBe(201);
  const logs: string[] = [];
  page.on('console', (message) => logs.push(message.text()));
  await page.addInitScript(() => {
    const moved: unknown[] = [];
    Object.assign(document, { moved });
    new PerformanceObserver((list) => {
      // The header of the sample site grows while it arrives.
      for (const entry of list.getEntries() as unknown as LayoutShift[])
        for (const { node, currentRect } of entry.sources)
          if (!(node instanceof Element && node.closest('header'))) moved.push([node?.nodeName, currentRect]);
    }).observe({ type: 'layout-shift', buffered: true });
    // In each frame, since the chat has a place in the page.
    const widths = new Set<number>();
    const colours = new Set<string>();
    Object.assign(document, { widths, colours });
    const look = () => {
      const chat = document.querySelector('php-chat');
      if (chat?.shadowRoot) colours.add(getComputedStyle(chat).backgroundColor);
      const heading = chat?.shadowRoot?.querySelector('.main h2:has(.titles)');
      if (heading) widths.add(heading.clientWidth);
      requestAnimationFrame(look);
    };
    look();
  });
  const load = async (address: string) => {
    const later = page.waitForResponse(/\/assets\/dialogs-/);
    await page.goto(address);
    await expect(visitor.field).toBeVisible();
    await expect(page.locator('php-chat .room.two[aria-current]')).toBeAttached();
    await expect(visitor.message('Welcome to all.')).toBeVisible();
    await later;
    expect(await movedOn(page)).toEqual([]);
    await expect(page.getByRole('button', { name: /^Here now: \d/ })).toBeVisible();
    const { widths, colours } = await page.evaluate(() => {
      const { widths, colours } = document as unknown as Record<'widths' | 'colours', Set<unknown>>;
      const app = document.querySelector('php-chat')?.shadowRoot?.querySelector('.app') as Element;
      return { widths: [...widths], colours: [...colours.add(getComputedStyle(app).backgroundColor)] };
    });
    expect(widths).toHaveLength(1);
    expect(colours).toHaveLength(1);
    expect(logs).toEqual([]);
  };
  for (const [where, address, width, user, times] of [
    // A phone does not show that the other user goes offline.
    ['the sample site at 1280 px', site.php.chatPage, 1280, 'dimitri', 2],
    ['the chat’s own page at 360 px', site.chat.url, 360, 'carol', 1],
  ] as const) {
    await page.setViewportSize({ width, height: 800 });
    const cookie = { name: 'PHPSESSID', value: await site.login(user), httpOnly: true };
    await page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
    for (let time = 1; time <= times; time++) await test.step(`${where}, visit ${time}`, () => load(address));
    // Only a page without anything else gives the focus to the composer.
    if (address === site.chat.url) await expect(visitor.field).toBeFocused();
    else await expect(visitor.field).not.toBeFocused();
  }
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.type('lob');
  await expect(page.getByRole('option', { name: /^lobby/ })).toBeVisible();
});
