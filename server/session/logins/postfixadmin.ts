import type { SessionApplication } from '../application.ts';
import { ownSessions, says } from './own-sessions.ts';

export const postfixadmin: SessionApplication = {
  kind: 'postfixadmin',
  title: 'PostfixAdmin',
  options: {
    cookieName: 'postfixadmin_session',
    userId: 'sessid.username',
    userName: 'sessid.username',
  },

  async find(folder, given) {
    return (await says(folder, 'common.php', 'postfixadmin_session')) ? ownSessions(folder, given) : null;
  },
};
