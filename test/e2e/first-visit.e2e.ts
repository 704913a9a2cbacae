import { expect, test } from './fixtures.ts';

for (const [where, width] of [
  ['the chat’s own page', 1280],
  ['the chat’s own page', 360],
  ['the sample site', 1280],
] as const) {
  test(`nothing moves while ${where} loads at ${width} px, and nothing is said in the console`, async ({
    visitor,
    site,
  }) => {
    const { page } = visitor;
    await visitor.login(site.php.url, 'alice');
    // Who joins the first room sees it go over to the rooms of one's own.
    await expect(page.locator('php-chat .room.two[aria-current]')).toBeVisible();
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
    await page.goto(where === 'the sample site' ? site.php.url : site.chat.url);
    await expect(visitor.field).toBeVisible();
    await later;
    expect(await page.evaluate(() => (document as unknown as { moved: unknown[] }).moved)).toEqual([]);
    expect(said).toEqual([]);
  });
}

interface LayoutShift {
  readonly sources: readonly { readonly node?: Node; readonly currentRect: DOMRectReadOnly }[];
}
