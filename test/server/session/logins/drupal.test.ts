import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Login, StoreError } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { applicationContract } from '../../../contracts/login.ts';
import { size } from '../../../guarantees/size.ts';
import { loginsOf, openedSite, siteDatabases } from '../../../helpers/application-site.ts';
import { cookieOf, type DrupalSession, drupalSite } from '../../../helpers/drupal.ts';
import type { TestDatabase } from '../../../helpers/site-database.ts';

const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres', 'sqlite'], ['mysql']);
const databases = await siteDatabases(kinds);

const [mysql] = databases;

const siteFor = (db = mysql as TestDatabase, options: SiteOptions = {}) =>
  openedSite(drupalSite(db), options);

describe.each(databases)('$kind', (db) => {
  applicationContract('Drupal', db, () => drupalSite(db));

  test('the name, the roles, and users who are blocked or deleted while they are logged in', async () => {
    const { logins, logIn, run } = await siteFor(db);
    const device = await logIn('7', { name: 'Zoë & <b>' });
    const verdict = async (login: Login) => logins.check([login as never])[0];
    const login = (await logins.identify(device)) as Login;
    expect(login.user).toEqual({ id: '7', name: 'Zoë & <b>' });
    await run(
      "INSERT INTO #__user__roles VALUES (7, 0, 'en', 'content_editor'), (7, 1, 'en', 'administrator')",
    );
    expect(await verdict(login)).toMatchObject({ login: { user: { roles: ['admin', 'moderator'] } } });
    await run('UPDATE #__users_field_data SET status = 0');
    expect(await verdict(login)).toMatchObject({ state: 'nobody', reason: 'the user is blocked there' });
    await run('DELETE FROM #__users_field_data');
    expect(await verdict(login)).toMatchObject({ state: 'nobody', reason: 'there is no such user' });
  });
});

test('the text of the session says who is logged in, and the column cannot contradict it', async () => {
  const { logins, logIn, run } = await siteFor();
  const cases: [string, DrupalSession, 'user' | 'nobody'][] = [
    ['a text', { attributes: { uid: '7' } }, 'user'],
    ['a number', { attributes: { uid: 7 } }, 'user'],
    ['beside other attributes', { attributes: { a: 'x|a:1:{s:3:"uid";s:1:"1";}', uid: '7' } }, 'user'],
    ['another user', { attributes: { uid: '1' } }, 'nobody'],
    ['an anonymous one', { attributes: { other: 1 } }, 'nobody'],
    ['user 0', { attributes: { uid: 0 } }, 'nobody'],
    ['a list', { attributes: { uid: [7] } }, 'nobody'],
    ['the id elsewhere', { attributes: {}, more: { uid: '7', _sf2: { uid: '7' } } }, 'nobody'],
    ['a blocked user', { status: 0 }, 'nobody'],
    // Versions of the module Masquerade.
    ['another user in the metadata', { meta: { masquerading: '1' } }, 'nobody'],
    ['another user in an attribute', { attributes: { uid: '7', masquerading: '1' } }, 'nobody'],
    ['another user in a variable', { more: { masquerading: '1' } }, 'nobody'],
  ];
  for (const [what, session, state] of cases) {
    expect(await logins.identify(await logIn('7', session)), what).toMatchObject(
      state === 'user' ? { user: { id: '7' } } : { code: 'unauthorized' },
    );
  }
  const unreadable = await logIn('7');
  await run(`UPDATE #__sessions SET session = '_sf2_attributes|a:1:{' WHERE sid = '${unreadable.sid}'`);
  expect(await logins.identify(unreadable)).toMatchObject({ code: 'session_invalid' });
  // The id in the table is no cookie.
  const device = await logIn('7');
  const cookie = cookieOf('www.example.org');
  for (const value of [device.sid, device.id.toUpperCase(), `${device.id} `, `${device.id}%00`]) {
    expect(await logins.identify({ cookies: `${cookie}=${value}` })).toMatchObject({ code: 'unauthorized' });
  }
});

test('the roles of user 1, and those of the settings', async () => {
  const { logins, logIn } = await siteFor();
  expect(await logins.identify(await logIn('1'))).toMatchObject({ user: { roles: ['admin'] } });
  const own = await siteFor(mysql, { admins: ['boss'], moderators: ['helper'], nobody: ['9'] });
  await own.run(
    "INSERT INTO #__user__roles VALUES (1, 0, 'en', 'helper'), (7, 0, 'en', 'boss'), (7, 1, 'en', 'administrator')",
  );
  expect(await own.logins.identify(await own.logIn('1'))).toMatchObject({ user: { roles: ['moderator'] } });
  expect(await own.logins.identify(await own.logIn('7'))).toMatchObject({ user: { roles: ['admin'] } });
  expect(await own.logins.identify(await own.logIn('9'))).toMatchObject({ code: 'unauthorized' });
});

test('without its policy of the super user, Drupal gives user 1 the rights of their roles alone', async () => {
  const { folder, run, logIn } = await siteFor();
  const services = join(folder, 'sites/default/services.yml');
  writeFileSync(services, 'parameters:\n  security.enable_super_user: false # since 10.3\n');
  const device = await logIn('1');
  expect(await (await loginsOf(folder)).identify(device)).not.toHaveProperty('user.roles');
  await run("INSERT INTO #__user__roles VALUES (1, 0, 'en', 'administrator')");
  expect(await (await loginsOf(folder)).identify(device)).toHaveProperty('user.roles', ['admin']);
  await run('DELETE FROM #__user__roles');
  writeFileSync(services, 'parameters:\n  # security.enable_super_user: false\n');
  expect(await (await loginsOf(folder)).identify(device)).toHaveProperty('user.roles', ['admin']);
});

test('the cookie of a host that nobody has named, of http and https, and beside those of other sites', async () => {
  const { folder, logins, logIn } = await siteFor();
  const [device, other] = [await logIn('7'), await logIn('8')];
  const cookie = cookieOf('www.example.org');
  const plain = cookie.slice(1);
  const answer = (cookies: string) => logins.identify({ cookies });
  const user = { user: { id: '7' } };
  expect(await answer(`${plain}=${device.id}`)).toMatchObject(user);
  expect(await answer(`${plain}=${other.id}; ${cookie}=${device.id}`)).toMatchObject(user);
  expect(await answer(`SESSION=x; SESS12=y; ${cookie}=${device.id}`)).toMatchObject(user);
  expect(await answer(`${cookie}=${device.id}; ${cookie}=${other.id}`)).toMatchObject({
    code: 'unauthorized',
  });
  const both = `${cookieOf('example.org')}=${other.id}; ${cookie}=${device.id}`;
  expect(await answer(both)).toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('CHAT_SESSION_NAME'),
  });
  const named = await loginsOf(folder, { cookieName: cookie });
  expect(await named.identify({ cookies: both })).toMatchObject(user);
  writeFileSync(
    join(folder, 'sites/default/services.yml'),
    "parameters:\n  session.storage.options:\n    # cookie_domain: '.other.org'\n    cookie_domain: '.example.org' # all of them\n",
  );
  const ofDomain = await loginsOf(folder);
  const cookies = `${cookieOf('.example.org')}=${device.id}; ${cookieOf('example.org')}=${other.id}`;
  expect(await ofDomain.identify({ cookies })).toMatchObject(user);
  expect(await ofDomain.identify({ cookies: `${cookie}=${device.id}` })).toMatchObject({
    code: 'unauthorized',
  });
});

test('settings.php: of a project of Composer, of a site of several, with a file that it includes', async () => {
  const site = await drupalSite(mysql as (typeof databases)[number]);
  onTestFinished(site.remove);
  const device = await site.logIn('7');
  const identified = async (folder: string) => {
    const logins = await loginsOf(folder, { kind: 'drupal' });
    return logins.identify(device);
  };
  const user = { user: { id: '7' } };
  site.configure("$databases = [];\ninclude __DIR__ . '/local.php';\n");
  site.configure(site.usual, 'sites/default/local.php');
  expect(await identified(site.folder)).toMatchObject(user);
  mkdirSync(join(site.folder, 'core/lib'), { recursive: true });
  site.configure('', 'core/lib/Drupal.php');
  rmSync(join(site.folder, 'sites/default'), { recursive: true });
  await expect(identified(site.folder)).rejects.toThrow('Drupal is here, but no sites/default/settings.php');
  for (const name of ['a.example.org', 'b.example.org']) {
    mkdirSync(join(site.folder, 'sites', name));
    site.configure(site.usual, `sites/${name}/settings.php`);
  }
  await expect(identified(site.folder)).rejects.toThrow('/sites/b.example.org/settings.php');
  expect(await identified(join(site.folder, 'sites/b.example.org/settings.php'))).toMatchObject(user);
  site.configure(
    "$databases['default']['default'] = ['driver' => 'oracle'];",
    'sites/a.example.org/settings.php',
  );
  rmSync(join(site.folder, 'sites/b.example.org'), { recursive: true });
  await expect(identified(site.folder)).rejects.toThrow('no default database with the driver mysql, pgsql');
});

test('a module that asks for the second factor after the login is refused', async () => {
  const site = await drupalSite(mysql as (typeof databases)[number]);
  onTestFinished(site.remove);
  for (const modules of ['modules', 'modules/contrib', 'sites/default/modules/contrib']) {
    const subscribers = join(site.folder, modules, 'email_tfa/src/EventSubscriber');
    mkdirSync(subscribers, { recursive: true });
    // A later version, which asks before the login.
    writeFileSync(join(subscribers, 'EmailTfaRouteSubscriber.php'), '<?php');
    await loginsOf(site.folder);
    writeFileSync(join(subscribers, 'EmailTfaSubscriber.php'), '<?php');
    await expect(loginsOf(site.folder), modules).rejects.toThrow(
      /Email TFA asks for the second factor after the login.*update the module/,
    );
    rmSync(subscribers, { recursive: true });
  }
});

test('such a module that is added meanwhile ends no login, and lets nobody in until it is gone', async () => {
  const site = await drupalSite(mysql as (typeof databases)[number]);
  onTestFinished(site.remove);
  const { logins } = await openSite({ folder: site.folder });
  onTestFinished(() => logins.close());
  const device = await site.logIn('7', {});
  const login = (await logins.identify(device)) as Login;
  const subscribers = join(site.folder, 'modules/email_tfa/src/EventSubscriber');
  mkdirSync(subscribers, { recursive: true });
  writeFileSync(join(subscribers, 'EmailTfaSubscriber.php'), '<?php');
  await logins.reload?.();
  expect(await logins.identify(device)).toMatchObject({
    code: 'session_store_unavailable',
    reason: expect.stringContaining('update the module'),
  });
  await expect(logins.check([login as never])[0]).rejects.toThrow(StoreError);
  rmSync(subscribers, { recursive: true });
  await logins.reload?.();
  expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  expect(await logins.check([login as never])[0]).toBeNull();
});
