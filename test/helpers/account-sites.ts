import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { insertInto, siteFiles, siteTables, type TestDatabase, writeFiles } from './site-database.ts';
import { quoted } from './wordpress.ts';

/** A site with PHP sessions in a table, next to a table of its users, and a login of user 7. */
export interface AccountSite {
  folder: string;
  cookies: string;
  /** The SQL that ends the login. */
  gone: string;
  /** Columns that the chat's database user must not be able to read. */
  hidden: readonly [table: string, column: string][];
  remove(): Promise<void>;
}

async function siteOf(
  db: TestDatabase,
  files: Record<string, string>,
  tables: Record<string, string>,
): Promise<Pick<AccountSite, 'folder' | 'remove'>> {
  const { folder } = siteFiles('accounts');
  writeFiles(folder, files);
  const { drop } = await siteTables(db, '', tables);
  return {
    folder,
    async remove() {
      rmSync(folder, { recursive: true });
      await drop();
    },
  };
}

const id = randomBytes(20).toString('hex');

/** The address of user 7. */
export const mailOfUser = 'ann@site.example';

export async function laravelSite(db: TestDatabase): Promise<AccountSite> {
  const driver = db.kind === 'mysql' ? 'mariadb' : 'pgsql';
  const env = { DB_PORT: db.port, DB_NAME: db.name, DB_USER: db.user, DB_PASSWORD: `'${db.password}'` };
  const site = await siteOf(
    db,
    {
      artisan: '',
      '.env': `APP_KEY=${id.slice(0, 32)}\n${Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .join('\n')}`,
      'bootstrap/app.php': "<?php $middleware->encryptCookies(except: ['c']);",
      'config/app.php': "<?php return ['key' => env('APP_KEY')];",
      'config/auth.php': '<?php return [];',
      'config/session.php':
        "<?php return ['cookie' => 'c', 'driver' => 'database', 'serialization' => 'json', 'lifetime' => '120'];",
      'config/database.php': `<?php return ['default' => 'x', 'connections' => ['x' => ['driver' => '${driver}', 'host' => '127.0.0.1', 'port' => env('DB_PORT'), 'database' => env('DB_NAME'), 'username' => env('DB_USER'), 'password' => env('DB_PASSWORD')]]];`,
    },
    {
      users:
        'id INTEGER PRIMARY KEY, name VARCHAR(99), email VARCHAR(99), password VARCHAR(99), remember_token VARCHAR(99), deleted_at VARCHAR(99)',
      sessions:
        'id VARCHAR(99) PRIMARY KEY, ip_address VARCHAR(99), payload TEXT, last_activity INTEGER NOT NULL',
    },
  );
  const email = mailOfUser;
  await insertInto(db, 'users', { id: 7, name: 'Ann', email, password: 'hash', remember_token: 'secret' });
  await insertInto(db, 'users', { id: 8, name: 'Eve', email, password: 'hash', deleted_at: '2026-01-01' });
  const session = { login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d: 7, password_hash_web: 'hash' };
  await insertInto(db, 'sessions', {
    ...{ id, payload: Buffer.from(JSON.stringify(session)).toString('base64') },
    last_activity: Math.floor(Date.now() / 1000),
  });
  return {
    ...site,
    cookies: `c=${id}`,
    gone: "UPDATE users SET password = 'another'",
    hidden: [
      ['users', 'remember_token'],
      ['users', 'password'],
      ['sessions', 'ip_address'],
    ],
  };
}

export async function roundcubeSite(db: TestDatabase): Promise<AccountSite> {
  const login = [db.user, db.password].map(encodeURIComponent).join(':');
  const dsn = `${db.kind === 'mysql' ? 'mysql' : 'pgsql'}://${login}@127.0.0.1:${db.port}/${encodeURIComponent(db.name)}`;
  const site = await siteOf(
    db,
    {
      'program/lib/Roundcube/rcube.php': '',
      'config/config.inc.php': `<?php $config['db_dsnw'] = ${quoted(dsn)}; $config['db_prefix'] = 'rc_';`,
    },
    {
      rc_users: `user_id INTEGER PRIMARY KEY, username VARCHAR(99)${db.kind === 'mysql' ? ' BINARY' : ''}, preferences TEXT`,
      rc_identities:
        'identity_id INTEGER PRIMARY KEY, user_id INTEGER, standard INTEGER, del INTEGER, email VARCHAR(99)',
      rc_session: 'sess_id VARCHAR(99) PRIMARY KEY, changed TIMESTAMP NOT NULL, ip VARCHAR(40), vars TEXT',
    },
  );
  await db.run("INSERT INTO rc_users VALUES (7, 'ann', 'a')");
  await db.run(`INSERT INTO rc_identities VALUES (1, 7, 0, 0, 'second'), (2, 7, 1, 0, '${mailOfUser}')`);
  const vars = Buffer.from('user_id|i:7;username|s:3:"ann";auth_secret|s:3:"Xy1";').toString('base64');
  await db.run("INSERT INTO rc_session VALUES (?, NOW(), '::1', ?)", [id, vars]);
  const now = Math.floor(Date.now() / 1000);
  return {
    ...site,
    cookies: `roundcube_sessid=${id}; roundcube_sessauth=Xy1-${now - (now % 300)}`,
    gone: 'DELETE FROM rc_users',
    hidden: [
      ['rc_users', 'preferences'],
      ['rc_session', 'ip'],
    ],
  };
}

/** The chat reads MediaWiki's sessions only from MariaDB and SQLite. */
export async function mediawikiSite(db: TestDatabase): Promise<AccountSite> {
  const site = await siteOf(
    db,
    {
      'LocalSettings.php': `<?php $wgDBtype = 'mysql'; $wgDBserver = '127.0.0.1:${db.port}'; $wgDBname = '${db.name}'; $wgDBuser = '${db.user}'; $wgDBpassword = '${db.password}'; $wgDBprefix = 'w_'; $wgBlockDisablesLogin = true;`,
    },
    {
      w_user:
        'user_id INTEGER PRIMARY KEY, user_name VARBINARY(255), user_token VARBINARY(32), user_password BLOB, user_email TINYBLOB, user_email_authenticated BINARY(14)',
      w_objectcache:
        'keyname VARBINARY(255) PRIMARY KEY, value MEDIUMBLOB, exptime BINARY(14), flags INTEGER',
      w_block: 'bl_id INTEGER PRIMARY KEY, bl_target INTEGER, bl_expiry VARBINARY(14), bl_reason_id BIGINT',
      w_block_target: 'bt_id INTEGER PRIMARY KEY, bt_address TINYBLOB, bt_user INTEGER',
    },
  );
  const token = 'c07b5909cb6ca6614615456b75e7489f';
  const insert = "INSERT INTO w_user VALUES (?, ?, ?, 'hash', ?, ?)";
  await db.run(insert, ['7', 'Ann', token, mailOfUser, '20260101000000']);
  await db.run(insert, ['8', 'Eve', token, mailOfUser, null]);
  await db.run('INSERT INTO w_block_target VALUES (1, NULL, 7)');
  const session = `a:1:{s:8:"metadata";a:4:{s:6:"userId";i:7;s:8:"userName";s:3:"Ann";s:9:"userToken";s:32:"${token}";s:8:"provider";s:39:"MediaWiki\\Session\\CookieSessionProvider";}}`;
  await db.run(`INSERT INTO w_objectcache VALUES (?, x'${deflateRawSync(session).toString('hex')}', ?, 0)`, [
    `${db.name}-w_:MWSession:${id}`,
    '20990101000000',
  ]);
  return {
    ...site,
    cookies: `${db.name}_w__session=${id}; ${db.name}_w_UserID=7`,
    gone: "INSERT INTO w_block VALUES (1, 1, 'infinity', 1)",
    hidden: [
      ['w_user', 'user_password'],
      ['w_block', 'bl_reason_id'],
      ['w_objectcache', 'flags'],
    ],
  };
}
