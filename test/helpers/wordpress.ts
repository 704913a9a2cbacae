import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { siteFiles, siteTables, type TestDatabase } from './site-database.ts';

export interface WordPressOptions {
  version?: string;
  prefix?: string;
  /** Lines of wp-config.php in addition to the lines for the database. */
  config?: string;
  /** Rows of the table of options in addition to the defaults. */
  options?: Readonly<Record<string, string>>;
}

/** A user and one login. `secret` is the key and the salt, `hash` is the hash of the password. */
export interface WordPressLogin {
  name: string;
  login: string;
  hash: string;
  secret: string;
  expiration: number;
  cookie: string;
  /** The values that a plugin adds to the session. */
  session: object;
}

export const phrases = { key: 'k'.repeat(64), salt: 's"$\'x'.padEnd(64, 's') };
export const address = 'https://blog.example.org';
export const cookieName = `wordpress_logged_in_${createHash('md5').update(address).digest('hex')}`;
export const roles = 'a:3:{s:13:"administrator";a:0:{}s:6:"editor";a:0:{}s:10:"subscriber";a:0:{}}';

/** Returns a text as PHP writes it in single quotes. */
export const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** Creates the tables and the folder of a WordPress, with rows as WordPress writes them. */
export async function wordPressSite(db: TestDatabase, options: WordPressOptions = {}) {
  const { version = '6.9.7', prefix = `w${randomBytes(4).toString('hex')}_` } = options;
  const { folder, write } = siteFiles('wordpress');
  write('wp-includes/version.php', `$wp_version = '${version}';\n`);
  const config =
    options.config ??
    `define('LOGGED_IN_KEY', ${quoted(phrases.key)});\ndefine('LOGGED_IN_SALT', ${quoted(phrases.salt)});`;
  write(
    'wp-config.php',
    `define('DB_NAME', '${db.name}');
define( "DB_USER", ${quoted(db.user)} );
/* define('DB_PASSWORD', 'an old one'); */
define('DB_PASSWORD', ${quoted(db.password)});
define('DB_HOST', '127.0.0.1:${db.port}');
${config.includes('DB_CHARSET') ? '' : "define('DB_CHARSET', 'utf8mb4');"}
$table_prefix = '${prefix}';
${config}
if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
`,
  );
  const charset = ' CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci';
  const { run, insert, drop } = await siteTables(
    db,
    prefix,
    {
      users:
        "ID BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_login VARCHAR(60) NOT NULL, user_pass VARCHAR(255) NOT NULL, user_email VARCHAR(100) NOT NULL DEFAULT '', user_status INT NOT NULL DEFAULT 0, display_name VARCHAR(250) NOT NULL, spam TINYINT NOT NULL DEFAULT 0, deleted TINYINT NOT NULL DEFAULT 0, KEY (user_login)",
      usermeta:
        'umeta_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_id BIGINT UNSIGNED NOT NULL, meta_key VARCHAR(255), meta_value LONGTEXT, KEY (user_id), KEY (meta_key(191))',
      options:
        'option_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, option_name VARCHAR(191) NOT NULL UNIQUE, option_value LONGTEXT NOT NULL',
    },
    charset,
  );
  const setOption = (name: string, value: string) =>
    run('REPLACE INTO #_options (option_name, option_value) VALUES (?, ?)', [name, value]);
  for (const [name, value] of Object.entries({
    siteurl: `${address}/`,
    [`${prefix}user_roles`]: roles,
    ...options.options,
  }))
    await setOption(name, value);
  const setMeta = async (id: number | string, key: string, value: string | null) => {
    await run('DELETE FROM #_usermeta WHERE user_id = ? AND meta_key = ?', [id, key]);
    if (value !== null) await insert('usermeta', { user_id: id, meta_key: key, meta_value: value });
  };
  const sessionsOf = async (id: string): Promise<string | null> => {
    const [row] = await run(
      "SELECT meta_value FROM #_usermeta WHERE user_id = ? AND meta_key = 'session_tokens'",
      [id],
    );
    return (row?.meta_value as string | undefined) ?? null;
  };
  const php = (input: object) => phpAnswer('wordpress-login.php', input);
  /** WordPress stores a user's sessions as one value, so logins run one after another. */
  const inTurn = oneAtATime();
  async function logIn(
    id: string,
    {
      name = 'Ann',
      login = `user ${id}`,
      hash = '$P$BabcdefghiJKLMNOPqrstuvwxyz0123',
      secret = phrases.key + phrases.salt,
      expiration = Math.floor(Date.now() / 1000) + 172_800,
      cookie = cookieName,
      session = {},
    }: Partial<WordPressLogin>,
  ) {
    await run(
      `INSERT INTO #_users (ID, user_login, user_pass, display_name) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE display_name = VALUES(display_name), user_pass = VALUES(user_pass)`,
      [id, login, hash, name],
    );
    const token = randomBytes(22).toString('hex').slice(0, 43);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const isNew = major > 6 || (major === 6 && minor >= 8);
    const made: { cookie: string; signature: string; tokens: string } = await php({
      ...{ login, hash, secret, expiration, token, new: isNew, session },
      before: await sessionsOf(id),
    });
    await setMeta(id, 'session_tokens', made.tokens);
    return {
      cookies: `${cookie}=${made.cookie}`,
      secrets: [token, made.signature],
      rename: async (other: string) => {
        await run('UPDATE #_users SET display_name = ? WHERE ID = ?', [other, id]);
      },
      logOut: async () => {
        const { tokens } = await php({ out: true, token, before: await sessionsOf(id) });
        await setMeta(id, 'session_tokens', tokens);
      },
    };
  }
  const added: string[] = [];
  return {
    folder,
    prefix,
    run,
    /** Creates the table of BuddyBoss Platform, as its bp_core_install_suspend() does. */
    async addBuddyBoss() {
      await run(
        `CREATE TABLE #_bp_suspend (id BIGINT AUTO_INCREMENT PRIMARY KEY, item_id BIGINT NOT NULL, item_type VARCHAR(20) NOT NULL, user_suspended TINYINT NOT NULL, KEY (item_id, item_type))${charset}`,
      );
      added.push('bp_suspend');
    },
    setSuspended: (id: string, suspended: boolean) =>
      run("REPLACE INTO #_bp_suspend (id, item_id, item_type, user_suspended) VALUES (?, ?, 'user', ?)", [
        id,
        id,
        Number(suspended),
      ]),
    /** Creates the table of WP Cerber, and activates the plugin. */
    async addCerber() {
      await run(
        'CREATE TABLE #_cerber_sets (the_key VARCHAR(255) CHARACTER SET ascii NOT NULL, the_id BIGINT NOT NULL DEFAULT 0, the_value LONGTEXT NOT NULL, expires BIGINT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (the_key, the_id)) CHARSET utf8mb4',
      );
      added.push('cerber_sets');
      await setOption('active_plugins', 'a:1:{i:0;s:23:"wp-cerber/wp-cerber.php";}');
    },
    /** Sets the choice in a user's profile: 0 for the setting of the roles, 1 for on, 2 for off. */
    setCerberFactor: (id: string, mode: 0 | 1 | 2) =>
      run("REPLACE INTO #_cerber_sets (the_key, the_id, the_value) VALUES ('cerber_user', ?, ?)", [
        ...[id, `a:2:{s:3:"tfm";i:${mode};s:7:"tfemail";s:0:"";}`],
      ]),
    setOption,
    setMeta,
    /** Logs the user with that ID in, and creates a missing user. */
    logIn: (id: string, login: Partial<WordPressLogin> = {}) => inTurn(() => logIn(id, login)),
    async remove() {
      rmSync(folder, { recursive: true });
      for (const table of added) await run(`DROP TABLE #_${table}`);
      await drop();
    },
  };
}
