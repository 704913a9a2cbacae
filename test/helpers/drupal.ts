import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { siteFiles, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface DrupalSession {
  name?: string;
  /** The attributes of the session. By default, only the user's ID as text. */
  attributes?: object;
  more?: object;
  /** Metadata in addition to Drupal's. */
  meta?: object;
  status?: number;
  cookie?: string;
}

const hashed = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** Returns the name of the cookie of a site at that host and path. */
export const cookieOf = (host: string, prefix = 'SSESS') => `${prefix}${hashed(host)}`;

/** Creates the tables and the folder of a Drupal, with rows as Drupal writes them. */
export async function drupalSite(db: TestDatabase, { prefix = `d${randomBytes(3).toString('hex')}_` } = {}) {
  const { folder, write } = siteFiles('drupal');
  const isFile = db.kind === 'sqlite';
  const values = isFile
    ? { driver: 'sqlite', database: db.name, prefix: '' }
    : {
        driver: db.kind === 'mysql' ? 'mysql' : 'pgsql',
        host: '127.0.0.1',
        port: String(db.port),
        database: db.name,
        username: db.user,
        password: db.password,
        prefix,
      };
  const quote = db.kind === 'mysql' ? '`' : '"';
  const table = (name: string) => `${quote}${isFile ? '' : prefix}${name}${quote}`;
  const lines = Object.entries(values).map(([name, value]) => `  '${name}' => ${quoted(value)},`);
  const configure = (text: string, file = 'sites/default/settings.php') => write(file, text);
  const usual = `
$databases = [];
# $databases['default']['default'] = ['driver' => 'mysql', 'database' => 'an example'];
$settings['hash_salt'] = file_get_contents('/etc/salt');
$databases['default']['default'] = array (
${lines.join('\n')}
  'namespace' => 'Drupal\\\\mysql\\\\Driver\\\\Database\\\\mysql',
);
$databases['default']['replica'][] = ['driver' => 'mysql', 'database' => 'a copy'];
$databases['other']['default'] = ['driver' => 'mysql', 'database' => 'another'];
if (file_exists($app_root . '/' . $site_path . '/settings.local.php')) {
  include $app_root . '/' . $site_path . '/settings.local.php';
}
`;
  configure(usual);
  const blob = { mysql: 'LONGBLOB', postgres: 'BYTEA', sqlite: 'BLOB' }[db.kind];
  const run = (sql: string, given: (string | number)[] = []) =>
    db.run(
      sql.replace(/#__(\w+)/g, (_, name) => table(name)),
      given,
    );
  const tables = {
    sessions: `uid BIGINT NOT NULL, sid VARCHAR(128) NOT NULL PRIMARY KEY, hostname VARCHAR(128), timestamp BIGINT, session ${blob}`,
    users_field_data: `uid BIGINT NOT NULL, langcode VARCHAR(12) NOT NULL, name VARCHAR(60)${isFile ? ' COLLATE NOCASE_UTF8' : ''}, status SMALLINT NOT NULL, default_langcode SMALLINT NOT NULL, PRIMARY KEY (uid, langcode)`,
    user__roles:
      'entity_id BIGINT NOT NULL, delta BIGINT NOT NULL, langcode VARCHAR(32) NOT NULL, roles_target_id VARCHAR(255) NOT NULL, PRIMARY KEY (entity_id, delta, langcode)',
  };
  for (const [name, columns] of Object.entries(tables)) await run(`CREATE TABLE #__${name} (${columns})`);
  const inTurn = oneAtATime();
  async function logIn(user: string, session: DrupalSession) {
    const { name = 'Ann', attributes = { uid: user }, more = {}, meta = {}, status = 1 } = session;
    await run('DELETE FROM #__users_field_data WHERE uid = ?', [Number(user)]);
    for (const [langcode, own, isDefault] of [
      ['en', name, 1],
      ['fr', 'translated', 0],
    ] as const)
      await run('INSERT INTO #__users_field_data VALUES (?, ?, ?, ?, ?)', [
        ...[Number(user), langcode, own, status, isDefault],
      ]);
    const id = `${randomBytes(16).toString('hex')}-,A`;
    const made: { sid: string; session: string } = await phpAnswer('drupal-session.php', {
      ...{ id, attributes, more, meta },
    });
    const literal = db.kind === 'postgres' ? `decode('${made.session}', 'hex')` : `x'${made.session}'`;
    await run(`INSERT INTO #__sessions VALUES (?, ?, '127.0.0.1', 1, ${literal})`, [Number(user), made.sid]);
    return {
      cookies: `${session.cookie ?? cookieOf('www.example.org')}=${id}`,
      secrets: [id],
      session: id,
      id,
      sid: made.sid,
      rename: async (other: string) => {
        await run('UPDATE #__users_field_data SET name = ? WHERE uid = ? AND default_langcode = 1', [
          ...[other, Number(user)],
        ]);
      },
      logOut: async () => void (await run('DELETE FROM #__sessions WHERE sid = ?', [made.sid])),
    };
  }
  return {
    folder,
    configure,
    usual,
    run,
    logIn: (user: string, session: DrupalSession = {}) => inTurn(() => logIn(user, session)),
    async remove() {
      rmSync(folder, { recursive: true });
      for (const name of Object.keys(tables)) await run(`DROP TABLE #__${name}`);
    },
  };
}
