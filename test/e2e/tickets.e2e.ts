import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { startTicketSite } from '../helpers/ticket-site.ts';
import { expect, stepInSoak, test } from './fixtures.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Waits for the next ticket that the page fetches. */
const nextTicket = (page: Page) => page.waitForResponse((response) => response.url().endsWith('/ticket'));

test('a site whose sessions the server cannot read', async ({ page }) => {
  const site = await startTicketSite({ seconds: 4 });
  const field = page.getByRole('textbox', { name: /^Message to/ });
  const log = page.getByRole('log');
  const say = async (text: string) => {
    await field.fill(text);
    await field.press('Enter');
    await expect(log.getByText(text, { exact: true })).toBeVisible();
  };

  await test.step('the chat asks a visitor to log in', async () => {
    await page.goto(site.url);
    await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  });

  await test.step('a user of the site is a user of the chat', async () => {
    await page.goto(`${site.url}/login?as=ann`);
    await page.goto(site.url);
    await say('hello');
    await expect(page.getByRole('article').filter({ hasText: 'hello' })).toBeVisible();
  });

  await test.step('pictures are loaded without a cookie', async () => {
    const chosen = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Attach', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Attach files' }).click();
    await (await chosen).setFiles(join(root, 'php-app/seed/tomato.webp'));
    // The first examination of a picture starts a process, which takes seconds on a busy machine.
    const stored = page.waitForResponse((one) => one.request().method() === 'POST' && one.status() === 201);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await stored;
    const picture = page.locator('php-chat article img').first();
    await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  });

  await test.step('a new ticket renews links to files, but does not reload pictures', async () => {
    const chosen = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Attach', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Attach files' }).click();
    const seeds = { name: 'seeds.txt', mimeType: 'text/plain', buffer: Buffer.from('seeds') };
    await (await chosen).setFiles(seeds);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    const link = page.locator('php-chat article a.doc');
    const before = await link.getAttribute('href');
    const pictures: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('size=preview')) pictures.push(request.url());
    });
    await expect.poll(() => link.getAttribute('href')).not.toBe(before);
    expect(pictures).toEqual([]);
  });

  await stepInSoak(
    'the chat stays open for three tickets, and during restarts of server and site',
    async () => {
      const connections: string[] = [];
      page.on('websocket', (socket) => connections.push(socket.url()));
      await nextTicket(page);
      await nextTicket(page);
      await nextTicket(page);
      await say('still here');
      expect(connections).toEqual([]);
      await site.restartPhp();
      await nextTicket(page);
      await site.restartChat();
      await say('back again');
      await expect(page.getByRole('article').filter({ hasText: 'back again' })).toContainText(/Sent|Seen/);
    },
  );

  await test.step('a logout ends the chat when the site responds with 401', async () => {
    const other = await page.context().newPage();
    await other.goto(`${site.url}/logout`);
    const response = await nextTicket(page);
    expect(response.status()).toBe(401);
    await expect(log).toBeHidden();
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  });

  await test.step('a logout that the site reports to the server ends the chat at once', async () => {
    await page.goto(`${site.url}/login?as=bea`);
    await page.goto(site.url);
    await say('hello from bea');
    const other = await page.context().newPage();
    await other.goto(`${site.url}/logout?tell`);
    await expect(log).toBeHidden();
  });

  await site.stop();
});
