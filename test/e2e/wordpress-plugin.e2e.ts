import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { packPlugin } from '../../scripts/wordpress-plugin.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { nextChatServer } from '../helpers/chat-server.ts';
import { noon } from '../helpers/noon.ts';
import { apiKey } from '../helpers/people.ts';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';
import { expect, Person, stepInSoak, stored, test } from './fixtures.ts';

/** WordPress may respond slowly on a busy machine. */
const answered = { timeout: 60_000 };
const password = 'another long password 2026';

/** Logs a browser in without the form. */
async function login(page: Page, { url }: WordPressApp, log: string, pwd = password): Promise<void> {
  const request = { form: { log, pwd }, maxRedirects: 0 };
  expect((await page.context().request.post(`${url}/wp-login.php`, request)).status()).toBe(302);
}

/** Creates a page with this content. */
function addPage(wordpress: WordPressApp, title: string, content: string): { id: number; url: string } {
  const code = `$id = wp_insert_post(['post_type' => 'page', 'post_status' => 'publish', 'post_title' => ${quoted(title)}, 'post_content' => ${quoted(content)}]);
    echo json_encode(['id' => $id, 'url' => get_permalink($id)]);`;
  return JSON.parse(wordpress.run(code));
}

/** The text as the plugin isolates it from a text of another direction. */
const isolated = (text: string) => `\u2068${text}\u2069`;

/** The cookies of a browser, as a header. */
const cookieOf = async (page: Page) =>
  (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');

/** Everything in the database whose name shows that it belongs to the plugin. */
const tracesIn = (wordpress: WordPressApp) =>
  wordpress.run(
    `global $wpdb; foreach (['options' => 'option_name', 'usermeta' => 'meta_key', 'postmeta' => 'meta_key'] as $table => $column)
      echo implode(' ', $wpdb->get_col("SELECT DISTINCT $column FROM {$wpdb->prefix}$table WHERE $column REGEXP 'php.?(session.?)?chat'")), ' ';`,
  );

test('the WordPress plugin works from its installation to its removal', { tag: '@soak' }, async ({
  window,
}) => {
  const wordpress = await startWordPress();
  const themes = fileURLToPath(new URL('../fixtures/wordpress-themes/', import.meta.url));
  cpSync(themes, join(wordpress.folder, 'wp-content/themes'), { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'wordpress-plugin-'));
  const zip = join(folder, 'php-session-chat.zip');
  await packPlugin(zip);
  const env = {
    CHAT_SITE: wordpress.folder,
    CHAT_ROOMS: 'lobby,garden',
    CHAT_FIND_PEOPLE: 'all',
    CHAT_API_KEY: apiKey,
  };
  const webhookKey = join(folder, 'webhook-key');
  writeFileSync(webhookKey, `whsec_${randomBytes(32).toString('base64')}\n`);
  const ticketKey = join(folder, 'ticket-key');
  writeFileSync(ticketKey, randomBytes(32).toString('base64'));
  const events = `${wordpress.url}/?rest_route=/php-session-chat/v1/events`;
  const chat = await nextChatServer({
    ...env,
    CHAT_ORIGINS: wordpress.url,
    CHAT_URL: 'https://chat.example.org',
    CHAT_WEBHOOK_URL: events,
    CHAT_WEBHOOK_KEY_FILE: webhookKey,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_NOTIFY_AFTER: '1s',
    CHAT_TIME_ZONE: noon,
    CHAT_TICKET_KEY_FILE: ticketKey,
    CHAT_TICKET_AUDIENCE: '127.0.0.1',
    CHAT_GUESTS: 'write',
    CHAT_GUEST_ROOMS: 'garden',
  });
  const otherChat = await nextChatServer({ ...env, CHAT_ORIGINS: 'https://www.example.org' });
  wordpress.addUsers(
    [
      ['mia', 'Mia & Söhne'],
      ['noor', 'Noor'],
    ],
    password,
  );
  wordpress.run(`switch_theme('classic');`);

  const admin = await window('alice');
  await login(admin, wordpress, wordpress.admin.user, wordpress.admin.password);
  const member = new Person(await window('bob'));
  await login(member.page, wordpress, 'mia');
  const visitor = await window('visitor');
  const address = admin.getByLabel('Server address');
  const findings = admin.getByRole('status');
  const launcher = (page: Page) =>
    page.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
  const openSettings = () =>
    admin.goto(`${wordpress.url}/wp-admin/options-general.php?page=php-session-chat`);
  const testAddress = async (server: string) => {
    await address.fill(server);
    await admin.getByRole('button', { name: 'Test connection' }).click();
    await expect(findings).not.toBeEmpty(answered);
  };
  const save = async () => {
    await admin.getByRole('button', { name: 'Save Changes' }).click();
    await expect(admin.getByText('Settings saved.')).toBeVisible(answered);
  };

  await test.step('is installed from its zip archive and activated', async () => {
    await admin.goto(`${wordpress.url}/wp-admin/plugin-install.php?tab=upload`);
    await admin.getByLabel('Plugin zip file').setInputFiles(zip);
    await admin.getByRole('button', { name: 'Install Now' }).click();
    await admin.getByRole('link', { name: 'Activate Plugin' }).click(answered);
    await expect(admin.getByText('Plugin activated.')).toBeVisible(answered);
  });

  await test.step('shows no chat before it is set up', async () => {
    await member.page.goto(wordpress.url);
    expect(await member.page.content()).not.toContain('php-chat');
  });

  await test.step('explains how to install the chat server if there is none', async () => {
    await openSettings();
    await testAddress('http://127.0.0.1:1');
    await expect(findings).toContainText(`There is no chat server at ${isolated('http://127.0.0.1:1/')}.`);
    await expect(findings).toContainText('apt install ./php-session-chat_0.1.0_amd64.deb');
    await expect(findings).toContainText(
      `php-session-chat init '${wordpress.folder}' --url 'http://127.0.0.1:1/'`,
    );
    await new Person(admin).shot('wordpress-plugin-unreachable');
    await testAddress('chat');
    await expect(findings).toContainText('This is not an address.');
  });

  await test.step('shows the line of CHAT_ORIGINS that a chat server on another origin lacks', async () => {
    await testAddress(otherChat.url);
    await expect(findings).toContainText(`CHAT_ORIGINS=${wordpress.url}`);
  });

  await test.step('explains that cookies do not reach another host', async () => {
    await testAddress(chat.url.replace('127.0.0.1', 'localhost'));
    await expect(findings).toContainText(
      `Browsers do not send the login of ${isolated('127.0.0.1')} to ${isolated('localhost')}`,
    );
  });

  await test.step('tests no address for other users', async () => {
    const form = { action: 'php_session_chat_test', server: chat.url };
    const { request } = member.page.context();
    const answer = await request.post(`${wordpress.url}/wp-admin/admin-ajax.php`, { form });
    expect(answer.status()).toBe(403);
  });

  await test.step('saves no invalid address', async () => {
    await address.fill('javascript:alert(1)');
    await admin.getByRole('button', { name: 'Save Changes' }).click();
    await expect(admin.getByText('The server address must be a path')).toBeVisible(answered);
    await expect(address).toHaveValue('/chat/');
  });

  await test.step('recognises the login at the right address after saving', async () => {
    await address.fill(chat.url);
    await admin.getByLabel('Accent colour').fill('#a3420b');
    await save();
    await expect(findings).toContainText('The chat server recognises your login.', answered);
    await expect(address).toHaveValue(`${chat.url}/`);
    await new Person(admin).shot('wordpress-plugin-settings');
  });

  await test.step('shows a button on all pages to members and nothing to visitors', async () => {
    await member.page.goto(wordpress.url);
    await expect(launcher(member.page)).toHaveCSS('background-color', 'rgb(163, 66, 11)');
    await launcher(member.page).click();
    await member.write('Hello from the button');
    await expect(member.message('Hello from the button').getByText(stored)).toBeVisible();
    await visitor.goto(wordpress.url);
    await expect(visitor.locator('.php-session-chat')).toBeEmpty();
    await expect(visitor.locator('script[src$="php-chat.js"]')).toHaveCount(0);
  });

  await test.step('shows the button on a page that a cache stored for another user', async () => {
    // The box of the button and the settings for the script.
    const partsOf = (html: string) => html.match(/<(div|script)[^>]* class="php-session-chat\b.*?<\/\1>/gs);
    const forVisitor = await (await visitor.context().request.get(wordpress.url)).text();
    const forMember = await (await member.page.context().request.get(wordpress.url)).text();
    expect(partsOf(forVisitor)).toHaveLength(2);
    expect(partsOf(forMember)).toEqual(partsOf(forVisitor));
    for (const [page, stored] of [
      [member.page, forVisitor],
      [visitor, forMember],
    ] as const) {
      writeFileSync(join(wordpress.folder, 'stored.html'), stored);
      await page.goto(`${wordpress.url}/stored.html`);
    }
    await expect(member.page.locator('php-chat-launcher').getByRole('button').first()).toBeVisible();
    await expect(visitor.locator('.php-session-chat')).toBeEmpty();
  });

  await test.step('shows the chat and the number of unread messages by shortcodes', async () => {
    const { url } = addPage(wordpress, 'Talk', '[php_chat room="garden" theme="dark"] [php_chat_badge]');
    await member.page.goto(url);
    await expect(member.page.getByRole('region', { name: 'garden' })).toBeVisible();
    await expect(member.page.locator('php-chat')).toHaveAttribute('theme', 'dark');
    await expect(member.page.locator('php-chat-launcher')).toHaveCount(0);
    await expect(member.page.locator('php-chat-badge')).toHaveCount(1);
    await expect(member.page.locator('script[src$="php-chat.js"]')).toHaveCount(1);
    await visitor.goto(url);
    await visitor.getByRole('link', { name: 'Log in to use the chat' }).click();
    await expect(visitor.getByLabel('Username or Email Address')).toBeVisible(answered);
    expect(new URL(visitor.url()).searchParams.get('redirect_to')).toBe(url);
  });

  await test.step('takes no address of a script from the text of an author', async () => {
    // A plugin may let authors use templates, but neither scripts nor the elements of the chat.
    const box = `<div class="php-session-chat" data-cookie="a" data-guests="yes" data-script="${wordpress.url}/other.js">
      <template><b>Box of an author</b></template></div>`;
    const url = wordpress.run(`add_filter('wp_kses_allowed_html', fn ($tags) => $tags + ['template' => []]);
      echo get_permalink(wp_insert_post(['post_type' => 'page', 'post_status' => 'publish', 'post_title' => 'Box', 'post_content' => ${quoted(box)}]));`);
    await visitor.goto(url);
    await expect(visitor.locator('.php-session-chat').first()).toBeEmpty();
    await expect(visitor.getByText('Box of an author')).toHaveCount(0);
    await expect(visitor.locator('script[src$="other.js"]')).toHaveCount(0);
  });

  await test.step('takes neither the question to WordPress nor its outcome from the text of an author', async () => {
    const cookie = wordpress.run('echo PhpSessionChat\\WordPress\\user_cookie();');
    const ask = `${wordpress.url}/asked-by-author`;
    const box = `<div class="php-session-chat php-session-chat-settings" id="php-session-chat-settings" data-cookie="${cookie}" data-ask="${ask}"></div>`;
    const url = wordpress.run(
      `wp_set_current_user(0); kses_init_filters(); echo get_permalink(wp_insert_post(['post_type' => 'page', 'post_status' => 'publish', 'post_title' => 'Asks', 'post_content' => ${quoted(box)}]));`,
    );
    const requests: string[] = [];
    member.page.on('request', (request) => requests.push(request.url()));
    await member.page.goto(url);
    expect(await (await member.page.context().request.get(url)).text()).toContain(`data-ask="${ask}"`);
    await expect(member.page.locator('php-chat-launcher')).toBeAttached();
    expect(requests).not.toContain(ask);
  });

  await test.step('opens a direct room from the page of an author', async () => {
    const errors: Error[] = [];
    member.page.on('pageerror', (error) => errors.push(error));
    await member.page.goto(`${wordpress.url}/?author=1`);
    await member.page.getByRole('button', { name: `Message ${isolated('boss')}` }).click();
    await expect(member.page.getByRole('heading', { name: /^boss/ })).toBeVisible();
    expect(errors).toEqual([]);
    await visitor.goto(`${wordpress.url}/?author=1`);
    await expect(visitor.getByRole('button', { name: /^Message/ })).toHaveCount(0);
    await member.page
      .locator('php-chat-launcher')
      .getByRole('button', { name: 'Close chat' })
      .first()
      .click();
  });

  await test.step('mails an offline member through WordPress, only for a signed event', async () => {
    const file = join(folder, 'mails');
    const plugins = join(wordpress.folder, 'wp-content/mu-plugins');
    mkdirSync(plugins);
    // Replaces the mail server, and rejects the first mail.
    writeFileSync(
      join(plugins, 'mails.php'),
      `<?php add_filter('pre_wp_mail', function ($sent, $mail) {
        if (!file_exists(${quoted(`${file}.tried`)})) return touch(${quoted(`${file}.tried`)}) && false;
        return (bool) file_put_contents(${quoted(file)}, json_encode($mail) . "\\n", FILE_APPEND);
      }, 10, 2);`,
    );
    wordpress.define({ PHP_SESSION_CHAT_WEBHOOK_KEY: `file_get_contents(${quoted(webhookKey)})` });
    const headers = {
      'webhook-id': '1',
      'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
      'webhook-signature': `v1,${randomBytes(32).toString('base64')}`,
    };
    const body = JSON.stringify({ type: 'notify.due', data: { user: { id: '1' }, total: 9, rooms: [] } });
    expect((await fetch(events, { method: 'POST', headers, body })).status).toBe(400);
    // Connects without a browser, whose `client:active` would delay the mail by two minutes.
    await login(visitor, wordpress, 'noor');
    const away = await connectChat(chat.url, await cookieOf(visitor));
    await away.request('notify:set', { quiet: null });
    const writer = await connectChat(chat.url, await cookieOf(admin));
    const { room } = await writer.request('direct:open', { user: away.ready.user.id });
    away.close();
    await writer.request('room:join', { room: room.id });
    await writer.request('message:send', { room: room.id, text: 'Soil has come', clientId: newClientId() });
    writer.close();
    await expect.poll(() => existsSync(file), { timeout: 60_000 }).toBe(true);
    const mails = readFileSync(file, 'utf8').trim().split('\n');
    expect(mails).toHaveLength(1);
    const mail = JSON.parse(mails[0] as string);
    expect(mail).toMatchObject({ to: 'noor@example.org', subject: '1 unread message at Club' });
    expect(mail.message).not.toContain('Soil');
    expect(mail.message).toContain(`Direct message from boss: 1\n\nhttps://chat.example.org/#m=${room.id}/1`);
    expect(mail.headers).toContainEqual(
      expect.stringMatching(/^List-Unsubscribe: <https:\/\/chat\.example\.org\/stop/),
    );
  });

  await test.step('mails a member who has never opened the chat', async () => {
    wordpress.run(`wp_create_user('zoe', ${quoted(password)}, 'zoe@example.org');`);
    const id = wordpress.run(`echo get_user_by('login', 'zoe')->ID;`).trim();
    const writer = await connectChat(chat.url, await cookieOf(admin));
    const { room } = await writer.request('direct:open', { user: id });
    await writer.request('room:join', { room: room.id });
    const sent = await writer.request('message:send', {
      ...{ room: room.id, text: 'Welcome', clientId: newClientId() },
    });
    expect(sent).not.toHaveProperty('unreached');
    writer.close();
    const mails = () => readFileSync(join(folder, 'mails'), 'utf8');
    await expect.poll(mails, { timeout: 60_000 }).toContain('zoe@example.org');
    expect(mails()).toContain('Direct message from boss: 1');
    expect(mails()).not.toContain('Welcome');
  });

  await test.step('mails no member whom the site blocked', async () => {
    const id = wordpress.run(
      `$id = wp_create_user('spam', ${quoted(password)}, 'spam@example.org'); $GLOBALS['wpdb']->update($GLOBALS['wpdb']->users, ['user_status' => 1], ['ID' => $id]); echo $id;`,
    );
    const key = Buffer.from(readFileSync(webhookKey, 'utf8').trim().slice('whsec_'.length), 'base64');
    const body = JSON.stringify({
      type: 'notify.due',
      data: { user: { id: id.trim() }, total: 9, rooms: [] },
    });
    const [event, time] = ['blocked', String(Math.floor(Date.now() / 1000))];
    const signature = createHmac('sha256', key).update(`${event}.${time}.${body}`).digest('base64');
    const headers = {
      'webhook-id': event,
      'webhook-timestamp': time,
      'webhook-signature': `v1,${signature}`,
    };
    expect((await fetch(events, { method: 'POST', headers, body })).status).toBe(204);
    expect(readFileSync(join(folder, 'mails'), 'utf8')).not.toContain('spam@example.org');
  });

  await test.step('shows the chat as a block in a block theme', async () => {
    wordpress.run(`switch_theme('blocks');`);
    const { id, url } = addPage(
      wordpress,
      'Blocks',
      '<!-- wp:php-session-chat/chat {"room":"lobby","align":"wide"} /-->',
    );
    await member.page.goto(url);
    await expect(member.page.locator('.alignwide').getByRole('region', { name: 'lobby' })).toBeVisible();
    await stepInSoak('with a placeholder in the editor', async () => {
      await admin.goto(`${wordpress.url}/wp-admin/post.php?post=${id}&action=edit`);
      // Newer versions of WordPress show the content in a frame.
      const shown = async () => {
        const places = admin.frames().map((frame) => frame.getByText('Logged-in members see the chat here.'));
        return (await Promise.all(places.map((place) => place.count()))).includes(1);
      };
      await expect.poll(shown, answered).toBe(true);
    });
  });

  await test.step('reports the state of the chat server in Site Health', async () => {
    await admin.goto(`${wordpress.url}/wp-admin/site-health.php`);
    const passed = admin.locator('#health-check-issues-good');
    await expect(passed).toContainText(`The chat server runs at ${isolated(`${chat.url}/`)}.`, answered);
    const check = `echo json_encode(PhpSessionChat\\WordPress\\check_server('${otherChat.url}/'));`;
    expect(JSON.parse(wordpress.run(check)).at(-1).lines).toContain(`CHAT_ORIGINS=${wordpress.url}\n`);
  });

  await stepInSoak('reports in Site Health what the chat server lacks', async () => {
    const full = createServer(({ url }, response) =>
      response.end(url === '/readyz' ? '{"missing":["disk space"]}' : '{"status":"ok"}'),
    );
    await once(full.listen(0, '127.0.0.1'), 'listening');
    const { port } = full.address() as AddressInfo;
    wordpress.define({ PHP_SESSION_CHAT_SERVER: quoted(`http://127.0.0.1:${port}`) });
    await admin.goto(`${wordpress.url}/wp-admin/site-health.php`);
    const text = `The chat server is not ready: ${isolated('disk space')}.`;
    await expect(admin.locator('#health-check-issues-critical')).toContainText(text, answered);
    full.close();
    full.closeAllConnections();
    wordpress.undefine('PHP_SESSION_CHAT_SERVER');
  });

  await test.step('gives no page and no site of a network the address of the chat server', async () => {
    wordpress.run(
      `update_site_option('php_session_chat_server', '/chat/'); update_option('permalink_structure', '/%postname%/');`,
    );
    const slugs = ['page', 'post'].map(
      (type) => `echo wp_unique_post_slug('chat', 0, 'publish', '${type}', 0), ' ';`,
    );
    expect(wordpress.run(slugs.join(' '))).toBe('chat-2 chat-2');
    expect(wordpress.run(`echo wp_unique_post_slug('chat', 0, 'publish', 'page', 2);`)).toBe('chat');
    expect(wordpress.run(`echo implode(apply_filters('subdirectory_reserved_names', []));`)).toBe('chat');
    wordpress.run(
      `update_site_option('php_session_chat_server', ${quoted(`${chat.url}/`)}); update_option('permalink_structure', '');`,
    );
  });

  await test.step('exports and erases personal data with the key in wp-config.php', async () => {
    const tools = `echo count(apply_filters('wp_privacy_personal_data_exporters', [])['php-session-chat'] ?? []);`;
    expect(wordpress.run(tools)).toBe('0');
    wordpress.define({
      PHP_SESSION_CHAT_API_URL: quoted(chat.url),
      PHP_SESSION_CHAT_API_KEY: quoted(apiKey),
    });
    const exported = wordpress.run(
      `$tool = apply_filters('wp_privacy_personal_data_exporters', [])['php-session-chat'];
      echo json_encode($tool['callback']('mia@example.org', 1));`,
    );
    const { data, done } = JSON.parse(exported) as { data: { data: object[] }[]; done: boolean };
    expect(done).toBe(true);
    const fields = data.flatMap((item) => item.data) as { name: string; value: string }[];
    expect(fields).toContainEqual({ name: 'Text', value: 'Hello from the button' });
    expect(fields).toContainEqual({ name: 'User', value: 'Mia &amp; Söhne' });
    const day = new Date().toLocaleDateString('en-US', { dateStyle: 'long', timeZone: 'UTC' });
    expect(fields).toContainEqual({ name: 'Time', value: expect.stringContaining(day) });
    for (const { value } of fields) expect(value).not.toMatch(/[{}[\]"]/);
    await openSettings();
    expect(await admin.content()).not.toContain(apiKey);
    await admin.goto(`${wordpress.url}/wp-admin/erase-personal-data.php`);
    await admin.getByLabel('Username or email address').fill('mia');
    await admin.getByLabel('Send personal data erasure confirmation email').uncheck();
    await admin.getByRole('button', { name: 'Send Request' }).click();
    await admin.getByRole('button', { name: 'Erase personal data' }).click(answered);
    await expect(admin.getByText('Chat messages stay, without the name of their author.')).toBeVisible(
      answered,
    );
    await admin.goto(wordpress.url);
    await launcher(admin).click();
    await expect(admin.getByRole('article', { name: /^Deleted user/ })).toHaveText(/Hello from the button/);
    await admin.getByRole('button', { name: 'Close chat' }).first().click();
  });

  await test.step('uses tickets if a plugin replaces the login, and ends the chat at the logout', async () => {
    const plugin = join(wordpress.folder, 'wp-content/mu-plugins/salt.php');
    writeFileSync(plugin, `<?php add_filter('salt', fn ($salt) => $salt . 'other');`);
    await login(admin, wordpress, wordpress.admin.user, wordpress.admin.password);
    await login(member.page, wordpress, 'noor');
    await openSettings();
    await testAddress(chat.url);
    await expect(findings).toContainText('The chat server does not recognise your login.');
    wordpress.define({ PHP_SESSION_CHAT_TICKET_KEY: quoted('A'.repeat(44)) });
    await openSettings();
    await testAddress(chat.url);
    await expect(findings).toContainText('The chat server does not accept the tickets of this site.');
    await expect(findings).toContainText('CHAT_TICKET_AUDIENCE=127.0.0.1');
    const config = join(wordpress.folder, 'wp-config.php');
    const key = `file_get_contents(${quoted(ticketKey)})`;
    writeFileSync(config, readFileSync(config, 'utf8').replace(quoted('A'.repeat(44)), key));
    await openSettings();
    await testAddress(chat.url);
    await expect(findings).toContainText('The chat server recognises your login.');
    await member.page.goto(wordpress.url);
    await launcher(member.page).click();
    await member.write('Hello by ticket');
    await expect(member.message('Hello by ticket').getByText(stored)).toBeVisible();
    const other = await member.page.context().newPage();
    await other.goto(`${wordpress.url}/wp-login.php?action=logout`);
    await other.getByRole('link', { name: 'log out' }).click(answered);
    await expect(member.page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible(answered);
    await other.close();
    await login(member.page, wordpress, 'noor');
  });

  await test.step('admits visitors as guests if the owner allows it', async () => {
    await openSettings();
    await admin.getByLabel('Also visitors without a login').check();
    await save();
    await visitor.context().clearCookies();
    await visitor.goto(wordpress.url);
    await launcher(visitor).click();
    await visitor.getByRole('textbox', { name: 'Your name' }).fill('Eve');
    await visitor.keyboard.press('Enter');
    await expect(visitor.getByRole('region', { name: 'garden' })).toBeVisible();
  });

  await test.step('shows the settings for questions, and the button that asks', async () => {
    await openSettings();
    await admin.getByRole('group', { name: 'Users with these roles answer:' }).getByLabel('Editor').check();
    await admin.getByLabel('Office hours').fill('We answer from 9 to 5');
    await admin.getByLabel('Show the button as “Ask us”').check();
    await save();
    await expect(admin.getByText('CHAT_TEAM=role:editor')).toBeVisible();
    await expect(admin.getByText("CHAT_TEAM_TEXT='We answer from 9 to 5'")).toBeVisible();
    await visitor.goto(wordpress.url);
    const button = visitor.locator('php-chat-launcher').getByRole('button', { expanded: true });
    await button.click();
    await expect(visitor.getByRole('button', { name: 'Ask us' })).toBeVisible();
  });

  await test.step('hides the chat from other roles', async () => {
    await openSettings();
    await admin.getByLabel('Show the button as “Ask us”').uncheck();
    await admin.getByLabel('These roles:').check();
    await admin.getByRole('group', { name: 'Who sees the chat' }).getByLabel('Administrator').check();
    await save();
    await admin.goto(wordpress.url);
    await expect(launcher(admin)).toBeVisible();
    const asked = member.page.waitForResponse(/action=php_session_chat_sees/);
    await member.page.goto(wordpress.url);
    expect(await (await asked).json()).toEqual({ sees: false });
    await expect(member.page.locator('.php-session-chat')).toBeEmpty();
  });

  await test.step('keeps its settings when deactivated, and leaves nothing when deleted', async () => {
    const plugins = `${wordpress.url}/wp-admin/plugins.php`;
    await admin.goto(plugins);
    await admin.getByRole('link', { name: 'Deactivate PHP Session Chat' }).click();
    await expect(admin.getByText('Plugin deactivated.')).toBeVisible(answered);
    expect(tracesIn(wordpress)).toBe('php_session_chat php_session_chat_server php_session_chat_mailed');
    await admin.goto(wordpress.url);
    expect(await admin.content()).not.toContain('php-chat');
    await admin.goto(plugins);
    admin.once('dialog', (dialog) => dialog.accept());
    await admin.getByRole('link', { name: 'Delete PHP Session Chat' }).click();
    await expect(admin.getByText('PHP Session Chat was successfully deleted.')).toBeVisible(answered);
    expect(tracesIn(wordpress)).toBe('');
    expect(existsSync(join(wordpress.folder, 'wp-content/plugins/php-session-chat'))).toBe(false);
  });

  for (const page of [admin, member.page, visitor]) await page.goto('about:blank');
  for (const server of [chat, otherChat]) await server.stop();
  rmSync(folder, { recursive: true });
  await wordpress.remove();
});
