/**
 * Shaarli.
 *
 * The cookie `shaarli` is the id of a PHP session with `username` (application/security/SessionManager.php). A logout removes
 * it.
 */

import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

export const shaarli: SessionApplication = {
  kind: 'shaarli',
  title: 'Shaarli',
  options: { cookieName: 'shaarli', userId: 'username', userName: 'username' },

  async find(folder, given) {
    const isShaarli = await fileContains(folder, 'application/security/SessionManager.php', 'Shaarli');
    return isShaarli ? findPhpSessions(folder, given) : null;
  },
};
