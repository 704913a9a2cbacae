import { expect, test } from '@playwright/test';
import { historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { freePort } from '../helpers/child.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startPhpApp } from '../helpers/php-app.ts';

test('/nodes shows which server the browser is connected to, and where it goes when that one ends', async ({
  page,
}) => {
  const memcached = await startMemcached();
  const history = historyFolder();
  const port = await freePort();
  const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl: `http://127.0.0.1:${port}` });
  const start = (name: string) =>
    startChatServer({
      CHAT_PORT: String(port),
      CHAT_NODE: name,
      CHAT_SESSION_STORE: memcached.url,
      CHAT_HISTORY: history.url,
      CHAT_ORIGINS: php.url,
    });
  const one = await start('one');
  await page.goto(`${php.url}/nodes`);
  await page.getByLabel('User name').fill('alice');
  await page.getByLabel('Password').fill('alice');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.goto(`${php.url}/nodes`);
  const node = page.getByRole('status');
  await expect(node).toHaveText('one');
  await one.stop();
  await expect(node).toHaveText('no server');
  const two = await start('two');
  await expect(node).toHaveText('two');
  await expect(page.getByRole('listitem')).toHaveText([/ two$/, / no server$/, / one$/]);
  await php.stop();
  await two.stop();
  await memcached.stop();
  history.remove();
});
