import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

export const postfixadmin: SessionApplication = {
  kind: 'postfixadmin',
  title: 'PostfixAdmin',
  options: {
    cookieName: 'postfixadmin_session',
    userId: 'sessid.username',
    userName: 'sessid.username',
    // From version 4 on the name is there before the second factor is given, and no role.
    userRequire: 'sessid.roles.0',
  },
  typed: true,

  async find(folder, given) {
    return (await fileContains(folder, 'common.php', 'postfixadmin_session'))
      ? findPhpSessions(folder, given)
      : null;
  },
};
