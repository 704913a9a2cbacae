import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, type Site, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';

const tag = '<php-chat room="elements" title-count="off">Write to us.</php-chat>';

interface Html {
  body?: string;
  attributes?: string;
  policy?: string;
}

/** Opens a page of the site with this HTML. */
async function show(site: Site, page: Page, html: Html = {}): Promise<void> {
  const { body = tag, attributes = 'lang="en"', policy } = html;
  const url = site.host(`<!doctype html><html ${attributes}><meta charset="utf-8"><title>Host</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <script type="module" src="${site.chat.url}/php-chat.js"></script>${body}`);
  await page.unrouteAll();
  await page.route('**/favicon.ico', (route) => route.fulfill({ body: '' }));
  if (policy !== undefined) {
    await page.route(url, async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers(), 'content-security-policy': policy };
      await route.fulfill({ response, headers });
    });
  }
  await page.goto(url);
}

const field = (page: Page) => page.getByRole('textbox', { name: /^Message to/ });
const boxOf = async (page: Page) => {
  const box = await page.locator('php-chat').first().boundingBox();
  if (box === null) throw new Error('php-chat is not on the page');
  return { width: box.width, height: box.height };
};

/** Replaces the page's own CSS. */
const rules = (page: Page, css: string) =>
  page.locator('style').evaluate((style, css) => {
    style.textContent = css;
  }, css);

/** The headers that docs/element.md advises for a path of the site and for a subdomain. */
const guide = readFileSync(new URL('../../docs/element.md', import.meta.url), 'utf8');
const [, forPath = ''] = /^Content-Security-Policy: (.*)$/m.exec(guide) ?? [];
const [, changed = ''] = /^(script-src 'self' https:.*)$/m.exec(guide) ?? [];
const forSubdomain = changed
  .split('; ')
  .reduce((policy, rule) => policy.replace(new RegExp(`\\b${rule.split(' ')[0]} [^;]*`), rule), forPath);

test('the element works in pages of other sites', async ({ page, site }) => {
  await join(site, await ownUser(site, page.context()), 'elements');

  await test.step('shows the content of the tag until the script is loaded', async () => {
    await page.context().route('**/php-chat.js', (route) => route.abort());
    await show(site, page);
    await expect(page.getByText('Write to us.')).toBeVisible();
    await page.context().unroute('**/php-chat.js');
    await page.reload();
    await expect(field(page)).toBeVisible();
    // The content is hidden, because no slot takes it.
    const slot = page.locator('php-chat').evaluate((chat) => (chat.firstChild as Text).assignedSlot);
    expect(await slot).toBeNull();
  });

  await test.step('ends at the bottom of the window below a header unless the page sets max-height: none', async () => {
    await page.setViewportSize({ width: 1000, height: 664 });
    await show(site, page, {
      body: `<style></style><div class="box"><header></header><i></i><div>${tag}</div></div>`,
    });
    await expect(field(page)).toBeVisible();
    const heightBelow = async (header: number, more = '') => {
      await rules(page, `body { margin: 0 } header { height: ${header}px } ${more}`);
      return (await boxOf(page)).height;
    };
    await expect.poll(() => heightBelow(140)).toBe(664 - 140);
    const { y = 0, height = 664 } = (await field(page).boundingBox()) ?? {};
    expect(y + height).toBeLessThanOrEqual(664);
    await expect.poll(() => heightBelow(140, 'php-chat { max-height: none }')).toBe(640);
    // Far down a long page it has its maximum height.
    await expect.poll(() => heightBelow(1500)).toBe(640);
  });

  await test.step('keeps its size and font under CSS rules for all elements', async () => {
    await page.setViewportSize({ width: 1000, height: 800 });
    const everything =
      'body { margin: 0 } * { font: 9px serif; display: inline; min-height: 0; width: auto } html { font-size: 62.5% }';
    for (const [css, width] of [
      ['* { all: unset !important } style { display: none !important }', 1000],
      [
        'body { margin: 0 } .box { display: flex } i { flex: 0 0 400px } .box > div { display: contents }',
        600,
      ],
      [everything, 1000],
    ] as const) {
      await rules(page, css);
      await expect.poll(() => boxOf(page), css).toEqual({ width, height: 640 });
      await expect(page.locator('php-chat .app'), css).toHaveCSS('font-size', '15px');
    }
  });

  await test.step('fits a box with hidden overflow that changes its height', async () => {
    // The last box is smaller than the minimum height.
    for (const [of, height] of [
      [400, 350],
      [700, 640],
      [450, 400],
      [300, 640],
    ] as const) {
      await rules(
        page,
        `.box { height: ${of}px; border: 3px solid; overflow: hidden } header { height: 50px }`,
      );
      await expect.poll(async () => (await boxOf(page)).height, `in ${of} px`).toBe(height);
    }
  });

  await test.step('takes the colour scheme, border and bubble radius from the page', async () => {
    await rules(page, '');
    await field(page).fill('Hello');
    await field(page).press('Enter');
    const chat = page.locator('php-chat');
    const bubble = page.locator('php-chat .bubble').first();
    const scheme = page.locator('php-chat .app');
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect(scheme).toHaveCSS('background-color', /^oklch\(0\.984 /);
    await rules(page, ':root { color-scheme: light dark }');
    await expect(scheme).toHaveCSS('background-color', /^oklch\(0\.198 /);
    await chat.evaluate((element) => element.setAttribute('theme', 'light'));
    await expect(scheme).toHaveCSS('background-color', /^oklch\(0\.984 /);
    await expect(chat).toHaveCSS('border', /^1px solid oklch\(0\.915 /);
    await expect(bubble).toHaveCSS('border-end-end-radius', '18px');
    await rules(page, 'php-chat { border: 0; border-radius: 3px; --pc-radius: 3px }');
    await expect(chat).toHaveCSS('border-top-width', '0px');
    await expect(chat).toHaveCSS('border-radius', '3px');
    await expect(bubble).toHaveCSS('border-end-end-radius', '4.5px');
    await page.emulateMedia({ colorScheme: null });
    await chat.evaluate((element) => element.removeAttribute('theme'));
  });

  await test.step('takes the font of the page, and in dark mode its background', async () => {
    const app = page.locator('php-chat .app');
    await rules(
      page,
      `.night { color-scheme: dark; background: #1a2420; font-family: Georgia, serif }
      .faded { color-scheme: dark; background: #555 }`,
    );
    const turn = (name: string) =>
      page.evaluate((className) => {
        document.body.className = className;
      }, name);
    const background = () =>
      app.evaluate((element) => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d') as OffscreenCanvasRenderingContext2D;
        canvas.fillStyle = getComputedStyle(element).backgroundColor;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
      });
    await turn('night');
    await expect.poll(background).toEqual([0x1a, 0x24, 0x20]);
    await expect(app).toHaveCSS('font-family', 'Georgia, serif');
    // Text would be hard to read on a lighter background.
    await turn('faded');
    await expect(app).toHaveCSS('background-color', /^oklch\(0\.27 /);
    await turn('');
    await expect(app).toHaveCSS('background-color', /^oklch\(0\.984 /);
    await expect(app).toHaveCSS('font-family', 'system-ui');
  });

  await test.step('uses WebSocket under the policies of docs/element.md and the strictest policy', async () => {
    const ws = site.chat.url.replace('http', 'ws');
    const advised = forSubdomain
      .replaceAll('https://chat.example.org', site.chat.url)
      .replaceAll('wss://chat.example.org', ws);
    const strictest = `default-src 'none'; script-src ${site.chat.url}; connect-src ${site.chat.url} ${ws}; style-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
    const problems: string[] = [];
    const sockets: string[] = [];
    page.on('console', (message) => message.type() !== 'log' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('websocket', (socket) => sockets.push(socket.url()));
    for (const [index, policy] of [advised, strictest].entries()) {
      await show(site, page, { policy });
      await field(page).fill(`under policy ${index}`);
      await field(page).press('Enter');
      await expect(page.getByRole('article').filter({ hasText: `under policy ${index}` })).toBeVisible();
      expect(sockets.splice(0)).toEqual([expect.stringContaining('transport=websocket')]);
      expect(problems).toEqual([]);
    }
    const chatPage = `${site.chat.url}/page`;
    await page.route(chatPage, (route) =>
      route.fulfill({
        headers: {
          'content-type': 'text/html',
          'content-security-policy': forPath.replaceAll('wss://www.example.org', ws),
        },
        body: `<!doctype html><html lang="en"><title>Page</title><script type="module" src="/php-chat.js"></script>${tag}`,
      }),
    );
    await page.goto(chatPage);
    await expect(field(page)).toBeVisible();
    expect(sockets).toEqual([expect.stringContaining('transport=websocket')]);
    expect(problems).toEqual([]);
  });

  await test.step('shows neither a list nor a back button for a single room at any width', async () => {
    await show(site, page, { body: '<php-chat room="elements" single></php-chat>' });
    await expect(field(page)).toBeVisible();
    for (const width of [360, 800, 1280]) {
      await page.setViewportSize({ width, height: 600 });
      const region = page.getByRole('region', { name: 'elements' });
      await expect(region).toBeVisible();
      await expect(page.getByRole('navigation', { name: 'Rooms' })).toBeHidden();
      await expect(page.getByRole('button', { name: /^Back to rooms/ })).toBeHidden();
      expect((await region.boundingBox())?.x).toBeLessThan(12);
    }
    await field(page).focus();
    for (const keys of ['Alt+ArrowUp', 'Alt+ArrowDown', 'Control+k']) await page.keyboard.press(keys);
    await expect(field(page)).toBeFocused();
  });

  await test.step('works next to a second element and a launcher, without new global names', async () => {
    const names = '<script>document.names = Object.getOwnPropertyNames(window)</script>';
    const two = '<php-chat room="elements"></php-chat><php-chat room="lobby"></php-chat>';
    await show(site, page, { body: `${names}${two}<php-chat-launcher></php-chat-launcher>` });
    await expect(page.getByRole('textbox', { name: 'Message to elements' })).toBeVisible();
    await page.getByRole('textbox', { name: 'Message to lobby' }).fill('in the second one');
    await page.keyboard.press('Enter');
    const second = page.locator('php-chat').nth(1);
    await expect(second.getByRole('article').filter({ hasText: 'in the second one' })).toBeVisible();
    const added = () => {
      const { names } = document as unknown as { names: string[] };
      return Object.getOwnPropertyNames(window).filter((name) => !names.includes(name));
    };
    expect(await page.evaluate(added)).toEqual([]);
  });

  await test.step("applies the owner's texts when they load late, and keeps the typed text", async () => {
    const released = Promise.withResolvers<void>();
    const languages: string[] = [];
    page.on('request', (request) => {
      const [, language] = /assets\/([a-z]{2}(?:-\w+)?)-[\w-]{6}\.js/.exec(request.url()) ?? [];
      if (language !== undefined) languages.push(language);
    });
    await page.context().route('**/texts.json', async (route) => {
      await released.promise;
      const texts = {
        'composer.label': { cs: 'Zpráva do {room}' },
        'conn.connected': { cs: '<b>Připojeno</b>' },
      };
      await route.fulfill({ json: texts });
    });
    const body =
      '<php-chat room="elements" strings="/texts.json"></php-chat><php-chat-launcher></php-chat-launcher>';
    await show(site, page, { body, attributes: 'lang="cs"' });
    await field(page).fill('half a sentence');
    released.resolve();
    await expect(page.getByText('<b>Připojeno</b>', { exact: true })).toBeVisible();
    const named = page.getByRole('textbox', { name: 'Zpráva do elements' });
    await expect(named).toHaveValue('half a sentence');
    await expect(named).toBeFocused();
    await expect(page.locator('php-chat .app')).toHaveAttribute('lang', 'cs');
    expect(languages).toEqual(['en']);
    await page.locator('php-chat').evaluate((chat) => {
      Object.assign(chat, { strings: { 'conn.connected': { cs: 'Tady' } } });
    });
    await expect(page.getByText('Tady', { exact: true })).toBeVisible();
  });

  await test.step('mirrors its layout for a right-to-left language unless the page sets dir', async () => {
    const chat = page.locator('php-chat');
    const x = async (role: 'navigation' | 'region') =>
      (await page.getByRole(role).first().boundingBox())?.x ?? 0;
    await chat.evaluate((element) => element.setAttribute('lang', 'he'));
    await page.locator('php-chat-launcher').evaluate((element) => element.setAttribute('lang', 'he'));
    await expect(page.getByRole('button', { name: 'פתיחת הצ׳אט' })).toBeVisible();
    // The name is isolated from the text around it.
    await expect(page.getByRole('textbox', { name: 'הודעה אל \u2068elements\u2069' })).toBeVisible();
    expect(await x('navigation')).toBeGreaterThan(await x('region'));
    await chat.evaluate((element) => Object.assign(element, { dir: 'ltr', lang: 'ar' }));
    await expect(page.getByRole('textbox', { name: /^رسالة إلى/ })).toBeVisible();
    expect(await x('navigation')).toBeLessThan(await x('region'));
  });

  await test.step('leaves no sockets, timers, listeners or channels when removed', async () => {
    await page.addInitScript(() => {
      const left = { sockets: 0, timers: new Set<unknown>(), listeners: 0, channels: 0 };
      Object.assign(document, { left });
      const Socket = globalThis.WebSocket;
      globalThis.WebSocket = class extends Socket {
        constructor(...args: ConstructorParameters<typeof WebSocket>) {
          super(...args);
          left.sockets += 1;
          super.addEventListener('close', () => {
            left.sockets -= 1;
          });
        }
      };
      const Channel = globalThis.BroadcastChannel;
      globalThis.BroadcastChannel = class extends Channel {
        constructor(name: string) {
          super(name);
          left.channels += 1;
        }
        override close() {
          left.channels -= 1;
          super.close();
        }
      };
      const { setInterval: every, clearInterval: never } = globalThis;
      globalThis.setInterval = ((...args: Parameters<typeof every>) => {
        const timer = every(...args);
        left.timers.add(timer);
        return timer;
      }) as typeof every;
      globalThis.clearInterval = (timer) => {
        left.timers.delete(timer);
        never(timer);
      };
      for (const target of [globalThis, document] as EventTarget[]) {
        const { addEventListener: add, removeEventListener: remove } = target;
        target.addEventListener = (...args: Parameters<typeof add>) => {
          left.listeners += 1;
          const signal = typeof args[2] === 'object' ? args[2]?.signal : undefined;
          signal?.addEventListener('abort', () => {
            left.listeners -= 1;
          });
          add.apply(target, args);
        };
        target.removeEventListener = (...args: Parameters<typeof remove>) => {
          left.listeners -= 1;
          remove.apply(target, args);
        };
      }
    });
    await show(site, page, { body: '<main></main>' });
    /** Adds and removes elements, some before they are loaded. Every fourth connects first. */
    const mount = (times: number) =>
      page.evaluate(async (count) => {
        const place = document.querySelector('main') as HTMLElement;
        for (let i = 0; i < count; i += 1) {
          const names = ['php-chat', 'php-chat-launcher', 'php-chat-badge'];
          const all = names.map((name) => document.createElement(name));
          all[0]?.setAttribute('room', 'elements');
          place.append(...all);
          const shown = () => all[0]?.shadowRoot?.querySelector('textarea') != null;
          while (i % 4 === 0 && !shown()) await new Promise((resolve) => requestAnimationFrame(resolve));
          place.replaceChildren();
          await new Promise((resolve) => requestAnimationFrame(resolve));
        }
      }, times);
    const left = () =>
      page.evaluate(() => {
        const { left } = document as unknown as { left: { timers: Set<unknown> } };
        return { ...left, timers: left.timers.size };
      });
    const none = { sockets: 0, timers: 0, listeners: 0, channels: 0 };
    await mount(1);
    await expect.poll(left).toEqual(none);
    await mount(8);
    await expect.poll(left).toEqual(none);
  });
});
