import { expect, test } from 'vitest';
import { expectRefused, now, openedSite, siteDatabase } from '../../../../test/helpers/application-site.ts';
import { doctorSays } from '../../../../test/helpers/doctor-says.ts';
import { mybbSite } from '../../../../test/helpers/mybb.ts';
import type { Login } from '../../src/login.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

const day = 86_400;

const db = await siteDatabase('sqlite');
const mysql = await siteDatabase('mysql');

applicationContract('MyBB', mysql, () => mybbSite(mysql), {
  keptCookiesCount: true,
  named: (name) => name,
});

/** A site for one test, and its logins. */
const siteFor = (cookiePrefix?: string, on = db) => openedSite(mybbSite(on, cookiePrefix));

type Ban = [lifted: number, oldgroup: number, oldadditionalgroups: string];

test('gives names, roles and bans from the groups of a member', async () => {
  const { run, insert, logIn, logins, login, who, ask } = await siteFor();
  const device = await logIn('7', 'Zoë <&amp;>');
  const cases: [own: number, more: string, ban: Ban | null, string[] | 'kept out' | null][] = [
    [2, '', null, []],
    [4, '', null, ['admin', 'moderator']],
    [3, '', null, ['moderator']],
    [2, '22,3', null, ['moderator']],
    [2, '22,4', null, ['admin', 'moderator']],
    // 2 and 22 have a digit in common.
    [22, '', null, []],
    [5, '', null, 'kept out'],
    [5, '22', null, 'kept out'],
    [2, '5', null, []],
    [7, '', [now() - 2, 5, ''], 'kept out'],
    [7, '', null, null],
    [7, '4', [0, 2, ''], null],
    [7, '', [now() + day, 2, ''], null],
    [7, '', [now() - 2, 2, '22,3'], ['moderator']],
    [7, '', [now() - 2, 7, ''], null],
    [2, '', [now() + day, 2, ''], []],
  ];
  const user = { id: '7', name: 'Zoë <&amp;>' };
  for (const [own, more, ban, roles] of cases) {
    await run('UPDATE #_users SET usergroup = ?, additionalgroups = ?', [own, more]);
    await run('DELETE FROM #_banned');
    if (ban !== null) {
      const [lifted, oldgroup, oldadditionalgroups] = ban;
      await insert('banned', { uid: 7, lifted, oldgroup, oldadditionalgroups });
    }
    const answer = await logins.identify(device);
    expect('code' in answer ? null : answer.user, JSON.stringify([own, more, ban])).toEqual(
      roles && { ...user, ...(roles === 'kept out' ? { banned: true } : roles.length > 0 && { roles }) },
    );
  }
  const known = await login(device);
  for (const [suspended, more] of [
    [1, { banned: true }],
    [0, {}],
  ] as const) {
    await run('UPDATE #_users SET usergroup = 2, suspendposting = ?', [suspended]);
    expect(await who(device)).toEqual({ ...user, ...more });
    const verdict = await logins.check([known as never])[0];
    expect(verdict === null ? known.user : verdict?.state === 'user' && verdict.login.user).toEqual({
      ...user,
      ...more,
    });
  }
  await run(`UPDATE #_users SET usergroup = 22`);
  await run('DELETE FROM #_banned');
  const others = await ask({ admins: [], moderators: [], team: ['Friends & Co'], nobody: ['8'] });
  expect(await others.who(device)).toMatchObject({ roles: ['team'] });
  expect(await others.isUser(await logIn('8'))).toBe(false);
});

test('recognises a banned group with any characters in its title', async () => {
  const { run, logins, isUser, logIn } = await siteFor();
  const device = await logIn('7');
  await run('UPDATE #_users SET usergroup = 7');
  await run('UPDATE #_usergroups SET title = ? WHERE gid = 7', ['Banned\u2028\r\nhere']);
  expect(await isUser(device)).toBe(false);
  await run('UPDATE #_usergroups SET isbannedgroup = -1 WHERE gid = 7');
  expect(await logins.identify(device)).toMatchObject({ code: 'session_store_unavailable' });
});

test('applies address bans to the address of the last page view', async () => {
  const { run, insert, logIn, login, still, isUser } = await siteFor();
  const device = await logIn('7');
  const bytes = (hex: string) => `x'${hex}'`;
  const [four, six] = ['CB007109', '20010DB8000000000000000000000001'];
  const cases: [address: string, filter: string, may: boolean][] = [
    [four, '203.0.113.9', false],
    [four, '203.0.113.90', true],
    [four, '203.0.113.*', false],
    [four, '203.*', false],
    [four, '*.9', false],
    [four, '*', false],
    [four, '203.0.113.8/30', false],
    [four, '203.0.113.0/29', true],
    [four, '203.0.113.0/0', true],
    [four, '203.0.113.1-203.0.113.20', true],
    [four, '::1', true],
    [four, '', true],
    [six, '2001:db8::1', false],
    [six, '2001:db8::*', false],
    [six, '2001:db8::/32', false],
    [six, '2001:db9::/32', true],
    ['', '*', true],
  ];
  for (const [address, filter, may] of cases) {
    await run(`UPDATE #_users SET lastip = ${bytes(address)}`);
    await run('DELETE FROM #_banfilters');
    const known = await login(device);
    await insert('banfilters', { filter: '198.51.100.*', type: 1 });
    // MyBB checks names only when a user chooses one.
    await insert('banfilters', { filter: '*', type: 2 });
    await insert('banfilters', { filter, type: 1 });
    expect(await still(known), `${address} ${filter}`).toBe(may);
  }
  await run('DELETE FROM #_banfilters');
  await insert('banfilters', { filter: '203.*', type: 1 });
  // A page view does not change the address at which the session began.
  const [begun, here] = [bytes('C6336401'), bytes(four)];
  const seen = async (session: string, user: string) => {
    await run(`UPDATE #_sessions SET ip = ${session}`);
    await run(`UPDATE #_users SET lastip = ${user}`);
    return isUser(device);
  };
  expect(await seen(begun, here)).toBe(false);
  expect(await seen(here, begun)).toBe(true);
  // MyBB ends the session of a user whose address is banned.
  await run('DELETE FROM #_sessions');
  expect(await seen(here, begun)).toBe(true);
  expect(await seen(here, here)).toBe(false);
});

test('reports too many address bans as a failure, because some may not have been read', async () => {
  const { run, logIn, logins } = await siteFor('', mysql);
  await run(
    "INSERT INTO #_banfilters (filter, type) SELECT CONCAT('2001:0db8:0000:0000:0000:0000:0000:', seq), 1 FROM seq_1_to_30000",
  );
  expect(await logins.identify(await logIn('7'))).toMatchObject({
    code: 'session_store_unavailable',
    reason: expect.stringContaining('more bans of addresses than can be read'),
  });
});

test('applies bans of mail addresses, unless the board lets members keep these addresses', async () => {
  const { run, insert, logIn, login, still, isUser, ask } = await siteFor();
  const device = await logIn('7');
  const known = await login(device);
  for (const [filter, may] of [
    ['user7_@example.org', false],
    ['*@EXAMPLE.org', false],
    ['example', false],
    ['u*7_@*.org', false],
    ['user%@example.org', true],
    ['user_@example.org', true],
    ['user7!@example.org', true],
    ['user7_@example.com', true],
  ] as const) {
    await run('DELETE FROM #_banfilters');
    await insert('banfilters', { filter, type: 3 });
    expect(await still(known), filter).toBe(may);
  }
  await run("UPDATE #_banfilters SET filter = '*@example.org'");
  expect(await isUser(device)).toBe(false);
  await insert('settings', { name: 'emailkeep', value: '1' });
  expect(await (await ask()).isUser(device)).toBe(true);
});

test('rejects all logins while the plugin My2FA is active', async () => {
  const { folder, run, insert, logIn, logins, isUser } = await siteFor();
  await insert('datacache', { title: 'plugins', cache: 'a:1:{s:6:"active";a:0:{}}' });
  const device = await logIn('7');
  const activate = async (plugins: string) => {
    await run('UPDATE #_datacache SET cache = ?', [`a:1:{s:6:"active";${plugins}}`]);
    await logins.reload?.();
  };
  expect(await isUser(device)).toBe(true);
  await activate('a:1:{s:5:"my2fa";s:5:"my2fa";}');
  expect(await logins.identify(device)).toMatchObject({
    code: 'session_store_unavailable',
    reason: expect.stringMatching(/My2FA asks for the second factor after the login.*deactivate/),
  });
  await expect(openSite({ folder })).rejects.toThrow('My2FA');
  await activate('a:1:{s:5:"hello";s:5:"hello";}');
  expect(await isUser(device)).toBe(true);
});

test('ends a login after its logout or a new password, but not after its session row was replaced', async () => {
  const { run, logIn, logins } = await siteFor();
  const [one, two] = [await logIn('7'), await logIn('7')];
  const login = async (device: typeof one) => (await logins.identify(device)) as Login<never>;
  const stateOf = async (known: Login<never>) => {
    const verdict = await logins.check([known])[0];
    return verdict === null ? known : verdict?.state === 'user' ? verdict.login : verdict?.reason;
  };
  const [first, second] = [await login(one), await login(two)];
  expect(first.handle).not.toBe(second.handle);
  await one.logOut();
  expect(await stateOf(first)).toContain('ended');
  expect(await stateOf(second)).toMatchObject({ handle: second.handle });
  // Another browser sends only the login key: MyBB deletes all sessions of the user, and creates one.
  const here = (await stateOf(second)) as Login<never>;
  await run('DELETE FROM #_sessions');
  await logIn('7');
  const displaced = (await stateOf(here)) as Login<never>;
  expect(displaced).toMatchObject({ handle: second.handle, user: { id: '7' } });
  expect(await stateOf(displaced)).toBe(displaced);
  // There was no page view for a day.
  const three = await logIn('7');
  await run('UPDATE #_sessions SET time = ? WHERE sid = ?', [now() - day, three.sid]);
  const idle = await login(three);
  await three.logOut();
  expect(await stateOf(idle)).toMatchObject({ handle: idle.handle });
  // Another user logs in with the same browser.
  const four = await logIn('7');
  const shared = await login(four);
  await logIn('8');
  await run('UPDATE #_sessions SET uid = 8 WHERE sid = ?', [four.sid]);
  expect(await stateOf(shared)).toContain('ended');
  // A new password changes the login key, so all devices are logged out.
  const five = await login(await logIn('7'));
  await run(`UPDATE #_users SET loginkey = 'another'`);
  for (const known of [five, displaced]) expect(await stateOf(known)).toContain('key');
});

test('accepts only an unchanged cookie of one user, with its prefix or without', async () => {
  const { run, logIn, logins, who } = await siteFor('my_');
  const [one, other] = [await logIn('7'), await logIn('8')];
  const [key, foreign] = [one.secrets[0] ?? '', other.secrets[0] ?? ''];
  for (const cookies of [
    `my_mybbuser=7_${key}`,
    `mybbuser=7_${key}`,
    `mybbuser=8_${foreign}; my_mybbuser=7_${key}`,
    `my_mybbuser=7_${key}; my_sid=${other.sid}`,
    `my_mybbuser=7_${key}; my_sid=${'f'.repeat(32)}`,
    `my_mybbuser=; mybbuser=7_${key}`,
  ])
    expect(await who({ cookies }), cookies).toMatchObject({ id: '7' });
  await expectRefused(logins, [
    `my_mybbuser=8_${key}; my_sid=${one.sid}`,
    `my_mybbuser=7_${foreign}; my_sid=${one.sid}`,
    `my_sid=${one.sid}`,
    ...['', key.slice(0, -1), `${key}x`, key.toUpperCase(), `${key}%20`].map((of) => `my_mybbuser=7_${of}`),
    ...['99', '9999999999', '0'].map((id) => `my_mybbuser=${id}_${key}`),
    `my_mybbuser[0]=7_${key}`,
    `my_mybbuser=7_${key}; my_mybbuser=8_${foreign}`,
    // A page of a sibling subdomain can set both.
    `my_mybbuser=7_${key}; my_mybbuser=x; mybbuser=8_${foreign}`,
  ]);
  await run(`UPDATE #_users SET loginkey = ''`);
  await expectRefused(logins, ['my_mybbuser=7_']);
});

test('warns only in the doctor that MyBB gives the ID of a deleted member to the next member', async () => {
  const doubts: unknown[] = [];
  const { folder } = await openedSite(mybbSite(db), { onWarning: (doubt) => void doubts.push(doubt) });
  expect(await doctorSays({ CHAT_SITE: folder })).toMatch(
    /MyBB: .* ID of a deleted member.*\n.*delete the data/,
  );
  expect(doubts).toEqual([]);
});
