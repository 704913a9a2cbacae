import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { joomla } from '../../../../server/session/logins/joomla.ts';
import { siteFolder } from '../../../../server/session/logins/site.ts';
import { applicationContract } from '../../../contracts/login.ts';
import { size } from '../../../guarantees/size.ts';
import { loginsOf, openedSite, siteDatabases, stopClock } from '../../../helpers/application-site.ts';
import { type JoomlaSession, joomlaSite } from '../../../helpers/joomla.ts';
import type { TestDatabase } from '../../../helpers/site-database.ts';

// In PostgreSQL, viewed.test.ts and grants.test.ts have it in an ordinary run.
const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres'], ['mysql']);
const databases = await siteDatabases(kinds);

const now = () => Math.floor(Date.now() / 1000);

describe.each(databases)('$kind', (db) => {
  applicationContract('Joomla', db, () => joomlaSite(db));

  const siteFor = (config: Record<string, string | boolean> = {}, options: SiteOptions = {}) =>
    openedSite(joomlaSite(db, config), options);

  test('the sessions that Joomla would take, and those that it would not', async () => {
    stopClock();
    const { logins, logIn, cookie } = await siteFor();
    const cases: [string, JoomlaSession, 'user' | 'nobody' | 'invalid'][] = [
      ['logged in', {}, 'user'],
      ['a session of the backend', { row: { client_id: 1 } }, 'nobody'],
      ['a session of the time when they were shared', { row: { client_id: null } }, 'nobody'],
      ['a guest', { row: { guest: 1, userid: 0 }, userInSession: 0 }, 'nobody'],
      ['a guest by the column alone', { row: { guest: 1 } }, 'nobody'],
      ['a guest by the session alone', { userInSession: 0 }, 'nobody'],
      ['another user in the session', { userInSession: 8 }, 'nobody'],
      ['the second factor was given', { more: { com_users: { mfa_checked: 1 } } }, 'user'],
      // A factor of Joomla before 4.2 gets its row at the first page.
      ['no page since the login', { more: {} }, 'nobody'],
      [
        'a second factor has to be set up',
        { more: { com_users: { mfa_checked: 0, mandatory_mfa_setup: 1 } } },
        'nobody',
      ],
      ['the last second', { now: now() - 900 }, 'user'],
      ['expired', { now: now() - 901 }, 'nobody'],
      // At the start of a page Joomla 4 writes the beginning of the session.
      ['a page is under way', { row: { time: 1 } }, 'user'],
      ['a session that cannot be read', { row: { data: 'joomla|s:9:"' } }, 'invalid'],
    ];
    for (const [what, session, state] of cases) {
      const answer = await logins.identify(await logIn('7', session));
      const code = { nobody: 'unauthorized', invalid: 'session_invalid' };
      expect(answer, what).toMatchObject(
        state === 'user' ? { user: { id: '7', name: 'Ann' } } : { code: code[state] },
      );
    }
    const device = await logIn('7');
    for (const value of [device.id.toUpperCase(), `${device.id} `, `${device.id}%00`, `-${device.id}`]) {
      expect(await logins.identify({ cookies: `${cookie}=${value}` })).toMatchObject({
        code: 'unauthorized',
      });
    }
  });

  test('changes while a user is logged in: out on one device, blocked, deleted, a second factor, an expiry', async () => {
    const { logins, logIn, run } = await siteFor();
    const [phone, desk] = [await logIn('7'), await logIn('7')];
    const verdictOf = async (login: Login) => logins.check([login as never])[0];
    const identified = async (device: typeof phone) => (await logins.identify(device)) as Login;
    // When tables have changed last may be known from a moment ago.
    const told = (login: Login) => expect.poll(() => verdictOf(login));
    const [onPhone, onDesk] = [await identified(phone), await identified(desk)];
    await phone.logOut();
    await told(onPhone).toMatchObject({ state: 'nobody' });
    expect(await verdictOf(onDesk)).toBeNull();
    await run('UPDATE #__users SET block = 1');
    await told(onDesk).toMatchObject({ state: 'nobody', reason: 'the user is blocked there' });
    await run('UPDATE #__users SET block = 0');
    // Joomla sends them to the form for a new password, whichever page they ask for.
    const reset = db.kind === 'mysql' ? 'requireReset' : '"requireReset"';
    await run(`UPDATE #__users SET ${reset} = 1`);
    await told(onDesk).toMatchObject({ reason: expect.stringContaining('new password') });
    await run(`UPDATE #__users SET ${reset} = 0`);
    await run("INSERT INTO #__user_mfa VALUES (1, 7, 'totp')");
    expect(await logins.identify(await logIn('7', { more: {} }))).toMatchObject({ code: 'unauthorized' });
    expect(await identified(await logIn('7'))).toMatchObject({ user: { id: '7' } });
    const late = await identified(await logIn('9'));
    stopClock();
    vi.setSystemTime(Date.now() + 1_000_000);
    await told(late).toMatchObject({ state: 'nobody', reason: 'the session has expired there' });
    expect(await logins.ttl(late as never)).toBe(0);
    await run('DELETE FROM #__users WHERE id = 7');
    await told(onDesk).toMatchObject({ state: 'nobody', reason: 'the user has been deleted' });
  });

  test('who has not agreed to the privacy policy is nobody, where the plugin asks for it', async () => {
    const { folder, logIn, run } = await siteFor();
    await run("UPDATE #__extensions SET enabled = 1 WHERE element = 'privacyconsent'");
    const logins = await loginsOf(folder);
    const device = await logIn('7');
    const subject = 'PLG_SYSTEM_PRIVACYCONSENT_SUBJECT';
    await run(`INSERT INTO #__privacy_consents VALUES (1, 7, 0, '${subject}'), (2, 8, 1, '${subject}')`);
    expect(await logins.identify(device)).toMatchObject({
      reason: expect.stringContaining('privacy policy'),
    });
    await run(`INSERT INTO #__privacy_consents VALUES (3, 7, 1, '${subject}')`);
    const login = (await logins.identify(device)) as Login;
    expect(login).toMatchObject({ user: { id: '7' } });
    await run('UPDATE #__privacy_consents SET state = 0');
    expect(await logins.check([login as never])[0]).toMatchObject({ state: 'nobody' });
  });

  test('the roles, also of groups within a group', async () => {
    const { logins, logIn, run } = await siteFor();
    const cases: [number, object][] = [
      [2, { name: 'Zoë <b>' }],
      [6, { roles: ['moderator'] }],
      [7, { roles: ['admin', 'moderator'] }],
      [8, { roles: ['admin'] }],
      [20, { roles: ['admin'] }],
    ];
    for (const [group, user] of cases) {
      await run(`INSERT INTO #__user_usergroup_map VALUES (${group + 100}, ${group})`);
      const device = await logIn(String(group + 100), { name: 'Zoë <b>' });
      expect(await logins.identify(device)).toEqual(
        expect.objectContaining({ user: { id: String(group + 100), name: 'Zoë <b>', ...user } }),
      );
    }
    const own = await siteFor({}, { admins: ['Helpers'], moderators: ['Registered'], nobody: ['9'] });
    await own.run('INSERT INTO #__user_usergroup_map VALUES (7, 21), (7, 2), (8, 8)');
    const roles = { roles: ['admin', 'moderator'] };
    expect(await own.logins.identify(await own.logIn('7'))).toMatchObject({ user: roles });
    expect(((await own.logins.identify(await own.logIn('8'))) as Login).user.roles).toBeUndefined();
    expect(await own.logins.identify(await own.logIn('9'))).toMatchObject({ code: 'unauthorized' });
  });

  test('sessions shared with the backend; another handler; a Joomla without a table of second factors', async () => {
    const shared = await siteFor({ shared_session: '1', session_name: 'abc', lifetime: '0' });
    const device = await shared.logIn('7', { row: { client_id: null } });
    expect(await shared.logins.identify(device)).toMatchObject({ user: { id: '7' } });
    const old = await shared.logIn('7', { now: now() - 902 });
    expect(await shared.logins.identify(old)).toMatchObject({ code: 'unauthorized' });
    // There the row says who is logged in, and not since when.
    const files = await siteFor({ session_handler: 'filesystem' });
    const metadata = await files.logIn('7', { row: { time: now() - 800, data: null } });
    expect(await files.logins.identify(metadata)).toMatchObject({ user: { id: '7' } });
    const idle = await files.logIn('8', { row: { time: now() - 901, data: null } });
    expect(await files.logins.identify(idle)).toMatchObject({ code: 'unauthorized' });
    await files.run('UPDATE #__extensions SET params = \'{"forceLogout":"0"}\'');
    await expect(openSite({ folder: files.folder })).rejects.toThrow('switch on “Force Logout');
    await files.run("INSERT INTO #__user_mfa VALUES (1, 7, 'totp')");
    expect(await files.logins.identify(metadata)).toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('Database'),
    });
    const site = await joomlaSite(db);
    onTestFinished(site.remove);
    // A site that has come from an older version may lack them.
    const optional = ['user_mfa', 'privacy_consents'].map((name) => site.prefix + name);
    for (const name of optional) await db.run(`ALTER TABLE ${name} RENAME TO ${name}_other`);
    const logins = await loginsOf(site.folder);
    expect(await logins.identify(await site.logIn('7'))).toMatchObject({ user: { id: '7' } });
    for (const name of optional) await db.run(`ALTER TABLE ${name}_other RENAME TO ${name}`);
  });
});

test('the name of the cookie that Joomla 5.1 made of this secret', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'joomla-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(
    join(folder, 'configuration.php'),
    "<?php\nclass JConfig {\npublic $secret = 'NbgDUbE5yG4VtLop';\n}\n",
  );
  const found = await joomla.find(await siteFolder({ folder }), {});
  expect(found?.cookies[0]).toBe('45d2e9c58d5d76e0d6903d4fc10ba627');
});

test('a configuration that says that Joomla keeps no users in its table: the error names the setting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'joomla-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = (lines: string) =>
    writeFileSync(join(folder, 'configuration.php'), `<?php\nclass JConfig {\n${lines}\n}\n`);
  config('public $session_metadata = false;');
  await expect(openSite({ folder })).rejects.toThrow('switch on “Track Session Metadata”');
  config("public $dbprefix = 'a b';");
  await expect(openSite({ folder })).rejects.toThrow('the prefix of the tables of Joomla');
});
