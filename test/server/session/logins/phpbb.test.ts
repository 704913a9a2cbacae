import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { doctor } from '../../../../server/doctor/report.ts';
import type { Credentials, Login } from '../../../../server/session/login.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { phpbb } from '../../../../server/session/logins/phpbb.ts';
import { type SitePlace, siteFolder } from '../../../../server/session/logins/site.ts';
import { siteSql } from '../../../../server/session/logins/sql.ts';
import { mysql } from '../../../../server/session/stores/sql/mysql.ts';
import { loginContract } from '../../../contracts/login.ts';
import { size, soak } from '../../../guarantees/size.ts';
import { differing, loginsOf } from '../../../helpers/application-site.ts';
import { connectChat } from '../../../helpers/chat-client.ts';
import { nextChatServer, startChatServer } from '../../../helpers/chat-server.ts';
import { type PhpbbLogin, phpbbSite } from '../../../helpers/phpbb.ts';
import { startSiteDatabase, type TestDatabase } from '../../../helpers/site-database.ts';

const now = () => Math.floor(Date.now() / 1000);
const day = 86_400;

const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres', 'sqlite'], ['mysql']);

describe.each(kinds)('phpBB on %s', async (kind) => {
  const db = await startSiteDatabase(kind);
  afterAll(() => db.remove());

  loginContract('phpBB', async () => {
    const site = await phpbbSite(db);
    return {
      open: async () => (await openSite({ folder: site.folder, checks: false })).logins,
      logIn: (user, name) => site.logIn(user, name === undefined ? {} : { name }),
      silence: db.silence,
      close: site.remove,
    };
  });

  test('names, roles, and who is nobody', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const user = async (id: string, login: Partial<PhpbbLogin> = {}) => {
      const answer = await logins.identify(await site.logIn(id, login));
      return 'code' in answer ? answer.reason : answer.user;
    };
    for (const [group, id, pending] of [
      [2, 20, 0],
      [3, 20, 0],
      [3, 21, 0],
      [2, 21, 1],
      [4, 22, 0],
    ] as const) {
      await site.insert('user_group', { group_id: group, user_id: id, user_pending: pending });
    }
    expect(await user('20', { name: 'Zoë &amp; &lt;Bo&gt;' })).toEqual({
      ...{ id: '20', name: 'Zoë & <Bo>', roles: ['admin', 'moderator'] },
    });
    expect(await user('21')).toEqual({ id: '21', name: 'Ann', roles: ['moderator'] });
    expect(await user('22')).toEqual({ id: '22', name: 'Ann' });
    await site.run('UPDATE #_users SET user_type = 3 WHERE user_id = 22');
    expect(await user('22')).toEqual({ id: '22', name: 'Ann', roles: ['admin'] });
    const others = await open({ admins: ['R&D'], moderators: [], nobody: ['21'] });
    expect(await others.identify(await site.logIn('22'))).toMatchObject({ user: { roles: ['admin'] } });
    expect(await others.identify(await site.logIn('20'))).toMatchObject({
      user: { id: '20', name: expect.any(String) },
    });
    expect(await others.identify(await site.logIn('21'))).toMatchObject({ code: 'unauthorized' });
    // Guests, inactive users and robots have rows, too.
    expect(await user('1')).toContain('guest');
    for (const type of [1, 2]) {
      await site.run(`UPDATE #_users SET user_type = ${type} WHERE user_id = 20`);
      expect(await user('20')).toContain('inactive');
    }
    await site.run('DELETE FROM #_users WHERE user_id = 21');
    const gone = await site.logIn('21');
    await site.run('DELETE FROM #_users WHERE user_id = 21');
    expect(await logins.identify(gone)).toMatchObject({ code: 'unauthorized' });
  });

  test('the name of a group of users makes nobody an admin: neither by a line break nor as that of a built-in group', async () => {
    const { site, open } = await siteFor(db);
    for (const [group, name] of [
      'Cats\nADMINISTRATORS',
      'Cats\n3 GLOBAL_MODERATORS',
      'ADMINISTRATORS',
    ].entries()) {
      await site.insert('groups', { group_id: 10 + group, group_type: 0, group_name: name });
      await site.insert('user_group', { group_id: 10 + group, user_id: 20, user_pending: 0 });
    }
    const device = await site.logIn('20');
    const user = { id: '20', name: 'Ann' };
    expect(await (await open()).identify(device)).toMatchObject({ user });
    expect(await (await open()).identify(device)).not.toHaveProperty('user.roles');
    const named = await open({ admins: ['Cats'], moderators: ['3 GLOBAL_MODERATORS', 'GLOBAL_MODERATORS'] });
    expect(await named.identify(device)).not.toHaveProperty('user.roles');
  });

  test('the leader of a group takes no role away by a name that phpBB tells from the listed one, or from a built-in one', async () => {
    const { site, open } = await siteFor(db);
    await site.insert('groups', { group_id: 10, group_type: 1, group_name: 'Team A' });
    // phpBB takes neither for a name that there is (utf8_clean_string), and a leader can give any type.
    for (const [group, type, name] of [
      [11, 0, 'Team \u00aa'],
      [12, 0, '\u00aaDMINISTRATORS'],
      [13, 3, 'GLOBAL_MODER\u00aaTORS'],
    ] as const) {
      await site.insert('groups', { group_id: group, group_type: type, group_name: name });
      await site.insert('user_group', { group_id: group, user_id: 21, user_pending: 0 });
    }
    for (const group of [2, 3, 10])
      await site.insert('user_group', { group_id: group, user_id: 20, user_pending: 0 });
    const [member, leader] = [await site.logIn('20'), await site.logIn('21')];
    for (const given of [{}, { admins: ['Team A'] }]) {
      const logins = await open(given);
      expect(await logins.identify(member)).toMatchObject({ user: { roles: ['admin', 'moderator'] } });
      expect(await logins.identify(leader)).not.toHaveProperty('user.roles');
    }
  });

  test('a listed name counts if one group alone has it, an id always; the doctor names the groups', async () => {
    const { site, open } = await siteFor(db);
    const [real, other] = [await site.logIn('20'), await site.logIn('21')];
    const join = async (group: number, user: number) =>
      await site.insert('user_group', { group_id: group, user_id: user, user_pending: 0 });
    await site.insert('groups', { group_id: 10, group_type: 1, group_name: 'Großes Team' });
    await join(10, 20);
    await join(2, 20);
    const admins = { admins: ['Großes Team'] };
    const rolesOf = async (options: Partial<SitePlace>) => {
      const logins = await open(options);
      const answers = await Promise.all([real, other].map((device) => logins.identify(device)));
      return answers.map((answer) => ('user' in answer ? answer.user.roles : answer.reason));
    };
    expect(await rolesOf(admins)).toEqual([['admin'], undefined]);
    // The leader of another group gives it these names, and the type of those that are part of phpBB.
    await site.insert('groups', { group_id: 11, group_type: 3, group_name: 'Großes Team' });
    await site.insert('groups', { group_id: 12, group_type: 3, group_name: 'ADMINISTRATORS' });
    await join(11, 21);
    await join(12, 21);
    expect(await rolesOf(admins)).toEqual([undefined, undefined]);
    expect(await rolesOf({})).toEqual([undefined, undefined]);
    expect(await rolesOf({ admins: ['id:10'], moderators: ['id:2'] })).toEqual([
      ['admin', 'moderator'],
      undefined,
    ]);
    const lines: string[] = [];
    const line = (text: string) => void lines.push(text);
    const settings = { CHAT_SITE: site.folder, CHAT_SITE_ADMINS: 'Großes Team,id:10,No Team,id:99' };
    await doctor([], settings, { finding: line, problem: line });
    expect(lines.join('\n')).toMatch(
      /several groups have the name Großes Team, .*: id:10, id:11\.\n.*by its id.*\n.*no group has the name No Team, .*\n.*by its id.*\n.*no group has the id 99, /,
    );
    // Servers that have read the groups at other times have the same configuration nevertheless.
    const fingerprint = async () => {
      const { logins } = await openSite({ folder: site.folder, ...admins });
      onTestFinished(() => logins.close());
      return logins.fingerprint?.((text) => text);
    };
    const before = await fingerprint();
    expect(before).toHaveProperty('site', expect.stringContaining('cookie'));
    await site.run("UPDATE #_groups SET group_name = 'Team' WHERE group_id = 11");
    expect(await fingerprint()).toEqual(before);
    await site.run("UPDATE #_groups SET group_name = 'GROßES TEAM' WHERE group_id = 11");
    expect(await rolesOf(admins)).toEqual([undefined, undefined]);
    await site.run("UPDATE #_groups SET group_name = 'Another' WHERE group_id = 11");
    expect(await rolesOf(admins)).toEqual([['admin'], undefined]);
    const logins = await open(admins);
    const login = (await logins.identify(real)) as Login;
    await site.run("UPDATE #_groups SET group_name = 'Großes Team' WHERE group_id = 11");
    await logins.reload?.();
    const verdict = await differing(logins, login);
    expect(verdict).toMatchObject({ state: 'user', login: { user: { id: '20' } } });
    expect(verdict).not.toHaveProperty('login.user.roles');
  });

  test('bans: of the user, of an address, with an end, with an exception; founders have none', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const device = await site.logIn('7', { address: '203.0.113.9', remember: true });
    const isUser = async () => 'user' in (await logins.identify(device));
    const login = (await logins.identify(device)) as Login;
    const cases: [object[], boolean][] = [
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
      await site.run('DELETE FROM #_banlist');
      for (const ban of bans) await site.insert('banlist', ban as Record<string, string | number>);
      expect(await isUser(), JSON.stringify(bans)).toBe(may);
      const verdict = await logins.check([login as never])[0];
      expect(verdict === null || verdict?.state === 'user', JSON.stringify(bans)).toBe(may);
    }
    await site.insert('banlist', { ban_ip: '*' });
    // By the key of the browser, too.
    await device.dropSession();
    expect(await isUser()).toBe(false);
    await site.run('UPDATE #_users SET user_type = 3');
    expect(await isUser()).toBe(true);
    const four = await siteFor(db, '4.0.0');
    const there = await four.open();
    const phone = await four.site.logIn('7');
    expect(await there.identify(phone)).toMatchObject({ user: { id: '7' } });
    await four.site.insert('bans', { ban_userid: 7, ban_mode: 'user', ban_item: '7', ban_end: now() + day });
    expect(await there.identify(phone)).toMatchObject({ code: 'unauthorized' });
    await four.site.run('UPDATE #_bans SET ban_end = 5');
    expect(await there.identify(phone)).toMatchObject({ user: { id: '7' } });
  });

  test('bans of addresses: that of the visitor, beside the one that phpBB has noted; a new one in the row counts at once', async () => {
    const { site, open } = await siteFor(db);
    const device = await site.logIn('7', { address: '203.0.113.9', remember: true });
    const forwarding = { address: '203.0.113.9', forwardedFor: '192.0.2.1 192.0.2.2' };
    const far = await site.logIn('8', forwarding);
    const [logins, unchecked] = [await open({ checks: true }), await open()];
    await site.set('forwarded_for_check', '1');
    const proxied = await open({ checks: true });
    const credentials = { ...device, address: '203.0.113.77' };
    const behind = { ...far, ...forwarding };
    const byKey = { ...credentials, cookies: device.cookies.replace(/_sid=\w/, '_sid=0') };
    const known = [
      [logins, credentials, (await logins.identify(credentials)) as Login],
      [logins, byKey, (await logins.identify(byKey)) as Login],
      [unchecked, credentials, (await unchecked.identify(credentials)) as Login],
      [proxied, behind, (await proxied.identify(behind)) as Login],
    ] as const;
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
      await site.run('DELETE FROM #_banlist');
      for (const ban_ip of bans) await site.insert('banlist', { ban_ip });
      for (const ban_ip of exceptions) await site.insert('banlist', { ban_ip, ban_exclude: 1 });
      const message = JSON.stringify([bans, exceptions]);
      const answers = await Promise.all(known.map(([of, from]) => of.identify(from)));
      expect(
        answers.map((answer) => 'user' in answer),
        message,
      ).toEqual(may);
      const verdicts = await Promise.all(known.map(([of, , login]) => of.check([login])[0]));
      expect(
        verdicts.map((verdict) => verdict === null || verdict?.state === 'user'),
        message,
      ).toEqual(may);
    }
    await site.run('DELETE FROM #_banlist');
    await site.insert('banlist', { ban_ip: '2001:DB8::*' });
    expect(await Promise.all(unchecked.check([known[2][2]]))).not.toMatchObject([{ state: 'nobody' }]);
    await site.run("UPDATE #_sessions SET session_ip = '2001:db8::5' WHERE session_user_id = 7");
    expect(await unchecked.check([known[2][2]])[0]).toMatchObject({ state: 'nobody' });
  });

  test('the time without a page view: writing in the chat renews it, and nothing brings an expired session back', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const left = async (login: Login) => Math.round(((await logins.ttl(login as never)) ?? 0) / 60_000);
    const login = (await logins.identify(await site.logIn('7', { ago: 3000 }))) as Login;
    expect(await left(login)).toBe(11);
    await logins.renew(login as never, 3600);
    const verdict = await logins.check([login as never])[0];
    if (verdict?.state !== 'user') throw new Error('no user');
    expect(await left(verdict.login)).toBe(61);
    await site.run(`UPDATE #_sessions SET session_time = ${now() - 3700}`);
    await logins.renew(verdict.login, 3600);
    expect(await logins.check([verdict.login])[0]).toMatchObject({ state: 'nobody' });
    expect(await logins.identify(await site.logIn('7', { ago: 3662 }))).toMatchObject({
      code: 'unauthorized',
    });
    expect(await logins.identify(await site.logIn('7', { ago: 3650 }))).toMatchObject({ user: { id: '7' } });
  });

  if (kind === 'postgres')
    test('without a right: the words are those of a site, and name no store URL', async () => {
      const { site, open } = await siteFor(db);
      const logins = await open();
      const device = await site.logIn('7');
      const login = (await logins.identify(device)) as Login;
      await site.run('REVOKE UPDATE (session_time) ON #_sessions FROM site');
      await expect(logins.renew(login as never, 3600)).rejects.toThrow(
        /^the user of the database may not renew logins, .*doctor -- --grants/,
      );
      await site.run('ALTER TABLE #_banlist RENAME TO #_away');
      expect(await logins.identify(device)).toMatchObject({
        code: 'session_store_unavailable',
        reason: expect.stringMatching(/^the database lacks a table or a column that is read \(42P01\)$/),
      });
      await site.run('ALTER TABLE #_away RENAME TO #_banlist');
    });

  test('more bans of addresses than the database gives are no answer: it may have left out the one that counts', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const device = await site.logIn('7');
    const login = (await logins.identify(device)) as Login;
    const numbers = {
      mysql: 'SELECT seq FROM seq_1_to_30000',
      postgres: 'SELECT generate_series(1, 30000) AS seq',
      sqlite:
        'WITH RECURSIVE some (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM some WHERE seq < 30000) SELECT seq FROM some',
    }[kind];
    await site.run(
      `INSERT INTO #_banlist (ban_ip) SELECT CONCAT('2001:0db8:0000:0000:0000:0000:0000:', seq) FROM (${numbers}) AS numbers`,
    );
    if (kind === 'mysql') {
      await expect(logins.check([login])[0]).rejects.toThrow('phpBB has 30000 bans of addresses, more than');
      expect(await logins.identify(device)).toMatchObject({ code: 'session_store_unavailable' });
    } else expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  });

  if (kind === 'mysql')
    test('the rows are found by keys, and not by reading a table', async () => {
      const { site } = await siteFor(db);
      await site.logIn('7', { remember: true });
      const found = await phpbb.find(await siteFolder({ folder: site.folder }), {});
      if (found === null) throw new Error('not found');
      for (const { select, id } of Object.values(
        phpbb.logins(
          phpbb.site(found, new Map([['cookie_name', { value: Buffer.from('c') }]])),
          siteSql(mysql),
        ),
      )) {
        const plan = await db.run(`EXPLAIN SELECT * FROM (${select}) AS logins WHERE ${id} IN ('7', '8')`);
        // There are no bans here, and no index of them.
        const read = plan.filter(
          ({ type, table }) => /^(s|k|u|<.*>)$/.test(String(table)) && /^(ALL|index)$/.test(String(type)),
        );
        expect(read).toEqual([]);
      }
    });
});

/** A site for one test, and its logins. */
async function siteFor(db: TestDatabase, version?: string) {
  const site = await phpbbSite(db, version);
  onTestFinished(site.remove);
  const open = (more: Partial<SitePlace> = {}) => loginsOf(site.folder, { checks: false, ...more });
  return { site, open };
}

describe('phpBB', async () => {
  const db = await startSiteDatabase('sqlite');
  afterAll(() => db.remove());

  test('the chat of a phpBB: the address and the browser of the request count; a logout ends the connection', async () => {
    const site = await phpbbSite(db);
    onTestFinished(site.remove);
    const server = await nextChatServer({ CHAT_SITE: site.folder });
    onTestFinished(async () => void (await server.stop()));
    const device = await site.logIn('7', { name: 'Ann &amp; Co', address: '127.0.0.1' });
    const client = await connectChat(server.url, device.cookies);
    expect(client.ready).toMatchObject({ user: { id: '7', name: 'Ann & Co' }, roles: [] });
    for (const elsewhere of [{ address: '203.0.113.9' }, { address: '127.0.0.1', browser: 'Another' }]) {
      const { cookies } = await site.logIn('7', elsewhere);
      await expect(connectChat(server.url, cookies)).rejects.toThrow('unauthorized');
    }
    await device.logOut();
    expect(await client.ended).toMatchObject({ reason: 'logout' });
    expect(server.output()).not.toContain(device.sid);
  });

  if (soak)
    test('the log says when a listed name comes to be that of several groups', async () => {
      const site = await phpbbSite(db);
      onTestFinished(site.remove);
      // A signal is for a process of its own.
      const server = await startChatServer({ CHAT_SITE: site.folder, CHAT_SITE_ADMINS: 'R&D' });
      onTestFinished(async () => void (await server.stop()));
      const said =
        /^.*several groups have the name R&D,.* id:10, id:4".*"msg":"this should be corrected".*$/m;
      expect(server.output()).not.toMatch(said);
      await site.insert('groups', { group_id: 10, group_type: 1, group_name: 'r&amp;d' });
      process.kill(server.pid, 'SIGHUP');
      await server.until(said);
    });

  test('of two connections of one session, each is compared with bans by its own address', async () => {
    const site = await phpbbSite(db);
    onTestFinished(site.remove);
    const server = await nextChatServer({ CHAT_SITE: site.folder, CHAT_TRUSTED_PROXIES: '127.0.0.1' });
    onTestFinished(async () => void (await server.stop()));
    const { cookies } = await site.logIn('7', { address: '203.0.113.9' });
    const from = (address: string) =>
      connectChat(server.url, null, { extraHeaders: { cookie: cookies, 'x-forwarded-for': address } });
    const [first, second] = [await from('203.0.113.77'), await from('203.0.113.78')];
    await site.insert('banlist', { ban_ip: '203.0.113.78' });
    expect(await second.ended).toMatchObject({ reason: 'logout' });
    await first.request('room:join', { room: 'lobby' });
    await site.insert('banlist', { ban_ip: '203.0.113.77' });
    expect(await first.ended).toMatchObject({ reason: 'logout' });
  });

  if (soak)
    test('the doctor recommends CHAT_SITE_CHECKS=off only where the row of a login has what no visitor has, and warns', async () => {
      const { site } = await siteFor(db);
      const examined = async (given: Partial<PhpbbLogin>, env: Record<string, string> = {}) => {
        const { cookies } = await site.logIn('7', { browser: 'Mozilla', ...given });
        const lines: string[] = [];
        const line = (text: string) => void lines.push(text);
        const settings = { CHAT_SITE: site.folder, CHAT_TRUSTED_PROXIES: '10.0.0.0/8,127.0.0.1', ...env };
        await doctor(['--cookie', cookies], settings, { finding: line, problem: line });
        expect(lines.join('\n')).toContain('The user 7 is logged in');
        return lines.filter((text) => /noted|→.*CHAT_SITE_CHECKS/.test(text)).join('\n');
      };
      const recommended =
        /^✗ phpBB has noted (10\.1\.2\.3|no browser) .*refuses everybody\.\n {2}→ .*CHAT_SITE_CHECKS=off .*Be warned: a stolen session id then works from everywhere\.$/;
      expect(await examined({ address: '10.1.2.3' })).toMatch(recommended);
      expect(await examined({ address: '203.0.113.9', browser: '' })).toMatch(recommended);
      expect(await examined({ address: '203.0.113.9' })).toBe('');
      expect(await examined({ address: '10.1.2.3' }, { CHAT_TRUSTED_PROXIES: '' })).toBe('');
      expect(await examined({ address: '10.1.2.3' }, { CHAT_SITE_CHECKS: 'off' })).toBe('');
      await site.set('ip_check', '0');
      expect(await examined({ address: '10.1.2.3' })).toBe('');
    });

  test('cookies: of a session that is gone, of the browser, of two users, changed', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const [one, other] = [
      await site.logIn('7', { remember: true }),
      await site.logIn('8', { remember: true }),
    ];
    const userOf = async (cookies: Record<string, string>, of = logins) => {
      const header = Object.entries(cookies).map(([part, value]) => `${site.cookie}_${part}=${value}`);
      const answer = await of.identify({ cookies: header.join('; ') });
      return 'code' in answer ? null : answer.user.id;
    };
    const nothing = 'f'.repeat(32);
    const wrong = nothing.slice(16);
    expect(await userOf({ sid: one.sid })).toBe('7');
    expect(await userOf({ sid: `%20${one.sid}%0a` })).toBe('7');
    // The session decides, and the others are not compared with it.
    expect(await userOf({ sid: one.sid, u: '8', k: other.key })).toBe('7');
    expect(await userOf({ sid: one.sid, u: '7', k: wrong })).toBe('7');
    expect(await userOf({ sid: nothing, u: '7', k: one.key })).toBe('7');
    expect(await userOf({ sid: nothing, u: '8', k: one.key })).toBeNull();
    expect(await userOf({ sid: nothing, u: '7', k: wrong })).toBeNull();
    expect(await userOf({ sid: nothing, u: '7' })).toBeNull();
    expect(await userOf({ sid: '', u: '7', k: one.key })).toBeNull();
    expect(await userOf({ u: '7', k: one.key })).toBeNull();
    expect(await userOf({ sid: one.sid.toUpperCase() })).toBeNull();
    expect(await userOf({ 'sid[]': one.sid })).toBeNull();
    // The session of a guest that holds wins over the key.
    const guest = await site.logIn('1');
    expect(await userOf({ sid: guest.sid, u: '7', k: one.key })).toBeNull();
    await site.set('allow_autologin', '0');
    const strict = await open();
    expect(await userOf({ sid: nothing, u: '7', k: one.key }, strict)).toBeNull();
    expect(await userOf({ sid: one.sid }, strict)).toBeNull();
    const four = await siteFor(db, '4.0.0');
    const there = await four.open();
    const phone = await four.site.logIn('7', { remember: true });
    expect(await userOf({ u: '7', k: phone.key }, there)).toBe('7');
  });

  test('remembered: a session lasts without page views, and its row may be cleaned away; a logout ends it', async () => {
    const { site, open } = await siteFor(db);
    const logins = await open();
    const [one, two] = [
      await site.logIn('7', { remember: true, ago: day }),
      await site.logIn('7', { remember: true }),
    ];
    const login = (await logins.identify(one)) as Login;
    expect(login.ends).toBeUndefined();
    await one.dropSession();
    const verdict = await logins.check([login as never])[0];
    expect(verdict).toMatchObject({ state: 'user', login: { handle: login.handle, user: { id: '7' } } });
    if (verdict?.state !== 'user') throw new Error('no user');
    expect(await logins.check([verdict.login])[0]).toBeNull();
    await one.logOut();
    expect(await logins.check([verdict.login])[0]).toMatchObject({ state: 'nobody' });
    // The other device of the user stays, until a new password ends its session and all keys.
    expect(await logins.identify(two)).toMatchObject({ user: { id: '7' } });
    await site.run('DELETE FROM #_sessions_keys');
    expect(await logins.identify(two)).toMatchObject({ user: { id: '7' } });
    await two.dropSession();
    expect(await logins.identify(two)).toMatchObject({ code: 'unauthorized' });
    await site.set('max_autologin_time', '1');
    const bounded = await open();
    const at = async (ago: number) => bounded.identify(await site.logIn('7', { remember: true, ago }));
    const old = await site.logIn('7', { remember: true, ago: day - 30 });
    await site.run('DELETE FROM #_sessions_keys');
    expect(await bounded.identify(old)).toMatchObject({ code: 'unauthorized' });
    expect(await at(day - 90)).toMatchObject({ user: { id: '7' } });
  });

  test('the address and the browser as phpBB compares them', async () => {
    const { site, open } = await siteFor(db);
    const agent = 'Mozilla/5.0 (X11; "A" & <B>) Zoë';
    const header = Buffer.from(agent).toString('latin1');
    const cases: [given: Partial<PhpbbLogin>, Credentials, boolean, settings?: Record<string, string>][] = [
      [{ address: '203.0.113.9', browser: agent }, { address: '203.0.113.77', userAgent: header }, true],
      [{ address: '203.0.113.9' }, { address: '::ffff:203.0.113.77' }, true],
      [{ address: '203.0.113.9' }, { address: '203.0.114.9' }, false],
      [{ address: '203.0.113.9' }, { address: '203.0.113.77' }, false, { ip_check: '4' }],
      [{ address: '203.0.113.9' }, { address: '2001:db8::1' }, false],
      [{ address: '203.0.113.9' }, { address: '2001:db8::1' }, true, { ip_check: '0' }],
      [{ address: '2001:db8::1' }, { address: '2001:db8:0:0:5::9' }, true],
      [{ address: '2001:db8::1' }, { address: '2001:db8:0:1:5::9' }, false],
      [{ address: '2001:db8::1' }, { address: '2001:db8:0:1:5::9' }, true, { ip_check: '2' }],
      [{ address: '2001:db8::1' }, { address: '2001:db8::2' }, false, { ip_check: '4' }],
      [{ browser: agent }, { userAgent: header.toUpperCase().replace('ZOÃ«', 'ZOÃ«') }, true],
      [{ browser: agent }, { userAgent: 'Another' }, false],
      [{ browser: agent }, {}, false],
      [{ browser: agent }, { userAgent: 'Another' }, true, { browser_check: '0' }],
      // Blanks of PHP alone are cut off, and marks of the byte order are left out.
      [{ browser: `${agent}\u00a0` }, { userAgent: `${header}\u00c2\u00a0` }, true],
      [{ browser: `\ufeff${agent}` }, { userAgent: `\u00ef\u00bb\u00bf${header}` }, true],
      [{ browser: 'M'.repeat(200) }, { userAgent: 'm'.repeat(180) }, true],
      [
        { forwardedFor: '192.0.2.1 192.0.2.2' },
        { forwardedFor: '192.0.2.1, 192.0.2.2' },
        true,
        { forwarded_for_check: '1' },
      ],
      [{ forwardedFor: '192.0.2.1' }, { forwardedFor: '192.0.2.3' }, false, { forwarded_for_check: '1' }],
      [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3, unknown' }, true, { forwarded_for_check: '1' }],
      // A comma without an address after it, and a zone: phpBB keeps nothing of such a header.
      [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3,' }, true, { forwarded_for_check: '1' }],
      [{ forwardedFor: '' }, { forwardedFor: 'fe80::1%eth0' }, true, { forwarded_for_check: '1' }],
      [{ forwardedFor: '' }, { forwardedFor: '192.0.2.3' }, true],
    ];
    const free = await open();
    let set = '';
    let logins = await open({ checks: true });
    for (const [given, credentials, fits, settings = {}] of cases) {
      if (JSON.stringify(settings) !== set) {
        set = JSON.stringify(settings);
        await site.run(`DELETE FROM #_config WHERE config_name LIKE '%_check'`);
        for (const [name, value] of Object.entries(settings)) await site.set(name, value);
        logins = await open({ checks: true });
      }
      const { cookies } = await site.logIn('7', given);
      const answer = await logins.identify({ ...credentials, cookies });
      expect('user' in answer, JSON.stringify([given, credentials, settings])).toBe(fits);
      if (fits) continue;
      expect(answer).toMatchObject({
        reason: expect.stringContaining('another'),
        hint: expect.stringContaining('CHAT_SITE_CHECKS'),
      });
      expect(await free.identify({ ...credentials, cookies })).toMatchObject({ user: { id: '7' } });
    }
  });
});
