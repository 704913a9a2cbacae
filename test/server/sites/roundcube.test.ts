import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';

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

test('after a second factor is switched on, logins are rejected until the configuration can be read', async () => {
  const { folder, file } = roundcubeOf('');
  mkdirSync(join(folder, 'sessions'));
  writeFileSync(join(folder, 'sessions/sess_abc'), vars);
  const server = await startChatServer({
    CHAT_SITE: folder,
    CHAT_SESSION_STORE: `file://${folder}/sessions`,
  });
  onTestFinished(async () => void (await server.stop()));
  const connect = () =>
    connectChat(server.url, `roundcube_sessid=abc; roundcube_sessauth=${secondCookie('Xy1', 600)}`);
  const reread = (more: string) => {
    writeFileSync(join(folder, 'config/config.inc.php'), roundcube(file, more));
    process.kill(server.pid, 'SIGHUP');
  };
  const client = await connect();
  onTestFinished(() => client.close());

  reread("$config['plugins'] = ['twofactor_gauthenticator'];");
  await server.until(
    /set CHAT_USER_REQUIRE=twofactor_gauthenticator_2FA_login.*cannot be used: nobody is let in/,
  );
  await expect(connect()).rejects.toThrow('session_store_unavailable');
  await server.until(/open connections stay open for now/);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);

  // Another fault lets nobody in either.
  reread("$config['plugins'] = [");
  await server.until(/config\.inc\.php line .*: nobody is let in/);
  await expect(connect()).rejects.toThrow('session_store_unavailable');

  reread('');
  await server.until(/the configuration of the site can be read/);
  const again = await connect();
  again.close();
  await server.until(/the session store answers again/);
  expect(server.output()).not.toMatch(/the last one still counts/);
  expect(client.socket.connected).toBe(true);
});
