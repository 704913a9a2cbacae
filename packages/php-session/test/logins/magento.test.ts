import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  expectLogins,
  now,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../../test/helpers/application-site.ts';
import { type MagentoConfig, magentoSite } from '../../../../test/helpers/magento.ts';
import { startRedis } from '../../../../test/helpers/redis.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { magento } from '../../src/logins/magento.ts';
import { siteFolder } from '../../src/logins/site-folder.ts';
import { applicationContract } from '../contracts/login.ts';

const db = await siteDatabase('mysql');

const siteFor = (config: MagentoConfig = {}, options: SiteOptions = {}) =>
  openedSite(magentoSite(db, config), options);

applicationContract('Magento', db, () => magentoSite(db), { named: (firstname) => ({ firstname }) });

test('shows active customers with first name and roles by group', async () => {
  const { logIn, run, login, check, changed } = await siteFor(
    { settings: { 'customer/create_account/confirm': '1' } },
    { admins: ['Owners'], moderators: ['Staff'], team: ['Staff'] },
  );
  const known = await login(await logIn('7', { firstname: 'Zoë <b>', customer: { group_id: 4 } }));
  // The last name and the mail address are private.
  expect(known.user).toEqual({ id: '7', name: 'Zoë <b>', roles: ['moderator', 'team'] });
  // Magento rejects a locked customer only at the next login, because any visitor can lock a customer.
  await run('UPDATE #__customer_entity SET lock_expires = NOW() + INTERVAL 1 HOUR');
  expect(await check(known)).toBeNull();
  for (const [why, sql] of [
    ['disabled', 'UPDATE #__customer_entity SET is_active = 0'],
    ['confirmed', "UPDATE #__customer_entity SET is_active = 1, confirmation = 'abc'"],
    ['deleted', 'DELETE FROM #__customer_entity'],
  ] as const) {
    await run(sql);
    expect(await changed(known)).toMatchObject({ state: 'nobody', reason: expect.stringContaining(why) });
  }
});

test('rejects an unconfirmed customer only if the customer’s website requires confirmation', async () => {
  const { logins, logIn, run, isUser } = await siteFor();
  const insert = 'INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES';
  const [onRegistration, onChange] = [
    'customer/create_account/confirm',
    'customer/account_information/confirm',
  ];
  const isCustomer = async (confirmation: string | null, website: number | null = 2) => {
    const is = await isUser(await logIn('7', { customer: { confirmation, website_id: website } }));
    expect(await logins.findMail?.('7')).toBe(is ? 'user7@example.org' : null);
    expect(await logins.findMail?.('7abc')).toBe(null);
    return is;
  };
  for (const [rows, wanted] of [
    ['', []],
    [`('default', 0, '${onRegistration}', '1')`, [1, 2]],
    [`('default', 0, '${onChange}', '1')`, [1, 2]],
    [`('websites', 1, '${onRegistration}', '1'), ('stores', 2, '${onRegistration}', '1')`, [1]],
    [`('default', 0, '${onRegistration}', '1'), ('websites', 1, '${onRegistration}', '0')`, [2]],
    [`('websites', 2, '${onRegistration}', '0'), ('websites', 2, '${onChange}', '1')`, [2]],
  ] as const) {
    await run('DELETE FROM #__core_config_data');
    if (rows !== '') await run(`${insert} ${rows}`);
    await logins.reload?.();
    for (const website of [1, 2]) {
      const is = await isCustomer('abc', website);
      expect(is, `${rows}, ${website}`).toBe(!wanted.some((id) => id === website));
      expect(await isCustomer('', website), rows).toBe(true);
    }
    expect(await isCustomer(null), rows).toBe(true);
    expect(await isCustomer('abc', null), rows).toBe(!rows.includes('default'));
  }
});

test('accepts exactly the sessions that Magento accepts', async () => {
  stopClock();
  const site = await siteFor();
  const of = (customer: object) => ({ session: { customer_base: { customer_id: '7', ...customer } } });
  await expectLogins(site, {
    user: {
      'logged in': {},
      'no visitor': { session: { default: { visitor_data: { visitor_id: '1' } } } },
      'on another website': { session: { customer_base: [], customer_other: { customer_id: 7 } } },
      'near its end': { age: 3500 },
      'an id that was replaced': { session: { destroyed: now() - 3600 } },
    },
    nobody: {
      anonymous: { session: { customer_base: [] } },
      'logged out': of({ customer_id: null }),
      greeted: of({ is_customer_emulated: true }),
      // “Login as Customer”.
      'an administrator': of({ logged_as_customer_admind_id: 3 }),
      'an administrator, 2.4.9': of({ logged_as_customer_admin_id: 3 }),
      'of no website': { session: { customer_base: [], customer_none: { customer_id: 7 } } },
      'of shared accounts': { session: { customer_base: [], customer: { customer_id: 7 } } },
      expired: { age: 3700 },
      'an id that was replaced long ago': { session: { destroyed: now() - 3601 } },
    },
  });
  // The default website comes first.
  const both = { customer_other: { customer_id: '8' }, customer_base: { customer_id: '7' } };
  expect(await site.who(await site.logIn('7', { session: both }))).toMatchObject({ id: '7' });
});

test.each([{}, { vendor: 'mage-os' }] as const)(
  'ends earlier sessions of other devices after a new password: %o',
  async (config) => {
    const { logIn, run, login, isUser, changed } = await siteFor(config);
    const [one, other] = [await logIn('7', { begun: 500 }), await logIn('7', { begun: 400 })];
    const [here, there] = [await login(one), await login(other)];
    const cutoff = now() - 100;
    await run('UPDATE #__customer_entity SET session_cutoff = FROM_UNIXTIME(?)', [cutoff]);
    // SessionCleaner keeps the device that changed the password.
    await run('UPDATE #__customer_visitor SET created_at = FROM_UNIXTIME(?) WHERE visitor_id = ?', [
      ...[cutoff + 1, one.visitor],
    ]);
    const ended = { state: 'nobody', reason: expect.stringContaining('password') };
    expect(await changed(there)).toMatchObject(ended);
    expect(await changed(here)).toMatchObject({ state: 'user', login: { handle: here.handle } });
    expect(await isUser(other)).toBe(false);
    // Magento deletes old visitors, and then compares nothing.
    await run('DELETE FROM #__customer_visitor');
    await run('UPDATE #__customer_entity SET session_cutoff = NOW()');
    expect(await changed(here)).toMatchObject({ state: 'user', login: { handle: here.handle } });
  },
);

test('rejects a site without Magento’s code, which would look like an old version with fewer checks', async () => {
  await expect(siteFor({ vendor: 'none' })).rejects.toThrow(/module-customer|framework/);
});

test('applies the settings for websites, lifetime, address and browser', async () => {
  const { logIn, agent, login, who, changed, isUser, ask } = await siteFor({
    settings: {
      ...{ 'customer/account_share/scope': '0', 'web/cookie/cookie_lifetime': '60' },
      ...{ 'web/session/use_remote_addr': '1', 'web/session/use_http_user_agent': '1' },
    },
    system: "'default' => ['web' => ['cookie' => ['cookie_lifetime' => '7200']]]",
  });
  const device = await logIn('7', { age: 7000, session: { customer: { customer_id: '7' } } });
  const from = { ...device, address: '192.0.2.1', userAgent: agent };
  const known = await login(from);
  expect(await isUser({ ...from, address: '::ffff:192.0.2.1' })).toBe(true);
  expect(await who({ ...from, address: '192.0.2.2' })).toBe('the session started with another address');
  expect(await who({ ...from, userAgent: 'curl' })).toBe('the session started with another browser');
  await device.rename('Zoë');
  expect(await changed(known)).toMatchObject({ login: { user: { name: 'Zoë' } } });
  expect(await (await ask({ checks: false })).isUser(device)).toBe(true);
});

test('applies changed settings and a new key to existing logins', async () => {
  const { logins, logIn, agent, run, folder, login, changed } = await siteFor();
  const from = { ...(await logIn('7')), userAgent: agent };
  const here = await login({ ...from, address: '192.0.2.1' });
  const there = await login({ ...from, address: '192.0.2.2' });
  await run(
    "INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES ('default', 0, 'web/session/use_remote_addr', '1')",
  );
  await logins.reload?.();
  expect(await changed(here)).toMatchObject({ state: 'user', login: { handle: here.handle } });
  expect(await changed(there)).toMatchObject({ reason: 'the session started with another address' });
  const file = join(folder, 'app/etc/env.php');
  const env = readFileSync(file, 'utf8');
  writeFileSync(file, env.replace(/'crypt'(?:[^'\\]|\\.)*'key'(?:[^'\\]|\\.)*'(?:[^'\\]|\\.)*/, '$&\nnew'));
  await logins.reload?.();
  expect(await changed(here)).toMatchObject({ state: 'nobody' });
});

test('reads a session in a Redis hash, compressed or not', async () => {
  const redis = await startRedis();
  onTestFinished(redis.remove);
  const { logins, logIn, login, isUser, changed } = await siteFor({ save: 'redis', port: redis.port });
  const large = await logIn('7', { session: { checkout: { text: 'a'.repeat(3000) } } });
  const inSecond = (command: string) =>
    redis.ask('EVAL', `redis.call('SELECT', 2) return redis.call(${command})`, '0');
  expect(String(await inSecond(`'HGET', 'sess_${large.session}', 'data'`))).toMatch(/^:gz:/);
  const known = await login(large);
  expect(await isUser(await logIn('8'))).toBe(true);
  expect(await logins.ttl(known as never)).toBeGreaterThan(3_000_000);
  await large.becomes('9');
  expect(await changed(known)).toMatchObject({ login: { user: { id: '9' } } });
  await inSecond(`'DEL', 'sess_${large.session}'`);
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
  await inSecond("'SET', 'sess_abc', 'no hash'");
  expect(await isUser({ cookies: 'PHPSESSID=abc' })).toBe(false);
});

test.each<[string, string]>([
  ["'host' => 'r', 'port' => '1'", 'redis://r:1'],
  ["'host' => 'tcp://r:2/persistent', 'port' => '1'", 'redis://r:2'],
  ["'host' => 'tlsv1.2://r:2/persistent'", 'rediss://r:2'],
  ["'host' => 'tlsv1://r'", 'rediss://r:6379'],
  ["'host' => 'unix:///run/r.sock'", 'redis:///run/r.sock'],
  ["'host' => 'r', 'compression_library' => 'none'", 'redis://r:6379'],
  ["'host' => 'r', 'compression_library' => 'lzf'", 'compression_library'],
  // The handler replaces 0 by its default.
  ["'host' => 'r', 'compression_library' => 'lzf', 'compression_threshold' => '0'", 'compression_library'],
])('finds Redis where Magento’s handler reads it: %s', async (redis, expected) => {
  const site = await magentoSite(db, { save: 'redis' });
  onTestFinished(site.remove);
  const file = join(site.folder, 'app/etc/env.php');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/'redis' => \[[^\]]*\]/, `'redis' => [${redis}]`));
  const found = siteFolder({ folder: site.folder }).then((folder) => magento.find(folder, {}));
  if (expected === 'compression_library') await expect(found).rejects.toThrow(expected);
  else {
    const url = expect.stringMatching(new RegExp(`^${expected}\\?prefix=sess_`));
    expect(await found).toMatchObject({ sessions: { url } });
  }
});

test('reads sessions in files, also by the folder that is served', async () => {
  const { folder, logIn, ask } = await siteFor({ save: 'files' });
  const { login, isUser, changed } = await ask({ folder: join(folder, 'pub') });
  const device = await logIn('7');
  const known = await login(device);
  expect(await isUser(await logIn('7', { age: 3700 }))).toBe(false);
  await device.logOut();
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
});

test('rejects an ID from the session table as a cookie, because 2.4 and later store its hash', async () => {
  const [old, hashed] = [await siteFor({ old: true }), await siteFor()];
  expect(await old.isUser(await old.logIn('7'))).toBe(true);
  expect(await hashed.isUser({ cookies: `PHPSESSID=${(await hashed.logIn('7')).row}` })).toBe(false);
});
