import { createHash, timingSafeEqual } from 'node:crypto';
import { cookieNames, cookieValue } from '../cookie.ts';
import { because, noCookie, type SessionApplication } from './application.ts';
import { ownSessions, says } from './own-sessions.ts';

/** DokuWiki: inc/auth.php (auth_login, auth_getCookie, auth_setCookie). */
export const dokuwiki: SessionApplication = {
  kind: 'dokuwiki',
  title: 'DokuWiki',
  options: {
    cookieName: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. No other key begins so.
    userId: 'DW*.auth.user',
    userName: 'DW*.auth.info.name',
  },

  beside: {
    proof: ['DW*.auth.pass'],
    refuses(cookies, { user, proof: [digest = null] }) {
      // A plugin that knows its users by other means keeps something else there, or nothing.
      if (digest === null || !/^[0-9a-f]{40}$/.test(digest)) return null;
      const names = cookieNames(cookies).filter((name) => /^DW[0-9a-f]{32}$/.test(name));
      if (names.length === 0)
        return noCookie('DW…', 'DokuWiki sets it beside that of the session, for the same path and domain');
      // Another wiki of this host has a cookie of its own.
      const isOne = names.some((name) => {
        const [name64 = '', , password64 = ''] = cookieValue(cookies, name)?.split('|') ?? [];
        const given = createHash('sha1').update(Buffer.from(password64, 'base64')).digest();
        const isUser = Buffer.from(name64, 'base64').toString() === user.id;
        return isUser && timingSafeEqual(given, Buffer.from(digest, 'hex'));
      });
      return isOne ? null : because('the cookie DW… is not that of the session');
    },
  },

  async find(folder, given) {
    return (await says(folder, 'inc/init.php', 'DOKU_SESSION_NAME')) ? ownSessions(folder, given) : null;
  },
};
