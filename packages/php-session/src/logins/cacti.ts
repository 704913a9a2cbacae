/**
 * Cacti.
 *
 * - The cookie `Cacti` is the id of a PHP session, or with `$cacti_db_session` of a row in the table `sessions`:
 *   include/global.php, include/session.php.
 * - The session has `sess_user_id`, and in versions with second factors also `sess_user_2fa`: include/auth.php,
 *   auth_2fa.php.
 * - A logout deletes the session.
 */

import { asText } from '../configuration/configuration.ts';
import { serverDatabase } from '../configuration/database-host.ts';
import { option } from '../names.ts';
import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions, readLifetime } from './own-sessions.ts';

export const cacti: SessionApplication = {
  kind: 'cacti',
  title: 'Cacti',
  options: {
    cookieName: 'Cacti',
    userId: 'sess_user_id',
    userName: 'sess_user_id',
    // The guest account of cacti.sql. With guest access, the sessions of all visitors name it.
    userNobody: '3',
  },

  async find(folder, given) {
    const file = 'include/config.php';
    if (
      !(await folder.has(file)) ||
      !(await fileContains(folder, 'include/global.php', 'cacti_session_name'))
    )
      return null;
    const configuration = await folder.php(file);
    const value = (name: string, instead = option('store')) =>
      asText(configuration.variable([name], instead)) ?? '';
    const cookieName = given.cookieName ?? (value('cacti_session_name', option('cookieName')) || 'Cacti');
    // Versions with second factors set this key even if no factor is needed. The user's id is stored before it.
    const options = (await folder.has('auth_2fa.php')) ? { userRequire: 'sess_user_2fa' } : {};
    if (given.store || !['1', 'true'].includes(value('cacti_db_session'))) {
      const found = await findPhpSessions(folder, given, { cookieName });
      return { ...found, options: { ...options, ...found.options } };
    }
    // cacti_db_session_clean() uses PHP's lifetime.
    const lifetime = String(await readLifetime(folder));
    return {
      options: { ...options, cookieName },
      table: {
        database: serverDatabase({
          host: value('database_hostname') || 'localhost',
          port: Number(value('database_port')) || 3306,
          user: value('database_username'),
          password: value('database_password'),
          name: value('database_default'),
        }),
        options: { table: 'sessions', id: 'id', data: 'data', last: 'access', lifetime },
      },
    };
  },
};
