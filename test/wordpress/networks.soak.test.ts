import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';

const password = 'another long password 2026';
const plugin = 'php-session-chat/php-session-chat.php';

let wordpress: WordPressApp;
/** The addresses of the two sites of the network. */
let main: string;
let sister: string;
/** The cookies of each user, which both sites accept. */
const cookies: Record<string, string> = {};
beforeAll(async () => {
  wordpress = await startWordPress();
  await wordpress.installPlugin();
  // As on the single site of before, whose address stays in its own table of options.
  wordpress.run(`update_site_option('php_session_chat_server', '/chat/');`);
  wordpress.becomeNetwork();
  main = wordpress.url;
  sister = main.replace('127.0.0.1', 'localhost');
  wordpress.addUsers(
    [
      ['editor', 'Ed'],
      ['subscriber', 'Sub'],
      ['boss-of-sister', 'Bo'],
    ],
    password,
  );
  wordpress.run(`require_once ABSPATH . 'wp-admin/includes/plugin.php'; activate_plugin('${plugin}', '', true);
    update_site_option('php_session_chat_server', '/chat/');
    $sister = wpmu_create_blog('sister.example', '/', 'Sister', 1);
    // WordPress creates no address with a port.
    $wpdb->update($wpdb->blogs, ['domain' => ${quoted(new URL(sister).host)}], ['blog_id' => $sister]);
    foreach (['siteurl', 'home'] as $name) update_blog_option($sister, $name, ${quoted(sister)});
    (new WP_User(get_user_by('login', 'editor')->ID))->set_role('editor');
    foreach (['editor' => 'subscriber', 'subscriber' => 'editor', 'boss-of-sister' => 'administrator'] as $login => $role)
      add_user_to_blog($sister, get_user_by('login', $login)->ID, $role);`);
  wordpress.define({ PHP_SESSION_CHAT_TICKET_KEY: quoted(randomBytes(32).toString('base64')) });
  for (const log of ['editor', 'subscriber', 'boss-of-sister']) {
    const body = new URLSearchParams({ log, pwd: password });
    const login = await fetch(`${main}/wp-login.php`, { method: 'POST', body, redirect: 'manual' });
    cookies[log] = login.headers
      .getSetCookie()
      .map((cookie) => cookie.replace(/;.*/s, ''))
      .join('; ');
  }
});
afterAll(() => wordpress.remove());

const request = (login: string, site: string, path: string) =>
  fetch(`${site}/wp-admin/${path}`, { headers: { Cookie: cookies[login] ?? '' }, redirect: 'manual' });

/** Chooses who sees the chat of a site. No roles: all users. */
const allow = (site: 1 | 2, ...roles: string[]) =>
  wordpress.run(
    `update_blog_option(${site}, 'php_session_chat', ['who' => '${roles.length === 0 ? 'all' : 'roles'}', 'roles' => json_decode(${quoted(JSON.stringify(roles))})]);`,
  );

/** Requests a ticket and whether the user sees the chat. */
async function answers(login: string, site: string) {
  const ticket = await request(login, site, 'admin-ajax.php?action=php_session_chat_ticket');
  const sees = await request(login, site, 'admin-ajax.php?action=php_session_chat_sees');
  return { ticket: ticket.status, ...((await sees.json()) as { sees: boolean }) };
}
const admitted = { ticket: 200, sees: true };
const refused = { ticket: 401, sees: false };

test('a user excluded by the main site gets no ticket from a site that allows everyone', async () => {
  allow(1, 'editor');
  allow(2);
  expect(await answers('subscriber', main)).toEqual(refused);
  expect(await answers('subscriber', sister)).toEqual(refused);
  expect(await answers('editor', sister)).toEqual(admitted);
});

test('pages of a site that allows all ask WordPress if the main site chose roles', () => {
  allow(2);
  const page = () =>
    wordpress.run(
      `switch_to_blog(2); wp_scripts(); wp_styles(); do_shortcode('[php_chat_badge]'); do_action('wp_footer');`,
    );
  allow(1);
  expect(page()).not.toContain('php_session_chat_sees');
  allow(1, 'editor');
  expect(page()).toContain('php_session_chat_sees');
});

test('a site narrows the choice of the main site for itself only, by its own roles', async () => {
  allow(1);
  allow(2, 'editor');
  expect(await answers('subscriber', sister)).toEqual(admitted);
  expect(await answers('editor', sister)).toEqual(refused);
  expect(await answers('editor', main)).toEqual(admitted);
});

test('the settings of each site show what the main site chose, which its administrator cannot change', async () => {
  allow(1, 'editor', 'author');
  allow(2);
  const settings = async () => {
    const page = await request('boss-of-sister', sister, 'options-general.php?page=php-session-chat');
    return (await page.text()).replaceAll(/[\u2068\u2069]/g, '');
  };
  const note = (choice: string) =>
    `The main site chooses for all sites of this network: ${choice}. Other sites can only narrow this choice.`;
  expect(await settings()).toContain(note('Editor and Author'));
  const findings = wordpress.run(`echo json_encode(PhpSessionChat\\WordPress\\no_ticket(401, ''));`);
  expect(JSON.parse(findings).advice).toContain('main site');
  allow(1);
  expect(await settings()).toContain(note('All logged-in users'));
});

test('an option of the main site without a choice admits nobody on any site', async () => {
  wordpress.run(`update_blog_option(1, 'php_session_chat', 'x');`);
  allow(2);
  for (const site of [main, sister]) expect(await answers('editor', site)).toEqual(refused);
  allow(1);
});

const mark = (name: string) => (on: boolean) =>
  `$wpdb->update($wpdb->users, ['${name}' => ${Number(on)}], ['ID' => $user->ID]);`;
test.each([
  ['is blocked by bbPress', (on: boolean) => `$user->${on ? 'add' : 'remove'}_cap('bbp_blocked');`],
  ['is marked as spam', mark('spam')],
  ['is deleted', mark('deleted')],
])('a user who %s on the main site gets no ticket from another site', async (_, code) => {
  const set = (on: boolean) => wordpress.run(`$user = get_user_by('login', 'subscriber'); ${code(on)}`);
  const statuses = async () => [
    (await answers('subscriber', main)).ticket,
    (await answers('subscriber', sister)).ticket,
  ];
  expect(await statuses()).toEqual([200, 200]);
  set(true);
  expect(await statuses()).toEqual([401, 401]);
  set(false);
  expect(await statuses()).toEqual([200, 200]);
});

test('with several networks, no ticket has an audience that the administrators of a network choose', async () => {
  wordpress.run(`$wpdb->insert($wpdb->site, ['id' => 2, 'domain' => 'other.example', 'path' => '/']);`);
  const ticket = () => request('editor', main, 'admin-ajax.php?action=php_session_chat_ticket');
  const answer = await ticket();
  expect(answer.status).toBe(500);
  expect(await answer.text()).toContain('PHP_SESSION_CHAT_TICKET_AUDIENCE');
  wordpress.define({ PHP_SESSION_CHAT_TICKET_AUDIENCE: quoted('chat.example.org') });
  const { ticket: text } = (await (await ticket()).json()) as { ticket: string };
  const claims = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
  expect(claims.aud).toBe('chat.example.org');
  wordpress.undefine('PHP_SESSION_CHAT_TICKET_AUDIENCE');
  wordpress.run(`$wpdb->delete($wpdb->site, ['id' => 2]);`);
  expect((await ticket()).status).toBe(200);
});

test('leaves nothing in any network when it is deleted', () => {
  wordpress.run(`$wpdb->insert($wpdb->site, ['id' => 2, 'domain' => 'other.example', 'path' => '/']);
    update_network_option(2, 'php_session_chat_server', '/chat/');`);
  allow(1);
  allow(2);
  const tables = ['wp_options', 'wp_2_options', 'wp_sitemeta', 'wp_usermeta'];
  const traces = () =>
    wordpress.run(
      tables
        .map((table) => {
          const [column = ''] = table.endsWith('options') ? ['option_name'] : ['meta_key'];
          return `foreach ($wpdb->get_col("SELECT ${column} FROM ${table} WHERE ${column} LIKE 'php\\_session\\_chat%'") as $name) echo "${table} $name\\n";`;
        })
        .join(''),
    );
  expect(traces().split('\n')).toEqual([
    'wp_options php_session_chat',
    'wp_options php_session_chat_server',
    'wp_2_options php_session_chat',
    'wp_sitemeta php_session_chat_server',
    'wp_sitemeta php_session_chat_server',
  ]);
  wordpress.run(`require_once ABSPATH . 'wp-admin/includes/plugin.php'; uninstall_plugin('${plugin}');`);
  expect(traces()).toBe('');
});
