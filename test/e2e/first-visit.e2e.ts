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
      for (const entry of list.getEntries() as unknown as LayoutShift[])
        moved.push(...entry.sources.map(({ node, currentRect }) => [node?.nodeName, currentRect]));
    }).observe({ type: 'layout-shift', buffered: true });
  });
  const load = async (address: string) => {
    const later = page.waitForResponse(/\/assets\/dialogs-/);
    await page.goto(address);
    await expect(visitor.field).toBeVisible();
    await expect(page.locator('php-chat .room.two[aria-current]')).toBeAttached();
    await expect(visitor.message('Welcome to all.')).toBeVisible();
    await later;
    expect(await movedOn(page)).toEqual([]);
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
});
