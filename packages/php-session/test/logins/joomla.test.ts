import { expect, test, vi } from 'vitest';
import {
  expectLogins,
  expectRefused,
  now,
  openedSite,
  siteDatabase,
  stopClock,
} from '../../../../test/helpers/application-site.ts';
import { joomlaSite } from '../../../../test/helpers/joomla.ts';
import { siteFiles } from '../../../../test/helpers/site-database.ts';
import type { SiteOptions } from '../../src/logins/application.ts';
import { openSite } from '../../src/logins/applications.ts';
import { joomla } from '../../src/logins/joomla.ts';
import { siteFolder } from '../../src/logins/site-folder.ts';
import { applicationContract } from '../contracts/login.ts';

// viewed.test.ts and grants.test.ts test Joomla with PostgreSQL.
const db = await siteDatabase('mysql');

applicationContract('Joomla', db, () => joomlaSite(db));

const siteFor = (config: Record<string, string | boolean> = {}, options: SiteOptions = {}) =>
  openedSite(joomlaSite(db, config), options);

test('accepts exactly the sessions that Joomla accepts', async () => {
  stopClock();
  const site = await siteFor();
  await expectLogins(site, {
    user: {
      'logged in': {},
      'the second factor was given': { more: { com_users: { mfa_checked: 1 } } },
      'the last second': { now: now() - 900 },
      // At the start of a page Joomla 4 writes the beginning of the session.
      'a page is in progress': { row: { time: 1 } },
    },
    nobody: {
      'a session of the backend': { row: { client_id: 1 } },
      'a session of the time when they were shared': { row: { client_id: null } },
      'a guest': { row: { guest: 1, userid: 0 }, userInSession: 0 },
      'a guest by the column alone': { row: { guest: 1 } },
      'a guest by the session alone': { userInSession: 0 },
      'another user in the session': { userInSession: 8 },
      // A factor from before Joomla 4.2 gets its row at the first page.
      'no page since the login': { more: {} },
      'a second factor to set up': { more: { com_users: { mfa_checked: 0, mandatory_mfa_setup: 1 } } },
      expired: { now: now() - 901 },
    },
    invalid: { 'a session that cannot be read': { row: { data: 'joomla|s:9:"' } } },
  });
  const { id } = await site.logIn('7');
  await expectRefused(
    site.logins,
    [id.toUpperCase(), `${id} `, `${id}%00`, `-${id}`].map((value) => `${site.cookie}=${value}`),
  );
});

test('ends a login after a logout, a block, a deletion or an expiry', async () => {
  const { logins, logIn, run, login, check, isUser } = await siteFor();
  const phone = await logIn('7');
  const [onPhone, onDesk] = [await login(phone), await login(await logIn('7'))];
  // The change times of tables may have been read a moment ago.
  const expectResult = (known: typeof onDesk) => expect.poll(() => check(known));
  await phone.logOut();
  await expectResult(onPhone).toMatchObject({ state: 'nobody' });
  expect(await check(onDesk)).toBeNull();
  for (const [column, reason] of [
    ['block', 'the user is blocked on the site'],
    // Joomla sends them to the form for a new password, whichever page they ask for.
    ['requireReset', expect.stringContaining('new password')],
  ]) {
    await run(`UPDATE #__users SET ${column} = 1`);
    await expectResult(onDesk).toMatchObject({ state: 'nobody', reason });
    await run(`UPDATE #__users SET ${column} = 0`);
  }
  await run("INSERT INTO #__user_mfa VALUES (1, 7, 'totp')");
  expect(await isUser(await logIn('7', { more: {} }))).toBe(false);
  expect(await isUser(await logIn('7'))).toBe(true);
  const late = await login(await logIn('9'));
  stopClock();
  vi.setSystemTime(Date.now() + 1_000_000);
  await expectResult(late).toMatchObject({ state: 'nobody', reason: 'the session has expired' });
  expect(await logins.ttl(late as never)).toBe(0);
  await run('DELETE FROM #__users WHERE id = 7');
  await expectResult(onDesk).toMatchObject({ state: 'nobody', reason: 'the user has been deleted' });
});

test('rejects a user without consent to the privacy policy if the plugin requires it', async () => {
  const { logIn, run, ask } = await siteFor();
  await run("UPDATE #__extensions SET enabled = 1 WHERE element = 'privacyconsent'");
  const { who, login, check } = await ask();
  const device = await logIn('7');
  const subject = 'PLG_SYSTEM_PRIVACYCONSENT_SUBJECT';
  await run(`INSERT INTO #__privacy_consents VALUES (1, 7, 0, '${subject}'), (2, 8, 1, '${subject}')`);
  expect(await who(device)).toContain('privacy policy');
  await run(`INSERT INTO #__privacy_consents VALUES (3, 7, 1, '${subject}')`);
  const known = await login(device);
  await run('UPDATE #__privacy_consents SET state = 0');
  expect(await check(known)).toMatchObject({ state: 'nobody' });
});

test('gives roles by groups and their subgroups', async () => {
  const { logIn, run, who, ask } = await siteFor();
  for (const [group, user] of [
    [2, {}],
    [6, { roles: ['moderator'] }],
    [7, { roles: ['admin', 'moderator'] }],
    [8, { roles: ['admin'] }],
    [20, { roles: ['admin'] }],
  ] as const) {
    const id = String(group + 100);
    await run(`INSERT INTO #__user_usergroup_map VALUES (${id}, ${group})`);
    expect(await who(await logIn(id, { name: 'Zoë <b>' }))).toEqual({ id, name: 'Zoë <b>', ...user });
  }
  const own = await ask({ admins: ['Helpers'], moderators: ['Registered'], team: ['id:21'], nobody: ['9'] });
  await run('INSERT INTO #__user_usergroup_map VALUES (7, 21), (7, 2), (8, 8)');
  expect(await own.who(await logIn('7'))).toMatchObject({ roles: ['admin', 'moderator', 'team'] });
  expect(await own.who(await logIn('8'))).toEqual({ id: '8', name: 'Ann' });
  expect(await own.isUser(await logIn('9'))).toBe(false);
});

test('keeps sessions shared with the backend as long as configuration.php says', async () => {
  const { logIn, isUser } = await siteFor({ shared_session: '1', session_name: 'abc', lifetime: '0' });
  expect(await isUser(await logIn('7', { row: { client_id: null } }))).toBe(true);
  expect(await isUser(await logIn('7', { now: now() - 902 }))).toBe(false);
});

test('requires “Force Logout” and rejects users with a second factor under another session handler', async () => {
  const { folder, logins, logIn, run, isUser } = await siteFor({ session_handler: 'filesystem' });
  const metadata = await logIn('7', { row: { time: now() - 800, data: null } });
  expect(await isUser(metadata)).toBe(true);
  expect(await isUser(await logIn('8', { row: { time: now() - 901, data: null } }))).toBe(false);
  await run('UPDATE #__extensions SET params = \'{"forceLogout":"0"}\'');
  await expect(openSite({ folder })).rejects.toThrow('switch on “Force Logout');
  await run("INSERT INTO #__user_mfa VALUES (1, 7, 'totp')");
  expect(await logins.identify(metadata)).toMatchObject({
    code: 'unauthorized',
    hint: expect.stringContaining('Database'),
  });
});

test('works without tables that a site from an older version may lack', async () => {
  const { logIn, run, ask } = await siteFor();
  const optional = ['user_mfa', 'privacy_consents'];
  for (const name of optional) await run(`ALTER TABLE #__${name} RENAME TO #__${name}_other`);
  expect(await (await ask()).isUser(await logIn('7'))).toBe(true);
  for (const name of optional) await run(`ALTER TABLE #__${name}_other RENAME TO #__${name}`);
});

/** A folder with this configuration. */
function configured(lines: string): string {
  const { folder, write } = siteFiles('joomla');
  write('configuration.php', `class JConfig {\n${lines}\n}\n`);
  return folder;
}

test('derives the name of the cookie from the secret like Joomla 5.1', async () => {
  const folder = configured("public $secret = 'NbgDUbE5yG4VtLop';");
  const found = await joomla.find(await siteFolder({ folder }), {});
  expect(found?.cookies[0]).toBe('45d2e9c58d5d76e0d6903d4fc10ba627');
});

test.each([
  ['public $session_metadata = false;', 'switch on “Track Session Metadata”'],
  ["public $dbprefix = 'a b';", 'dbprefix must have at most 48 characters'],
])('rejects a configuration with %s', async (lines, reason) => {
  await expect(openSite({ folder: configured(lines) })).rejects.toThrow(reason);
});
