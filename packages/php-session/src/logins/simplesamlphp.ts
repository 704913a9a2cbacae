/**
 * SimpleSAMLphp. Files are in src/SimpleSAML.
 *
 * - The cookie `SimpleSAML` is the id of a PHP session with a serialized session of SimpleSAMLphp:
 *   SessionHandlerPHP.php.
 * - The `authData` of that session has the attributes of the user, and a logout removes them.
 * - If the session has an `authToken`, another cookie must have the same token: Session.php, getSession, doLogin.
 */

import { asText, ConfigurationError } from '../configuration/configuration.ts';
import { hasCookieValue } from '../cookie.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { SessionApplication } from './application.ts';
import { missingCookie } from './claim.ts';
import { findPhpSessions } from './own-sessions.ts';

export const simplesamlphp: SessionApplication = {
  kind: 'simplesamlphp',
  title: 'SimpleSAMLphp',
  options: {
    cookieName: 'SimpleSAML',
    userId: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.uid.0',
    userName: 'SimpleSAMLphp_SESSION!.authData.default-sp.Attributes.displayName.0',
  },

  loginCheck: {
    // The paths in a PHP session, in a table and in memcached.
    proof: ['SimpleSAMLphp_SESSION!.authToken', 'authToken', 'data.authToken'],
    check(cookies, { proof }) {
      const token = proof.find((text) => text !== null);
      if (token === undefined) return null;
      if (cookies?.header === undefined)
        return missingCookie('SimpleSAMLAuthToken', 'SimpleSAMLphp sets it with the cookie of the session');
      // The name is a setting (`session.authtoken.cookiename`), but the value cannot be guessed.
      return hasCookieValue(cookies.header, token)
        ? null
        : notLoggedIn(
            'no cookie has the token of the session (SimpleSAMLAuthToken)',
            'if every visitor gets this: SimpleSAMLphp sets it for the same path and domain as the cookie of the session',
          );
    },
  },

  async find(folder, given) {
    const file = 'config/config.php';
    const has = async (source: string) => folder.has(`${source}/SimpleSAML/SessionHandlerPHP.php`);
    if (!((await has('src')) || (await has('lib'))) || !(await folder.has(file))) return null;
    const configuration = await folder.php(file);
    const value = (key: string, instead = option('store')) =>
      asText(configuration.variable(['config', key], instead)) ?? '';
    const cookieName = given.cookieName ?? value('session.phpsession.cookiename', option('cookieName'));
    const named = cookieName === '' ? {} : { cookieName };
    if (given.store) return { options: named };
    const type = value('store.type') || 'phpsession';
    if (type !== 'phpsession')
      throw new ConfigurationError(
        `${configuration.file}: store.type ${type} is not supported: set ${option('store')}, ${option('cookieName')}, ${option('userId')} and ${option('userName')}`,
      );
    const savePath = value('session.phpsession.savepath');
    return findPhpSessions(folder, given, { ...named, savePath, file: configuration.file });
  },
};
