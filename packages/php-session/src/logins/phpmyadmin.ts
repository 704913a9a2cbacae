import { asText, type Configuration, ConfigurationError, isTrue } from '../configuration/configuration.ts';
import { isArray, rest } from '../configuration/value.ts';
import { option } from '../names.ts';
import type { SessionApplication, SiteFolder } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

/** phpMyAdmin 4.8 to 5.2: Session.php, Config.php, TwoFactor.php, ConfigStorage/Relation.php, Plugins/Auth/AuthenticationCookie.php. */
export const phpmyadmin: SessionApplication = {
  kind: 'phpmyadmin',
  title: 'phpMyAdmin',
  options: {
    cookieName: 'phpMyAdmin',
    userId: 'relation.1.user',
    userName: 'relation.1.user',
    // Without second factors it is true, too. The name is there before the second factor is given.
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
    if (isTrue(value('AllowArbitraryServer', 'its value itself')))
      throw new ConfigurationError(
        `${configuration.file}: AllowArbitraryServer is on: visitors log in at servers of their own, as whoever they like, so their names prove nothing: switch it off`,
      );
    const deletesAll = configuration.variable(['cfg', 'LoginCookieDeleteAll'], 'its value itself');
    if (!isTrue(asText(deletesAll) ?? '1') && hasSeveralServers(configuration))
      throw new ConfigurationError(
        `${configuration.file}: LoginCookieDeleteAll is off: a logout from one of several servers leaves the session, so it is not noticed: switch it on`,
      );
    return findPhpSessions(folder, given, {
      file: configuration.file,
      // It also names the cookie so where the request comes by HTTPS, which no file says.
      ...(!given.cookieName && /^https:/i.test(value('PmaAbsoluteUri', option('cookieName')))
        ? { cookieName: 'phpMyAdmin_https' }
        : {}),
      ...(given.store ? {} : { savePath: value('SessionSavePath', option('store')) }),
      handler: 'files',
    });
  },
};

function hasSeveralServers(configuration: Configuration): boolean {
  const servers = configuration.variable(['cfg', 'Servers'], 'its value itself');
  return isArray(servers) && (servers.size > 1 || servers.has(rest));
}

/** Debian's package and the image for containers have it elsewhere: libraries/vendor_config.php says where. */
async function configFile(folder: SiteFolder): Promise<string> {
  const usual = 'config.inc.php';
  const vendor = 'libraries/vendor_config.php';
  if (!(await folder.has(vendor))) return usual;
  const text = await folder.text(vendor);
  const [, file] = /'configFile'\s*=>\s*'([^']+)'/.exec(text) ?? [];
  const [, at = ''] = /'CONFIG_DIR'\s*,\s*'([^']*)'/.exec(text) ?? [];
  return file ?? `${at}${usual}`;
}
