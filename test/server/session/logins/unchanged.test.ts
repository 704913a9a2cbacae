import { expect, onTestFinished, test } from 'vitest';
import { grants } from '../../../../server/session/doctor/site.ts';
import type { Login } from '../../../../server/session/login.ts';
import { parseDatabaseUrl } from '../../../../server/session/store-url.ts';
import { loginsOf, siteDatabases } from '../../../helpers/application-site.ts';
import { phpbbSite } from '../../../helpers/phpbb.ts';

const [db] = await siteDatabases(['mysql']);
if (db === undefined) throw new Error('no database');

const checked = (logins: Awaited<ReturnType<typeof loginsOf>>, login: Login) => logins.check([login])[0];

test.each(['the user of the site', 'a user with the least rights'])(
  'tables that have not changed are not read, by %s, and every change is seen at once',
  async (who) => {
    const site = await phpbbSite(db);
    onTestFinished(site.remove);
    const own = who.startsWith('a ');
    if (own) {
      const lines = await grants({ folder: site.folder });
      if ('problem' in lines) throw new Error(lines.problem);
      for (const line of lines)
        await db.run(line.replace(/;$/, '').replace("'localhost'", "'%'").replace("'PASSWORD'", "'own'"));
    }
    const url = `mysql://chat:own@127.0.0.1:${db.port}/${db.name}`;
    const logins = await loginsOf(site.folder, own ? { database: parseDatabaseUrl(url) } : {});
    const device = await site.logIn('7', { name: 'Ann' });
    let login = (await logins.identify(device)) as Login;
    const rowsRead = async () => {
      const [row] = await db.run("SHOW GLOBAL STATUS LIKE 'Handler_read_key'");
      return Number(row?.Value);
    };
    /** The keys that one check reads. */
    const keysOfCheck = async () => {
      const before = await rowsRead();
      expect(await checked(logins, login as never)).toBeNull();
      return (await rowsRead()) - before;
    };
    const all = await keysOfCheck();
    // The row of the session is read each time. The others are, until their last change is long enough ago.
    await expect.poll(keysOfCheck, { timeout: 20_000 }).toBeLessThan(all / 2);
    for (const name of ['Bea', 'Zoë', 'Ann', 'Cem']) {
      await db.run('BEGIN');
      await device.rename(name);
      expect(await checked(logins, login as never)).toBeNull();
      await db.run('COMMIT');
      const verdict = await checked(logins, login as never);
      expect(verdict).toMatchObject({ state: 'user', login: { user: { name } } });
      login = (verdict as { login: Login }).login;
    }
    await site.insert('user_group', { group_id: 2, user_id: 7, user_pending: 0 });
    expect(await checked(logins, login as never)).toMatchObject({ login: { user: { roles: ['admin'] } } });
    await site.insert('banlist', { ban_userid: 7 });
    expect(await checked(logins, login as never)).toMatchObject({ state: 'nobody' });
  },
);
