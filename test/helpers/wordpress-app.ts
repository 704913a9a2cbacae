import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, ownPort, startChild } from './child.ts';
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
  remove(): Promise<void>;
}

const code = '/usr/share/wordpress';

/**
 * Starts Debian's WordPress under PHP's own web server, with its own database and folder. Installs it through its form.
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
  const url = `http://127.0.0.1:${port}`;
  const admin = { user: 'boss', password: 'a long password of 2026' };
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
  const run = (code: string) => {
    const loaded = `require ${quoted(prepended)}; require ABSPATH . 'wp-load.php'; ${code}`;
    return execFileSync('php', ['-r', loaded], { encoding: 'utf8' }).trim();
  };
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
    async remove() {
      await child.stop();
      await db.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
