/**
 * Laravel 8 to 13. Files are in Illuminate.
 *
 * - The cookie is the encrypted id of a session in files, Redis, memcached or a table: Session/SessionManager.php,
 *   Cache/CacheManager.php, Redis/RedisManager.php.
 * - The session has the user's id under `login_GUARD_…`, and a logout removes it: Auth/SessionGuard.php. A session ends
 *   `lifetime` minutes after the last request.
 * - The user's row must exist: Auth/EloquentUserProvider.php.
 * - With the middleware `AuthenticateSession` the session also has a password hash, so a new password ends the session:
 *   Session/Middleware/AuthenticateSession.php.
 * - The configuration is config/*.php with `.env`, or the cached configuration.
 */

import { ConfigurationError } from '../configuration/configuration.ts';
import { escapePath, joinHostAndPort, joinStoreUrl } from '../configuration/database-host.ts';
import { option } from '../names.ts';
import type { FoundSessions, SessionApplication } from './application.ts';
import { guardPattern, readAccounts, readImpersonation, toUserPath } from './laravel-accounts.ts';
import {
  type Config,
  findLaravel,
  openConfiguration,
  openConnection,
  readDatabase,
  removeComments,
} from './laravel-configuration.ts';
import { fileContains, toSecondFactorError } from './own-sessions.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';

export const laravel: SessionApplication = {
  kind: 'laravel',
  title: 'Laravel',
  options: { cookieName: 'laravel_session', userId: toUserPath('web'), userName: toUserPath('web') },

  async find(folder, given) {
    const root = await findLaravel(folder);
    if (root === null) return null;
    if (!given.userRequire) {
      for (const asking of secondFactorPackages) {
        if (await fileContains(folder, `${root}/vendor/${asking.name}/${asking.file}`, asking.text))
          throw toSecondFactorError(root, `the package ${asking.name}`, asking.given);
      }
    }
    const { config, previousKeys } = await openConfiguration(folder, root);
    const guard = given.userId
      ? guardPattern.exec(given.userId)?.[1]
      : ((await config('auth', ['defaults', 'guard'], option('userId'))) ?? 'web');
    const impersonation = await readImpersonation(folder, root, config);
    const user = toUserPath(guard ?? 'web', impersonation.hasOtherGuards);
    const appKey = await config('app', ['key'], option('cookie'));
    if (!appKey && !given.cookie)
      throw new ConfigurationError(`${root}: APP_KEY is missing: create it with php artisan key:generate`);
    const appKeys = given.cookie ? [] : [appKey ?? '', ...previousKeys].map((text) => readKey(root, text));
    const cookieName =
      given.cookieName ?? (await requireSetting(root, config, 'cookie', option('cookieName')));
    const stored = given.store ? {} : await readStore(folder, root, config);
    return {
      appKeys,
      options: {
        cookieName,
        cookie: (await isPlainCookie(folder, root, cookieName)) ? 'plain' : 'laravel',
        userId: user,
        userName: user,
        ...stored.options,
      },
      ...(stored.table && { table: stored.table }),
      // Without a guard, the operator's path to the user belongs to no known table.
      ...(guard === undefined
        ? {}
        : { accounts: await readAccounts({ folder, root, config, guard, impersonation, appKey, given }) }),
    };
  },

  async describe(folder) {
    const root = await findLaravel(folder);
    if (root === null) return {};
    const { config } = await openConfiguration(folder, root);
    const known = (file: string, key: string) =>
      config(file, [key], '').catch((error: unknown) => {
        if (error instanceof ConfigurationError) return null;
        throw error;
      });
    const framework = `${root}/vendor/laravel/framework/src/Illuminate/Foundation/Application.php`;
    const address = await known('app', 'url');
    return {
      version: (await matchFile(folder, framework, /const VERSION = '([\d.]+)'/))?.[1],
      // The default of new applications.
      address: address === 'http://localhost' ? null : address,
      login: 'login',
      condition: { language: 'Blade', open: '@auth', close: '@endauth' },
      cookie: {
        path: (await known('session', 'path')) || '/',
        domain: (await known('session', 'domain')) ?? '',
        secure: ['1', 'true'].includes((await known('session', 'secure')) ?? ''),
      },
    };
  },
};

/**
 * Packages whose middleware asks for a second factor after the login. Versions that do so have `text` in `file`. `given`
 * is the path in the session that shows that the factor was given.
 */
const secondFactorPackages = [
  {
    name: 'pragmarx/google2fa-laravel',
    file: 'composer.json',
    text: '',
    given: 'google2fa.auth_passed',
  },
  {
    name: 'jeffgreco13/filament-breezy',
    file: 'src/Middleware/MustTwoFactor.php',
    text: '',
    given: 'breezy_session_id',
  },
  ...['login:challenge:secret:', 'login_2fa_challenge_passed_'].map((key) => ({
    name: 'stephenjude/filament-two-factor-authentication',
    file: 'src/TwoFactorAuthenticatable.php',
    text: key,
    given: `${key}*`,
  })),
];

/**
 * Returns a value of `config/session.php`, or Laravel's default.
 * @param instead the option that the error suggests
 * @throws ConfigurationError if both are missing
 */
async function requireSetting(root: string, config: Config, key: string, instead: string): Promise<string> {
  const value = await config('session', [key], instead);
  if (value !== null) return value;
  throw new ConfigurationError(
    `${root}: session.${key} is neither in config/session.php nor in vendor/laravel/framework/config/session.php: set ${instead}`,
  );
}

/**
 * Decodes a key like Illuminate/Encryption/EncryptionServiceProvider.php.
 * @throws ConfigurationError unless it has 16 or 32 bytes
 */
function readKey(root: string, text: string): Buffer {
  const key = text.startsWith('base64:') ? Buffer.from(text.slice(7), 'base64') : Buffer.from(text);
  if (key.length === 16 || key.length === 32) return key;
  throw new ConfigurationError(`${root}: an APP_KEY must have 16 or 32 bytes`);
}

async function readStore(folder: SiteFolder, root: string, config: Config): Promise<Partial<FoundSessions>> {
  const session = (key: string) => config('session', [key], option('store'));
  const driver = await requireSetting(root, config, 'driver', option('store'));
  const encrypted = await session('encrypt');
  const layers =
    encrypted === null || encrypted === '' || encrypted === '0' ? [] : ['laravel', 'unserialize'];
  const format = (await session('serialization')) === 'json' ? 'json' : 'php_serialize';
  const lifetime = `${Number.parseInt((await session('lifetime')) ?? '', 10) || 120}m`;
  const all = (options: Record<string, string>, outer: string[] = []) => {
    const inside = [...outer, ...layers].join(',');
    return { ...options, format, ...(inside === '' ? {} : { layers: inside }) };
  };
  const url = (...[place, ...options]: [string, ...Parameters<typeof all>]) => ({
    options: { store: joinStoreUrl(place, all(...options)) },
  });
  switch (driver) {
    case 'file':
    case 'native': {
      const files = (await session('files')) ?? `${root}/storage/framework/sessions`;
      return url(`file://${escapePath(files)}`, { prefix: '', lifetime });
    }
    case 'database': {
      const { database, prefix } = await readDatabase(root, config, await session('connection'));
      const table = prefix + ((await session('table')) ?? 'sessions');
      const columns = { table, id: 'id', data: 'payload', last: 'last_activity', lifetime };
      return { table: { database, options: all(columns, ['base64']) } };
    }
    case 'redis': {
      const { place, options, prefix } = await readRedis(config, (await session('connection')) ?? 'default');
      const own = await session('prefix');
      const key =
        prefix + (own || (await cachePrefix(folder, root, config, (await session('store')) || 'redis')));
      return url(place, { ...options, prefix: key }, ['unserialize']);
    }
    case 'memcached': {
      const store = (await session('store')) || 'memcached';
      const part = (...keys: string[]) => config('cache', ['stores', store, ...keys], option('store'));
      if (await part('servers', '1', 'host'))
        throw new ConfigurationError(
          `${root}: several memcached servers are not supported: set ${option('store')}`,
        );
      const login = [await part('sasl', '0'), await part('sasl', '1')].map((text) =>
        encodeURIComponent(text ?? ''),
      );
      const credentials = login.includes('') ? '' : `${login.join(':')}@`;
      const [host, port] = [await part('servers', '0', 'host'), await part('servers', '0', 'port')];
      const place = host?.startsWith('/') ? escapePath(host) : `${host ?? '127.0.0.1'}:${port ?? 11211}`;
      const prefix = await cachePrefix(folder, root, config, store);
      return url(`memcached://${credentials}${place}`, { prefix, lifetime });
    }
    default:
      throw new ConfigurationError(
        driver === 'cookie'
          ? `${root}: SESSION_DRIVER=cookie keeps the whole session in the browser, so a logout on another device does not end it: set another driver, such as database or file`
          : `${root}: sessions with SESSION_DRIVER=${driver} cannot be read: set another driver, such as database or file`,
      );
  }
}

/** The first part of a store URL, and some of its options. */
interface StorePlace {
  place: string;
  options: Record<string, string>;
  prefix: string;
}

/** Whether the application leaves the cookie unencrypted: `EncryptCookies::$except`, or `encryptCookies(except: …)`. */
async function isPlainCookie(folder: SiteFolder, root: string, cookieName: string): Promise<boolean> {
  const places = [
    ['app/Http/Middleware/EncryptCookies.php', /\$except\s*=\s*\[([^\]]*)\]/],
    ['bootstrap/app.php', /->encryptCookies\(\s*(?:except:\s*)?\[([^\]]*)\]/],
  ] as const;
  for (const [path, list] of places) {
    const file = `${root}/${path}`;
    if (!(await folder.has(file))) continue;
    const [, names = ''] = list.exec(removeComments(await folder.text(file))) ?? [];
    if ([...names.matchAll(/(['"])(.*?)\1/g)].some(([, , name]) => name === cookieName)) return true;
  }
  return false;
}

async function readRedis(config: Config, name: string): Promise<StorePlace> {
  const optionOf = async (key: string) => config('database', ['redis', 'options', key], option('store'));
  for (const key of ['serializer', 'compression']) {
    if (!['', '0', null].includes(await optionOf(key)))
      throw new ConfigurationError(
        `the ${key} of database.redis.options is not supported: set ${option('store')}`,
      );
  }
  const value = await openConnection(config, ['redis', name]);
  const [scheme, host, password] = [await value('scheme'), await value('host'), await value('password')];
  if (host === '') throw new ConfigurationError(`database.redis.${name} has no host: set ${option('store')}`);
  const login =
    password === '' ? '' : `${encodeURIComponent(await value('username'))}:${encodeURIComponent(password)}@`;
  const isTls = /^(tls|rediss)$/.test(scheme) || host.startsWith('tls://');
  const bare = host.replace(/^[a-z]+:\/\//, '');
  const place = bare.startsWith('/')
    ? escapePath(bare)
    : joinHostAndPort(bare, (await value('port')) || '6379');
  return {
    place: `${isTls ? 'rediss' : 'redis'}://${login}${place}`,
    options: { database: (await value('database')) || '0' },
    prefix: (await value('prefix')) || ((await optionOf('prefix')) ?? ''),
  };
}

async function hasColon(folder: SiteFolder, root: string): Promise<boolean> {
  const file = `${root}/vendor/laravel/framework/src/Illuminate/Cache/RedisStore.php`;
  if (await folder.has(file)) return /\$prefix\s*\.\s*':'/.test(await folder.text(file));
  const required = /"laravel\/framework"\s*:\s*"\D*(\d+)/;
  const [, version] = (await matchFile(folder, `${root}/composer.json`, required)) ?? [];
  if (version !== undefined) return Number(version) <= 10;
  throw new ConfigurationError(
    `${root}: neither vendor/laravel/framework nor composer.json has the version of Laravel, which determines its prefixes: set ${option('store')}`,
  );
}

/** Reads the prefix of a cache store, with the colon that versions up to 10 add. */
async function cachePrefix(folder: SiteFolder, root: string, config: Config, store: string): Promise<string> {
  const own = await config('cache', ['stores', store, 'prefix'], option('store'));
  const prefix = own ?? (await config('cache', ['prefix'], option('store')));
  if (prefix === null || prefix === '') return '';
  return (await hasColon(folder, root)) ? `${prefix}:` : prefix;
}
