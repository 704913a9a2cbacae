import type { FrameLocator, Locator, Page } from '@playwright/test';
import { expect, type Site, test } from './fixtures.ts';
import { firedIn, type HostPage, hostPages } from './host-pages.ts';
import { join, ownUser } from './own-user.ts';
import { seed } from './seed.ts';

const tag = '<php-chat room="elements"></php-chat>';

/** Opens a page of another site with the chat. Returns the document that contains the chat. */
async function show(site: Site, page: Page, host: HostPage): Promise<Page | FrameLocator> {
  const { css = '', attributes = 'lang="en"', body = 'CHAT', script = '', policy } = host;
  const source = `<script type="module" src="${site.chat.url}/php-chat.js"></script>`;
  const framed = body.includes('<iframe');
  const url = site.host(`<!doctype html><html ${attributes}><head><meta charset="utf-8"><title>Host</title>
    <link rel="icon" href="data:,"><style nonce="host">${css}</style><script nonce="host">
    document.tag = ${JSON.stringify(tag)};
    document.fired = [];
    const fired = (name) => document.fired.push(name);
    ${script}</script>${framed ? '' : source}</head><body>${body.replace('CHAT', tag)}</body></html>`);
  await page.unrouteAll();
  if (policy !== undefined)
    await page.route(url, async (route) => {
      const response = await route.fetch();
      const value = policy
        .replaceAll('SERVER', site.chat.url)
        .replaceAll('SOCKET', site.chat.url.replace('http', 'ws'));
      await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': value } });
    });
  await page.goto(url);
  if (!framed) return page;
  const inside = `<!doctype html><html lang="en"><title>Frame</title>${source}${tag}`;
  await page.locator('iframe').evaluate((frame: HTMLIFrameElement, html) => {
    frame.srcdoc = html;
  }, inside);
  return page.frameLocator('iframe');
}

/** Whether a box is inside another one. */
async function isInside(inner: Locator, outer: Locator): Promise<boolean> {
  const [a, b] = [await inner.boundingBox(), await outer.boundingBox()];
  if (a === null || b === null) return false;
  const within = (from: number, size: number, start: number, length: number) =>
    from >= start - 1 && from + size <= start + length + 1;
  return within(a.x, a.width, b.x, b.width) && within(a.y, a.height, b.y, b.height);
}

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const soak of [false, true])
  test(`the chat works in ${soak ? 'more' : 'the'} pages of other sites`, {
    tag: soak ? ['@soak'] : [],
  }, async ({ page, site }) => {
    const user = await ownUser(site, page.context());
    for (const room of ['elements', 'board']) await join(site, user, room);
    await seed(site, 'bob', 'elements', ['Good morning']);
    await seed(site, 'bob', 'board', ['one', 'two']);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));

    for (const host of hostPages.filter((one) => (one.soak === true) === soak))
      await test.step(host.name, async () => {
        await page.evaluate(() => sessionStorage.clear()).catch(() => {});
        const place = await show(site, page, host);
        const chat = place.locator('php-chat');
        const field = place.getByRole('textbox', { name: /^Message to/ });
        const launcher = place.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
        if ((await launcher.count()) > 0) await launcher.click();
        await expect(place.getByRole('article').filter({ hasText: 'Good morning' })).toBeAttached();
        await expect.poll(() => isInside(field, chat)).toBe(true);

        await field.click();
        const text = `go/ask ${host.name}`;
        // These keys are shortcuts of some pages.
        await page.keyboard.type('go/ask ');
        await page.keyboard.insertText(host.name);
        await expect(field).toHaveValue(text);
        await field.press('Enter');
        const sent = place.getByRole('article').filter({ hasText: text });
        await expect(sent.filter({ hasText: /Sent|Seen/ })).toBeInViewport();

        const opener = place.getByRole('button', { name: 'Room menu' });
        await opener.press(' ');
        const menu = place.getByRole('menu', { name: 'Room menu' });
        await expect(menu).toBeVisible();
        expect(await isInside(menu, chat)).toBe(true);
        await page.keyboard.press('Escape');
        await expect(menu).toBeHidden();
        await expect(opener).toBeFocused();

        expect(await firedIn(page)).toEqual([]);
        expect(await overflow(page)).toBe(0);
        await host.check?.(page);
        expect(problems).toEqual([]);
      });
  });

test('the chat inherits from the page only its direction, its colour scheme and what hides it', async ({
  page,
  site,
}) => {
  await join(site, await ownUser(site, page.context()), 'elements');
  await show(site, page, { name: '' });
  const app = page.locator('php-chat .app');
  await expect(app).toBeVisible();
  const inherited = () =>
    app.evaluate((app) => {
      const values =
        'none hidden all dark red 7px 7 1 x rtl "x" center right italic bold pre always manual visible loose collapse bottom only inside square isolate break-all keep-all both under over left text wait nonzero evenodd vertical-rl upright optimizeSpeed geometricPrecision pixelated rotate(7deg) from-font uppercase mandatory stroke economy exact smooth antialiased balance stable url(#x) proportional-width discard first block inert read-write no-limit standard 7% -7px'.split(
          ' ',
        );
      const [parent, child] = [document.createElement('div'), document.createElement('div')];
      parent.append(child);
      // Without boxes, sizes are not computed from those of the parent.
      const wrapper = document.createElement('div');
      wrapper.hidden = true;
      wrapper.append(parent);
      document.body.append(wrapper);
      const of = (element: Element, name: string) => getComputedStyle(element).getPropertyValue(name);
      const names = [...getComputedStyle(parent)].filter((name) => !name.startsWith('--'));
      const host = (app.getRootNode() as ShadowRoot).host as HTMLElement;
      const before = new Map(names.map((name) => [name, of(app, name)]));
      const set = names.filter((name) => {
        const initial = of(parent, name);
        const value = values.find((value) => {
          parent.style.cssText = '';
          parent.style.setProperty(name, value);
          return (
            of(parent, name) !== initial &&
            of(child, name) === of(parent, name) &&
            of(child, name) !== initial
          );
        });
        if (value !== undefined) host.style.setProperty(name, value, 'important');
        return value !== undefined;
      });
      wrapper.remove();
      const leaking = set.filter((name) => of(app, name) !== before.get(name));
      host.style.cssText = '';
      return { tried: set.length, leaking };
    });
  // Texts in Japanese and Chinese need different fonts.
  await expect(app).toHaveCSS('-webkit-locale', '"en"');
  const { tried, leaking } = await inherited();
  expect(tried).toBeGreaterThan(60);
  expect(leaking).toEqual(['color-scheme', 'direction', 'pointer-events', 'visibility']);
  await page.locator('body').evaluate((body: HTMLElement) => {
    body.inert = true;
  });
  const field = page.getByRole('textbox', { name: /^Message to/, includeHidden: true });
  await field.focus();
  await expect(field).not.toBeFocused();
});
