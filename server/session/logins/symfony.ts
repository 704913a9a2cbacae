import type { SessionApplication, SiteFolder } from '../application.ts';
import { ConfigurationError } from '../configuration/configuration.ts';
import { yamlScalar } from '../configuration/yaml.ts';
import { ownSessions, says } from './own-sessions.ts';

/** The firewall `main`. Never use `_security.last_username` beside it: it is what a visitor typed. */
const user = '_sf2_attributes._security_main!.2.0.username';

const file = 'config/packages/framework.yaml';

/** Symfony 4.4 to 7: FrameworkBundle, DependencyInjection/FrameworkExtension.php (registerSessionConfiguration). */
export const symfony: SessionApplication = {
  kind: 'symfony',
  title: 'Symfony',
  options: { cookieName: 'PHPSESSID', userId: user, userName: user },

  async find(folder, given) {
    const root = folder.path.replace(/\/public$/, '');
    if (!(await says(folder, `${root}/config/bundles.php`, 'FrameworkBundle'))) return null;
    const name = `${root}/${file}`;
    if (!(await folder.has(name)))
      throw new ConfigurationError(
        `${name} is not there: set CHAT_SITE=symfony: without the folder, and CHAT_SESSION_STORE`,
      );
    const text = await folder.text(name);
    const environment = await environmentOf(folder, root);
    const value = (key: string) =>
      yamlScalar(text, name, [`when@${environment}`, 'framework', 'session', key]) ??
      yamlScalar(text, name, ['framework', 'session', key]);
    const own = given.cookieName ? null : value('name');
    const cookieName =
      own ??
      (given.cookieName || given.store ? undefined : (await folder.settings()).get('session.name').value);
    const named = cookieName === undefined ? {} : { cookieName };
    if (given.store) return { options: named };
    const handler = value('handler_id');
    const savePath = value('save_path');
    const isNative = handler === null && !savePath;
    const version = Number(await versionOf(folder, root));
    if (isNative || (handler === undefined && !savePath && version >= 7))
      return ownSessions(folder, given, named);
    const isFile = handler === 'session.handler.native_file' || (version >= 7 && !handler);
    if (!isFile || !savePath)
      throw new ConfigurationError(
        `${name}: the session handler ${handler ?? 'that is the default of this version'} is not found by the folder: set CHAT_SESSION_STORE as docs/sessions.md says, or handler_id: null`,
      );
    const known: Readonly<Record<string, string>> = {
      '%kernel.project_dir%': root,
      '%kernel.environment%': environment,
      '%kernel.cache_dir%': `${root}/var/cache/${environment}`,
    };
    const path = savePath.replace(/%[\w.()]+%/g, (parameter) => known[parameter] ?? parameter);
    if (path.includes('%'))
      throw new ConfigurationError(
        `${name}: save_path has a parameter that is not known: set CHAT_SESSION_STORE`,
      );
    return ownSessions(folder, given, { ...named, savePath: path, file: name });
  },
};

/** `APP_ENV` of the files of the environment; a compiled one counts alone. */
async function environmentOf(folder: SiteFolder, root: string): Promise<string> {
  const compiled = `${root}/.env.local.php`;
  if (await folder.has(compiled)) {
    const [, name] = /['"]APP_ENV['"]\s*=>\s*['"](\w+)['"]/.exec(await folder.text(compiled)) ?? [];
    if (name !== undefined) return name;
  }
  for (const name of ['.env.local', '.env']) {
    if (!(await folder.has(`${root}/${name}`))) continue;
    const { APP_ENV } = await folder.env(`${root}/${name}`);
    if (APP_ENV) return APP_ENV;
  }
  return 'prod';
}

/** The number before the first dot. */
async function versionOf(folder: SiteFolder, root: string): Promise<string | undefined> {
  const kernel = `${root}/vendor/symfony/http-kernel/Kernel.php`;
  if (!(await folder.has(kernel))) return undefined;
  return /const (?:string )?VERSION = '(\d+)\./.exec(await folder.text(kernel))?.[1];
}
