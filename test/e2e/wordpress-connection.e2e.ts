import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toMo } from '../../scripts/wordpress-plugin.ts';
import { nextChatServer } from '../helpers/chat-server.ts';
import { startNginx } from '../helpers/nginx.ts';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress } from '../helpers/wordpress-app.ts';
import { expect, Person, test } from './fixtures.ts';

/** WordPress may respond slowly on a busy machine. */
const answered = { timeout: 60_000 };

test('“Test connection” reports what pages of the site receive from a chat under a path of the site', {
  tag: '@soak',
}, async ({ window }) => {
  const wordpress = await startWordPress();
  const env = { CHAT_SITE: wordpress.folder };
  let chat = await nextChatServer({ ...env, CHAT_ORIGINS: 'https://example.org' });
  const { port } = chat;
  const nginx = await startNginx(port, { php: Number(new URL(wordpress.url).port) });
  // Without TLS, and not this machine for the browser, which then sends no `Sec-Fetch-Site`.
  const site = `http://shop.example:${nginx.port}`;
  wordpress.define({ WP_HOME: quoted(site), WP_SITEURL: quoted(site) });
  await wordpress.installPlugin();
  const restart = async (origins: string) => {
    await chat.stop();
    chat = await nextChatServer({ ...env, CHAT_ORIGINS: origins, CHAT_PORT: String(port) });
  };
  const page = await window('alice');
  await page.goto(`${site}/wp-login.php`);
  const { user, password } = wordpress.admin;
  await page.evaluate((form) => fetch('/wp-login.php', { method: 'POST', body: new URLSearchParams(form) }), {
    log: user,
    pwd: password,
  });
  const address = page.getByLabel('Server address');
  const findings = page.getByRole('status');
  const testAddress = async (server: string) => {
    await address.fill(server);
    await page.getByRole('button', { name: 'Test connection' }).click();
    await expect(findings).not.toBeEmpty(answered);
  };
  const openSettings = () => page.goto(`${site}/wp-admin/options-general.php?page=php-session-chat`);

  await test.step('shows the exact line if CHAT_ORIGINS lacks the site', async () => {
    await openSettings();
    await expect(address).toHaveValue('/chat/');
    await testAddress('/chat/');
    await expect(findings).toContainText('CHAT_ORIGINS does not contain it');
    await expect(findings.locator('pre')).toHaveText(
      `CHAT_ORIGINS=${site}\n\nsystemctl restart php-session-chat`,
    );
  });

  await test.step('recognises the login without TLS', async () => {
    await restart(site);
    await testAddress('/chat/');
    await expect(findings).toContainText('The chat server recognises your login.');
    await expect(findings.locator('.notice-success')).toHaveCount(2);
    await expect(findings.locator('.notice')).toHaveCount(2);
  });

  await test.step('names the right address for a mistyped one', async () => {
    await testAddress('/chatt/');
    await expect(findings).toContainText('There is no chat server at');
    await expect(findings.locator('pre')).toHaveText('/chat/');
  });

  await test.step('reports what the chat server tells an admin that it lacks', async () => {
    const tab = await page.context().newPage();
    await tab.routeWebSocket(/\/chat\/socket\.io/, (browser) => {
      browser
        .connectToServer()
        .onMessage((packet) =>
          browser.send(`${packet}`.replace(/^(430.*?)"here"/, '$1"missing":["disk space"],"here"')),
        );
    });
    await tab.goto(`${site}/wp-admin/options-general.php?page=php-session-chat`);
    await tab.getByRole('button', { name: 'Test connection' }).click();
    const notice = tab.getByRole('status').locator('.notice-error');
    await expect(notice).toContainText(/The chat server is not ready: .*disk space/, answered);
    await tab.close();
  });

  await test.step('reports a web server that does not forward WebSockets', async () => {
    const other = await page.context().newPage();
    await other.routeWebSocket(/socket\.io/, (socket) => socket.close());
    await other.goto(page.url());
    await other.getByRole('button', { name: 'Test connection' }).click();
    const text = 'browsers cannot open a WebSocket there';
    await expect(other.getByRole('status')).toContainText(text, answered);
    await other.close();
  });

  await test.step('is in the language and the direction of an Arabic administrator', async () => {
    const languages = join(wordpress.folder, 'wp-content/languages');
    mkdirSync(languages);
    // What decides the direction in WordPress's own texts.
    writeFileSync(join(languages, 'ar.mo'), toMo(new Map([['text direction\x04ltr', 'rtl']])));
    wordpress.run(`update_user_meta(1, 'locale', 'ar');`);
    await openSettings();
    await page.getByLabel('عنوان الخادم').fill('/chatt/');
    await page.getByRole('button', { name: 'اختبار الاتصال' }).click();
    await expect(findings).toContainText('لا يوجد خادم دردشة على', answered);
    const directions = page.locator('html, #php-session-chat-server, #php-session-chat-findings :is(p, pre)');
    expect(
      await directions.evaluateAll((all) => all.map((each) => getComputedStyle(each).direction)),
    ).toEqual(['rtl', 'ltr', 'rtl', 'rtl', 'ltr']);
    await new Person(page).shot('wordpress-plugin-arabic');
    wordpress.run(`delete_user_meta(1, 'locale');`);
    await openSettings();
  });

  await test.step('reports a ticket key that only WordPress has', async () => {
    wordpress.define({ PHP_SESSION_CHAT_TICKET_KEY: quoted('A'.repeat(44)) });
    await openSettings();
    await page.getByRole('button', { name: 'Save Changes' }).click();
    await expect(findings).toContainText('does not accept the tickets of this site', answered);
  });

  await test.step('reports a chat server that does not run', async () => {
    await chat.stop();
    await testAddress('/chat/');
    await expect(findings).toContainText('systemctl restart php-session-chat');
  });

  await nginx.stop();
  await wordpress.remove();
});
