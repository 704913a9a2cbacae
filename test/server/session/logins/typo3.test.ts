import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { grants } from '../../../../server/session/logins/grants.ts';
import { parseDatabaseUrl } from '../../../../server/session/store-url.ts';
import { applicationContract } from '../../../contracts/login.ts';
import { size, soak } from '../../../guarantees/size.ts';
import { loginsOf, openedSite, siteDatabases, stopClock } from '../../../helpers/application-site.ts';
import type { TestDatabase } from '../../../helpers/site-database.ts';
import { type Typo3Session, typo3Site } from '../../../helpers/typo3.ts';

const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres', 'sqlite'], ['mysql', 'postgres']);
const databases = await siteDatabases(kinds);

const now = () => Math.floor(Date.now() / 1000);

type Db = (typeof databases)[number];
const [mysql, postgres] = databases as [Db, Db];

const siteFor = (config: Parameters<typeof typo3Site>[1] = {}, options: SiteOptions = {}, db = mysql) =>
  openedSite(typo3Site(db, config), options);

describe.each(size(databases, [mysql]))('$kind', (db) => {
  applicationContract('TYPO3', db, () => typo3Site(db));

  test('names, groups, and users who are disabled or deleted while they are logged in', async () => {
    const { logins, logIn, run } = await siteFor({}, { admins: ['Staff'], moderators: ['Helpers'] }, db);
    const user = async (id: string, session: Typo3Session) =>
      ((await logins.identify(await logIn(id, session))) as Login).user;
    expect(await user('7', { name: 'Zoë & <b>', user: { usergroup: '11,2' } })).toEqual({
      ...{ id: '7', name: 'Zoë & <b>', roles: ['moderator'] },
    });
    expect(await user('8', { name: '', user: { first_name: 'Bo', usergroup: '1,11' } })).toEqual({
      ...{ id: '8', name: 'Bo', roles: ['admin', 'moderator'] },
    });
    expect(await user('9', { name: '', user: { usergroup: '111' } })).toEqual({ id: '9', name: 'user9' });
    // Through groups of groups, but not through one that is hidden.
    expect((await user('9', { user: { usergroup: '3' } })).roles).toEqual(['admin', 'moderator']);
    expect((await user('9', { user: { usergroup: '2' } })).roles).toBeUndefined();
    const active = '{"totp":{"secret":"x","active":true}}';
    const factors = async (mfa: string, data: string) =>
      logins.identify(await logIn('9', { user: { mfa }, row: { ses_data: data } }));
    expect(await factors(active, 'a:1:{s:1:"x";s:2:"é";}')).toMatchObject({
      reason: 'the user has not yet given the second factor',
    });
    expect(await factors(active, '')).toMatchObject({ code: 'unauthorized' });
    expect(await factors(active, 'a:1:{s:3:"mfa";b:1;}')).toMatchObject({ user: { id: '9' } });
    const inactive = '"totp":{"secret":"x","active":false}';
    for (const none of ['', '[]', '{}', '{"totp":{"secret":"x"}}', `{${inactive}}`])
      expect(await factors(none, ''), none).toMatchObject({ user: { id: '9' } });
    for (const one of [`{${inactive},"recovery-codes":{"active":true}}`, '{"totp":{"active": true}}'])
      expect(await factors(one, ''), one).toMatchObject({ code: 'unauthorized' });
    const passed = (await factors(active, 'a:1:{s:3:"mfa";b:1;}')) as Login;
    const [login, without] = (await Promise.all(
      ['7', '8'].map(async (id) => logins.identify(await logIn(id))),
    )) as [Login, Login];
    expect(await Promise.all(logins.check([passed, without]))).toEqual([null, null]);
    await run("UPDATE fe_sessions SET ses_data = 'a:0:{}' WHERE ses_userid = 9");
    await run(`UPDATE fe_users SET mfa = '${active}' WHERE uid = 8`);
    const factor = { state: 'nobody', reason: 'the user has not yet given the second factor' };
    expect(await Promise.all(logins.check([passed, without]))).toMatchObject([factor, factor]);
    const verdict = async () => logins.check([login as never])[0];
    await run('UPDATE fe_users SET disable = 1');
    expect(await verdict()).toMatchObject({ state: 'nobody', reason: 'the user is disabled there' });
    await run('UPDATE fe_users SET disable = 0, deleted = 1');
    expect(await verdict()).toMatchObject({ state: 'nobody', reason: 'the user has been deleted' });
  });
});

test('views that were made when they had all of the second factors still count', async () => {
  const { folder, logIn, run } = await siteFor();
  const lines = await grants({ folder });
  if ('problem' in lines) throw new Error(lines.problem);
  const views = lines.filter((line) => line.startsWith('CREATE OR REPLACE VIEW'));
  onTestFinished(async () => {
    for (const view of views) await run(`DROP VIEW ${/VIEW (\S+)/.exec(view)?.[1]}`);
  });
  for (const view of views)
    await run(view.replace(/CASE WHEN REPLACE.*? END AS factors/, 'u.mfa AS factors'));
  const at = `mysql://${mysql.user}:${encodeURIComponent(mysql.password)}@127.0.0.1:${mysql.port}/${mysql.name}`;
  const logins = await loginsOf(folder, { database: parseDatabaseUrl(at) });
  const answer = async (mfa: string) => logins.identify(await logIn('7', { user: { mfa } }));
  expect(await answer('{"totp":{"secret":"x","active":true}}')).toMatchObject({
    reason: 'the user has not yet given the second factor',
  });
  expect(await answer('{"totp":{"secret":"x","active":false}}')).toMatchObject({ user: { id: '7' } });
});

test('without a cookieDomain: a cookie of a host whose pages may not use the chat is refused', async () => {
  const { logins, logIn } = await siteFor();
  const own = await logIn('7');
  const isPageHost = (name: string) => name === 'www.example.org';
  expect(await logins.identify({ ...own, isPageHost })).toMatchObject({ user: { id: '7' } });
  const other = await logIn('8', { payload: { scope: { domain: 'other.example', path: '/' } } });
  expect(await logins.identify({ ...other, isPageHost })).toMatchObject({
    reason: 'its cookie is that of another domain',
  });
});

test('the sessions that TYPO3 would take, and those that it would not', async () => {
  stopClock();
  const { logins, logIn } = await siteFor();
  const cases: [string, Typo3Session, 'user' | 'nobody'][] = [
    ['logged in', {}, 'user'],
    ['a cookie without a scope', { payload: {} }, 'user'],
    ['nobody logged in', { row: { ses_userid: 0 } }, 'nobody'],
    ['the last second', { row: { ses_tstamp: now() - 6000 } }, 'user'],
    ['expired', { row: { ses_tstamp: now() - 6001 } }, 'nobody'],
    ['before its time', { user: { starttime: now() + 100 } }, 'nobody'],
    ['after its time', { user: { endtime: now() - 100 } }, 'nobody'],
    ['within its time', { user: { starttime: now() - 100, endtime: now() + 100 } }, 'user'],
    ['another key', { key: 'of another site' }, 'nobody'],
    ['the address of nobody', { row: { ses_iplock: '127.0.0.1' } }, 'nobody'],
  ];
  for (const [what, session, state] of cases) {
    expect(await logins.identify(await logIn('7', session)), what).toMatchObject(
      state === 'user' ? { user: { id: '7', name: 'Ann' } } : { code: 'unauthorized' },
    );
  }
  const [one, other] = [await logIn('7'), await logIn('8')];
  const [payload, signature] = one.secrets;
  const none = Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url');
  for (const token of [
    `${one.header}.${other.secrets[0]}.${signature}`,
    `${one.header}.${payload}.${other.secrets[1]}`,
    `${none}.${payload}.${signature}`,
    `${none}.${payload}.`,
    `${one.header}.${payload}`,
    `${one.header}.${payload}.${signature}.`,
    'a'.repeat(10_000),
  ]) {
    expect(await logins.identify({ cookies: `fe_typo_user=${token}` })).toMatchObject({
      code: 'unauthorized',
    });
  }
});

test.each(['12.4.30', '13.4.20', '14.0.2', '14.3.1'])('TYPO3 %s', async (version) => {
  const { logins, logIn } = await siteFor({ version });
  expect(await logins.identify(await logIn('7'))).toMatchObject({ user: { id: '7' } });
});

test('a TYPO3 whose version is not known; the folder that is served', async () => {
  const site = await siteFor({ version: '' });
  const device = await site.logIn('7');
  expect(await site.logins.identify(device)).toMatchObject({ user: { id: '7' } });
  const logins = await loginsOf(join(site.folder, 'public'));
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
});

test('the settings: a longer life, a cookie of a domain, and what additional.php says', async () => {
  const { logins, logIn } = await siteFor({
    fe: "'sessionTimeout' => 60, 'cookieDomain' => 'old.example.org'",
    more: "$GLOBALS['TYPO3_CONF_VARS'] = array_replace_recursive($GLOBALS['TYPO3_CONF_VARS'], ['FE' => ['lifetime' => 600]]);\nif (Environment::getContext()->isDevelopment()) $GLOBALS['TYPO3_CONF_VARS']['SYS']['displayErrors'] = 1;\n$GLOBALS['TYPO3_CONF_VARS']['FE']['cookieDomain'] = '.example.org';",
  });
  const scope = { domain: 'example.org', hostOnly: false, path: '/' };
  const answer = async (session: Typo3Session) => logins.identify(await logIn('7', session));
  const old = { ses_tstamp: now() - 500 };
  expect(await answer({ payload: { scope }, row: old })).toMatchObject({ user: { id: '7' } });
  expect(await answer({ payload: { scope }, row: { ses_tstamp: now() - 602 } })).toMatchObject({
    code: 'unauthorized',
  });
  expect(await answer({ payload: { scope: { ...scope, domain: 'other.example.org' } } })).toMatchObject({
    reason: 'its cookie is that of another domain',
  });
  const site = await typo3Site(databases[1] as typeof mysql, {
    more: "$GLOBALS['TYPO3_CONF_VARS']['SYS']['session']['FE']['backend'] = 'RedisSessionBackend';",
  });
  onTestFinished(site.remove);
  await expect(openSite({ folder: site.folder })).rejects.toThrow('SYS.session.FE.backend');
});

test('additional.php that sets values in functions, by references and by the context', async () => {
  const site = await typo3Site(mysql, {
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
  onTestFinished(site.remove);
  const file = join(site.folder, 'config/system/production.php');
  writeFileSync(file, "<?php $GLOBALS['TYPO3_CONF_VARS']['FE']['lockIP'] = 4;");
  const logins = await loginsOf(site.folder, { environment: {} });
  const at = async (seconds: number, lock = '192.0.2.7') => {
    const row = { ses_tstamp: now() - seconds, ses_iplock: lock };
    const { cookies } = await site.logIn('7', { row });
    const address = '192.0.2.7';
    return logins.identify({ cookies: cookies.replace('fe_typo_user', 'own'), address });
  };
  expect(await at(500)).toMatchObject({ user: { id: '7' } });
  expect(await at(500, '192.0.2.8')).toMatchObject({ code: 'unauthorized' });
  expect(await at(700)).toMatchObject({ reason: 'the session has expired there' });
});

test('another table of sessions, another connection, and a URL of the database', async () => {
  const login = `${encodeURIComponent(mysql.user)}:${encodeURIComponent(mysql.password).replaceAll("'", '%27')}`;
  const site = await siteFor({
    more: `$GLOBALS['TYPO3_CONF_VARS']['SYS']['session']['FE']['options']['table'] = 'own_sessions';
$db = &$GLOBALS['TYPO3_CONF_VARS']['DB'];
$db['TableMapping'] = ['own_sessions' => 'Own', 'fe_users' => 'Own', 'fe_groups' => 'Own'];
$db['Connections']['Own'] = ['url' => 'mysqli://${login}@127.0.0.1:${mysql.port}/${mysql.name}', 'host' => 'none.invalid'];
$db['Connections']['Default']['host'] = 'none.invalid';`,
  });
  await site.run('CREATE TABLE own_sessions LIKE fe_sessions');
  onTestFinished(() => void site.run('DROP TABLE own_sessions'));
  const device = await site.logIn('7');
  expect(await site.logins.identify(device)).toMatchObject({ code: 'unauthorized' });
  await site.run('INSERT INTO own_sessions SELECT * FROM fe_sessions');
  expect(await site.logins.identify(device)).toMatchObject({ user: { id: '7' } });
  const apart = await typo3Site(databases[1] as Db, {
    more: "$GLOBALS['TYPO3_CONF_VARS']['DB']['TableMapping']['fe_users'] = 'Users';",
  });
  onTestFinished(apart.remove);
  await expect(openSite({ folder: apart.folder })).rejects.toThrow('DB.TableMapping');
});

test('a new encryptionKey ends the logins by the one before; other settings do not', async () => {
  const { logins, logIn, folder } = await siteFor();
  const login = (await logins.identify(await logIn('7'))) as Login;
  const file = join(folder, 'config/system/settings.php');
  const settings = readFileSync(file, 'utf8');
  const answer = async (changed: string) => {
    writeFileSync(file, changed);
    await logins.reload?.();
    return logins.check([login])[0];
  };
  expect(await answer(settings.replace("'debug'", "'sessionTimeout' => 7000, 'debug'"))).toMatchObject({
    state: 'user',
    login: { handle: login.handle },
  });
  expect(await answer(settings.replace('eee', 'fff'))).toMatchObject({ state: 'nobody' });
});

if (soak)
  test('users in a table that PostgreSQL knows no versions of are compared by their values', async () => {
    const { logins, logIn, run } = await siteFor({}, {}, postgres);
    const device = await logIn('7', { name: 'Ann' });
    for (const statement of [
      "CREATE ROLE reader LOGIN PASSWORD 'own'",
      'CREATE EXTENSION postgres_fdw',
      `CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${postgres.port}', dbname 'site')`,
      "CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS (user 'reader', password 'own')",
      'CREATE SCHEMA kept AUTHORIZATION reader',
      'GRANT SELECT ON fe_users TO reader',
      'ALTER TABLE fe_users SET SCHEMA kept',
      'IMPORT FOREIGN SCHEMA kept LIMIT TO (fe_users) FROM SERVER elsewhere INTO public',
    ])
      await run(statement);
    onTestFinished(async () => {
      await run('DROP FOREIGN TABLE fe_users');
      await run('ALTER TABLE kept.fe_users SET SCHEMA public');
    });
    const login = (await logins.identify(device)) as Login;
    expect(login.user.name).toBe('Ann');
    await run("UPDATE kept.fe_users SET name = 'Zoë'");
    expect(await logins.check([login])[0]).toMatchObject({ login: { user: { name: 'Zoë' } } });
  });

test('users in a view of the site’s own are compared by their values', async () => {
  const { logins, logIn, run } = await siteFor({}, {}, postgres);
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
  const login = (await logins.identify(device)) as Login;
  expect(login.user.name).toBe('Ann');
  await run("UPDATE shared.fe_users SET name = 'Zoë'");
  expect(await logins.check([login])[0]).toMatchObject({ login: { user: { name: 'Zoë' } } });
  await run("UPDATE shared.fe_users SET name = 'Gone'");
  expect(await logins.check([login])[0]).toMatchObject({ state: 'nobody' });
});

test('sessions that are tied to an address, in IPv4 and IPv6, also when they are checked again', async () => {
  const fe = "'lockIP' => 2, 'lockIPv6' => 3";
  const { folder, logins, logIn } = await siteFor({ fe });
  const four = await logIn('7', { row: { ses_iplock: '192.0.0.0' } });
  const six = await logIn('8', { row: { ses_iplock: '2001:0db8:0001:0000:0000:0000:0000:0000' } });
  const login = await logins.identify({ ...four, address: '192.0.2.55' });
  expect(login).toMatchObject({ user: { id: '7' } });
  await four.rename('Zoë');
  expect(await logins.check([login as never])[0]).toMatchObject({ login: { user: { name: 'Zoë' } } });
  expect(await logins.identify({ ...four, address: '192.1.2.55' })).toMatchObject({ code: 'unauthorized' });
  expect(await logins.identify({ ...four })).toMatchObject({ code: 'unauthorized' });
  expect(await logins.identify({ ...six, address: '2001:db8:1::7' })).toMatchObject({ user: { id: '8' } });
  expect(await logins.identify({ ...six, address: '2001:db8:2::7' })).toMatchObject({ code: 'unauthorized' });
  const lax = await loginsOf(folder, { checks: false });
  expect(await lax.identify({ ...four, address: '10.0.0.1' })).toMatchObject({ user: { id: '7' } });
});
