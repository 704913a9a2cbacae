import { randomBytes } from 'node:crypto';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

const types = { mysql: 'mysqli', postgres: 'pgsql', sqlite: 'sqlite' };

/** Creates the tables and the folder of a MyBB, with rows as MyBB writes them. */
export async function mybbSite(db: TestDatabase, cookiePrefix = '') {
  const prefix = `b${randomBytes(4).toString('hex')}_`;
  const { folder, write } = siteFiles('mybb');
  write(
    'inc/config.php',
    `/**
 * Database configuration
 */
$config['database']['type'] = '${types[db.kind]}';
$config['database']['database'] = ${quoted(db.name)};
$config['database']['table_prefix'] = '${prefix}';

$config['database']['hostname'] = '127.0.0.1:${db.port}';
$config['database']['username'] = ${quoted(db.user)};
$config['database']['password'] = ${quoted(db.password)};
$config['admin_dir'] = 'admin';
$config['database']['encoding'] = 'utf8';
$config['super_admins'] = '1';
`,
  );
  const address = { mysql: 'VARBINARY(16)', postgres: 'BYTEA', sqlite: 'BLOB' }[db.kind];
  const tables: Record<string, string> = {
    settings: 'name VARCHAR(120), value TEXT',
    users: `uid INTEGER PRIMARY KEY, username VARCHAR(120), loginkey VARCHAR(50), usergroup INTEGER, additionalgroups VARCHAR(200), lastip ${address}, suspendposting INTEGER DEFAULT 0, email VARCHAR(220)`,
    usergroups:
      'gid INTEGER PRIMARY KEY, title VARCHAR(120), isbannedgroup INTEGER, cancp INTEGER, issupermod INTEGER',
    banned: 'uid INTEGER, lifted INTEGER, oldgroup INTEGER, oldadditionalgroups VARCHAR(200)',
    sessions: `sid VARCHAR(32) PRIMARY KEY, uid INTEGER, time INTEGER, ip ${address}`,
    banfilters: 'filter VARCHAR(200), type INTEGER',
    datacache: 'title VARCHAR(50) PRIMARY KEY, cache TEXT',
  };
  const { run, insert, drop } = await siteTables(db, prefix, tables, ' ENGINE MyISAM CHARSET utf8');
  await insert('settings', { name: 'cookieprefix', value: cookiePrefix });
  for (const [gid, title, isbannedgroup, cancp, issupermod] of [
    [2, 'Registered', 0, 0, 0],
    [3, 'Super Moderators', 0, 0, 1],
    [4, 'Administrators', 0, 1, 1],
    [5, 'Awaiting Activation', 0, 0, 0],
    [7, 'Banned', 1, 0, 0],
    [22, 'Friends & Co', 0, 0, 0],
  ] as const) {
    await insert('usergroups', { gid, title, isbannedgroup, cancp, issupermod });
  }
  /** Logins run one after another, because the devices of a user share one key. */
  const inTurn = oneAtATime();
  async function logIn(id: string, name: string | undefined) {
    const [known] = await run('SELECT loginkey FROM #_users WHERE uid = ?', [Number(id)]);
    const made: { loginkey: string; sid: string; cookie: string } = await phpAnswer('mybb-login.php', {
      uid: id,
      loginkey: known?.loginkey ?? null,
    });
    const rename = async (other: string) =>
      void (await run('UPDATE #_users SET username = ? WHERE uid = ?', [other, Number(id)]));
    if (known === undefined) {
      await insert('users', {
        ...{ uid: Number(id), username: name ?? 'Ann', loginkey: made.loginkey, usergroup: 2 },
        additionalgroups: '',
        email: `User${id}_@Example.org`,
      });
    } else if (name !== undefined) await rename(name);
    await insert('sessions', { sid: made.sid, uid: Number(id), time: Math.floor(Date.now() / 1000) });
    return {
      cookies: `${cookiePrefix}mybbuser=${made.cookie}; ${cookiePrefix}sid=${made.sid}`,
      secrets: [made.loginkey],
      sid: made.sid,
      rename,
      logOut: async () => void (await run('DELETE FROM #_sessions WHERE sid = ?', [made.sid])),
    };
  }
  return {
    folder,
    run,
    insert,
    /** Logs the user with that ID in, and creates a missing user. */
    logIn: (id: string, name?: string) => inTurn(() => logIn(id, name)),
    remove: removing(folder, drop),
  };
}
