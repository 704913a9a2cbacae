import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { sessionsOf } from '../../../../test/helpers/config.ts';
import { folderWith } from '../../../../test/helpers/site-database.ts';
import { listSockets } from '../../src/configuration/database-host.ts';
import { describeUser } from '../../src/doctor/user.ts';
import { decodePhp } from '../../src/formats/php.ts';
import { decodePhpSerialize } from '../../src/formats/php-serialize.ts';
import type { PhpRecord } from '../../src/formats/value.ts';
import { findUser } from '../../src/identity.ts';
import type { Login } from '../../src/login.ts';
import type { FoundSessions } from '../../src/logins/application.ts';
import { applications } from '../../src/logins/applications.ts';
import { phpSessions } from '../../src/logins/php-sessions.ts';
import { siteFolder } from '../../src/logins/site-folder.ts';

const script = fileURLToPath(new URL('../../../../test/fixtures/application-sessions.php', import.meta.url));
const sessions = execFileSync('php', [script], { encoding: 'utf8' })
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { application: string; case: string; bytes: string })
  .map((session) => ({ ...session, bytes: Buffer.from(session.bytes, 'base64') }));

const who = (application: string, of: string) => {
  const session = sessions.find((one) => one.application === application && one.case === of);
  if (session === undefined) throw new Error(`no session of ${application}: ${of}`);
  const { user } = sessionsOf({ CHAT_SESSION_NAME: 'its_own', CHAT_SITE: `${application}:` });
  return findUser(decodePhp(session.bytes), user);
};

describe('the user of a known application by its kind alone', () => {
  test.each([
    ['cacti', '7', '7'],
    ['dokuwiki', 'ann', 'Ann'],
    ['icingaweb2', 'ann', 'ann'],
    ['laravel', '7', '7'],
    ['mediawiki', '7', 'Ann'],
    ['phpmyadmin', 'ann', 'ann'],
    ['postfixadmin', 'ann@example.org', 'ann@example.org'],
    ['roundcube', '7', 'ann'],
    ['shaarli', 'ann', 'ann'],
    ['simplesamlphp', 'ann', 'Ann'],
    ['symfony', 'ann', 'ann'],
    ['ttrss', '7', 'Ann'],
  ])('%s', (application, id, name) => {
    expect(who(application, 'in')).toMatchObject({ user: { id, name } });
    expect(who(application, 'out')).toHaveProperty('state', 'nobody');
  });

  test.each([
    ['icingaweb2', 'in', 'ann', ['aNN', 'ANN']],
    ['postfixadmin', 'in', 'ann@example.org', ['Ann@Example.ORG']],
    ['dokuwiki', 'by LDAP', 'ann', ['aNN', 'ANN']],
  ])('is the same however the name was typed: %s (%s)', (application, of, id, typed) => {
    const found = sessions.find((one) => one.application === application && one.case === of);
    const as = (name: string, more?: NodeJS.ProcessEnv) => {
      const { user } = sessionsOf({ CHAT_SESSION_NAME: 'its_own', CHAT_SITE: `${application}:`, ...more });
      const written = (text: string) => `s:${Buffer.byteLength(text)}:"${text}"`;
      const bytes = (text: string) => Buffer.from(text).toString('latin1');
      const text = found?.bytes.toString('latin1').replaceAll(bytes(written(id)), bytes(written(name))) ?? '';
      return findUser(decodePhp(Buffer.from(text, 'latin1')), user);
    };
    for (const name of typed) expect(as(name)).toMatchObject({ user: { id } });
    const [user, domain] = id.split('@');
    const at = (name: string) => (domain === undefined ? name : `${name}@${domain}`);
    // A directory considers these the same name, and `*` any letters.
    for (const name of [
      ' ann',
      'a\u00adnn',
      'a\u200bnn',
      '\uff41nn',
      '\u00e1nn',
      'a\u0301nn',
      `${user}\ufeff`,
      'a*n*N',
      'an*',
    ])
      expect(as(at(name)), JSON.stringify(name)).toHaveProperty('state', 'invalid');
    for (const name of ['0*', '*', '\u212a']) expect(as(name), name).toHaveProperty('state', 'invalid');
    const [first = ''] = typed;
    expect(as(id, { CHAT_USER_NOBODY: first })).toHaveProperty('state', 'nobody');
    expect(as(first, { CHAT_USER_NOBODY: first })).toHaveProperty('state', 'nobody');
  });

  test('keeps the case of the name in DokuWiki with a database', () => {
    expect(who('dokuwiki', 'by a database')).toMatchObject({ user: { id: 'Ann', name: 'Ann' } });
  });

  test('is not accepted with an ID that is reserved in the chat', () => {
    for (const id of ['*', '0', 0]) {
      const { user } = sessionsOf({});
      expect(findUser({ user_id: id }, user), String(id)).not.toHaveProperty('user');
    }
  });

  test('is tested for every application with PHP sessions', () => {
    // Only the operator knows the paths to the users of any other PHP site.
    const kinds = applications.flatMap((one) => ('options' in one && one.options.userId ? one.kind : []));
    expect(kinds.sort()).toEqual([...new Set(sessions.map((one) => one.application))].sort());
  });

  test('is not found for a guest, before the second factor or in the record before the login', () => {
    expect(who('cacti', 'a guest')).toHaveProperty('state', 'nobody');
    for (const application of ['phpmyadmin', 'postfixadmin'])
      expect(who(application, 'before the second factor'), application).toHaveProperty('state', 'nobody');
    expect(who('roundcube', 'the record of the id before the login')).toMatchObject({
      state: 'nobody',
      reason: 'the session has no logged-in user: auth_secret is not in the session',
    });
  });
});

/** The content of a session of the fixtures, and the user that the settings find in it. */
const inSession = (of: string, env: NodeJS.ProcessEnv, decode: typeof decodePhpSerialize = decodePhp) => {
  const content = decode(sessions.find((one) => one.case === of)?.bytes ?? Buffer.alloc(0)) as PhpRecord;
  const { user } = sessionsOf({ CHAT_SESSION_NAME: 'its_own', ...env });
  return { content, user, found: findUser(content, user) };
};
const symfony = { CHAT_SITE: 'symfony:' };

test('finds the user of Symfony in the token of the site’s own authenticator', () => {
  const of = 'by an authenticator of the site';
  expect(who('symfony', of)).toMatchObject({ user: { id: 'ann', name: 'ann' } });
  const own = { ...symfony, CHAT_USER_ID: '_sf2_attributes._security_main!.2.0.roles.0' };
  expect(inSession(of, own).found).toHaveProperty('state', 'nobody');
});

test('knows Symfony users who are entities by ID, not by a username that a form may have changed', () => {
  const uuid = '018f3a2c-0000-7000-8000-00000000000';
  for (const [of, id] of [
    ['an entity', '7'],
    ['an entity by an authenticator of the site', '7'],
    ['an entity with a Uuid', `${uuid}7`],
    ['an entity with a Uuid of Ramsey', `${uuid}8`],
  ] as const)
    expect(who('symfony', of), of).toMatchObject({ user: { id, name: 'ann' } });
  const own = { ...symfony, CHAT_USER_ID: '_sf2_attributes._security_main!.2.0.username' };
  expect(inSession('an entity', own).found).toMatchObject({ user: { id: 'ann' } });
});

test.each([
  ['by an authenticator of the site', 'ann'],
  ['an entity by an authenticator of the site', '7'],
])('lets the doctor find the user of Symfony where the chat does: %s', (of, id) => {
  const { content, user, found } = inSession(of, symfony);
  const findings = 'user' in found ? [...describeUser(content, user, found.user)] : [];
  expect(findings.map(({ text }) => text)).toContain(`It belongs to the user ${id}, called ann.`);
});

test('finds the user of Roundcube in its own storage, where the session is a string', () => {
  const own = {
    CHAT_SITE: 'roundcube:',
    CHAT_USER_ID: 'vars!.user_id',
    CHAT_USER_NAME: 'vars!.username',
    CHAT_USER_REQUIRE: 'vars!.auth_secret',
  };
  const { found } = inSession('its own storage', own, decodePhpSerialize);
  expect(found).toMatchObject({ user: { id: '7', name: 'ann' } });
});

/** Opens the logins of sessions in a new folder. `run` runs the code of a page there. */
function inFolder(env: NodeJS.ProcessEnv, format = 'php') {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const store = { CHAT_SESSION_STORE: `file://${folder}?format=${format}&lifetime=3600` };
  const logins = phpSessions(sessionsOf({ ...store, ...env }));
  onTestFinished(() => logins.close());
  /** Runs code with a session. @returns its ID after the code */
  const run = (id: string, code: string) => {
    const start = `session_save_path('${folder}'); session_id('${id}'); session_start(['use_cookies' => 0, 'cache_limiter' => '']);`;
    return execFileSync('php', ['-r', `${start} ${code} echo session_id();`], { encoding: 'utf8' });
  };
  return { folder, logins, run };
}

const dotEnv = (env: string) => ({
  artisan: '',
  'bootstrap/app.php': '<?php',
  '.env': `APP_KEY=${'x'.repeat(32)}\n${env}`,
  'config/app.php': "<?php return ['key' => env('APP_KEY')];",
  'config/auth.php': '<?php return [];',
  'config/session.php': "<?php return ['cookie' => 'c', 'driver' => 'file'];",
  'config/database.php':
    "<?php return ['default' => env('DB'), 'connections' => ['mysql' => ['driver' => 'mysql', 'host' => env('DB_HOST'), 'unix_socket' => env('DB_SOCKET')], 'pgsql' => ['driver' => 'pgsql', 'host' => env('DB_HOST')]]];",
});

/** The expected places follow from the code of each application, libpq and PHP's mysqlnd. */
describe('the place of a database', () => {
  const phpbb = (dbms: string, host: string) => ({
    'config.php': `<?php $dbms = '${dbms}'; $table_prefix = 'p_'; $dbhost = '${host}'; $dbport = '5433';`,
  });
  const mybb = (type: string, host: string) => ({
    'inc/config.php': `<?php $config['database'] = ['type' => '${type}', 'table_prefix' => '', 'database' => 'x', 'hostname' => '${host}'];`,
  });
  const roundcube = (dsn: string) => ({
    'program/lib/Roundcube/rcube.php': '',
    'config/config.inc.php': `<?php $config['db_dsnw'] = '${dsn}';`,
  });
  const smf = "<?php $db_type = 'postgresql'; $db_prefix = 's_'; $cookiename = 'c'; $auth_secret = 'x';";
  const moodle =
    "<?php $CFG = new stdClass(); $CFG->dbtype = 'pgsql'; $CFG->dbhost = ''; require_once(__DIR__ . '/lib/setup.php');";
  const mediawiki = "<?php $wgDBtype = 'mysql'; $wgDBserver = 'localhost'; $wgDBname = 'w';";
  const inMysql = '/run/mysqld/mysqld.sock';
  const inPostgres = '/run/postgresql/.s.PGSQL.5432';
  const at5433 = '/run/postgresql/.s.PGSQL.5433';
  test.each<[string, string, Record<string, string>]>([
    ['phpbb', at5433, phpbb('postgres', 'localhost')],
    ['phpbb', inPostgres, phpbb('postgres', '')],
    ['phpbb', 'db:5434', phpbb('postgres', 'db:5434')],
    ['phpbb', inMysql, phpbb('mysqli', '')],
    ['mybb', inPostgres, mybb('pgsql', '')],
    ['mybb', at5433, mybb('pgsql', ':5433')],
    ['mybb', 'localhost', mybb('pgsql', 'localhost')],
    ['mybb', inMysql, mybb('mysqli', 'localhost:3307')],
    ['smf', inPostgres, { 'Settings.php': smf }],
    ['moodle', inPostgres, { 'config.php': moodle }],
    ['roundcube', '/run/pg/.s.PGSQL.5432', roundcube('pgsql://a:b@unix(/run/pg)/c')],
    ['roundcube', 'localhost', roundcube('pgsql://a:b@localhost/c')],
    ['roundcube', inMysql, roundcube('mysql://a:b@localhost:3307/c')],
    ['laravel', inMysql, dotEnv('DB=mysql\nDB_HOST=localhost')],
    ['laravel', '/own.sock', dotEnv('DB=mysql\nDB_HOST=localhost\nDB_SOCKET=/own.sock')],
    ['laravel', 'localhost', dotEnv('DB=pgsql\nDB_HOST=localhost')],
    ['mediawiki', inMysql, { 'LocalSettings.php': mediawiki }],
  ])('%s: %s', async (kind, wanted, files) => {
    const application = applications.find((one) => one.kind === kind);
    const found = await application?.find?.(await siteFolder({ folder: folderWith(files) }), {});
    const database =
      found && 'database' in found ? found.database : (found as FoundSessions).accounts?.database;
    if (database === undefined) throw new Error('no database');
    const [{ host, port } = { host: '', port: undefined }] = database.place.hosts;
    expect(listSockets(database)[0] ?? (port === undefined ? host : `${host}:${port}`)).toBe(wanted);
  });
});

test.each([
  ['in', 'php', 'SimpleSAMLphp_SESSION!.'],
  ['sql', 'php_serialize', ''],
  ['memcache', 'php_serialize', 'data.'],
])('accepts a session of SimpleSAMLphp only with its second cookie: %s', async (of, format, where) => {
  const attributes = `${where}authData.default-sp.Attributes`;
  const { folder, logins } = inFolder(
    {
      CHAT_SITE: 'simplesamlphp:',
      CHAT_USER_ID: `${attributes}.uid.0`,
      CHAT_USER_NAME: `${attributes}.displayName.0`,
    },
    format,
  );
  const session = sessions.find((one) => one.application === 'simplesamlphp' && one.case === of);
  writeFileSync(join(folder, 'sess_abc'), session?.bytes ?? '');
  const userBy = async (...others: string[]) => {
    const answer = await logins.identify({ cookies: ['SimpleSAML=abc', ...others].join('; ') });
    return 'code' in answer ? answer.code : answer.user.id;
  };
  // The name of the second cookie is a setting, and its value is as secret as the ID.
  for (const name of ['SimpleSAMLAuthToken', 'own']) expect(await userBy(`${name}=_0a1b2c`)).toBe('ann');
  for (const others of [[], ['SimpleSAMLAuthToken=_0a1b2d'], ['SimpleSAMLAuthToken=']])
    expect(await userBy(...others)).toBe('unauthorized');
});

describe('CodeIgniter', () => {
  function codeIgniter(settings: NodeJS.ProcessEnv = { CHAT_SITE: 'codeigniter:' }) {
    const { run, logins } = inFolder({ ...settings, CHAT_USER_ID: 'user.id', CHAT_USER_NAME: 'user.name' });
    return { run, identify: (id: string) => logins.identify({ cookies: `ci_session=${id}` }), logins };
  }

  test('rejects a user of Shield without the second factor or activation', async () => {
    const { run, identify } = codeIgniter();
    const user = `$_SESSION['user'] = ['auth_action' => 'Email2FA', 'id' => 7, 'name' => 'Ann'];`;
    const id = run('a'.repeat(32), user);
    expect(await identify(id)).toMatchObject({ reason: expect.stringContaining('Shield') });
    run(id, `unset($_SESSION['user']['auth_action']);`);
    expect(await identify(id)).toMatchObject({ user: { id: '7' } });
  });

  test.each([
    ['by its kind', { CHAT_SITE: 'codeigniter:' }],
    ['by its store alone', { CHAT_SESSION_NAME: 'ci_session' }],
  ])(
    'ends a login after its session ID was regenerated, although the old record keeps the user: %s',
    async (_, settings) => {
      const { run, identify, logins } = codeIgniter(settings);
      const before = run('a'.repeat(32), `$_SESSION['user'] = ['id' => 7, 'name' => 'Ann'];`);
      let login = (await identify(before)) as Login;
      const state = async () => {
        const verdict = await logins.check([login as never])[0];
        if (verdict?.state === 'user') login = verdict.login;
        return verdict?.state;
      };
      // A request by script does not renew the time.
      for (const code of [
        `$_SESSION['__ci_last_regenerate'] = 1000;`,
        `$_SESSION['user']['name'] = 'Zoë';`,
      ]) {
        run(before, code);
        expect(await state()).toBe('user');
      }
      // As in Session::regenerate(), and sess_regenerate() of version 3.
      const after = run(before, `$_SESSION['__ci_last_regenerate'] = 1301; session_regenerate_id(false);`);
      // The browser gets the new ID when the page is done.
      const clock = vi.spyOn(performance, 'now');
      onTestFinished(() => clock.mockRestore());
      const now = performance.now();
      for (const seconds of [0, 29]) {
        clock.mockReturnValue(now + seconds * 1000);
        expect(await state()).toBe('user');
        expect(await identify(before)).toMatchObject({ user: { id: '7' } });
      }
      clock.mockReturnValue(now + 31_000);
      expect(await state()).toBe('nobody');
      expect(await identify(before)).toMatchObject({ reason: expect.stringContaining('a new id') });
      expect(await identify(after)).toMatchObject({ user: { id: '7', name: 'Zoë' } });
    },
  );
});

test('rejects a session from a token of the DokuWiki API, but not from a login plugin', async () => {
  const { logins, run } = inFolder({ CHAT_SITE: 'dokuwiki:' });
  /** As `auth_tokenlogin()` and plugins with `trustExternal()` write them. */
  const of = async (auth: string) => {
    const value = `['user' => 'ann', 'info' => ['name' => 'Ann'], ${auth}]`;
    run('abc', `$_SESSION['DW${'0'.repeat(32)}']['auth'] = ${value};`);
    return logins.identify({ cookies: 'DokuWiki=abc' });
  };
  expect(await of("'pass' => 'nope', 'token' => 'x.y.z'")).toMatchObject({
    code: 'unauthorized',
    reason: expect.stringContaining('token of the API'),
  });
  for (const auth of ["'pass' => 'not-set', 'time' => 1", "'time' => 1"])
    expect(await of(auth)).toMatchObject({ user: { id: 'ann' } });
});

test.each([
  ['its key', 34],
  ['a beginning of it', 3],
])('distinguishes two DokuWikis in one session by %s', async (_, length) => {
  const [here, there] = ['DW'.padEnd(34, '0'), 'DW'.padEnd(34, '1')];
  const path = `${here.slice(0, length)}${length < here.length ? '*' : ''}.auth.user`;
  const { logins, run } = inFolder({ CHAT_SITE: 'dokuwiki:', CHAT_USER_ID: path });
  const auth = (key: string, name: string, secret: string) =>
    `$_SESSION['${key}'] = ['auth' => ['user' => '${name}', 'pass' => sha1('${secret}'), 'info' => ['name' => 'Ann', 'user' => '${name}', 'dn' => 'uid=ann']]];`;
  run('abc', auth(here, 'aNN', 'one') + auth(there, 'bob', 'two'));
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const by = (name: string, user: string, secret: string) =>
    logins.identify({ cookies: `DokuWiki=abc; ${name}=${base64(user)}|0|${base64(secret)}` });
  expect(await by(here, 'aNN', 'one')).toMatchObject({ user: { id: 'ann', name: 'Ann' } });
  expect(await by(there, 'bob', 'two')).toMatchObject({ code: 'unauthorized' });
  expect(await by(here, 'aNN', 'two')).toMatchObject({ code: 'unauthorized' });
  expect(await logins.identify({ cookies: 'DokuWiki=abc' })).toMatchObject({ code: 'unauthorized' });
});
