import { describe, expect, onTestFinished, test } from 'vitest';
import type { Login, Verdict } from '../../../../server/session/login.ts';
import type { SitePlace } from '../../../../server/session/logins/site.ts';
import { siteSql } from '../../../../server/session/logins/sql.ts';
import { parseDatabaseUrl } from '../../../../server/session/store-url.ts';
import { postgres } from '../../../../server/session/stores/sql/postgres.ts';
import { loginsOf, siteDatabases } from '../../../helpers/application-site.ts';
import { joomlaSite } from '../../../helpers/joomla.ts';
import { mybbSite } from '../../../helpers/mybb.ts';
import { phpbbSite } from '../../../helpers/phpbb.ts';
import type { TestDatabase } from '../../../helpers/site-database.ts';

const [db] = (await siteDatabases(['postgres'])) as [TestDatabase];

type Logins = Awaited<ReturnType<typeof loginsOf>>;

/** This happens after the next answer of the database. */
let meanwhile: (() => Promise<unknown>) | undefined;

/** With a user of the chat's own, who reads the tables. */
function siteOf(folder: string, more: Partial<SitePlace> = {}): Promise<Logins> {
  const login = `${db.user}:${encodeURIComponent(db.password)}`;
  const given = parseDatabaseUrl(`postgres://${login}@127.0.0.1:${db.port}/${db.name}`);
  const open = () => {
    const database = given.open();
    return Object.assign(Object.create(database) as typeof database, {
      async rows(select: string, ids: readonly string[]) {
        const rows = await database.rows(select, ids);
        const happens = meanwhile;
        meanwhile = undefined;
        await happens?.();
        return rows;
      },
      change: (update: string, id: string) => database.change(update, id),
      close: () => database.close(),
    });
  };
  return loginsOf(folder, { ...more, database: { ...given, open } });
}

/** An application whose page views write into the sessions. `#` stands for the prefix of its tables. */
interface Viewed {
  logins: Logins;
  logIn(user: string): Promise<{ cookies: string; id: string; logOut(): Promise<void> }>;
  run(sql: string): Promise<Record<string, unknown>[]>;
  sessions: { table: string; id: string; user: string; time: string };
  users: { table: string; id: string; name: string };
  /** The rows of groups that users are in. */
  groups: { table: string; user: string; row(group: number, user: number): string };
  /** Blocks user 7. */
  block: string;
}

const applications: Record<string, () => Promise<Viewed>> = {
  async Joomla() {
    const site = await joomlaSite(db);
    onTestFinished(site.remove);
    const run = (sql: string) => db.run(sql.replaceAll('#', site.prefix));
    return {
      logins: await siteOf(site.folder, { admins: ['Owners, and more'], moderators: ['Helpers'] }),
      run,
      logIn: (user) => site.logIn(user),
      sessions: { table: '#session', id: 'session_id', user: 'userid', time: 'time' },
      users: { table: '#users', id: 'id', name: 'name' },
      groups: {
        ...{ table: '#user_usergroup_map', user: 'user_id' },
        row: (group, user) => `(user_id, group_id) VALUES (${user}, ${19 + group})`,
      },
      block: 'UPDATE #users SET block = 1 WHERE id = 7',
    };
  },
  async phpBB() {
    const site = await phpbbSite(db);
    onTestFinished(site.remove);
    return {
      logins: await siteOf(site.folder, { checks: false }),
      run: (sql) => site.run(sql.replaceAll('#', '#_')),
      async logIn(user) {
        const device = await site.logIn(user);
        return { ...device, id: device.sid };
      },
      sessions: { table: '#sessions', id: 'session_id', user: 'session_user_id', time: 'session_time' },
      users: { table: '#users', id: 'user_id', name: 'username' },
      groups: {
        ...{ table: '#user_group', user: 'user_id' },
        row: (group, user) => `(group_id, user_id, user_pending) VALUES (${1 + group}, ${user}, 0)`,
      },
      block: 'INSERT INTO #banlist (ban_userid) VALUES (7)',
    };
  },
};

describe.each(Object.keys(applications))('after a page view of %s', (name) => {
  const open = async () => {
    const site = await (applications[name] as () => Promise<Viewed>)();
    const { logins, run, sessions } = site;
    const device = await site.logIn('7');
    await site.logIn('8');
    const checked = (login: Login): Promise<Verdict | null> => logins.check([login])[0] as never;
    let seen = Math.floor(Date.now() / 1000);
    const view = (id = device.id) =>
      `UPDATE ${sessions.table} SET ${sessions.time} = ${++seen} WHERE ${sessions.id} = '${id}'`;
    return {
      ...site,
      device,
      checked,
      view,
      login: (await logins.identify(device)) as Login,
      /** Runs the statements in one transaction. */
      together: (...statements: string[]) => run(`DO $$ BEGIN ${statements.join('; ')}; END $$`),
      /** The login, after a check has found a change. */
      async changed(login: Login): Promise<Login> {
        const verdict = await checked(login);
        if (verdict?.state !== 'user') throw new Error('no change, or no user');
        return verdict.login;
      },
    };
  };

  test('the session alone is read again, and later changes of everything else are seen', async () => {
    const { run, view, login: first, changed, checked, users, block } = await open();
    const hide = (from: string, to: string) => run(`ALTER TABLE ${users.table} RENAME ${from} TO ${to}`);
    // A login that is read whole needs the column.
    await hide(users.name, 'hidden');
    await run(view());
    let login = await changed(first);
    expect(login.handle).toBe(first.handle);
    expect(login.user).toEqual(first.user);
    expect(await checked(login)).toBeNull();
    await run(view());
    login = await changed(login);
    await hide('hidden', users.name);
    expect(await checked(login)).toBeNull();
    const rename = (to: string) => `UPDATE ${users.table} SET ${users.name} = '${to}' WHERE ${users.id} = 7`;
    await run(rename('Zoë'));
    login = await changed(login);
    expect(login.user.name).toMatch(/^Zoë/);
    // Together with a page view.
    await run(view());
    await run(rename('Bea'));
    login = await changed(login);
    expect(login.user.name).toMatch(/^Bea/);
    await run(view());
    login = await changed(login);
    await run(view());
    await run(block);
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('its end is seen, and so is the end of the user', async () => {
    const { run, view, login: first, changed, checked, device, users } = await open();
    await run(view());
    const login = await changed(first);
    await run(view());
    await run(`DELETE FROM ${users.table} WHERE ${users.id} = 7`);
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
    expect(await checked(first)).toMatchObject({ state: 'nobody' });
    await run(view());
    await device.logOut();
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('a session that another user has now is read whole, also where one transaction has written both users', async () => {
    const { run, together, view, login: first, changed, checked, users, sessions, device } = await open();
    await together(
      `UPDATE ${users.table} SET ${users.name} = 'One' WHERE ${users.id} = 7`,
      `UPDATE ${users.table} SET ${users.name} = 'Two' WHERE ${users.id} = 8`,
    );
    const login = await changed(first);
    await run(view());
    const viewed = await changed(login);
    await run(`UPDATE ${sessions.table} SET ${sessions.user} = 8 WHERE ${sessions.id} = '${device.id}'`);
    for (const each of [viewed, login]) {
      const verdict = await checked(each);
      // The other row of Joomla still says who it was.
      if (verdict?.state === 'user')
        expect(verdict.login.user).toMatchObject({ id: '8', name: expect.stringMatching(/^Two/) });
      else expect(verdict).toMatchObject({ state: 'nobody' });
    }
  });

  test('what happens between the look at the versions and that at the session is seen', async () => {
    const { run, view, login: first, changed, checked, block, users, device } = await open();
    await run(view());
    meanwhile = () => run(view());
    let login = await changed(first);
    expect(await checked(login)).toBeNull();
    await run(view());
    // Of the rows that the versions before it belong to, the next check says it.
    meanwhile = () => run(`UPDATE ${users.table} SET ${users.name} = 'Zoë' WHERE ${users.id} = 7`);
    login = await changed(await changed(login));
    expect(login.user.name).toMatch(/^Zoë/);
    expect(await checked(login)).toBeNull();
    await run(view());
    meanwhile = () => run(block);
    expect(await checked(await changed(login))).toMatchObject({ state: 'nobody' });
    await run(view());
    meanwhile = device.logOut;
    expect(await checked(login)).toMatchObject({ state: 'nobody' });
  });

  test('groups of a user: each of several that one transaction has written', async () => {
    const { run, together, view, login: first, changed, checked, groups } = await open();
    const add = (group: number, user = 7) => `INSERT INTO ${groups.table} ${groups.row(group, user)}`;
    await together(add(1), add(2));
    let login = await changed(first);
    expect(login.user.roles).toEqual(['admin', 'moderator']);
    await run(view());
    login = await changed(login);
    expect(login.user.roles).toEqual(['admin', 'moderator']);
    // The row of the first group alone, with a page view.
    await together(
      view(),
      `DELETE FROM ${groups.table} WHERE ctid = (SELECT MIN(ctid) FROM ${groups.table} WHERE ${groups.user} = 7)`,
    );
    const member = await changed(login);
    expect(member.user.roles).toEqual(['moderator']);
    // There are as many rows as before, but another one among them.
    await together(view(), add(3));
    expect(await changed(login)).toMatchObject({ user: { roles: ['moderator'] } });
    await together(view(), `DELETE FROM ${groups.table}`);
    const none = await changed(member);
    expect(none.user.roles).toBeUndefined();
    expect(await checked(none)).toBeNull();
  });
});

test('MyBB: sessions of a user that come and go between page views', async () => {
  const site = await mybbSite(db);
  onTestFinished(site.remove);
  const logins = await siteOf(site.folder);
  const [device, other] = [await site.logIn('7'), await site.logIn('7')];
  const checked = (login: Login): Promise<Verdict | null> => logins.check([login])[0] as never;
  const view = (sid: string) => site.run('UPDATE #_sessions SET time = time + 1 WHERE sid = ?', [sid]);
  let login = (await logins.identify(device)) as Login;
  const next = async () => {
    const verdict = await checked(login);
    if (verdict?.state !== 'user') throw new Error('no change, or no user');
    login = verdict.login;
  };
  await view(other.sid);
  await next();
  // A login ends and another begins, so there are as many as before.
  await other.logOut();
  const third = await site.logIn('7');
  await view(device.sid);
  await next();
  expect(await checked(login)).toBeNull();
  await device.logOut();
  await view(third.sid);
  expect(await checked(login)).toMatchObject({ state: 'nobody', reason: 'the login has ended there' });
});

test('another start of the database is another version of rows that page views do not change', async () => {
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
    viewed: { rows: ['s'], columns: [], select: () => '' },
  });
  const [row] = await db.run(
    `SELECT v.version AS version, s.xmin::text AS own, pg_postmaster_start_time()::text || u.xmin::text AS rest FROM (${versions}) AS v, ${site.prefix}sessions AS s, ${site.prefix}users AS u WHERE u.user_id = 7`,
  );
  expect(row?.version).toBe(`${row?.own} ${row?.rest}`);
});
