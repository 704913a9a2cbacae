import { dirname, join } from 'node:path';
import type { SessionApplication, SiteFolder } from '../application.ts';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { localSocket } from '../database-host.ts';

/** `SessionGuard::getName()` of a guard: the SHA-1 is that of its class. The session has no name of the user. */
const userOf = (guard: string) => `login_${guard}_59ba36addc2b2f9401580f014c7f58ea4e30989d`;

const storeSetting = 'CHAT_SESSION_STORE';

/** The configuration of a site: `config('FILE.KEY.KEY')`. */
type Config = (file: string, keys: readonly string[], instead: string) => Promise<string | null>;

/**
 * Laravel 8 to 13: Illuminate/Session/SessionManager.php, Cache/CacheManager.php, Redis/RedisManager.php. Its
 * configuration is that of config/*.php with `.env`, or the cached one.
 */
export const laravel: SessionApplication = {
  kind: 'laravel',
  title: 'Laravel',
  options: { cookieName: 'laravel_session', userId: userOf('web'), userName: userOf('web') },

  async find(folder, given) {
    const root = await rootOf(folder);
    if (root === null) return null;
    const { config, previousKeys } = await configurationOf(folder, root);
    const guard = await config('auth', ['defaults', 'guard'], 'CHAT_USER_ID');
    const user = userOf(guard ?? 'web');
    const appKey = given.cookie ? null : await config('app', ['key'], 'CHAT_SESSION_COOKIE');
    if (appKey === null && !given.cookie)
      throw new ConfigurationError(`${root}: there is no APP_KEY: php artisan key:generate makes it`);
    const appKeys = [...(appKey === null ? [] : [appKey]), ...previousKeys].map((text) => keyOf(root, text));
    const cookieName = given.cookieName ?? (await needed(root, config, 'cookie', 'CHAT_SESSION_NAME'));
    return {
      appKeys,
      options: {
        cookieName,
        cookie: 'laravel',
        userId: user,
        userName: user,
        ...(given.store ? {} : { store: await storeOf(folder, root, config) }),
      },
    };
  },
};

/** The folder of the application; the site's own may be `public` in it. */
async function rootOf(folder: SiteFolder): Promise<string | null> {
  for (const root of [folder.path, dirname(folder.path)]) {
    if (root !== folder.path && !folder.path.endsWith('/public')) continue;
    if ((await folder.has(`${root}/artisan`)) && (await folder.has(`${root}/bootstrap/app.php`))) return root;
  }
  return null;
}

async function configurationOf(
  folder: SiteFolder,
  root: string,
): Promise<{ config: Config; previousKeys: readonly string[] }> {
  const read = (file: string) => folder.php(file, { root });
  const cache = `${root}/bootstrap/cache/config.php`;
  if (await folder.has(cache)) {
    // With it Laravel reads neither `.env` nor the other files.
    const cached = await read(cache);
    const previousKeys: string[] = [];
    for (let n = 0; ; n++) {
      const key = asText(cached.returned(['app', 'previous_keys', String(n)], 'CHAT_SESSION_COOKIE'));
      if (key === null) break;
      previousKeys.push(key);
    }
    const config: Config = async (file, keys, instead) => asText(cached.returned([file, ...keys], instead));
    return { config, previousKeys };
  }
  const environment = (await folder.has(`${root}/.env`)) ? await folder.env(`${root}/.env`) : {};
  const files = new Map<string, Promise<Configuration[]>>();
  // Since version 11 those of the framework count where the application has none.
  const filesOf = async (file: string) => {
    const found: Configuration[] = [];
    for (const at of ['config', 'vendor/laravel/framework/config']) {
      const path = `${root}/${at}/${file}.php`;
      if (await folder.has(path)) found.push(await read(path));
    }
    return found;
  };
  const config: Config = async (file, keys, instead) => {
    const reading = files.get(file) ?? filesOf(file);
    files.set(file, reading);
    const found = await reading;
    for (const each of found) {
      const value = asText(each.returned(keys, instead));
      if (value !== null) return value;
    }
    return null;
  };
  const previous = environment.APP_PREVIOUS_KEYS ?? '';
  return { config, previousKeys: previous.split(',').filter((key) => key !== '') };
}

/** A value of `config/session.php`. */
async function needed(root: string, config: Config, key: string, instead: string): Promise<string> {
  const value = await config('session', [key], instead);
  if (value !== null) return value;
  throw new ConfigurationError(
    `${root}: session.${key} is neither in config/session.php nor in vendor/laravel/framework/config/session.php: set ${instead}`,
  );
}

/** As in Illuminate/Encryption/EncryptionServiceProvider.php. */
function keyOf(root: string, text: string): Buffer {
  const key = text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text);
  if (key.length === 16 || key.length === 32) return key;
  throw new ConfigurationError(`${root}: an APP_KEY is none of 16 or 32 bytes`);
}

/** The store URL. */
async function storeOf(folder: SiteFolder, root: string, config: Config): Promise<string> {
  const session = (key: string) => config('session', [key], storeSetting);
  const driver = await needed(root, config, 'driver', storeSetting);
  const encrypted = await session('encrypt');
  const layers =
    encrypted === null || encrypted === '' || encrypted === '0' ? [] : ['laravel', 'unserialize'];
  const format = (await session('serialization')) === 'json' ? 'json' : 'php_serialize';
  const lifetime = `${Number.parseInt((await session('lifetime')) ?? '', 10) || 120}m`;
  const url = (place: string, options: Record<string, string>, outer: string[] = []) => {
    const all = { ...options, format, layers: [...outer, ...layers].join(',') };
    const texts = Object.entries(all).filter(([name, value]) => value !== '' || name === 'prefix');
    return `${place}?${texts.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
  };
  switch (driver) {
    case 'file':
    case 'native': {
      const files = (await session('files')) ?? `${root}/storage/framework/sessions`;
      return url(`file://${escapedPath(files)}`, { prefix: '', lifetime });
    }
    case 'database': {
      const { place, options, prefix } = await databaseOf(root, config, await session('connection'));
      const table = prefix + ((await session('table')) ?? 'sessions');
      const columns = { table, id: 'id', data: 'payload', last: 'last_activity', lifetime };
      return url(place, { ...options, ...columns }, ['base64']);
    }
    case 'redis': {
      const { place, options, prefix } = await redisOf(config, (await session('connection')) ?? 'default');
      const key = prefix + (await cachePrefix(folder, root, config, (await session('store')) || 'redis'));
      return url(place, { ...options, prefix: key }, ['unserialize']);
    }
    case 'memcached': {
      const store = (await session('store')) || 'memcached';
      const part = (...keys: string[]) => config('cache', ['stores', store, ...keys], storeSetting);
      if ((await part('servers', '1', 'host')) || (await part('sasl', '0')))
        throw new ConfigurationError(
          `${root}: several memcached servers, or one with a login: set ${storeSetting}`,
        );
      const [host, port] = [await part('servers', '0', 'host'), await part('servers', '0', 'port')];
      const prefix = await cachePrefix(folder, root, config, store);
      return url(`memcached://${host ?? '127.0.0.1'}:${port ?? 11211}`, { prefix, lifetime });
    }
    default:
      throw new ConfigurationError(
        driver === 'cookie'
          ? `${root}: SESSION_DRIVER=cookie keeps the whole session in the browser, where a logout on another device does not reach it: set another driver, such as database or file`
          : `${root}: sessions with SESSION_DRIVER=${driver} cannot be read: set another driver, such as database or file`,
      );
  }
}

/** A part of `config/database.php`, with the URL that replaces its parts: Illuminate/Support/ConfigurationUrlParser.php. */
async function connectionOf(
  config: Config,
  keys: readonly string[],
): Promise<(key: string) => Promise<string>> {
  const value = async (key: string) => (await config('database', [...keys, key], storeSetting)) ?? '';
  const given = await value('url');
  if (given === '') return value;
  if (!URL.canParse(given))
    throw new ConfigurationError(`the url of ${keys.join('.')} is none: set ${storeSetting}`);
  const url = new URL(given);
  const parts: Record<string, string> = {
    driver: url.protocol.slice(0, -1),
    scheme: url.protocol.slice(0, -1),
    host: url.hostname,
    port: url.port,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
  return async (key) => parts[key] || (await value(key));
}

interface Place {
  place: string;
  options: Record<string, string>;
  prefix: string;
}

const kinds: Readonly<Record<string, string>> = {
  mysql: 'mysql',
  mariadb: 'mysql',
  pgsql: 'postgres',
  postgres: 'postgres',
  postgresql: 'postgres',
};

async function databaseOf(root: string, config: Config, given: string | null): Promise<Place> {
  const name = given || ((await config('database', ['default'], storeSetting)) ?? '');
  const value = await connectionOf(config, ['connections', name]);
  const [driver, prefix, database] = [await value('driver'), await value('prefix'), await value('database')];
  if (driver === 'sqlite')
    return {
      place: `sqlite:${escapedPath(database.startsWith('/') ? database : join(root, database))}`,
      options: {},
      prefix,
    };
  const kind = kinds[driver];
  const host = await value('host');
  const isLocal = kind === 'mysql' && host === 'localhost';
  const socket = (await value('unix_socket')) || (isLocal ? ((await localSocket()) ?? '') : '');
  if (kind === undefined || (host === '' && socket === ''))
    throw new ConfigurationError(
      `${root}: the sessions are in the database connection ${JSON.stringify(name)}, which cannot be read: set ${storeSetting}`,
    );
  const server = socket === '' ? hostAndPort(host, await value('port')) : '';
  const login = `${encodeURIComponent(await value('username'))}:${encodeURIComponent(await value('password'))}`;
  return {
    place: `${kind}://${login}@${server}/${encodeURIComponent(database)}`,
    options: socket === '' ? {} : { socket },
    prefix,
  };
}

async function redisOf(config: Config, name: string): Promise<Place> {
  const option = async (key: string) => config('database', ['redis', 'options', key], storeSetting);
  for (const key of ['serializer', 'compression']) {
    if (!['', '0', null].includes(await option(key)))
      throw new ConfigurationError(`the ${key} of database.redis.options is not read: set ${storeSetting}`);
  }
  const value = await connectionOf(config, ['redis', name]);
  const [scheme, host, password] = [await value('scheme'), await value('host'), await value('password')];
  if (host === '') throw new ConfigurationError(`database.redis.${name} has no host: set ${storeSetting}`);
  const login =
    password === '' ? '' : `${encodeURIComponent(await value('username'))}:${encodeURIComponent(password)}@`;
  const isTls = /^(tls|rediss)$/.test(scheme) || host.startsWith('tls://');
  const bare = host.replace(/^[a-z]+:\/\//, '');
  const place = bare.startsWith('/') ? escapedPath(bare) : hostAndPort(bare, (await value('port')) || '6379');
  return {
    place: `${isTls ? 'rediss' : 'redis'}://${login}${place}`,
    options: { database: (await value('database')) || '0' },
    prefix: (await value('prefix')) || ((await option('prefix')) ?? ''),
  };
}

/** The prefix of a cache store. Until version 9 a colon follows it. */
async function cachePrefix(folder: SiteFolder, root: string, config: Config, store: string): Promise<string> {
  const own = await config('cache', ['stores', store, 'prefix'], storeSetting);
  const prefix = own ?? (await config('cache', ['prefix'], storeSetting));
  if (prefix === null)
    throw new ConfigurationError(`${root}: config/cache.php has no prefix: set ${storeSetting}`);
  const file = `${root}/vendor/laravel/framework/src/Illuminate/Cache/RedisStore.php`;
  const hasColon = (await folder.has(file))
    ? /\$prefix\s*\.\s*':'/.test(await folder.text(file))
    : !/[_:-]$/.test(prefix);
  return prefix !== '' && hasColon ? `${prefix}:` : prefix;
}

const escapedPath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

const hostAndPort = (host: string, port: string) =>
  `${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}${port === '' ? '' : `:${port}`}`;
