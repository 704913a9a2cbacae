import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mariadb } from './mariadb.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';

export interface WordPressOptions {
  version?: string;
  prefix?: string;
  /** Lines of wp-config.php beside those of the database. */
  config?: string;
  /** Rows of the table of options beside the usual ones. */
  options?: Readonly<Record<string, string>>;
}

/** Of a user and one login: `secret` is the key and the salt, `hash` that of the password. */
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

/** How PHP writes a text in single quotes. */
export const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;

/** The tables and the folder of a WordPress, with rows as it writes them. */
export async function wordPressSite(
  db: Pick<Mariadb, 'port' | 'login' | 'query'>,
  options: WordPressOptions = {},
) {
  const { version = '6.9.7', prefix = `w${randomBytes(4).toString('hex')}_` } = options;
  const folder = mkdtempSync(join(tmpdir(), 'wordpress-'));
  mkdirSync(join(folder, 'wp-includes'));
  writeFileSync(join(folder, 'wp-includes/version.php'), `<?php\n$wp_version = '${version}';\n`);
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  const setConfig = (more: string) =>
    writeFileSync(
      join(folder, 'wp-config.php'),
      `<?php
define('DB_NAME', 'site');
define( "DB_USER", ${quoted(user)} );
/* define('DB_PASSWORD', 'an old one'); */
define('DB_PASSWORD', ${quoted(password)});
define('DB_HOST', '127.0.0.1:${db.port}');
${more.includes('DB_CHARSET') ? '' : "define('DB_CHARSET', 'utf8mb4');"}
$table_prefix = '${prefix}';
${more}
if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
`,
    );
  setConfig(
    options.config ??
      `define('LOGGED_IN_KEY', ${quoted(phrases.key)});\ndefine('LOGGED_IN_SALT', ${quoted(phrases.salt)});`,
  );
  await db.query(
    `CREATE TABLE ${prefix}users (ID BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_login VARCHAR(60) NOT NULL, user_pass VARCHAR(255) NOT NULL, user_status INT NOT NULL DEFAULT 0, display_name VARCHAR(250) NOT NULL, spam TINYINT NOT NULL DEFAULT 0, deleted TINYINT NOT NULL DEFAULT 0, KEY (user_login)) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci`,
  );
  await db.query(
    `CREATE TABLE ${prefix}usermeta (umeta_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_id BIGINT UNSIGNED NOT NULL, meta_key VARCHAR(255), meta_value LONGTEXT, KEY (user_id), KEY (meta_key(191))) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci`,
  );
  await db.query(
    `CREATE TABLE ${prefix}options (option_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, option_name VARCHAR(191) NOT NULL UNIQUE, option_value LONGTEXT NOT NULL) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci`,
  );
  for (const [name, value] of Object.entries({
    siteurl: `${address}/`,
    [`${prefix}user_roles`]: roles,
    ...options.options,
  })) {
    await db.query(`INSERT INTO ${prefix}options (option_name, option_value) VALUES (?, ?)`, [name, value]);
  }
  const setMeta = async (id: number | string, key: string, value: string | null) => {
    await db.query(`DELETE FROM ${prefix}usermeta WHERE user_id = ? AND meta_key = ?`, [id, key]);
    if (value !== null)
      await db.query(`INSERT INTO ${prefix}usermeta (user_id, meta_key, meta_value) VALUES (?, ?, ?)`, [
        id,
        key,
        value,
      ]);
  };
  const sessionsOf = async (id: string): Promise<string | null> => {
    const [row] = await db.query(
      `SELECT meta_value FROM ${prefix}usermeta WHERE user_id = ? AND meta_key = 'session_tokens'`,
      [id],
    );
    return row?.meta_value ?? null;
  };
  const php = (input: object) => phpAnswer('wordpress-login.php', input);
  /** Its sessions are one value, so logins of one user come one after the other. */
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
    await db.query(
      `INSERT INTO ${prefix}users (ID, user_login, user_pass, display_name) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE display_name = VALUES(display_name), user_pass = VALUES(user_pass)`,
      [id, login, hash, name],
    );
    const token = randomBytes(22).toString('hex').slice(0, 43);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    const isNew = major > 6 || (major === 6 && minor >= 8);
    const made: { cookie: string; signature: string; tokens: string } = php({
      ...{ login, hash, secret, expiration, token, new: isNew, session },
      before: await sessionsOf(id),
    });
    await setMeta(id, 'session_tokens', made.tokens);
    return {
      cookies: `${cookie}=${made.cookie}`,
      secrets: [token, made.signature],
      rename: async (other: string) => {
        await db.query(`UPDATE ${prefix}users SET display_name = ? WHERE ID = ?`, [other, id]);
      },
      logOut: async () => {
        const { tokens } = php({ out: true, token, before: await sessionsOf(id) });
        await setMeta(id, 'session_tokens', tokens);
      },
    };
  }
  const setOption = (name: string, value: string) =>
    db.query(`REPLACE INTO ${prefix}options (option_name, option_value) VALUES (?, ?)`, [name, value]);
  const added: string[] = [];
  return {
    folder,
    prefix,
    query: db.query,
    /** The table that BuddyBoss Platform adds: bp_core_install_suspend(). */
    async addBuddyBoss() {
      await db.query(
        `CREATE TABLE ${prefix}bp_suspend (id BIGINT AUTO_INCREMENT PRIMARY KEY, item_id BIGINT NOT NULL, item_type VARCHAR(20) NOT NULL, user_suspended TINYINT NOT NULL, KEY (item_id, item_type)) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci`,
      );
      added.push('bp_suspend');
    },
    setSuspended: (id: string, suspended: boolean) =>
      db.query(
        `REPLACE INTO ${prefix}bp_suspend (id, item_id, item_type, user_suspended) VALUES (?, ?, 'user', ?)`,
        [id, id, Number(suspended)],
      ),
    /** The table that WP Cerber adds, which is active then. */
    async addCerber() {
      await db.query(
        `CREATE TABLE ${prefix}cerber_sets (the_key VARCHAR(255) CHARACTER SET ascii NOT NULL, the_id BIGINT NOT NULL DEFAULT 0, the_value LONGTEXT NOT NULL, expires BIGINT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (the_key, the_id)) CHARSET utf8mb4`,
      );
      added.push('cerber_sets');
      await setOption('active_plugins', 'a:1:{i:0;s:23:"wp-cerber/wp-cerber.php";}');
    },
    /** The choice in the profile of a user: by the roles, on, or off. */
    setCerberFactor: (id: string, mode: 0 | 1 | 2) =>
      db.query(
        `REPLACE INTO ${prefix}cerber_sets (the_key, the_id, the_value) VALUES ('cerber_user', ?, ?)`,
        [id, `a:2:{s:3:"tfm";i:${mode};s:7:"tfemail";s:0:"";}`],
      ),
    setOption,
    setConfig,
    setMeta,
    /** A new login of a user with that id, who is made if there is none. */
    logIn: (id: string, login: Partial<WordPressLogin> = {}) => inTurn(() => logIn(id, login)),
    async remove() {
      rmSync(folder, { recursive: true });
      for (const table of ['users', 'usermeta', 'options', ...added])
        await db.query(`DROP TABLE ${prefix}${table}`);
    },
  };
}
