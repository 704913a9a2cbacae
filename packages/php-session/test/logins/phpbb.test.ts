import { expect, onTestFinished, test } from 'vitest';
import { askingOf, now, openedSite, siteDatabase } from '../../../../test/helpers/application-site.ts';
import { doctorSays } from '../../../../test/helpers/doctor-says.ts';
import { type PhpbbLogin, phpbbSite } from '../../../../test/helpers/phpbb.ts';
import { startTcpProxy } from '../../../../test/helpers/tcp-proxy.ts';
import { describeSite } from '../../src/doctor/index.ts';
import type { Credentials, Login } from '../../src/login.ts';
import { openSite } from '../../src/logins/applications.ts';
import type { SitePlace } from '../../src/logins/site.ts';
import { applicationContract } from '../contracts/login.ts';

const day = 86_400;

const db = await siteDatabase('sqlite');
const mysql = await siteDatabase('mysql');

/** A site for one test, and its logins. */
const phpBB = (version?: string, more: Partial<SitePlace> = {}, on = db) =>
  openedSite(phpbbSite(on, version), { checks: false, ...more });

applicationContract('phpBB', mysql, () => phpbbSite(mysql), { checks: false });

test('gives users the names and roles of phpBB', async () => {
  const { ask, logIn, insert, run, who } = await phpBB();
  for (const [group, id, pending] of [
    [2, 20, 0],
    [3, 20, 0],
    [3, 21, 0],
    [2, 21, 1],
    [4, 22, 0],
  ] as const)
    await insert('user_group', { group_id: group, user_id: id, user_pending: pending });
  expect(await who(await logIn('20', { name: 'Zoë &amp; &lt;Bo&gt;' }))).toEqual({
    ...{ id: '20', name: 'Zoë & <Bo>', roles: ['admin', 'moderator'] },
  });
  expect(await who(await logIn('21'))).toEqual({ id: '21', name: 'Ann', roles: ['moderator'] });
  expect(await who(await logIn('22'))).toEqual({ id: '22', name: 'Ann' });
  await run('UPDATE #_users SET user_type = 3 WHERE user_id = 22');
  expect(await who(await logIn('22'))).toEqual({ id: '22', name: 'Ann', roles: ['admin'] });
  const others = await ask({ admins: ['R&D'], moderators: [], team: ['R&D'], nobody: ['21'] });
  expect(await others.who(await logIn('22'))).toMatchObject({ roles: ['admin', 'team'] });
  expect(await others.who(await logIn('20'))).not.toHaveProperty('roles');
  expect(await others.isUser(await logIn('21'))).toBe(false);
  // Guests, inactive users and robots also have rows.
  expect(await who(await logIn('1'))).toContain('guest');
  for (const [type, reason] of [
    [1, 'inactive'],
    [2, 'a bot'],
  ] as const) {
    await run(`UPDATE #_users SET user_type = ${type} WHERE user_id = 20`);
    expect(await who(await logIn('20'))).toContain(reason);
  }
  const gone = await logIn('21');
  await run('DELETE FROM #_users WHERE user_id = 21');
  expect(await who(gone)).toEqual(expect.any(String));
});

test('prevents a group from imitating the name of a group with a role', async () => {
  const { open, insert, logIn } = await phpBB();
  await insert('groups', { group_id: 10, group_type: 1, group_name: 'Team A' });
  // phpBB considers all of these names new (utf8_clean_string), and a leader can set any type.
  for (const [group, type, name] of [
    [11, 0, 'Team \u00aa'],
    [12, 0, '\u00aaDMINISTRATORS'],
    [13, 3, 'GLOBAL_MODER\u00aaTORS'],
    [14, 0, 'Cats\nADMINISTRATORS'],
    [15, 0, 'Cats\n3 GLOBAL_MODERATORS'],
    [16, 0, 'ADMINISTRATORS'],
  ] as const) {
    await insert('groups', { group_id: group, group_type: type, group_name: name });
    await insert('user_group', { group_id: group, user_id: 21, user_pending: 0 });
  }
  for (const group of [2, 3, 10])
    await insert('user_group', { group_id: group, user_id: 20, user_pending: 0 });
  const [member, leader] = [await logIn('20'), await logIn('21')];
  for (const given of [{}, { admins: ['Team A'] }]) {
    const logins = await open(given);
    expect(await logins.identify(member)).toMatchObject({ user: { roles: ['admin', 'moderator'] } });
    expect(await logins.identify(leader)).not.toHaveProperty('user.roles');
  }
  const named = await open({ admins: ['Cats'], moderators: ['3 GLOBAL_MODERATORS', 'GLOBAL_MODERATORS'] });
  expect(await named.identify(leader)).not.toHaveProperty('user.roles');
});

test('accepts a listed group name only if it is unique, and a group ID always', async () => {
  const { folder, open, insert, run, logIn } = await phpBB();
  const [real, other] = [await logIn('20'), await logIn('21')];
  const join = (group: number, user: number) =>
    insert('user_group', { group_id: group, user_id: user, user_pending: 0 });
  await insert('groups', { group_id: 10, group_type: 1, group_name: 'Großes Team' });
  await join(10, 20);
  await join(2, 20);
  const admins = { admins: ['Großes Team'] };
  const rolesOf = async (options: Partial<SitePlace>) => {
    const logins = await open(options);
    const answers = await Promise.all([real, other].map((device) => logins.identify(device)));
    return answers.map((answer) => ('user' in answer ? answer.user.roles : answer.reason));
  };
  expect(await rolesOf(admins)).toEqual([['admin'], undefined]);
  // A group's leader can give it these names, and the type of phpBB's built-in groups.
  await insert('groups', { group_id: 11, group_type: 3, group_name: 'Großes Team' });
  await insert('groups', { group_id: 12, group_type: 3, group_name: 'ADMINISTRATORS' });
  await join(11, 21);
  await join(12, 21);
  expect(await rolesOf(admins)).toEqual([undefined, undefined]);
  expect(await rolesOf({})).toEqual([undefined, undefined]);
  expect(await rolesOf({ team: ['Großes Team'] })).toEqual([undefined, undefined]);
  expect(await rolesOf({ admins: ['id:10'], moderators: ['id:2'], team: ['id:10'] })).toEqual([
    ['admin', 'moderator', 'team'],
    undefined,
  ]);
  expect(
    await doctorSays({ CHAT_SITE: folder, CHAT_SITE_ADMINS: 'Großes Team,id:10,No Team,id:99' }),
  ).toMatch(
    /several groups have the name Großes Team, .*: id:10, id:11\.\n.*by its ID.*\n.*no group has the name No Team, .*\n.*by its ID.*\n.*no group has the ID 99, /,
  );
  // The configuration stays equal on servers that read the groups at different times.
  const fingerprint = async () => {
    const { logins } = await openSite({ folder, ...admins });
    onTestFinished(() => logins.close());
    return logins.fingerprint?.((text) => text);
  };
  const before = await fingerprint();
  const rename = (name: string) => run('UPDATE #_groups SET group_name = ? WHERE group_id = 11', [name]);
  await rename('Team');
  expect(await fingerprint()).toEqual(before);
  await rename('GROßES TEAM ');
  expect(await rolesOf(admins)).toEqual([undefined, undefined]);
  await rename('Another');
  const logins = await open(admins);
  const { login, changed } = askingOf(logins);
  const known = await login(real);
  expect(known.user.roles).toEqual(['admin']);
  await rename('Großes Team');
  await logins.reload?.();
  expect(await changed(known)).not.toHaveProperty('login.user.roles');
});

test('applies a ban of the user or of an address until its end, except to founders', async () => {
  const { insert, run, logIn, login, still, isUser } = await phpBB();
  const device = await logIn('7', { address: '203.0.113.9', remember: true });
  const known = await login(device);
  const cases: [Record<string, string | number>[], boolean][] = [
    [[], true],
    [[{ ban_userid: 7 }], false],
    [[{ ban_userid: 8 }], true],
    [[{ ban_userid: 7, ban_end: now() - 1 }], true],
    [[{ ban_userid: 7, ban_end: now() + day }], false],
    [[{ ban_ip: '203.0.113.*' }], false],
    [[{ ban_ip: '203.0.113.9' }], false],
    [[{ ban_ip: '203.0.113.90' }], true],
    [[{ ban_ip: '*.9' }, { ban_userid: 7, ban_exclude: 1 }], true],
    [[{ ban_userid: 7 }, { ban_ip: '203.*', ban_exclude: 1, ban_end: now() - 1 }], false],
    [[{ ban_email: 'ann@example.org', ban_userid: 7 }], true],
  ];
  for (const [bans, may] of cases) {
    await run('DELETE FROM #_banlist');
    for (const ban of bans) await insert('banlist', ban);
    expect([await isUser(device), await still(known)], JSON.stringify(bans)).toEqual([may, may]);
  }
  await insert('banlist', { ban_ip: '*' });
  // The same applies to the key of the browser.
  await device.dropSession();
  expect(await isUser(device)).toBe(false);
  await run('UPDATE #_users SET user_type = 3');
  expect(await isUser(device)).toBe(true);
});

test('applies an address ban to the visitor’s address and to the address in the session row', async () => {
  const { open, insert, run, set, logIn } = await phpBB();
  const device = await logIn('7', { address: '203.0.113.9', remember: true });
  const forwarding = { address: '203.0.113.9', forwardedFor: '192.0.2.1 192.0.2.2' };
  const far = await logIn('8', forwarding);
  const [logins, unchecked] = [await open({ checks: true }), await open()];
  await set('forwarded_for_check', '1');
  const proxied = await open({ checks: true });
  const credentials = { ...device, address: '203.0.113.77' };
  const behind = { ...far, ...forwarding };
  const byKey = { ...credentials, cookies: device.cookies.replace(/_sid=\w/, '_sid=0') };
  const known = await Promise.all(
    (
      [
        [logins, credentials],
        [logins, byKey],
        [unchecked, credentials],
        [proxied, behind],
      ] as const
    ).map(async ([of, from]) => [of, from, (await of.identify(from)) as Login] as const),
  );
  const all = (...may: boolean[]) => may;
  const cases: [string[], exceptions: string[], boolean[]][] = [
    [[], [], all(true, true, true, true)],
    [['203.0.113.77'], [], all(false, false, true, true)],
    [['203.0.113.9'], [], all(false, false, false, false)],
    [['198.51.100.1', '2*.113.7*7', '*.1.*'], [], all(false, false, true, true)],
    [
      ['203.0.113.7', '03.0.113.77', '203.0.113.77*7', '*0.77', '2*3.113.*.77'],
      [],
      all(true, true, true, true),
    ],
    [['203.*'], ['203.0.113.77'], all(false, false, false, false)],
    [['203.*'], ['*.77', '*.9'], all(true, true, true, true)],
    [['192.0.2.2'], [], all(true, true, true, false)],
    [['192.0.2.1'], ['192.0.2.2'], all(true, true, true, true)],
  ];
  for (const [bans, exceptions, may] of cases) {
    await run('DELETE FROM #_banlist');
    for (const ban_ip of bans) await insert('banlist', { ban_ip });
    for (const ban_ip of exceptions) await insert('banlist', { ban_ip, ban_exclude: 1 });
    const message = JSON.stringify([bans, exceptions]);
    const found = known.map(async ([of, from, login]) => {
      const { isUser, still } = askingOf(of);
      return [await isUser(from), await still(login)];
    });
    expect(await Promise.all(found), message).toEqual(may.map((each) => [each, each]));
  }
  await run('DELETE FROM #_banlist');
  await insert('banlist', { ban_ip: '2001:DB8::*' });
  const [, , ofUnchecked] = known;
  const login = ofUnchecked?.[2] as Login;
  expect(await Promise.all(unchecked.check([login]))).not.toMatchObject([{ state: 'nobody' }]);
  await run("UPDATE #_sessions SET session_ip = '2001:db8::5' WHERE session_user_id = 7");
  expect(await unchecked.check([login])[0]).toMatchObject({ state: 'nobody' });
});

test.each(['3.3.16', '4.0.0'])('phpBB %s finds no name or mail of a banned member', async (version) => {
  const { insert, run, logIn, logins } = await phpBB(version);
  await run("ALTER TABLE #_users ADD user_email VARCHAR(100) DEFAULT 'ann@example.org'");
  await logIn('7');
  const isFour = version.startsWith('4');
  const reached = async (...bans: Record<string, string | number>[]) => {
    const table = isFour ? 'bans' : 'banlist';
    await run(`DELETE FROM #_${table}`);
    for (const ban of bans) await insert(table, { ...(isFour && { ban_mode: 'user' }), ...ban });
    return [(await logins.findMail?.('7')) !== null, (await logins.accounts?.names(['7']))?.has('7')];
  };
  expect(await reached()).toEqual([true, true]);
  expect(await reached({ ban_userid: 7, ban_end: 0 })).toEqual([false, false]);
  expect(await reached({ ban_userid: 7, ban_end: now() + day })).toEqual([false, false]);
  expect(await reached({ ban_userid: 7, ban_end: now() - 1 })).toEqual([true, true]);
  expect(await reached({ ban_userid: 8, ban_end: 0 })).toEqual([true, true]);
  if (!isFour)
    expect(await reached({ ban_userid: 7 }, { ban_userid: 7, ban_exclude: 1 })).toEqual([true, true]);
  await run('UPDATE #_users SET user_type = 3');
  expect(await reached({ ban_userid: 7, ban_end: 0 })).toEqual([true, true]);
});

test('renews a session when its user writes, until it has expired', async () => {
  const { run, logIn, login, check, who, logins } = await phpBB();
  const left = async (of: Login) => Math.round(((await logins.ttl(of as never)) ?? 0) / 60_000);
  const known = await login(await logIn('7', { ago: 3000 }));
  expect(await left(known)).toBe(11);
  await logins.renew(known as never, 3600);
  const verdict = await check(known);
  if (verdict?.state !== 'user') throw new Error('no user');
  expect(await left(verdict.login)).toBe(61);
  await run(`UPDATE #_sessions SET session_time = ${now() - 3700}`);
  await logins.renew(verdict.login as never, 3600);
  expect(await check(verdict.login)).toMatchObject({ state: 'nobody' });
  expect(await who(await logIn('7', { ago: 3662 }))).toEqual(expect.any(String));
  expect(await who(await logIn('7', { ago: 3650 }))).toMatchObject({ id: '7' });
});

test('applies a ban in phpBB 4 until its end, also when finding the user', async () => {
  const { insert, run, logIn, isUser, logins } = await phpBB('4.0.0');
  const phone = await logIn('7');
  const isThere = async () => [await isUser(phone), (await logins.accounts?.names(['7']))?.has('7')];
  expect(await isThere()).toEqual([true, true]);
  await insert('bans', { ban_userid: 7, ban_mode: 'user', ban_item: '7', ban_end: now() + day });
  expect(await isThere()).toEqual([false, false]);
  await run('UPDATE #_bans SET ban_end = 5');
  expect(await isThere()).toEqual([true, true]);
});

test('reports too many address bans as a failure, because the database may cut off the list', async () => {
  const { run, logIn, login, check, logins } = await phpBB(undefined, {}, mysql);
  const device = await logIn('7');
  const known = await login(device);
  await run(
    "INSERT INTO #_banlist (ban_ip) SELECT CONCAT('2001:0db8:0000:0000:0000:0000:0000:', seq) FROM seq_1_to_30000",
  );
  await expect(check(known)).rejects.toThrow('phpBB has 30000 bans of addresses, more than');
  expect(await logins.identify(device)).toMatchObject({ code: 'session_store_unavailable' });
});

test('describes no site whose database stops answering, because its cookie would be unknown', async () => {
  const proxy = await startTcpProxy(
    mysql.port,
    (piece, client) => void (piece.includes('slow.example.org') || client.write(piece)),
  );
  onTestFinished(proxy.close);
  const { folder, remove, set } = await phpbbSite({ ...mysql, port: proxy.port });
  onTestFinished(async () => void (await remove()));
  await set('cookie_secure', '1');
  const described = () => describeSite({ site: { folder } });
  expect(await described()).toMatchObject({ cookie: { secure: true } });
  await set('server_name', 'slow.example.org');
  expect(await described()).toMatchObject({ code: 'unavailable' });
});

test('warns the operator when several groups have a listed name', async () => {
  const doubts: string[] = [];
  const { insert, logins } = await phpBB(undefined, {
    ...{ admins: ['R&D'], onWarning: ({ reason }) => void doubts.push(reason) },
  });
  expect(doubts).toEqual([]);
  await insert('groups', { group_id: 10, group_type: 1, group_name: 'r&amp;d' });
  await logins.reload?.();
  expect(doubts).toEqual([expect.stringMatching(/several groups have the name R&D,.* id:10, id:4/)]);
});

test('recommends siteChecks=off only for rows without the address or browser of the visitor', async () => {
  const { folder, logIn } = await phpBB();
  const recommends = async (given: Partial<PhpbbLogin>, env: Record<string, string> = {}) => {
    const { cookies } = await logIn('7', { browser: 'Mozilla', ...given });
    const settings = { CHAT_SITE: folder, CHAT_TRUSTED_PROXIES: '10.0.0.0/8,127.0.0.1', ...env };
    return /✗ phpBB (stored 10\.1\.2\.3|stored no User-Agent) .*every login is rejected\.\n {2}→ .*siteChecks=off .*Be warned/.test(
      await doctorSays(settings, '--cookie', cookies),
    );
  };
  const proxied = { address: '10.1.2.3' };
  expect(await recommends(proxied)).toBe(true);
  expect(await recommends({ address: '203.0.113.9', browser: '' })).toBe(true);
  expect(await recommends({ address: '203.0.113.9' })).toBe(false);
  expect(await recommends(proxied, { CHAT_TRUSTED_PROXIES: '' })).toBe(false);
  expect(await recommends(proxied, { CHAT_SITE_CHECKS: 'off' })).toBe(false);
});

test('uses the session of the cookies before the key of the browser', async () => {
  const { cookie, open, set, logIn, logins } = await phpBB();
  const [one, other] = [await logIn('7', { remember: true }), await logIn('8', { remember: true })];
  const userOf = async (cookies: Record<string, string>, of = logins) => {
    const header = Object.entries(cookies).map(([part, value]) => `${cookie}_${part}=${value}`);
    const answer = await of.identify({ cookies: header.join('; ') });
    return 'code' in answer ? null : answer.user.id;
  };
  const nothing = 'f'.repeat(32);
  const wrong = nothing.slice(16);
  // A valid session of a guest takes precedence over the key.
  const guest = await logIn('1');
  const cases: [Record<string, string>, string | null][] = [
    [{ sid: one.sid }, '7'],
    [{ sid: `%20${one.sid}%0a` }, '7'],
    // Only the session counts. The other cookies are not compared with it.
    [{ sid: one.sid, u: '8', k: other.key }, '7'],
    [{ sid: one.sid, u: '7', k: wrong }, '7'],
    [{ sid: nothing, u: '7', k: one.key }, '7'],
    [{ sid: nothing, u: '8', k: one.key }, null],
    [{ sid: nothing, u: '7', k: wrong }, null],
    [{ sid: nothing, u: '7' }, null],
    [{ sid: '', u: '7', k: one.key }, null],
    [{ u: '7', k: one.key }, null],
    [{ sid: one.sid.toUpperCase() }, null],
    [{ 'sid[]': one.sid }, null],
    [{ sid: guest.sid, u: '7', k: one.key }, null],
  ];
  const found = cases.map(async ([cookies]) => [cookies, await userOf(cookies)]);
  expect(await Promise.all(found)).toEqual(cases);
  await set('allow_autologin', '0');
  const strict = await open();
  expect(await userOf({ sid: nothing, u: '7', k: one.key }, strict)).toBeNull();
  expect(await userOf({ sid: one.sid }, strict)).toBeNull();
  const four = await phpBB('4.0.0');
  const phone = await four.logIn('7', { remember: true });
  expect(await userOf({ u: '7', k: phone.key }, four.logins)).toBe('7');
});

test('keeps a remembered login without page views and session row until the logout', async () => {
  const { ask, run, set, logIn, login, check, isUser } = await phpBB();
  const one = await logIn('7', { remember: true, ago: day });
  const two = await logIn('7', { remember: true });
  const known = await login(one);
  expect(known.ends).toBeUndefined();
  await one.dropSession();
  const verdict = await check(known);
  expect(verdict).toMatchObject({ state: 'user', login: { handle: known.handle, user: { id: '7' } } });
  if (verdict?.state !== 'user') throw new Error('no user');
  expect(await check(verdict.login)).toBeNull();
  await one.logOut();
  expect(await check(verdict.login)).toMatchObject({ state: 'nobody' });
  // The other device of the user stays, until a new password ends its session and all keys.
  expect(await isUser(two)).toBe(true);
  await run('DELETE FROM #_sessions_keys');
  expect(await isUser(two)).toBe(true);
  await two.dropSession();
  expect(await isUser(two)).toBe(false);
  await set('max_autologin_time', '1');
  const bounded = await ask();
  const old = await logIn('7', { remember: true, ago: day - 30 });
  await run('DELETE FROM #_sessions_keys');
  expect(await bounded.isUser(old)).toBe(false);
  expect(await bounded.isUser(await logIn('7', { remember: true, ago: day - 90 }))).toBe(true);
});

test('compares the address and the browser like phpBB', async () => {
  const { open, run, set, logIn } = await phpBB();
  const agent = 'Mozilla/5.0 (X11; "A" & <B>) Zoë';
  const header = Buffer.from(agent).toString('latin1');
  const cases: [given: Partial<PhpbbLogin>, Credentials, boolean, settings?: Record<string, string>][] = [
    [{ address: '203.0.113.9', browser: agent }, { address: '203.0.113.77', userAgent: header }, true],
    [{ address: '203.0.113.9' }, { address: '::ffff:203.0.113.77' }, true],
    [{ address: '203.0.113.9' }, { address: '203.0.114.9' }, false],
    [{ address: '203.0.113.9' }, { address: '2001:db8::1' }, false],
    [{ address: '2001:db8::1' }, { address: '2001:db8:0:0:5::9' }, true],
    [{ address: '2001:db8::1' }, { address: '2001:db8:0:1:5::9' }, false],
    [{ browser: agent }, { userAgent: header.toUpperCase().replace('ZOÃ«', 'ZOÃ«') }, true],
    [{ browser: agent }, { userAgent: 'Another' }, false],
    [{ browser: agent }, {}, false],
    // Only the blanks of PHP are trimmed, and byte order marks are removed.
    [{ browser: `${agent}\u00a0` }, { userAgent: `${header}\u00c2\u00a0` }, true],
    [{ browser: `\ufeff${agent}` }, { userAgent: `\u00ef\u00bb\u00bf${header}` }, true],
    [{ browser: 'M'.repeat(200) }, { userAgent: 'm'.repeat(180) }, true],
    [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3' }, true],
    [{ address: '203.0.113.9' }, { address: '203.0.113.77' }, false, { ip_check: '4' }],
    [{ address: '2001:db8::1' }, { address: '2001:db8::2' }, false, { ip_check: '4' }],
    [{ address: '203.0.113.9' }, { address: '2001:db8::1' }, true, { ip_check: '0' }],
    [{ address: '2001:db8::1' }, { address: '2001:db8:0:1:5::9' }, true, { ip_check: '2' }],
    [{ browser: agent }, { userAgent: 'Another' }, true, { browser_check: '0' }],
    [
      { forwardedFor: '192.0.2.1 192.0.2.2' },
      { forwardedFor: '192.0.2.1, 192.0.2.2' },
      true,
      { forwarded_for_check: '1' },
    ],
    [{ forwardedFor: '192.0.2.1' }, { forwardedFor: '192.0.2.3' }, false, { forwarded_for_check: '1' }],
    [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3, unknown' }, true, { forwarded_for_check: '1' }],
    // phpBB discards a header with a trailing comma or a zone.
    [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3,' }, true, { forwarded_for_check: '1' }],
    [{ forwardedFor: '' }, { forwardedFor: 'fe80::1%eth0' }, true, { forwarded_for_check: '1' }],
  ];
  const free = await open();
  let current = '';
  let logins = await open({ checks: true });
  for (const [given, credentials, fits, settings = {}] of cases) {
    if (JSON.stringify(settings) !== current) {
      current = JSON.stringify(settings);
      await run("DELETE FROM #_config WHERE config_name LIKE '%_check'");
      for (const [name, value] of Object.entries(settings)) await set(name, value);
      logins = await open({ checks: true });
    }
    const { cookies } = await logIn('7', given);
    const answer = await logins.identify({ ...credentials, cookies });
    expect('user' in answer, JSON.stringify([given, credentials, settings])).toBe(fits);
    if (fits) continue;
    expect(answer).toMatchObject({
      reason: expect.stringContaining('another'),
      hint: expect.stringContaining('siteChecks'),
    });
    expect(await free.identify({ ...credentials, cookies })).toMatchObject({ user: { id: '7' } });
  }
});
