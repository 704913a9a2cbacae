import { createHash, timingSafeEqual } from 'node:crypto';
import { asText, isTrue, SecondFactorError } from '../configuration/configuration.ts';
import { missingCookie, notLoggedIn, type SessionApplication, type SiteFolder } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

/** DokuWiki: inc/auth.php (auth_login, auth_tokenlogin, auth_getCookie, auth_setCookie). */
export const dokuwiki: SessionApplication = {
  kind: 'dokuwiki',
  title: 'DokuWiki',
  options: {
    cookieName: 'DokuWiki',
    // `DW` and the MD5 of the wiki's path and port: DOKU_COOKIE in inc/init.php. No other key begins so.
    userId: 'DW*.auth.user',
    userName: 'DW*.auth.info.name',
  },
  // The plugin authpdo has there the name that the database has: getUserData() in lib/plugins/authpdo/auth.php.
  firstIds: ['DW*.auth.info.user'],
  // Of LDAP and Active Directory: fetchUserData() in lib/plugins/authldap/auth.php.
  typed: 'DW*.auth.info.dn',

  loginCheck: {
    proof: ['DW*.auth.pass', 'DW*.auth.user'],
    check(cookies, { proof: [digest = null, user] }) {
      // auth_tokenlogin(): the token comes with each request of a program, and may be withdrawn.
      if (digest === 'nope') return notLoggedIn('a program has made the session by a token of the API');
      // A plugin that knows its users by other means keeps something else there, or nothing: `not-set` that of oauth, the
      // password those whose trustExternal() follows the example in inc/Extension/AuthPlugin.php.
      if (digest === null || !/^[0-9a-f]{40}$/.test(digest)) return null;
      const names = (cookies?.names ?? []).filter((name) => /^DW[0-9a-f]{32}$/.test(name));
      if (names.length === 0)
        return missingCookie(
          'DW…',
          'DokuWiki sets it beside that of the session, for the same path and domain',
        );
      // Another wiki of this host has a cookie of its own.
      const isOne = names.some((name) => {
        const [name64 = '', , password64 = ''] = cookies?.value(name)?.split('|') ?? [];
        const given = createHash('sha1').update(Buffer.from(password64, 'base64')).digest();
        const isUser = Buffer.from(name64, 'base64').toString('latin1') === user;
        return isUser && timingSafeEqual(given, Buffer.from(digest, 'hex'));
      });
      return isOne ? null : notLoggedIn('the cookie DW… is not that of the session');
    },
  },

  async find(folder, given) {
    if (!(await fileContains(folder, 'inc/init.php', 'DOKU_SESSION_NAME'))) return null;
    if (await hasPlugin(folder, 'twofactor'))
      throw new SecondFactorError(
        `${folder.path}: the plugin twofactor keeps in a cookie of its own whether the second factor was given, which cannot be verified here, so a password alone would be enough: disable the plugin, or do not use this program there`,
      );
    return findPhpSessions(folder, given);
  },
};

/** Whether a plugin is on, which it is by default: inc/Extension/PluginController.php, inc/config_cascade.php. */
async function hasPlugin(folder: SiteFolder, name: string): Promise<boolean> {
  if (!(await folder.has(`lib/plugins/${name}/plugin.info.txt`))) return false;
  for (const list of ['protected.php', 'required.php', 'local.php', 'php']) {
    const file = `conf/plugins.${list}`;
    if (!(await folder.has(file))) continue;
    const isOn = (await folder.php(file)).variable(['plugins', name], 'its value itself');
    if (isOn !== null) return isTrue(asText(isOn) ?? '');
  }
  return true;
}
