import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  expectRefused,
  loginsOf,
  now,
  openedSite,
  siteDatabase,
} from '../../../../test/helpers/application-site.ts';
import {
  cookieName,
  quoted,
  roles,
  type WordPressOptions,
  wordPressSite,
} from '../../../../test/helpers/wordpress.ts';
import { openSite } from '../../src/logins/applications.ts';
import { grants } from '../../src/logins/grants.ts';
import type { SitePlace } from '../../src/logins/site.ts';
import { siteFolder } from '../../src/logins/site-folder.ts';
import { wordpress } from '../../src/logins/wordpress.ts';
import { parseDatabaseUrl } from '../../src/store-url.ts';
import { applicationContract } from '../contracts/login.ts';

const db = await siteDatabase('mysql', true);

applicationContract('WordPress', db, () => wordPressSite(db));

const day = 86_400;
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const define = (name: string, value: string) => `define('${name}', ${quoted(value)});\n`;
/** WordPress joins both values, so the key of the cookies’ signatures is `KS`. */
const keys = define('LOGGED_IN_KEY', 'K') + define('LOGGED_IN_SALT', 'S');
const seven = { user: { id: '7' } };

/** A site for one test, and its logins. */
const wordPress = (options: WordPressOptions = {}, more: Partial<SitePlace> = {}) =>
  openedSite(wordPressSite(db, options), more);

test('decodes the entities in a name, and takes roles from capabilities', async () => {
  const { prefix, who, logIn, setMeta } = await wordPress();
  const cases: [string | null, string, object][] = [
    ['a:1:{s:13:"administrator";b:1;}', 'Zoë &amp; &quot;Bo&quot;', { name: 'Zoë & "Bo"', roles: ['admin'] }],
    // A capability counts with any value and in any order.
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
    const id = String(n + 10);
    await setMeta(id, `${prefix}capabilities`, capabilities);
    expect(await who(await logIn(id, { name }))).toEqual({ id, ...user });
  }
});

test('takes roles and users from the settings, also roles that only the code of a plugin knows', async () => {
  const { prefix, who, isUser, logIn, setMeta } = await wordPress(
    {},
    {
      ...{ admins: ['shop_manager'], moderators: ['bbp_moderator'], team: ['helper'], nobody: ['9'] },
      named: { admins: ['4'], moderators: ['3'] },
    },
  );
  await setMeta('3', `${prefix}capabilities`, 'a:2:{s:13:"administrator";b:1;s:10:"subscriber";b:1;}');
  await setMeta('5', `${prefix}capabilities`, 'a:1:{s:13:"bbp_moderator";b:1;}');
  await setMeta('6', `${prefix}capabilities`, 'a:2:{s:10:"subscriber";b:1;s:6:"helper";b:1;}');
  for (const [id, role] of [
    ['3', 'moderator'],
    ['4', 'admin'],
    ['5', 'moderator'],
    ['6', 'team'],
  ] as const)
    expect(await who(await logIn(id))).toMatchObject({ roles: [role] });
  expect(await isUser(await logIn('9'))).toBe(false);
});

test('bans users who are banned by BuddyPress, bbPress or BuddyBoss', async () => {
  const { prefix, run, login, who, changed, logIn, setMeta, addBuddyBoss, setSuspended, logins } =
    await wordPress();
  await addBuddyBoss();
  await logins.reload?.();
  // An activity with the number of the user.
  await run("INSERT INTO #_bp_suspend (item_id, item_type, user_suspended) VALUES (7, 'activity', 1)");
  const blocked = 'a:2:{s:6:"editor";b:1;s:11:"bbp_blocked";b:1;}';
  for (const ban of [
    (is: boolean) => run(`UPDATE #_users SET user_status = ${Number(is)}`),
    (is: boolean) => setSuspended('7', is),
    (is: boolean) => setMeta('7', `${prefix}capabilities`, is ? blocked : null),
  ]) {
    const before = await login(await logIn('7'));
    await ban(true);
    expect(await changed(before)).toMatchObject({ state: 'user', login: { user: { banned: true } } });
    await ban(false);
    expect(await who(await logIn('7'))).toEqual({ id: '7', name: 'Ann' });
  }
});

test.each([
  ['User Switching', 'switched_from'],
  ['Login as User', 'logged_in_from'],
])('rejects a session in which another user acts through the plugin %s', async (plugin, from) => {
  const { who, logIn } = await wordPress();
  const session = (id: number | false) => ({ [`${from}_id`]: id, [`${from}_session`]: '' });
  expect(await who(await logIn('7', { session: session(1) }))).toBe(
    `another user is acting as this user through the plugin ${plugin}`,
  );
  // The value is false after the switch has ended.
  expect(await who(await logIn('7', { session: session(false) }))).toMatchObject({ id: '7' });
});

/** The settings of WP Cerber. @param mode the serialized second-factor setting of a role */
const cerberPolicies = (mode: string) =>
  `a:1:{s:17:"crb_role_policies";a:1:{s:10:"subscriber";a:1:{s:7:"2famode";${mode};}}}`;

test('rejects all logins while WP Cerber requires a second factor for roles', async () => {
  const { folder, logins, logIn, addCerber, setOption } = await wordPress();
  await addCerber();
  const device = await logIn('7');
  const set = async (name: string, value: string) => {
    await setOption(name, value);
    await logins.reload?.();
    return logins.identify(device);
  };
  const [on, off] = ['s:1:"1"', 's:1:"0"'];
  for (const [name, mode] of [
    ['cerber_configuration', on],
    ['cerber_configuration', 'i:2'],
    // The option of versions up to 9.3.3.
    ['cerber_settings', on],
  ] as const) {
    expect(await set(name, cerberPolicies(mode)), `${name} ${mode}`).toMatchObject({
      code: 'session_store_unavailable',
      reason: expect.stringMatching(/WP Cerber asks for the second factor after the login.*Two Factor/),
    });
    await expect(openSite({ folder })).rejects.toThrow('WP Cerber');
    expect(await set(name, 'a:0:{}')).toMatchObject(seven);
  }
  // An upgrade to 9.3.4 keeps the old option, which then has no effect.
  await set('cerber_settings', cerberPolicies(on));
  expect(await set('cerber_configuration', cerberPolicies(off))).toMatchObject(seven);
  expect(await set('cerber_configuration', cerberPolicies(on))).toHaveProperty('code');
  // The whole plugin is deactivated.
  expect(await set('active_plugins', 'a:0:{}')).toMatchObject(seven);
});

test('rejects a user while WP Cerber asks for a second factor', async () => {
  const { login, who, isUser, changed, logIn, addCerber, setCerberFactor, logins } = await wordPress();
  await addCerber();
  await logins.reload?.();
  const device = await logIn('7');
  await setCerberFactor('7', 0);
  const known = await login(device);
  await setCerberFactor('7', 1);
  const reason = expect.stringContaining('WP Cerber asks this user for a second factor');
  expect(await changed(known)).toMatchObject({ state: 'nobody', reason });
  expect(await who(device)).toEqual(reason);
  expect(await isUser(await logIn('8'))).toBe(true);
  await setCerberFactor('7', 2);
  expect(await isUser(device)).toBe(true);
});

test('rejects the cookies that WordPress rejects', async () => {
  const { who, isUser, logins, logIn } = await wordPress();
  const [one, other] = [await logIn('7'), await logIn('8')];
  const parts = (cookies: string) => decodeURIComponent(cookies.slice(cookies.indexOf('=') + 1)).split('|');
  const [name = '', expiration = '', token = '', hmac = ''] = parts(one.cookies);
  const [, , token8 = '', hmac8 = ''] = parts(other.cookies);
  const cookieOf = (values: readonly string[]) => `${cookieName}=${encodeURIComponent(values.join('|'))}`;
  await expectRefused(
    logins,
    [
      ['user 8', expiration, token, hmac],
      [name, expiration, token8, hmac],
      [name, expiration, token, hmac8],
      // A later end.
      [name, String(Number(expiration) + 1), token, hmac],
      [name, expiration, token],
      [name, expiration, token, hmac, ''],
      [name, expiration, token, hmac.toUpperCase()],
      // A user who does not exist.
      ['user 9', expiration, token, hmac],
    ].map(cookieOf),
  );
  expect(await who(await logIn('7', { secret: 'of another site' }))).toContain('signed');
  expect(await who(await logIn('7', { expiration: now() - 1 }))).toContain('cookie has expired');
  expect(await who({ cookies: `${one.cookies}; ${other.cookies}` })).toContain('two cookies');
  // WordPress escapes these with backslashes, so it does not find the user.
  for (const login of ["o'neill", 'a"b', 'a\\b'])
    expect(await isUser(await logIn('8', { login }))).toBe(false);
});

test('keeps a renamed user while the database compares the names as equal', async () => {
  const { login, who, still, run, logIn } = await wordPress();
  const known = await login(await logIn('7'));
  for (const [name, may] of [
    ['USER 7', true],
    ['üser 7', false],
    ['user 77', false],
  ] as const) {
    await run('UPDATE #_users SET user_login = ?', [name]);
    expect(await still(known), name).toBe(may);
  }
  await run("UPDATE #_users SET user_login = 'user 7'");
  expect(await who(await logIn('7', { login: 'USER 7' }))).toMatchObject({ id: '7' });
});

test('ends a login when its token or user is gone, its row is unreadable or the password changes', async () => {
  const { login, check, run, logIn, setMeta } = await wordPress();
  const tokens = [
    null,
    '',
    'a:0:{}',
    'b:0;',
    'a:1:{s:64:"',
    'a:1:{i:0;a:1:{s:10:"expiration";i:9999999999;}}',
  ];
  for (const change of [
    ...tokens.map((value) => () => setMeta('7', 'session_tokens', value)),
    () => run("UPDATE #_users SET user_pass = '$P$Bxxxxxxxx'"),
    () => run('DELETE FROM #_users'),
  ]) {
    const known = await login(await logIn('7'));
    await change();
    expect(await check(known)).toMatchObject({ state: 'nobody' });
  }
  // A plugin may set a fractional end. The second of the end still counts.
  const end = now() + day;
  for (const expiration of [end, end + 0.5, `${end}.0`])
    expect(await login(await logIn('7', { expiration: expiration as number }))).toMatchObject({
      ends: (end + 1) * 1000,
    });
});

const sample = ['KEY', 'SALT']
  .map((name) => define(`LOGGED_IN_${name}`, 'put your unique phrase here'))
  .join('');
const same = define('LOGGED_IN_KEY', 'same') + define('AUTH_KEY', 'same') + define('LOGGED_IN_SALT', 'S');
const inOptions = { logged_in_key: 'K', logged_in_salt: 'S' };
const elsewhere = 'https://other.example.org';
test.each<[string, WordPressOptions, { hash?: string; cookie?: string }]>([
  ['the version 6.7.2', { version: '6.7.2', config: keys }, { hash: '$P$BabcdefghiJKLMNOPqrstuvwxyz0123' }],
  ['the version 6.8', { version: '6.8', config: keys }, { hash: '$wp$2y$10$abcdefghijklmnopqrstuvwxyz' }],
  ['7.1-beta2', { version: '7.1-beta2', config: keys }, { hash: '$argon2id$v=19$m=65536,t=4,p=1$abc' }],
  ['the version 7.1', { version: '7.1', config: keys }, { hash: '$2y$10$abcdefghijklmnopqrstuvwxyz' }],
  ['key and salt in the database', { config: '', options: inOptions }, {}],
  ['SECRET_KEY alone', { config: define('SECRET_KEY', 'K'), options: { logged_in_salt: 'S' } }, {}],
  ['the phrases of the sample', { config: sample, options: inOptions }, {}],
  ['a phrase that occurs twice', { config: same, options: { logged_in_key: 'K' } }, {}],
  [
    'an address in the configuration',
    { config: `${keys}define('WP_SITEURL', '${elsewhere}//');` },
    { cookie: `wordpress_logged_in_${md5(elsewhere)}` },
  ],
  ['COOKIEHASH', { config: `${keys}define('COOKIEHASH', 'own');` }, { cookie: 'wordpress_logged_in_own' }],
  [
    'LOGGED_IN_COOKIE',
    { config: `${keys}define('LOGGED_IN_COOKIE', 'own_login');` },
    { cookie: 'own_login' },
  ],
])('supports WordPress with %s', async (_, options, given) => {
  const { isUser, logIn } = await wordPress(options);
  expect(await isUser(await logIn('7', { secret: 'KS', ...given }))).toBe(true);
});

/** A network with the user 7, an editor of the blog 3, and the super admin 8. */
async function network() {
  const config = `${define('LOGGED_IN_KEY', 'K')}define('MULTISITE', true); define('SUBDOMAIN_INSTALL', false);`;
  const site = await wordPressSite(db, { config });
  const { prefix, run, setMeta } = site;
  await run(
    'CREATE TABLE #_sitemeta (meta_id BIGINT AUTO_INCREMENT PRIMARY KEY, site_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT)',
  );
  await run('CREATE TABLE #_3_options LIKE #_options');
  onTestFinished(async () => void (await run('DROP TABLE #_sitemeta, #_3_options')));
  const ofNetwork = (key: string, value: string) =>
    run('INSERT INTO #_sitemeta (site_id, meta_key, meta_value) VALUES (1, ?, ?)', [key, value]);
  await ofNetwork('siteurl', 'https://net.example.org/');
  await ofNetwork('siteurl', 'https://second.example.org/');
  await ofNetwork('logged_in_salt', 'S');
  await ofNetwork('site_admins', 'a:1:{i:0;s:6:"user 8";}');
  await run('INSERT INTO #_3_options (option_name, option_value) VALUES (?, ?)', [
    ...[`${prefix}3_user_roles`, roles],
  ]);
  await setMeta('7', `${prefix}3_capabilities`, 'a:1:{s:6:"editor";b:1;}');
  await setMeta('7', `${prefix}capabilities`, 'a:1:{s:13:"administrator";b:1;}');
  const opened = await openedSite(Promise.resolve(site), { blog: 3 });
  const cookie = `wordpress_logged_in_${md5('https://net.example.org/')}`;
  const file = join(site.folder, 'wp-config.php');
  const configure = (from: string, to: string) =>
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
  return {
    ...opened,
    ofNetwork,
    cookie,
    configure,
    device: (id: string) => site.logIn(id, { secret: 'KS', cookie }),
  };
}

test('gives the roles of the blog and the super admins of a network', async () => {
  const { run, logins, login, who, changed, device, configure } = await network();
  expect(await who(await device('7'))).toEqual({ id: '7', name: 'Ann', roles: ['moderator'] });
  const admin = await login(await device('8'));
  expect(admin.user.roles).toEqual(['admin']);
  await run(`UPDATE #_sitemeta SET meta_value = 'a:1:{i:0;s:6:"user 7";}' WHERE meta_key = 'site_admins'`);
  const demoted = await changed(admin);
  expect(demoted).toMatchObject({ state: 'user', login: { user: { id: '8' } } });
  expect(demoted).not.toHaveProperty('login.user.roles');
  expect(await who(await device('7'))).toMatchObject({ roles: ['admin', 'moderator'] });
  // The names in the file replace the stored names.
  configure("define('MULTISITE'", "$super_admins = ['user 8']; define('MULTISITE'");
  await logins.reload?.();
  expect(await who(await device('7'))).toMatchObject({ roles: ['moderator'] });
  expect(await who(await device('8'))).toMatchObject({ roles: ['admin'] });
});

test('bans users of a network who are marked as spam, deleted or suspended', async () => {
  const { run, logins, login, who, check, device, addBuddyBoss, setSuspended } = await network();
  const known = await login(await device('7'));
  for (const column of ['spam', 'deleted']) {
    await run(`UPDATE #_users SET ${column} = 1 WHERE ID = 7`);
    expect(await check(known), column).toMatchObject({ login: { user: { banned: true } } });
    await run(`UPDATE #_users SET ${column} = 0 WHERE ID = 7`);
  }
  await addBuddyBoss();
  await setSuspended('7', true);
  await logins.reload?.();
  expect(await who(await device('7'))).toMatchObject({ banned: true });
});

test('reads the plugins of a network from the database, even if a file has its other settings', async () => {
  const { ask, open, device, cookie, configure, addCerber, ofNetwork } = await network();
  const all = `define('MULTISITE', true); ${define('LOGGED_IN_SALT', 'S')}define('COOKIEHASH', '${cookie.slice(20)}');`;
  configure("define('MULTISITE', true);", all);
  expect(await (await ask()).who(await device('7'))).toMatchObject({ roles: ['moderator'] });
  await addCerber();
  await ofNetwork('cerber_configuration', cerberPolicies('s:1:"1"'));
  // The plugin is active only on the main blog.
  await open();
  await ofNetwork('active_sitewide_plugins', 'a:1:{s:23:"wp-cerber/wp-cerber.php";i:1700000000;}');
  await expect(open()).rejects.toThrow('WP Cerber asks for the second factor after the login');
});

test('finds WordPress in its own folder below index.php, but not with SQLite', async () => {
  const { folder, logIn, ask } = await wordPress({
    config: `${keys}define('MULTISITE', false); define('SUBDOMAIN_INSTALL', true);`,
  });
  const at = (path: string) => join(folder, path);
  mkdirSync(at('cms/wp-content'), { recursive: true });
  renameSync(at('wp-includes'), at('cms/wp-includes'));
  writeFileSync(at('index.php'), "<?php\nrequire __DIR__ . '/cms/wp-blog-header.php';\n");
  const device = await logIn('7', { secret: 'KS' });
  expect(await (await ask()).isUser(device)).toBe(true);
  renameSync(at('wp-config.php'), at('cms/wp-config.php'));
  expect(await (await ask()).isUser(device)).toBe(true);
  writeFileSync(at('cms/wp-content/db.php'), "<?php define('SQLITE_DB_DROPIN_VERSION', '2');");
  await expect(ask()).rejects.toThrow('keeps its data in SQLite');
});

test('finds the configuration in .env, in the folder above and in the file of a Debian host', async () => {
  const site = await wordPress();
  const device = await site.logIn('7');
  const at = (...path: string[]) => join(site.folder, ...path);
  const config = readFileSync(at('wp-config.php'), 'utf8');
  const expectLogin = async (folder: string) =>
    expect(await (await loginsOf(folder)).identify(device)).toMatchObject(seven);
  mkdirSync(at('blog'));
  renameSync(at('wp-includes'), at('blog/wp-includes'));
  await expectLogin(at('blog'));
  // Another WordPress above has its own wp-config.php.
  writeFileSync(at('wp-settings.php'), '<?php');
  await expect(openSite({ folder: at('blog') })).rejects.toThrow('wp-config.php is neither here');

  for (const folder of ['bedrock/config', 'bedrock/web/wp', 'debian', 'etc'])
    mkdirSync(at(folder), { recursive: true });
  renameSync(at('blog/wp-includes'), at('bedrock/web/wp/wp-includes'));
  const names = ['DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_HOST', 'LOGGED_IN_KEY', 'LOGGED_IN_SALT'];
  const value = (name: string) =>
    new RegExp(`^define\\( ?['"]${name}['"], '((?:[^'\\\\]|\\\\.)*)' ?\\)`, 'm').exec(config)?.[1] ?? '';
  const lines = names.map((name) => {
    const text = value(name).replace(/\\'/g, "'");
    return `${name}="${text.replace(/["$\\]/g, '\\$&')}"`;
  });
  writeFileSync(at('bedrock/.env'), `${lines.join('\n')}\nDB_PREFIX=wrong_\nDB_HOST=nowhere\n`);
  writeFileSync(at('bedrock/.env.local'), `DB_HOST=${value('DB_HOST')}\nDB_PREFIX=${site.prefix}\n`);
  const defined = names.map((name) => `Config::define('${name}', env('${name}'));\n`).join('');
  writeFileSync(
    at('bedrock/config/application.php'),
    `<?php\nuse Roots\\WPConfig\\Config;\nuse function Env\\env;\n${defined}$table_prefix = env('DB_PREFIX') ?: 'wp_';\nConfig::apply();\n`,
  );
  await expectLogin(at('bedrock'));

  renameSync(at('bedrock/web/wp/wp-includes'), at('debian/wp-includes'));
  writeFileSync(
    at('debian/wp-config.php'),
    "<?php\n$debian_file = '/etc/wordpress/config-' . $_SERVER['HTTP_HOST'] . '.php';\nrequire_once($debian_file);\n",
  );
  const own = await siteFolder({ folder: at('debian') });
  const here = (file: string) => file.replace(/^\/etc\/wordpress/, at('etc'));
  const folder: typeof own = {
    ...own,
    list: (name) => own.list(here(name)),
    php: (file, surroundings) => own.php(here(file), surroundings),
  };
  await expect(wordpress.find(folder, {})).rejects.toThrow('there is no /etc/wordpress/config-HOST.php');
  writeFileSync(at('etc/config-a.example.org.php'), config);
  expect(await wordpress.find(folder, {})).toMatchObject({ prefix: site.prefix });
  writeFileSync(at('etc/config-b.example.org.php'), config);
  await expect(wordpress.find(folder, {})).rejects.toThrow(
    /set one of\n {2}site=wordpress:\/etc\/wordpress\/config-a\.example\.org\.php\n {2}site=.*config-b/,
  );
});

test('reads rows that were written over a latin1 connection', async () => {
  const { who, run, logIn } = await wordPress({ config: `${keys}define('DB_CHARSET', 'latin1');` });
  const device = await logIn('7', { secret: 'KS', login: 'jürgen €' });
  await run(
    "UPDATE #_users SET user_login = CONVERT(BINARY 'jürgen €' USING latin1), display_name = CONVERT(BINARY 'Jürgen €' USING latin1)",
  );
  expect(await who(device)).toEqual({ id: '7', name: 'Jürgen €' });
});

test('replaces a database password that only PHP knows by siteDatabase', async () => {
  const { folder, logIn, ask } = await wordPress();
  const file = join(folder, 'wp-config.php');
  const secret = "define('DB_PASSWORD', file_get_contents('/run/secret'));";
  const config = readFileSync(file, 'utf8').replace(/^define\('DB_PASSWORD', .*$/m, secret);
  writeFileSync(file, config);
  const line = config.split('\n').indexOf(secret) + 1;
  await expect(openSite({ folder })).rejects.toThrow(
    `${realpathSync(folder)}/wp-config.php line ${line}: DB_PASSWORD depends on the function file_get_contents(), which only PHP knows: set siteDatabase`,
  );
  const login = [db.user, db.password].map(encodeURIComponent).join(':');
  const database = parseDatabaseUrl(`mysql://${login}@127.0.0.1:${db.port}/site`);
  expect(await (await ask({ database })).isUser(await logIn('7'))).toBe(true);
});

test('applies a changed wp-config.php only when it is completely written', async () => {
  const problems: (string | null)[] = [];
  const site = await wordPress(
    { config: keys },
    { onProblem: (problem) => void problems.push(problem?.message ?? null) },
  );
  const { folder, logins, login, check, who } = site;
  const known = await login(await site.logIn('7', { secret: 'KS' }));
  const file = join(folder, 'wp-config.php');
  const whole = readFileSync(file, 'utf8');
  writeFileSync(file, whole.slice(0, 150));
  for (let n = 0; n < 2; n++) await logins.reload?.();
  expect(problems).toEqual([expect.stringContaining('wp-config.php')]);
  expect(await check(known)).toBeNull();
  expect(await who(await site.logIn('8', { secret: 'KS' }))).toMatchObject({ id: '8' });
  // New keys end all logins, as they do in WordPress.
  writeFileSync(file, whole.replace("'K'", "'rotated'"));
  await logins.reload?.();
  expect(problems.slice(1)).toEqual([null]);
  expect(await check(known)).toMatchObject({ state: 'nobody' });
  expect(await who(await site.logIn('7', { secret: 'rotatedS' }))).toMatchObject({ id: '7' });
});

test('accepts logins of a new WordPress after the first login there', async () => {
  const { logins, isUser, logIn, setOption } = await wordPress({ config: '' });
  const device = await logIn('7', { secret: 'KS' });
  expect(await logins.identify(device)).toMatchObject({
    reason: expect.stringMatching(/^WordPress has no logged_in_key yet/),
    hint: expect.stringMatching(/log in to the site once/),
  });
  for (const name of ['KEY', 'SALT']) await setOption(`logged_in_${name.toLowerCase()}`, name.slice(0, 1));
  await logins.reload?.();
  expect(await isUser(device)).toBe(true);
});

test('reads the suspended users of BuddyBoss and the second factors of WP Cerber through the chat’s views', async () => {
  const site = await wordPress();
  await site.addBuddyBoss();
  await site.addCerber();
  const lines = await grants({ site: { folder: site.folder } });
  if ('problem' in lines) throw new Error(lines.problem);
  expect(lines.join('\n')).not.toContain('email');
  const views = lines.flatMap((line) => /VIEW (\S+) AS/.exec(line)?.[1] ?? []);
  onTestFinished(async () => {
    for (const view of views) await db.run(`DROP VIEW ${view}`);
    await db.run("DROP USER 'chat'@'127.0.0.1'");
  });
  for (const line of lines.filter((line) => !line.startsWith('-- ')))
    await db.run(line.replace(/;$/, '').replace('PASSWORD', 'own'));
  const database = parseDatabaseUrl(`mysql://chat:own@127.0.0.1:${db.port}/site`);
  const { who, isUser } = await site.ask({ database });
  const device = await site.logIn('7', { name: 'Ann' });
  expect(await who(device)).toEqual({ id: '7', name: 'Ann' });
  await site.setSuspended('7', true);
  expect(await who(device)).toMatchObject({ banned: true });
  await site.setCerberFactor('7', 1);
  expect(await isUser(device)).toBe(false);
});
