import { dirname } from 'node:path';
import type { SessionApplication, SiteFolder } from '../application.ts';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { escapedPath, urlWith } from '../database-host.ts';

const file = 'app/Config/Session.php';
const storeSetting = 'CHAT_SESSION_STORE';

/**
 * CodeIgniter 4.3 and later: system/Session/Session.php (configure), Handlers/FileHandler.php, Config/BaseConfig.php. The
 * code of the site says where the user is.
 */
export const codeigniter: SessionApplication = {
  kind: 'codeigniter',
  title: 'CodeIgniter',
  options: { cookieName: 'ci_session', userId: null, userName: null },

  async find(folder, given) {
    const root = await rootOf(folder);
    if (root === null) return null;
    const environment = (await folder.has(`${root}/.env`)) ? await folder.env(`${root}/.env`) : {};
    const configuration = await folder.php(`${root}/${file}`, {
      constants: { WRITEPATH: `${root}/writable/` },
    });
    const value = valuesOf(configuration, environment);
    const cookieName = given.cookieName ?? (value('cookieName', 'CHAT_SESSION_NAME') || 'ci_session');
    if (given.store) return { options: { cookieName } };
    const driver = environment['session.driver'] ?? (await driverOf(folder, `${root}/${file}`));
    if (!driver.endsWith('FileHandler'))
      throw new ConfigurationError(
        `${configuration.file}: sessions of the driver ${driver || 'that it names'} are not found by the folder: set ${storeSetting}`,
      );
    if (/^(?:1|true)$/.test(value('matchIP', storeSetting)))
      throw new ConfigurationError(
        `${configuration.file}: matchIP is on, which puts the address of a visitor into the name of the session: switch it off`,
      );
    const settings = await folder.settings();
    const expiration = value('expiration', storeSetting);
    const options = {
      prefix: cookieName,
      format: settings.get('session.serialize_handler').value,
      lifetime: Number(expiration) > 0 ? expiration : settings.get('session.gc_maxlifetime').value,
    };
    const path =
      value('savePath', storeSetting).replace(/[/\\]+$/, '') || settings.get('session.save_path').value;
    const place = `file://${escapedPath(path || `${root}/writable/session`)}`;
    return {
      files: settings.files,
      broken: settings.broken,
      options: { cookieName, store: urlWith(place, options) },
    };
  },
};

/** The folder of the application; the site's own may be `public` in it. */
async function rootOf(folder: SiteFolder): Promise<string | null> {
  for (const root of [folder.path, dirname(folder.path)]) {
    if (root !== folder.path && !folder.path.endsWith('/public')) continue;
    if ((await folder.has(`${root}/spark`)) && (await folder.has(`${root}/${file}`))) return root;
  }
  return null;
}

/** A property of the class, which the environment replaces. */
const valuesOf =
  (configuration: Configuration, environment: Readonly<Record<string, string>>) =>
  (name: string, instead: string): string =>
    environment[`session.${name}`] ?? asText(configuration.member(`Session::${name}`, instead)) ?? '';

/** The name of a class, of which the file names at most the end. */
async function driverOf(folder: SiteFolder, path: string): Promise<string> {
  return /\$driver\s*=\s*['"]?\\?((?:\w+\\+)*\w+)/.exec(await folder.text(path))?.[1] ?? '';
}
