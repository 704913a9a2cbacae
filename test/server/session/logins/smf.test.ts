import { afterAll, describe, expect, test } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';

import { applicationContract } from '../../../contracts/login.ts';
import { size } from '../../../guarantees/size.ts';
import { openedSite } from '../../../helpers/application-site.ts';
import { startSiteDatabase, type TestDatabase } from '../../../helpers/site-database.ts';
import { smfSite } from '../../../helpers/smf.ts';

const now = () => Math.floor(Date.now() / 1000);

const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres'], ['mysql']);

describe.each(kinds)('SMF on %s', async (kind) => {
  const db = await startSiteDatabase(kind);
  afterAll(() => db.remove());

  applicationContract('SMF', db, () => smfSite(db), { oneLoginPerUser: true, named: (name) => name });

  /** A site for one test, and its logins. */
  const siteFor = async (secret?: string) => {
    const site = await openedSite(smfSite(db, secret));
    return { site, ...site };
  };

  test('names, groups, and accounts that are not active', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const device = await site.logIn('7', 'Zoë &amp; &lt;Bo&gt; &#039;');
    const cases: [group: number, more: string, activated: number, string[] | null][] = [
      [0, '', 1, []],
      [1, '', 1, ['admin']],
      [2, '', 1, ['moderator']],
      [0, '12,2', 11, ['moderator']],
      // 1 and 12 have a digit in common.
      [12, '', 1, []],
      ...[0, 2, 3, 4, 5, 10, 13].map((activated): [number, string, number, null] => [0, '', activated, null]),
    ];
    for (const [group, more, activated, roles] of cases) {
      await site.run('UPDATE #_members SET id_group = ?, additional_groups = ?, is_activated = ?', [
        ...[group, more, activated],
      ]);
      const answer = await logins.identify(device);
      expect('code' in answer ? null : answer.user, JSON.stringify([group, more, activated])).toEqual(
        roles && { id: '7', name: "Zoë & <Bo> '", ...(roles.length > 0 && { roles }) },
      );
    }
    await site.run(`UPDATE #_members SET is_activated = 1, id_group = 12`);
    const others = await open({ admins: ['R&D'], moderators: ['Newbie'], nobody: ['8'] });
    expect(await others.identify(device)).toMatchObject({ user: { roles: ['admin', 'moderator'] } });
    expect(await others.identify(await site.logIn('8'))).toMatchObject({ code: 'unauthorized' });
  });

  test('bans: by user, mail and address, with an end, from writing alone; administrators have none', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const device = await site.logIn('7');
    type Row = Record<string, string | number | null>;
    const all = { cannot_access: 1 };
    const cases: [group: Row, item: Row, 'in' | 'out' | 'muted'][] = [
      [all, { id_member: 8 }, 'in'],
      [all, { id_member: 7 }, 'out'],
      [{ cannot_login: 1 }, { id_member: 7 }, 'out'],
      [{ cannot_post: 1 }, { id_member: 7 }, 'muted'],
      [{ cannot_register: 1 }, { id_member: 7 }, 'in'],
      [{ ...all, expire_time: now() - 1 }, { id_member: 7 }, 'in'],
      [{ ...all, expire_time: now() + 3600 }, { id_member: 7 }, 'out'],
      [all, { email_address: '%@example.org' }, 'out'],
      [all, { email_address: '%@example.com' }, 'in'],
      [all, { ip_low: 'ip:203.0.113.0', ip_high: 'ip:203.0.113.255' }, 'out'],
      [all, { ip_low: 'ip:203.0.114.0', ip_high: 'ip:203.0.114.255' }, 'in'],
      [all, { ip_low: 'ip:2001:db8::', ip_high: 'ip:2001:db8::ffff' }, 'in'],
    ];
    const stateOf = async () => {
      const answer = await logins.identify(device);
      return 'code' in answer ? 'out' : answer.user.banned ? 'muted' : 'in';
    };
    for (const [group, item, state] of cases) {
      await site.run('DELETE FROM #_ban_groups');
      await site.run('DELETE FROM #_ban_items');
      await site.insert('ban_groups', { id_ban_group: 1, ...group });
      await site.insert('ban_items', { id_ban_group: 1, ...item });
      expect(await stateOf(), JSON.stringify([group, item])).toBe(state);
    }
    await site.insert('ban_items', { id_ban_group: 1, id_member: 7 });
    expect(await stateOf()).toBe('out');
    await site.run('UPDATE #_members SET id_group = 1');
    expect(await stateOf()).toBe('in');
  });

  test('a browser that has had a ban; a user with warnings may not write', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const device = await site.logIn('7');
    const by = async (marks: string) => {
      const answer = await logins.identify({ cookies: `${device.cookies}; ${site.cookie}_=${marks}` });
      return 'code' in answer ? null : answer;
    };
    await site.insert('ban_groups', { id_ban_group: 1, cannot_access: 1 });
    await site.insert('ban_groups', { id_ban_group: 2, cannot_access: 1, expire_time: now() - 1 });
    await site.insert('ban_groups', { id_ban_group: 3, cannot_access: 0, cannot_post: 1 });
    for (const id of [1, 2, 3])
      await site.insert('ban_items', { id_ban: id + 10, id_ban_group: id, id_member: 8 });
    for (const marks of ['', '12', '13', '1', '0,99', 'x']) expect(await by(marks), marks).not.toBeNull();
    for (const marks of ['12,11', '11x', '%20011']) expect(await by(marks), marks).toBeNull();
    const login = await by('12');
    await site.run('UPDATE #_ban_groups SET expire_time = NULL');
    expect(await logins.check([login as never])[0]).toMatchObject({ state: 'nobody' });
    await site.run('UPDATE #_members SET id_group = 1');
    expect(await by('11,12')).toMatchObject({ user: { id: '7' } });

    await site.insert('settings', { variable: 'warning_mute', value: '60' });
    const strict = await open();
    for (const [warning, group, banned] of [
      [59, 0, undefined],
      [60, 0, true],
      [60, 1, undefined],
    ] as const) {
      await site.run('UPDATE #_members SET warning = ?, id_group = ?', [warning, group]);
      const answer = await strict.identify(device);
      expect('code' in answer ? answer : answer.user.banned).toBe(banned);
    }
  });

  if (kind === 'mysql')
    test('more bans than the database gives are no answer', async () => {
      const { site, open } = await siteFor();
      const [logins, device] = [await open(), await site.logIn('7')];
      // With long numbers a third of the bans is enough.
      await site.insert('ban_groups', {
        id_ban_group: 1,
        cannot_access: 1,
        expire_time: '999999999999999999',
      });
      await site.run(
        'INSERT INTO #_ban_items (id_ban, id_ban_group, id_member) SELECT 1000000000 + seq, 1, 8 FROM seq_1_to_35000',
      );
      // The last in the order of texts.
      const marked = { cookies: `${device.cookies}; ${site.cookie}_=1000035000` };
      // A busy machine may take longer for them than the database has for an answer.
      const asked = (by: typeof device | typeof marked) =>
        expect.poll(() => logins.identify(by), { interval: 500 });
      await asked(marked).toMatchObject({
        code: 'session_store_unavailable',
        reason: expect.stringContaining('more bans than the chat can read'),
      });
      await asked(device).toMatchObject({ user: { id: '7' } });
    });

  test('who has to set up a second factor and has not is nobody', async () => {
    const { site, open } = await siteFor();
    const device = await site.logIn('7');
    await site.run('UPDATE #_membergroups SET tfa_required = 1 WHERE id_group IN (4, 12)');
    const cases: [mode: string, group: number, more: string, may: boolean][] = [
      ['1', 12, '', true],
      ['2', 12, '', false],
      ['2', 0, '2,12', false],
      // SMF asks for none for the group by posts, 4.
      ['2', 2, '', true],
      ['3', 0, '', false],
      ['3', 1, '', false],
    ];
    for (const [mode, group, more, may] of cases) {
      await site.run("DELETE FROM #_settings WHERE variable = 'tfa_mode'");
      await site.insert('settings', { variable: 'tfa_mode', value: mode });
      await site.run('UPDATE #_members SET id_group = ?, additional_groups = ?', [group, more]);
      const answer = await (await open()).identify(device);
      const message = JSON.stringify([mode, group, more]);
      expect(answer, message).toMatchObject(
        may
          ? { user: { id: '7' } }
          : { code: 'unauthorized', reason: 'the user has to set up a second factor first' },
      );
    }
    await site.run("UPDATE #_members SET tfa_secret = 'SECRET', tfa_backup = '$2y$10$backup'");
    expect(await (await open()).identify(await site.logIn('7'))).toMatchObject({ user: { id: '7' } });
  });

  test('a logout and a new password end the logins on all devices', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    for (const change of [
      (device: Awaited<ReturnType<typeof site.logIn>>) => device.logOut(),
      () => site.run(`UPDATE #_members SET passwd = 'another' WHERE id_member = 7`),
      () => site.run('DELETE FROM #_members WHERE id_member = 7'),
      () => site.run('UPDATE #_members SET is_activated = 4 WHERE id_member = 7'),
    ]) {
      const [one, two] = [await site.logIn('7'), await site.logIn('7')];
      const known = (await Promise.all([one, two].map((each) => logins.identify(each)))) as Login<never>[];
      expect(known.map(({ user }) => user.id)).toEqual(['7', '7']);
      await change(one);
      for (const verdict of await Promise.all(logins.check(known)))
        expect(verdict).toMatchObject({ state: 'nobody' });
      expect(await logins.identify(two)).toMatchObject({ code: 'unauthorized' });
    }
  });

  test('cookies: all forms that SMF reads, of two users, changed; with a second factor; without a secret in the file', async () => {
    const { site, open } = await siteFor();
    const logins = await open();
    const [one, other] = [await site.logIn('7'), await site.logIn('8')];
    const userOf = async (value: string, more = '', of = logins) => {
      const answer = await of.identify({ cookies: `${site.cookie}=${encodeURIComponent(value)}${more}` });
      return 'code' in answer ? null : answer.user.id;
    };
    const { hash } = one;
    const cases: [string, string | null][] = [
      [`{"0":7,"1":"${hash}","2":1,"3":"","4":""}`, '7'],
      [`[7,"${hash}"]`, '7'],
      [`["7x","${hash}"]`, '7'],
      [`a:3:{i:0;i:7;i:1;s:128:"${hash}";i:2;i:5;}`, '7'],
      [`{"0":8,"1":"${hash}"}`, null],
      [`{"0":7,"1":"${other.hash}"}`, null],
      [`{"0":7,"1":"${hash.slice(1)}"}`, null],
      [`{"0":7,"1":"${hash.toUpperCase()}"}`, null],
      [`{"0":7}`, null],
      [`{"0":0,"1":"${hash}"}`, null],
      [`{"0":9,"1":"${hash}"}`, null],
      [`{"0":9999999999,"1":"${hash}"}`, null],
      [`{"0":[7],"1":["${hash}"]}`, null],
      ['7', null],
      ['null', null],
      ['{"0":', null],
    ];
    for (const [value, user] of cases) expect(await userOf(value), value).toBe(user);
    await site.run(
      `UPDATE #_members SET tfa_secret = 'SECRET', tfa_backup = '$2y$10$backup' WHERE id_member IN (7, 8)`,
    );
    const [both, foreign] = [await site.logIn('7'), await site.logIn('8')];
    const [alone] = both.cookies.split('; ');
    expect(await logins.identify({ cookies: alone })).toMatchObject({ user: { id: '7' } });
    await site.insert('settings', { variable: 'tfa_mode', value: '1' });
    const strict = await open();
    expect(await strict.identify({ cookies: alone })).toMatchObject({ code: 'unauthorized' });
    expect(await strict.identify(both)).toMatchObject({ user: { id: '7' } });
    const mixed = `${alone}; ${foreign.cookies.split('; ')[1]}`;
    expect(await strict.identify({ cookies: mixed })).toMatchObject({ code: 'unauthorized' });
    const without = await siteFor('');
    const device = await without.site.logIn('7');
    expect(await (await without.open()).identify(device)).toMatchObject({ user: { id: '7' } });
  });
});
