import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface Typo3Session {
  name?: string;
  /** Columns of the user that differ from the defaults. `row`: columns of the session. */
  user?: Record<string, string | number>;
  row?: Record<string, string | number>;
  key?: string;
  /** Further claims of the cookie's token. */
  payload?: object;
}

const now = () => Math.floor(Date.now() / 1000);
const key = 'b5$x"\''.padEnd(96, 'e');

/** Creates the tables and the folder of a TYPO3, with rows as TYPO3 writes them. */
export async function typo3Site(
  db: TestDatabase,
  { version = '13.4.20', more = '', fe = '' }: { version?: string; more?: string; fe?: string } = {},
) {
  const { folder, write } = siteFiles('typo3');
  const drivers = { mysql: 'mysqli', postgres: 'pdo_pgsql', sqlite: 'pdo_sqlite' };
  const connection =
    db.kind === 'sqlite'
      ? { driver: drivers.sqlite, path: db.name }
      : {
          charset: 'utf8mb4',
          driver: drivers[db.kind],
          host: '127.0.0.1',
          port: String(db.port),
          dbname: db.name,
          user: db.user,
          password: db.password,
        };
  const lines = Object.entries(connection).map(([name, value]) => `'${name}' => ${quoted(value)},`);
  write(
    'config/system/settings.php',
    `return [
    'DB' => ['Connections' => ['Default' => [${lines.join(' ')}]]],
    'FE' => ['debug' => false, ${fe}],
    'SYS' => ['encryptionKey' => ${quoted(key)}, 'session' => ['BE' => ['backend' => 'Other']]],
];
`,
  );
  if (more !== '') write('config/system/additional.php', more);
  if (version !== '') {
    write(
      'vendor/typo3/cms-core/Classes/Information/Typo3Version.php',
      `namespace TYPO3\\CMS\\Core\\Information;\nclass Typo3Version {\n    protected const VERSION = '${version}';\n}\n`,
    );
  }
  mkdirSync(join(folder, 'public'));
  const blob = db.kind === 'postgres' ? 'BYTEA' : 'BLOB';
  const { run, insert, drop } = await siteTables(db, 'fe_', {
    sessions: `ses_id VARCHAR(190) NOT NULL PRIMARY KEY, ses_iplock VARCHAR(39) NOT NULL, ses_userid BIGINT NOT NULL, ses_tstamp BIGINT NOT NULL, ses_permanent SMALLINT DEFAULT 0, ses_data ${blob}`,
    users: `uid BIGINT PRIMARY KEY, username VARCHAR(255) NOT NULL, name VARCHAR(160) DEFAULT '' NOT NULL, first_name VARCHAR(50) DEFAULT '' NOT NULL, last_name VARCHAR(50) DEFAULT '' NOT NULL, usergroup TEXT, disable SMALLINT DEFAULT 0 NOT NULL, deleted SMALLINT DEFAULT 0 NOT NULL, starttime BIGINT DEFAULT 0 NOT NULL, endtime BIGINT DEFAULT 0 NOT NULL, mfa ${blob}`,
    groups:
      'uid BIGINT PRIMARY KEY, title VARCHAR(50) NOT NULL, hidden SMALLINT NOT NULL, deleted SMALLINT NOT NULL, subgroup TEXT',
  });
  if (db.kind === 'postgres') await run(`GRANT UPDATE (ses_tstamp) ON fe_sessions TO ${db.user}`);
  await run(
    "INSERT INTO fe_groups VALUES (1, 'Staff', 0, 0, NULL), (11, 'Helpers', 0, 0, ''), (2, 'Old', 1, 0, '1'), (3, 'All: of them', 0, 0, '11,4,2'), (4, 'Between', 0, 0, '3,1')",
  );
  const inTurn = oneAtATime();
  async function logIn(user: string, session: Typo3Session) {
    const identifier = randomBytes(16).toString('hex');
    const made: { cookie: string; id: string } = await phpAnswer('typo3-session.php', {
      ...{ version: version || '13.4', key: session.key ?? key, identifier },
      payload: session.payload ?? { scope: { domain: 'www.example.org', hostOnly: true, path: '/' } },
    });
    await run('DELETE FROM fe_users WHERE uid = ?', [Number(user)]);
    await insert('users', {
      ...{ uid: Number(user), username: `user${user}`, name: session.name ?? 'Ann', usergroup: '' },
      ...session.user,
    });
    await insert('sessions', {
      ...{ ses_id: made.id, ses_iplock: '[DISABLED]', ses_userid: Number(user), ses_tstamp: now() },
      ...session.row,
    });
    const [header = '', payload = '', signature = ''] = made.cookie.split('.');
    return {
      cookies: `fe_typo_user=${made.cookie}`,
      secrets: [payload, signature],
      header,
      rename: async (name: string) => {
        await run('UPDATE fe_users SET name = ? WHERE uid = ?', [name, Number(user)]);
      },
      logOut: async () => void (await run('DELETE FROM fe_sessions WHERE ses_id = ?', [made.id])),
    };
  }
  return {
    folder,
    run,
    logIn: (user: string, session: Typo3Session = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
