import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { askingOf } from '../../../../test/helpers/application-site.ts';
import { startMemcached } from '../../../../test/helpers/memcached.ts';
import { lockedMemcached, memcachedSocket } from '../../../../test/helpers/memcached-places.ts';
import { startRedis } from '../../../../test/helpers/redis.ts';
import { databaseUrl } from '../../src/configuration/database-host.ts';
import type { Logins } from '../../src/login.ts';
import { ConfigurationError, findSite, openSite } from '../../src/logins/applications.ts';
import type { SitePlace } from '../../src/logins/site.ts';
import { readOptions } from '../../src/options.ts';

const root = mkdtempSync(join(tmpdir(), 'php-site-'));
afterAll(() => rmSync(root, { recursive: true }));

let sites = 0;

/** A machine with a plain PHP site and a PHP-FPM of one pool. */
class Machine {
  readonly root = join(root, String(++sites));
  readonly site = join(this.root, 'srv/site');
  readonly sessions = join(this.root, 'sessions');

  constructor(ini: Record<string, string>) {
    this.write('srv/site/index.php', '<?php session_start();');
    this.write('etc/php/8.2/fpm/php-fpm.conf', '[global]\ninclude=/etc/php/8.2/fpm/pool.d/*.conf\n');
    this.write('etc/php/8.2/fpm/pool.d/www.conf', '[www]\nuser = nobody\nlisten = /run/php/www.sock\n');
    this.ini(ini);
    mkdirSync(this.sessions, { recursive: true });
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  ini(settings: Record<string, string>): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = "${value}"\n`);
    this.write('etc/php/8.2/fpm/php.ini', lines.join(''));
  }

  /** A session that PHP writes with this php.ini. @returns the cookie */
  session(user: string): string {
    const code = `session_start(); $_SESSION = ['who' => ['id' => $argv[1], 'name' => 'Zoë']]; echo session_name(), '=', session_id();`;
    const ini = join(this.root, 'etc/php/8.2/fpm/php.ini');
    return execFileSync('php', ['-c', ini, '-r', code, '--', user], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  async logins(given: Record<string, string> = {}): Promise<Logins> {
    const { logins } = await openSite(this.place(given));
    onTestFinished(() => logins.close());
    return logins;
  }

  readonly problems: string[] = [];

  place(given: Record<string, string> = {}): SitePlace {
    const options = { site: this.site, userId: 'who.id', userName: 'who.name', ...given };
    const read = readOptions(options);
    if (!('site' in read)) throw new Error(JSON.stringify(read));
    const onProblem = (problem: Error | null) => void this.problems.push(problem?.message ?? 'over');
    return { ...read.site, machine: this.root, onProblem };
  }
}

const zoe = { user: { id: '7', name: 'Zoë' } };

test('needs only the folder of a PHP site, because PHP’s settings name its store and its cookie', async () => {
  const [memcached, redis, textOnly, socket, locked] = await Promise.all([
    startMemcached(),
    startRedis(),
    startMemcached(undefined, ['-B', 'ascii']),
    memcachedSocket(),
    lockedMemcached('chat', 'p@ss/w:rd+%'),
  ]);
  onTestFinished(async () => {
    await Promise.all([memcached, textOnly].map((one) => one.stop()));
    await Promise.all([redis, socket, locked].map((one) => one.remove()));
  });
  const files = new Machine({});
  const path = (at: string, more: Record<string, string> = {}) => ({ 'session.save_path': at, ...more });
  const by = (handler: string) => ({ 'session.serialize_handler': handler });
  const machines: [string, Record<string, string>][] = [
    ['files', path(files.sessions, { 'session.name': 'ID' })],
    ['files', path(`0;600;${files.sessions}`, by('php_serialize'))],
    ['memcached', path(`127.0.0.1:${memcached.port}`, { 'memcached.sess_prefix': 'own.' })],
    [
      'memcache',
      path(`tcp://127.0.0.1:${memcached.port}?persistent=1&weight=2`, {
        ...by('igbinary'),
        'memcache.session_prefix_static_key': 'site_',
      }),
    ],
    ['redis', path(`tcp://127.0.0.1:${redis.port}?database=3&prefix=a%26b:&weight=1`)],
    ['redis', path(`127.0.0.1:${redis.port}`, by('msgpack'))],
    ['memcached', path(`127.0.0.1:${textOnly.port}`, { 'memcached.sess_binary_protocol': '0' })],
    ['memcached', path(socket.path)],
    ['memcached', path(`${socket.path}:0`, { 'memcached.sess_prefix': 'own.' })],
    ['memcache', path(`unix://${socket.path}:0`)],
    [
      'memcached',
      path(`127.0.0.1:${locked.port}`, {
        'memcached.sess_sasl_username': 'chat',
        'memcached.sess_sasl_password': 'p@ss/w:rd+%',
      }),
    ],
  ];
  for (const [handler, settings] of machines) {
    const machine = new Machine({ 'session.save_handler': handler, ...settings });
    const cookies = machine.session('7');
    const logins = await machine.logins();
    expect(await logins.identify({ cookies }), JSON.stringify(settings)).toMatchObject(zoe);
    expect(await logins.fault()).toBeNull();
  }
});

test('reports an uncertain or unreadable setting with its location and the option to set', async () => {
  const machine = new Machine({ 'session.save_path': '/from/php.ini' });
  const problem = (given?: Record<string, string>) =>
    openSite(machine.place(given)).then(
      ({ logins }) => logins.close(),
      (error: unknown) => {
        expect(error).toBeInstanceOf(ConfigurationError);
        return (error as Error).message;
      },
    );
  expect(await problem({ userId: '', userName: '' })).toBe(
    'userId: the value is different on every site, so it must be given; userName: the value is different on every site, so it must be given',
  );

  machine.write('etc/php/8.2/fpm/pool.d/other.conf', '[other]\nphp_value[session.save_path] = /other\n');
  const two =
    'session.save_path is "/other" in PHP-FPM 8.2, pool other (/etc/php/8.2/fpm/pool.d/other.conf line 2) and "/from/php.ini" in PHP-FPM 8.2, pool www (/etc/php/8.2/fpm/php.ini line 1), and either may run the site: set store';
  expect(await problem()).toBe(two);
  // The given option replaces the only setting that differs.
  expect(await problem({ store: 'file:///given' })).toBeUndefined();

  const redis = 'php_value[session.save_path] = "tcp://a?auth[]=chat&auth[]=secret&prefix=x"';
  machine.write('etc/php/8.2/fpm/pool.d/other.conf', `[other]\n${redis}\n`);
  expect(await problem()).toMatch(
    /is "tcp:\/\/a\?auth\[\]=…&auth\[\]=…&prefix=x" in PHP-FPM 8\.2, pool other/,
  );

  const sasl = 'session.save_handler = memcached\nmemcached.sess_sasl_username = chat';
  machine.write('etc/php/8.2/fpm/php.ini', `${sasl}\nmemcached.sess_sasl_password = secret`);
  const password = 'php_value[memcached.sess_sasl_password] = another';
  machine.write('etc/php/8.2/fpm/pool.d/other.conf', `[other]\n${password}\n`);
  expect(await problem()).toMatch(
    /^memcached\.sess_sasl_password is … in PHP-FPM 8\.2, pool other [^"]* and … in PHP-FPM/,
  );

  machine.write('etc/php/8.2/fpm/pool.d/other.conf', '');
  for (const [setting, error] of [
    [
      `session.save_path = $${'{WHERE}'}`,
      /php\.ini line 1: session\.save_path depends on the variable WHERE of PHP's environment/,
    ],
    [
      'session.save_handler = rediscluster',
      /php\.ini line 1: session\.save_handler is "rediscluster": this storage of sessions is not supported: set store$/,
    ],
    ['session.save_path = relative', /php\.ini line 1: session\.save_path: the path must be absolute/],
    [
      'session.save_handler = redis\nsession.save_path = "tcp://a?auth=secret,tcp://b"',
      /php\.ini line 2: session\.save_path: several Redis servers/,
    ],
    [
      'session.save_handler = memcached\nsession.save_path = /run/one.sock:0,/run/two.sock:0',
      /php\.ini line 2: session\.save_path: the value must be hosts and ports of memcached, or one Unix socket/,
    ],
  ] as const) {
    machine.write('etc/php/8.2/fpm/php.ini', setting);
    const message = await problem();
    expect(message).toMatch(error);
    expect(message).not.toContain('secret');
  }
});

test('reads servers of memcached like libmemcached', async () => {
  const machine = new Machine({
    'session.save_handler': 'memcached',
    'session.save_path': '"a:0, b:11212:0,c:1:3,"',
  });
  const site = await findSite(machine.place());
  if (!('session' in site)) throw new Error('no site in PHP');
  expect((await site.application.find?.(site.folder, {}))?.options.store).toMatch(
    /^memcached:\/\/a:11211,b:11212,c:1\?.*&weight=1%2C1%2C3&/,
  );
});

test('gives settings in the code of a site precedence over php.ini', async () => {
  const machine = new Machine({});
  started(machine);
  machine.write('srv/site/broken.php', '<?php session_name("X"');
  machine.ini({ 'session.name': 'CODE', 'session.save_path': machine.sessions });
  const cookies = machine.session('7');
  machine.ini({ 'session.name': 'INI', 'session.save_path': '/nowhere' });
  expect(await (await machine.logins()).identify({ cookies })).toMatchObject(zoe);
});

/** Writes code of a site that sets the store and the name of its sessions, next to code of a library. */
function started(machine: Machine): void {
  machine.write(
    'srv/site/inc/start.php',
    `<?php\n\\ini_set('session.save_path', dirname(__DIR__, 3) . '/sessions');\nini_set('display_errors', f());\nif (true) { session_start(['name' => "CODE", 'read_and_close' => true]); }`,
  );
  machine.write(
    'srv/site/vendor/lib.php',
    `<?php session_set_save_handler(new Own()); session_name('VENDOR');`,
  );
}

test.each([
  [
    `session_name('OTHER');`,
    {},
    /^session_name\(\) in .*own\.php line 1 sets session\.name to "OTHER", but session_start\(\) in .* line 4 sets it to "CODE": set cookieName$/,
  ],
  [
    `session_name('A' . $b);`,
    { store: 'file:///x' },
    /own\.php line 1: session\.name depends on the call of session_name\(\), which only PHP knows: set cookieName$/,
  ],
  [
    `session_set_save_handler($own);`,
    {},
    /own\.php line 1: session\.save_handler depends on a custom handler, .*: set store$/,
  ],
  [`session_set_save_handler($own);`, { store: 'file:///x' }, undefined],
] as const)('names the code that makes a needed setting uncertain: %s %o', async (code, given, error) => {
  const machine = new Machine({});
  started(machine);
  machine.write('srv/site/own.php', `<?php ${code}`);
  const opened = openSite(machine.place(given));
  if (error === undefined) (await opened).logins.close();
  else await expect(opened).rejects.toThrow(error);
});

test('ignores files that visitors may have uploaded', async () => {
  const machine = new Machine({});
  machine.ini({ 'session.name': 'ID', 'session.save_path': machine.sessions });
  const cookies = machine.session('7');
  const save = (folder: string) => `<?php session_save_path('${machine.site}/data/${folder}');`;
  for (const folder of ['uploads', 'user_uploads', 'files', 'media', 'images', 'avatars', 'attachments']) {
    machine.write(`srv/site/data/${folder}/a.inc`, save(folder));
    machine.write(`srv/site/data/${folder}/sess_forged`, 'who|a:1:{s:2:"id";i:1;}');
  }
  // Every account of the machine could write this file.
  machine.write('srv/site/scans/a.inc', save('uploads'));
  chmodSync(join(machine.site, 'scans'), 0o777);
  const logins = await machine.logins();
  expect(await logins.identify({ cookies })).toMatchObject(zoe);
  expect(await logins.identify({ cookies: 'ID=forged' })).toMatchObject({ code: 'unauthorized' });
  // If all accounts may write to the site itself, as in some containers, its code still counts.
  chmodSync(machine.site, 0o777);
  const misled = await machine.logins();
  expect(await misled.identify({ cookies })).toMatchObject({ code: 'unauthorized' });
});

test('applies a changed configuration although PHP cannot read the end of the file', async () => {
  const machine = new Machine({});
  machine.ini({ 'session.save_path': machine.sessions, 'session.name': 'before' });
  const before = machine.session('7');
  const cutAfter = (name: string) =>
    machine.write(
      'etc/php/8.2/fpm/php.ini',
      `session.save_path = "${machine.sessions}"\nsession.name = "${name}"\nhalf = "a value`,
    );
  cutAfter('before');
  const logins = await machine.logins();
  expect(await logins.identify({ cookies: before })).toMatchObject(zoe);
  cutAfter('after');
  await logins.reload?.();
  expect(await logins.identify({ cookies: before.replace('before', 'after') })).toMatchObject(zoe);
  expect(machine.problems).toEqual([]);
});

test('applies a changed configuration without a restart', async () => {
  const machine = new Machine({});
  const settings = { 'session.save_path': machine.sessions, 'session.name': 'before' };
  machine.ini(settings);
  const [before, other] = [machine.session('7'), machine.session('8')];
  const logins = await machine.logins();
  const { login, isUser, check } = askingOf(logins);
  const known = await login({ cookies: before });
  const followed = logins.watch(() => {}).add(known as never, { notified() {}, opened() {} });
  onTestFinished(() => followed.end());
  const reread = async (change: () => unknown) => {
    change();
    await logins.reload?.();
  };
  expect(await check(known)).toBeNull();

  await reread(() => machine.ini({ ...settings, 'session.name': 'after' }));
  expect(await isUser({ cookies: before })).toBe(false);
  expect(await isUser({ cookies: other.replace('before', 'after') })).toBe(true);
  // The login is checked once more, and is then unchanged again.
  expect(await check(known)).toMatchObject({ state: 'user', login: { handle: known.handle, ...zoe } });
  expect(await check(known)).toBeNull();

  // A missing, half-written or unusable file has no effect, and is reported once.
  const ini = 'etc/php/8.2/fpm/php.ini';
  await reread(() => renameSync(join(machine.root, ini), join(machine.root, `${ini}.new`)));
  await reread(() => {});
  await reread(() => machine.write(ini, 'session.name = "half'));
  await reread(() => machine.write(ini, 'session.save_handler = none'));
  expect(machine.problems).toEqual([
    expect.stringMatching(/php\.ini is missing or no longer used/),
    expect.stringMatching(/php\.ini line 1: PHP cannot read the rest of the file/),
    expect.stringMatching(/session\.save_handler is "": this storage of sessions is not supported/),
  ]);
  expect(await check(known)).toBeNull();

  // The code of the site removed everything from the session.
  writeFileSync(join(machine.sessions, `sess_${before.split('=')[1]}`), '');
  await reread(() => machine.ini({ ...settings, 'session.name': 'later' }));
  expect(await check(known)).toMatchObject({ state: 'empty' });
  // The other folder does not have the session.
  await reread(() => machine.ini({ ...settings, 'session.save_path': join(machine.root, 'srv') }));
  expect(await check(known)).toMatchObject({ state: 'nobody' });
});

test('does not subscribe again after a change of the configuration if nobody watches', async () => {
  const machine = new Machine({});
  const settings = { 'session.save_path': machine.sessions };
  machine.ini(settings);
  const logins = await machine.logins();
  const inotify = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
  const before = inotify();
  const active = Promise.withResolvers<void>();
  const watch = logins.watch(() => active.resolve());
  await active.promise;
  expect(inotify()).toBe(before + 1);
  watch.end();
  await expect.poll(inotify).toBe(before);
  const other = join(machine.root, 'other');
  mkdirSync(other);
  machine.ini({ 'session.save_path': other });
  await logins.reload?.();
  const next = Promise.withResolvers<void>();
  const own = logins.watch(() => next.resolve());
  onTestFinished(() => own.end());
  await next.promise;
  expect(inotify()).toBe(before + 1);
});

const phpConfig = (values: string) => `<?php\n${values}`;

test('takes settings of CodeIgniter from the environment of PHP, even without an .env file', async () => {
  const machine = new Machine({ 'session.gc_maxlifetime': '900' });
  machine.write('srv/site/spark', '');
  machine.write(
    'srv/site/app/Config/Session.php',
    "<?php namespace Config; class Session extends BaseConfig { public string $driver = FileHandler::class; public string $cookieName = 'ci'; public int $expiration = 60; public string $savePath = '/ci'; public bool $matchIP = false; }",
  );
  machine.write(
    'srv/site/app/Config/Database.php',
    "<?php namespace Config; class Database extends Config { public string $defaultGroup = 'default'; public array $default = ['DSN' => '', 'hostname' => 'a', 'username' => 'u', 'password' => 'p', 'database' => 'app', 'DBDriver' => 'MySQLi', 'DBPrefix' => '', 'port' => 3306]; }",
  );
  const found = async (environment: Record<string, string>) => {
    const site = await findSite({ ...machine.place(), environment });
    if (!('session' in site)) throw new Error(site.application.kind);
    return site.application.find?.(site.folder, {});
  };
  expect(await found({ session_savePath: '/e' })).toMatchObject({
    options: { cookieName: 'ci', store: 'file:///e?prefix=ci&format=php&lifetime=60' },
  });
  expect(
    await found({
      ...{ session_driver: 'DatabaseHandler', session_cookieName: 'e', session_savePath: 'own' },
      database_default_hostname: 'db',
    }),
  ).toMatchObject({
    options: { cookieName: 'e' },
    table: { database: { place: { hosts: [{ host: 'db' }] } }, options: { table: 'own' } },
  });
});

/** A known application with its files. `outcome` matches the cookie and store that are found, or the error. */
type Known = [kind: string, files: Record<string, string>, outcome: RegExp, given?: Record<string, string>];

const roundcubeBy = (storage: string, outcome: RegExp): Known => [
  'roundcube',
  {
    'program/lib/Roundcube/rcube.php': '',
    'config/config.inc.php': `<?php $config['db_dsnw'] = 'mysql://u:p@db/mail'; $config['session_storage'] = ${storage}`,
  },
  outcome,
];
const mediaWikiBy = (more: string, outcome: RegExp): Known => [
  'mediawiki',
  {
    'LocalSettings.php': `<?php $wgDBtype = 'mysql'; $wgDBserver = 'db'; $wgDBuser = 'u'; $wgDBpassword = 'p'; $wgDBname = 'my.wiki'; $wgDBprefix = 'w_'; ${more}`,
  },
  outcome,
];
const dokuWikiBy = (files: Record<string, string>, outcome: RegExp): Known => [
  'dokuwiki',
  { 'inc/init.php': "<?php define('DOKU_SESSION_NAME', 'DokuWiki');", ...files },
  outcome,
];
const phpMyAdminBy = (config: string, outcome: RegExp, files: Record<string, string> = {}): Known => [
  'phpmyadmin',
  {
    'libraries/classes/Session.php': '<?php namespace PhpMyAdmin;',
    'config.inc.php': phpConfig(config),
    ...files,
  },
  outcome,
];
const cactiBy = (values: string, outcome: RegExp): Known => [
  'cacti',
  { 'include/global.php': '<?php $cacti_session_name;', 'include/config.php': phpConfig(values) },
  outcome,
];
const samlBy = (values: string, outcome: RegExp): Known => [
  'simplesamlphp',
  { 'src/SimpleSAML/SessionHandlerPHP.php': '', 'config/config.php': phpConfig(`$config = [${values}];`) },
  outcome,
];
/** Symfony with these lines below `session:`, or with a value on that line. */
const symfonyBy = (session: string, outcome: RegExp, files: Record<string, string> = {}): Known => [
  'symfony',
  {
    'config/bundles.php': phpConfig('return [FrameworkBundle::class => []];'),
    'vendor/symfony/http-kernel/Kernel.php': "<?php const VERSION = '7.1.2';",
    'config/packages/framework.yaml': `framework:\n    secret: '%env(APP_SECRET)%'\n    session: ${session.includes(': ') && !session.startsWith('{') ? `\n${session.replace(/^/gm, '        ')}` : session}\nwhen@test:\n    framework:\n        session:\n            name: test\n`,
    ...files,
  },
  outcome,
];
const handledBy = (id: string, outcome: RegExp, files?: Record<string, string>) =>
  symfonyBy(`handler_id: '${id}'`, outcome, files);
const codeIgniterBy = (
  files: Record<string, string>,
  outcome: RegExp,
  change = (text: string) => text,
): Known => [
  'codeigniter',
  {
    spark: '',
    'app/Config/Session.php': phpConfig(
      change(
        "namespace Config; class Session extends BaseConfig { public string $driver = FileHandler::class; public string $cookieName = 'ci'; public int $expiration = 7200; public string $savePath = WRITEPATH . 'session'; public bool $matchIP = false; }",
      ),
    ),
    ...files,
  },
  outcome,
  { userId: 'user.id', userName: 'user.id' },
];
const codeIgniterIn = (handler: string, savePath: string, outcome: RegExp) =>
  codeIgniterBy(
    {
      '.env': `session.driver = ${handler}\ndatabase.default.database = app\ndatabase.default.hostname = db`,
      'app/Config/Database.php': phpConfig(
        "namespace Config; class Database extends Config { public string $defaultGroup = 'default'; public array $default = ['DSN' => '', 'hostname' => 'localhost', 'username' => 'u', 'password' => 'p', 'database' => '', 'DBDriver' => 'MySQLi', 'DBPrefix' => 't_', 'port' => 3306]; }",
      ),
    },
    outcome,
    (text) => text.replace("WRITEPATH . 'session'", `'${savePath}'`),
  );

const twoFactor = (local: string) => ({
  'lib/plugins/twofactor/plugin.info.txt': 'base twofactor',
  'conf/plugins.local.php': phpConfig(local),
});
const redisUrl = (env: Record<string, string>, outcome: RegExp) =>
  handledBy('%env(REDIS_URL)%', outcome, env);
const twoServers = (one: number, other: number) =>
  `$cfg['LoginCookieDeleteAll'] = false; $cfg['Servers'][${one}]['host'] = 'a'; $cfg['Servers'][${other}]['host'] = 'b';`;
const ofPhp = /^OWN file:\/\/\/of\/php/;
const unreadable = /handler_id is not supported: set store/;

/** @param site the folder of the site */
const knownSites = (site: string): Known[] => [
  roundcubeBy(
    "'redis'; $config['redis_hosts'] = ['r:6380:2:geheim'];",
    /^\w+ redis:\/\/:geheim@r:6380\?prefix=&format=php_serialize&database=2$/,
  ),
  roundcubeBy(
    "'memcached'; $config['memcache_hosts'] = ['m:11212'];",
    /^\w+ memcached:\/\/m:11212\?prefix=$/,
  ),
  roundcubeBy("'memcache'; $config['memcache_hosts'] = ['m:11212'];", /&distribution=memcache$/),
  mediaWikiBy('$wgSessionCacheType = CACHE_DB;', /^my_wiki_w__session mysql:/),
  mediaWikiBy("$wgCookiePrefix = 'own'; $wgSessionCacheType = CACHE_DB;", /^own_session mysql:/),
  mediaWikiBy("$wgSharedDB = 'main'; $wgSharedPrefix = 'w_';", /^main_w__session mysql:/),
  mediaWikiBy("$wgSessionName = 'sid';", /^sid mysql:/),
  mediaWikiBy(
    "$wgMainCacheType = 'redis'; $wgObjectCaches['redis'] = [ 'class' => 'RedisBagOStuff', 'servers' => [ 'r:6380' ] ];",
    /^my_wiki_w__session redis:\/\/r:6380.*prefix=my\.wiki-w_/,
  ),
  mediaWikiBy(
    "$wgSessionCacheType = CACHE_MEMCACHED; $wgMemCachedServers = [ 'm:11212' ];",
    /^my_wiki_w__session memcached:\/\/m:11212.*prefix=my\.wiki-w_/,
  ),
  dokuWikiBy({}, /^DokuWiki file:\/\/\/of\/php\?format=php&lifetime=900$/),
  dokuWikiBy(
    twoFactor(''),
    /the plugin twofactor stores the result of the second factor only in its own cookie/,
  ),
  dokuWikiBy(twoFactor('$plugins["twofactor"] = 0;'), /^DokuWiki file:\/\/\/of\/php/),
  [
    'postfixadmin',
    { 'common.php': "<?php session_name('postfixadmin_session');" },
    /^postfixadmin_session file:\/\/\/of\/php/,
  ],
  [
    'shaarli',
    { 'application/security/SessionManager.php': '<?php namespace Shaarli\\Security;' },
    /^shaarli file:\/\/\/of\/php/,
  ],
  [
    'icingaweb2',
    { 'application/controllers/AuthenticationController.php': '<?php namespace Icinga\\Controllers;' },
    /^Icingaweb2 file:\/\/\/of\/php/,
  ],
  phpMyAdminBy("$cfg['SessionSavePath'] = '/pma';", /^phpMyAdmin file:\/\/\/pma\?/),
  // It sets the handler `files` with its path.
  phpMyAdminBy(
    "$cfg['SessionSavePath'] = '/pma'; $cfg['PmaAbsoluteUri'] = 'https://db.example.org/';",
    /^phpMyAdmin_https file:\/\/\/pma\?/,
    { '.user.ini': 'session.save_handler = redis' },
  ),
  [
    'phpmyadmin',
    { 'src/Session.php': '<?php namespace PhpMyAdmin;' },
    /phpMyAdmin 6 keeps no user name in its sessions/,
  ],
  phpMyAdminBy(
    "$cfg['AllowArbitraryServer'] = true;",
    /AllowArbitraryServer is on, so visitors can log in to their own servers/,
  ),
  phpMyAdminBy(
    "$cfg['AllowArbitraryServer'] = ($_ENV['PMA_ARBITRARY'] ?? '') === '1';",
    /AllowArbitraryServer depends on the environment variable PMA_ARBITRARY/,
  ),
  phpMyAdminBy("$cfg['AllowArbitraryServer'] = false;", /^phpMyAdmin file:\/\/\/of\/php/),
  phpMyAdminBy(
    twoServers(1, 2),
    /LoginCookieDeleteAll is off, so a logout from one of several servers does not end the/,
  ),
  phpMyAdminBy(twoServers(1, 1), /^phpMyAdmin file:\/\/\/of\/php/),
  // As its image for containers, and Debian's package.
  ...[`return ['configFile' => '${site}/etc/config.inc.php'];`, `define('CONFIG_DIR', '${site}/etc/');`].map(
    (vendor) =>
      phpMyAdminBy('', /etc\/config\.inc\.php: AllowArbitraryServer is on/, {
        'libraries/vendor_config.php': phpConfig(vendor),
        'etc/config.inc.php': "<?php $cfg['AllowArbitraryServer'] = true;",
      }),
  ),
  cactiBy("$cacti_session_name = 'C2'; $cacti_db_session = false;", /^C2 file:\/\/\/of\/php/),
  cactiBy(
    "$cacti_db_session = true; $database_hostname = 'db'; $database_username = 'u'; $database_password = 'p@'; $database_default = 'c';",
    /^Cacti mysql:\/\/u:p%40@db:3306\/c\?table=sessions&id=id&data=data&last=access&lifetime=900$/,
  ),
  samlBy(
    "'session.phpsession.cookiename' => 'S', 'session.phpsession.savepath' => '/saml'",
    /^S file:\/\/\/saml\?/,
  ),
  samlBy("'store.type' => 'redis'", /config\.php: store\.type redis is not supported: set store/),
  symfonyBy('true', ofPhp),
  symfonyBy('handler_id: null # php.ini\nname: "sf"', /^sf file:\/\/\/of\/php/),
  symfonyBy(
    "handler_id: session.handler.native_file\nsave_path: '%kernel.project_dir%/var/sessions/%kernel.environment%'",
    /^test file:\/\/\/.*\/site\/var\/sessions\/test\?/,
    { '.env': 'APP_ENV=test' },
  ),
  // NativeSessionStorage::setOptions() sets PHP's setting.
  symfonyBy('handler_id: null\ngc_maxlifetime: 86400', /^OWN file:\/\/\/of\/php\?.*lifetime=86400/),
  symfonyBy('gc_maxlifetime: ~\nhandler_id: ~', /^OWN file:\/\/\/of\/php\?.*lifetime=900/),
  symfonyBy("handler_id: 'file:///f'\ngc_maxlifetime: 60", /^OWN file:\/\/\/f\?.*lifetime=60$/),
  symfonyBy("save_path: '/s'\ngc_maxlifetime: 60", /^OWN file:\/\/\/s\?.*lifetime=60$/),
  symfonyBy(
    "handler_id: null\ngc_maxlifetime: '%env(int:LIFETIME)%'",
    /framework\.yaml: gc_maxlifetime must be a plain number: correct it, or set store/,
  ),
  redisUrl({}, /the session handler %env\(REDIS_URL\)% cannot be read: set store/),
  redisUrl(
    { '.env': 'REDIS_URL=redis://localhost', '.env.prod': 'REDIS_URL=redis://p%40@r:6380/3?prefix=own' },
    /^OWN redis:\/\/:p%40@r:6380\/3\?prefix=own&format=php$/,
  ),
  redisUrl(
    {
      '.env': 'REDIS_HOST=a\nREDIS_URL=redis://old\nREDIS_URL=redis://$REDIS_HOST:6380/1',
      '.env.local': `REDIS_HOST=b\nREDIS_URL="\${REDIS_URL}2?prefix=\${NONE:-a#b}"`,
    },
    /^OWN redis:\/\/a:6380\/12\?prefix=a&format=php$/,
  ),
  // As `RedisTrait::createConnection()` takes the database.
  ...['redis://r?dbindex=2', 'redis://r/?dbindex=2', 'redis://r/2?dbindex=2&timeout=5'].map((dsn) =>
    handledBy(dsn, /^OWN redis:\/\/r:6379\/2\?/),
  ),
  ...[
    ...['/1?dbindex=2', '?dbindex=two', '?dbindex=', '?host[s:6379]', '?host%5Bs%5D=', '?auth=p'],
    ...['?redis_cluster=1', '?redis_sentinel=main', '?sentinel_master=main', '?auth[]=u&auth[]=p'],
  ].map((rest) => handledBy(`redis://r${rest}`, unreadable)),
  handledBy('redis://ann:p@r', /framework\.yaml: the storage in handler_id is not supported/),
  handledBy('memcached://m', /^OWN memcached:\/\/m:11211\?prefix=sf2s&format=php$/),
  handledBy(
    '%env(resolve:DATABASE_URL)%',
    /^OWN mysql:\/\/u:p%40@db:3307\/app\?table=sessions&id=sess_id&data=sess_data&expires=sess_lifetime&format=php$/,
    { '.env': 'DATABASE_URL="mysql://u:p%40@db:3307/app?serverVersion=8.0&charset=utf8mb4"' },
  ),
  handledBy('postgresql://u:p@db/app?db_table=own', /^OWN postgres:\/\/u:p@db\/app\?table=own&id=sess_id/),
  handledBy(
    'sqlite:///%kernel.project_dir%/var/data.db',
    /^OWN sqlite:\/.*\/site\/var\/data\.db\?table=sessions&/,
  ),
  handledBy('file://%kernel.project_dir%/var/own', /^OWN file:\/\/\/.*\/site\/var\/own\?/),
  handledBy('pgsql:host=db;user=u;password=secret', /the session handler in handler_id cannot be read/),
  handledBy('redis://old', /^p file:\/\/\/of\/php/, {
    'config/packages/prod/framework.yaml':
      'framework:\n    session:\n        handler_id: null\n        name: p',
  }),
  handledBy('redis://old', /^no redis:\/\/new:6379/, {
    'config/packages/z.yaml':
      "when@prod:\n    framework:\n        session:\n            handler_id: 'redis://new'",
    'config/packages/a.yaml': 'framework:\n    session:\n        name: no',
    'config/packages/other.yaml': 'other: [a]',
  }),
  symfonyBy('true', ofPhp, {
    '.env': 'APP_ENV=test',
    'config/packages/framework.yaml':
      "framework:\n    session:\n        handler_id: 'redis://old'\nwhen@test:\n    framework:\n        session:\n            handler_id: ~",
  }),
  symfonyBy('true', /packages\/session\.php: settings of sessions in PHP files cannot be read/, {
    'config/packages/session.php': "<?php $framework->session()->handlerId('x');",
  }),
  symfonyBy('true', ofPhp, { 'config/packages/cache.php': '<?php // Not for the session.' }),
  symfonyBy('true', /packages\/z\.yaml: the session handler App\\Own cannot be read/, {
    'config/packages/z.yaml': "framework:\n    session:\n        handler_id: 'App\\Own'",
  }),
  symfonyBy('{ handler_id: null }', /framework\.yaml line 3: this YAML is not supported/),
  codeIgniterBy({}, /^ci file:\/\/\/.*\/site\/writable\/session\?prefix=ci&format=php&lifetime=7200$/),
  codeIgniterBy(
    { '.env': "session.savePath = '/ci'\nsession.cookieName = env" },
    /^env file:\/\/\/ci\?prefix=env&/,
  ),
  // BaseConfig::getEnvValue() uses the first of these names.
  codeIgniterBy({ '.env': 'session_cookieName = a\nConfig\\Session.cookieName = b' }, /^a file:/),
  codeIgniterBy({ '.env': 'Config\\Session_cookieName = c\nConfig\\Session.cookieName = b' }, /^b file:/),
  codeIgniterBy({ '.env': 'Config\\Session_cookieName = c' }, /^c file:/),
  codeIgniterBy(
    { '.env': "session_cookieName = a\nsession.cookieName = d\nsession_savePath = '/u'" },
    /^d file:\/\/\/u\?/,
  ),
  codeIgniterBy({}, /matchIP is on/, (text) => text.replace('false', 'true')),
  codeIgniterIn(
    'RedisHandler',
    'tcp://r:6380?auth=p@&database=2',
    /^ci redis:\/\/:p%40@r:6380\/2\?prefix=ci_session%3Aci%3A&format=php$/,
  ),
  codeIgniterIn('RedisHandler', 'tls://r?prefix=own', /^ci rediss:\/\/r:6379\/0\?prefix=own&format=php$/),
  codeIgniterIn(
    'RedisHandler',
    '/run/redis.sock?database=1',
    /^ci redis:\/\/\/run\/redis.sock\?prefix=ci_session%3Aci%3A&format=php&database=1$/,
  ),
  codeIgniterIn('RedisHandler', 'tcp://', /savePath does not name a supported Redis: set store/),
  codeIgniterIn(
    'MemcachedHandler',
    'm:11211:2,n:11212',
    /^ci memcached:\/\/m:11211,n:11212\?prefix=ci_session%3Aci%3A&format=php&lifetime=7200$/,
  ),
  codeIgniterIn(
    'DatabaseHandler',
    'sessions',
    /^ci mysql:\/\/u:p@db:3306\/app\?table=t_sessions&id=id&prefix=ci%3A&data=data&last=timestamp&last_unit=datetime&lifetime=7200&format=php$/,
  ),
  codeIgniterIn('OwnHandler', '', /the session driver OwnHandler is not supported/),
];

test('finds known applications by their files, and reads their cookie name and session store or says why it cannot', async () => {
  const machine = new Machine({
    'session.save_path': '/of/php',
    'session.gc_maxlifetime': '900',
    'session.name': 'OWN',
  });
  for (const [kind, files, outcome, given] of knownSites(machine.site)) {
    rmSync(machine.site, { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) machine.write(join('srv/site', name), text);
    const place = machine.place({ userId: '', userName: '', ...given });
    const site = await findSite(place).catch((error: unknown) => error as Error);
    if (site instanceof Error) {
      expect(site, kind).toBeInstanceOf(ConfigurationError);
      expect(site.message, kind).toMatch(outcome);
      continue;
    }
    expect(site.application.kind).toBe(kind);
    if (!('session' in site)) throw new Error(kind);
    const found = await site.application.find?.(site.folder, {});
    const { table } = found ?? {};
    const inTable = table && { store: await databaseUrl(table.database, table.options) };
    const { cookieName, store } = { ...site.application.options, ...found?.options, ...inTable };
    expect(`${cookieName} ${store}`, JSON.stringify(files)).toMatch(outcome);
  }
});
