import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { doctor } from '../../../../server/doctor/report.ts';
import type { Login } from '../../../../server/session/login.ts';
import { openLogins, openSite } from '../../../../server/session/logins/applications.ts';
import { type SitePlace, siteFolder } from '../../../../server/session/logins/site.ts';
import { siteSql } from '../../../../server/session/logins/sql.ts';
import { wordpress } from '../../../../server/session/logins/wordpress.ts';
import { parseDatabaseUrl } from '../../../../server/session/store-url.ts';
import { mysql } from '../../../../server/session/stores/sql/mysql.ts';
import { readConfig } from '../../../../server/settings/config.ts';
import { loginContract } from '../../../contracts/login.ts';
import { size, soak } from '../../../guarantees/size.ts';
import { differing, loginsOf } from '../../../helpers/application-site.ts';
import { connectChat } from '../../../helpers/chat-client.ts';
import { chatProgram, nextChatServer, startChatServer } from '../../../helpers/chat-server.ts';
import { startChild } from '../../../helpers/child.ts';
import { startGate } from '../../../helpers/gate.ts';
import { hanging } from '../../../helpers/hanging.ts';
import { startMariadb } from '../../../helpers/mariadb.ts';
import { codeOf } from '../../../helpers/people.ts';
import {
  cookieName,
  phrases,
  quoted,
  roles,
  type WordPressOptions,
  wordPressSite,
} from '../../../helpers/wordpress.ts';

const db = await startMariadb();
afterAll(() => db.remove());

loginContract('WordPress', async () => {
  const gate = await startGate(db.port);
  const site = await wordPressSite({ ...db, port: gate.port });
  return {
    open: async () => (await openSite({ folder: site.folder })).logins,
    logIn: (user, name) => site.logIn(user, name === undefined ? {} : { name }),
    async silence() {
      gate.silence.begin();
      return async () => gate.silence.end();
    },
    async close() {
      await site.remove();
      await gate.close();
    },
  };
});

const now = () => Math.floor(Date.now() / 1000);
const day = 86_400;

/** A site for one test, and its logins. */
async function siteFor(options: WordPressOptions = {}, more: Partial<SitePlace> = {}) {
  const site = await wordPressSite(db, options);
  onTestFinished(site.remove);
  const open = () => loginsOf(site.folder, more);
  return { site, open };
}

test('the name without entities, and the roles that exist there', async () => {
  const { site, open } = await siteFor();
  const logins = await open();
  const userOf = async (id: string, capabilities: string | null, name: string) => {
    await site.setMeta(id, `${site.prefix}capabilities`, capabilities);
    const answer = await logins.identify(await site.logIn(id, { name }));
    return 'code' in answer ? answer : answer.user;
  };
  const cases: [string | null, string, object][] = [
    ['a:1:{s:13:"administrator";b:1;}', 'Zoë &amp; &quot;Bo&quot;', { name: 'Zoë & "Bo"', roles: ['admin'] }],
    // Whatever its value is, and in any order.
    [
      'a:2:{s:8:"publish_";b:1;s:6:"editor";b:0;}',
      'a &amp;lt; b',
      { name: 'a &lt; b', roles: ['moderator'] },
    ],
    [
      'a:2:{s:6:"editor";b:1;s:13:"administrator";b:1;}',
      'Ann',
      { name: 'Ann', roles: ['admin', 'moderator'] },
    ],
    ['a:1:{s:10:"subscriber";b:1;}', '&#039;é&#x27;', { name: "'é'" }],
    ['a:1:{s:7:"manager";b:1;}', ' ', { name: '14' }],
    ['not serialized', 'Ann', { name: 'Ann' }],
    [null, 'Ann', { name: 'Ann' }],
  ];
  for (const [n, [capabilities, name, user]] of cases.entries()) {
    expect(await userOf(String(n + 10), capabilities, name)).toEqual({ id: String(n + 10), ...user });
  }
  const own = await siteFor(
    {},
    {
      admins: ['shop_manager'],
      moderators: ['subscriber'],
      nobody: ['9'],
      named: { admins: ['4'], moderators: ['3'] },
    },
  );
  await own.site.query(
    `UPDATE ${own.site.prefix}options SET option_value = ? WHERE option_name LIKE '%user_roles'`,
    ['a:3:{s:12:"shop_manager";a:0:{}s:10:"subscriber";a:0:{}s:13:"administrator";a:0:{}}'],
  );
  const others = await own.open();
  await own.site.setMeta(
    '3',
    `${own.site.prefix}capabilities`,
    'a:2:{s:13:"administrator";b:1;s:10:"subscriber";b:1;}',
  );
  expect(await others.identify(await own.site.logIn('3'))).toMatchObject({ user: { roles: ['moderator'] } });
  expect(await others.identify(await own.site.logIn('4'))).toMatchObject({ user: { roles: ['admin'] } });
  expect(await others.identify(await own.site.logIn('9'))).toMatchObject({ code: 'unauthorized' });
});

test('users that BuddyPress has marked as spammers or bbPress has blocked are kept out', async () => {
  const { site, open } = await siteFor();
  const logins = await open();
  const login = (await logins.identify(await site.logIn('7'))) as Login;
  expect(login.user).not.toHaveProperty('banned');
  const status = (value: number) => site.query(`UPDATE ${site.prefix}users SET user_status = ${value}`);
  await status(1);
  expect(await differing(logins, login)).toMatchObject({ state: 'user', login: { user: { banned: true } } });
  await status(0);
  const again = async () => logins.identify(await site.logIn('7'));
  expect(await again()).not.toHaveProperty('user.banned');
  await site.setMeta('7', `${site.prefix}capabilities`, 'a:2:{s:6:"editor";b:1;s:11:"bbp_blocked";b:1;}');
  expect(await again()).toMatchObject({ user: { banned: true } });
});

test('users whom BuddyBoss has suspended are kept out', async () => {
  const { site, open } = await siteFor();
  await site.addBuddyBoss();
  await site.setSuspended('7', false);
  // Somebody's activity with the number of the user.
  await site.query(
    `INSERT INTO ${site.prefix}bp_suspend (item_id, item_type, user_suspended) VALUES (7, 'activity', 1)`,
  );
  const logins = await open();
  const login = (await logins.identify(await site.logIn('7'))) as Login;
  expect(login.user).not.toHaveProperty('banned');
  await site.setSuspended('7', true);
  expect(await differing(logins, login)).toMatchObject({ state: 'user', login: { user: { banned: true } } });
  await site.setSuspended('7', false);
  expect(await logins.identify(await site.logIn('7'))).not.toHaveProperty('user.banned');
});

test('a listed role counts also where no option has it: plugins add roles by code', async () => {
  const { site, open } = await siteFor({}, { moderators: ['bbp_moderator'] });
  await site.setMeta('7', `${site.prefix}capabilities`, 'a:1:{s:13:"bbp_moderator";b:1;}');
  const logins = await open();
  expect(await logins.identify(await site.logIn('7'))).toMatchObject({ user: { roles: ['moderator'] } });
});

test.each([
  ['User Switching', 'switched_from'],
  ['Login as User', 'logged_in_from'],
])('who is another user by the plugin %s is nobody', async (plugin, from) => {
  const { site, open } = await siteFor();
  const logins = await open();
  const session = (id: number | false) => ({ [`${from}_id`]: id, [`${from}_session`]: '' });
  expect(await logins.identify(await site.logIn('7', { session: session(1) }))).toMatchObject({
    ...{ code: 'unauthorized', reason: `somebody is another user there, by the plugin ${plugin}` },
  });
  // After having been switched off.
  expect(await logins.identify(await site.logIn('7', { session: session(false) }))).toMatchObject({
    user: { id: '7' },
  });
});

/** The settings of WP Cerber with the value that a role has for its second factor. */
const cerberPolicies = (mode: string) =>
  `a:1:{s:17:"crb_role_policies";a:1:{s:10:"subscriber";a:1:{s:7:"2famode";${mode};}}}`;

test('WP Cerber asks for the second factor after the login: where roles have it, nobody is let in', async () => {
  const { site, open } = await siteFor();
  await site.addCerber();
  const logins = await open();
  const device = await site.logIn('7');
  for (const [name, mode] of [
    ['cerber_configuration', 's:1:"1"'],
    ['cerber_configuration', 'i:2'],
    // Until 9.3.3.
    ['cerber_settings', 's:1:"1"'],
  ] as const) {
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    await site.setOption(name, cerberPolicies(mode));
    await logins.reload?.();
    expect(await logins.identify(device), `${name} ${mode}`).toMatchObject({
      code: 'session_store_unavailable',
      reason: expect.stringMatching(/WP Cerber asks for the second factor after the login.*Two Factor/),
    });
    await expect(openSite({ folder: site.folder })).rejects.toThrow('WP Cerber');
    await site.setOption(name, 'a:0:{}');
    await logins.reload?.();
  }
  // An upgrade to 9.3.4 leaves the former settings.
  await site.setOption('cerber_settings', cerberPolicies('s:1:"1"'));
  await site.setOption('cerber_configuration', cerberPolicies('s:1:"0"'));
  await logins.reload?.();
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  // Switched off as a whole.
  await site.setOption('cerber_configuration', cerberPolicies('s:1:"1"'));
  await site.setOption('active_plugins', 'a:0:{}');
  await logins.reload?.();
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
});

test('where WP Cerber asks a single user for a second factor, that user is nobody', async () => {
  const { site, open } = await siteFor();
  await site.addCerber();
  const logins = await open();
  const [device, other] = [await site.logIn('7'), await site.logIn('8')];
  await site.setCerberFactor('7', 0);
  const login = (await logins.identify(device)) as Login;
  expect(login.user.id).toBe('7');
  await site.setCerberFactor('7', 1);
  const refused = { reason: expect.stringContaining('WP Cerber asks this user for a second factor') };
  expect(await differing(logins, login)).toMatchObject({ state: 'nobody', ...refused });
  expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized', ...refused });
  expect(await logins.identify(other)).toMatchObject({ user: { id: '8' } });
  await site.setCerberFactor('7', 2);
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
});

test('cookies that WordPress would refuse', async () => {
  const { site, open } = await siteFor();
  const logins = await open();
  const [one, other] = [await site.logIn('7'), await site.logIn('8')];
  const parts = (cookies: string) => decodeURIComponent(cookies.slice(cookies.indexOf('=') + 1)).split('|');
  const cookieOf = (values: readonly string[]) => `${cookieName}=${encodeURIComponent(values.join('|'))}`;
  const [login = '', expiration = '', token = '', hmac = ''] = parts(one.cookies);
  const [, , token8 = '', hmac8 = ''] = parts(other.cookies);
  const refused = {
    'another user': ['user 8', expiration, token, hmac],
    'the token of another user': [login, expiration, token8, hmac],
    'the signature of another user': [login, expiration, token, hmac8],
    'a later end': [login, String(Number(expiration) + 1), token, hmac],
    'three parts': [login, expiration, token],
    'five parts': [login, expiration, token, hmac, ''],
    'capital letters in the signature': [login, expiration, token, hmac.toUpperCase()],
    'a user who is not there': ['user 9', expiration, token, hmac],
  };
  expect(await logins.identify({ cookies: cookieOf([login, expiration, token, hmac]) })).toMatchObject({
    user: { id: '7' },
  });
  for (const [what, values] of Object.entries(refused)) {
    expect(await logins.identify({ cookies: cookieOf(values) }), what).toMatchObject({
      code: 'unauthorized',
    });
  }
  // The user has been renamed since: WordPress asks the database, which finds other letters, but no other name.
  const renamed = async (name: string) => {
    const login = (await logins.identify(await site.logIn('7'))) as Login;
    await site.query(`UPDATE ${site.prefix}users SET user_login = ? WHERE ID = 7`, [name]);
    const verdict = await logins.check([login as never])[0];
    await site.query(`UPDATE ${site.prefix}users SET user_login = 'user 7' WHERE ID = 7`);
    return verdict?.state ?? 'user';
  };
  expect(await renamed('USER 7')).toBe('user');
  expect(await logins.identify(await site.logIn('7', { login: 'USER 7' }))).toMatchObject({
    user: { id: '7' },
  });
  expect(await renamed('üser 7')).toBe('nobody');
  expect(await renamed('user 77')).toBe('nobody');
  const foreign = await site.logIn('7', { secret: 'of another site' });
  expect(await logins.identify(foreign)).toMatchObject({
    code: 'unauthorized',
    reason: expect.stringContaining('signed'),
  });
  const expired = await site.logIn('7', { expiration: now() - 1 });
  expect(await logins.identify(expired)).toMatchObject({
    code: 'unauthorized',
    reason: expect.stringContaining('expired'),
  });
  expect(await logins.identify({ cookies: `${one.cookies}; ${other.cookies}` })).toMatchObject({
    code: 'unauthorized',
  });
});

test('sessions of WordPress that end: here, everywhere, by the clock, and with a row that cannot be read', async () => {
  const { site, open } = await siteFor();
  const logins = await open();
  const verdictOf = async (change: (login: Login) => Promise<unknown>) => {
    const login = (await logins.identify(await site.logIn('7', { expiration: now() + day }))) as Login;
    // The second itself still counts, and the clock has gone on.
    expect(Math.round(((login.ends ?? 0) / 1000 - now()) / 60)).toBe(day / 60);
    await change(login);
    return logins.check([login as never])[0];
  };
  const tokens = (value: string | null) => site.setMeta('7', 'session_tokens', value);
  for (const value of [
    null,
    '',
    'a:0:{}',
    'b:0;',
    'a:1:{s:64:"',
    `a:1:{i:0;a:1:{s:10:"expiration";i:9999999999;}}`,
  ]) {
    expect(await verdictOf(() => tokens(value)), String(value)).toMatchObject({ state: 'nobody' });
  }
  const deleted = () => site.query(`DELETE FROM ${site.prefix}users WHERE ID = 7`);
  expect(await verdictOf(deleted)).toMatchObject({ state: 'nobody' });
  const changed = () => site.query(`UPDATE ${site.prefix}users SET user_pass = '$P$Bxxxxxxxx' WHERE ID = 7`);
  expect(await verdictOf(changed)).toMatchObject({ state: 'nobody' });
});

const moreHashes: [string, string][] = [
  ['6.7.2', '$2y$10$abcdefghijklmnopqrstuvwxyz'],
  ['6.8', '$P$BabcdefghiJKLMNOPqrstuvwxyz0123'],
  ['7.1', '$2y$10$abcdefghijklmnopqrstuvwxyz'],
];
test.each<[string, string]>([
  ...size(moreHashes, []),
  ['6.7.2', '$P$BabcdefghiJKLMNOPqrstuvwxyz0123'],
  ['6.8', '$wp$2y$10$abcdefghijklmnopqrstuvwxyz'],
  ['7.1-beta2', '$argon2id$v=19$m=65536,t=4,p=1$abc'],
])('WordPress %s with the hash %s', async (version, hash) => {
  const { site, open } = await siteFor({ version });
  const logins = await open();
  expect(await logins.identify(await site.logIn('7', { hash }))).toMatchObject({ user: { id: '7' } });
});

const phrase = (name: string, value: string) => `define('${name}', ${quoted(value)});\n`;
test.each<[string, WordPressOptions, { secret?: string; cookie?: string }]>([
  [
    'key and salt in the database',
    { config: '', options: { logged_in_key: 'K', logged_in_salt: 'S' } },
    { secret: 'KS' },
  ],
  [
    'SECRET_KEY alone',
    { config: phrase('SECRET_KEY', 'K'), options: { logged_in_salt: 'S' } },
    { secret: 'KS' },
  ],
  [
    'the phrases of the sample',
    {
      config:
        phrase('LOGGED_IN_KEY', 'put your unique phrase here') +
        phrase('LOGGED_IN_SALT', 'put your unique phrase here'),
      options: { logged_in_key: 'K', logged_in_salt: 'S' },
    },
    { secret: 'KS' },
  ],
  [
    'a phrase that stands twice',
    {
      config: phrase('LOGGED_IN_KEY', 'same') + phrase('AUTH_KEY', 'same') + phrase('LOGGED_IN_SALT', 'S'),
      options: { logged_in_key: 'K' },
    },
    { secret: 'KS' },
  ],
  [
    'an address in the configuration',
    {
      config: `${phrase('LOGGED_IN_KEY', 'K')}${phrase('LOGGED_IN_SALT', 'S')}define('WP_SITEURL', 'https://other.example.org//');`,
    },
    {
      secret: 'KS',
      cookie: `wordpress_logged_in_${createHash('md5').update('https://other.example.org').digest('hex')}`,
    },
  ],
  [
    'COOKIEHASH',
    { config: `${phrase('LOGGED_IN_KEY', 'K')}${phrase('LOGGED_IN_SALT', 'S')}define('COOKIEHASH', 'own');` },
    { secret: 'KS', cookie: 'wordpress_logged_in_own' },
  ],
  [
    'LOGGED_IN_COOKIE',
    {
      config: `${phrase('LOGGED_IN_KEY', 'K')}${phrase('LOGGED_IN_SALT', 'S')}define('LOGGED_IN_COOKIE', 'own_login');`,
    },
    { secret: 'KS', cookie: 'own_login' },
  ],
])('WordPress with %s', async (_, options, login) => {
  const { site, open } = await siteFor(options);
  const logins = await open();
  expect(await logins.identify(await site.logIn('7', login))).toMatchObject({ user: { id: '7' } });
});

test('a network: its address as it is stored, the roles of one blog, its super admins; spam and deleted are kept out', async () => {
  const config = `${phrase('LOGGED_IN_KEY', 'K')}define('MULTISITE', true); define('SUBDOMAIN_INSTALL', false);`;
  const { site, open } = await siteFor({ config }, { blog: 3 });
  const { prefix } = site;
  const cookie = `wordpress_logged_in_${createHash('md5').update('https://net.example.org/').digest('hex')}`;
  await site.query(
    `CREATE TABLE ${prefix}sitemeta (meta_id BIGINT AUTO_INCREMENT PRIMARY KEY, site_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT)`,
  );
  await site.query(`CREATE TABLE ${prefix}3_options LIKE ${prefix}options`);
  onTestFinished(async () => void (await site.query(`DROP TABLE ${prefix}sitemeta, ${prefix}3_options`)));
  for (const [key, value] of [
    ['siteurl', 'https://net.example.org/'],
    ['siteurl', 'https://second.example.org/'],
    ['logged_in_salt', 'S'],
    ['site_admins', 'a:1:{i:0;s:6:"user 8";}'],
  ]) {
    await site.query(`INSERT INTO ${prefix}sitemeta (site_id, meta_key, meta_value) VALUES (1, ?, ?)`, [
      key,
      value,
    ]);
  }
  await site.query(`INSERT INTO ${prefix}3_options (option_name, option_value) VALUES (?, ?)`, [
    `${prefix}3_user_roles`,
    roles,
  ]);
  await site.setMeta('7', `${prefix}3_capabilities`, 'a:1:{s:6:"editor";b:1;}');
  await site.setMeta('7', `${prefix}capabilities`, 'a:1:{s:13:"administrator";b:1;}');
  const logins = await open();
  const login = async (id: string) => logins.identify(await site.logIn(id, { secret: 'KS', cookie }));
  expect(await login('7')).toMatchObject({ user: { id: '7', roles: ['moderator'] } });
  expect(await login('8')).toMatchObject({ user: { id: '8', roles: ['admin'] } });
  const admin = (await login('8')) as Login;
  await site.query(
    `UPDATE ${prefix}sitemeta SET meta_value = 'a:1:{i:0;s:6:"user 7";}' WHERE meta_key = 'site_admins'`,
  );
  const demoted = await differing(logins, admin);
  expect(demoted).toMatchObject({ state: 'user', login: { user: { id: '8' } } });
  expect((demoted as { login: Login }).login.user).not.toHaveProperty('roles');
  // The names in the file count in place of the stored ones.
  const file = join(site.folder, 'wp-config.php');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace("define('MULTISITE'", "$super_admins = ['user 8']; $&"));
  await logins.reload?.();
  expect(await login('7')).toMatchObject({ user: { id: '7', roles: ['moderator'] } });
  expect(await login('8')).toMatchObject({ user: { id: '8', roles: ['admin'] } });
  writeFileSync(file, text);
  await logins.reload?.();
  expect(await login('7')).toMatchObject({ user: { roles: ['admin', 'moderator'] } });
  const known = (await login('7')) as Login;
  await site.query(`UPDATE ${prefix}users SET spam = 1 WHERE ID = 7`);
  expect(await logins.check([known as never])[0]).toMatchObject({
    state: 'user',
    login: { user: { banned: true } },
  });
  await site.query(`UPDATE ${prefix}users SET spam = 0 WHERE ID = 7`);
  await site.addBuddyBoss();
  await site.setSuspended('7', true);
  await logins.reload?.();
  expect(await login('7')).toMatchObject({ user: { banned: true } });
  // Nothing else is read of the network then.
  const all = `define('MULTISITE', true); ${phrase('LOGGED_IN_SALT', 'S')}define('COOKIEHASH', '${cookie.slice(20)}');`;
  writeFileSync(file, readFileSync(file, 'utf8').replace("define('MULTISITE', true);", all));
  const fixed = await (await open()).identify(await site.logIn('7', { secret: 'KS', cookie }));
  expect(fixed).toMatchObject({ user: { roles: ['admin', 'moderator'] } });
  await site.addCerber();
  const setNetwork = (key: string, value: string) =>
    site.query(`INSERT INTO ${prefix}sitemeta (site_id, meta_key, meta_value) VALUES (1, ?, ?)`, [
      key,
      value,
    ]);
  await setNetwork('cerber_configuration', cerberPolicies('s:1:"1"'));
  // It is active on the main blog alone.
  await open();
  await setNetwork('active_sitewide_plugins', 'a:1:{s:23:"wp-cerber/wp-cerber.php";i:1700000000;}');
  await expect(open()).rejects.toThrow('WP Cerber asks for the second factor after the login');
});

test('WordPress in a folder of its own below index.php; MULTISITE that is switched off', async () => {
  const site = await wordPressSite(db, {
    config: `${phrase('LOGGED_IN_KEY', 'K')}${phrase('LOGGED_IN_SALT', 'S')}define('MULTISITE', false); define('SUBDOMAIN_INSTALL', true);`,
  });
  onTestFinished(site.remove);
  mkdirSync(join(site.folder, 'cms'));
  renameSync(join(site.folder, 'wp-includes'), join(site.folder, 'cms/wp-includes'));
  writeFileSync(
    join(site.folder, 'index.php'),
    "<?php\ndefine( 'WP_USE_THEMES', true );\nrequire __DIR__ . '/cms/wp-blog-header.php';\n",
  );
  const device = await site.logIn('7', { secret: 'KS' });
  for (const place of ['wp-config.php', 'cms/wp-config.php']) {
    if (place !== 'wp-config.php') renameSync(join(site.folder, 'wp-config.php'), join(site.folder, place));
    const logins = await loginsOf(site.folder);
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  }
  mkdirSync(join(site.folder, 'cms/wp-content'));
  writeFileSync(join(site.folder, 'cms/wp-content/db.php'), "<?php define('SQLITE_DB_DROPIN_VERSION', '2');");
  await expect(openSite({ folder: site.folder })).rejects.toThrow('keeps its data in SQLite');
});

test('Bedrock by its .env, wp-config.php in the folder above, and the file of one host of Debian’s', async () => {
  const { site } = await siteFor();
  const device = await site.logIn('7');
  const config = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
  const expectLogin = async (folder: string) => {
    const logins = await loginsOf(folder);
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  };
  const below = join(site.folder, 'blog');
  mkdirSync(below);
  renameSync(join(site.folder, 'wp-includes'), join(below, 'wp-includes'));
  await expectLogin(below);
  // Another WordPress above has a wp-config.php of its own.
  writeFileSync(join(site.folder, 'wp-settings.php'), '<?php');
  await expect(openSite({ folder: below })).rejects.toThrow('no wp-config.php');

  const bedrock = join(site.folder, 'bedrock');
  mkdirSync(join(bedrock, 'config'), { recursive: true });
  mkdirSync(join(bedrock, 'web/wp'), { recursive: true });
  renameSync(join(below, 'wp-includes'), join(bedrock, 'web/wp/wp-includes'));
  const names = ['DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_HOST', 'LOGGED_IN_KEY', 'LOGGED_IN_SALT'];
  const value = (name: string) =>
    new RegExp(`define\\( ?['"]${name}['"], '((?:[^'\\\\]|\\\\.)*)' ?\\)`).exec(
      config.replace("/* define('DB_PASSWORD', 'an old one'); */", ''),
    )?.[1] ?? '';
  const lines = names.map(
    (name) =>
      `${name}="${value(name)
        .replace(/\\'/g, "'")
        .replace(/["$\\]/g, '\\$&')}"`,
  );
  writeFileSync(join(bedrock, '.env'), `${lines.join('\n')}\nDB_PREFIX=wrong_\nDB_HOST=nowhere\n`);
  writeFileSync(join(bedrock, '.env.local'), `DB_HOST=${value('DB_HOST')}\nDB_PREFIX=${site.prefix}\n`);
  const defined = names.map((name) => `Config::define('${name}', env('${name}'));\n`).join('');
  writeFileSync(
    join(bedrock, 'config/application.php'),
    `<?php\nuse Roots\\WPConfig\\Config;\nuse function Env\\env;\n$root_dir = dirname(__DIR__);\n${defined}$table_prefix = env('DB_PREFIX') ?: 'wp_';\nConfig::apply();\n`,
  );
  await expectLogin(bedrock);

  const etc = join(site.folder, 'etc');
  const debian = join(site.folder, 'debian');
  mkdirSync(etc);
  mkdirSync(debian);
  renameSync(join(bedrock, 'web/wp/wp-includes'), join(debian, 'wp-includes'));
  writeFileSync(
    join(debian, 'wp-config.php'),
    "<?php\n$debian_file = '/etc/wordpress/config-' . $_SERVER['HTTP_HOST'] . '.php';\nrequire_once($debian_file);\n",
  );
  const own = await siteFolder({ folder: debian });
  const here = (file: string) => file.replace(/^\/etc\/wordpress/, etc);
  const folder: typeof own = {
    ...own,
    list: (name) => own.list(here(name)),
    php: (file, surroundings) => own.php(here(file), surroundings),
  };
  await expect(wordpress.find(folder, {})).rejects.toThrow('there is no /etc/wordpress/config-HOST.php');
  writeFileSync(join(etc, 'config-a.example.org.php'), config);
  expect(await wordpress.find(folder, {})).toMatchObject({ prefix: site.prefix });
  writeFileSync(join(etc, 'config-b.example.org.php'), config);
  await expect(wordpress.find(folder, {})).rejects.toThrow(
    /set one of\n {2}CHAT_SITE=wordpress:\/etc\/wordpress\/config-a\.example\.org\.php\n {2}CHAT_SITE=.*config-b/,
  );
});

if (soak)
  test('an end that is no whole number, as a plugin may set it; names that WordPress does not find', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const end = now() + day;
    for (const expiration of [end + 0.5, `${end}.0`, String(end)]) {
      const login = (await logins.identify(
        await site.logIn('7', { expiration: expiration as number }),
      )) as Login;
      expect(login.ends).toBe((end + 1) * 1000);
    }
    for (const login of ["o'neill", 'a"b', 'a\\b'])
      expect(await logins.identify(await site.logIn('8', { login }))).toMatchObject({ code: 'unauthorized' });
  });

test('rows that a connection in latin1 has written', async () => {
  const { site, open } = await siteFor({
    config: `${phrase('LOGGED_IN_KEY', 'K')}${phrase('LOGGED_IN_SALT', 'S')}define('DB_CHARSET', 'latin1');`,
  });
  const logins = await open();
  const device = await site.logIn('7', { secret: 'KS', login: 'jürgen €' });
  await site.query(
    `UPDATE ${site.prefix}users SET user_login = CONVERT(BINARY 'jürgen €' USING latin1), display_name = CONVERT(BINARY 'Jürgen €' USING latin1) WHERE ID = 7`,
  );
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7', name: 'Jürgen €' } });
});

test('the password of the database depends on a function: the error names the file, the line and the setting', async () => {
  const { site } = await siteFor();
  writeFileSync(
    join(site.folder, 'wp-config.php'),
    `<?php\n\ndefine('DB_PASSWORD', file_get_contents('/run/secret'));\n`,
  );
  await expect(openSite({ folder: site.folder })).rejects.toThrow(
    `${realpathSync(site.folder)}/wp-config.php line 3: DB_PASSWORD depends on the function file_get_contents(), which only PHP knows: set CHAT_SITE_DATABASE`,
  );
});

test('CHAT_SITE_DATABASE replaces credentials that only PHP can compute', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const device = await site.logIn('7');
  const file = join(site.folder, 'wp-config.php');
  const config = readFileSync(file, 'utf8');
  writeFileSync(file, config.replace(/^define\('DB_PASSWORD', .*$/m, "define('DB_PASSWORD', secret());"));
  const database = parseDatabaseUrl(`mysql://${db.login}@127.0.0.1:${db.port}/site`);
  const logins = await loginsOf(site.folder, { database });
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
});

test('the rows are found by keys, and not by reading a table', async () => {
  const { site } = await siteFor();
  const configuration = await openSite({ folder: site.folder });
  configuration.logins.close();
  const found = await wordpress.find(await siteFolder({ folder: site.folder }), {});
  if (found === null) throw new Error('not found');
  const table = wordpress.logins(found as never, siteSql(mysql)).users;
  if (table === undefined) throw new Error('no table');
  const { select, lookup, id } = table;
  for (const key of [lookup, id]) {
    const plan = await db.query(`EXPLAIN SELECT * FROM (${select}) AS logins WHERE ${key} IN ('7', '8')`);
    expect(plan.map(({ type }) => type).filter((type) => type === 'ALL' || type === 'index')).toEqual([]);
  }
});

test('the chat of a WordPress: who is logged in there, a changed name and role, a logout on one of two devices', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const server = await nextChatServer({ CHAT_SITE: site.folder });
  onTestFinished(async () => void (await server.stop()));
  const [phone, desk] = [
    await site.logIn('7', { name: 'Ann &amp; Co' }),
    await site.logIn('7', { name: 'Ann &amp; Co' }),
  ];
  const [first, second] = [
    await connectChat(server.url, phone.cookies),
    await connectChat(server.url, desk.cookies),
  ];
  onTestFinished(() => second.close());
  expect(first.ready).toMatchObject({ user: { id: '7', name: 'Ann & Co' }, roles: [] });
  await phone.rename('Zoë');
  await site.setMeta('7', `${site.prefix}capabilities`, 'a:1:{s:13:"administrator";b:1;}');
  await expect
    .poll(() => second.events.findLast(({ name }) => name === 'session:changed')?.payload)
    .toMatchObject({ user: { name: 'Zoë' }, roles: ['admin'] });
  await phone.logOut();
  expect(await first.ended).toMatchObject({ reason: 'logout' });
  await expect(connectChat(server.url, phone.cookies)).rejects.toThrow('unauthorized');
  await second.request('room:join', { room: 'lobby' });
  await second.request('message:send', { room: 'lobby', clientId: 'still-here', text: 'Hello' });
  for (const secret of [...phone.secrets, ...desk.secrets]) expect(server.output()).not.toContain(secret);
});

test('members who have never been here are found by name, as far as CHAT_FIND_PEOPLE lets, and IDs that WordPress does not have are rejected', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const key = 'a-key-for-the-test-of-users';
  const server = await nextChatServer({
    CHAT_SITE: site.folder,
    CHAT_FIND_PEOPLE: 'all',
    CHAT_API_KEY: key,
    CHAT_ADMINS: '7',
  });
  onTestFinished(async () => void (await server.stop()));
  const add = (id: number, name: string, status = 0) =>
    site.query(
      `INSERT INTO ${site.prefix}users (ID, user_login, user_pass, display_name, user_status) VALUES (?, ?, '', ?, ?)`,
      [id, `secret-login-${id}`, name, status],
    );
  await add(8, 'Maria López &amp; Co');
  await add(9, 'Mario', 1);
  await add(10, 'Marius');
  await site.setMeta(10, `${site.prefix}capabilities`, 'a:1:{s:11:"bbp_blocked";b:1;}');
  const ann = await connectChat(server.url, (await site.logIn('7', { name: 'Ann' })).cookies);
  onTestFinished(() => ann.close());
  expect(ann.ready.roles).toEqual(['admin']);
  const maria = { id: '8', name: 'Maria López & Co' };
  const find = async (client: typeof ann, query: string) =>
    (await client.request('user:find', { query, limit: 5 })).users;
  for (const query of ['mari', 'LÓP', '8']) expect(await find(ann, query), query).toEqual([maria]);
  // Neither the login name, nor the asker, nor a pattern finds anybody.
  for (const query of ['secret', 'ann', 'm%', '_aria', 'ópez'])
    expect(await find(ann, query), query).toEqual([]);

  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject(maria);
  for (const user of ['999', '8x', '08', '9', '10', 'x'.repeat(64)])
    expect(await codeOf(ann, 'direct:open', { user }), user).toBe('unknown_user');
  const made = await ann.request('room:create', {
    ...{ name: 'Team', kind: 'private', clientId: 'team' },
    members: ['8', '999'],
  });
  const unknown = { user: '999', code: 'unknown_user' };
  expect(made.failed).toEqual([unknown]);
  const { id: room } = made.room;
  expect(await ann.request('room:invite', { room, users: ['8', '999'] })).toEqual({
    added: ['8'],
    failed: [unknown],
  });
  const { members } = await ann.request('room:members', { room, limit: 9 });
  expect(members.map(({ user }: { user: object }) => user)).toEqual([{ id: '7', name: 'Ann' }, maria]);

  // The site may have users beside those of its table.
  const put = (users: unknown) =>
    fetch(`${server.url}/api/users`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${key}` },
      body: JSON.stringify({ users }),
    });
  const many = Array.from({ length: 999 }, (_, n) => ({ id: n + 1000, name: `Number ${n}` }));
  const answer = await put([{ id: 'bot', name: 'Marvin' }, ...many]);
  expect([answer.status, await answer.json()]).toEqual([200, { count: 1000 }]);
  expect((await put([...many, ...many])).status).toBe(400);
  const marvin = { id: 'bot', name: 'Marvin' };
  expect(await find(ann, 'mar')).toEqual([marvin, maria]);
  expect((await ann.request('direct:open', { user: 'bot' })).room.with).toMatchObject(marvin);

  // A conversation stays when the site has deleted the account.
  await site.query(`DELETE FROM ${site.prefix}users WHERE ID = 8`);
  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject(maria);
  const other = await connectChat(server.url, (await site.logIn('11', { name: 'Eve' })).cookies);
  onTestFinished(() => other.close());
  expect(await codeOf(other, 'direct:open', { user: '8' })).toBe('unknown_user');

  process.kill(db.pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(db.pid, 'SIGCONT'));
  expect(await find(other, 'mar')).toEqual([marvin]);
  expect(await codeOf(other, 'direct:open', { user: '8' })).toBe('storage_unavailable');
  process.kill(db.pid, 'SIGCONT');
});

test('with CHAT_FIND_PEOPLE=rooms, members who have never been here are neither found nor named', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const server = await nextChatServer({ CHAT_SITE: site.folder });
  onTestFinished(async () => void (await server.stop()));
  await site.query(
    `INSERT INTO ${site.prefix}users (ID, user_login, user_pass, display_name) VALUES (8, 'maria', '', 'Maria')`,
  );
  const ann = await connectChat(server.url, (await site.logIn('7', { name: 'Ann' })).cookies);
  onTestFinished(() => ann.close());
  expect((await ann.request('user:find', { query: 'mar', limit: 5 })).users).toEqual([]);
  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject({ id: '8', name: '8' });
  expect(await codeOf(ann, 'direct:open', { user: '999' })).toBe('unknown_user');
});

test('while the database of the site stands still, open chats go on and messages arrive; a logout counts after it', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const server = await nextChatServer({ CHAT_SITE: site.folder });
  onTestFinished(async () => void (await server.stop()));
  const [device, other] = [await site.logIn('7', { name: 'Ann' }), await site.logIn('8', { name: 'Ben' })];
  const [ann, ben] = [
    await connectChat(server.url, device.cookies),
    await connectChat(server.url, other.cookies),
  ];
  onTestFinished(() => ben.close());
  for (const client of [ann, ben]) await client.request('room:join', { room: 'lobby' });
  process.kill(db.pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(db.pid, 'SIGCONT'));
  const send = (n: number) =>
    ann.request('message:send', { room: 'lobby', clientId: `message-${n}`, text: `${n}` });
  await send(1);
  // A check of the logins has got no answer.
  await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status).toBe(503);
  await send(2);
  const seen = () =>
    ben.events
      .filter(({ name }) => name === 'message:new')
      .map(({ payload }) => (payload as { text: string }).text);
  await expect.poll(seen).toEqual(['1', '2']);
  await expect(connectChat(server.url, device.cookies)).rejects.toThrow('session_store_unavailable');
  process.kill(db.pid, 'SIGCONT');
  await device.logOut();
  expect(await ann.ended).toMatchObject({ reason: 'logout' });
  expect(ben.events.some(({ name }) => name === 'session:ended')).toBe(false);
});

test('while each answer of the database comes 2 s late, messages arrive between them and connections are refused; then all is well', async () => {
  const gate = await startGate(db.port);
  onTestFinished(() => gate.close());
  const site = await wordPressSite({ ...db, port: gate.port });
  onTestFinished(site.remove);
  const server = await nextChatServer({ CHAT_SITE: site.folder });
  onTestFinished(async () => void (await server.stop()));
  const enter = async ({ cookies }: { cookies: string }) => {
    const client = await connectChat(server.url, cookies);
    onTestFinished(() => client.close());
    await client.request('room:join', { room: 'lobby' });
    return client;
  };
  const [device, other] = [await site.logIn('7', { name: 'Ann' }), await site.logIn('8', { name: 'Ben' })];
  const [ann, ben] = [await enter(device), await enter(other)];
  gate.delay.begin(2000);
  const third = connectChat(server.url, other.cookies).catch((error: unknown) => error);
  await expect.poll(() => gate.delay.late).toBeGreaterThan(0);
  let between = 0;
  for (let n = 0; n < 10; n++) {
    const { late } = gate.delay;
    await ann.request('message:send', { room: 'lobby', clientId: `late-${n}`, text: `${n}` });
    await expect.poll(() => ben.events.filter(({ name }) => name === 'message:new').length).toBe(n + 1);
    if (gate.delay.late === late) between++;
  }
  // A message that waited for the database would see an answer of it.
  expect(between).toBeGreaterThan(5);
  expect(await third).toMatchObject({ message: 'session_store_unavailable' });
  gate.delay.end();
  // The answers that are under way still come late.
  await vi.waitFor(() => enter(other), hanging);
  await device.logOut();
  expect(await ann.ended).toMatchObject({ reason: 'logout' });
  expect(ben.events.some(({ name }) => name === 'session:ended')).toBe(false);
});

if (soak)
  test('settings that contradict the folder, or a folder of nothing known: the start ends with 78, and says what to do', async () => {
    const said = async (env: NodeJS.ProcessEnv) => {
      const child = startChild(process.execPath, chatProgram, {
        cwd: new URL('../../../../', import.meta.url).pathname,
        env: {
          PATH: process.env.PATH,
          CHAT_FILES: 'off',
          CHAT_PORT: '0',
          ...env,
        },
      });
      const code = await new Promise((resolve) => child.process.on('close', resolve));
      return { code, output: child.output() };
    };
    const { site } = await siteFor();
    expect(
      await said({ CHAT_SITE: site.folder, CHAT_SESSION_STORE: 'file:///tmp', CHAT_USER_ID: 'id' }),
    ).toMatchObject({
      code: 78,
      output: expect.stringContaining('CHAT_SESSION_STORE, CHAT_USER_ID: WordPress says this itself'),
    });
    expect(await said({ CHAT_SITE: '/usr/share' })).toMatchObject({
      code: 78,
      output: expect.stringContaining('/usr/share is not the folder of WordPress'),
    });
    expect(await said({ CHAT_SITE: 'nuke:/srv' })).toMatchObject({
      code: 78,
      output: expect.stringContaining('wordpress'),
    });
  });

test('a database user with the rights that the doctor prints: everything works, and no hash of a password can be read', async () => {
  const site = await wordPressSite(db);
  onTestFinished(site.remove);
  const lines: string[] = [];
  const say = {
    finding: (line: string) => void lines.push(line),
    problem: (line: string) => void lines.push(line),
  };
  await site.addBuddyBoss();
  await site.addCerber();
  await db.query(`ALTER TABLE ${site.prefix}users ADD user_email VARCHAR(100) NOT NULL DEFAULT ''`);
  const mails = {
    CHAT_MAIL: 'smtp://localhost',
    CHAT_MAIL_FROM: 'chat@site.example',
    CHAT_URL: 'https://site.example/chat',
  };
  expect(await doctor(['--grants'], { CHAT_SITE: site.folder }, say)).toBe(0);
  expect(lines.splice(0).join('\n')).not.toContain('email');
  expect(await doctor(['--grants'], { CHAT_SITE: site.folder, ...mails }, say)).toBe(0);
  onTestFinished(async () => {
    for (const sql of [
      "DROP USER 'chat'@'localhost'",
      'DROP VIEW chat_wordpress, chat_wordpress_settings, chat_wordpress_users, chat_wordpress_values, chat_wordpress_mails',
    ])
      await db.query(sql);
  });
  for (const line of lines) await db.query(line.replace(/;$/, '').replace('PASSWORD', 'own'));
  const url = `mysql://chat:own@/site?socket=${db.folder}/socket`;
  const config = readConfig({ CHAT_SITE: site.folder, CHAT_SITE_DATABASE: url });
  const logins = await openLogins(config.logins, console.error);
  onTestFinished(() => logins.close());
  const device = await site.logIn('7', { name: 'Ann' });
  await site.setMeta('7', `${site.prefix}capabilities`, 'a:1:{s:6:"editor";b:1;}');
  const login = (await logins.identify(device)) as Login;
  expect(login.user).toEqual({ id: '7', name: 'Ann', roles: ['moderator'] });
  expect(await logins.check([login])[0]).toBeNull();
  await device.rename('Ben');
  expect(await logins.check([login])[0]).toMatchObject({ state: 'user', login: { user: { name: 'Ben' } } });
  await site.setSuspended('7', true);
  expect(await logins.identify(device)).toMatchObject({ user: { banned: true } });
  await site.setCerberFactor('7', 1);
  expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized' });
  const asChat = await createConnection({
    socketPath: `${db.folder}/socket`,
    user: 'chat',
    password: 'own',
    database: 'site',
  });
  onTestFinished(() => asChat.end());
  for (const sql of [`SELECT user_pass FROM ${site.prefix}users`, `SELECT * FROM ${site.prefix}options`]) {
    await expect(asChat.query(sql)).rejects.toThrow(/denied/);
  }
  await expect(asChat.query('SELECT * FROM chat_wordpress')).resolves.toBeDefined();
  await db.query(`UPDATE ${site.prefix}users SET user_email = 'ann@site.example' WHERE ID = 7`);
  expect(await logins.mailOf?.('7')).toBeNull();
  await site.setSuspended('7', false);
  expect(await logins.mailOf?.('7')).toBe('ann@site.example');
  expect(await logins.mailOf?.('70')).toBeNull();
});

if (soak)
  test('the doctor takes the value of the cookie alone, as the developer tools show it, and the whole header', async () => {
    const site = await wordPressSite(db);
    onTestFinished(site.remove);
    const { cookies } = await site.logIn('7', { name: 'Ann' });
    const value = cookies.slice(cookies.indexOf('=') + 1);
    for (const copied of [cookies, value, `Cookie: lang=de; ${cookies}`]) {
      const lines: string[] = [];
      const say = { finding: (line: string) => void lines.push(line), problem: () => {} };
      await doctor(['--cookie', copied], { CHAT_SITE: site.folder }, say);
      expect(lines.join('\n')).toContain('✓ The user 7 is logged in, whom others see as Ann.');
    }
  });

if (soak)
  test('the doctor: a replica is wrong, and the way from the browser goes by the cookie of the site', async () => {
    const site = await wordPressSite(db);
    onTestFinished(site.remove);
    const examined = async (...args: string[]) => {
      const lines: string[] = [];
      const say = {
        finding: (line: string) => void lines.push(line),
        problem: (line: string) => void lines.push(line),
      };
      await doctor(args, { CHAT_SITE: site.folder }, say);
      return lines.join('\n');
    };
    const cookies: string[] = [];
    const proxy = createServer(({ headers }, res) => {
      cookies.push(headers.cookie ?? '');
      res.writeHead(404).end();
    });
    proxy.listen(0, '127.0.0.1');
    onTestFinished(() => void proxy.close());
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    expect(await examined('--chat', `http://127.0.0.1:${port}`)).toContain(
      'The database of the site answers.',
    );
    expect(cookies[0]).toMatch(new RegExp(`^${cookieName}=doctor-`));
    await db.query('SET GLOBAL read_only = 1');
    onTestFinished(async () => void (await db.query('SET GLOBAL read_only = 0')));
    expect(await examined()).toMatch(/^✗ The database of the site is a replica or read-only/m);
  });

if (soak)
  test('a changed configuration counts at SIGHUP; a half-written one does not, and is logged once; logins that fit stay', async () => {
    const site = await wordPressSite(db);
    onTestFinished(site.remove);
    const server = await startChatServer({ CHAT_SITE: site.folder });
    onTestFinished(async () => void (await server.stop()));
    const device = await site.logIn('7');
    const client = await connectChat(server.url, device.cookies);
    onTestFinished(() => client.close());
    const whole = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
    writeFileSync(join(site.folder, 'wp-config.php'), whole.slice(0, 150));
    for (let n = 0; n < 2; n++) process.kill(server.pid, 'SIGHUP');
    await server.until(/the last one still counts/);
    const other = await connectChat(server.url, (await site.logIn('8')).cookies);
    onTestFinished(() => other.close());
    expect(server.output().match(/the last one still counts/g)).toHaveLength(1);
    // New keys end all logins, as they do in WordPress.
    writeFileSync(join(site.folder, 'wp-config.php'), whole.replace(phrases.key, 'rotated'));
    process.kill(server.pid, 'SIGHUP');
    expect(await client.ended).toMatchObject({ reason: 'logout' });
    await expect(connectChat(server.url, device.cookies)).rejects.toThrow('unauthorized');
    const again = await connectChat(
      server.url,
      (await site.logIn('7', { secret: `rotated${phrases.salt}` })).cookies,
    );
    again.close();
  });

if (soak)
  test('a new WordPress, in which nobody has logged in: the log says what to do, and the first login is enough', async () => {
    const site = await wordPressSite(db, { config: '' });
    onTestFinished(site.remove);
    const server = await nextChatServer({ CHAT_SITE: site.folder });
    onTestFinished(async () => void (await server.stop()));
    const [line] = await server.until(/^.*"msg":"the session store cannot be read: nobody can connect".*$/m);
    expect(JSON.parse(line)).toMatchObject({
      reason: expect.stringMatching(/^WordPress has no logged_in_key yet/),
      hint: expect.stringMatching(/log in to the site once/),
    });
    const lines: string[] = [];
    const say = { finding: (text: string) => void lines.push(text), problem: () => {} };
    await doctor([], { CHAT_SITE: site.folder }, say);
    expect(lines.join('\n')).toMatch(
      /^! .*WordPress has no logged_in_key yet.*\n {2}→ log in to the site once/m,
    );
    for (const name of ['logged_in_key', 'logged_in_salt'])
      await db.query(
        `INSERT INTO ${site.prefix}options (option_name, option_value) VALUES ('${name}', '${name}')`,
      );
    await server.until(/"the session store can be read"/);
  });
