import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { folderWith } from './site-database.ts';

/**
 * Returns the second cookie of Roundcube, as `rcube_session::_mkcookie()` created it this many halves of the session's
 * lifetime ago.
 */
export function secondCookie(secret: string, lifetime: number, halves = 0): string {
  const now = Math.floor(Date.now() / 1000);
  return `${secret}-${now - (now % (lifetime / 2)) - (halves * lifetime) / 2}`;
}

/** Returns Roundcube's configuration. @param more further PHP code */
export const roundcubeConfig = (db: string, more = '') =>
  `<?php $config = []; $config['db_dsnw'] = 'sqlite:///${db}?mode=0646'; $config['db_prefix'] = 'rc_'; ${more}`;

/** Creates a folder of Roundcube with its database, which contains one user. */
export function roundcubeFolder(more: string) {
  const folder = folderWith({ 'program/lib/Roundcube/rcube.php': '' });
  const file = join(folder, 'mail.db');
  const db = new DatabaseSync(file);
  onTestFinished(() => db.close());
  db.exec(
    'CREATE TABLE rc_users (user_id INTEGER PRIMARY KEY, username TEXT); INSERT INTO rc_users VALUES (7, 1)',
  );
  mkdirSync(join(folder, 'config'));
  writeFileSync(join(folder, 'config/config.inc.php'), roundcubeConfig(file, more));
  return { folder, db, file };
}

/** A session of that user in the format of PHP. */
export const roundcubeSession = 'user_id|i:7;username|s:3:"ann";auth_secret|s:3:"Xy1";';
