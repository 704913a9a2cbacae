import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { openLogins } from '../../../../server/session/applications.ts';
import { readOptions } from '../../../../server/session/options.ts';
import { stopClock } from '../../../helpers/application-site.ts';
import { startMemcached } from '../../../helpers/memcached.ts';
import { startRedis } from '../../../helpers/redis.ts';

/** A folder with these files. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'site-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

async function open(options: Record<string, string>) {
  const settings = readOptions(options, (name) => name);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, () => {});
  onTestFinished(() => logins.close());
  return logins;
}

/** The second cookie of Roundcube: `rcube_session::_mkcookie()`, so many halves of the session's lifetime ago. */
function secondCookie(secret: string, lifetime: number, halves = 0): string {
  const now = Math.floor(Date.now() / 1000);
  return `${secret}-${now - (now % (lifetime / 2)) - (halves * lifetime) / 2}`;
}

const roundcube = (db: string, more = '') =>
  `<?php $config = []; $config['db_dsnw'] = 'sqlite:///${db}?mode=0646'; $config['db_prefix'] = 'rc_'; ${more}`;

/** A folder of Roundcube with its database, which has a user. */
function roundcubeOf(more: string) {
  const folder = folderOf({ 'program/lib/Roundcube/rcube.php': '' });
  const file = join(folder, 'mail.db');
  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  db.exec(
    'CREATE TABLE rc_users (user_id INTEGER PRIMARY KEY, username TEXT); INSERT INTO rc_users VALUES (7, 1)',
  );
  mkdirSync(join(folder, 'config'));
  writeFileSync(join(folder, 'config/config.inc.php'), roundcube(file, more));
  return { folder, db, file };
}

const vars = 'user_id|i:7;username|s:3:"ann";auth_secret|s:3:"Xy1";';

test('Roundcube by its folder: the table of its database, its cookies, and the user in its table', async () => {
  stopClock();
  const { folder, db, file } = roundcubeOf(
    "$config['session_name'] = 'mail'; $config['session_lifetime'] = 5;",
  );
  db.exec('CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, changed TEXT, vars TEXT)');
  const used = (minutes: number) =>
    db
      .prepare("INSERT OR REPLACE INTO rc_session VALUES ('abc', datetime('now', 'localtime', ?), ?)")
      .run(`-${minutes} minutes`, Buffer.from(vars).toString('base64'));
  const logins = await open({ site: folder });
  const userBy = async (second: string) => {
    const answer = await logins.identify({
      cookies: `mail=abc${second && `; roundcube_sessauth=${second}`}`,
    });
    return 'code' in answer ? null : answer.user;
  };
  const ann = { id: '7', name: 'ann' };
  used(4);
  expect(await userBy(secondCookie('Xy1', 300))).toEqual(ann);
  expect(await userBy(secondCookie('Xy1', 300, 2))).toEqual(ann);
  expect(await userBy(secondCookie('Xy1', 300, 3))).toBeNull();
  expect(await userBy(secondCookie('Xy2', 300))).toBeNull();
  expect(await userBy('Xy1')).toBeNull();
  expect(await userBy('')).toBeNull();
  expect(await logins.identify({ session: 'abc' })).toMatchObject({ code: 'unauthorized' });
  const login = await logins.identify({
    cookies: `mail=abc; roundcube_sessauth=${secondCookie('Xy1', 300)}`,
  });
  if ('code' in login) throw new Error(login.reason);
  expect(await logins.check([login])[0]).toBeNull();
  db.exec('DELETE FROM rc_users');
  expect(await logins.check([login])[0]).toMatchObject({ state: 'nobody' });
  expect(await userBy(secondCookie('Xy1', 300))).toBeNull();
  db.exec('INSERT INTO rc_users VALUES (7, 1)');
  used(6);
  expect(await userBy(secondCookie('Xy1', 300))).toBeNull();

  const config = (more: string) =>
    writeFileSync(join(folder, 'config/config.inc.php'), roundcube(file, more));
  config("$config['session_storage'] = 'php';");
  await expect(open({ site: folder })).rejects.toThrow('session_storage is php: set CHAT_SESSION_STORE');
  const store = `file://${folder}/sessions`;
  mkdirSync(join(folder, 'sessions'));
  writeFileSync(join(folder, 'sessions/sess_abc'), vars);
  config("$config['session_storage'] = 'php'; $config['session_auth_name'] = 'second';");
  expect(
    await (await open({ site: folder, store })).identify({
      cookies: `roundcube_sessid=abc; second=${secondCookie('Xy1', 600)}`,
    }),
  ).toMatchObject({ user: ann });
});

test('Roundcube 1.7 by its folder public_html, and by the configuration of Debian', async () => {
  const { folder, db, file } = roundcubeOf('');
  db.exec('CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, expires_at TEXT, vars TEXT)');
  mkdirSync(join(folder, 'program/lib/Roundcube/session'));
  writeFileSync(join(folder, 'program/lib/Roundcube/session/db.php'), '<?php // expires_at');
  mkdirSync(join(folder, 'public_html'));
  const cookies = `roundcube_sessid=abc; roundcube_sessauth=${secondCookie('Xy1', 600)}`;
  const until = (minutes: number) =>
    db
      .prepare("INSERT OR REPLACE INTO rc_session VALUES ('abc', datetime('now', 'localtime', ?), ?)")
      .run(`${minutes} minutes`, Buffer.from(vars).toString('base64'));
  const logins = await open({ site: join(folder, 'public_html') });
  until(1);
  expect(await logins.identify({ cookies })).toMatchObject({ user: { id: '7' } });
  until(-1);
  expect(await logins.identify({ cookies })).toMatchObject({ code: 'unauthorized' });

  const etc = folderOf({
    'config/config.inc.php': `<?php $config = []; include(__DIR__ . "/debian-db-roundcube.php"); $config['des_key'] = 'x'; $config['db_prefix'] = 'rc_';`,
    'config/debian-db.php': `<?php $dbuser=''; $dbpass=''; $basepath='${dirname(file)}'; $dbname='mail.db'; $dbserver=''; $dbport=''; $dbtype='sqlite3';`,
    'config/debian-db-roundcube.php': `<?php require(__DIR__ . "/debian-db.php");
      switch ($dbtype) {
        case "sqlite":
        case "sqlite3":
          $config['db_dsnw'] = "sqlite:///$basepath/$dbname?mode=0640";
          break;
        default:
          if ($dbport != '') $dbport=":$dbport";
          if ($dbserver == '') $dbserver="localhost";
          $config['db_dsnw'] = "$dbtype://$dbuser:$dbpass@$dbserver$dbport/$dbname";
          break;
      } ?>`,
  });
  db.exec(
    'DROP TABLE rc_session; CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, changed TEXT, vars TEXT)',
  );
  db.prepare("INSERT INTO rc_session VALUES ('abc', datetime('now', 'localtime'), ?)").run(
    Buffer.from(vars).toString('base64'),
  );
  expect(await (await open({ site: etc })).identify({ cookies })).toMatchObject({ user: { id: '7' } });
});

test('Roundcube with its sessions in Redis and in memcached', async () => {
  const [redis, memcached] = await Promise.all([startRedis(['--requirepass', 'geheim']), startMemcached()]);
  onTestFinished(async () => void (await Promise.all([redis.remove(), memcached.stop()])));
  const own = `a:3:{s:7:"changed";i:1;s:2:"ip";s:3:"::1";s:4:"vars";s:${vars.length}:"${vars}";}`;
  await redis.ask('EVAL', "redis.call('SELECT', 2) redis.call('SET', KEYS[1], ARGV[1])", '1', 'abc', own);
  await memcached.set('abc', Buffer.from(own));
  const cookies = `roundcube_sessid=abc; roundcube_sessauth=${secondCookie('Xy1', 600)}`;
  for (const storage of [
    `'redis'; $config['redis_hosts'] = ['127.0.0.1:${redis.port}:2:geheim'];`,
    `'memcached'; $config['memcache_hosts'] = ['127.0.0.1:${memcached.port}'];`,
  ]) {
    const { folder } = roundcubeOf(`$config['session_storage'] = ${storage}`);
    expect(await (await open({ site: folder })).identify({ cookies }), storage).toMatchObject({
      user: { id: '7', name: 'ann' },
    });
  }
});

test('MediaWiki by its folder: the name of its cookie', async () => {
  const settings = (more: string) =>
    `<?php if ( !defined( 'MEDIAWIKI' ) ) { exit; }
    $wgDBname = "my.wiki"; $wgDBprefix = "w_"; require_once "$IP/extensions/Old/Old.php"; wfLoadSkin( 'Vector' ); ${more}`;
  const sessions = mkdtempSync(join(tmpdir(), 'sessions-'));
  onTestFinished(() => rmSync(sessions, { recursive: true, force: true }));
  writeFileSync(join(sessions, 'sess_abc'), 'metadata|a:2:{s:6:"userId";i:7;s:8:"userName";s:3:"Ann";}');
  for (const [more, cookie] of [
    ['', 'my_wiki_w__session'],
    ["$wgCookiePrefix = 'own';", 'own_session'],
    ["$wgSharedDB = 'all'; $wgCookiePrefix = 'all';", 'all_session'],
    ["$wgSessionName = 'sid';", 'sid'],
  ] as const) {
    const site = folderOf({ 'includes/WebStart.php': '', 'LocalSettings.php': settings(more) });
    const logins = await open({ site, store: `file://${sessions}` });
    expect(await logins.identify({ cookies: `${cookie}=abc` })).toMatchObject({
      user: { id: '7', name: 'Ann' },
    });
    await expect(open({ site })).rejects.toThrow('store: not set');
  }
  const shared = { 'includes/WebStart.php': '', 'LocalSettings.php': settings("$wgSharedDB = 'all';") };
  await expect(open({ site: folderOf(shared), store: `file://${sessions}` })).rejects.toThrow(
    'cookieName: every site has its own',
  );
});
