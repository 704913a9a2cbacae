import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';

const password = 'another long password 2026';
const evil = 'https://evil.example/';

let wordpress: WordPressApp;
beforeAll(async () => {
  wordpress = await startWordPress();
  await wordpress.installPlugin();
  // An administrator who may install and change nothing.
  const [id = ''] = wordpress.addUsers([['mia', 'Mia']], password);
  wordpress.run(`(new WP_User(${id}))->set_role('administrator');`);
});
afterAll(() => wordpress.remove());

/** Logs in by the form. @returns a function that requests a page of the administration */
async function administrator(log: string, pwd: string) {
  const login = await fetch(`${wordpress.url}/wp-login.php`, {
    method: 'POST',
    body: new URLSearchParams({ log, pwd }),
    redirect: 'manual',
  });
  const cookies = login.headers.getSetCookie().map((cookie) => cookie.replace(/;.*/s, ''));
  const headers = { Cookie: cookies.join('; ') };
  return (path: string, form?: Record<string, string>) =>
    fetch(`${wordpress.url}/wp-admin/${path}`, {
      headers,
      redirect: 'manual',
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
}

const page = 'options-general.php?page=php-session-chat';
const fieldIn = (html: string) => /<input[^>]*id="php-session-chat-server"[^>]*>/s.exec(html)?.[0] ?? '';
const server = () => wordpress.run('echo PhpSessionChat\\WordPress\\server();');

/** Saves the settings of a site with this address, as a form that the page does not offer could. */
async function save(request: Awaited<ReturnType<typeof administrator>>, address: string): Promise<void> {
  const html = await (await request(page)).text();
  const nonce = /name="_wpnonce" value="(\w+)"/.exec(html)?.[1] ?? '';
  const form = { option_page: 'php-session-chat', action: 'update', _wpnonce: nonce };
  const values = { php_session_chat_server: address, 'php_session_chat[server]': address };
  const answer = await request('options.php', { ...form, ...values, 'php_session_chat[accent]': '#a3420b' });
  expect(answer.status).toBe(302);
}

test('an administrator of a single site who may add scripts chooses the address', async () => {
  const boss = await administrator(wordpress.admin.user, wordpress.admin.password);
  expect(fieldIn(await (await boss(page)).text())).toContain('name="php_session_chat_server"');
  await save(boss, '/chat');
  expect(server()).toBe('/chat/');
});

test('an administrator who may not add scripts does not change the address', async () => {
  wordpress.define({ DISALLOW_UNFILTERED_HTML: 'true' });
  const mia = await administrator('mia', password);
  const field = fieldIn(await (await mia(page)).text());
  expect(field).toContain('readonly');
  expect(field).not.toContain('name=');
  await save(mia, evil);
  expect(server()).toBe('/chat/');
  expect(wordpress.run(`echo get_option('php_session_chat')['accent'];`)).toBe('#a3420b');
});

test('a constant in wp-config.php decides, and the page shows its name', async () => {
  wordpress.define({ PHP_SESSION_CHAT_SERVER: quoted('https://аpple.example') });
  const html = await (await (await administrator('mia', password))(page)).text();
  expect(fieldIn(html)).toContain('value="https://xn--pple-43d.example/"');
  expect(html).toContain('PHP_SESSION_CHAT_SERVER');
});

test('Site Health does not tell an open port of this machine from a closed one', () => {
  const urls = ['http://127.0.0.1:1/', `http://127.0.0.1:${wordpress.db.port}/`, `${wordpress.url}/`];
  const answers = urls.map((url) => {
    const findings = wordpress.run(`echo json_encode(PhpSessionChat\\WordPress\\check_server('${url}'));`);
    return JSON.parse(findings.replaceAll(JSON.stringify(url).slice(1, -1).replaceAll('/', '\\/'), 'URL'));
  });
  expect(answers[0]).toMatchObject([{ level: 'problem', text: expect.stringContaining('URL') }]);
  for (const answer of answers) expect(answer).toEqual(answers[0]);
});

test('on a network only its administrators choose the address, for all sites, and see the folder', async () => {
  wordpress.undefine('PHP_SESSION_CHAT_SERVER', 'DISALLOW_UNFILTERED_HTML');
  wordpress.becomeNetwork();
  const mia = await administrator('mia', password);
  expect(fieldIn(await (await mia(page)).text())).toContain('readonly');
  await save(mia, evil);
  expect(server()).toBe('');
  expect((await mia('network/settings.php?page=php-session-chat')).status).not.toBe(200);

  const findings = (login: string) =>
    wordpress.run(
      `wp_set_current_user(null, '${login}'); echo json_encode(PhpSessionChat\\WordPress\\install_lines('/'), JSON_UNESCAPED_SLASHES);`,
    );
  expect(findings('mia')).not.toContain(wordpress.folder);
  expect(findings(wordpress.admin.user)).toContain(wordpress.folder);

  const boss = await administrator(wordpress.admin.user, wordpress.admin.password);
  // The page of a site has no field that is saved, even for them.
  expect(fieldIn(await (await boss(page)).text())).toContain('readonly');
  const html = await (await boss('network/settings.php?page=php-session-chat')).text();
  expect(fieldIn(html)).toContain('name="php_session_chat_server"');
  const nonce = /name="_wpnonce" value="(\w+)"/.exec(html)?.[1] ?? '';
  const form = { _wpnonce: nonce, php_session_chat_server: '/chat' };
  const mayChoose = (login: string) =>
    wordpress.run(
      `wp_set_current_user(null, '${login}'); var_export(PhpSessionChat\\WordPress\\may_choose_server());`,
    );
  expect(['mia', wordpress.admin.user].map(mayChoose)).toEqual(['false', 'true']);
  expect((await boss('network/edit.php?action=php_session_chat_server', form)).status).toBe(302);
  expect(server()).toBe('/chat/');
  expect(
    wordpress.run(
      `switch_to_blog(wpmu_create_blog('127.0.0.1', '/second/', 'Second', 1)); echo PhpSessionChat\\WordPress\\server();`,
    ),
  ).toBe('/chat/');
});
