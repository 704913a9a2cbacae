import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { escapedPath, serverDatabase, urlWith } from '../configuration/database-host.ts';
import { option } from '../names.ts';
import {
  findRoot,
  notLoggedIn,
  type SessionApplication,
  type SiteDatabase,
  type SiteFolder,
} from './application.ts';

const file = 'app/Config/Session.php';
const databaseFile = 'app/Config/Database.php';

/**
 * CodeIgniter 4.3 and later: system/Session/Session.php (configure, start), Session/Handlers/*.php, Config/BaseConfig.php. The
 * code of the site says where the user is.
 */
export const codeigniter: SessionApplication = {
  kind: 'codeigniter',
  title: 'CodeIgniter',
  options: { cookieName: 'ci_session', userId: null, userName: null },
  // `regenerate()` in system/Session/Session.php, and `sess_regenerate()` in system/libraries/Session/Session.php of version 3.
  idVersionKey: '__ci_last_regenerate',
  loginCheck: {
    proof: ['user.auth_action'],
    // Shield has the user in the session before the action is done: checkUserState() in Authenticators/Session.php.
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
    const value = valuesOf(configuration, environment);
    const cookieName = given.cookieName ?? (value('cookieName', option('cookieName')) || 'ci_session');
    if (given.store) return { options: { cookieName } };
    const driver = givenIn(environment, 'Session', 'driver') ?? (await driverOf(folder, `${root}/${file}`));
    const [handler = ''] = /(File|Redis|Memcached|Database|MySQLi|Postgre)Handler$/.exec(driver) ?? [];
    const refused = (why: string) => new ConfigurationError(`${configuration.file}: ${why}`);
    if (handler === '')
      throw refused(
        `sessions of the driver ${driver || 'that it names'} are not found by the folder: set ${option('store')}`,
      );
    if (/^(?:1|true)$/.test(value('matchIP', option('store'))))
      throw refused(
        'matchIP is on, which puts the address of a visitor into the name of the session: switch it off',
      );
    const settings = await folder.settings();
    const expiration = value('expiration', option('store'));
    const format = settings.get('session.serialize_handler').value;
    const lifetime = Number(expiration) > 0 ? expiration : settings.get('session.gc_maxlifetime').value;
    const savePath = value('savePath', option('store'));
    const found = (store: string, options: Readonly<Record<string, string>>) => ({
      files: settings.files,
      broken: settings.broken,
      options: { cookieName, store: urlWith(store, options) },
    });
    if (handler === 'FileHandler') {
      const path = savePath.replace(/[/\\]+$/, '') || settings.get('session.save_path').value;
      const place = `file://${escapedPath(path || `${root}/writable/session`)}`;
      return found(place, { prefix: cookieName, format, lifetime });
    }
    const prefix = `ci_session:${cookieName}:`;
    if (handler === 'RedisHandler') {
      const redis = redisOf(savePath);
      if (redis === null) throw refused(`savePath names no Redis that can be read: set ${option('store')}`);
      return found(redis.place, { prefix, format, ...redis.options });
    }
    if (handler === 'MemcachedHandler') {
      const servers = [...savePath.matchAll(/([^,:\s]+):(\d{1,5})(?::(\d+))?/g)];
      if (servers.length === 0) throw refused(`savePath names no memcached: set ${option('store')}`);
      const place = `memcached://${servers.map(([, host, port]) => `${host}:${port}`).join(',')}`;
      // Their weights do not count, as without a consistent hash.
      return found(place, { prefix, format, lifetime });
    }
    const { database, tables } = await databaseOf(
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

/** `tcp://HOST:PORT?auth=…&database=…&prefix=…`, `tls://…`, `unix:///PATH?…`, or the path of a socket alone. */
function redisOf(savePath: string): { place: string; options: Record<string, string> } | null {
  const [, scheme = 'tcp', path, host = '', port = '6379', query = ''] =
    /^(?:(tcp|tls|unix):\/\/)?(?:(\/[^?:]+)|([^/?:]+)(?::(\d{1,5}))?)(?:\?(.*))?$/.exec(savePath) ?? [];
  if (path === undefined && host === '') return null;
  const options = new URLSearchParams(query);
  const auth = options.get('auth');
  const login = auth === null ? '' : `:${encodeURIComponent(auth)}@`;
  const database = options.get('database') ?? '0';
  if (!/^\d{1,5}$/.test(database)) return null;
  const own = options.get('prefix');
  const prefix = own === null ? {} : { prefix: own };
  return path === undefined
    ? {
        place: `${scheme === 'tls' ? 'rediss' : 'redis'}://${login}${host}:${port}/${database}`,
        options: prefix,
      }
    : { place: `redis://${login}${escapedPath(path)}`, options: { database, ...prefix } };
}

/** The database of a group of connections, and the prefix of its tables. */
async function databaseOf(
  folder: SiteFolder,
  root: string,
  environment: Readonly<Record<string, string>>,
  named: string,
): Promise<{ database: SiteDatabase; tables: string }> {
  const configuration = await folder.php(`${root}/${databaseFile}`);
  const group =
    named ||
    (givenIn(environment, 'Database', 'defaultGroup') ??
      asText(configuration.member('Database::defaultGroup', option('store'))) ??
      '') ||
    'default';
  const value = (key: string) =>
    givenIn(environment, 'Database', `${group}.${key}`) ??
    asText(configuration.member(`Database::${group}`, option('store'), [key])) ??
    '';
  const driver = value('DBDriver');
  if ((driver !== 'MySQLi' && driver !== 'Postgre') || value('DSN') !== '')
    throw new ConfigurationError(
      `${configuration.file}: the sessions are in a database that is not found by the folder (${group}): set ${option('store')}`,
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

/** As BaseConfig::getEnvValue(). */
const givenIn = (environment: Readonly<Record<string, string>>, config: string, property: string) =>
  [config.toLowerCase(), `Config\\${config}`]
    .flatMap((prefix) => [`${prefix}.${property}`, `${prefix}_${property.replaceAll('.', '_')}`])
    .map((name) => environment[name])
    .find((value) => value !== undefined);

/** A property of the class, which the environment replaces. */
const valuesOf =
  (configuration: Configuration, environment: Readonly<Record<string, string>>) =>
  (name: string, instead: string): string =>
    givenIn(environment, 'Session', name) ?? asText(configuration.member(`Session::${name}`, instead)) ?? '';

/** The name of a class, of which the file names at most the end. */
async function driverOf(folder: SiteFolder, path: string): Promise<string> {
  return /\$driver\s*=\s*['"]?\\?((?:\w+\\+)*\w+)/.exec(await folder.text(path))?.[1] ?? '';
}
