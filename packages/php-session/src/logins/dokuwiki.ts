/**
 * DokuWiki.
 *
 * - The cookie `DokuWiki` is the id of a PHP session. Its key `DW…` has the user, and a logout removes it.
 * - DokuWiki also requires the cookie `DW…` with the same user and password. The session has the SHA-1 of the cookie's
 *   password: inc/auth.php, auth_login, auth_getCookie, auth_setCookie.
 * - Sessions of programs that log in with an API token do not count: auth_tokenlogin.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { asText, isTrue, SecondFactorError } from '../configuration/configuration.ts';
import { notLoggedIn } from '../login.ts';
import type { SessionApplication } from './application.ts';
import { missingCookie } from './claim.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';
import type { SiteFolder } from './site-folder.ts';

export const dokuwiki: SessionApplication = {
  kind: 'dokuwiki',
  title: 'DokuWiki',
  options: {
    cookieName: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. No other key begins with `DW`.
    userId: 'DW*.auth.user',
    userName: 'DW*.auth.info.name',
  },
  // The plugin authpdo stores the name as the database has it: lib/plugins/authpdo/auth.php, getUserData.
  firstIds: ['DW*.auth.info.user'],
  // LDAP and Active Directory: lib/plugins/authldap/auth.php, fetchUserData.
  typed: 'DW*.auth.info.dn',

  loginCheck: {
    proof: ['DW*.auth.pass', 'DW*.auth.user'],
    check(cookies, { proof: [digest = null, user] }) {
      // The token comes with each request of a program, and may be revoked.
      if (digest === 'nope') return notLoggedIn('a program created the session with a token of the API');
      // Other login plugins store another value or none: oauth stores `not-set`, and plugins that copy the example
      // trustExternal() of inc/Extension/AuthPlugin.php store the password.
      if (digest === null || !/^[0-9a-f]{40}$/.test(digest)) return null;
      const names = (cookies?.names ?? []).filter((name) => /^DW[0-9a-f]{32}$/.test(name));
      if (names.length === 0)
        return missingCookie(
          'DW…',
          'DokuWiki sets it with the cookie of the session, for the same path and domain',
        );
      // Other wikis of this host have their own cookies.
      const isSame = names.some((name) => {
        const [name64 = '', , password64 = ''] = cookies?.value(name)?.split('|') ?? [];
        const given = createHash('sha1').update(Buffer.from(password64, 'base64')).digest();
        const isUser = Buffer.from(name64, 'base64').toString('latin1') === user;
        return isUser && timingSafeEqual(given, Buffer.from(digest, 'hex'));
      });
      return isSame ? null : notLoggedIn('the cookie DW… does not belong to the session');
    },
  },

  async find(folder, given) {
    if (!(await fileContains(folder, 'inc/init.php', 'DOKU_SESSION_NAME'))) return null;
    if (await hasPlugin(folder, 'twofactor'))
      throw new SecondFactorError(
        `${folder.path}: the plugin twofactor stores the result of the second factor only in its own cookie, which cannot be verified here, so a password alone would be enough: disable the plugin, or do not use this program for this site`,
      );
    return findPhpSessions(folder, given);
  },
};

/** Whether a plugin is on. Plugins are on by default: inc/Extension/PluginController.php, inc/config_cascade.php. */
async function hasPlugin(folder: SiteFolder, name: string): Promise<boolean> {
  if (!(await folder.has(`lib/plugins/${name}/plugin.info.txt`))) return false;
  for (const list of ['protected.php', 'required.php', 'local.php', 'php']) {
    const file = `conf/plugins.${list}`;
    if (!(await folder.has(file))) continue;
    const isOn = (await folder.php(file)).variable(['plugins', name], 'a literal value');
    if (isOn !== null) return isTrue(asText(isOn) ?? '');
  }
  return true;
}
