import { expect, onTestFinished, test, vi } from 'vitest';
import { laravelSite } from '../../../../test/helpers/account-sites.ts';
import { differing, loginsOf, siteDatabases } from '../../../../test/helpers/application-site.ts';
import { phpbbSite } from '../../../../test/helpers/phpbb.ts';
import { smfSite } from '../../../../test/helpers/smf.ts';
import type { Login } from '../../src/login.ts';
import { openLogins } from '../../src/logins/applications.ts';
import { grants } from '../../src/logins/grants.ts';
import { readOptions } from '../../src/options.ts';
import { parseDatabaseUrl } from '../../src/store-url.ts';

const [db] = await siteDatabases(['mysql']);
if (db === undefined) throw new Error('no database');

type Logins = Awaited<ReturnType<typeof loginsOf>>;

const checked = (logins: Logins, login: Login) => logins.check([login])[0];

const keysRead = async () => Number((await db.run("SHOW GLOBAL STATUS LIKE 'Handler_read_key'"))[0]?.Value);

/** Returns the number of keys that one check reads. */
async function keysOfCheck(logins: Logins, login: Login): Promise<number> {
  const before = await keysRead();
  expect(await checked(logins, login)).toBeNull();
  return (await keysRead()) - before;
}

/** Waits until a check no longer reads rows of unchanged tables. */
async function readsLittle(logins: Logins, login: Login): Promise<void> {
  const all = await keysOfCheck(logins, login);
  await expect.poll(() => keysOfCheck(logins, login), { timeout: 20_000 }).toBeLessThan(all);
}

test('reads only changed tables with minimal rights', async () => {
  const site = await phpbbSite(db);
  onTestFinished(site.remove);
  const lines = await grants({ site: { folder: site.folder } });
  if ('problem' in lines) throw new Error(lines.problem);
  for (const line of lines.filter((line) => !line.startsWith('-- ')))
    await db.run(line.replace(/;$/, '').replace("'PASSWORD'", "'own'"));
  const database = parseDatabaseUrl(`mysql://chat:own@127.0.0.1:${db.port}/${db.name}`);
  const logins = await loginsOf(site.folder, { database });
  const device = await site.logIn('7', { name: 'Ann' });
  let login = (await logins.identify(device)) as Login;
  await readsLittle(logins, login);
  for (const name of ['Bea', 'Zoë', 'Ann']) {
    await db.run('BEGIN');
    await device.rename(name);
    expect(await checked(logins, login)).toBeNull();
    await db.run('COMMIT');
    const verdict = await differing(logins, login);
    expect(verdict).toMatchObject({ state: 'user', login: { user: { name } } });
    login = (verdict as { login: Login }).login;
  }
  await site.insert('user_group', { group_id: 2, user_id: 7, user_pending: 0 });
  expect(await differing(logins, login)).toMatchObject({ login: { user: { roles: ['admin'] } } });
  await site.insert('banlist', { ban_userid: 7 });
  expect(await differing(logins, login)).toMatchObject({ state: 'nobody' });
});

test('reads only the row of a changed session', async () => {
  const site = await phpbbSite(db);
  onTestFinished(site.remove);
  const logins = await loginsOf(site.folder, { checks: false });
  await site.insert('banlist', { ban_ip: '203.0.113.*' });
  const device = await site.logIn('7', { name: 'Ann' });
  // A table with a single row is read without its key.
  await site.logIn('8', { name: 'Bob' });
  const before = await keysRead();
  let login = (await logins.identify(device)) as Login;
  const whole = (await keysRead()) - before;
  await readsLittle(logins, login);
  const view = (seen: number) =>
    site.run('UPDATE #_sessions SET session_time = ? WHERE session_id = ?', [seen, device.sid]);
  const now = Math.floor(Date.now() / 1000);
  for (const seen of [now + 5, now + 9]) {
    await view(seen);
    const start = await keysRead();
    const verdict = await checked(logins, login);
    expect((await keysRead()) - start).toBeLessThan(whole);
    login = (verdict as { login: Login }).login;
    const read = await keysRead();
    expect(await logins.ttl(login)).toBeGreaterThan(0);
    expect(await keysRead()).toBe(read);
    expect(await checked(logins, login)).toBeNull();
  }
  // An address is compared at once with bans that have not changed.
  for (const [address, state] of [
    ['203.0.113.5', 'nobody'],
    ['192.0.2.1', 'user'],
  ]) {
    await site.run('UPDATE #_sessions SET session_ip = ? WHERE session_id = ?', [
      address as string,
      device.sid,
    ]);
    expect(await checked(logins, login)).toMatchObject({ state });
  }
  // If the session belongs to another user, the check returns another login.
  await site.run('UPDATE #_sessions SET session_user_id = 8 WHERE session_id = ?', [device.sid]);
  expect(await checked(logins, login)).toMatchObject({ login: { user: { id: '8', name: 'Bob' } } });
  await view(now - 100_000);
  expect(await checked(logins, login)).toMatchObject({ state: 'nobody' });
});

test('does not read the user’s row again after a change of the PHP session', async () => {
  const site = await laravelSite(db);
  onTestFinished(site.remove);
  const settings = readOptions({ site: site.folder });
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings);
  onTestFinished(() => logins.close());
  const device = { cookies: site.cookies };
  let login = (await logins.identify(device)) as Login;
  await readsLittle(logins, login);
  const little = await keysOfCheck(logins, login);
  const put = (session: object) =>
    db.run('UPDATE sessions SET payload = ?', [Buffer.from(JSON.stringify(session)).toString('base64')]);
  const own = { login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d: 7, password_hash_web: 'hash' };
  for (const seen of [1, 2]) {
    await put({ ...own, seen });
    const start = await keysRead();
    const verdict = await checked(logins, login);
    expect((await keysRead()) - start).toBe(little + 1);
    login = (verdict as { login: Login }).login;
    expect(login).toMatchObject({ user: { id: '7', name: 'Ann' } });
    expect(await keysOfCheck(logins, login)).toBe(little);
  }
  // If both change at once, neither change hides the other.
  await put({ ...own, seen: 3 });
  await db.run("UPDATE users SET name = 'Bea' WHERE id = 7");
  const renamed = await differing(logins, login);
  expect(renamed).toMatchObject({ login: { user: { name: 'Bea' } } });
  login = (renamed as { login: Login }).login;
  await put({ ...own, password_hash_web: 'another' });
  expect(await checked(logins, login)).toMatchObject({ state: 'nobody' });
  await put({ ...own, login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d: 8 });
  expect(await checked(logins, login)).toMatchObject({ state: 'nobody' });
});

test('gives a user who joins a group its role', async () => {
  const site = await smfSite(db);
  onTestFinished(site.remove);
  const logins = await loginsOf(site.folder, { admins: ['R&D'] });
  await site.logIn('8');
  const login = (await logins.identify(await site.logIn('7'))) as Login;
  await readsLittle(logins, login);
  await site.run("UPDATE #_members SET additional_groups = '12' WHERE id_member = 7");
  expect(await differing(logins, login)).toMatchObject({ login: { user: { roles: ['admin'] } } });
});

test('spreads the next reads of logins that were checked together', async () => {
  const site = await smfSite(db);
  onTestFinished(site.remove);
  const login = `${db.user}:${encodeURIComponent(db.password)}`;
  const given = parseDatabaseUrl(`mysql://${login}@127.0.0.1:${db.port}/${db.name}`);
  let keys = 0;
  const open = () => {
    const database = given.open();
    const rows = (select: string, ids: readonly string[]) => {
      keys += ids.length;
      return database.rows(select, ids);
    };
    return Object.assign(Object.create(database) as typeof database, {
      rows,
      query: (select: string) => database.query(select),
      close: () => database.close(),
    });
  };
  const logins = await loginsOf(site.folder, { checks: false, database: { ...given, open } });
  const all: Login[] = [];
  for (const user of ['7', '8', '9', '10'])
    all.push((await logins.identify(await site.logIn(user))) as Login);
  const keysOfCheckOfAll = async () => {
    keys = 0;
    expect(await Promise.all(logins.check(all))).toEqual(all.map(() => null));
    return keys;
  };
  await expect.poll(keysOfCheckOfAll, { timeout: 20_000 }).toBe(0);

  let after = 0;
  const real = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + after);
  onTestFinished(() => clock.mockRestore());
  let draws = 0;
  const random = vi.spyOn(Math, 'random').mockImplementation(() => draws++ % 2);
  onTestFinished(() => random.mockRestore());
  after += 61_000;
  const keysOfAll = await keysOfCheckOfAll();
  expect(keysOfAll).toBeGreaterThan(all.length);
  after += 45_000;
  const keysOfSome = await keysOfCheckOfAll();
  expect(keysOfSome).toBeGreaterThan(0);
  expect(keysOfSome).toBeLessThan(keysOfAll);
});
