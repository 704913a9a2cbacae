/**
 * CodeIgniter 4.3 and later.
 *
 * - The cookie `ci_session` is the id of a session in files, Redis, memcached or a table: system/Session/Session.php,
 *   configure, start; Session/Handlers/*.php. The environment replaces properties: Config/BaseConfig.php.
 * - The code of the site determines where the session has the user, and what a logout removes.
 * - Shield stores the user in the session before a second factor or an activation, so `user.auth_action` must be
 *   empty: Authenticators/Session.php, checkUserState.
 */

import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import {
  escapePath,
  joinStoreUrl,
  type SiteDatabase,
  serverDatabase,
} from '../configuration/database-host.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { SessionApplication } from './application.ts';
import { findRoot, type SiteFolder } from './site-folder.ts';

const file = 'app/Config/Session.php';
const databaseFile = 'app/Config/Database.php';

export const codeigniter: SessionApplication = {
  kind: 'codeigniter',
  title: 'CodeIgniter',
  options: { cookieName: 'ci_session', userId: null, userName: null },
  // Changed by `regenerate()` in system/Session/Session.php, and in version 3 by `sess_regenerate()` in
  // system/libraries/Session/Session.php.
  idVersionKey: '__ci_last_regenerate',
  loginCheck: {
    proof: ['user.auth_action'],
    check: (_, { proof: [action = null] }) =>
      action === null || action === '' || action === '0'
        ? null
        : notLoggedIn('Shield still waits for the second factor or the activation of the user'),
  },

  async find(folder, given) {
    const root = await findRoot(
      folder,
      'public',
      async (root) => (await folder.has(`${root}/spark`)) && (await folder.has(`${root}/${file}`)),
    );
    if (root === null) return null;
    const environment = (await folder.has(`${root}/.env`))
      ? await folder.env(`${root}/.env`)
      : folder.environment;
    const configuration = await folder.php(`${root}/${file}`, {
      constants: { WRITEPATH: `${root}/writable/` },
    });
    const value = toReader(configuration, environment);
    const cookieName = given.cookieName ?? (value('cookieName', option('cookieName')) || 'ci_session');
    if (given.store) return { options: { cookieName } };
    const driver =
      readVariable(environment, 'Session', 'driver') ?? (await readDriver(folder, `${root}/${file}`));
    const [handler = ''] = /(File|Redis|Memcached|Database|MySQLi|Postgre)Handler$/.exec(driver) ?? [];
    const toError = (why: string) => new ConfigurationError(`${configuration.file}: ${why}`);
    if (handler === '')
      throw toError(
        `the session driver ${driver || 'in this file'} is not supported: set ${option('store')}`,
      );
    if (/^(?:1|true)$/.test(value('matchIP', option('store'))))
      throw toError('matchIP is on, so session names contain the visitor’s address: switch it off');
    const settings = await folder.settings();
    const expiration = value('expiration', option('store'));
    const format = settings.get('session.serialize_handler').value;
    const lifetime = Number(expiration) > 0 ? expiration : settings.get('session.gc_maxlifetime').value;
    const savePath = value('savePath', option('store'));
    const found = (store: string, options: Readonly<Record<string, string>>) => ({
      files: settings.files,
      broken: settings.broken,
      options: { cookieName, store: joinStoreUrl(store, options) },
    });
    if (handler === 'FileHandler') {
      const path = savePath.replace(/[/\\]+$/, '') || settings.get('session.save_path').value;
      const place = `file://${escapePath(path || `${root}/writable/session`)}`;
      return found(place, { prefix: cookieName, format, lifetime });
    }
    const prefix = `ci_session:${cookieName}:`;
    if (handler === 'RedisHandler') {
      const redis = parseRedis(savePath);
      if (redis === null) throw toError(`savePath does not name a supported Redis: set ${option('store')}`);
      return found(redis.place, { prefix, format, ...redis.options });
    }
    if (handler === 'MemcachedHandler') {
      const servers = [...savePath.matchAll(/([^,:\s]+):(\d{1,5})(?::(\d+))?/g)];
      if (servers.length === 0)
        throw toError(`savePath does not name a memcached server: set ${option('store')}`);
      const place = `memcached://${servers.map(([, host, port]) => `${host}:${port}`).join(',')}`;
      // Without a consistent hash, weights do not count.
      return found(place, { prefix, format, lifetime });
    }
    const { database, tables } = await readDatabase(
      folder,
      root,
      environment,
      value('DBGroup', option('store')),
    );
    return {
      files: settings.files,
      broken: settings.broken,
      options: { cookieName },
      table: {
        database,
        options: {
          ...{ table: tables + savePath, id: 'id', prefix: `${cookieName}:`, data: 'data' },
          ...{ last: 'timestamp', last_unit: 'datetime', lifetime, format },
        },
      },
    };
  },
};

/**
 * Parses `tcp://HOST:PORT?auth=…&database=…&prefix=…`, `tls://…` or `unix:///PATH?…`. The scheme may be missing. Null
 * for any other text.
 */
function parseRedis(savePath: string): { place: string; options: Record<string, string> } | null {
  const [, scheme = 'tcp', path, host = '', port = '6379', query = ''] =
    /^(?:(tcp|tls|unix):\/\/)?(?:(\/[^?:]+)|([^/?:]+)(?::(\d{1,5}))?)(?:\?(.*))?$/.exec(savePath) ?? [];
  if (path === undefined && host === '') return null;
  const options = new URLSearchParams(query);
  const auth = options.get('auth');
  const login = auth === null ? '' : `:${encodeURIComponent(auth)}@`;
  const database = options.get('database') ?? '0';
  if (!/^\d{1,5}$/.test(database)) return null;
  const own = options.get('prefix');
  const prefix: Record<string, string> = own === null ? {} : { prefix: own };
  return path === undefined
    ? {
        place: `${scheme === 'tls' ? 'rediss' : 'redis'}://${login}${host}:${port}/${database}`,
        options: prefix,
      }
    : { place: `redis://${login}${escapePath(path)}`, options: { database, ...prefix } };
}

/** Reads the database of a group of connections, and the prefix of its tables. @throws ConfigurationError */
async function readDatabase(
  folder: SiteFolder,
  root: string,
  environment: Readonly<Record<string, string>>,
  named: string,
): Promise<{ database: SiteDatabase; tables: string }> {
  const configuration = await folder.php(`${root}/${databaseFile}`);
  const group =
    named ||
    (readVariable(environment, 'Database', 'defaultGroup') ??
      asText(configuration.member('Database::defaultGroup', option('store'))) ??
      '') ||
    'default';
  const value = (key: string) =>
    readVariable(environment, 'Database', `${group}.${key}`) ??
    asText(configuration.member(`Database::${group}`, option('store'), [key])) ??
    '';
  const driver = value('DBDriver');
  if ((driver !== 'MySQLi' && driver !== 'Postgre') || value('DSN') !== '')
    throw new ConfigurationError(
      `${configuration.file}: the sessions are in a database that is not supported (${group}): set ${option('store')}`,
    );
  const isMysql = driver === 'MySQLi';
  return {
    tables: value('DBPrefix'),
    database: serverDatabase({
      kind: isMysql ? 'mysql' : 'postgres',
      host: value('hostname') || 'localhost',
      port: Number(value('port')) || (isMysql ? 3306 : 5432),
      user: value('username'),
      password: value('password'),
      name: value('database'),
    }),
  };
}

/** Reads a property from the environment, as `BaseConfig::getEnvValue()` does. Undefined if it is not set. */
const readVariable = (environment: Readonly<Record<string, string>>, config: string, property: string) =>
  [config.toLowerCase(), `Config\\${config}`]
    .flatMap((prefix) => [`${prefix}.${property}`, `${prefix}_${property.replaceAll('.', '_')}`])
    .map((name) => environment[name])
    .find((value) => value !== undefined);

/** Returns a function that reads a property of the class as text. The environment replaces it. */
const toReader =
  (configuration: Configuration, environment: Readonly<Record<string, string>>) =>
  (name: string, instead: string): string =>
    readVariable(environment, 'Session', name) ??
    asText(configuration.member(`Session::${name}`, instead)) ??
    '';

/** Reads the class name of the handler, with or without its namespace. Empty if the file names none. */
async function readDriver(folder: SiteFolder, path: string): Promise<string> {
  return /\$driver\s*=\s*['"]?\\?((?:\w+\\+)*\w+)/.exec(await folder.text(path))?.[1] ?? '';
}
