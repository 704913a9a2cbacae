import { nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { startNginx } from '../helpers/nginx.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { expect, Person, test } from './fixtures.ts';

const texts = [
  '我十点到，带两箱育苗盆。',
  '<script>alert(1)</script><img src=x onerror=alert(2)>',
  `long ${'word '.repeat(99)}`,
  'See https://weather.example/orchard-lane, not javascript:alert(3)\nor below',
];

// The chat under a path of the site as in docs/install.md, or on a subdomain as in docs/operate/subdomain.md.
for (const { where, chatHost, siteHost, env, tag } of [
  { where: 'under a path of the site', siteHost: '127.0.0.1', env: {}, tag: [] },
  {
    where: 'on a subdomain',
    siteHost: 'www.site.localhost',
    chatHost: 'chat.site.localhost',
    env: { SESSION_COOKIE_DOMAIN: 'site.localhost' },
    tag: ['@soak'],
  },
])
  test(`two users log in with PHP and chat, with the chat ${where} behind nginx`, { tag }, async ({
    window,
    surroundings: { memcached },
  }) => {
    const [alice, bob] = [new Person(await window('alice')), new Person(await window('bob'))];
    const [phpPort, chatPort, port] = [await ownPort(), await ownPort(), await ownPort()];
    const chatUrl = chatHost === undefined ? `http://${siteHost}:${port}/chat` : `http://${chatHost}:${port}`;
    const siteUrl = `http://${siteHost}:${chatHost === undefined ? port : phpPort}`;
    const chat = await nextChatServer({
      CHAT_PORT: String(chatPort),
      CHAT_TRUSTED_PROXIES: '127.0.0.1',
      CHAT_SESSION_STORE: memcached.url,
      CHAT_ROOMS: 'talk',
      CHAT_ORIGINS: [siteUrl, new URL(chatUrl).origin].join(),
      CHAT_LOGIN_URL: `${siteUrl}/`,
      CHAT_USER_AVATAR: '/avatars/{id}.svg',
      CHAT_USER_URL: '/members/{id}',
    });
    const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl, port: phpPort, env });
    const nginx = await startNginx(chatPort, chatHost === undefined ? { port, php: phpPort } : { port });
    const sockets: string[] = [];
    const errors: string[] = [];
    alice.page.on('websocket', (socket) => sockets.push(socket.url()));
    alice.page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));

    await test.step('logs both in, one in a network that blocks WebSocket', async () => {
      await bob.page.addInitScript(() => {
        const Real = WebSocket;
        globalThis.WebSocket = class extends Real {
          constructor() {
            super('ws://127.0.0.1:9/');
          }
        };
      });
      await alice.login(`${siteUrl}/messages`, 'alice');
      await bob.login(`${siteUrl}/messages`, 'bob');
    });

    await test.step("shows each user the other's messages as text", async () => {
      for (const [index, text] of texts.entries()) {
        const [from, to] = index % 2 === 0 ? [alice, bob] : [bob, alice];
        await from.write(text);
        for (const person of [to, from])
          await expect(person.texts.nth(index)).toHaveJSProperty('textContent', text);
      }
      const socket = `${chatUrl.replace('http', 'ws')}/socket.io/`;
      expect(sockets).toEqual([expect.stringMatching(new RegExp(`^${socket}.*transport=websocket`))]);
      expect(errors).toEqual([]);
      await alice.shot('talk-alice');
      await bob.shot('talk-bob');
    });

    await test.step('does not cut the sample site’s header on a phone', async () => {
      const { page } = bob;
      await page.setViewportSize({ width: 360, height: 640 });
      for (const size of ['100%', '200%']) {
        await page.evaluate((size) => {
          document.documentElement.style.fontSize = size;
        }, size);
        const cut = await page.evaluate(() => {
          const header = document.querySelector('header.top')?.getBoundingClientRect() ?? new DOMRect();
          return [...document.querySelectorAll('header.top :is(.site-name, .plain)')]
            .filter((element) => element.checkVisibility())
            .filter((element) => {
              const at = element.getBoundingClientRect();
              const isOutside = at.left < 0 || at.right > header.right || at.bottom > header.bottom;
              return isOutside || element.scrollWidth > element.clientWidth + 1;
            })
            .map((element) => element.textContent);
        });
        expect(cut, size).toEqual([]);
        await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
        expect((await page.locator('header.top').boundingBox())?.height).toBeGreaterThanOrEqual(52);
      }
    });

    await test.step('opens the direct room from “Message” on a member’s page', async () => {
      const { page } = alice;
      await page.goto(`${siteUrl}/members/2`);
      // The site has its own `--accent` and sets the launcher's accent from it.
      const launcher = page.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
      await expect(launcher).toHaveCSS('background-color', 'rgb(31, 107, 69)');
      await page.getByRole('button', { name: 'Message Bob' }).click();
      await expect(page.getByRole('dialog', { name: 'Chat' })).toBeVisible();
      await expect(page.getByRole('region', { name: 'Bob' })).toBeVisible();
    });

    if (chatHost === undefined)
      await test.step('shows avatars and profiles of the site on the chat’s own page', async () => {
        const { page } = alice;
        await page.goto(chat.url);
        await expect(page.locator('.avatar[data-user="1"] img').first()).toHaveCSS('opacity', '1');
        await expect(page.locator('php-chat')).toHaveAttribute('profile-url', `${siteUrl}/members/{id}`);
      });

    for (const { page } of [alice, bob]) await page.goto('about:blank');
    await Promise.all([nginx.stop(), php.stop(), chat.stop()]);
  });
