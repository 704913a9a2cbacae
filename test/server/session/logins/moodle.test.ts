import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Login } from '../../../../server/session/login.ts';
import type { SiteOptions } from '../../../../server/session/logins/application.ts';
import { openSite } from '../../../../server/session/logins/applications.ts';
import { applicationContract } from '../../../contracts/login.ts';
import { size, soak } from '../../../guarantees/size.ts';
import {
  differing,
  loginsOf,
  openedSite,
  siteDatabases,
  stopClock,
} from '../../../helpers/application-site.ts';
import { type MoodleSession, moodleSite } from '../../../helpers/moodle.ts';
import type { TestDatabase } from '../../../helpers/site-database.ts';

// In PostgreSQL, grants.test.ts has it in an ordinary run.
const kinds = size<TestDatabase['kind'][]>(['mysql', 'postgres'], ['mysql']);
const databases = await siteDatabases(kinds);

const now = () => Math.floor(Date.now() / 1000);

describe.each(databases)('$kind', (db) => {
  applicationContract('Moodle', db, () => moodleSite(db), {
    named: (firstname) => ({ firstname, lastname: '' }),
  });

  const siteFor = async (config = '', options: SiteOptions = {}, before = '') => {
    const site = await moodleSite(db, config);
    if (before !== '') await site.run(before);
    return openedSite(Promise.resolve(site), options);
  };

  test('the sessions that Moodle would take, and those that it would not', async () => {
    stopClock();
    const { logins, logIn } = await siteFor();
    const cases: [string, MoodleSession, 'user' | 'nobody'][] = [
      ['logged in', {}, 'user'],
      ['nobody logged in', { row: { userid: 0 } }, 'nobody'],
      ['the guest account', { row: { userid: 1 } }, 'nobody'],
      ['the guest account by its name', { user: { username: 'guest' } }, 'nobody'],
      ['the last second', { row: { timemodified: now() - 7200 } }, 'user'],
      ['expired', { row: { timemodified: now() - 7201 } }, 'nobody'],
      ['deleted', { user: { deleted: 1 } }, 'nobody'],
      ['suspended', { user: { suspended: 1 } }, 'nobody'],
      ['without a login', { user: { auth: 'nologin' } }, 'nobody'],
      ['without a row of the user', { row: { userid: 999 } }, 'nobody'],
    ];
    for (const [n, [what, session, state]] of cases.entries()) {
      expect(await logins.identify(await logIn(String(n + 50), session)), what).toMatchObject(
        state === 'user' ? { user: { id: String(n + 50), name: 'Ann Lee' } } : { code: 'unauthorized' },
      );
    }
    const { sid } = await logIn('7');
    for (const value of [sid.toUpperCase(), `${sid} `, `${sid}%00`]) {
      expect(await logins.identify({ cookies: `MoodleSession=${value}` })).toMatchObject({
        code: 'unauthorized',
      });
    }
  });

  test('changes while a user is logged in: suspended, used again, expired', async () => {
    const { logins, logIn, run } = await siteFor();
    const verdictOf = async (login: Login) => logins.check([login as never])[0];
    const login = (await logins.identify(await logIn('7'))) as Login;
    await run('UPDATE #__user SET suspended = 1');
    expect(await verdictOf(login)).toMatchObject({ state: 'nobody', reason: 'the user is suspended there' });
    const device = await logIn('8', { row: { timemodified: now() - 7000 } });
    const old = (await logins.identify(device)) as Login;
    expect(await logins.ttl(old as never)).toBeLessThanOrEqual(201_000);
    // Writing in the chat renews it, if the database allows that.
    await logins.renew(old as never, 7200);
    const verdict = await verdictOf(old);
    if (verdict?.state !== 'user') throw new Error('not renewed');
    expect(await logins.ttl(verdict.login as never)).toBeGreaterThan(7_100_000);
    const late = (await logins.identify(await logIn('9'))) as Login;
    stopClock();
    vi.setSystemTime(Date.now() + 8_000_000);
    expect(await verdictOf(late)).toMatchObject({ state: 'nobody', reason: 'the session has expired there' });
    expect(await logins.ttl(late as never)).toBe(0);
  });

  test('names and roles', async () => {
    const { logins, logIn, run } = await siteFor(
      "$CFG->fullnamedisplay = 'lastname, firstname (alternatename)';",
    );
    await run('INSERT INTO #__role_assignments VALUES (1, 1, 1, 7), (2, 2, 1, 8), (3, 1, 2, 8)');
    const user = async (id: string, session: MoodleSession = {}) => {
      const answer = await logins.identify(await logIn(id, session));
      return 'code' in answer ? answer : answer.user;
    };
    expect(await user('33', { user: { alternatename: 'Zoë' } })).toEqual({
      ...{ id: '33', name: 'Lee, Ann (Zoë)', roles: ['admin'] },
    });
    expect(await user('7')).toEqual({ id: '7', name: 'Lee, Ann', roles: ['moderator'] });
    // A manager of a course is none of the site.
    expect(await user('8')).toEqual({ id: '8', name: 'Lee, Ann' });
    let login = (await logins.identify(await logIn('2'))) as Login;
    for (const [siteadmins, roles] of [
      ['33', {}],
      ['33,2', { roles: ['admin'] }],
    ]) {
      await run(`UPDATE #__config SET value = '${siteadmins}' WHERE name = 'siteadmins'`);
      const verdict = await differing(logins, login);
      if (verdict.state !== 'user') throw new Error(verdict.reason);
      login = verdict.login;
      expect(login.user).toEqual({ id: '2', name: 'Lee, Ann', ...(roles as object) });
    }
    const own = await siteFor('', { admins: ['manager'], moderators: ['student'], nobody: ['9'] });
    const fixed = await siteFor("$CFG->siteadmins = '7';");
    expect((await fixed.logins.identify(await fixed.logIn('7'))) as Login).toMatchObject({
      user: { roles: ['admin'] },
    });
    await own.run('INSERT INTO #__role_assignments VALUES (1, 1, 1, 7), (2, 2, 1, 2)');
    const roles = async (id: string) =>
      ((await own.logins.identify(await own.logIn(id))) as Login).user?.roles;
    expect([await roles('7'), await roles('2'), await roles('9')]).toEqual([
      ...[['admin'], ['moderator'], undefined],
    ]);
  });

  test('who has to change the password first is nobody', async () => {
    const { logins, logIn, run } = await siteFor();
    const device = await logIn('7');
    const login = (await logins.identify(device)) as Login;
    await run(
      "INSERT INTO #__user_preferences VALUES (1, 7, 'auth_forcepasswordchange', '0'), (2, 7, 'email_bounce_count', '1')",
    );
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
    await run("UPDATE #__user_preferences SET value = '1' WHERE id = 1");
    const verdict = { reason: expect.stringContaining('change the password') };
    expect(await differing(logins, login)).toMatchObject({ state: 'nobody', ...verdict });
    expect(await logins.identify(device)).toMatchObject({ code: 'unauthorized', ...verdict });
    expect(await logins.identify(await logIn('8'))).toMatchObject({ user: { id: '8' } });
    await run('DELETE FROM #__user_preferences WHERE id = 1');
    expect(await logins.identify(device)).toMatchObject({ user: { id: '7' } });
  });

  test('who has not agreed to the site policy is nobody, where Moodle asks for that', async () => {
    const states = async ({ logins, logIn }: Awaited<ReturnType<typeof siteFor>>) => {
      const answers = [
        await logins.identify(await logIn('7')),
        await logins.identify(await logIn('8', { user: { policyagreed: 1 } })),
        await logins.identify(await logIn('9', { user: { auth: 'webservice' } })),
        // Moodle asks its administrators for no policy.
        await logins.identify(await logIn('33')),
      ];
      return answers.map((answer) => ('code' in answer ? answer.reason : answer.user?.id));
    };
    const asked = [expect.stringContaining('policy'), '8', '9', '33'];
    const notAsked = ['7', '8', '9', '33'];
    const page = "INSERT INTO #__config VALUES (8, 'sitepolicy', 'https://example.org/policy')";
    const handler = "INSERT INTO #__config VALUES (9, 'sitepolicyhandler', 'tool_policy')";
    const policy = (audience: number) =>
      `INSERT INTO #__tool_policy VALUES (1, 5); INSERT INTO #__tool_policy_versions VALUES (4, 1, 0), (5, 1, ${audience})`;
    for (const [config, before, expected] of [
      ['', '', notAsked],
      ['', page, asked],
      ["$CFG->sitepolicy = '';", page, notAsked],
      ["$CFG->sitepolicyhandler = 'local_own';", '', asked],
      ['', `${page}; ${handler}`, notAsked],
      ['', `${handler}; ${policy(2)}`, notAsked],
      ['', `${handler}; ${policy(1)}`, asked],
    ] as const) {
      const site = await siteFor(config, { admins: ['nobody'] });
      for (const sql of before.split('; ').filter(Boolean)) await site.run(sql);
      await site.logins.reload?.();
      expect(await states(site), `${config} ${before}`).toEqual(expected);
    }
    const site = await siteFor('', {}, handler);
    const login = (await site.logins.identify(await site.logIn('7'))) as Login;
    for (const sql of policy(0).split('; ')) await site.run(sql);
    expect(await differing(site.logins, login)).toMatchObject({ state: 'nobody' });
    await site.run('UPDATE #__user SET policyagreed = 1');
    expect(await site.logins.identify(await site.logIn('7'))).toMatchObject({ user: { id: '7' } });
  });

  test('a second factor that was given shows in the text of the session alone', async () => {
    const enabled =
      "INSERT INTO #__config_plugins VALUES (1, 'tool_mfa', 'enabled', '1'), (2, 'factor_totp', 'enabled', '1'), (3, 'factor_email', 'enabled', '0')";
    const files = await siteFor('', {}, enabled);
    expect(await files.logins.identify(await files.logIn('7'))).toMatchObject({
      code: 'unauthorized',
      hint: expect.stringContaining('tool_mfa'),
    });
    await files.run("UPDATE #__config_plugins SET value = '0' WHERE id = 2");
    await files.logins.reload?.();
    expect(await files.logins.identify(await files.logIn('7'))).toMatchObject({ user: { id: '7' } });
    // The file counts before the table; what only PHP knows is taken for on.
    const inTable = enabled.replace("'factor_totp', 'enabled', '1'", "'factor_totp', 'enabled', '0'");
    for (const [forced, may] of [
      ["['factor_totp' => ['enabled' => 1]]", false],
      ["['factor_totp' => ['enabled' => getenv('OF_PHP')]]", false],
      ["['tool_mfa' => ['enabled' => false], 'factor_totp' => ['enabled' => 1]]", true],
      ["['factor_totp' => ['enabled' => 0], 'factor_email' => ['weight' => 100]]", true],
      ["['other' => ['enabled' => 1]]", true],
    ] as const) {
      const own = await siteFor(`$CFG->forced_plugin_settings = ${forced};`, {}, inTable);
      const answer = await own.logins.identify(await own.logIn('7'));
      expect('user' in answer, forced).toBe(may);
    }
    const off = await siteFor(
      "$CFG->forced_plugin_settings = ['factor_totp' => ['enabled' => 0]];",
      {},
      enabled,
    );
    expect(await off.logins.identify(await off.logIn('7'))).toMatchObject({ user: { id: '7' } });
    const withoutFactors = await siteFor("$CFG->forced_plugin_settings = ['tool_mfa' => ['enabled' => 1]];");
    expect(await withoutFactors.logins.identify(await withoutFactors.logIn('7'))).toMatchObject({
      user: { id: '7' },
    });
    const forcedOn = await siteFor(
      "$CFG->forced_plugin_settings = ['tool_mfa' => ['enabled' => 1], 'factor_totp' => ['enabled' => 1]];",
    );
    expect(await forcedOn.logins.identify(await forcedOn.logIn('7'))).toMatchObject({ code: 'unauthorized' });
    // The form of the administration writes it into the table.
    const site = await siteFor('', {}, enabled);
    await site.run("INSERT INTO #__config VALUES (9, 'dbsessions', '1')");
    await site.logins.reload?.();
    const session = (code: string) =>
      execFileSync('php', ['-r', `echo base64_encode('SESSION|'.serialize((object) [${code}]));`], {
        encoding: 'utf8',
      });
    const given = { sessdata: session("'a' => 1, 'tool_mfa_authenticated' => true") };
    expect(await site.logins.identify(await site.logIn('7', { row: given }))).toMatchObject({
      user: { id: '7' },
    });
    for (const sessdata of [null, '', 'x', session("'tool_mfa_authenticated' => false"), session('')]) {
      const device = await site.logIn('7', { row: { sessdata } });
      expect(await site.logins.identify(device)).toMatchObject({ code: 'unauthorized' });
    }
  });
});

test('a session that is tied to the address of its login', async () => {
  const site = await moodleSite(databases[0] as (typeof databases)[number], '$CFG->tracksessionip = true;');
  onTestFinished(site.remove);
  const device = await site.logIn('7', { row: { firstip: '192.0.2.7' } });
  const logins = await loginsOf(site.folder);
  expect(await logins.identify({ ...device, address: '192.0.2.7' })).toMatchObject({ user: { id: '7' } });
  expect(await logins.identify({ ...device, address: '192.0.2.8' })).toMatchObject({ code: 'unauthorized' });
  const lax = await loginsOf(site.folder, { checks: false });
  expect(await lax.identify({ ...device, address: '192.0.2.8' })).toMatchObject({ user: { id: '7' } });
});

if (soak)
  test("the folder of PostgreSQL's socket in place of a host", async () => {
    const db = databases[1] as (typeof databases)[number];
    const folder = db.folder ?? '';
    const port = readdirSync(folder).flatMap((name) => /^\.s\.PGSQL\.(\d+)$/.exec(name)?.[1] ?? [])[0];
    const site = await moodleSite(
      db,
      `$CFG->dbhost = 'localhost'; $CFG->dboptions = ['dbsocket' => '${folder}', 'dbport' => ${port}];`,
    );
    onTestFinished(site.remove);
    const logins = await loginsOf(site.folder);
    expect(await logins.identify(await site.logIn('7'))).toMatchObject({ user: { id: '7' } });
  });

test('config.php: values that replace those of the table, and handlers that keep no row', async () => {
  const [db] = databases;
  const site = await moodleSite(
    db as (typeof databases)[number],
    "$CFG->sessioncookie = 'Learn';\n$CFG->sessiontimeout = 60;",
  );
  onTestFinished(site.remove);
  const logins = await loginsOf(site.folder);
  const identified = (sid: string) => logins.identify({ cookies: `MoodleSessionLearn=${sid}` });
  expect(await identified((await site.logIn('7')).sid)).toMatchObject({ user: { id: '7' } });
  const old = await site.logIn('7', { row: { timemodified: now() - 62 } });
  expect(await identified(old.sid)).toMatchObject({ code: 'unauthorized' });
  const folder = mkdtempSync(join(tmpdir(), 'moodle-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'version.php'), "<?php\n$branch = '500';\n");
  const config = (text: string) =>
    writeFileSync(join(folder, 'config.php'), `<?php\n${text}\nrequire_once(__DIR__ . '/lib/setup.php');`);
  config("$CFG = new stdClass(); $CFG->dbtype = 'oci';");
  await expect(openSite({ folder })).rejects.toThrow('the database oci of Moodle cannot be read');
  config(
    "$CFG = new stdClass(); $CFG->dbtype = 'pgsql'; $CFG->session_handler_class = '\\core\\session\\redis';",
  );
  await expect(openSite({ folder })).rejects.toThrow('keeps in Redis alone who is logged in');
});
