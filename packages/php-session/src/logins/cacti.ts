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
    // The guest account that cacti.sql creates: with guest access all visitors have it.
    userNobody: '3',
  },

  // include/global.php, include/session.php, include/auth.php, auth_2fa.php
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
    // Since Cacti has second factors, its pages set this where none is needed, too. The id is there before.
    const options = (await folder.has('auth_2fa.php')) ? { userRequire: 'sess_user_2fa' } : {};
    if (given.store || !['1', 'true'].includes(value('cacti_db_session'))) {
      const found = await findPhpSessions(folder, given, { cookieName });
      return { ...found, options: { ...options, ...found.options } };
    }
    // cacti_db_session_clean() gets it from PHP.
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
