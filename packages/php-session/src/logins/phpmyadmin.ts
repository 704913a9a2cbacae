/**
 * phpMyAdmin 4.8 to 5.2. Files are in libraries/classes.
 *
 * - The cookie `phpMyAdmin` is the id of a PHP session: Session.php, Config.php.
 * - The configuration storage in the session has the name of the user: ConfigStorage/Relation.php. `two_factor_check`
 *   is true if a second factor was given or is not needed: TwoFactor.php.
 * - A logout deletes the session, unless `LoginCookieDeleteAll` is off and there are several servers:
 *   Plugins/Auth/AuthenticationCookie.php.
 */

import { asText, type Configuration, ConfigurationError, isTrue } from '../configuration/configuration.ts';
import { isArray, rest } from '../configuration/value.ts';
import { option } from '../names.ts';
import type { SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';
import type { SiteFolder } from './site-folder.ts';

export const phpmyadmin: SessionApplication = {
  kind: 'phpmyadmin',
  title: 'phpMyAdmin',
  options: {
    cookieName: 'phpMyAdmin',
    userId: 'relation.1.user',
    userName: 'relation.1.user',
    // It is also true without second factors. The name is in the session before a factor is given.
    userRequire: 'two_factor_check',
  },

  async find(folder, given) {
    if (!given.userId && (await fileContains(folder, 'src/Session.php', 'PhpMyAdmin')))
      throw new ConfigurationError(
        `${folder.path}: phpMyAdmin 6 keeps no user name in its sessions: use phpMyAdmin 4.8 to 5.2`,
      );
    if (!(await fileContains(folder, 'libraries/classes/Session.php', 'PhpMyAdmin'))) return null;
    const file = await configFile(folder);
    if (!(await folder.has(file))) return findPhpSessions(folder, given);
    const configuration = await folder.php(file);
    const value = (name: string, instead: string) =>
      asText(configuration.variable(['cfg', name], instead)) ?? '';
    if (isTrue(value('AllowArbitraryServer', 'a literal value')))
      throw new ConfigurationError(
        `${configuration.file}: AllowArbitraryServer is on, so visitors can log in to their own servers under any name: switch it off`,
      );
    const deletesAll = configuration.variable(['cfg', 'LoginCookieDeleteAll'], 'a literal value');
    if (!isTrue(asText(deletesAll) ?? '1') && hasSeveralServers(configuration))
      throw new ConfigurationError(
        `${configuration.file}: LoginCookieDeleteAll is off, so a logout from one of several servers does not end the session: switch it on`,
      );
    return findPhpSessions(folder, given, {
      file: configuration.file,
      // phpMyAdmin also uses this name for each request by HTTPS, but no file shows whether requests use HTTPS.
      ...(!given.cookieName && /^https:/i.test(value('PmaAbsoluteUri', option('cookieName')))
        ? { cookieName: 'phpMyAdmin_https' }
        : {}),
      ...(given.store ? {} : { savePath: value('SessionSavePath', option('store')) }),
      handler: 'files',
    });
  },
};

function hasSeveralServers(configuration: Configuration): boolean {
  const servers = configuration.variable(['cfg', 'Servers'], 'a literal value');
  return isArray(servers) && (servers.size > 1 || servers.has(rest));
}

/**
 * Finds the configuration file. Debian's package and the container image have it in another folder, which
 * libraries/vendor_config.php names.
 */
async function configFile(folder: SiteFolder): Promise<string> {
  const usual = 'config.inc.php';
  const vendor = 'libraries/vendor_config.php';
  if (!(await folder.has(vendor))) return usual;
  const text = await folder.text(vendor);
  const [, file] = /'configFile'\s*=>\s*'([^']+)'/.exec(text) ?? [];
  const [, at = ''] = /'CONFIG_DIR'\s*,\s*'([^']*)'/.exec(text) ?? [];
  return file ?? `${at}${usual}`;
}
