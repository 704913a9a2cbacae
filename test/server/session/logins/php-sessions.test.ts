import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { openLogins } from '../../../../server/session/applications.ts';
import { readOptions } from '../../../../server/session/options.ts';

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

test('Roundcube by its folder: the table of its database, and the name of its cookie', async () => {
  const config = (storage: string) =>
    `<?php $config = []; $config['db_dsnw'] = 'sqlite:///' . __DIR__ . '/mail.db?mode=0646';
    $config['db_prefix'] = 'rc_'; $config['session_name'] = 'mail'; $config['session_lifetime'] = 5; ${storage}`;
  const folder = folderOf({ 'program/lib/Roundcube/rcube.php': '', 'config/config.inc.php': config('') });
  const db = new DatabaseSync(join(folder, 'config/mail.db'));
  onTestFinished(() => db.close());
  db.exec('CREATE TABLE rc_session (sess_id TEXT PRIMARY KEY, changed TEXT, vars TEXT)');
  const vars = Buffer.from('user_id|i:7;username|s:3:"ann";auth_secret|s:1:"x";').toString('base64');
  const used = (minutes: number) =>
    db
      .prepare("INSERT OR REPLACE INTO rc_session VALUES ('abc', datetime('now', 'localtime', ?), ?)")
      .run(`-${minutes} minutes`, vars);
  const logins = await open({ site: folder });
  used(4);
  expect(await logins.identify({ cookies: 'mail=abc' })).toMatchObject({ user: { id: '7', name: 'ann' } });
  used(6);
  expect(await logins.identify({ cookies: 'mail=abc' })).toMatchObject({ code: 'unauthorized' });

  writeFileSync(join(folder, 'config/config.inc.php'), config("$config['session_storage'] = 'php';"));
  await expect(open({ site: folder })).rejects.toThrow('session_storage is php: set CHAT_SESSION_STORE');
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
