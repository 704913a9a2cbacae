import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';

import { applicationContract } from '../../../contracts/login.ts';
import { size } from '../../../guarantees/size.ts';
import { openedSite } from '../../../helpers/application-site.ts';
import { doctorSays } from '../../../helpers/doctor-says.ts';
import { mybbSite } from '../../../helpers/mybb.ts';
import { startSiteDatabase, type TestDatabase } from '../../../helpers/site-database.ts';

const now = () => Math.floor(Date.now() / 1000);
const day = 86_400;

const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres', 'sqlite'], ['mysql']);

describe.each(kinds)('MyBB on %s', async (kind) => {
  const db = await startSiteDatabase(kind);
  afterAll(() => db.remove());

  applicationContract('MyBB', db, () => mybbSite(db), { keptCookiesCount: true, named: (name) => name });

  /** A site for one test, and its logins. */
  const siteFor = async (cookiePrefix?: string) => {
    const site = await openedSite(mybbSite(db, cookiePrefix));
    return { site, ...site };
  };

  test('names, roles and bans', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const device = await site.logIn('7', 'Zoë <&amp;>');
    const cases: [
      own: number,
      more: string,
      ban: [lifted: number, group: number, more: string] | null,
      string[] | 'kept out' | null,
    ][] = [
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
    for (const [own, more, ban, roles] of cases) {
      await site.run('UPDATE #_users SET usergroup = ?, additionalgroups = ?', [own, more]);
      await site.run('DELETE FROM #_banned');
      if (ban !== null)
        await site.insert('banned', {
          uid: 7,
          lifted: ban[0],
          oldgroup: ban[1],
          oldadditionalgroups: ban[2],
        });
      const answer = await logins.identify(device);
      const found = 'code' in answer ? null : answer.user;
      expect(found, JSON.stringify([own, more, ban])).toEqual(
        roles && {
          ...{ id: '7', name: 'Zoë <&amp;>' },
          ...(roles === 'kept out' ? { banned: true } : roles.length > 0 && { roles }),
        },
      );
    }
    const login = (await logins.identify(device)) as Login;
    for (const [suspended, more] of [
      [1, { banned: true }],
      [0, {}],
    ] as const) {
      await site.run('UPDATE #_users SET usergroup = 2, suspendposting = ?', [suspended]);
      const user = { id: '7', name: 'Zoë <&amp;>', ...more };
      expect(await logins.identify(device)).toMatchObject({ user });
      const verdict = await logins.check([login as never])[0];
      expect(verdict === null ? login.user : verdict?.state === 'user' && verdict.login.user).toEqual(user);
    }
    await site.run(`UPDATE #_users SET usergroup = 22`);
    await site.run('DELETE FROM #_banned');
    const others = await open({ admins: ['Friends & Co'], moderators: [], nobody: ['8'] });
    expect(await others.identify(device)).toMatchObject({ user: { roles: ['admin'] } });
    expect(await others.identify(await site.logIn('8'))).toMatchObject({ code: 'unauthorized' });
  });

  test('a banned group counts whatever characters its title has, and groups that cannot be read are no answer', async () => {
    const { site, open } = await siteFor();
    const [logins, device] = [await open(), await site.logIn('7')];
    await site.run('UPDATE #_users SET usergroup = 7');
    for (const separator of ['\u2028', '\u2029', '\r', '\r\n', '\n']) {
      await site.run('UPDATE #_usergroups SET title = ? WHERE gid = 7', [`Banned${separator}here`]);
      expect(await logins.identify(device), JSON.stringify(separator)).toMatchObject({
        code: 'unauthorized',
      });
    }
    await site.run('UPDATE #_usergroups SET isbannedgroup = -1 WHERE gid = 7');
    expect(await logins.identify(device)).toMatchObject({ code: 'session_store_unavailable' });
  });

  test('bans of addresses: of the last page view', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const device = await site.logIn('7');
    const bytes = (hex: string) => (kind === 'postgres' ? `decode('${hex}', 'hex')` : `x'${hex}'`);
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
    // The database only stores them.
    const some = kind === 'sqlite' ? cases : cases.filter(([, filter]) => filter.includes('/3'));
    for (const [address, filter, may] of some) {
      await site.run(`UPDATE #_users SET lastip = ${bytes(address)}`);
      await site.run('DELETE FROM #_banfilters');
      const login = await logins.identify(device);
      if ('code' in login) throw new Error(login.reason);
      await site.insert('banfilters', { filter: '198.51.100.*', type: 1 });
      // MyBB compares a name when somebody takes it.
      await site.insert('banfilters', { filter: '*', type: 2 });
      await site.insert('banfilters', { filter, type: 1 });
      const verdict = await logins.check([login as never])[0];
      expect(verdict === null || verdict?.state === 'user', `${address} ${filter}`).toBe(may);
    }
    await site.run('DELETE FROM #_banfilters');
    await site.insert('banfilters', { filter: '203.*', type: 1 });
    // A page view leaves the address that the session of the browser has begun with.
    const [begun, here] = [bytes('C6336401'), bytes(four)];
    await site.run(`UPDATE #_sessions SET ip = ${begun}`);
    await site.run(`UPDATE #_users SET lastip = ${here}`);
    expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized' });
    await site.run(`UPDATE #_sessions SET ip = ${here}`);
    await site.run(`UPDATE #_users SET lastip = ${begun}`);
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    // MyBB ends the session of a user whose address is banned.
    await site.run('DELETE FROM #_sessions');
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    await site.run(`UPDATE #_users SET lastip = ${here}`);
    expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized' });
  });

  if (kind === 'mysql')
    test('more bans of addresses than the database gives are no answer', async () => {
      const { site, open } = await siteFor();
      const [logins, device] = [await open(), await site.logIn('7')];
      await site.run(
        "INSERT INTO #_banfilters (filter, type) SELECT CONCAT('2001:0db8:0000:0000:0000:0000:0000:', seq), 1 FROM seq_1_to_30000",
      );
      expect(await logins.identify(device)).toMatchObject({
        code: 'session_store_unavailable',
        reason: expect.stringContaining('more bans of addresses than the chat can read'),
      });
    });

  test('bans of mail addresses, unless the board lets members keep these', async () => {
    const { site, open } = await siteFor();
    const [logins, device] = [await open(), await site.logIn('7')];
    const login = await logins.identify(device);
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
      await site.run('DELETE FROM #_banfilters');
      await site.insert('banfilters', { filter, type: 3 });
      const verdict = await logins.check([login as never])[0];
      expect(verdict === null || verdict?.state === 'user', filter).toBe(may);
    }
    await site.run("UPDATE #_banfilters SET filter = '*@example.org'");
    expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized' });
    await site.insert('settings', { name: 'emailkeep', value: '1' });
    expect(await (await open()).identify(device)).toMatchObject({ user: { id: '7' } });
  });

  test('while the plugin My2FA is active, which asks for the second factor after the login, nobody is let in', async () => {
    const { site, open } = await siteFor();
    await site.insert('datacache', { title: 'plugins', cache: 'a:1:{s:6:"active";a:0:{}}' });
    const [logins, device] = [await open(), await site.logIn('7')];
    const activate = async (plugins: string) => {
      await site.run('UPDATE #_datacache SET cache = ?', [`a:1:{s:6:"active";${plugins}}`]);
      await logins.reload?.();
    };
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    await activate('a:1:{s:5:"my2fa";s:5:"my2fa";}');
    expect(await logins.identify(device)).toMatchObject({
      code: 'session_store_unavailable',
      reason: expect.stringMatching(/My2FA asks for the second factor after the login.*deactivate/),
    });
    await expect(openSite({ folder: site.folder })).rejects.toThrow('My2FA');
    await activate('a:1:{s:5:"hello";s:5:"hello";}');
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  });

  test('a logout on one of two devices, a new password, and sessions that MyBB replaces or clears away', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const [one, two] = [await site.logIn('7'), await site.logIn('7')];
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
    // Another browser comes with the key alone: MyBB deletes all sessions of the user, and makes one.
    const here = (await stateOf(second)) as Login<never>;
    await site.run('DELETE FROM #_sessions');
    await site.logIn('7');
    const displaced = (await stateOf(here)) as Login<never>;
    expect(displaced).toMatchObject({ handle: second.handle, user: { id: '7' } });
    expect(await stateOf(displaced)).toBe(displaced);
    // A page that was not seen for a day.
    const three = await site.logIn('7');
    await site.run('UPDATE #_sessions SET time = ? WHERE sid = ?', [now() - day, three.sid]);
    const idle = await login(three);
    await three.logOut();
    expect(await stateOf(idle)).toMatchObject({ handle: idle.handle });
    // Another user logs in with the same browser.
    const four = await site.logIn('7');
    const shared = await login(four);
    await site.logIn('8');
    await site.run('UPDATE #_sessions SET uid = 8 WHERE sid = ?', [four.sid]);
    expect(await stateOf(shared)).toContain('ended');
    // A new password makes a new key: everybody is out.
    const five = await login(await site.logIn('7'));
    await site.run(`UPDATE #_users SET loginkey = 'another'`);
    expect(await stateOf(five)).toContain('key');
    expect(await stateOf(displaced)).toContain('key');
    await site.run('DELETE FROM #_users WHERE uid = 8');
    expect(await stateOf(displaced)).toContain('key');
  });

  test('cookies: with and without a prefix, of two users, changed', async () => {
    const { site, open } = await siteFor('my_');
    const logins = await open();
    const [one, other] = [await site.logIn('7'), await site.logIn('8')];
    const [key, foreign] = [one.secrets[0] ?? '', other.secrets[0] ?? ''];
    const userOf = async (cookies: string) => {
      const answer = await logins.identify({ cookies });
      return 'code' in answer ? null : answer.user.id;
    };
    const cases: [string, string | null][] = [
      [`my_mybbuser=7_${key}`, '7'],
      [`mybbuser=7_${key}`, '7'],
      [`mybbuser=8_${foreign}; my_mybbuser=7_${key}`, '7'],
      [`my_mybbuser=7_${key}; my_sid=${other.sid}`, '7'],
      [`my_mybbuser=7_${key}; my_sid=${'f'.repeat(32)}`, '7'],
      [`my_mybbuser=8_${key}; my_sid=${one.sid}`, null],
      [`my_mybbuser=7_${foreign}; my_sid=${one.sid}`, null],
      [`my_sid=${one.sid}`, null],
      [`my_mybbuser=7_`, null],
      [`my_mybbuser=7_${key.slice(0, -1)}`, null],
      [`my_mybbuser=7_${key}x`, null],
      [`my_mybbuser=7_${key.toUpperCase()}`, null],
      [`my_mybbuser=7_${key}%20`, null],
      [`my_mybbuser=99_${key}`, null],
      [`my_mybbuser=9999999999_${key}`, null],
      [`my_mybbuser=0_${key}`, null],
      [`my_mybbuser[0]=7_${key}`, null],
      [`my_mybbuser=7_${key}; my_mybbuser=8_${foreign}`, null],
      [`my_mybbuser=; mybbuser=7_${key}`, '7'],
      // A page of a sibling subdomain can set both.
      [`my_mybbuser=7_${key}; my_mybbuser=x; mybbuser=8_${foreign}`, null],
    ];
    for (const [cookies, user] of cases) expect(await userOf(cookies), cookies).toBe(user);
    await site.run(`UPDATE #_users SET loginkey = ''`);
    expect(await userOf('my_mybbuser=7_')).toBeNull();
  });
});

test('the doctor alone warns where MyBB gives the id of a deleted member to the next one', async () => {
  const db = await startSiteDatabase('sqlite');
  onTestFinished(() => db.remove());
  const doubts: unknown[] = [];
  const { folder } = await openedSite(mybbSite(db), { onDoubt: (doubt) => void doubts.push(doubt) });
  expect(await doctorSays({ CHAT_SITE: folder })).toMatch(/MyBB: .* id of a deleted member.*\n.*erase/);
  expect(doubts).toEqual([]);
});
