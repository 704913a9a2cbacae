import { nextChatServer } from '../helpers/chat-server.ts';
import { expect, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';

// The browser resolves shop.example to this machine, and does not treat it as this machine.
const titles = {
  'the chat’s own origin': 'http://shop.example',
  'another origin': 'http://127.0.0.1',
};

for (const [where, from] of Object.entries(titles))
  test(`a page of ${where} that CHAT_ORIGINS does not list says that it isn’t allowed`, async ({
    page,
    site,
  }) => {
    const chat = await nextChatServer({
      CHAT_SESSION_STORE: site.memcached.url,
      CHAT_ORIGINS: 'http://www.shop.example',
    });
    const server = `http://shop.example:${chat.port}/`;
    const notAllowed = page.getByRole('heading', { name: 'This page isn’t allowed to use the chat' });
    if (server.startsWith(from)) await page.goto(server);
    else
      await page.goto(
        site.host(
          `<script type="module" src="${server}php-chat.js"></script><php-chat server="${server}"></php-chat>`,
        ),
      );
    await expect(notAllowed).toBeVisible();
    await chat.stop();
  });

test('says that a page isn’t allowed after the server restarts without its origin', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  const { session } = await ownUser(site, page.context());
  await page.context().addCookies([{ name: 'PHPSESSID', value: session, domain: 'shop.example', path: '/' }]);
  const settings = { CHAT_SESSION_STORE: site.memcached.url };
  const chat = await nextChatServer({ ...settings, CHAT_ORIGINS: 'http://shop.example' });
  await page.goto(`http://shop.example:${chat.port}/`);
  await expect(page.getByText('Connected')).toBeVisible();
  await chat.stop();
  const port = String(chat.port);
  const next = await nextChatServer({
    ...settings,
    CHAT_ORIGINS: 'http://www.shop.example',
    CHAT_PORT: port,
  });
  await expect(async () => {
    // Lets the page try again at once.
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect(page.getByRole('heading', { name: 'This page isn’t allowed to use the chat' })).toBeVisible({
      timeout: 500,
    });
  }).toPass();
  await next.stop();
});
