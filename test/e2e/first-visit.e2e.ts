import { type BrowserContext, expect } from '@playwright/test';
import { type Site, test } from './fixtures.ts';

interface LayoutShift {
  readonly sources: readonly { readonly node?: Node; readonly currentRect: DOMRectReadOnly }[];
}

/** A user who is logged in to the site and was never in the chat. */
async function newcomer(context: BrowserContext, site: Site): Promise<void> {
  const cookie = { name: 'PHPSESSID', value: await site.login('carol'), httpOnly: true };
  await context.addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
}

/** Written by the site itself, so that nobody leaves while the page loads. */
async function welcome(site: Site): Promise<void> {
  const answer = await fetch(`${site.chat.url}/api/rooms/announcements/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user: { id: '2', name: 'Bob' }, clientId: 'welcome-1', text: 'Welcome to all.' }),
  });
  expect(answer.status).toBe(201);
}

for (const [where, width] of [
  ['the chat’s own page', 1280],
  ['the chat’s own page', 360],
  ['the sample site', 1280],
] as const)
  for (const time of ['first', 'next'] as const) {
    // The next visit of the narrow page, and both of the wide one, move no less than these.
    const seldom = (width === 360 && time === 'next') || (where === 'the chat’s own page' && width === 1280);
    test(`nothing moves while ${where} loads at ${width} px for the ${time} time, and nothing is said in the console`, {
      tag: seldom ? ['@soak'] : [],
    }, async ({ visitor, site }) => {
      const { page } = visitor;
      const address = where === 'the sample site' ? site.php.chatPage : site.chat.url;
      const joined = page.locator('php-chat .room.two[aria-current]');
      await newcomer(page.context(), site);
      await welcome(site);
      if (time === 'next') {
        await page.goto(address);
        await expect(joined).toBeVisible();
      }
      await page.setViewportSize({ width, height: 800 });
      const said: string[] = [];
      page.on('console', (message) => said.push(message.text()));
      await page.addInitScript(() => {
        const moved: unknown[] = [];
        Object.assign(document, { moved });
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries() as unknown as LayoutShift[])
            moved.push(...entry.sources.map(({ node, currentRect }) => [node?.nodeName, currentRect]));
        }).observe({ type: 'layout-shift', buffered: true });
      });
      const later = page.waitForResponse(/\/assets\/dialogs-/);
      await page.goto(address);
      await expect(visitor.field).toBeVisible();
      await expect(joined).toBeAttached();
      await expect(visitor.message('Welcome to all.')).toBeVisible();
      await later;
      expect(await page.evaluate(() => (document as unknown as { moved: unknown[] }).moved)).toEqual([]);
      expect(said).toEqual([]);
    });
  }
