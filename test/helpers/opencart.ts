import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface OpencartConfig {
  version?: 3 | 4;
  /** The rest of the version. */
  minor?: string;
  engine?: string;
  /** The port of Redis. */
  port?: number;
  /** Further lines of config.php. */
  more?: string;
  /** The cookie of a device that has entered a second factor, if OpenCart requires one. */
  factors?: string;
  /** From 4.1.0.4 on, the factor must be entered again at a date in this time zone of the shop. */
  factorsEndIn?: string;
}

export interface OpencartSession {
  firstname?: string;
  group?: number;
  status?: number;
  /** The session. Default: the customer's. */
  data?: object;
  /** Seconds until it ends, or since its last use. */
  expire?: number;
  age?: number;
}

/** Creates the tables and the folder of an OpenCart, with sessions as OpenCart writes them. */
export async function opencartSite(db: TestDatabase, config: OpencartConfig = {}) {
  const { version = 4, minor = '0.4.1', engine = 'db', port = 0, more = '', factors, factorsEndIn } = config;
  const prefix = `oc${randomBytes(3).toString('hex')}_`;
  const { folder, write } = siteFiles('opencart');
  const shop = 'http://shop.example.org/';
  const own = {
    ...(version === 3
      ? { HTTP_SERVER: shop, HTTPS_SERVER: shop }
      : { APPLICATION: 'Catalog', HTTP_SERVER: shop }),
    ...{ DB_DRIVER: db.kind === 'postgres' ? 'pgsql' : 'mysqli', DB_HOSTNAME: '127.0.0.1' },
    ...{ DB_USERNAME: db.user, DB_PASSWORD: db.password, DB_DATABASE: db.name, DB_PORT: String(db.port) },
    DB_PREFIX: prefix,
  };
  const lines = Object.entries(own).map(([name, value]) => `define('${name}', ${quoted(value)});`);
  write(
    'config.php',
    `${lines.join('\n')}
define('DIR_OPENCART', '${folder}/');
define('DIR_SYSTEM', DIR_OPENCART . 'system/');
define('DIR_STORAGE', DIR_SYSTEM . 'storage/');
define('DIR_SESSION', DIR_STORAGE . 'session/');
define('CACHE_HOSTNAME', '127.0.0.1');
define('CACHE_PORT', '${port}');
define('CACHE_PREFIX', 'shop');
${more}`,
  );
  write('index.php', `define('VERSION', '${version}.${minor}');\nrequire_once('config.php');`);
  write(
    'system/config/default.php',
    `$_['session_engine'] = 'file';\n$_['session_name'] = 'OCSESSID';\n${version === 4 ? "$_['session_expire'] = 86400;" : ''}\n$_['cache_engine'] = defined('CACHE_ENGINE') ? CACHE_ENGINE : 'file';`,
  );
  write(
    'system/config/catalog.php',
    `$_['site_url'] = HTTP_SERVER;\n$_['db_engine'] = DB_DRIVER;\n$_['session_engine'] = '${engine}';`,
  );
  const sessions = join(folder, 'system/storage/session/');
  mkdirSync(sessions, { recursive: true });
  const time = db.kind === 'mysql' ? 'DATETIME' : 'TIMESTAMP';
  const { run, drop } = await siteTables(db, prefix, {
    session: `session_id VARCHAR(32) NOT NULL PRIMARY KEY, data TEXT NOT NULL, expire ${time} NOT NULL`,
    customer:
      'customer_id INTEGER PRIMARY KEY, customer_group_id INTEGER NOT NULL, firstname VARCHAR(32) NOT NULL, lastname VARCHAR(32) NOT NULL, email VARCHAR(96) NOT NULL, password VARCHAR(255) NOT NULL, status SMALLINT NOT NULL',
    customer_group_description:
      'customer_group_id INTEGER NOT NULL, language_id INTEGER NOT NULL, name VARCHAR(32) NOT NULL',
    ...(factors === undefined
      ? {}
      : {
          customer_authorize:
            'customer_authorize_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, token VARCHAR(96) NOT NULL, status SMALLINT NOT NULL, date_expire DATETIME NOT NULL DEFAULT NOW()',
        }),
    setting: `setting_id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL, code VARCHAR(128) NOT NULL, ${db.kind === 'mysql' ? '`key`' : 'key'} VARCHAR(128) NOT NULL, value TEXT NOT NULL`,
  });
  await run("INSERT INTO #__customer_group_description VALUES (1, 1, 'Default'), (2, 1, 'Our &amp; Staff')");
  if (version === 4) {
    await run(
      "INSERT INTO #__setting VALUES (1, 0, 'config', 'config_session_expire', '3600'), (2, 1, 'config', 'config_session_expire', '60')",
    );
  }
  if (factors !== undefined) {
    write(
      'catalog/controller/startup/authorize.php',
      `if (isset($this->request->cookie['${factors}'])) {\n$token = (string)$this->request->cookie['${factors}'];\n}\nif ($this->config->get('config_2fa') && $this->customer->isLogged()) {}`,
    );
    // Other versions store the time of the insertion as `date_expire`, and do not read it.
    const unended = factorsEndIn === undefined ? '' : ' AND `date_expire` > NOW()';
    write(
      'catalog/model/account/customer.php',
      `public function getAuthorizeByToken(int $customer_id, string $token): array {\n$query = "SELECT * WHERE \`token\` = ''${unended}";\n}\npublic function other() {\n$query = "\`date_expire\` > NOW()";\n}`,
    );
    await run("INSERT INTO #__setting VALUES (3, 0, 'config', 'config_2fa', '1')");
    if (factorsEndIn !== undefined)
      await run("INSERT INTO #__setting VALUES (4, 0, 'config', 'config_timezone', ?)", [factorsEndIn]);
  }
  const dataOf = (user: string) => ({
    language: 'en-gb',
    customer_id: user,
    customer: { customer_id: user, email: 'ann@example.org' },
    customer_token: randomBytes(13).toString('hex'),
  });
  const inTurn = oneAtATime();
  const store = engine.toLowerCase();
  async function logIn(user: string, session: OpencartSession) {
    const { firstname = 'Ann', group = 1, status = 1, expire = 3600, age = 10 } = session;
    const data = session.data ?? dataOf(user);
    const made: { id: string; data: string; expire: string } = await phpAnswer(
      'opencart-session.php',
      { version, engine: store, folder: sessions, port, data, expire, age },
      store === 'redis',
    );
    await run('DELETE FROM #__customer WHERE customer_id = ?', [Number(user)]);
    await run('INSERT INTO #__customer VALUES (?, ?, ?, ?, ?, ?, ?)', [
      ...[Number(user), group, firstname, 'Lee', `user${user}@example.org`, '$2y$10$hash', status],
    ]);
    if (store === 'db')
      await run('INSERT INTO #__session VALUES (?, ?, ?)', [made.id, made.data, made.expire]);
    const rewrite = async (text: string) => {
      if (store === 'file') writeFileSync(`${sessions}sess_${made.id}`, text);
      else await run('UPDATE #__session SET data = ? WHERE session_id = ?', [text, made.id]);
    };
    return {
      cookies: `OCSESSID=${made.id}`,
      session: made.id,
      secrets: [made.id],
      rewrite,
      rename: async (name: string) => {
        await run('UPDATE #__customer SET firstname = ? WHERE customer_id = ?', [name, Number(user)]);
      },
      logOut: () => rewrite(version === 4 || store === 'db' ? '{"language":"en-gb"}' : 'a:0:{}'),
      becomes: async (other: string) => {
        await run(
          "INSERT INTO #__customer SELECT ?, 1, 'Bo', 'Lee', 'bo@example.org', '', 1 FROM #__customer WHERE customer_id = ? AND NOT EXISTS (SELECT 1 FROM #__customer WHERE customer_id = ?)",
          [Number(other), Number(user), Number(other)],
        );
        await rewrite(JSON.stringify(dataOf(other)));
      },
    };
  }
  return {
    folder,
    run,
    sessions,
    logIn: (user: string, session: OpencartSession = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
