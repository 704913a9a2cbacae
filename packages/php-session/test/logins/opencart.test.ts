import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  createViews,
  expectLogins,
  expectRefused,
  loginsOf,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../../test/helpers/application-site.ts';
import { type OpencartConfig, opencartSite } from '../../../../test/helpers/opencart.ts';
import { startRedis } from '../../../../test/helpers/redis.ts';
import { openSessions } from '../../src/index.ts';
import type { Login } from '../../src/login.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

const db = await siteDatabase('mysql');

const siteFor = (config: OpencartConfig = {}, options: SiteOptions = {}) =>
  openedSite(opencartSite(db, config), options);

applicationContract('OpenCart', db, () => opencartSite(db), { named: (firstname) => ({ firstname }) });

test.each([3, 4] as const)(
  'shows active customers of OpenCart %s with first name and roles by group',
  async (version) => {
    const options = { admins: ['Owners'], moderators: ['Our & Staff'], team: ['Our & Staff'] };
    const { logIn, run, login, isUser, changed } = await siteFor({ version }, options);
    const known = await login(await logIn('7', { firstname: 'Zoë &amp; Bo', group: 2 }));
    // The last name and the mail address are private.
    expect(known.user).toEqual({ id: '7', name: 'Zoë & Bo', roles: ['moderator', 'team'] });
    for (const [why, sql] of [
      ['disabled', 'UPDATE #__customer SET status = 0'],
      ['deleted', 'DELETE FROM #__customer'],
    ] as const) {
      await run(sql);
      expect(await changed(known)).toMatchObject({ state: 'nobody', reason: expect.stringContaining(why) });
    }
    expect(await isUser(await logIn('8', { status: 0 }))).toBe(false);
  },
);

test.each(['customer_authorize', 'authorize'])(
  'accepts only devices that gave the second factor if OpenCart requires it: cookie %s',
  async (factors) => {
    const { logins, logIn, run, check, changed } = await siteFor({ factors });
    const { cookies } = await logIn('7');
    const setFactor = async (value: 0 | 1) => {
      await run(`UPDATE #__setting SET value = '${value}' WHERE setting_id = 3`);
      await logins.reload?.();
    };
    await run(
      "INSERT INTO #__customer_authorize (customer_authorize_id, customer_id, token, status) VALUES (1, 7, 'Asked', 0), (2, 7, 'Given', 1), (3, 8, 'Other', 1)",
    );
    const by = (token?: string) =>
      logins.identify({ cookies: token === undefined ? cookies : `${cookies}; ${factors}=${token}` });
    for (const token of [undefined, '', 'Asked', 'Other', 'given', 'none'])
      expect(await by(token), token).toMatchObject({ code: 'unauthorized' });
    const login = (await by('Given')) as Login;
    expect(login.user).toEqual({ id: '7', name: 'Ann' });
    expect(await check(login)).toBeNull();
    await run('UPDATE #__customer_authorize SET status = 0 WHERE customer_authorize_id = 2');
    expect(await changed(login)).toMatchObject({ state: 'nobody' });
    await run('UPDATE #__customer_authorize SET status = 1 WHERE customer_authorize_id = 2');
    await setFactor(0);
    expect(await by()).toMatchObject({ user: { id: '7' } });
    const without = await changed(login);
    expect(without).toMatchObject({ state: 'user', login: { user: { id: '7' } } });
    await setFactor(1);
    expect(await changed((without as { login: Login }).login)).toMatchObject({ state: 'user' });
  },
);

test.each([
  ['Asia/Tokyo', 9],
  ['Nowhere/None', 0],
] as const)(
  'ends a login when its device must give the second factor again, in the shop’s time: %s',
  async (zone, hours) => {
    stopClock();
    const { logIn, run, login, who, check, changed } = await siteFor({
      factors: 'customer_authorize',
      factorsEndIn: zone,
    });
    const { cookies } = await logIn('7', { expire: 100_000 });
    const there = (seconds: number) =>
      new Date(Date.now() + hours * 3_600_000 + seconds * 1000).toISOString().replace('T', ' ').slice(0, 19);
    await run("INSERT INTO #__customer_authorize VALUES (1, 7, 'Ended', 1, ?), (2, 7, 'Given', 1, ?)", [
      there(-60),
      there(600),
    ]);
    const by = (token: string) => ({ cookies: `${cookies}; customer_authorize=${token}` });
    expect(await who(by('Ended'))).toContain('second factor again');
    const known = await login(by('Given'));
    vi.setSystemTime(Date.now() + 590_000);
    expect(await check(known)).toBeNull();
    vi.setSystemTime(Date.now() + 15_000);
    const ended = { state: 'nobody', reason: expect.stringContaining('second factor again') };
    expect(await changed(known)).toMatchObject(ended);
  },
);

test('ends a login when its session ends, but not after a new password', async () => {
  const { logIn, run, login, check, changed } = await siteFor();
  const [one, other] = [await logIn('7'), await logIn('7')];
  const [here, there] = [await login(one), await login(other)];
  await one.logOut();
  expect(await changed(here)).toMatchObject({ state: 'nobody' });
  // As in OpenCart, a new password does not end sessions.
  await run("UPDATE #__customer SET password = 'another'");
  expect(await check(there)).toBeNull();
  await run("UPDATE #__session SET expire = '2020-01-01 00:00:00'");
  expect(await changed(there)).toMatchObject({ state: 'nobody' });
});

test('rejects sessions and cookies without a customer', async () => {
  const site = await siteFor();
  await expectLogins(site, {
    user: { 'a number': { data: { customer_id: 7 } } },
    nobody: {
      anonymous: { data: {} },
      'customer 0': { data: { customer_id: 0 } },
      'an administrator': { data: { user_id: 1 } },
      'the id elsewhere': { data: { customer: { customer_id: 7 } } },
      expired: { expire: -1 },
    },
    invalid: { 'a list': { data: { customer_id: ['7'] } } },
  });
  const { session } = await site.logIn('7');
  await expectRefused(
    site.logins,
    ['a'.repeat(21), 'a'.repeat(53), `${session}'`, 'a/../b'.padEnd(30, 'a')].map((id) => `OCSESSID=${id}`),
  );
});

test('rejects a session of an administrator as a customer if OpenCart records it', async () => {
  const { logIn, login, who, isUser, changed } = await siteFor();
  const session = (type?: string) => ({
    data: { customer_id: '7', customer: { customer_id: '7', firstname: 'Ann', type: type || undefined } },
  });
  expect(await isUser(await logIn('7', session()))).toBe(true);
  // OpenCart 4.1.0.4 stores the row of customer_token together with the customer.
  expect(await who(await logIn('7', session('login')))).toContain('administrator');
  const device = await logIn('7', session());
  const known = await login(device);
  await device.rewrite(JSON.stringify(session('login').data));
  const verdict = { state: 'nobody', reason: expect.stringContaining('administrator') };
  expect(await changed(known)).toMatchObject(verdict);
});

describe('sessions', () => {
  test.each([3, 4] as const)('are read from files of OpenCart %s', async (version) => {
    const { logIn, run, login, isUser, changed } = await siteFor({ version, engine: 'File' });
    const device = await logIn('7');
    const known = await login(device);
    await run("UPDATE #__customer SET firstname = 'Zoë'");
    expect(await changed(known)).toMatchObject({ login: { user: { name: 'Zoë' } } });
    // OpenCart 3 uses the lifetime of this machine's PHP, and OpenCart 4 the setting of the shop.
    if (version === 4) expect(await isUser(await logIn('7', { age: 2000 }))).toBe(true);
    const age = version === 4 ? 3700 : 400_000_000;
    expect(await isUser(await logIn('7', { age }))).toBe(false);
    await device.logOut();
    expect(await changed(known)).toMatchObject({ state: 'nobody' });
  });

  test('are read from Redis', async () => {
    const redis = await startRedis();
    onTestFinished(redis.remove);
    const { logins, logIn, login, check, changed } = await siteFor({ engine: 'redis', port: redis.port });
    const device = await logIn('7');
    const known = await login(device);
    expect(await logins.ttl(known as never)).toBeGreaterThan(3_000_000);
    await redis.ask('SET', `shop.session.${device.session}`, '');
    expect(await changed(known)).toMatchObject({ state: 'empty' });
    await redis.remove();
    await expect(check(known)).rejects.toThrow('Redis');
    expect(await logins.fault()).not.toBeNull();
  });

  test('are rejected if the times of their table are not in UTC', async () => {
    const open = async (zone: string, config: OpencartConfig) => {
      const site = await opencartSite(db, config);
      onTestFinished(site.remove);
      appendFileSync(join(site.folder, 'system/config/default.php'), "\n$_['date_timezone'] = 'Asia/Tokyo';");
      await site.run("INSERT INTO #__setting VALUES (5, 0, 'config', 'config_timezone', ?)", [zone]);
      return loginsOf(site.folder);
    };
    const refused =
      /in the time zone of the shop \((Asia\/Tokyo|Europe\/London)\), but only UTC is supported/;
    await expect(open('', { version: 3, minor: '0.3.6' })).rejects.toThrow(refused);
    await expect(open('Europe/London', { version: 3, minor: '0.3.9' })).rejects.toThrow(refused);
    await expect(open('Europe/London', { minor: '0.0.0' })).rejects.toThrow(refused);
    await open('UTC', { version: 3, minor: '0.3.9' });
    await open('Africa/Abidjan', { minor: '0.0.0' });
    await open('Europe/London', { minor: '0.0.0', engine: 'file' });
    await open('Europe/London', { version: 3, minor: '0.4.0' });
    await open('Europe/London', { minor: '0.1.0' });
  });

  test('need the option store if their engine is unknown', async () => {
    const site = await opencartSite(db, { engine: 'own' });
    onTestFinished(site.remove);
    await expect(openSite({ folder: site.folder })).rejects.toThrow('set store');
    writeFileSync(join(site.sessions, 'sess_abcdefabcdefabcdefabcdef00'), '{"customer_id":"7"}');
    await site.logIn('7');
    const sessions = openSessions({ site: site.folder, userId: 'customer_id', store: 'file:///tmp' });
    onTestFinished(() => sessions.close());
    expect(await sessions.readSession('OCSESSID=a')).toMatchObject({
      reason: expect.stringContaining('leave it out'),
    });
    const logins = await loginsOf(site.folder, { store: `file://${site.sessions}?format=json` });
    expect(await logins.identify({ cookies: 'OCSESSID=abcdefabcdefabcdefabcdef00' })).toHaveProperty('user');
  });
});

test('renews a session as a page view would', async () => {
  stopClock();
  const { logins, logIn, run, login } = await siteFor();
  const known = (await login(await logIn('7', { expire: 60 }))) as never;
  await logins.renew(known, 3600);
  expect(await logins.ttl(known)).toBeGreaterThan(3_500_000);
  await run('DELETE FROM #__session');
  expect(await logins.ttl(known)).toBeNull();
});

test('shows the customer’s name as an adapted view has it', async () => {
  const { folder, logIn, ask } = await siteFor();
  const database = await createViews(db, folder, (view) =>
    view.replace('c.firstname AS', "CONCAT(c.firstname, ' ', LEFT(c.lastname, 1), '.') AS"),
  );
  const { who } = await ask({ database });
  expect(await who(await logIn('7'))).toEqual({ id: '7', name: 'Ann L.' });
});
