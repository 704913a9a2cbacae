import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packPlugin } from '../../scripts/wordpress-plugin.ts';
import { type Child, ownPort, startChild } from './child.ts';
import { makeOnceLater } from './kept-folder.ts';
import { type Mariadb, startMariadb } from './mariadb.ts';
import { reachable } from './memcached.ts';
import { quoted } from './wordpress.ts';

export interface WordPressApp extends Child {
  readonly url: string;
  /** The value of CHAT_SITE. */
  readonly folder: string;
  readonly db: Mariadb;
  readonly admin: { user: string; password: string };
  /** Adds subscribers with a login name and a display name through WordPress's own function. @returns their IDs */
  addUsers(users: readonly (readonly [login: string, name: string])[], password: string): string[];
  /** Runs PHP code with WordPress loaded. @returns its output */
  run(code: string): string;
  /** Adds constants to wp-config.php, each with an expression of PHP. */
  define(constants: Record<string, string>): void;
  /** Removes constants that `define` added. */
  undefine(...names: string[]): void;
  /** Turns the site into a network whose only site and super admin are those of before. */
  becomeNetwork(): void;
  /** Installs the plugin from its archive, and activates it on this site. @param pack makes the archive */
  installPlugin(pack?: typeof packPlugin): Promise<void>;
  remove(): Promise<void>;
}

const code = '/usr/share/wordpress';

/** Installs WordPress through its form. */
async function install(url: string, admin: WordPressApp['admin']): Promise<void> {
  const answer = await fetch(`${url}/wp-admin/install.php?step=2`, {
    method: 'POST',
    body: new URLSearchParams({
      weblog_title: 'Club',
      user_name: admin.user,
      admin_password: admin.password,
      admin_password2: admin.password,
      admin_email: 'boss@example.org',
      language: '',
    }),
  });
  const text = await answer.text();
  if (!text.includes('Success')) throw new Error(`WordPress is not installed: ${answer.status} ${text}`);
}

/**
 * Starts Debian's WordPress under PHP's own web server, with its own database and folder. Its tables are those of an
 * installation that is kept.
 */
export async function startWordPress(): Promise<WordPressApp> {
  const db = await startMariadb();
  const folder = mkdtempSync(join(tmpdir(), 'wordpress-'));
  for (const name of readdirSync(code)) {
    if (name !== 'wp-config.php' && name !== 'wp-content') symlinkSync(join(code, name), join(folder, name));
  }
  for (const name of ['plugins', 'themes']) mkdirSync(join(folder, 'wp-content', name), { recursive: true });
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  const port = await ownPort();
  // Without phrases: WordPress then creates them at the first login, and stores them in the database.
  writeFileSync(
    join(folder, 'wp-config.php'),
    `<?php
define('DB_NAME', 'site');
define('DB_USER', ${quoted(user)});
define('DB_PASSWORD', ${quoted(password)});
define('DB_HOST', '127.0.0.1:${db.port}');
define('DB_CHARSET', 'utf8mb4');
$table_prefix = 'wp_';
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('FS_METHOD', 'direct');
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`,
  );
  // WordPress looks for its configuration in the folder of the running file, which is a link to Debian's.
  const prepended = join(folder, 'abspath.php');
  writeFileSync(prepended, `<?php define('ABSPATH', ${quoted(`${folder}/`)});`);
  const installed = join(folder, 'installed');
  const url = `http://127.0.0.1:${port}`;
  const serve = async () => {
    const child = startChild(
      'php',
      [
        ...['-d', `auto_prepend_file=${prepended}`, '-d', 'sendmail_path=/bin/true'],
        // Changes of wp-config.php take effect at once.
        ...['-d', 'opcache.revalidate_freq=0'],
        ...['-S', `127.0.0.1:${port}`, '-t', folder],
      ],
      { env: { PATH: process.env.PATH, PHP_CLI_SERVER_WORKERS: '4' } },
    );
    await reachable(port, child);
    return child;
  };
  // Otherwise each of these processes would compile WordPress again. PHP keeps no file that changed within two seconds.
  const compiled = ['enable_cli=1', `file_cache=${folder}/wp-content/compiled`, 'file_cache_only=1'].flatMap(
    (setting) => ['-d', `opcache.${setting}`],
  );
  mkdirSync(join(folder, 'wp-content/compiled'));
  const run = (code: string) => {
    // A network finds its site by the requested host.
    const host = quoted(new URL(url).host);
    const loaded = `$_SERVER['HTTP_HOST'] = ${host}; $_SERVER['REMOTE_ADDR'] = '127.0.0.1'; require ${quoted(prepended)}; require ABSPATH . 'wp-load.php'; ${code}`;
    return execFileSync('php', [...compiled, '-r', loaded], { encoding: 'utf8' }).trim();
  };
  const admin = { user: 'boss', password: 'a long password of 2026' };
  const tables = join(installed, 'tables.sql');
  const mariadb = [`--socket=${db.folder}/socket`, '-u', 'root', 'site'];
  await makeOnceLater(installed, join(code, 'wp-includes/version.php'), async () => {
    mkdirSync(installed);
    const child = await serve();
    await install(url, admin);
    writeFileSync(tables, execFileSync('mariadb-dump', ['--add-drop-table', ...mariadb]));
    await child.stop();
  });
  execFileSync('mariadb', mariadb, {
    // An old installation would ask whether the mail address of its administrator is still right.
    input: `${readFileSync(tables, 'utf8')};
      UPDATE wp_options SET option_value = '${url}' WHERE option_name IN ('siteurl', 'home');
      UPDATE wp_options SET option_value = '9999999999' WHERE option_name = 'admin_email_lifespan';`,
  });
  const child = await serve();
  return Object.assign(child, {
    url,
    folder,
    db,
    admin,
    run,
    addUsers(users: Parameters<WordPressApp['addUsers']>[0], password: string) {
      const added = users.map(
        ([login, name]) =>
          `echo wp_insert_user(['user_login' => ${quoted(login)}, 'display_name' => ${quoted(name)}, 'user_pass' => ${quoted(password)}, 'user_email' => ${quoted(`${login}@example.org`)}, 'role' => 'subscriber']), "\n";`,
      );
      return run(added.join(' ')).split('\n');
    },
    define(constants: Record<string, string>) {
      const file = join(folder, 'wp-config.php');
      const lines = Object.entries(constants).map(([name, value]) => `define('${name}', ${value});\n`);
      writeFileSync(file, readFileSync(file, 'utf8').replace('<?php\n', `<?php\n${lines.join('')}`));
    },
    undefine(...names: string[]) {
      const file = join(folder, 'wp-config.php');
      const isOf = (line: string) => names.some((name) => line.startsWith(`define('${name}',`));
      const lines = readFileSync(file, 'utf8').split('\n');
      writeFileSync(file, lines.filter((line) => !isOf(line)).join('\n'));
    },
    becomeNetwork() {
      const { host } = new URL(url);
      run(`define('WP_INSTALLING_NETWORK', true); require_once ABSPATH . 'wp-admin/includes/upgrade.php';
        require_once ABSPATH . 'wp-admin/includes/network.php';
        foreach ($wpdb->tables('ms_global') as $table => $name) $wpdb->$table = $name;
        install_network(); populate_network(1, ${quoted(host)}, 'boss@example.org', 'Clubs', '/', false);`);
      this.define({
        ...{ MULTISITE: 'true', SUBDOMAIN_INSTALL: 'false', DOMAIN_CURRENT_SITE: quoted(host) },
        ...{ PATH_CURRENT_SITE: quoted('/'), SITE_ID_CURRENT_SITE: '1', BLOG_ID_CURRENT_SITE: '1' },
      });
      // The installation makes all administrators super admins.
      run(`update_site_option('site_admins', [${quoted(admin.user)}]);`);
    },
    async installPlugin(pack = packPlugin) {
      const zip = join(folder, 'wp-content/plugin.zip');
      await pack(zip);
      run(`require_once ABSPATH . 'wp-admin/includes/plugin.php'; require_once ABSPATH . 'wp-admin/includes/file.php';
        WP_Filesystem(); unzip_file(${quoted(zip)}, WP_PLUGIN_DIR);
        $error = activate_plugin('php-session-chat/php-session-chat.php'); if (is_wp_error($error)) die($error->get_error_message());`);
    },
    async remove() {
      await child.stop();
      await db.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
