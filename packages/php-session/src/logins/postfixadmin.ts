/**
 * PostfixAdmin.
 *
 * The cookie `postfixadmin_session` is the id of a PHP session with the user and roles in `sessid`. A logout empties the
 * session.
 */

import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

export const postfixadmin: SessionApplication = {
  kind: 'postfixadmin',
  title: 'PostfixAdmin',
  options: {
    cookieName: 'postfixadmin_session',
    userId: 'sessid.username',
    userName: 'sessid.username',
    // Since version 4 the name is in the session before a second factor is given, but roles are not.
    userRequire: 'sessid.roles.0',
  },
  typed: true,

  async find(folder, given) {
    return (await fileContains(folder, 'common.php', 'postfixadmin_session'))
      ? findPhpSessions(folder, given)
      : null;
  },
};
