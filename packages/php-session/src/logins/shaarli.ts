import type { SessionApplication } from './application.ts';
import { ownSessions, says } from './own-sessions.ts';

export const shaarli: SessionApplication = {
  kind: 'shaarli',
  title: 'Shaarli',
  options: { cookieName: 'shaarli', userId: 'username', userName: 'username' },

  async find(folder, given) {
    const isShaarli = await says(folder, 'application/security/SessionManager.php', 'Shaarli');
    return isShaarli ? ownSessions(folder, given) : null;
  },
};
