/**
 * Symfony 4.4 to 7.
 *
 * - The cookie is the id of a PHP session. `framework.session` in config/packages names the session store:
 *   FrameworkBundle, DependencyInjection/FrameworkExtension.php, registerSessionConfiguration.
 * - The session has the serialized token of the firewall, with the user in it. A logout ends the session.
 * - Symfony also refreshes the user on each page: ContextListener.php. That is not done here.
 */

import { asText, ConfigurationError } from '../configuration/configuration.ts';
import {
  joinHostAndPort,
  joinStoreUrl,
  type SiteDatabase,
  serverDatabase,
  sqliteDatabase,
} from '../configuration/database-host.ts';
import { readYamlScalar } from '../configuration/yaml.ts';
import { rawUrlDecode } from '../encodings.ts';
import { option } from '../names.ts';
import type { FoundSessions, SessionApplication } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';

/** The token of the firewall `main`. Never use `_security.last_username` instead, because it is what a visitor typed. */
const token = '_sf2_attributes._security_main!';
/** The user in a token, and in a `PostAuthenticationToken` of the site's authenticators: AbstractAuthenticator::createToken(). */
const [user, postAuthenticationUser] = [`${token}.2.0`, `${token}.1.0`] as const;

const file = 'config/packages/framework.yaml';

export const symfony: SessionApplication = {
  kind: 'symfony',
  title: 'Symfony',
  options: { cookieName: 'PHPSESSID', userId: `${user}.id`, userName: `${user}.username` },
  /**
   * The id of an entity counts before its username. A form may change the username, and even a rejected value is in the
   * session until the next page: ContextListener.php, onKernelResponse, refreshUser. The id may be a `Uuid` or `Ulid` of
   * Symfony, which have a `uid`, or a `Uuid` of ramsey/uuid, which has a `string`.
   */
  firstIds: [user, postAuthenticationUser].flatMap((at) => [`${at}.id.uid`, `${at}.id.string`]),
  otherIds: [`${postAuthenticationUser}.id`, `${user}.username`, `${postAuthenticationUser}.username`],
  otherNames: [`${postAuthenticationUser}.username`],

  describe: async () => ({
    condition: { language: 'Twig', open: '{% if app.user %}', close: '{% endif %}' },
  }),

  async find(folder, given) {
    const root = folder.path.replace(/\/public$/, '');
    if (!(await fileContains(folder, `${root}/config/bundles.php`, 'FrameworkBundle'))) return null;
    const name = `${root}/${file}`;
    if (!(await folder.has(name)))
      throw new ConfigurationError(
        `${name} is missing: set ${option('site')} to "symfony:" (no folder), and set ${option('store')}`,
      );
    if (given.store && given.cookieName) return { options: {} };
    const environment = await readEnvironmentName(folder, root);
    const setting = await readSettings(folder, root, environment);
    const own = given.cookieName ? null : setting('name').value;
    const cookieName =
      own ??
      (given.cookieName || given.store ? undefined : (await folder.settings()).get('session.name').value);
    const named = cookieName === undefined ? {} : { cookieName };
    if (given.store) return { options: named };
    const { value: handler, path: handlerFile } = setting('handler_id');
    const { value: savePath, path: savePathFile } = setting('save_path');
    const lifetime = () => requireLifetime(setting('gc_maxlifetime'));
    const isNative = handler === null && !savePath;
    const version = Number(await readMajorVersion(folder, root));
    if (isNative || (handler === undefined && !savePath && version >= 7))
      return findPhpSessions(folder, given, { ...named, lifetime: lifetime() });
    const known: Readonly<Record<string, string>> = {
      '%kernel.project_dir%': root,
      '%kernel.environment%': environment,
      '%kernel.cache_dir%': `${root}/var/cache/${environment}`,
    };
    const resolve = (text: string) =>
      text.replace(/%[\w.()]+%/g, (parameter) => known[parameter] ?? parameter);
    const dsn =
      handler == null ? null : await toDsn(handler, (name) => readVariable(folder, root, environment, name));
    if (dsn !== null) {
      const settings = await folder.settings();
      const found = parseDsn(resolve(dsn), settings.get('session.serialize_handler').value);
      if (found === null)
        throw new ConfigurationError(
          `${handlerFile}: the storage in handler_id is not supported: set ${option('store')}`,
        );
      if ('savePath' in found)
        return findPhpSessions(folder, given, {
          ...named,
          savePath: found.savePath,
          lifetime: lifetime(),
          file: handlerFile,
        });
      const { files, broken } = settings;
      const { store, ...table } = found;
      return { files, broken, options: { ...named, ...(store === undefined ? {} : { store }) }, ...table };
    }
    const isFile = handler === 'session.handler.native_file' || (version >= 7 && !handler);
    // A URL may have a password, so it is not shown.
    const which = handler && /^(?:%.*%|[\w.\\-]+)$/.test(handler) ? handler : 'in handler_id';
    if (!isFile || !savePath)
      throw new ConfigurationError(
        `${handlerFile}: the session handler ${handler ? which : 'that is the default of this version'} cannot be read: set ${option('store')}, or handler_id: null`,
      );
    const path = resolve(savePath);
    if (path.includes('%'))
      throw new ConfigurationError(
        `${savePathFile}: save_path has an unknown parameter: set ${option('store')}`,
      );
    return findPhpSessions(folder, given, {
      ...named,
      savePath: path,
      lifetime: lifetime(),
      file: savePathFile,
    });
  },
};

/**
 * Reads values of `framework.session`, each with its file. Later files replace earlier ones: MicroKernelTrait.php.
 * @throws ConfigurationError
 */
async function readSettings(
  folder: SiteFolder,
  root: string,
  environment: string,
): Promise<(key: string) => { value: string | null | undefined; path: string }> {
  const files: (readonly [name: string, text: string])[] = [];
  for (const at of ['config/packages', `config/packages/${environment}`]) {
    const names = (await folder.list(`${root}/${at}`)).filter((name) => /\.(?:yaml|php)$/.test(name));
    for (const name of names.sort()) {
      const path = `${root}/${at}/${name}`;
      const text = await folder.text(path);
      const isPhp = name.endsWith('.php');
      if (!(isPhp ? /['"]session['"]|\bsession\s*\(/ : /\bsession\b/).test(text)) continue;
      if (isPhp)
        throw new ConfigurationError(
          `${path}: settings of sessions in PHP files cannot be read: set ${option('store')} and ${option('cookieName')}`,
        );
      files.unshift([path, text]);
    }
  }
  return (key) => {
    for (const [path, text] of files)
      for (const within of [[`when@${environment}`], []]) {
        const value = readYamlScalar(text, path, [...within, 'framework', 'session', key]);
        if (value !== undefined) return { value, path };
      }
    return { value: undefined, path: `${root}/${file}` };
  };
}

/**
 * Returns the session.gc_maxlifetime that NativeSessionStorage::setOptions() sets. Empty if PHP's own counts.
 * @throws ConfigurationError
 */
function requireLifetime({ value, path }: { value: string | null | undefined; path: string }): string {
  if (value == null || /^\d{1,9}$/.test(value)) return value ?? '';
  throw new ConfigurationError(
    `${path}: gc_maxlifetime must be a plain number: correct it, or set ${option('store')}`,
  );
}

/** Returns the URL of a session handler. Null if the handler is a service. */
async function toDsn(
  handler: string,
  variable: (name: string) => Promise<string | undefined>,
): Promise<string | null> {
  const [, name] = /^%env\((?:resolve:)?(\w+)\)%$/.exec(handler) ?? [];
  const text = name === undefined ? handler : ((await variable(name)) ?? handler);
  return /^[a-z][a-z0-9+]*:\/\//.test(text) ? text : null;
}

/**
 * Reads a variable of the `.env` files. Later files replace earlier ones, and a compiled file replaces all. Undefined if it
 * is not set.
 */
async function readVariable(
  folder: SiteFolder,
  root: string,
  environment: string,
  name: string,
): Promise<string | undefined> {
  const compiled = `${root}/.env.local.php`;
  if (await folder.has(compiled))
    return asText((await folder.php(compiled)).returned([name], option('store'))) ?? undefined;
  let variables: Readonly<Record<string, string>> = {};
  for (const file of ['.env', '.env.local', `.env.${environment}`, `.env.${environment}.local`]) {
    if (file === '.env.local' && environment === 'test') continue;
    if (await folder.has(`${root}/${file}`))
      variables = await folder.env(`${root}/${file}`, 'symfony', variables);
  }
  return variables[name];
}

type Found = Pick<FoundSessions, 'table'> & { store?: string };

/**
 * Parses the URL of a session handler. Null if it is not supported.
 * HttpFoundation/Session/Storage/Handler/SessionHandlerFactory.php, PdoSessionHandler.php (buildDsnFromUrl),
 * Cache/Traits/RedisTrait.php (createConnection).
 */
function parseDsn(dsn: string, format: string): Found | { savePath: string } | null {
  const [, savePath] = /^file:\/\/(\/.+)$/.exec(dsn) ?? [];
  if (savePath !== undefined) return { savePath };
  const [, sqlite] = /^sqlite3?:\/\/\/(\/?[^?%]+)/.exec(dsn) ?? [];
  const url = URL.parse(dsn);
  if (url === null) return null;
  const { protocol, hostname, port, searchParams } = url;
  const [user, password] = [url.username, url.password].map(decode) as [string, string];
  const path = decode(url.pathname.slice(1));
  const prefix = searchParams.get('prefix');
  if (protocol === 'redis:' || protocol === 'rediss:') {
    // If the login part has no colon, all of it is the password.
    const secret = password === '' ? user : password;
    const isUsers = password !== '' && user !== '' && user !== 'default';
    // If the path and `dbindex` differ, the version of Symfony decides.
    const database = path || (searchParams.get('dbindex') ?? '0');
    if ((searchParams.get('dbindex') ?? database) !== database) return null;
    if (isUsers || hostname === '' || !/^\d{1,5}$/.test(database)) return null;
    if ([...searchParams.keys()].some((name) => unsupportedRedisOptions.test(name))) return null;
    const login = secret === '' ? '' : `:${encodeURIComponent(secret)}@`;
    const place = `${protocol}//${login}${joinHostAndPort(hostname, port || '6379')}/${database}`;
    return { store: joinStoreUrl(place, { prefix: prefix ?? 'sf_s', format }) };
  }
  if (protocol === 'memcached:') {
    if (hostname === '' || user !== '' || path !== '') return null;
    const place = `memcached://${joinHostAndPort(hostname, port || '11211')}`;
    return { store: joinStoreUrl(place, { prefix: prefix ?? 'sf2s', format }) };
  }
  const kind = sqlite ? 'sqlite' : kinds[protocol];
  if (kind === undefined || (kind !== 'sqlite' && path === '')) return null;
  const own = (name: string, usual: string) => searchParams.get(name) ?? usual;
  const socket = searchParams.get('unix_socket') ?? undefined;
  return {
    table: {
      database: sqlite
        ? sqliteDatabase(`/${sqlite.replace(/^\/+/, '')}`)
        : serverDatabase({
            kind,
            host: hostname || undefined,
            port: Number(port),
            socket,
            user,
            password,
            name: path,
          }),
      options: {
        table: own('db_table', 'sessions'),
        id: own('db_id_col', 'sess_id'),
        data: own('db_data_col', 'sess_data'),
        expires: own('db_lifetime_col', 'sess_lifetime'),
        format,
      },
    },
  };
}

/** Options with other servers of Redis, or another login. */
const unsupportedRedisOptions = /^(?:host|auth|redis_cluster|redis_sentinel|sentinel_master)(?:\[|$)/;

const kinds: Readonly<Record<string, SiteDatabase['kind']>> = {
  'mysql:': 'mysql',
  'mysql2:': 'mysql',
  'pgsql:': 'postgres',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

const decode = (text: string) => rawUrlDecode(Buffer.from(text)).toString();

/** Reads `APP_ENV` of the `.env` files. A compiled file replaces all. The default is `prod`. */
async function readEnvironmentName(folder: SiteFolder, root: string): Promise<string> {
  const compiled = `${root}/.env.local.php`;
  if (await folder.has(compiled)) {
    const [, name] = /['"]APP_ENV['"]\s*=>\s*['"](\w+)['"]/.exec(await folder.text(compiled)) ?? [];
    if (name !== undefined) return name;
  }
  for (const name of ['.env.local', '.env']) {
    if (!(await folder.has(`${root}/${name}`))) continue;
    const { APP_ENV } = await folder.env(`${root}/${name}`, 'symfony');
    if (APP_ENV) return APP_ENV;
  }
  return 'prod';
}

async function readMajorVersion(folder: SiteFolder, root: string): Promise<string | undefined> {
  const kernel = `${root}/vendor/symfony/http-kernel/Kernel.php`;
  return (await matchFile(folder, kernel, /const (?:string )?VERSION = '(\d+)\./))?.[1];
}
