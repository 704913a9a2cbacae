import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deflateRawSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { askingOf, stopClock } from '../../../../test/helpers/application-site.ts';
import {
  roundcubeFolder,
  secondCookie,
  roundcubeSession as vars,
} from '../../../../test/helpers/roundcube.ts';
import { folderWith, startSiteDatabase } from '../../../../test/helpers/site-database.ts';
import { openLogins } from '../../src/logins/applications.ts';
import { grants } from '../../src/logins/grants.ts';
import { readOptions } from '../../src/options.ts';

async function open(options: Record<string, string>) {
  const settings = readOptions(options);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings);
  onTestFinished(() => logins.close());
  return { ...askingOf(logins), logins };
}

test('requires the session, the second cookie and the user in the tables for a Roundcube login', async () => {
  stopClock();
  const { folder, db } = roundcubeFolder(
    "$config['session_name'] = 'mail'; $config['session_lifetime'] = 5;",
  );
  db.exec('CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, changed TEXT, vars TEXT)');
  const used = (minutes: number) =>
    db
      .prepare("INSERT OR REPLACE INTO rc_session VALUES ('abc', datetime('now', 'localtime', ?), ?)")
      .run(`-${minutes} minutes`, Buffer.from(vars).toString('base64'));
  const { login, check, who, isUser } = await open({ site: folder });
  const by = (second: string) => ({ cookies: `mail=abc${second && `; roundcube_sessauth=${second}`}` });
  const now = by(secondCookie('Xy1', 300));
  used(4);
  for (const halves of [0, 2])
    expect(await who(by(secondCookie('Xy1', 300, halves)))).toEqual({ id: '7', name: 'ann' });
  for (const second of [secondCookie('Xy1', 300, 3), secondCookie('Xy2', 300), 'Xy1', ''])
    expect(await isUser(by(second)), second).toBe(false);
  expect(await isUser({ session: 'abc' })).toBe(false);
  const known = await login(now);
  expect(await check(known)).toBeNull();
  db.exec('DELETE FROM rc_users');
  expect(await check(known)).toMatchObject({ state: 'nobody' });
  expect(await isUser(now)).toBe(false);
  db.exec('INSERT INTO rc_users VALUES (7, 1)');
  used(6);
  expect(await isUser(now)).toBe(false);
});

test('needs the option store for Roundcube with PHP’s own sessions', async () => {
  const { folder } = roundcubeFolder(
    "$config['session_storage'] = 'php'; $config['session_auth_name'] = 'second';",
  );
  await expect(open({ site: folder })).rejects.toThrow('session_storage php is not supported: set store');
  mkdirSync(join(folder, 'sessions'));
  writeFileSync(join(folder, 'sessions/sess_abc'), vars);
  const { who } = await open({ site: folder, store: `file://${folder}/sessions` });
  const cookies = `roundcube_sessid=abc; second=${secondCookie('Xy1', 600)}`;
  expect(await who({ cookies })).toEqual({ id: '7', name: 'ann' });
});

test('uses the login name of a Roundcube user as the mail address if it is an address', async () => {
  const { folder, db } = roundcubeFolder("$config['session_storage'] = 'db';");
  db.exec(
    "CREATE TABLE rc_identities (user_id INTEGER, standard INTEGER, del INTEGER, email TEXT); INSERT INTO rc_identities VALUES (7, 1, 0, 'eve@example.org'), (7, 0, 0, 'second@example.org'), (7, 1, 1, 'deleted@example.org')",
  );
  const { logins } = await open({ site: folder });
  for (const [username, mail] of [
    ['ann@example.org', 'ann@example.org'],
    ['ann', 'eve@example.org'],
    ['@ann', 'eve@example.org'],
  ] as const) {
    db.prepare('UPDATE rc_users SET username = ?').run(username);
    expect(await logins.findMail?.('7'), username).toBe(mail);
  }
  db.exec('DELETE FROM rc_identities');
  for (const user of ['7', '8']) expect(await logins.findMail?.(user)).toBeNull();
});

const plugins = (list: string) => `$config['plugins'] = ${list};`;
// As in the image for containers: only PHP knows the list.
const merged = "array_filter(array_unique(array_merge($config['plugins'], ['archive'])))";
test.each([
  ["['archive', 'twofactor_gauthenticator']", '', 'twofactor_gauthenticator_2FA_login'],
  ["['twofactor_webauthn']; $config['session_storage'] = 'redis'", '', 'vars!.twofactor_webauthn_checked'],
  [merged, 'plugins/twofactor_webauthn/twofactor_webauthn.php', 'twofactor_webauthn_checked'],
  // The plugin is found although the database or the storage is not supported.
  ["['twofactor_webauthn']; $config['db_dsnw'] = 'oci8://u:p@db/mail'", '', 'twofactor_webauthn_checked'],
  ["['twofactor_webauthn']; $config['session_storage'] = 'other'", '', 'vars!.twofactor_webauthn_checked'],
  [merged, 'plugins/archive/archive.php', null],
  ["['archive']", 'plugins/twofactor_webauthn/twofactor_webauthn.php', null],
])(
  'requires the option for a Roundcube plugin that asks for the second factor after the login: %s %s',
  async (list, file, named) => {
    const { folder } = roundcubeFolder(plugins(list));
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    if (file) writeFileSync(join(folder, file), '<?php');
    const opened = open({ site: folder });
    if (named === null) await opened;
    else await expect(opened).rejects.toThrow(`set userRequire=${named},`);
  },
);

test('rejects a Roundcube user without the second factor of a plugin', async () => {
  const { folder } = roundcubeFolder(plugins("['twofactor_gauthenticator']"));
  mkdirSync(join(folder, 'sessions'));
  const { isUser } = await open({
    ...{ site: folder, store: `file://${folder}/sessions` },
    userRequire: 'twofactor_gauthenticator_2FA_login',
  });
  const by = (session: string, second: string) => {
    writeFileSync(join(folder, 'sessions/sess_abc'), session);
    return isUser({ cookies: `roundcube_sessid=abc; roundcube_sessauth=${secondCookie(second, 600)}` });
  };
  const challenged = `${vars}twofactor_gauthenticator_login|i:1700000000;`;
  const done = `${challenged}twofactor_gauthenticator_2FA_login|i:1700000001;`;
  expect(await by(challenged, 'Xy1')).toBe(false);
  expect(await by(done, 'Xy1')).toBe(true);
  expect(await by(done, '1700000001')).toBe(false);
  // The record of the ID before the login.
  expect(await by(done.replace(/auth_secret.*?;/, ''), '')).toBe(false);
});

test('finds Roundcube 1.7 by its folder public_html, and Debian’s Roundcube by its configuration', async () => {
  const { folder, db, file } = roundcubeFolder('');
  db.exec('CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, expires_at TEXT, vars TEXT)');
  mkdirSync(join(folder, 'program/lib/Roundcube/session'));
  writeFileSync(join(folder, 'program/lib/Roundcube/session/db.php'), '<?php // expires_at');
  mkdirSync(join(folder, 'public_html'));
  const cookies = `roundcube_sessid=abc; roundcube_sessauth=${secondCookie('Xy1', 600)}`;
  const until = (minutes: number) =>
    db
      .prepare("INSERT OR REPLACE INTO rc_session VALUES ('abc', datetime('now', 'localtime', ?), ?)")
      .run(`${minutes} minutes`, Buffer.from(vars).toString('base64'));
  const { isUser } = await open({ site: join(folder, 'public_html') });
  for (const minutes of [1, -1]) {
    until(minutes);
    expect(await isUser({ cookies })).toBe(minutes > 0);
  }

  const etc = folderWith({
    'config/config.inc.php': `<?php $config = []; include(__DIR__ . "/debian-db-roundcube.php"); $config['des_key'] = 'x'; $config['db_prefix'] = 'rc_';`,
    'config/debian-db.php': `<?php $dbuser=''; $dbpass=''; $basepath='${dirname(file)}'; $dbname='mail.db'; $dbserver=''; $dbport=''; $dbtype='sqlite3';`,
    'config/debian-db-roundcube.php': `<?php require(__DIR__ . "/debian-db.php");
      switch ($dbtype) {
        case "sqlite":
        case "sqlite3":
          $config['db_dsnw'] = "sqlite:///$basepath/$dbname?mode=0640";
          break;
        default:
          if ($dbport != '') $dbport=":$dbport";
          if ($dbserver == '') $dbserver="localhost";
          $config['db_dsnw'] = "$dbtype://$dbuser:$dbpass@$dbserver$dbport/$dbname";
          break;
      } ?>`,
  });
  db.exec(
    'DROP TABLE rc_session; CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, changed TEXT, vars TEXT)',
  );
  db.prepare("INSERT INTO rc_session VALUES ('abc', datetime('now', 'localtime'), ?)").run(
    Buffer.from(vars).toString('base64'),
  );
  expect(await (await open({ site: etc })).isUser({ cookies })).toBe(true);
});

/** The configuration that MediaWiki's installer writes, for SQLite. */
const mediawiki = (data: string, more = '') => `<?php
if ( !defined( 'MEDIAWIKI' ) ) {
	exit;
}
require_once "$IP/includes/PlatformSettings.php";
$wgDBtype = "sqlite"; $wgDBserver = ""; $wgDBname = "my_wiki"; $wgDBuser = ""; $wgDBpassword = "";
$wgSQLiteDataDir = "${data}";
$wgObjectCaches[CACHE_DB] = [
	'class' => SqlBagOStuff::class,
	'server' => [ 'type' => 'sqlite', 'dbname' => 'wikicache', 'tablePrefix' => '', 'dbDirectory' => $wgSQLiteDataDir, 'flags' => 0 ]
];
$wgSharedTables[] = "actor";
$wgMainCacheType = CACHE_NONE;
$wgMemCachedServers = [];
$wgAuthenticationTokenVersion = "1";
wfLoadSkin( 'Vector' );
${more}`;

/** The result of `User::getToken()` with $wgAuthenticationTokenVersion 1, computed by PHP. */
const token = (own: string) =>
  execFileSync('php', ['-r', `echo substr(hash_hmac('whirlpool', '1', '${own}'), -32);`], {
    encoding: 'utf8',
  });

test('requires the session, all cookies, and the token and name of the user for a MediaWiki login', async () => {
  const folder = folderWith({ 'LocalSettings.php': '' });
  writeFileSync(join(folder, 'LocalSettings.php'), mediawiki(folder));
  const wiki = new DatabaseSync(join(folder, 'my_wiki.sqlite'));
  const cache = new DatabaseSync(join(folder, 'wikicache.sqlite'));
  onTestFinished(() => void [wiki, cache].map((db) => db.close()));
  const secret = 'c07b5909cb6ca6614615456b75e7489f';
  const ours = token(secret);
  wiki.exec('CREATE TABLE user (user_id INTEGER PRIMARY KEY, user_name BLOB, user_token BLOB)');
  wiki.exec(`INSERT INTO user VALUES (7, 'Ann O''B x', '${secret}')`);
  cache.exec('CREATE TABLE objectcache (keyname BLOB PRIMARY KEY, value BLOB, exptime BLOB)');
  const ofCookies = 'MediaWiki\\Session\\CookieSessionProvider';
  const put = (id: string, own: string, until = '20990101000000', provider = ofCookies, source = '') => {
    const ofProvider = `a:1:{s:17:"CentralAuthSource";s:${source.length}:"${source}";}`;
    const data = `a:2:{s:4:"data";a:0:{}s:8:"metadata";a:5:{s:6:"userId";i:7;s:8:"userName";s:9:"Ann O'B x";s:9:"userToken";s:32:"${own}";s:8:"provider";s:${provider.length}:"${provider}";s:16:"providerMetadata";${source ? ofProvider : 'N;'}}}`;
    cache
      .prepare('INSERT OR REPLACE INTO objectcache VALUES (?, ?, ?)')
      .run(`my_wiki:MWSession:${id}`, deflateRawSync(data), until);
  };
  put('abc', ours);
  const { logins, login, check, who } = await open({ site: folder });
  const withPrefix = (cookies: Record<string, string>) => ({
    cookies: Object.entries(cookies)
      .map(([part, value]) => `my_wiki${part}=${encodeURIComponent(value)}`)
      .join('; '),
  });
  const userBy = async (cookies: Record<string, string>) => {
    const user = await who(withPrefix(cookies));
    return typeof user === 'string' ? null : user;
  };
  const all = { _session: 'abc', UserID: '7', UserName: "Ann O'B x" };
  const ann = { id: '7', name: "Ann O'B x" };
  const { UserName, ...noName } = all;
  const cases: [Record<string, string>, typeof ann | null][] = [
    [all, ann],
    [noName, ann],
    [{ ...all, Token: ours }, ann],
    [{ ...all, Token: 'deleted' }, ann],
    [{ ...all, Token: ours.replace(/./, 'x') }, null],
    [{ ...all, UserName: "ann O'B x" }, null],
    [{ ...all, UserID: '8' }, null],
    [{ ...all, UserID: 'deleted' }, null],
    [{ _session: 'abc' }, null],
    [{ ...all, _session: 'abd' }, null],
    // The next page of the wiki creates a new session from these.
    [{ UserID: '7', UserName, Token: ours }, null],
  ];
  for (const [cookies, user] of cases) expect(await userBy(cookies), JSON.stringify(cookies)).toEqual(user);
  // The session of a robot has its own cookie, and does not have all rights of its user.
  const ofCentralAuth = 'MediaWiki\\Extension\\CentralAuth\\Session\\CentralAuthSessionProvider';
  for (const [provider, source, user] of [
    ['MediaWiki\\Session\\BotPasswordSessionProvider', '', null],
    [ofCentralAuth, '', ann],
    [ofCentralAuth, 'Local', ann],
    // Another wiki may have ended the session.
    [ofCentralAuth, 'CentralAuth', null],
  ] as const) {
    put('robot', ours, undefined, provider, source);
    expect(await userBy({ ...all, _session: 'robot' }), `${provider} ${source}`).toEqual(user);
  }
  put('abc', ours, undefined, ofCentralAuth, 'Local');
  const local = await login(withPrefix(all));
  put('abc', ours, undefined, ofCentralAuth, 'CentralAuth');
  expect(await check(local)).toMatchObject({
    state: 'nobody',
    reason: expect.stringContaining('CentralAuth'),
    hint: expect.stringContaining('$wgCentralAuthCookies = false'),
  });
  put('abc', ours);

  for (const [column, value, back] of [
    ['user_token', secret.replace(/./, 'a'), secret],
    ['user_token', '*** INVALID ***', secret],
    ['user_name', 'Zed', "Ann O'B x"],
    ['user_id', '8', '7'],
  ] as const) {
    const set = wiki.prepare(`UPDATE user SET ${column} = ?`);
    const known = await login(withPrefix(noName));
    expect(await check(known)).toBeNull();
    set.run(value);
    expect(await check(known), value).toMatchObject({ state: 'nobody' });
    expect(await userBy(all), value).toBeNull();
    set.run(back);
  }
  // A temporary account, which MediaWiki 1.41 and later creates for edits without a login.
  wiki.exec('ALTER TABLE user ADD COLUMN user_is_temp INTEGER NOT NULL DEFAULT 1');
  await logins.reload?.();
  expect(await userBy(all)).toBeNull();
  wiki.exec('UPDATE user SET user_is_temp = 0');
  expect(await userBy(all)).toEqual(ann);
  put('abc', ours, '20250101000000');
  expect(await userBy(all)).toBeNull();

  const write = (more: string) => writeFileSync(join(folder, 'LocalSettings.php'), mediawiki(folder, more));
  put('abc', secret);
  write('$wgAuthenticationTokenVersion = null;');
  expect(await (await open({ site: folder })).who(withPrefix(noName))).toEqual(ann);
  for (const [more, words] of [
    ['$wgMainCacheType = CACHE_ACCEL;', /\(APCu\): put \$wgSessionCacheType = CACHE_DB; there/],
    ["$wgSessionCacheType = 'own';", /put \$wgSessionCacheType = CACHE_DB; there, or set store/],
    [
      '$wgDBtype = "postgres";',
      /not SQLite or a single server of MariaDB or MySQL: set site to "mediawiki:"/,
    ],
  ] as const) {
    write(more);
    await expect(open({ site: folder }), more).rejects.toThrow(words);
  }
});

test('ends the login of a blocked user if $wgBlockDisablesLogin of MediaWiki is on', async () => {
  const folder = folderWith({ 'LocalSettings.php': '', 'sessions/sess_abc': '' });
  const write = (more: string) => writeFileSync(join(folder, 'LocalSettings.php'), mediawiki(folder, more));
  const wiki = new DatabaseSync(join(folder, 'my_wiki.sqlite'));
  onTestFinished(() => wiki.close());
  wiki.exec(
    "CREATE TABLE user (user_id INTEGER PRIMARY KEY, user_name BLOB, user_token BLOB, user_email BLOB DEFAULT 'ann@wiki.example', user_email_authenticated BLOB DEFAULT '20200101000000'); INSERT INTO user (user_id, user_name, user_token) VALUES (7, 'Ann', 'x'), (8, 'Ben', 'x')",
  );
  // Versions since 1.42 use `block`. The table of earlier versions may remain.
  wiki.exec(
    `CREATE TABLE ipblocks (ipb_user INTEGER, ipb_expiry BLOB); INSERT INTO ipblocks VALUES (8, 'infinity');
    CREATE TABLE block_target (bt_id INTEGER, bt_user INTEGER); INSERT INTO block_target VALUES (7, 7), (9, NULL);
    CREATE TABLE block (bl_target INTEGER, bl_expiry BLOB)`,
  );
  const block = (values: string) => wiki.exec(`INSERT INTO block VALUES ${values}`);
  const mail = 'ann@wiki.example';
  const data = 'a:1:{s:8:"metadata";a:2:{s:6:"userId";i:7;s:8:"userName";s:3:"Ann";}}';
  writeFileSync(join(folder, 'sessions/sess_abc'), data);
  const device = { cookies: 'my_wiki_session=abc; my_wikiUserID=7' };

  write('');
  block("(7, 'infinity')");
  const { logins, login, who, check } = await open({
    ...{ site: folder, store: `file://${folder}/sessions?format=php_serialize` },
  });
  const stays = await login(device);
  expect(await logins.findMail?.('7')).toBe(mail);
  write('$wgBlockDisablesLogin = true;');
  await logins.reload?.();
  expect(await check(stays)).toMatchObject({ state: 'nobody' });
  expect(await who(device)).toContain('blocked');
  expect(await logins.findMail?.('7')).toBeNull();
  wiki.exec('DELETE FROM block');
  block("(7, '20200101000000'), (9, 'infinity')");
  const known = await login(device);
  expect(await check(known)).toBeNull();
  expect(await logins.findMail?.('7')).toBe(mail);
  block("(7, '20990101000000')");
  expect(await check(known)).toMatchObject({ state: 'nobody' });
  expect(await logins.findMail?.('7')).toBeNull();
});

test('ends a login of Tiny Tiny RSS after a new password, or when the user is disabled or deleted', async () => {
  const postgres = await startSiteDatabase('postgres');
  onTestFinished(() => postgres.remove());
  const dropLater = (role: string) =>
    onTestFinished(async () => {
      for (const sql of [`DROP OWNED BY ${role}`, `DROP ROLE ${role}`]) await postgres.run(sql);
    });
  for (const sql of [
    "CREATE USER rss PASSWORD 'p@ss'",
    'CREATE TABLE ttrss_sessions (id VARCHAR(250) PRIMARY KEY, data TEXT, expire INTEGER NOT NULL)',
    "CREATE TABLE ttrss_users (id SERIAL PRIMARY KEY, pwd_hash VARCHAR(250), access_level INTEGER NOT NULL DEFAULT 0, email VARCHAR(250) DEFAULT 'ann@site.example')",
    'GRANT SELECT ON ALL TABLES IN SCHEMA public TO rss',
    "INSERT INTO ttrss_users VALUES (7, 'MODE2:abc')",
    `INSERT INTO ttrss_sessions VALUES ('abc', '${Buffer.from('uid|i:7;name|s:3:"Ann";pwd_hash|s:9:"MODE2:abc";').toString('base64')}', ${Math.floor(Date.now() / 1000) + 3600})`,
  ])
    await postgres.run(sql);
  dropLater('rss');
  const settings = {
    ...{ DB_TYPE: 'pgsql', DB_HOST: '127.0.0.1', DB_PORT: postgres.port },
    ...{ DB_USER: 'rss', DB_NAME: 'site', DB_PASS: 'p@ss', SESSION_NAME: 'own_sid' },
  };
  const lines = Object.entries(settings).map(([name, value]) => `putenv('TTRSS_${name}=${value}');`);
  const config = (...more: string[]) => `<?php\n// putenv('TTRSS_DB_HOST=nowhere');\n${more.join('\n')}\n`;
  const code = { 'classes/Config.php': '<?php const _ENVVAR_PREFIX = "TTRSS_";' };
  const site = folderWith({ ...code, 'config.php': config(...lines) });
  const { logins, login, check, isUser } = await open({ site });
  const device = { cookies: 'own_sid=abc' };
  const mail = 'ann@site.example';
  for (const [change, back, left] of [
    ["UPDATE ttrss_users SET pwd_hash = 'MODE2:def'", "UPDATE ttrss_users SET pwd_hash = 'MODE2:abc'", mail],
    ['UPDATE ttrss_users SET access_level = -2', 'UPDATE ttrss_users SET access_level = -1', null],
    ['DELETE FROM ttrss_users', "INSERT INTO ttrss_users VALUES (7, 'MODE2:abc')", null],
  ] as const) {
    const known = await login(device);
    expect(known.user).toEqual({ id: '7', name: 'Ann' });
    expect(await logins.findMail?.('7')).toBe(mail);
    await postgres.run(change);
    expect(await logins.findMail?.('7')).toBe(left);
    expect(await check(known)).toMatchObject({ state: 'nobody' });
    expect(await isUser(device)).toBe(false);
    await postgres.run(back);
  }
  const place = readOptions({ site });
  if (!('site' in place)) throw new Error('no site');
  const sql = await grants(place);
  if ('problem' in sql) throw new Error(sql.problem);
  for (const line of sql) await postgres.run(line);
  dropLater('chat');
  const siteDatabase = `postgres://chat:PASSWORD@127.0.0.1:${postgres.port}/site`;
  expect(await (await open({ site, siteDatabase })).isUser(device)).toBe(true);
  await expect(open({ site: folderWith({ ...code, 'config.php': config() }) })).rejects.toThrow(
    /no putenv\(\) sets the database .*set site to "ttrss:" \(no folder\), and set store/,
  );
});

test('rejects a Cacti user without the required second factor', async () => {
  const sessions = folderWith({
    sess_password: 'sess_user_id|s:1:"7";',
    sess_refused: 'sess_user_id|s:1:"7";sess_user_2fa|b:0;',
    sess_both: 'sess_user_id|s:1:"7";sess_user_2fa|b:1;',
  });
  const code = {
    'include/global.php': '<?php $cacti_session_name;',
    'include/config.php': "<?php $cacti_session_name = 'C2';",
  };
  const areUsers = async (files: Record<string, string>) => {
    const store = `file://${sessions}?format=php&lifetime=3600`;
    const { isUser } = await open({ site: folderWith(files), store });
    return Promise.all(['password', 'refused', 'both'].map((id) => isUser({ cookies: `C2=${id}` })));
  };
  expect(await areUsers(code)).toEqual([true, true, true]);
  expect(await areUsers({ ...code, 'auth_2fa.php': '<?php' })).toEqual([false, false, true]);
});
