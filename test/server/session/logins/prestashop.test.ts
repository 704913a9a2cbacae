import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { applicationContract } from '../../../contracts/login.ts';
import { loginsOf, openedSite, siteDatabase } from '../../../helpers/application-site.ts';
import { cookieOf, type PrestashopSession, prestashopSite } from '../../../helpers/prestashop.ts';

const db = await siteDatabase('mysql');

const siteFor = (options: SiteOptions = {}) => openedSite(prestashopSite(db), options);

applicationContract('PrestaShop', db, () => prestashopSite(db), { named: (firstname) => ({ firstname }) });

test('customers, their first names and groups, and those who may not come in', async () => {
  const { logins, logIn, run, check, changed } = await siteFor({ admins: ['Owners'], moderators: ['Staff'] });
  const device = await logIn('7', { firstname: 'Zoë' });
  await run('INSERT INTO #__customer_group VALUES (7, 4)');
  const login = (await logins.identify(device)) as Login;
  // The last name and the mail address are nobody's business.
  expect(login.user).toEqual({ id: '7', name: 'Zoë', roles: ['moderator'] });
  const other = (await logins.identify(await logIn('7'))) as Login;
  await device.logOut();
  expect(await changed(login)).toMatchObject({ state: 'nobody' });
  expect(await check(other)).toBeNull();
  for (const change of ['active = 0', 'active = 1, deleted = 1', 'deleted = 0, is_guest = 1']) {
    await run(`UPDATE #__customer SET ${change}`);
    expect(await changed(other), change).toMatchObject({ state: 'nobody' });
  }
  await run('DELETE FROM #__customer');
  expect(await changed(other)).toMatchObject({ state: 'nobody' });
});

test('a new password ends all sessions but that of the new cookie', async () => {
  const { logins, logIn, run, check, changed } = await siteFor();
  const login = (await logins.identify(await logIn('7'))) as Login;
  const another = { passwd: '$2y$10$another' };
  const device = await logIn('7', { customer: another, content: another });
  expect(await changed(login)).toMatchObject({ state: 'nobody' });
  const own = (await logins.identify(device)) as Login;
  expect(await check(own)).toBeNull();
  // Other letters are another hash.
  await run("UPDATE #__customer SET passwd = '$2y$10$ANOTHER'");
  expect(await changed(own)).toMatchObject({ state: 'nobody' });
});

test('the cookies that PrestaShop would take, and those that it would not', async () => {
  const { logins, logIn } = await siteFor();
  const one = await logIn('7');
  const other = await logIn('8');
  const cases: [string, PrestashopSession, 'user' | 'nobody'][] = [
    ['logged in', {}, 'user'],
    ['anonymous', { content: { id_customer: null, session_id: null, session_token: null } }, 'nobody'],
    ['without a session', { content: { session_id: null } }, 'nobody'],
    ['without a token', { content: { session_token: null } }, 'nobody'],
    ['with another token', { content: { session_token: other.token } }, 'nobody'],
    [
      'with the session of another',
      { content: { session_id: other.id, session_token: other.token } },
      'nobody',
    ],
    ['with the hash of another password', { content: { passwd: '$2y$10$Hash' } }, 'nobody'],
    ['without the hash of the password', { content: { passwd: null } }, 'nobody'],
    ['for another customer', { content: { id_customer: '8' } }, 'nobody'],
    ['of the back office', { content: { id_employee: '1' } }, 'nobody'],
    ['of another key', { key: randomBytes(32) }, 'nobody'],
    ['of another salt', { iv: 'another' }, 'nobody'],
  ];
  for (const [what, session, state] of cases) {
    expect(await logins.identify(await logIn('7', session)), what).toMatchObject(
      state === 'user' ? { user: { id: '7', name: 'Ann' } } : { code: 'unauthorized' },
    );
  }
  const [version = '', salt = '', iv = '', box = '', code = ''] = one.secrets;
  const name = cookieOf('ps-s1');
  for (const value of [
    ...[
      `${version}${salt}${iv}${other.secrets[3]}${code}`,
      `${version}${salt}${iv}${box}${other.secrets[4]}`,
    ],
    ...[version, `${version}${salt}${iv}${code}`, `${version}${salt}${iv}${box}${code}0`, 'z'.repeat(200)],
    'ab'.repeat(5000),
  ]) {
    expect(await logins.identify({ cookies: `${name}=${value}` })).toMatchObject({ code: 'unauthorized' });
  }
});

test('a new cookie_iv ends the logins by the one before', async () => {
  const { logins, logIn, folder, changed } = await siteFor();
  const login = (await logins.identify(await logIn('7'))) as Login;
  const file = join(folder, 'app/config/parameters.php');
  const parameters = readFileSync(file, 'utf8');
  writeFileSync(file, parameters.replace("'cookie_iv' => '", '$&x'));
  await logins.reload?.();
  expect(readFileSync(file, 'utf8')).not.toBe(parameters);
  expect(await changed(login)).toMatchObject({ state: 'nobody' });
});

test('the cookies of several shops: one that names a customer, or the one that is set', async () => {
  const site = await siteFor();
  const { logins, logIn, folder } = site;
  const guest = { id_customer: null, session_id: null, session_token: null };
  const [one, two, none] = [
    await logIn('7'),
    await logIn('8', { name: cookieOf('ps-s2') }),
    await logIn('9', { name: cookieOf('ps-s3'), content: guest }),
  ];
  expect(await logins.identify({ cookies: `${none.cookies}; ${one.cookies}` })).toMatchObject({
    user: { id: '7' },
  });
  expect(await logins.identify({ cookies: `${one.cookies}; ${two.cookies}` })).toMatchObject({
    reason: 'there are cookies of several customers',
    hint: expect.stringContaining('CHAT_SESSION_NAME'),
  });
  // A page of a sibling subdomain can set a second cookie of a name that everybody knows, and many others.
  const [name] = one.cookies.split('=');
  const junk = Array.from({ length: 8 }, (_, n) => `${cookieOf(`ps-j${n}`)}=x`).join('; ');
  for (const cookies of [
    `${one.cookies}; ${name}=x; ${two.cookies}`,
    `${junk}; ${one.cookies}`,
    `${two.cookies}; ${junk}; ${one.cookies}`,
  ])
    expect(await logins.identify({ cookies })).toMatchObject({ code: 'unauthorized' });
  // PrestaShop makes a new cookie with each change of the cart. It is the same login.
  const again = await logIn('7', {
    content: { session_id: one.id, session_token: one.token, id_cart: '6' },
  });
  expect(logins.binding(again)).toBe(logins.binding(one));
  // The name of the cookie has the version of PrestaShop: that of the one before stays in the browser.
  const before = await logIn('7', { name: cookieOf('ps-s0') });
  for (const header of [`${one.cookies}; ${before.cookies}`, `${before.cookies}; ${one.cookies}`]) {
    expect(await logins.identify({ cookies: header })).toMatchObject({ user: { id: '7' } });
  }
  await before.logOut();
  expect(await logins.identify({ cookies: `${before.cookies}; ${one.cookies}` })).toMatchObject({
    user: { id: '7' },
  });
  const second = await loginsOf(folder, { cookieName: cookieOf('ps-s2') });
  expect(await second.identify({ cookies: `${one.cookies}; ${two.cookies}` })).toMatchObject({
    user: { id: '8' },
  });
  const file = join(folder, 'app/config/parameters.php');
  writeFileSync(file, readFileSync(file, 'utf8').replace('def00000', 'def00001'));
  await expect(openSite({ folder })).rejects.toThrow('new_cookie_key');
});
