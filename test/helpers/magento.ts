import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface MagentoConfig {
  save?: 'db' | 'files' | 'redis';
  /** The port of Redis. */
  port?: number;
  library?: string;
  /** Before 2.4 IDs are not hashed, and a new password does not end other sessions. */
  old?: true;
  /** The folder of its packages. Default: `magento`. */
  vendor?: 'mage-os' | 'none';
  /** Rows of core_config_data. */
  settings?: Record<string, string>;
  /** The PHP code of `system` in env.php. */
  system?: string;
}

export interface MagentoSession {
  firstname?: string;
  /** Columns of the customer that differ from the defaults. */
  customer?: Record<string, string | number | null>;
  /** Parts of the session that differ from the defaults. */
  session?: Record<string, unknown>;
  /** Seconds since the last page view, and since the first one. */
  age?: number;
  begun?: number;
}

/** Two keys. The second one, in the form of version 2.4.7, is in use. */
export const secret = Buffer.from('0123456789abcdef0123456789abcdef');
const keys = `${'a'.repeat(32)}\nbase64${secret.toString('base64')}`;

const agent = 'Mozilla/5.0 (é)';

/** Creates the tables and the folder of a Magento, with sessions as Magento writes them. */
export async function magentoSite(db: TestDatabase, config: MagentoConfig = {}) {
  const { save = 'db', port = 0, library = 'gzip', old = false, vendor = 'magento' } = config;
  const prefix = `m${randomBytes(3).toString('hex')}_`;
  const { folder, write } = siteFiles('magento');
  const sessions = join(folder, 'var/session');
  mkdirSync(sessions, { recursive: true });
  const redis = `'redis' => ['host' => '127.0.0.1', 'port' => '${port}', 'password' => '', 'database' => '2', 'compression_threshold' => '2048', 'compression_library' => '${library}']`;
  write(
    'app/etc/env.php',
    `return [
    'backend' => ['frontName' => 'admin_1'],
    'crypt' => ['key' => ${quoted(keys)}],
    'session' => ['save' => '${save}', 'save_path' => '${sessions}', ${save === 'redis' ? redis : ''}],
    'db' => [
        'table_prefix' => '${prefix}',
        'connection' => ['default' => [
            'host' => '127.0.0.1:${db.port}', 'dbname' => ${quoted(db.name)}, 'username' => ${quoted(db.user)},
            'password' => ${quoted(db.password)}, 'model' => 'mysql4', 'active' => '1',
        ]],
    ],
    'system' => [${config.system ?? ''}],
];
`,
  );
  write('app/etc/config.php', "return ['modules' => ['Magento_Customer' => 1]];");
  writeFileSync(join(folder, 'app/etc/vendor_path.php'), '');
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/magento'), '');
  mkdirSync(join(folder, 'pub'));
  write(
    `vendor/${vendor}/framework/Session/SaveHandler/DbTable.php`,
    old ? "$bind = ['session_id' => $sessionId];" : '$id = $this->encryptor->hash($sessionId);',
  );
  for (const name of ['framework', 'module-customer']) write(`vendor/${vendor}/${name}/registration.php`, '');
  if (!old) write(`vendor/${vendor}/module-customer/Model/Session/Validators/CutoffValidator.php`, '');
  const { run, drop } = await siteTables(db, prefix, {
    session:
      'session_id VARCHAR(255) NOT NULL PRIMARY KEY, session_expires INT UNSIGNED NOT NULL DEFAULT 0, session_data MEDIUMBLOB NOT NULL',
    customer_entity: `entity_id INT UNSIGNED PRIMARY KEY, website_id SMALLINT, email VARCHAR(255), group_id SMALLINT NOT NULL, is_active SMALLINT NOT NULL DEFAULT 1, firstname VARCHAR(255), lastname VARCHAR(255), password_hash VARCHAR(128), confirmation VARCHAR(64), lock_expires TIMESTAMP NULL${old ? '' : ', session_cutoff TIMESTAMP NULL'}`,
    customer_visitor:
      'visitor_id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer_id INT, session_id VARCHAR(1), created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, last_visit_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (customer_id)',
    customer_group: 'customer_group_id INT PRIMARY KEY, customer_group_code VARCHAR(32) NOT NULL',
    core_config_data:
      'config_id INT AUTO_INCREMENT PRIMARY KEY, scope VARCHAR(8) NOT NULL, scope_id INT NOT NULL, path VARCHAR(255) NOT NULL, value TEXT',
    store_website: 'website_id SMALLINT PRIMARY KEY, code VARCHAR(32), is_default SMALLINT NOT NULL',
  });
  await run("INSERT INTO #__customer_group VALUES (1, 'General'), (4, 'Staff')");
  await run("INSERT INTO #__store_website VALUES (0, 'admin', 0), (1, 'other', 0), (2, 'base', 1)");
  for (const [path, value] of Object.entries(config.settings ?? {})) {
    await run("INSERT INTO #__core_config_data (scope, scope_id, path, value) VALUES ('default', 0, ?, ?)", [
      path,
      value,
    ]);
  }
  const now = () => Math.floor(Date.now() / 1000);
  const php = (id: string, session: object, age: number): Promise<{ id: string; data: string }> =>
    phpAnswer(
      'magento-session.php',
      {
        ...{ id, session, save, folder: sessions, port, library, threshold: 2048, age },
        key: old || save !== 'db' ? '' : secret.toString('latin1'),
      },
      save === 'redis',
    );
  const inTurn = oneAtATime();

  async function logIn(
    user: string,
    { firstname = 'Ann', customer, session, age = 10, begun = 10 }: MagentoSession,
  ) {
    const id = randomBytes(13).toString('hex');
    const fields = {
      ...{ entity_id: Number(user), website_id: 2, email: `user${user}@example.org`, group_id: 1 },
      ...{ firstname, lastname: 'Lee', password_hash: 'hash' },
      ...customer,
    };
    await run(
      `REPLACE INTO #__customer_entity (${Object.keys(fields).join(', ')}) VALUES (${Object.keys(fields).map(() => '?')})`,
      Object.values(fields),
    );
    await run('INSERT INTO #__customer_visitor (customer_id, created_at) VALUES (?, FROM_UNIXTIME(?))', [
      Number(user),
      now() - begun,
    ]);
    const [{ visitor } = {}] = await run('SELECT MAX(visitor_id) AS visitor FROM #__customer_visitor');
    const sessionOf = (customer: string) => ({
      _session_validator_data: {
        ...{ remote_addr: '192.0.2.1', http_via: '', http_x_forwarded_for: '', http_user_agent: agent },
      },
      _session_hosts: { 'shop.example.org': true },
      default: {
        _form_key: 'a1b2',
        visitor_data: {
          last_visit_at: '2026-01-01 00:00:00',
          visitor_id: String(visitor),
          customer_id: customer,
        },
      },
      customer_base: { customer_id: customer, customer_group_id: '1' },
      checkout: [],
      ...session,
    });
    const keep = async (content: object) => {
      const made = await php(id, content, age);
      if (save === 'db')
        await run('REPLACE INTO #__session VALUES (?, ?, ?)', [made.id, now() - age, made.data]);
      return made.id;
    };
    const row = await keep(sessionOf(user));
    return {
      cookies: `PHPSESSID=${id}`,
      session: id,
      row,
      visitor: Number(visitor),
      secrets: [id],
      rename: async (name: string) => {
        await run('UPDATE #__customer_entity SET firstname = ? WHERE entity_id = ?', [name, Number(user)]);
      },
      /** `session_destroy()` */
      async logOut() {
        if (save === 'files') rmSync(join(sessions, `sess_${id}`));
        else await run('DELETE FROM #__session WHERE session_id = ?', [row]);
      },
      async becomes(other: string) {
        await run(
          "INSERT IGNORE INTO #__customer_entity (entity_id, group_id, firstname) VALUES (?, 1, 'Bo')",
          [Number(other)],
        );
        await keep(sessionOf(other));
      },
    };
  }
  return {
    folder,
    run,
    agent: Buffer.from(agent).toString('latin1'),
    logIn: (user: string, session: MagentoSession = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
