import { expect, test } from '@playwright/test';
import { ownPort, startChild } from '../helpers/child.ts';
import { stored } from './fixtures.ts';

test('start:cluster moves a browser to the other server when its server ends', {
  tag: '@soak',
}, async ({ page }) => {
  const [app, chat] = [await ownPort(), await ownPort()];
  const cluster = startChild(process.execPath, ['scripts/start-cluster.mjs'], {
    cwd: new URL('../../', import.meta.url),
    env: { ...process.env, APP_PORT: String(app), CHAT_PORT: String(chat) },
  });
  const [, site = ''] = await cluster.until(/^ready {2}(\S+)$/m);
  await page.goto(`${site}/messages`);
  await page.getByLabel('User name').fill('alice');
  await page.getByLabel('Password').fill('alice');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('textbox', { name: /^Message to/ }).fill('by one of two');
  await page.keyboard.press('Enter');
  await expect(page.getByText(stored).last()).toBeVisible();

  await page.goto(`${site}/nodes`);
  const node = page.getByRole('status');
  await expect(node).toHaveText(/^(one|two)$/);
  const first = await node.innerText();
  const other = first === 'one' ? 'two' : 'one';
  const [, pid] = await cluster.until(new RegExp(`kill (\\d+) {3}# ${first}$`, 'm'));
  process.kill(Number(pid), 'SIGTERM');
  await expect(node).toHaveText(other);
  await expect(page.getByRole('listitem')).toHaveText(
    [other, 'no server', first].map((name) => new RegExp(` ${name}$`)),
  );
  await cluster.until(new RegExp(`chat server ${first} ended .* will be restarted`));

  expect(await cluster.stop('SIGTERM')).toBe(0);
  for (const port of [app, chat])
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow('fetch failed');
});
