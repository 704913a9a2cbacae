import { execFileSync } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import {
  expectLogins,
  expectRefused,
  now,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../../test/helpers/application-site.ts';
import { type MoodleSession, moodleSite } from '../../../../test/helpers/moodle.ts';
import { siteFiles } from '../../../../test/helpers/site-database.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { applicationContract } from '../contracts/login.ts';

// grants.test.ts tests Moodle with PostgreSQL.
const db = await siteDatabase('mysql');

applicationContract('Moodle', db, () => moodleSite(db), {
  named: (firstname) => ({ firstname, lastname: '' }),
});

const siteFor = async (config = '', options: SiteOptions = {}, ...before: string[]) => {
  const site = await moodleSite(db, config);
  for (const sql of before) await site.run(sql);
  return openedSite(Promise.resolve(site), options);
};

test('accepts exactly the sessions that Moodle accepts', async () => {
  stopClock();
  const site = await siteFor();
  let users = 50;
  const logIn = (_: string, session: MoodleSession) => site.logIn(String(++users), session);
  await expectLogins(
    { ...site, logIn },
    {
      user: { 'logged in': {}, 'the last second': { row: { timemodified: now() - 7200 } } },
      nobody: {
        'nobody logged in': { row: { userid: 0 } },
        'the guest account': { row: { userid: 1 } },
        expired: { row: { timemodified: now() - 7201 } },
        deleted: { user: { deleted: 1 } },
        suspended: { user: { suspended: 1 } },
        'without a login': { user: { auth: 'nologin' } },
        'without a row of the user': { row: { userid: 999 } },
        'the guest account by its name': { user: { username: 'guest' } },
      },
    },
  );
  const { sid } = await site.logIn('7');
  await expectRefused(
    site.logins,
    [sid.toUpperCase(), `${sid} `, `${sid}%00`].map((value) => `MoodleSession=${value}`),
  );
});

test('ends a login after a suspension or an expiry, and renews it by use', async () => {
  const { logins, logIn, run, login, check } = await siteFor();
  const known = await login(await logIn('7'));
  await run('UPDATE #__user SET suspended = 1');
  expect(await check(known)).toMatchObject({ state: 'nobody', reason: 'the user is suspended on the site' });
  const old = await login(await logIn('8', { row: { timemodified: now() - 7000 } }));
  expect(await logins.ttl(old as never)).toBeLessThanOrEqual(201_000);
  // Writing in the chat renews it, if the database allows that.
  await logins.renew(old as never, 7200);
  const verdict = await check(old);
  if (verdict?.state !== 'user') throw new Error('not renewed');
  expect(await logins.ttl(verdict.login as never)).toBeGreaterThan(7_100_000);
  const late = await login(await logIn('9'));
  stopClock();
  vi.setSystemTime(Date.now() + 8_000_000);
  expect(await check(late)).toMatchObject({ state: 'nobody', reason: 'the session has expired' });
  expect(await logins.ttl(late as never)).toBe(0);
});

test('takes display names from Moodle, and gives roles to site administrators and managers', async () => {
  const { logIn, run, login, who, changed } = await siteFor(
    "$CFG->fullnamedisplay = 'lastname, firstname (alternatename)';",
  );
  await run('INSERT INTO #__role_assignments VALUES (1, 1, 1, 7), (2, 2, 1, 8), (3, 1, 2, 8)');
  const name = 'Lee, Ann';
  expect(await who(await logIn('33', { user: { alternatename: 'Zoë' } }))).toEqual({
    ...{ id: '33', name: `${name} (Zoë)`, roles: ['admin'] },
  });
  expect(await who(await logIn('7'))).toEqual({ id: '7', name, roles: ['moderator'] });
  // A course manager has no role for the whole site.
  expect(await who(await logIn('8'))).toEqual({ id: '8', name });
  let known = await login(await logIn('2'));
  for (const [siteadmins, roles] of [
    ['33', {}],
    ['33,2', { roles: ['admin'] }],
  ]) {
    await run(`UPDATE #__config SET value = '${siteadmins}' WHERE name = 'siteadmins'`);
    const verdict = await changed(known);
    if (verdict.state !== 'user') throw new Error(verdict.reason);
    known = verdict.login;
    expect(known.user).toEqual({ id: '2', name, ...(roles as object) });
  }
});

test('takes the roles from the settings and config.php', async () => {
  const own = await siteFor('', {
    admins: ['manager'],
    moderators: ['student'],
    team: ['student'],
    nobody: ['9'],
  });
  await own.run('INSERT INTO #__role_assignments VALUES (1, 1, 1, 7), (2, 2, 1, 2)');
  expect(await own.who(await own.logIn('7'))).toMatchObject({ roles: ['admin'] });
  expect(await own.who(await own.logIn('2'))).toMatchObject({ roles: ['moderator', 'team'] });
  expect(await own.isUser(await own.logIn('9'))).toBe(false);
  const fixed = await siteFor("$CFG->siteadmins = '7';");
  expect(await fixed.who(await fixed.logIn('7'))).toMatchObject({ roles: ['admin'] });
});

test('rejects a user who must change the password first', async () => {
  const { logIn, run, login, who, isUser, changed } = await siteFor();
  const device = await logIn('7');
  const known = await login(device);
  await run(
    "INSERT INTO #__user_preferences VALUES (1, 7, 'auth_forcepasswordchange', '0'), (2, 7, 'email_bounce_count', '1')",
  );
  expect(await isUser(device)).toBe(true);
  await run("UPDATE #__user_preferences SET value = '1' WHERE id = 1");
  const reason = expect.stringContaining('change the password');
  expect(await changed(known)).toMatchObject({ state: 'nobody', reason });
  expect(await who(device)).toEqual(reason);
  expect(await isUser(await logIn('8'))).toBe(true);
});

const page = "INSERT INTO #__config VALUES (8, 'sitepolicy', 'https://example.org/policy')";
const handler = "INSERT INTO #__config VALUES (9, 'sitepolicyhandler', 'tool_policy')";
const policy = (audience: number) => [
  'INSERT INTO #__tool_policy VALUES (1, 5)',
  `INSERT INTO #__tool_policy_versions VALUES (4, 1, 0), (5, 1, ${audience})`,
];
test.each<[asks: boolean, config: string, before: string[]]>([
  [false, '', []],
  [true, '', [page]],
  [false, "$CFG->sitepolicy = '';", [page]],
  [true, "$CFG->sitepolicyhandler = 'local_own';", []],
  [false, '', [page, handler]],
  [false, '', [handler, ...policy(2)]],
  [true, '', [handler, ...policy(1)]],
])('rejects a user without consent if the site has a policy: %s with %s %j', async (asks, config, before) => {
  const { logIn, isUser } = await siteFor(config, { admins: ['nobody'] }, ...before);
  expect(await isUser(await logIn('7'))).toBe(!asks);
  expect(await isUser(await logIn('8', { user: { policyagreed: 1 } }))).toBe(true);
  expect(await isUser(await logIn('9', { user: { auth: 'webservice' } }))).toBe(true);
  // Moodle does not ask administrators to agree to a policy.
  expect(await isUser(await logIn('33'))).toBe(true);
});

test('ends the logins of users who have not agreed to a new site policy', async () => {
  const { logIn, run, login, isUser, changed } = await siteFor('', {}, handler);
  const known = await login(await logIn('7'));
  for (const sql of policy(0)) await run(sql);
  expect(await changed(known)).toMatchObject({ state: 'nobody' });
  await run('UPDATE #__user SET policyagreed = 1');
  expect(await isUser(await logIn('7'))).toBe(true);
});

const factors = (totp: number) =>
  `INSERT INTO #__config_plugins VALUES (1, 'tool_mfa', 'enabled', '1'), (2, 'factor_totp', 'enabled', '${totp}'), (3, 'factor_email', 'enabled', '0')`;
test.each([
  [false, 1, ''],
  [true, 0, ''],
  // The file takes precedence over the table. A value that only PHP knows counts as on.
  [false, 0, "['factor_totp' => ['enabled' => 1]]"],
  [false, 0, "['factor_totp' => ['enabled' => getenv('OF_PHP')]]"],
  [true, 0, "['tool_mfa' => ['enabled' => false], 'factor_totp' => ['enabled' => 1]]"],
  [true, 0, "['factor_totp' => ['enabled' => 0], 'factor_email' => ['weight' => 100]]"],
  [true, 0, "['other' => ['enabled' => 1]]"],
  [true, 1, "['factor_totp' => ['enabled' => 0]]"],
  [true, undefined, "['tool_mfa' => ['enabled' => 1]]"],
  [false, undefined, "['tool_mfa' => ['enabled' => 1], 'factor_totp' => ['enabled' => 1]]"],
])('accepts sessions in files only if no second factor is enabled: %s, %s %s', async (may, totp, forced) => {
  const config = forced && `$CFG->forced_plugin_settings = ${forced};`;
  const { logIn, logins } = await siteFor(config, {}, ...(totp === undefined ? [] : [factors(totp)]));
  expect(await logins.identify(await logIn('7'))).toMatchObject(
    may ? { user: { id: '7' } } : { code: 'unauthorized', hint: expect.stringContaining('tool_mfa') },
  );
});

test('accepts a session in the table only if it shows the second factor', async () => {
  // Moodle's administration writes this setting into the table.
  const inTable = "INSERT INTO #__config VALUES (9, 'dbsessions', '1')";
  const { logIn, isUser } = await siteFor('', {}, factors(1), inTable);
  const session = (code: string) =>
    execFileSync('php', ['-r', `echo base64_encode('SESSION|'.serialize((object) [${code}]));`]).toString();
  const by = async (sessdata: string | null) => isUser(await logIn('7', { row: { sessdata } }));
  expect(await by(session("'a' => 1, 'tool_mfa_authenticated' => true"))).toBe(true);
  for (const sessdata of [null, '', 'x', session("'tool_mfa_authenticated' => false"), session('')])
    expect(await by(sessdata), String(sessdata)).toBe(false);
});

test('accepts a session that is tied to an address only from there, unless checks are off', async () => {
  const { logIn, isUser, ask } = await siteFor('$CFG->tracksessionip = true;');
  const device = await logIn('7', { row: { firstip: '192.0.2.7' } });
  expect(await isUser({ ...device, address: '192.0.2.7' })).toBe(true);
  expect(await isUser({ ...device, address: '192.0.2.8' })).toBe(false);
  expect(await (await ask({ checks: false })).isUser({ ...device, address: '192.0.2.8' })).toBe(true);
});

test('gives values in config.php precedence over the table', async () => {
  const { logIn, isUser } = await siteFor("$CFG->sessioncookie = 'Learn';\n$CFG->sessiontimeout = 60;");
  const by = async (row: { timemodified?: number }) =>
    isUser({ cookies: `MoodleSessionLearn=${(await logIn('7', { row })).sid}` });
  expect(await by({})).toBe(true);
  expect(await by({ timemodified: now() - 62 })).toBe(false);
});

test.each([
  ["$CFG->dbtype = 'oci';", 'the database type oci of Moodle is not supported'],
  [
    "$CFG->dbtype = 'pgsql'; $CFG->session_handler_class = '\\core\\session\\redis';",
    'keeps logins only in Redis',
  ],
])('rejects config.php with %s', async (config, reason) => {
  const { folder, write } = siteFiles('moodle');
  write('version.php', "$branch = '500';\n");
  write('config.php', `$CFG = new stdClass(); ${config}\nrequire_once(__DIR__ . '/lib/setup.php');`);
  await expect(openSite({ folder })).rejects.toThrow(reason);
});
