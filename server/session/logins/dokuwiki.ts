import type { SessionApplication } from '../application.ts';
import { ownSessions, says } from './own-sessions.ts';

export const dokuwiki: SessionApplication = {
  kind: 'dokuwiki',
  title: 'DokuWiki',
  options: {
    cookieName: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. No other key begins so.
    userId: 'DW*.auth.user',
    userName: 'DW*.auth.info.name',
  },

  async find(folder, given) {
    return (await says(folder, 'inc/init.php', 'DOKU_SESSION_NAME')) ? ownSessions(folder, given) : null;
  },
};
