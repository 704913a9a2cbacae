import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { magento } from '../../../../server/session/logins/magento.ts';
import { siteFolder } from '../../../../server/session/logins/site.ts';
import { applicationContract } from '../../../contracts/login.ts';
import {
  differing,
  loginsOf,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../helpers/application-site.ts';
import { type MagentoConfig, type MagentoSession, magentoSite } from '../../../helpers/magento.ts';
import { startRedis } from '../../../helpers/redis.ts';

const db = await siteDatabase('mysql');

const now = () => Math.floor(Date.now() / 1000);

const siteFor = (config: MagentoConfig = {}, options: SiteOptions = {}) =>
  openedSite(magentoSite(db, config), options);

applicationContract('Magento', db, () => magentoSite(db), { named: (firstname) => ({ firstname }) });

test('customers, their first names and groups, and those who may not come in', async () => {
  const { logins, logIn, run, check, changed } = await siteFor(
    { settings: { 'customer/create_account/confirm': '1' } },
    { admins: ['Owners'], moderators: ['Staff'] },
  );
  const login = (await logins.identify(
    await logIn('7', { firstname: 'Zoë <b>', customer: { group_id: 4 } }),
  )) as Login;
  // The last name and the mail address are nobody's business.
  expect(login.user).toEqual({ id: '7', name: 'Zoë <b>', roles: ['moderator'] });
  expect(await check(login)).toBeNull();
  // As in Magento, which refuses a locked customer at the next login only: anybody can lock one.
  await run('UPDATE #__customer_entity SET lock_expires = NOW() + INTERVAL 1 HOUR');
  expect(await check(login)).toBeNull();
  for (const [why, sql] of [
    ['disabled', 'UPDATE #__customer_entity SET is_active = 0'],
    ['confirmed', "UPDATE #__customer_entity SET is_active = 1, confirmation = 'abc'"],
    ['deleted', 'DELETE FROM #__customer_entity'],
  ] as const) {
    await run(sql);
    expect(await changed(login)).toMatchObject({ state: 'nobody', reason: expect.stringContaining(why) });
  }
});

test('a key of confirmation counts where the website of the customer wants a confirmation', async () => {
  const { logins, logIn, run } = await siteFor();
  const insert = 'INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES';
  const [onRegistration, onChange] = [
    'customer/create_account/confirm',
    'customer/account_information/confirm',
  ];
  const isUser = async (confirmation: string | null, website: number | null = 2) => {
    const device = await logIn('7', { customer: { confirmation, website_id: website } });
    const is = 'user' in (await logins.identify(device));
    expect(await logins.mailOf?.('7')).toBe(is ? 'user7@example.org' : null);
    expect(await logins.mailOf?.('7abc')).toBe(null);
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
      expect(await isUser('abc', website), `${rows}, ${website}`).toBe(!wanted.some((id) => id === website));
      expect(await isUser('', website), rows).toBe(true);
    }
    expect(await isUser(null), rows).toBe(true);
    expect(await isUser('abc', null), rows).toBe(!rows.includes('default'));
  }
});

test('the sessions that Magento would take, and those that it would not', async () => {
  stopClock();
  const { logins, logIn } = await siteFor();
  const visitor = { visitor_id: '1' };
  // “Login as Customer”.
  const [admin, admin249] = [{ logged_as_customer_admind_id: 3 }, { logged_as_customer_admin_id: 3 }];
  const cases: [string, MagentoSession, 'user' | 'nobody'][] = [
    ['logged in', {}, 'user'],
    ['anonymous', { session: { customer_base: [] } }, 'nobody'],
    ['logged out', { session: { customer_base: { customer_id: null } } }, 'nobody'],
    ['no visitor', { session: { default: { visitor_data: visitor } } }, 'user'],
    ['greeted', { session: { customer_base: { customer_id: '7', is_customer_emulated: true } } }, 'nobody'],
    ['an administrator', { session: { customer_base: { customer_id: '7', ...admin } } }, 'nobody'],
    ['an administrator, 2.4.9', { session: { customer_base: { customer_id: '7', ...admin249 } } }, 'nobody'],
    ['on another website', { session: { customer_base: [], customer_other: { customer_id: 7 } } }, 'user'],
    ['of no website', { session: { customer_base: [], customer_none: { customer_id: 7 } } }, 'nobody'],
    ['of shared accounts', { session: { customer_base: [], customer: { customer_id: 7 } } }, 'nobody'],
    ['near its end', { age: 3500 }, 'user'],
    ['expired', { age: 3700 }, 'nobody'],
    ['an id that was replaced', { session: { destroyed: now() - 3600 } }, 'user'],
    ['an id that was replaced long ago', { session: { destroyed: now() - 3601 } }, 'nobody'],
  ];
  for (const [what, session, state] of cases) {
    expect(await logins.identify(await logIn('7', session)), what).toMatchObject(
      state === 'user' ? { user: { id: '7', name: 'Ann' } } : { code: 'unauthorized' },
    );
  }
  // The default website comes first.
  const both = { customer_other: { customer_id: '8' }, customer_base: { customer_id: '7' } };
  expect(await logins.identify(await logIn('7', { session: both }))).toMatchObject({ user: { id: '7' } });
});

test.each([{}, { vendor: 'mage-os' }] as const)(
  'a new password ends the sessions of other devices, and those that were begun before it: %o',
  async (config) => {
    const { logins, logIn, run, changed } = await siteFor(config);
    const [one, other] = [await logIn('7', { begun: 500 }), await logIn('7', { begun: 400 })];
    const [here, there] = [await logins.identify(one), await logins.identify(other)] as [Login, Login];
    expect(here.handle).not.toBe(there.handle);
    const cutoff = now() - 100;
    await run('UPDATE #__customer_entity SET session_cutoff = FROM_UNIXTIME(?)', [cutoff]);
    // SessionCleaner keeps the device at which it was changed.
    await run('UPDATE #__customer_visitor SET created_at = FROM_UNIXTIME(?) WHERE visitor_id = ?', [
      ...[cutoff + 1, one.visitor],
    ]);
    expect(await changed(there)).toMatchObject({
      state: 'nobody',
      reason: expect.stringContaining('password'),
    });
    expect(await changed(here)).toMatchObject({ state: 'user', login: { handle: here.handle } });
    expect(await logins.identify(other)).toMatchObject({ code: 'unauthorized' });
    // Magento clears old visitors away. It compares nothing then.
    await run('DELETE FROM #__customer_visitor');
    await run('UPDATE #__customer_entity SET session_cutoff = NOW()');
    expect(await changed(here)).toMatchObject({ state: 'user', login: { handle: here.handle } });
    await run('DELETE FROM #__session WHERE session_id = ?', [one.row]);
    expect(await changed(here)).toMatchObject({ state: 'nobody' });
  },
);

test('a Magento whose code is elsewhere is refused: it would look like an old version, which compares less', async () => {
  await expect(siteFor({ vendor: 'none' })).rejects.toThrow(/module-customer|framework/);
});

test('what the settings say: accounts of all websites, a longer life, address and browser', async () => {
  const { logins, logIn, agent, folder } = await siteFor({
    settings: {
      ...{ 'customer/account_share/scope': '0', 'web/cookie/cookie_lifetime': '60' },
      ...{ 'web/session/use_remote_addr': '1', 'web/session/use_http_user_agent': '1' },
    },
    system: "'default' => ['web' => ['cookie' => ['cookie_lifetime' => '7200']]]",
  });
  const device = await logIn('7', { age: 7000, session: { customer: { customer_id: '7' } } });
  const from = { ...device, address: '192.0.2.1', userAgent: agent };
  const login = (await logins.identify(from)) as Login;
  expect(login).toMatchObject({ user: { id: '7' } });
  expect(await logins.identify({ ...from, address: '::ffff:192.0.2.1' })).toHaveProperty('user');
  expect(await logins.identify({ ...from, address: '192.0.2.2' })).toMatchObject({
    reason: 'the session was begun with another address',
  });
  expect(await logins.identify({ ...from, userAgent: 'curl' })).toMatchObject({
    reason: 'the session was begun with another browser',
  });
  await device.rename('Zoë');
  expect(await differing(logins, login)).toMatchObject({ login: { user: { name: 'Zoë' } } });
  await device.becomes('7');
  expect(await differing(logins, login)).toMatchObject({ state: 'user' });
  const lax = await loginsOf(folder, { checks: false });
  expect(await lax.identify(device)).toMatchObject({ user: { id: '7' } });
});

test('what the settings say counts for logins from before, too, and so does a new key', async () => {
  const { logins, logIn, agent, run, folder, changed } = await siteFor();
  const from = { ...(await logIn('7')), userAgent: agent };
  const [here, there] = await Promise.all(
    ['192.0.2.1', '192.0.2.2'].map((address) => logins.identify({ ...from, address }) as Promise<Login>),
  );
  await run(
    "INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES ('default', 0, 'web/session/use_remote_addr', '1')",
  );
  await logins.reload?.();
  expect(await changed(here as Login)).toMatchObject({ state: 'user', login: { handle: here?.handle } });
  expect(await changed(there as Login)).toMatchObject({
    reason: 'the session was begun with another address',
  });
  const file = join(folder, 'app/etc/env.php');
  const env = readFileSync(file, 'utf8');
  writeFileSync(file, env.replace(/'crypt'(?:[^'\\]|\\.)*'key'(?:[^'\\]|\\.)*'(?:[^'\\]|\\.)*/, '$&\nnew'));
  expect(readFileSync(file, 'utf8')).not.toBe(env);
  await logins.reload?.();
  expect(await changed(here as Login)).toMatchObject({ state: 'nobody' });
});

test('Redis: a hash with a session that may be compressed', async () => {
  const redis = await startRedis();
  onTestFinished(redis.remove);
  const { logins, logIn, changed } = await siteFor({ save: 'redis', port: redis.port });
  const large = await logIn('7', { session: { checkout: { text: 'a'.repeat(3000) } } });
  const stored = await redis.ask(
    'EVAL',
    `redis.call('SELECT', 2) return redis.call('HGET', 'sess_${large.session}', 'data')`,
    '0',
  );
  expect(String(stored)).toMatch(/^:gz:/);
  const login = (await logins.identify(large)) as Login;
  expect(login).toMatchObject({ user: { id: '7' } });
  expect(await logins.identify(await logIn('8'))).toMatchObject({ user: { id: '8' } });
  expect(await logins.ttl(login as never)).toBeGreaterThan(3_000_000);
  await large.becomes('9');
  expect(await changed(login)).toMatchObject({ login: { user: { id: '9' } } });
  await redis.ask('EVAL', `redis.call('SELECT', 2) return redis.call('DEL', 'sess_${large.session}')`, '0');
  expect(await changed(login)).toMatchObject({ state: 'nobody' });
  await redis.ask('EVAL', "redis.call('SELECT', 2) return redis.call('SET', 'sess_abc', 'no hash')", '0');
  expect(await logins.identify({ cookies: 'PHPSESSID=abc' })).toMatchObject({ code: 'unauthorized' });
  const other = await magentoSite(db, { save: 'redis', port: redis.port, library: 'lzf' });
  onTestFinished(other.remove);
  await expect(openSite({ folder: other.folder })).rejects.toThrow('compression_library');
});

test.each<[string, string]>([
  ["'host' => 'r', 'port' => '1'", 'redis://r:1'],
  ["'host' => 'tcp://r:2/persistent', 'port' => '1'", 'redis://r:2'],
  ["'host' => 'tlsv1.2://r:2/persistent'", 'rediss://r:2'],
  ["'host' => 'tlsv1://r'", 'rediss://r:6379'],
  ["'host' => 'unix:///run/r.sock'", 'redis:///run/r.sock'],
  ["'host' => 'r', 'compression_library' => 'none'", 'redis://r:6379'],
  // The handler takes its default in place of 0.
  ["'host' => 'r', 'compression_library' => 'lzf', 'compression_threshold' => '0'", 'compression_library'],
])('Redis: where it is, as its handler reads %s', async (redis, expected) => {
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

test('files, also by the folder that is served; ids that are not hashed', async () => {
  const site = await magentoSite(db, { save: 'files' });
  onTestFinished(site.remove);
  const logins = await loginsOf(join(site.folder, 'pub'));
  const device = await site.logIn('7');
  const login = (await logins.identify(device)) as Login;
  expect(login).toMatchObject({ user: { id: '7' } });
  expect(await logins.identify(await site.logIn('7', { age: 3700 }))).toMatchObject({ code: 'unauthorized' });
  await device.logOut();
  expect(await differing(logins, login)).toMatchObject({ state: 'nobody' });
  const old = await siteFor({ old: true });
  expect(await old.logins.identify(await old.logIn('7'))).toMatchObject({ user: { id: '7' } });
  // The id in a table that somebody has read is no cookie.
  const hashed = await siteFor();
  const { row } = await hashed.logIn('7');
  expect(await hashed.logins.identify({ cookies: `PHPSESSID=${row}` })).toMatchObject({
    code: 'unauthorized',
  });
});
