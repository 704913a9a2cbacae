import { describe, expect, onTestFinished, test } from 'vitest';
import { loginsOf, siteDatabases } from '../../../../test/helpers/application-site.ts';
import { mybbSite } from '../../../../test/helpers/mybb.ts';
import { phpbbSite } from '../../../../test/helpers/phpbb.ts';
import type { TestDatabase } from '../../../../test/helpers/site-database.ts';
import type { CheckResult, Login } from '../../src/login.ts';
import type { SitePlace } from '../../src/logins/site.ts';
import { siteSql } from '../../src/logins/sql.ts';
import { parseDatabaseUrl } from '../../src/store-url.ts';
import { postgres } from '../../src/stores/sql/postgres.ts';

const [db] = (await siteDatabases(['postgres'])) as [TestDatabase];

type Logins = Awaited<ReturnType<typeof loginsOf>>;

/** Runs once after the next answer of the database. */
let afterRead: (() => Promise<unknown>) | undefined;

/** Opens the logins with a database user of the chat, who reads the tables. */
function siteOf(folder: string, more: Partial<SitePlace> = {}): Promise<Logins> {
  const login = `${db.user}:${encodeURIComponent(db.password)}`;
  const given = parseDatabaseUrl(`postgres://${login}@127.0.0.1:${db.port}/${db.name}`);
  const open = () => {
    const database = given.open();
    return Object.assign(Object.create(database) as typeof database, {
      async rows(select: string, ids: readonly string[]) {
        const rows = await database.rows(select, ids);
        const callback = afterRead;
        afterRead = undefined;
        await callback?.();
        return rows;
      },
      query: (select: string) => database.query(select),
      change: (update: string, id: string) => database.change(update, id),
      close: () => database.close(),
    });
  };
  return loginsOf(folder, { ...more, database: { ...given, open } });
}

const set = (name: string) => `UPDATE #_users SET username = '${name}' WHERE user_id = 7`;

/** A phpBB in which users 7 and 8 are logged in. */
async function phpBB() {
  const site = await phpbbSite(db);
  onTestFinished(site.remove);
  const logins = await siteOf(site.folder, { checks: false });
  const device = await site.logIn('7');
  await site.logIn('8');
  let seen = Math.floor(Date.now() / 1000);
  const checked = (login: Login): Promise<CheckResult | null> => logins.check([login])[0] as never;
  return {
    ...site,
    device,
    checked,
    login: (await logins.identify(device)) as Login,
    /** Returns the SQL for a page view of the device. */
    view: () => `UPDATE #_sessions SET session_time = ${++seen} WHERE session_id = '${device.sid}'`,
    /** Runs the statements in one transaction. */
    together: (...statements: string[]) => site.run(`DO $$ BEGIN ${statements.join('; ')}; END $$`),
    /** Returns the login of a check that finds a change. */
    async changed(login: Login): Promise<Login> {
      const verdict = await checked(login);
      if (verdict?.state !== 'user') throw new Error('no change, or no user');
      return verdict.login;
    },
  };
}

describe('after a page view', () => {
  test('keeps the login and notices each other change', async () => {
    const { run, view, login: first, changed, checked } = await phpBB();
    await run(view());
    let login = await changed(first);
    expect(login).toMatchObject({ handle: first.handle, user: first.user });
    expect(await checked(login)).toBeNull();
    await run(set('Zoë'));
    login = await changed(login);
    expect(login.user.name).toBe('Zoë');
    // Together with a page view.
    await run(view());
    await run(set('Bea'));
    login = await changed(login);
    expect(login.user.name).toBe('Bea');
    await run(view());
    await run('INSERT INTO #_banlist (ban_userid) VALUES (7)');
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('notices the end of the session or the user', async () => {
    const { run, view, login: first, changed, checked, device } = await phpBB();
    await run(view());
    const login = await changed(first);
    await run(view());
    await run('DELETE FROM #_users WHERE user_id = 7');
    for (const each of [login, first]) expect(await checked(each)).toMatchObject({ state: 'nobody' });
    await run(view());
    await device.logOut();
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('notices another user in the session even if one transaction wrote both users', async () => {
    const { run, together, view, login: first, changed, device } = await phpBB();
    await together(set('One'), set('Two').replace('7', '8'));
    const login = await changed(first);
    await run(view());
    const viewed = await changed(login);
    await run(`UPDATE #_sessions SET session_user_id = 8 WHERE session_id = '${device.sid}'`);
    for (const each of [viewed, login])
      expect(await changed(each)).toMatchObject({ user: { id: '8', name: 'Two' } });
  });

  test('notices in the next check a change between reading the version and reading the row', async () => {
    const { run, view, login: first, changed, checked, device } = await phpBB();
    await run(view());
    afterRead = () => run(view());
    let login = await changed(await changed(first));
    expect(await checked(login)).toBeNull();
    await run(view());
    afterRead = () => run(set('Zoë'));
    login = await changed(await changed(login));
    expect(login.user.name).toBe('Zoë');
    expect(await checked(login)).toBeNull();
    await run(view());
    afterRead = device.logOut;
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('reads all groups of a user if one transaction wrote several', async () => {
    const { run, together, view, login: first, changed, checked } = await phpBB();
    const join = (group: number) =>
      `INSERT INTO #_user_group (group_id, user_id, user_pending) VALUES (${group}, 7, 0)`;
    await together(join(2), join(3));
    let login = await changed(first);
    expect(login.user.roles).toEqual(['admin', 'moderator']);
    await run(view());
    login = await changed(login);
    expect(login.user.roles).toEqual(['admin', 'moderator']);
    // Only the row of the first group changes, together with a page view.
    await together(view(), 'DELETE FROM #_user_group WHERE group_id = 2');
    const member = await changed(login);
    expect(member.user.roles).toEqual(['moderator']);
    // The number of rows is the same, but one row is different.
    await together(view(), join(4));
    expect(await changed(login)).toMatchObject({ user: { roles: ['moderator'] } });
    await together(view(), 'DELETE FROM #_user_group');
    const none = await changed(member);
    expect(none.user.roles).toBeUndefined();
    expect(await checked(none)).toBeNull();
  });
});

test('follows the sessions of a MyBB user that come and go between page views', async () => {
  const site = await mybbSite(db);
  onTestFinished(site.remove);
  const logins = await siteOf(site.folder);
  const [device, other] = [await site.logIn('7'), await site.logIn('7')];
  const checked = (login: Login): Promise<CheckResult | null> => logins.check([login])[0] as never;
  const view = (sid: string) => site.run('UPDATE #_sessions SET time = time + 1 WHERE sid = ?', [sid]);
  let login = (await logins.identify(device)) as Login;
  const next = async () => {
    const verdict = await checked(login);
    if (verdict?.state !== 'user') throw new Error('no change, or no user');
    login = verdict.login;
  };
  await view(other.sid);
  await next();
  // A login ends and another starts, so their number stays the same.
  await other.logOut();
  const third = await site.logIn('7');
  await view(device.sid);
  await next();
  expect(await checked(login)).toBeNull();
  await device.logOut();
  await view(third.sid);
  expect(await checked(login)).toMatchObject({ state: 'nobody', reason: 'the site has ended the login' });
});

test('includes the start time of the database in the versions of rows', async () => {
  const site = await phpbbSite(db);
  onTestFinished(site.remove);
  await site.logIn('7');
  const versions = siteSql(postgres).versions?.({
    key: 's.session_id',
    joined: [
      [`${site.prefix}sessions`, 's'],
      [`${site.prefix}users`, 'u', 'u.user_id = s.session_user_id'],
    ],
    shared: [],
  });
  const [row] = await db.run(
    `SELECT v.version AS version, pg_postmaster_start_time()::text || s.xmin::text || ',' || u.xmin::text AS expected FROM (${versions}) AS v, ${site.prefix}sessions AS s, ${site.prefix}users AS u WHERE u.user_id = 7`,
  );
  expect(row?.version).toBe(row?.expected);
});
