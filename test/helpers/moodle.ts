import { randomBytes } from 'node:crypto';
import { oneAtATime } from './one-at-a-time.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface MoodleSession {
  firstname?: string;
  lastname?: string;
  /** Columns of the user, or of the session, that differ from the defaults. */
  user?: Record<string, string | number>;
  row?: Record<string, string | number | null>;
}

const now = () => Math.floor(Date.now() / 1000);

/** Creates the tables and the folder of a Moodle, with rows as Moodle writes them. */
export async function moodleSite(db: TestDatabase, config = '') {
  const prefix = `m${randomBytes(3).toString('hex')}_`;
  const { folder, write } = siteFiles('moodle');
  const values = {
    dbtype: db.kind === 'mysql' ? 'mariadb' : 'pgsql',
    dbhost: '127.0.0.1',
    dbname: db.name,
    dbuser: db.user,
    dbpass: db.password,
    prefix,
    wwwroot: 'https://learn.example.org',
  };
  const lines = Object.entries(values).map(([name, value]) => `$CFG->${name} = ${quoted(value)};`);
  write(
    'config.php',
    `// Moodle configuration file
unset($CFG);
global $CFG;
$CFG = new stdClass();
${lines.join('\n')}
$CFG->dboptions = array (
  'dbpersist' => 0,
  'dbport' => ${db.port},
  'dbsocket' => '',
);
${config}
require_once(__DIR__ . '/lib/setup.php');
`,
  );
  const names = ['firstname', 'lastname', 'middlename', 'alternatename'];
  names.push('firstnamephonetic', 'lastnamephonetic');
  const tables: Record<string, string> = {
    sessions:
      'id BIGINT PRIMARY KEY, state BIGINT, sid VARCHAR(128) NOT NULL UNIQUE, userid BIGINT NOT NULL, sessdata TEXT, timecreated BIGINT, timemodified BIGINT NOT NULL, firstip VARCHAR(45)',
    user: `id BIGINT PRIMARY KEY, auth VARCHAR(20) NOT NULL, username VARCHAR(100) NOT NULL, deleted SMALLINT NOT NULL, suspended SMALLINT NOT NULL, confirmed SMALLINT NOT NULL DEFAULT 1, policyagreed SMALLINT NOT NULL DEFAULT 0, ${names.map((name) => `${name} VARCHAR(255)`).join(', ')}`,
    config: 'id BIGINT PRIMARY KEY, name VARCHAR(255) NOT NULL, value TEXT NOT NULL',
    config_plugins: 'id BIGINT PRIMARY KEY, plugin VARCHAR(100), name VARCHAR(100), value TEXT',
    user_preferences:
      'id BIGINT PRIMARY KEY, userid BIGINT NOT NULL, name VARCHAR(255) NOT NULL, value VARCHAR(1333) NOT NULL, UNIQUE (userid, name)',
    tool_policy: 'id BIGINT PRIMARY KEY, currentversionid BIGINT',
    tool_policy_versions: 'id BIGINT PRIMARY KEY, policyid BIGINT NOT NULL, audience SMALLINT NOT NULL',
    role: 'id BIGINT PRIMARY KEY, shortname VARCHAR(100) NOT NULL',
    role_assignments: 'id BIGINT PRIMARY KEY, roleid BIGINT, contextid BIGINT, userid BIGINT',
    context: 'id BIGINT PRIMARY KEY, contextlevel BIGINT NOT NULL',
  };
  const { run, insert, drop } = await siteTables(db, prefix, tables);
  if (db.kind === 'postgres') await run(`GRANT UPDATE (timemodified) ON #__sessions TO ${db.user}`);
  await run("INSERT INTO #__role VALUES (1, 'manager'), (2, 'student')");
  await run('INSERT INTO #__context VALUES (1, 10), (2, 50)');
  await run(
    "INSERT INTO #__config VALUES (1, 'siteguest', '1'), (2, 'siteadmins', '2,33'), (3, 'sessiontimeout', '7200'), (4, 'sessioncookie', '')",
  );
  let last = 0;
  const inTurn = oneAtATime();
  async function logIn(user: string, session: MoodleSession) {
    const { firstname = 'Ann', lastname = 'Lee' } = session;
    const sid = randomBytes(16).toString('hex');
    const number = ++last;
    const own = { id: Number(user), auth: 'manual', username: `user${user}`, deleted: 0, suspended: 0 };
    const known = await run('SELECT id FROM #__user WHERE id = ?', [Number(user)]);
    if (known.length === 0) await insert('user', { ...own, firstname, lastname, ...session.user });
    await insert('sessions', {
      ...{ id: number, state: 0, sid, userid: Number(user), timecreated: 1, timemodified: now() },
      ...session.row,
    });
    return {
      cookies: `MoodleSession=${sid}`,
      secrets: [sid],
      session: sid,
      sid,
      rename: async (other: string) => {
        await run("UPDATE #__user SET firstname = ?, lastname = '' WHERE id = ?", [other, Number(user)]);
      },
      logOut: async () => void (await run('DELETE FROM #__sessions WHERE sid = ?', [sid])),
    };
  }
  return {
    folder,
    run,
    logIn: (user: string, session: MoodleSession = {}) => inTurn(() => logIn(user, session)),
    remove: removing(folder, drop),
  };
}
