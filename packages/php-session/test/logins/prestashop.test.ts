import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  expectLogins,
  expectRefused,
  openedSite,
  siteDatabase,
} from '../../../../test/helpers/application-site.ts';
import { cookieOf, prestashopSite } from '../../../../test/helpers/prestashop.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

const db = await siteDatabase('mysql');

const siteFor = (options: SiteOptions = {}) => openedSite(prestashopSite(db), options);

applicationContract('PrestaShop', db, () => prestashopSite(db), { named: (firstname) => ({ firstname }) });

test('shows active customers with first name and roles by group', async () => {
  const { logIn, run, login, changed } = await siteFor({
    admins: ['Owners'],
    moderators: [],
    team: ['Staff'],
  });
  const device = await logIn('7', { firstname: 'Zoë' });
  await run('INSERT INTO #__customer_group VALUES (7, 4)');
  const known = await login(device);
  // The last name and the mail address are private.
  expect(known.user).toEqual({ id: '7', name: 'Zoë', roles: ['team'] });
  for (const change of ['active = 0', 'active = 1, deleted = 1', 'deleted = 0, is_guest = 1']) {
    await run(`UPDATE #__customer SET ${change}`);
    expect(await changed(known), change).toMatchObject({ state: 'nobody' });
  }
  await run('DELETE FROM #__customer');
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
});

test('ends all sessions after a new password except the session of the new cookie', async () => {
  const { logIn, run, login, check, changed } = await siteFor();
  const known = await login(await logIn('7'));
  const another = { passwd: '$2y$10$another' };
  const device = await logIn('7', { customer: another, content: another });
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
  const own = await login(device);
  expect(await check(own)).toBeNull();
  // A hash in upper case is another hash.
  await run("UPDATE #__customer SET passwd = '$2y$10$ANOTHER'");
  expect(await changed(own)).toMatchObject({ state: 'nobody' });
});

test('accepts and rejects cookies like PrestaShop', async () => {
  const site = await siteFor();
  const [one, other] = [await site.logIn('7'), await site.logIn('8')];
  await expectLogins(site, {
    user: { 'logged in': {} },
    nobody: {
      anonymous: { content: { id_customer: null, session_id: null, session_token: null } },
      'without a session': { content: { session_id: null } },
      'without a token': { content: { session_token: null } },
      'with another token': { content: { session_token: other.token } },
      'with the session of another': { content: { session_id: other.id, session_token: other.token } },
      'with the hash of another password': { content: { passwd: '$2y$10$Hash' } },
      'without the hash of the password': { content: { passwd: null } },
      'for another customer': { content: { id_customer: '8' } },
      'of the back office': { content: { id_employee: '1' } },
      'of another key': { key: randomBytes(32) },
      'of another salt': { iv: 'another' },
    },
  });
  const [version = '', salt = '', iv = '', box = '', code = ''] = one.secrets;
  const head = `${version}${salt}${iv}`;
  await expectRefused(
    site.logins,
    [
      ...[`${head}${other.secrets[3]}${code}`, `${head}${box}${other.secrets[4]}`, `${head}${code}`],
      ...[version, `${head}${box}${code}0`, 'z'.repeat(200), 'ab'.repeat(5000)],
    ].map((value) => `${cookieOf('ps-s1')}=${value}`),
  );
});

test('ends the logins after a new cookie_iv', async () => {
  const { logins, logIn, folder, login, changed } = await siteFor();
  const known = await login(await logIn('7'));
  const file = join(folder, 'app/config/parameters.php');
  writeFileSync(file, readFileSync(file, 'utf8').replace("'cookie_iv' => '", '$&x'));
  await logins.reload?.();
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
});

test('accepts the cookies of several shops only if one customer is named or the settings choose', async () => {
  const { logins, logIn, who, ask } = await siteFor();
  const guest = { id_customer: null, session_id: null, session_token: null };
  const [one, two, none] = [
    await logIn('7'),
    await logIn('8', { name: cookieOf('ps-s2') }),
    await logIn('9', { name: cookieOf('ps-s3'), content: guest }),
  ];
  const both = { cookies: `${one.cookies}; ${two.cookies}` };
  expect(await who({ cookies: `${none.cookies}; ${one.cookies}` })).toMatchObject({ id: '7' });
  expect(await logins.identify(both)).toMatchObject({
    reason: 'the request has cookies of several customers',
    hint: expect.stringContaining('cookieName'),
  });
  expect(await (await ask({ cookieName: cookieOf('ps-s2') })).who(both)).toMatchObject({ id: '8' });
  // A page of a sibling subdomain can set a second cookie with the same name, and many other cookies.
  const [name] = one.cookies.split('=');
  const junk = Array.from({ length: 8 }, (_, n) => `${cookieOf(`ps-j${n}`)}=x`).join('; ');
  await expectRefused(logins, [
    `${one.cookies}; ${name}=x; ${two.cookies}`,
    `${junk}; ${one.cookies}`,
    `${two.cookies}; ${junk}; ${one.cookies}`,
  ]);
});

test('recognises the login in a cookie with another cart, and beside a cookie from before an update', async () => {
  const { logins, logIn, who } = await siteFor();
  const one = await logIn('7');
  const again = await logIn('7', {
    content: { session_id: one.id, session_token: one.token, id_cart: '6' },
  });
  expect(logins.binding(again)).toBe(logins.binding(one));
  // The cookie's name depends on the version of PrestaShop, so the previous version's cookie stays in the browser.
  const before = await logIn('7', { name: cookieOf('ps-s0') });
  for (const cookies of [`${one.cookies}; ${before.cookies}`, `${before.cookies}; ${one.cookies}`])
    expect(await who({ cookies })).toMatchObject({ id: '7' });
  await before.logOut();
  expect(await who({ cookies: `${before.cookies}; ${one.cookies}` })).toMatchObject({ id: '7' });
});

test('rejects a damaged cookie key', async () => {
  const { folder } = await siteFor();
  const file = join(folder, 'app/config/parameters.php');
  writeFileSync(file, readFileSync(file, 'utf8').replace('def00000', 'def00001'));
  await expect(openSite({ folder })).rejects.toThrow('new_cookie_key');
});
