import { createHash, randomBytes } from 'node:crypto';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface JoomlaSession {
  name?: string;
  /** The time of the last page, in seconds since 1970. */
  now?: number;
  /** Columns of the session's row that differ from the defaults. */
  row?: Record<string, string | number | null>;
  /** Values in the session in addition to the defaults. */
  more?: object;
  /** The user in the session, if it differs from the user in the row. */
  userInSession?: number;
}

const now = () => Math.floor(Date.now() / 1000);

/** As after the first page of a login, unless the user still has to enter a second factor. */
const pageSeen = { com_users: { mfa_checked: 1 } };

/** Creates the tables and the folder of a Joomla, with rows as Joomla writes them. */
export async function joomlaSite(db: TestDatabase, config: Record<string, string | boolean> = {}) {
  const prefix = `j${randomBytes(3).toString('hex')}_`;
  const { folder, write } = siteFiles('joomla');
  const { secret = 'a "secret" $x', session_name: sessionName = 'site' } = config;
  const all = {
    dbtype: db.kind === 'mysql' ? 'mysqli' : 'pgsql',
    host: `127.0.0.1:${db.port}`,
    user: db.user,
    password: db.password,
    db: db.name,
    dbprefix: prefix,
    session_handler: 'database',
    lifetime: '15',
    secret,
    ...config,
  };
  const lines = Object.entries(all).map(
    ([name, value]) => `	public $${name} = ${typeof value === 'string' ? quoted(value) : value};`,
  );
  write('configuration.php', `class JConfig {\n	public $offline = false;\n${lines.join('\n')}\n}\n`);
  const bytes = db.kind === 'mysql' ? 'VARBINARY(192)' : 'BYTEA';
  const reset = db.kind === 'mysql' ? 'requireReset' : '"requireReset"';
  const { run, insert, drop } = await siteTables(db, prefix, {
    session: `session_id ${bytes} NOT NULL PRIMARY KEY, client_id SMALLINT DEFAULT NULL, guest SMALLINT DEFAULT 1, time INTEGER NOT NULL DEFAULT 0, data TEXT, userid BIGINT DEFAULT 0, username VARCHAR(150) DEFAULT ''`,
    users: `id BIGINT PRIMARY KEY, name VARCHAR(400) NOT NULL, username VARCHAR(150), password VARCHAR(100), block SMALLINT NOT NULL DEFAULT 0, activation VARCHAR(100) DEFAULT '', ${reset} SMALLINT NOT NULL DEFAULT 0`,
    user_usergroup_map: 'user_id BIGINT, group_id BIGINT, PRIMARY KEY (user_id, group_id)',
    usergroups: 'id BIGINT PRIMARY KEY, parent_id BIGINT, lft BIGINT, rgt BIGINT, title VARCHAR(100)',
    user_mfa: 'id BIGINT PRIMARY KEY, user_id BIGINT, method VARCHAR(100)',
    extensions: 'type VARCHAR(20), folder VARCHAR(100), element VARCHAR(100), enabled SMALLINT, params TEXT',
    privacy_consents: 'id BIGINT PRIMARY KEY, user_id BIGINT, state SMALLINT, subject VARCHAR(255)',
  });
  await run(
    `INSERT INTO #__extensions VALUES ('plugin', 'user', 'joomla', 1, '{"autoregister":"1","mail_to_user":"1","forceLogout":"1"}'), ('plugin', 'system', 'privacyconsent', 0, '{}')`,
  );
  for (const group of [
    [1, 0, 1, 14, 'Public'],
    [2, 1, 2, 3, 'Registered'],
    [6, 1, 4, 7, 'Manager'],
    [7, 6, 5, 6, 'Administrator'],
    [8, 1, 8, 11, 'Super Users'],
    [20, 8, 9, 10, 'Owners, and more'],
    [21, 1, 12, 13, 'Helpers'],
  ])
    await run('INSERT INTO #__usergroups VALUES (?, ?, ?, ?, ?)', group);
  const inTurn = oneAtATime();
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const cookie = md5(md5(`${secret}${sessionName}`));
  async function logIn(user: string, session: JoomlaSession) {
    const { name = 'Ann', now: last = now(), more = pageSeen, userInSession = Number(user) } = session;
    await run('DELETE FROM #__users WHERE id = ?', [Number(user)]);
    await insert('users', { id: Number(user), name, username: `user${user}` });
    const id = randomBytes(16).toString('hex');
    const { data } = await phpAnswer('joomla-session.php', { id: userInSession, now: last, more });
    const row = {
      ...{ session_id: id, client_id: 0, guest: 0, time: last, data, userid: Number(user) },
      ...session.row,
    };
    await insert('session', row);
    return {
      cookies: `${cookie}=${id}`,
      secrets: [id],
      session: id,
      id,
      rename: async (other: string) => {
        await run('UPDATE #__users SET name = ? WHERE id = ?', [other, Number(user)]);
      },
      logOut: async () => void (await run('DELETE FROM #__session WHERE session_id = ?', [id])),
    };
  }
  return {
    folder,
    prefix,
    cookie,
    run,
    logIn: (user: string, session: JoomlaSession = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
