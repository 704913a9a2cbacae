import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  askingOf,
  expectLogins,
  expectRefused,
  openedSite,
  siteDatabase,
} from '../../../../test/helpers/application-site.ts';
import { cookieOf, drupalSite } from '../../../../test/helpers/drupal.ts';
import { StoreError } from '../../src/login.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

// grants.test.ts tests Drupal with MariaDB.
const db = await siteDatabase('sqlite');
// The tables of a site in SQLite have no prefix, so each site needs its own file.
const mysql = await siteDatabase('mysql');

applicationContract('Drupal', db, () => drupalSite(db));

const siteFor = (options: SiteOptions = {}) => openedSite(drupalSite(mysql), options);

test('gives a user the name and roles until the user is blocked or deleted', async () => {
  const { logIn, run, login, check } = await siteFor();
  const known = await login(await logIn('7', { name: 'Zoë & <b>' }));
  expect(known.user).toEqual({ id: '7', name: 'Zoë & <b>' });
  await run(
    "INSERT INTO #__user__roles VALUES (7, 0, 'en', 'content_editor'), (7, 1, 'en', 'administrator')",
  );
  expect(await check(known)).toMatchObject({ login: { user: { roles: ['admin', 'moderator'] } } });
  await run('UPDATE #__users_field_data SET status = 0');
  expect(await check(known)).toMatchObject({ state: 'nobody', reason: 'the user is blocked on the site' });
  await run('DELETE FROM #__users_field_data');
  expect(await check(known)).toMatchObject({ state: 'nobody', reason: 'the site has no such user' });
});

test('takes the user from the data of the session, which must agree with the column', async () => {
  const site = await siteFor();
  await expectLogins(site, {
    user: {
      'a text': { attributes: { uid: '7' } },
      'a number': { attributes: { uid: 7 } },
      'beside other attributes': { attributes: { a: 'x|a:1:{s:3:"uid";s:1:"1";}', uid: '7' } },
    },
    nobody: {
      'another user': { attributes: { uid: '1' } },
      'an anonymous session': { attributes: { other: 1 } },
      'user 0': { attributes: { uid: 0 } },
      'a list': { attributes: { uid: [7] } },
      'the id elsewhere': { attributes: {}, more: { uid: '7', _sf2: { uid: '7' } } },
      'a blocked user': { status: 0 },
      // Other versions of the module Masquerade.
      'another user in the metadata': { meta: { masquerading: '1' } },
      'another user in an attribute': { attributes: { uid: '7', masquerading: '1' } },
      'another user in a variable': { more: { masquerading: '1' } },
    },
  });
  const device = await site.logIn('7');
  // The ID in the table does not work as a cookie.
  await expectRefused(
    site.logins,
    [device.sid, device.id.toUpperCase(), `${device.id} `, `${device.id}%00`].map(
      (value) => `${cookieOf('www.example.org')}=${value}`,
    ),
  );
  await site.run(`UPDATE #__sessions SET session = '_sf2_attributes|a:1:{' WHERE sid = '${device.sid}'`);
  expect(await site.logins.identify(device)).toMatchObject({ code: 'session_invalid' });
});

test('makes user 1 an admin unless the settings name the roles', async () => {
  const { logIn, run, who, ask } = await siteFor();
  expect(await who(await logIn('1'))).toMatchObject({ roles: ['admin'] });
  const own = await ask({
    admins: ['boss'],
    moderators: ['helper'],
    team: ['answers', 'helper'],
    nobody: ['9'],
  });
  await run(
    "INSERT INTO #__user__roles VALUES (1, 0, 'en', 'helper'), (7, 0, 'en', 'boss'), (7, 1, 'en', 'administrator')",
  );
  expect(await own.who(await logIn('1'))).toMatchObject({ roles: ['moderator', 'team'] });
  expect(await own.who(await logIn('7'))).toMatchObject({ roles: ['admin'] });
  expect(await own.isUser(await logIn('9'))).toBe(false);
});

test('gives user 1 only the rights of their roles if Drupal’s policy of the super user is off', async () => {
  const { folder, run, logIn, ask } = await siteFor();
  const device = await logIn('1');
  const who = async (line: string) => {
    writeFileSync(join(folder, 'sites/default/services.yml'), `parameters:\n  ${line}\n`);
    return (await ask()).who(device);
  };
  const off = 'security.enable_super_user: false # since 10.3';
  expect(await who(off)).not.toHaveProperty('roles');
  expect(await who('# security.enable_super_user: false')).toHaveProperty('roles', ['admin']);
  await run("INSERT INTO #__user__roles VALUES (1, 0, 'en', 'administrator')");
  expect(await who(off)).toHaveProperty('roles', ['admin']);
});

test('finds the cookie for any host, http or https, next to cookies of other sites', async () => {
  const { folder, logins, logIn, who, ask } = await siteFor();
  const [device, other] = [await logIn('7'), await logIn('8')];
  const cookie = cookieOf('www.example.org');
  const plain = `${cookie.slice(1)}=${device.id}`;
  const seven = { id: '7' };
  expect(await who({ cookies: plain })).toMatchObject(seven);
  expect(await who({ cookies: `${cookie.slice(1)}=${other.id}; ${device.cookies}` })).toMatchObject(seven);
  expect(await who({ cookies: `SESSION=x; SESS12=y; ${device.cookies}` })).toMatchObject(seven);
  await expectRefused(logins, [`${device.cookies}; ${cookie}=${other.id}`]);
  const both = { cookies: `${cookieOf('example.org')}=${other.id}; ${device.cookies}` };
  expect(await logins.identify(both)).toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('cookieName'),
  });
  expect(await (await ask({ cookieName: cookie })).who(both)).toMatchObject(seven);
  writeFileSync(
    join(folder, 'sites/default/services.yml'),
    "parameters:\n  session.storage.options:\n    # cookie_domain: '.other.org'\n    cookie_domain: '.example.org' # all of them\n",
  );
  const ofDomain = await ask();
  const cookies = `${cookieOf('.example.org')}=${device.id}; ${cookieOf('example.org')}=${other.id}`;
  expect(await ofDomain.who({ cookies })).toMatchObject(seven);
  expect(await ofDomain.isUser({ cookies: device.cookies })).toBe(false);
});

test('reads settings.php with its includes, and needs the path of one if there are several', async () => {
  const site = await siteFor({ kind: 'drupal' } as SiteOptions);
  const device = await site.logIn('7');
  const isUser = async (folder = site.folder) => (await site.ask({ folder })).isUser(device);
  site.configure("$databases = [];\ninclude __DIR__ . '/local.php';\n");
  site.configure(site.usual, 'sites/default/local.php');
  expect(await isUser()).toBe(true);
  mkdirSync(join(site.folder, 'core/lib'), { recursive: true });
  site.configure('', 'core/lib/Drupal.php');
  rmSync(join(site.folder, 'sites/default'), { recursive: true });
  await expect(isUser()).rejects.toThrow('sites/default/settings.php is missing');
  for (const name of ['a.example.org', 'b.example.org'])
    site.configure(site.usual, `sites/${name}/settings.php`);
  await expect(isUser()).rejects.toThrow('/sites/b.example.org/settings.php');
  expect(await isUser(join(site.folder, 'sites/b.example.org/settings.php'))).toBe(true);
  const oracle = "$databases['default']['default'] = ['driver' => 'oracle'];";
  site.configure(oracle, 'sites/a.example.org/settings.php');
  rmSync(join(site.folder, 'sites/b.example.org'), { recursive: true });
  await expect(isUser()).rejects.toThrow('no default database with the driver mysql, pgsql');
});

/** The folder in which the module Email TFA has its subscribers. */
const emailTfa = (folder: string, modules: string) => join(folder, modules, 'email_tfa/src/EventSubscriber');

test('rejects a module that asks for the second factor after the login', async () => {
  const { folder, open } = await siteFor();
  for (const modules of ['modules', 'modules/contrib', 'sites/default/modules/contrib']) {
    const subscribers = emailTfa(folder, modules);
    mkdirSync(subscribers, { recursive: true });
    // A later version, which asks before the login.
    writeFileSync(join(subscribers, 'EmailTfaRouteSubscriber.php'), '<?php');
    await open();
    writeFileSync(join(subscribers, 'EmailTfaSubscriber.php'), '<?php');
    await expect(open(), modules).rejects.toThrow(
      /Email TFA asks for the second factor after the login.*update the module/,
    );
    rmSync(subscribers, { recursive: true });
  }
});

test('keeps open logins while an unsupported module is installed', async () => {
  const { folder, logIn } = await siteFor();
  const { logins } = await openSite({ folder });
  onTestFinished(() => logins.close());
  const { login, check, isUser } = askingOf(logins);
  const device = await logIn('7');
  const known = await login(device);
  const subscribers = emailTfa(folder, 'modules');
  mkdirSync(subscribers, { recursive: true });
  writeFileSync(join(subscribers, 'EmailTfaSubscriber.php'), '<?php');
  await logins.reload?.();
  expect(await logins.identify(device)).toMatchObject({
    code: 'session_store_unavailable',
    reason: expect.stringContaining('update the module'),
  });
  await expect(check(known)).rejects.toThrow(StoreError);
  rmSync(subscribers, { recursive: true });
  await logins.reload?.();
  expect(await isUser(device)).toBe(true);
  expect(await check(known)).toBeNull();
});
