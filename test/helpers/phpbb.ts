import { randomBytes } from 'node:crypto';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

const dbms = { mysql: 'mysqli', postgres: 'postgres', sqlite: 'sqlite3' };

export interface PhpbbLogin {
  name: string;
  remember: boolean;
  address: string;
  browser: string;
  forwardedFor: string;
  /** Seconds since the last page view. */
  ago: number;
}

/** Creates the tables and the folder of a phpBB, with rows as phpBB writes them. */
export async function phpbbSite(db: TestDatabase, version = '3.3.16') {
  const prefix = `p${randomBytes(4).toString('hex')}_`;
  const cookie = 'phpbb3_abc12';
  const { folder, write } = siteFiles('phpbb');
  write(
    'config.php',
    `// phpBB ${version} auto-generated configuration file
$dbms = 'phpbb\\\\db\\\\driver\\\\${dbms[db.kind]}';
$dbhost = ${quoted(db.kind === 'sqlite' ? db.name : '127.0.0.1')};
$dbport = '${db.port || ''}';
$dbname = ${quoted(db.kind === 'sqlite' ? '' : db.name)};
$dbuser = ${quoted(db.user)};
$dbpasswd = ${quoted(db.password)};
$table_prefix = '${prefix}';
$phpbb_adm_relative_path = 'adm/';
@define('PHPBB_INSTALLED', true);
@define('PHPBB_ENVIRONMENT', 'production');
`,
  );
  const isFour = version.startsWith('4');
  const tables: Record<string, string> = {
    config: 'config_name VARCHAR(255) PRIMARY KEY, config_value VARCHAR(255)',
    users: 'user_id INTEGER PRIMARY KEY, user_type INTEGER, username VARCHAR(255)',
    groups: 'group_id INTEGER PRIMARY KEY, group_type INTEGER, group_name VARCHAR(255)',
    user_group: 'group_id INTEGER, user_id INTEGER, user_pending INTEGER',
    sessions:
      'session_id CHAR(32) PRIMARY KEY, session_user_id INTEGER, session_time INTEGER, session_ip VARCHAR(40), session_browser VARCHAR(150), session_forwarded_for VARCHAR(255), session_autologin INTEGER',
    sessions_keys: 'key_id CHAR(32), user_id INTEGER, last_ip VARCHAR(40), PRIMARY KEY (key_id, user_id)',
    ...(isFour
      ? { bans: 'ban_userid INTEGER, ban_mode VARCHAR(255), ban_item VARCHAR(255), ban_end INTEGER' }
      : {
          banlist:
            "ban_userid INTEGER DEFAULT 0, ban_ip VARCHAR(40) DEFAULT '', ban_email VARCHAR(100) DEFAULT '', ban_end INTEGER DEFAULT 0, ban_exclude INTEGER DEFAULT 0",
        }),
  };
  const { run, insert, drop } = await siteTables(db, prefix, tables, ' CHARSET utf8 COLLATE utf8_bin');
  if (db.kind === 'postgres') await run('GRANT UPDATE (session_time) ON #_sessions TO site');
  const set = async (name: string, value: string) => {
    await run('DELETE FROM #_config WHERE config_name = ?', [name]);
    await insert('config', { config_name: name, config_value: value });
  };
  await set('cookie_name', cookie);
  await set('version', version);
  await insert('users', { user_id: 1, user_type: 2, username: 'Anonymous' });
  for (const [n, name] of ['GUESTS', 'ADMINISTRATORS', 'GLOBAL_MODERATORS', 'R&amp;D'].entries())
    await insert('groups', { group_id: n + 1, group_type: n < 3 ? 3 : 0, group_name: name });
  const now = () => Math.floor(Date.now() / 1000);
  return {
    folder,
    prefix,
    cookie,
    insert,
    set,
    run,
    /** Logs the user with that ID in, and creates a missing user. */
    async logIn(
      id: string,
      {
        name,
        remember = false,
        address = '',
        browser = '',
        forwardedFor = '',
        ago = 0,
      }: Partial<PhpbbLogin> = {},
    ) {
      const [known] = await run('SELECT user_id FROM #_users WHERE user_id = ?', [Number(id)]);
      if (known === undefined)
        await insert('users', { user_id: Number(id), user_type: 0, username: name ?? 'Ann' });
      const rename = async (other: string) => {
        await run('UPDATE #_users SET username = ? WHERE user_id = ?', [other, Number(id)]);
      };
      if (name !== undefined) await rename(name);
      const made = await phpAnswer('phpbb-login.php', { browser, remember });
      await insert('sessions', {
        ...{ session_id: made.sid, session_user_id: Number(id), session_time: now() - ago },
        ...{ session_ip: address, session_browser: made.browser, session_forwarded_for: forwardedFor },
        session_autologin: remember ? 1 : 0,
      });
      if (remember)
        await insert('sessions_keys', { key_id: made.keyId, user_id: Number(id), last_ip: address });
      const dropSession = async () =>
        void (await run('DELETE FROM #_sessions WHERE session_id = ?', [made.sid]));
      return {
        cookies: `${cookie}_u=${id}; ${cookie}_k=${made.key}; ${cookie}_sid=${made.sid}`,
        secrets: [made.sid] as string[],
        sid: made.sid as string,
        key: made.key as string,
        rename,
        /** Deletes the session as phpBB's cleaning job does. */
        dropSession,
        async logOut() {
          await dropSession();
          await run('DELETE FROM #_sessions_keys WHERE key_id = ?', [made.keyId]);
        },
      };
    },
    remove: removing(folder, drop),
  };
}
