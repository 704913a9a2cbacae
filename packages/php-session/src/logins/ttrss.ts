/**
 * Tiny Tiny RSS since 2021.
 *
 * - The cookie `ttrss_sid` is the id of a session in the table `ttrss_sessions`: include/sessions.php, later
 *   classes/Sessions.php; classes/config.php.
 * - A logout deletes the row. The session expires at `expire`.
 * - The session has the hash of the password, so a new password ends the session.
 * - The user's access level must not be “disabled”.
 */

import { ConfigurationError } from '../configuration/configuration.ts';
import { serverDatabase } from '../configuration/database-host.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { FoundSessions, SessionApplication } from './application.ts';
import { enableHint } from './claim.ts';
import { fileContains } from './own-sessions.ts';
import { selectMails } from './site-table.ts';

const file = 'config.php';

/** `UserHelper::ACCESS_LEVEL_DISABLED`. */
const disabled = '-2';

export const ttrss: SessionApplication = {
  kind: 'ttrss',
  title: 'Tiny Tiny RSS',
  options: { cookieName: 'ttrss_sid', userId: 'uid', userName: 'name' },

  async find(folder, given): Promise<FoundSessions | null> {
    const code = ['classes/Config.php', 'classes/config.php'];
    const known = await Promise.all(code.map((name) => fileContains(folder, name, 'TTRSS_')));
    if (!known.includes(true) || !(await folder.has(file))) return null;
    // The file consists of putenv() calls.
    const text = (await folder.text(file)).replace(/^\s*(?:\/\/|#|\/?\*).*$/gm, '');
    const values = new Map<string, string>();
    for (const [, , name = '', value = ''] of text.matchAll(
      /\bputenv\s*\(\s*(['"])TTRSS_(\w+)=((?:(?!\1)[^\\$\n])*)\1\s*\)/g,
    ))
      values.set(name, value);
    const value = (name: string) => values.get(name) ?? '';
    const cookieName = given.cookieName ?? (value('SESSION_NAME') || 'ttrss_sid');
    if (value('DB_USER') === '' || value('DB_NAME') === '')
      throw new ConfigurationError(
        `${folder.path}/${file}: no putenv() sets the database (TTRSS_DB_USER, TTRSS_DB_NAME): set ${option('site')} to "ttrss:" (no folder), and set ${option('store')}`,
      );
    const kind = value('DB_TYPE') === 'mysql' ? 'mysql' : 'postgres';
    const database = serverDatabase({
      kind,
      host: value('DB_HOST') || 'db',
      port: Number(value('DB_PORT')) || (kind === 'mysql' ? 3306 : 5432),
      user: value('DB_USER'),
      password: value('DB_PASS'),
      name: value('DB_NAME'),
    });
    return {
      options: { cookieName },
      ...(given.store
        ? {}
        : {
            table: {
              database,
              options: {
                table: 'ttrss_sessions',
                id: 'id',
                data: 'data',
                expires: 'expire',
                layers: 'base64',
              },
            },
          }),
      accounts: {
        proof: ['pwd_hash'],
        database,
        basis: null,
        users: () => ({
          view: 'chat_ttrss_users',
          id: 'id',
          lookup: 'id',
          columns: { id: 'text', password: 'text', level: 'text' },
          select: 'SELECT u.id AS id, u.pwd_hash AS password, u.access_level AS level FROM ttrss_users AS u',
        }),
        mails: () =>
          selectMails('chat_ttrss_mails', `ttrss_users WHERE access_level <> ${disabled}`, 'id', 'email'),
        all: () => ({
          view: 'chat_ttrss_accounts',
          columns: { id: 'text' },
          // The name is in the session.
          search: [],
          select: `SELECT id FROM ttrss_users WHERE access_level <> ${disabled}`,
          name: () => '',
        }),
        checkRow(row, { user, proof: [hash = null] }) {
          if (row === null) return notLoggedIn('the user no longer exists');
          if (row.level?.toString() === disabled)
            return notLoggedIn('the account is disabled on the site', enableHint);
          return row.password?.toString('latin1') === hash
            ? { state: 'user', user }
            : notLoggedIn('the user has a new password');
        },
      },
    };
  },
};
