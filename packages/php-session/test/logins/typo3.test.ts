import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  createViews,
  expectLogins,
  expectRefused,
  now,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../../test/helpers/application-site.ts';
import { type Typo3Session, typo3Site } from '../../../../test/helpers/typo3.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

const mysql = await siteDatabase('mysql');
const postgres = await siteDatabase('postgres');
const sqlite = await siteDatabase('sqlite');

const siteFor = (config: Parameters<typeof typo3Site>[1] = {}, options: SiteOptions = {}, db = mysql) =>
  openedSite(typo3Site(db, config), options);

applicationContract('TYPO3', mysql, () => typo3Site(mysql));

test('gives users their names and the roles of their groups and subgroups', async () => {
  const { logIn, who } = await siteFor({}, { admins: ['Staff'], moderators: ['Helpers'] }, sqlite);
  const user = async (id: string, session: Typo3Session) => who(await logIn(id, session));
  expect(await user('7', { name: 'Zoë & <b>', user: { usergroup: '11,2' } })).toEqual({
    ...{ id: '7', name: 'Zoë & <b>', roles: ['moderator'] },
  });
  expect(await user('8', { name: '', user: { first_name: 'Bo', usergroup: '1,11' } })).toEqual({
    ...{ id: '8', name: 'Bo', roles: ['admin', 'moderator'] },
  });
  expect(await user('9', { name: '', user: { usergroup: '111' } })).toEqual({ id: '9', name: 'user9' });
  // Subgroups count, but not through a hidden group.
  expect(await user('9', { user: { usergroup: '3' } })).toMatchObject({ roles: ['admin', 'moderator'] });
  expect(await user('9', { user: { usergroup: '2' } })).not.toHaveProperty('roles');
});

test('makes the users of a group members of the team', async () => {
  const { logIn, who } = await siteFor({}, { team: ['Helpers'] }, sqlite);
  expect(await who(await logIn('7', { user: { usergroup: '11' } }))).toMatchObject({ roles: ['team'] });
});

const active = '{"totp":{"secret":"x","active":true}}';
const inactive = '"totp":{"secret":"x","active":false}';
const notGiven = 'the user has not yet given the second factor';

test('rejects a user without the second factor', async () => {
  const { logins, logIn, run, login, who, isUser } = await siteFor({}, {}, sqlite);
  const by = (mfa: string, data: string) => logIn('9', { user: { mfa }, row: { ses_data: data } });
  const given = 'a:1:{s:3:"mfa";b:1;}';
  expect(await who(await by(active, 'a:1:{s:1:"x";s:2:"é";}'))).toBe(notGiven);
  expect(await isUser(await by(active, ''))).toBe(false);
  expect(await isUser(await by(active, given))).toBe(true);
  for (const none of ['', '[]', '{}', '{"totp":{"secret":"x"}}', `{${inactive}}`])
    expect(await isUser(await by(none, '')), none).toBe(true);
  for (const one of [`{${inactive},"recovery-codes":{"active":true}}`, '{"totp":{"active": true}}'])
    expect(await isUser(await by(one, '')), one).toBe(false);
  const known = [await login(await by(active, given)), await login(await logIn('8'))] as never[];
  expect(await Promise.all(logins.check(known))).toEqual([null, null]);
  await run("UPDATE fe_sessions SET ses_data = 'a:0:{}' WHERE ses_userid = 9");
  await run(`UPDATE fe_users SET mfa = '${active}' WHERE uid = 8`);
  const factor = { state: 'nobody', reason: notGiven };
  expect(await Promise.all(logins.check(known))).toMatchObject([factor, factor]);
});

test('rejects a disabled or deleted user', async () => {
  const { logIn, run, login, check } = await siteFor({}, {}, sqlite);
  const known = await login(await logIn('7'));
  for (const [change, reason] of [
    ['disable = 1', 'the user is disabled on the site'],
    ['disable = 0, deleted = 1', 'the user has been deleted'],
  ]) {
    await run(`UPDATE fe_users SET ${change}`);
    expect(await check(known)).toMatchObject({ state: 'nobody', reason });
  }
});

test('works with views of earlier versions, which contain the whole second factors', async () => {
  const { folder, logIn, ask } = await siteFor();
  const database = await createViews(mysql, folder, (view) =>
    view.replace(/CASE WHEN REPLACE.*? END AS factors/, 'u.mfa AS factors'),
  );
  const { who } = await ask({ database });
  expect(await who(await logIn('7', { user: { mfa: active } }))).toBe(notGiven);
  expect(await who(await logIn('7', { user: { mfa: `{${inactive}}` } }))).toMatchObject({ id: '7' });
});

test('rejects the cookie of a host whose pages may not use the chat if no cookieDomain is set', async () => {
  const { logIn, who, isUser } = await siteFor({}, {}, sqlite);
  const isPageHost = (name: string) => name === 'www.example.org';
  expect(await isUser({ ...(await logIn('7')), isPageHost })).toBe(true);
  const other = await logIn('8', { payload: { scope: { domain: 'other.example', path: '/' } } });
  expect(await who({ ...other, isPageHost })).toBe('the cookie belongs to another domain');
});

test('accepts and rejects sessions like TYPO3', async () => {
  stopClock();
  const site = await siteFor({}, {}, sqlite);
  await expectLogins(site, {
    user: {
      'logged in': {},
      'a cookie without a scope': { payload: {} },
      'the last second': { row: { ses_tstamp: now() - 6000 } },
      'within its time': { user: { starttime: now() - 100, endtime: now() + 100 } },
    },
    nobody: {
      'nobody logged in': { row: { ses_userid: 0 } },
      expired: { row: { ses_tstamp: now() - 6001 } },
      'before its time': { user: { starttime: now() + 100 } },
      'after its time': { user: { endtime: now() - 100 } },
      'another key': { key: 'of another site' },
      'another address': { row: { ses_iplock: '127.0.0.1' } },
    },
  });
  const [{ header, secrets }, other] = [await site.logIn('7'), await site.logIn('8')];
  const [payload, signature] = secrets;
  const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url');
  await expectRefused(
    site.logins,
    [
      `${header}.${other.secrets[0]}.${signature}`,
      `${header}.${payload}.${other.secrets[1]}`,
      `${none}.${payload}.${signature}`,
      `${none}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.`,
      'a'.repeat(10_000),
    ].map((token) => `fe_typo_user=${token}`),
  );
});

test.each(['12.4.30', '13.4.20', '14.0.2', '14.3.1', ''])('supports the version %j', async (version) => {
  const { logIn, isUser } = await siteFor({ version }, {}, sqlite);
  expect(await isUser(await logIn('7'))).toBe(true);
});

test('needs only the folder that is served', async () => {
  const { folder, logIn, ask } = await siteFor({}, {}, sqlite);
  expect(await (await ask({ folder: join(folder, 'public') })).isUser(await logIn('7'))).toBe(true);
});

test('applies the settings for lifetime and domain, with precedence for additional.php', async () => {
  const { logIn, who, isUser } = await siteFor({
    fe: "'sessionTimeout' => 60, 'cookieDomain' => 'old.example.org'",
    more: "$GLOBALS['TYPO3_CONF_VARS'] = array_replace_recursive($GLOBALS['TYPO3_CONF_VARS'], ['FE' => ['lifetime' => 600]]);\nif (Environment::getContext()->isDevelopment()) $GLOBALS['TYPO3_CONF_VARS']['SYS']['displayErrors'] = 1;\n$GLOBALS['TYPO3_CONF_VARS']['FE']['cookieDomain'] = '.example.org';",
  });
  const scope = { domain: 'example.org', hostOnly: false, path: '/' };
  const by = (session: Typo3Session, more = {}) =>
    logIn('7', { payload: { scope: { ...scope, ...more } }, ...session });
  expect(await isUser(await by({ row: { ses_tstamp: now() - 500 } }))).toBe(true);
  expect(await isUser(await by({ row: { ses_tstamp: now() - 602 } }))).toBe(false);
  expect(await who(await by({}, { domain: 'other.example.org' }))).toBe(
    'the cookie belongs to another domain',
  );
});

test('reads values that additional.php sets in functions, by references and by the context', async () => {
  const site = await typo3Site(sqlite, {
    fe: "'sessionTimeout' => '60', 'cookieName' => ' own '",
    more: `$TYPO3_CONF_VARS['FE']['lifetime'] = 9000;
use TYPO3\\CMS\\Core\\Core\\Environment;
(function () {
    $fe = &$GLOBALS['TYPO3_CONF_VARS']['FE'];
    $fe['sessionTimeout'] = 600;
})();
if (getenv('IS_DDEV_PROJECT') == 'true') $GLOBALS['TYPO3_CONF_VARS']['SYS']['encryptionKey'] = 'other';
require Environment::getConfigPath() . '/system/' . strtolower((string)Environment::getContext()) . '.php';`,
  });
  const file = join(site.folder, 'config/system/production.php');
  writeFileSync(file, "<?php $GLOBALS['TYPO3_CONF_VARS']['FE']['lockIP'] = 4;");
  const { logIn, who, isUser } = await openedSite(Promise.resolve(site), { environment: {} });
  const at = async (seconds: number, lock = '192.0.2.7') => {
    const row = { ses_tstamp: now() - seconds, ses_iplock: lock };
    const { cookies } = await logIn('7', { row });
    return { cookies: cookies.replace('fe_typo_user', 'own'), address: '192.0.2.7' };
  };
  expect(await isUser(await at(500))).toBe(true);
  expect(await isUser(await at(500, '192.0.2.8'))).toBe(false);
  expect(await who(await at(700))).toBe('the session has expired');
});

test('reads a session table with another name and connection', async () => {
  const login = `${encodeURIComponent(mysql.user)}:${encodeURIComponent(mysql.password).replaceAll("'", '%27')}`;
  const { run, logIn, isUser } = await siteFor({
    more: `$GLOBALS['TYPO3_CONF_VARS']['SYS']['session']['FE']['options']['table'] = 'own_sessions';
$db = &$GLOBALS['TYPO3_CONF_VARS']['DB'];
$db['TableMapping'] = ['own_sessions' => 'Own', 'fe_users' => 'Own', 'fe_groups' => 'Own'];
$db['Connections']['Own'] = ['url' => 'mysqli://${login}@127.0.0.1:${mysql.port}/${mysql.name}', 'host' => 'none.invalid'];
$db['Connections']['Default']['host'] = 'none.invalid';`,
  });
  await run('CREATE TABLE own_sessions LIKE fe_sessions');
  onTestFinished(() => void run('DROP TABLE own_sessions'));
  const device = await logIn('7');
  expect(await isUser(device)).toBe(false);
  await run('INSERT INTO own_sessions SELECT * FROM fe_sessions');
  expect(await isUser(device)).toBe(true);
});

test.each([
  ['SYS.session.FE.backend', "['SYS']['session']['FE']['backend'] = 'RedisSessionBackend'"],
  ['DB.TableMapping', "['DB']['TableMapping']['fe_users'] = 'Users'"],
])('rejects %s, which the chat does not read', async (name, code) => {
  const site = await typo3Site(sqlite, { more: `$GLOBALS['TYPO3_CONF_VARS']${code};` });
  onTestFinished(site.remove);
  await expect(openSite({ folder: site.folder })).rejects.toThrow(name);
});

test('ends logins after a new encryptionKey, but not after other changed settings', async () => {
  const { logins, logIn, folder, login, check } = await siteFor({}, {}, sqlite);
  const known = await login(await logIn('7'));
  const file = join(folder, 'config/system/settings.php');
  const settings = readFileSync(file, 'utf8');
  const answer = async (changed: string) => {
    writeFileSync(file, changed);
    await logins.reload?.();
    return check(known);
  };
  expect(await answer(settings.replace("'debug'", "'sessionTimeout' => 7000, 'debug'"))).toMatchObject({
    state: 'user',
    login: { handle: known.handle },
  });
  expect(await answer(settings.replace('eee', 'fff'))).toMatchObject({ state: 'nobody' });
});

test('compares users in the site’s own view by their values', async () => {
  const { logins, logIn, run, login, check } = await siteFor({}, {}, postgres);
  const device = await logIn('7', { name: 'Ann' });
  for (const statement of [
    'CREATE SCHEMA shared',
    'ALTER TABLE fe_users SET SCHEMA shared',
    "CREATE VIEW fe_users AS SELECT * FROM shared.fe_users WHERE name <> 'Gone'",
  ])
    await run(statement);
  onTestFinished(async () => {
    await run('DROP VIEW fe_users');
    await run('ALTER TABLE shared.fe_users SET SCHEMA public');
  });
  await logins.reload?.();
  const known = await login(device);
  await run("UPDATE shared.fe_users SET name = 'Zoë'");
  expect(await check(known)).toMatchObject({ login: { user: { name: 'Zoë' } } });
  await run("UPDATE shared.fe_users SET name = 'Gone'");
  expect(await check(known)).toMatchObject({ state: 'nobody' });
});

test('accepts sessions tied to an IPv4 or IPv6 address only from that network', async () => {
  const { logIn, login, check, isUser, ask } = await siteFor({ fe: "'lockIP' => 2, 'lockIPv6' => 3" });
  const four = await logIn('7', { row: { ses_iplock: '192.0.0.0' } });
  const six = await logIn('8', { row: { ses_iplock: '2001:0db8:0001:0000:0000:0000:0000:0000' } });
  const known = await login({ ...four, address: '192.0.2.55' });
  await four.rename('Zoë');
  expect(await check(known)).toMatchObject({ login: { user: { name: 'Zoë' } } });
  for (const [device, address, may] of [
    [four, '192.1.2.55', false],
    [four, undefined, false],
    [six, '2001:db8:1::7', true],
    [six, '2001:db8:2::7', false],
  ] as const)
    expect(await isUser({ ...device, address }), address).toBe(may);
  expect(await (await ask({ checks: false })).isUser({ ...four, address: '10.0.0.1' })).toBe(true);
});
