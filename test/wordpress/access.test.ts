import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { givenSettings } from '../../server/settings/file.ts';
import { size } from '../guarantees/size.ts';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress, type WordPressApp } from '../helpers/wordpress-app.ts';

const password = 'another long password 2026';
const page = 'options-general.php?page=php-session-chat';

let wordpress: WordPressApp;
/** The ID of the subscriber. */
let sub: string;
let boss: string;
let member: string;
beforeAll(async () => {
  wordpress = await startWordPress();
  await wordpress.installPlugin();
  wordpress.define({ PHP_SESSION_CHAT_TICKET_KEY: quoted(randomBytes(32).toString('base64')) });
  wordpress.run(`update_site_option('php_session_chat_server', '/chat/');`);
  [sub = ''] = wordpress.addUsers([['sub', 'Sub']], password);
  const plugins = join(wordpress.folder, 'wp-content/mu-plugins');
  mkdirSync(plugins);
  // Parts of plugins that say what the option of their name contains.
  writeFileSync(
    join(plugins, 'others.php'),
    `<?php
if (get_option('has_helper')) add_action('init', fn () => wp_roles()->roles['helper'] = ['name' => 'Helper', 'capabilities' => []]);
function bp_moderation_is_user_suspended($id) { return (int) get_option('suspended') === $id; }
final class CRB_2FA {
  static function get_2fa_data($id) { return (int) get_option('pending') === $id ? ['pin' => '1234'] : []; }
}`,
  );
  boss = await logIn(wordpress.admin.user, wordpress.admin.password);
  member = await logIn('sub', password);
});
afterAll(() => wordpress.remove());

/** Logs in by the form. @returns the cookies */
async function logIn(log: string, pwd: string): Promise<string> {
  const body = new URLSearchParams({ log, pwd });
  const login = await fetch(`${wordpress.url}/wp-login.php`, { method: 'POST', body, redirect: 'manual' });
  const cookies = login.headers.getSetCookie().map((cookie) => cookie.replace(/;.*/s, ''));
  return cookies.join('; ');
}

const request = (Cookie: string, path: string, body?: URLSearchParams) =>
  fetch(`${wordpress.url}/wp-admin/${path}`, {
    headers: { Cookie },
    redirect: 'manual',
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
const ask = (action: 'ticket' | 'sees', cookie = member) =>
  request(cookie, `admin-ajax.php?action=php_session_chat_${action}`);

/** Returns the roles in a ticket of the subscriber. */
async function ticketRoles(): Promise<unknown> {
  const { ticket } = (await (await ask('ticket')).json()) as { ticket: string };
  return JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString()).roles;
}

/** Requests a ticket and whether the subscriber sees the chat. */
async function answers() {
  const [ticket, sees] = [await ask('ticket'), await ask('sees')];
  return { ticket: ticket.status, ...((await sees.json()) as { sees: boolean }) };
}
const admitted = { ticket: 200, sees: true };
const refused = { ticket: 401, sees: false };

/** Stores a value of the option like an import, without the plugin's own check. */
const store = (php: string) =>
  wordpress.run(
    `$wpdb->replace($wpdb->options, ['option_name' => 'php_session_chat', 'option_value' => ${php}, 'autoload' => 'yes']);`,
  );
const stored = () => JSON.parse(wordpress.run(`echo json_encode(get_option('php_session_chat'));`));
const html = async () => (await request(boss, page)).text();

/** Saves the form of the settings. @returns the page that WordPress shows then */
async function save(fields: [name: string, value: string][]): Promise<string> {
  const nonce = /name="_wpnonce" value="(\w+)"/.exec(await html())?.[1] ?? '';
  const form = new URLSearchParams({ option_page: 'php-session-chat', action: 'update', _wpnonce: nonce });
  form.set('php_session_chat_server', '/chat/');
  for (const [name, value] of fields) form.append(`php_session_chat${name}`, value);
  const answer = await request(boss, 'options.php', form);
  expect(answer.status).toBe(302);
  return (await request(boss, `${page}&settings-updated=true`)).text();
}
const noRole = 'Check at least one role under “Who sees the chat”.';

/** The value of the radio button that is checked, and of the checked roles. */
const chosenIn = (text: string) => ({
  who: /name="php_session_chat\[who\]" value="(\w+)"\s+checked/.exec(text)?.[1],
  roles: [...text.matchAll(/\[roles\]\[\]" value="(\w+)"\s+checked/g)].map(([, role]) => role),
});

test('the choice of roles without a role admits nobody, and is an error', async () => {
  wordpress.run(`delete_option('php_session_chat');`);
  expect(await answers()).toEqual(admitted);
  expect(await save([['[who]', 'roles']])).toContain(noRole);
  expect(await answers()).toEqual(refused);
  expect(
    await save([
      ['[who]', 'roles'],
      ['[roles][]', 'subscriber'],
    ]),
  ).not.toContain(noRole);
  expect(await answers()).toEqual(admitted);
});

test('roles that no plugin adds at the moment stay chosen until they are unchecked', async () => {
  wordpress.run(`update_option('has_helper', '1');`);
  await save([
    ['[who]', 'roles'],
    ['[roles][]', 'helper'],
  ]);
  wordpress.run(`delete_option('has_helper');`);
  expect(chosenIn(await html())).toEqual({ who: 'roles', roles: ['helper'] });
  await save([
    ['[who]', 'roles'],
    ['[roles][]', 'helper'],
    ['[roles][]', 'editor'],
    ['[accent]', '#112233'],
  ]);
  expect(stored()).toMatchObject({ who: 'roles', roles: ['helper', 'editor'], accent: '#112233' });
  expect(await answers()).toEqual(refused);
  // Without a role, the earlier ones stay.
  expect(
    await save([
      ['[who]', 'roles'],
      ['[accent]', '#445566'],
    ]),
  ).toContain(noRole);
  expect(stored()).toMatchObject({ who: 'roles', roles: ['helper', 'editor'], accent: '#445566' });
  await save([
    ['[who]', 'roles'],
    ['[roles][]', 'editor'],
    ['[roles][]', 'invented'],
  ]);
  expect(stored()).toMatchObject({ who: 'roles', roles: ['editor'] });
});

test('a ticket has the names of roles, which never become roles of the chat by their names', async () => {
  store(`serialize(['who' => 'all'])`);
  const setRoles = (...roles: string[]) =>
    wordpress.run(
      `add_role('admin', 'Own'); add_role('shop_manager', 'Shop'); $user = get_userdata(${sub}); $user->set_role('');${roles
        .map((role) => ` $user->add_role('${role}');`)
        .join('')}`,
    );
  for (const [roles, inTicket] of [
    [['shop_manager', 'admin'], ['shop_manager']],
    [
      ['editor', 'shop_manager'],
      ['moderator', 'editor', 'shop_manager'],
    ],
    [['administrator'], ['admin', 'administrator']],
    [['subscriber'], ['subscriber']],
  ] as const) {
    setRoles(...roles);
    expect(await ticketRoles()).toEqual(inTicket);
  }
  wordpress.run("remove_role('admin'); remove_role('shop_manager');");
});

/** The lines for the settings of the chat server, as the page shows them. */
const linesIn = (text: string) =>
  (/<pre dir="ltr"[^>]*>([^<]*)<\/pre>/.exec(text)?.[1] ?? '')
    .replaceAll('&#039;', "'")
    .replaceAll('&quot;', '"')
    .split('\n');
const launcher = () => wordpress.run('PhpSessionChat\\WordPress\\print_launcher();');

test('the settings of questions show the lines for the chat server, and change the button', async () => {
  wordpress.run("add_role('shop manager', 'Shop'); add_role('admin', 'Own'); add_role('a,b', 'Both');");
  const choice: [string, string][] = [
    ['[who]', 'all'],
    ['[launcher]', '1'],
  ];
  expect(await save(choice)).toContain('Then copy the lines that appear here.');
  expect(launcher()).not.toContain('ask');
  const text = await save([
    ...choice,
    ['[ask]', '1'],
    ['[guests]', '1'],
    ['[team][]', 'editor'],
    ['[team][]', 'shop manager'],
    // Roles that CHAT_TEAM cannot name.
    ['[team][]', 'admin'],
    ['[team][]', 'a,b'],
    ['[team][]', 'invented'],
    ['[hours]', ` We don't "sleep", <b>$HOME\n${'x'.repeat(300)}`],
  ]);
  const [team, hours = '', ...more] = linesIn(text);
  expect([team, more]).toEqual(["CHAT_TEAM='role:editor,role:shop manager'", ['CHAT_GUESTS=write']]);
  expect(hours).toMatch(/^CHAT_TEAM_TEXT="We don't \\"sleep\\", \\\$HOME x+"$/);
  const file = join(wordpress.folder, 'lines');
  writeFileSync(file, linesIn(text).join('\n'));
  const { env } = givenSettings(file, {});
  expect(env).toMatchObject({ CHAT_TEAM: 'role:editor,role:shop manager', CHAT_GUESTS: 'write' });
  expect(env.CHAT_TEAM_TEXT).toMatch(/^We don't "sleep", \$HOME x+$/);
  expect([...(env.CHAT_TEAM_TEXT ?? '')]).toHaveLength(200);
  expect(text).not.toMatch(/\[team\]\[\]" value="(?:admin|a,b|invented)"/);
  expect(launcher()).toMatch(/<php-chat-launcher [^>]*ask="ask"/);
  expect(stored()).toMatchObject({ ask: true, team: ['editor', 'shop manager'], who: 'all' });
  wordpress.run("remove_role('shop manager'); remove_role('admin'); remove_role('a,b');");
});

test('the test of the connection says if the chat server has no team for the button', async () => {
  const findings = async (hasTeam: '0' | '1') => {
    const page = await html();
    const body = new URLSearchParams({
      action: 'php_session_chat_test',
      _ajax_nonce: /"php_session_chat_test","nonce":"(\w+)"/.exec(page)?.[1] ?? '',
      ...{ server: '/chat/', origin: wordpress.url, user: '1', hasScript: '1', hasTeam },
    });
    const answer = await request(boss, 'admin-ajax.php', body);
    return ((await answer.json()) as { data: { text: string; lines: string }[] }).data;
  };
  const missing = expect.objectContaining({ text: expect.stringContaining('has no team') });
  await save([
    ['[who]', 'all'],
    ['[team][]', 'editor'],
  ]);
  expect(await findings('0')).not.toContainEqual(missing);
  await save([
    ['[who]', 'all'],
    ['[ask]', '1'],
    ['[team][]', 'editor'],
  ]);
  expect(await findings('1')).not.toContainEqual(missing);
  expect(await findings('0')).toContainEqual(
    expect.objectContaining({
      text: 'The chat server has no team, so nobody can ask.',
      lines: 'CHAT_TEAM=role:editor',
    }),
  );
});

test('the choice of all users keeps the roles for later', async () => {
  expect(
    await save([
      ['[who]', 'all'],
      ['[roles][]', 'editor'],
    ]),
  ).not.toContain(noRole);
  expect(chosenIn(await html())).toEqual({ who: 'all', roles: ['editor'] });
  expect(await answers()).toEqual(admitted);
});

// Without soak, one of each kind of value.
test.each([
  ['a cut value', `'a:5:{s:3:"who"'`],
  ['an object', `serialize((object) ['who' => 'all'])`],
  ...size(
    [
      ['no choice', `serialize([])`],
      ['a text', `'x'`],
      ['an empty text', `''`],
      ['a number', `'5'`],
    ],
    [],
  ),
  ...size(['null', `'x'`, '5', 'true', `['all']`, '[]'], []).map((who) => [
    `who ${who}`,
    `serialize(['who' => ${who}, 'guests' => ['x']])`,
  ]),
  ...size(
    ['null', `'subscriber'`, '5', `[['subscriber'], 5, null]`, `(object) ['subscriber']`],
    [`[['subscriber'], 5, null]`],
  ).map((roles) => [
    `roles ${roles}`,
    `serialize(['who' => 'roles', 'roles' => ${roles}, 'guests' => null, 'launcher' => [1], 'accent' => ['x'], 'side' => 5])`,
  ]),
])('a stored option that is or has %s admits nobody, and can be repaired in the settings', async (_, php) => {
  store(php as string);
  expect(await answers()).toEqual(refused);
  const end = wordpress.run(
    `wp_scripts(); wp_styles(); do_shortcode('[php_chat_badge]'); do_action('wp_footer');`,
  );
  expect(end).toContain('"guests":false');
  expect(end).not.toContain('Warning');
  expect(chosenIn(await html())).toEqual({ who: 'roles', roles: [] });
  await save([
    ['[who]', 'all'],
    ['[launcher]', '1'],
  ]);
  expect(stored()).toEqual({ ...stored(), who: 'all', launcher: true, guests: false });
  expect(await answers()).toEqual(admitted);
});

test.each([
  ['all', `['roles' => []]`, admitted],
  ['roles', `['roles' => ['editor']]`, refused],
])('settings of earlier builds, without the choice, mean %s', async (who, php, expected) => {
  store(`serialize(${php})`);
  expect(chosenIn(await html()).who).toBe(who);
  expect(await answers()).toEqual(expected);
});

test('an address of a wrong type shows no chat, and can be repaired in the settings', async () => {
  wordpress.run(`update_option('php_session_chat_server', ['x']);`);
  expect(await answers()).toEqual(refused);
  expect(await html()).toContain('value="/chat/"');
  await save([['[who]', 'all']]);
  expect(wordpress.run(`echo get_option('php_session_chat_server');`)).toBe('/chat/');
});

test('neither browsers nor proxies store a ticket, its refusal or what a user sees', async () => {
  const cacheControl = async (answer: Promise<Response>) => (await answer).headers.get('Cache-Control');
  for (const answer of [ask('ticket'), ask('sees'), ask('ticket', '')])
    expect(await cacheControl(answer)).toBe('no-store, private');
  const headers = { Cookie: member, Origin: 'https://other.example' };
  const other = fetch(`${wordpress.url}/wp-admin/admin-ajax.php?action=php_session_chat_ticket`, { headers });
  expect(await cacheControl(other)).toBe('no-store, private');
});

// What the chat server checks when it reads the login: packages/php-session/src/logins/wordpress.ts.
test.each([
  ['User Switching', `$tokens['switched_from_id'] = 1;`],
  ['Login as User', `$tokens['logged_in_from_id'] = 1;`],
  ['the pending second factor of WP Cerber', `update_option('pending', $id);`],
  ['BuddyBoss’s suspension', `update_option('suspended', $id);`],
  ['BuddyPress’s mark of spammers', `$wpdb->update($wpdb->users, ['user_status' => 1], ['ID' => $id]);`],
  ['bbPress’s role of blocked users', `(new WP_User($id))->add_role('bbp_blocked');`],
])('a user gets no ticket because of %s', async (_, php) => {
  const change = (code: string) =>
    wordpress.run(`$id = ${sub}; $all = get_user_meta($id, 'session_tokens', true); $tokens = end($all); $key = key($all);
      ${code} update_user_meta($id, 'session_tokens', [$key => $tokens] + $all);`);
  expect((await ask('ticket')).status).toBe(200);
  change(php);
  expect((await ask('ticket')).status).toBe(401);
  change(`unset($tokens['switched_from_id'], $tokens['logged_in_from_id']); delete_option('pending'); delete_option('suspended');
    $wpdb->update($wpdb->users, ['user_status' => 0], ['ID' => $id]); (new WP_User($id))->remove_cap('bbp_blocked');`);
  expect((await ask('ticket')).status).toBe(200);
});

test('a user whose session WordPress ended gets no ticket', async () => {
  wordpress.run(`WP_Session_Tokens::get_instance(${sub})->destroy_all();`);
  expect((await ask('ticket')).status).toBe(401);
});
