import { expect, test } from 'vitest';
import { expectRefused, now, openedSite, siteDatabase } from '../../../../test/helpers/application-site.ts';
import { smfSite } from '../../../../test/helpers/smf.ts';
import type { Login } from '../../src/login.ts';
import { applicationContract } from '../contracts/login.ts';

const db = await siteDatabase('mysql');

applicationContract('SMF', db, () => smfSite(db), { oneLoginPerUser: true, named: (name) => name });

/** A site for one test, and its logins. */
const siteFor = (secret?: string) => openedSite(smfSite(db, secret));

test('shows active accounts with roles by group', async () => {
  const { run, logIn, logins, ask } = await siteFor();
  const device = await logIn('7', 'Zoë &amp; &lt;Bo&gt; &#039;');
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
    await run('UPDATE #_members SET id_group = ?, additional_groups = ?, is_activated = ?', [
      ...[group, more, activated],
    ]);
    const answer = await logins.identify(device);
    expect('code' in answer ? null : answer.user, JSON.stringify([group, more, activated])).toEqual(
      roles && { id: '7', name: "Zoë & <Bo> '", ...(roles.length > 0 && { roles }) },
    );
  }
  await run(`UPDATE #_members SET is_activated = 1, id_group = 12`);
  const others = await ask({ admins: ['R&D'], moderators: ['Newbie'], team: ['R&D'], nobody: ['8'] });
  expect(await others.who(device)).toMatchObject({ roles: ['admin', 'moderator', 'team'] });
  expect(await others.isUser(await logIn('8'))).toBe(false);
});

test('applies a ban by user, mail or address until its end, except to administrators', async () => {
  const { run, insert, logIn, logins } = await siteFor();
  const device = await logIn('7');
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
    [all, { id_member: 7, ip_low: 'ip:2001:db8::', ip_high: 'ip:2001:db8::ffff' }, 'out'],
  ];
  const stateOf = async () => {
    const answer = await logins.identify(device);
    return 'code' in answer ? 'out' : answer.user.banned ? 'muted' : 'in';
  };
  for (const [group, item, state] of cases) {
    for (const table of ['groups', 'items']) await run(`DELETE FROM #_ban_${table}`);
    await insert('ban_groups', { id_ban_group: 1, ...group });
    await insert('ban_items', { id_ban_group: 1, ...item });
    expect(await stateOf(), JSON.stringify([group, item])).toBe(state);
  }
  await run('UPDATE #_members SET id_group = 1');
  expect(await stateOf()).toBe('in');
});

test('rejects a browser that was banned until the ban ends', async () => {
  const { run, insert, cookie, logIn, logins, check } = await siteFor();
  const device = await logIn('7');
  const by = async (marks: string) => {
    const answer = await logins.identify({ cookies: `${device.cookies}; ${cookie}_=${marks}` });
    return 'code' in answer ? null : answer;
  };
  await insert('ban_groups', { id_ban_group: 1, cannot_access: 1 });
  await insert('ban_groups', { id_ban_group: 2, cannot_access: 1, expire_time: now() - 1 });
  await insert('ban_groups', { id_ban_group: 3, cannot_access: 0, cannot_post: 1 });
  for (const id of [1, 2, 3]) await insert('ban_items', { id_ban: id + 10, id_ban_group: id, id_member: 8 });
  for (const marks of ['', '12', '13', '1', '0,99', 'x']) expect(await by(marks), marks).not.toBeNull();
  for (const marks of ['12,11', '11x', '%20011']) expect(await by(marks), marks).toBeNull();
  const login = await by('12');
  await run('UPDATE #_ban_groups SET expire_time = NULL');
  expect(await check(login as Login)).toMatchObject({ state: 'nobody' });
  await run('UPDATE #_members SET id_group = 1');
  expect(await by('11,12')).toMatchObject({ user: { id: '7' } });
});

test('bans a user from writing after as many warnings as the settings say', async () => {
  const { run, insert, logIn, ask } = await siteFor();
  const device = await logIn('7');
  await insert('settings', { variable: 'warning_mute', value: '60' });
  const strict = await ask();
  for (const [warning, group, banned] of [
    [59, 0, undefined],
    [60, 0, true],
    [60, 1, undefined],
  ] as const) {
    await run('UPDATE #_members SET warning = ?, id_group = ?', [warning, group]);
    expect((await strict.login(device)).user.banned).toBe(banned);
  }
});

test('reports too many bans as a failure, because some may not have been read', async () => {
  const { run, insert, cookie, logIn, logins } = await siteFor();
  const device = await logIn('7');
  // The numbers are long, so that fewer bans exceed the limit of the database.
  await insert('ban_groups', { id_ban_group: 1, cannot_access: 1, expire_time: '999999999999999999' });
  await run(
    'INSERT INTO #_ban_items (id_ban, id_ban_group, id_member) SELECT 1000000000 + seq, 1, 8 FROM seq_1_to_35000',
  );
  // The last ban in the order of texts, so it is cut off.
  const marked = { cookies: `${device.cookies}; ${cookie}_=1000035000` };
  // On a busy machine, reading them may take longer than the timeout of the database.
  const expectAnswer = (by: typeof marked) => expect.poll(() => logins.identify(by), { interval: 500 });
  await expectAnswer(marked).toMatchObject({
    code: 'session_store_unavailable',
    reason: expect.stringContaining('more bans than can be read'),
  });
  await expectAnswer(device).toMatchObject({ user: { id: '7' } });
});

test('reports too many groups as a failure, because the group that requires a second factor may be cut off', async () => {
  const { run, insert, logIn, ask } = await siteFor();
  const device = await logIn('7');
  await insert('settings', { variable: 'tfa_mode', value: '2' });
  await run(
    "INSERT INTO #_membergroups (id_group, group_name, tfa_required) SELECT 100 + seq, REPEAT('x', 80), 1 FROM seq_1_to_14000",
  );
  // The last group in the order of texts, so it is cut off.
  await run('UPDATE #_members SET id_group = 9999');
  const { who } = await ask();
  // On a busy machine, reading them may take longer than the timeout of the database.
  await expect
    .poll(() => who(device), { interval: 500 })
    .toEqual(expect.stringContaining('more groups than can be read'));
});

test('rejects a user without the required second factor', async () => {
  const { run, insert, logIn, ask } = await siteFor();
  const device = await logIn('7');
  await run('UPDATE #_membergroups SET tfa_required = 1 WHERE id_group IN (4, 12)');
  const asks = 'the user must set up a second factor first';
  for (const [mode, group, more, answer] of [
    ['1', 12, '', { id: '7' }],
    ['2', 12, '', asks],
    ['2', 0, '2,12', asks],
    // SMF does not require a factor for the post-based group 4.
    ['2', 2, '', { id: '7' }],
    ['3', 0, '', asks],
    ['3', 1, '', asks],
  ] as const) {
    await run("DELETE FROM #_settings WHERE variable = 'tfa_mode'");
    await insert('settings', { variable: 'tfa_mode', value: mode });
    await run('UPDATE #_members SET id_group = ?, additional_groups = ?', [group, more]);
    const who = expect(await (await ask()).who(device), JSON.stringify([mode, group, more]));
    if (answer === asks) who.toBe(asks);
    else who.toMatchObject(answer);
  }
  await run("UPDATE #_members SET tfa_secret = 'SECRET', tfa_backup = '$2y$10$backup'");
  expect(await (await ask()).isUser(await logIn('7'))).toBe(true);
});

test('ends the logins on all devices after a logout or a new password', async () => {
  const { run, logIn, logins, isUser } = await siteFor();
  for (const change of [
    (device: { logOut(): Promise<void> }) => device.logOut(),
    () => run(`UPDATE #_members SET passwd = 'another' WHERE id_member = 7`),
    () => run('DELETE FROM #_members WHERE id_member = 7'),
    () => run('UPDATE #_members SET is_activated = 4 WHERE id_member = 7'),
  ]) {
    const [one, two] = [await logIn('7'), await logIn('7')];
    const known = (await Promise.all([one, two].map((each) => logins.identify(each)))) as Login<never>[];
    expect(known.map(({ user }) => user.id)).toEqual(['7', '7']);
    await change(one);
    for (const verdict of await Promise.all(logins.check(known)))
      expect(verdict).toMatchObject({ state: 'nobody' });
    expect(await isUser(two)).toBe(false);
  }
});

test('accepts an unchanged cookie in any form that SMF reads', async () => {
  const { cookie, logIn, logins, who } = await siteFor();
  const [{ hash }, other] = [await logIn('7'), await logIn('8')];
  const header = (value: string) => `${cookie}=${encodeURIComponent(value)}`;
  for (const value of [
    `{"0":7,"1":"${hash}","2":1,"3":"","4":""}`,
    `[7,"${hash}"]`,
    `["7x","${hash}"]`,
    `a:3:{i:0;i:7;i:1;s:128:"${hash}";i:2;i:5;}`,
  ])
    expect(await who({ cookies: header(value) }), value).toMatchObject({ id: '7' });
  await expectRefused(
    logins,
    [
      `{"0":8,"1":"${hash}"}`,
      `{"0":7,"1":"${other.hash}"}`,
      `{"0":7,"1":"${hash.slice(1)}"}`,
      `{"0":7,"1":"${hash.toUpperCase()}"}`,
      ...['0', '9', '9999999999'].map((id) => `{"0":${id},"1":"${hash}"}`),
      `{"0":[7],"1":["${hash}"]}`,
      ...['{"0":7}', '7', 'null', '{"0":'],
    ].map(header),
  );
});

test('requires the second cookie if SMF asks for a second factor', async () => {
  const { run, insert, logIn, isUser, ask } = await siteFor();
  for (const user of ['7', '8']) await logIn(user);
  await run("UPDATE #_members SET tfa_secret = 'SECRET', tfa_backup = '$2y$10$backup'");
  const [both, foreign] = [await logIn('7'), await logIn('8')];
  const [cookies] = both.cookies.split('; ');
  expect(await isUser({ cookies })).toBe(true);
  await insert('settings', { variable: 'tfa_mode', value: '1' });
  const strict = await ask();
  expect(await strict.isUser({ cookies })).toBe(false);
  expect(await strict.isUser({ cookies: `${cookies}; ${foreign.cookies.split('; ')[1]}` })).toBe(false);
  expect(await strict.isUser(both)).toBe(true);
});

test('uses Settings.php itself as the secret if it contains none', async () => {
  const { logIn, isUser } = await siteFor('');
  expect(await isUser(await logIn('7'))).toBe(true);
});
