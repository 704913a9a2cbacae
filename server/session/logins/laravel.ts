import { createHmac, timingSafeEqual } from 'node:crypto';
import { dirname, join } from 'node:path';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { escapedPath, hostAndPort, urlWith } from '../configuration/database-host.ts';
import { rawUrlDecode } from '../encodings.ts';
import { displayName } from '../identity.ts';
import {
  type Accounts,
  because,
  columnsIn,
  type FoundSessions,
  mailsIn,
  type SessionApplication,
  type SessionTexts,
  type SiteDatabase,
  type SiteFolder,
  seldomChanged,
  tableIn,
  texts,
  textsOf,
} from './application.ts';

/** `SessionGuard::getName()` of a guard: the SHA-1 is that of its class. The session has no name of the user. */
const userOf = (guard: string) => `login_${guard}_59ba36addc2b2f9401580f014c7f58ea4e30989d`;

const guardIn = /^login_(\w+)_59ba36addc2b2f9401580f014c7f58ea4e30989d$/;

const storeSetting = 'CHAT_SESSION_STORE';

/** The configuration of a site: `config('FILE.KEY.KEY')`. */
type Config = (file: string, keys: readonly string[], instead: string) => Promise<string | null>;

/**
 * Laravel 8 to 13: Illuminate/Session/SessionManager.php, Session/Middleware/AuthenticateSession.php,
 * Cache/CacheManager.php, Redis/RedisManager.php, Auth/EloquentUserProvider.php. Its configuration is that of
 * config/*.php with `.env`, or the cached one.
 */
export const laravel: SessionApplication = {
  kind: 'laravel',
  title: 'Laravel',
  options: { cookieName: 'laravel_session', userId: userOf('web'), userName: userOf('web') },

  async find(folder, given) {
    const root = await rootOf(folder);
    if (root === null) return null;
    const { config, previousKeys } = await configurationOf(folder, root);
    const guard = given.userId
      ? guardIn.exec(given.userId)?.[1]
      : ((await config('auth', ['defaults', 'guard'], 'CHAT_USER_ID')) ?? 'web');
    const user = userOf(guard ?? 'web');
    const appKey = await config('app', ['key'], 'CHAT_SESSION_COOKIE');
    if (!appKey && !given.cookie)
      throw new ConfigurationError(`${root}: there is no APP_KEY: php artisan key:generate makes it`);
    const appKeys = given.cookie ? [] : [appKey ?? '', ...previousKeys].map((text) => keyOf(root, text));
    const cookieName = given.cookieName ?? (await needed(root, config, 'cookie', 'CHAT_SESSION_NAME'));
    const stored = given.store ? {} : await storeOf(folder, root, config);
    return {
      appKeys,
      options: {
        cookieName,
        cookie: (await isPlain(folder, root, cookieName)) ? 'plain' : 'laravel',
        userId: user,
        userName: user,
        ...stored.options,
      },
      ...(stored.table && { table: stored.table }),
      // Another value of the session than Laravel's own is the application's affair.
      ...(guard === undefined
        ? {}
        : { accounts: await accountsOf({ folder, root, config, guard, appKey, given }) }),
    };
  },

  async portrait(folder) {
    const root = await rootOf(folder);
    if (root === null) return {};
    const { config } = await configurationOf(folder, root);
    const known = (file: string, key: string) =>
      config(file, [key], '').catch((error: unknown) => {
        if (error instanceof ConfigurationError) return null;
        throw error;
      });
    const framework = `${root}/vendor/laravel/framework/src/Illuminate/Foundation/Application.php`;
    const address = await known('app', 'url');
    return {
      version: (await folder.has(framework))
        ? /const VERSION = '([\d.]+)'/.exec(await folder.text(framework))?.[1]
        : null,
      // The skeleton has it until somebody sets another one.
      address: address === 'http://localhost' ? null : address,
      login: 'login',
      condition: 'auth()->check()',
      cookie: {
        path: (await known('session', 'path')) || '/',
        domain: (await known('session', 'domain')) ?? '',
        secure: ['1', 'true'].includes((await known('session', 'secure')) ?? ''),
      },
    };
  },
};

/** The folder of the application; the site's own may be `public` in it. */
async function rootOf(folder: SiteFolder): Promise<string | null> {
  for (const root of [folder.path, dirname(folder.path)]) {
    if (root !== folder.path && !folder.path.endsWith('/public')) continue;
    if ((await folder.has(`${root}/artisan`)) && (await folder.has(`${root}/bootstrap/app.php`))) return root;
    // Its configuration alone.
    if ((await folder.has(`${root}/config/session.php`)) && (await folder.has(`${root}/.env`))) return root;
  }
  return null;
}

/** Keys whose lists Laravel merges: `LoadConfiguration::mergeableOptions()`. */
const merged = new Set(['auth.guards', 'auth.providers', 'cache.stores', 'database.connections']);

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
  const file = `${root}/.env`;
  const environment = (await folder.has(file)) ? await folder.env(file, 'phpdotenv') : {};
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
    // A key of the application replaces the framework's with all that is in it: LoadConfiguration::loadConfigurationFile().
    const whole = keys.slice(0, merged.has(`${file}.${keys[0]}`) ? 2 : 1);
    return asText(found.find((each) => each.returns(whole))?.returned(keys, instead) ?? null);
  };
  // Versions before 11 have no such keys.
  const hasPrevious = (await filesOf('app')).some((each) => each.returns(['previous_keys']));
  const previous = (hasPrevious && environment.APP_PREVIOUS_KEYS) || '';
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

/** Where the sessions are. */
async function storeOf(folder: SiteFolder, root: string, config: Config): Promise<Partial<FoundSessions>> {
  const session = (key: string) => config('session', [key], storeSetting);
  const driver = await needed(root, config, 'driver', storeSetting);
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
    options: { store: urlWith(place, all(...options)) },
  });
  switch (driver) {
    case 'file':
    case 'native': {
      const files = (await session('files')) ?? `${root}/storage/framework/sessions`;
      return url(`file://${escapedPath(files)}`, { prefix: '', lifetime });
    }
    case 'database': {
      const { database, prefix } = await databaseOf(root, config, await session('connection'));
      const table = prefix + ((await session('table')) ?? 'sessions');
      const columns = { table, id: 'id', data: 'payload', last: 'last_activity', lifetime };
      return { table: { database, options: all(columns, ['base64']) } };
    }
    case 'redis': {
      const { place, options, prefix } = await redisOf(config, (await session('connection')) ?? 'default');
      const own = await session('prefix');
      const key =
        prefix + (own || (await cachePrefix(folder, root, config, (await session('store')) || 'redis')));
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
  const decoded = (part: string) => rawUrlDecode(Buffer.from(part)).toString();
  const parts: Record<string, string> = {
    driver: url.protocol.slice(0, -1),
    scheme: url.protocol.slice(0, -1),
    host: url.hostname,
    port: url.port,
    username: decoded(url.username),
    password: decoded(url.password),
    database: decoded(url.pathname.slice(1)),
  };
  return async (key) => parts[key] || (await value(key));
}

/** The first part of a store URL, and some of its options. */
interface Place {
  place: string;
  options: Record<string, string>;
  prefix: string;
}

const kinds: Readonly<Record<string, SiteDatabase['kind']>> = {
  mysql: 'mysql',
  mariadb: 'mysql',
  pgsql: 'postgres',
  postgres: 'postgres',
  postgresql: 'postgres',
  sqlite: 'sqlite',
};

/** A connection of `config/database.php`. @param given its name; null for the default */
async function databaseOf(
  root: string,
  config: Config,
  given: string | null,
): Promise<{ database: SiteDatabase; prefix: string }> {
  const name = given || ((await config('database', ['default'], storeSetting)) ?? '');
  const value = await connectionOf(config, ['connections', name]);
  const [kind, prefix, path] = [kinds[await value('driver')], await value('prefix'), await value('database')];
  const charset = 'utf8';
  if (kind === 'sqlite') {
    const place = { user: '', password: '', hosts: [], path: path.startsWith('/') ? path : join(root, path) };
    return { database: { kind, place, charset }, prefix };
  }
  const [host, socket] = [await value('host'), kind === 'mysql' ? await value('unix_socket') : ''];
  if (kind === undefined || (host === '' && socket === ''))
    throw new ConfigurationError(
      `${root}: the database connection ${JSON.stringify(name)} cannot be read, it has to be one server of MariaDB, MySQL, PostgreSQL or SQLite: otherwise set CHAT_SITE=laravel: without the folder, and ${storeSetting}`,
    );
  const port = await value('port');
  const place = {
    user: await value('username'),
    password: await value('password'),
    hosts: socket === '' ? [{ host, ...(/^\d{1,5}$/.test(port) ? { port: Number(port) } : {}) }] : [],
    path: `/${path}`,
  };
  const database = { kind, place, charset, ...(socket === '' ? {} : { socket }) } as const;
  return { database, prefix };
}

/** Where the users of a guard are. A session outlives its user, and a new password if the application wants that. */
async function accountsOf({
  folder,
  root,
  config,
  guard,
  appKey,
  given,
}: {
  folder: SiteFolder;
  root: string;
  config: Config;
  guard: string;
  appKey: string | null;
  given: SessionTexts;
}): Promise<Accounts> {
  const auth = (...keys: string[]) => config('auth', keys, 'CHAT_USER_ID');
  const driver = (await auth('guards', guard, 'driver')) ?? 'session';
  if (driver !== 'session')
    throw new ConfigurationError(
      `${root}: the guard ${guard} keeps no users in sessions (its driver is ${driver}): set CHAT_USER_ID=${userOf('GUARD')} with the name of another guard`,
    );
  const provider = (await auth('guards', guard, 'provider')) ?? 'users';
  const ofProvider = (key: string) => auth('providers', provider, key);
  const kind = (await ofProvider('driver')) ?? 'eloquent';
  if (kind !== 'eloquent' && kind !== 'database')
    throw new ConfigurationError(
      `${root}: the users of the guard ${guard} are kept in a way of this application (auth.providers.${provider}.driver is ${kind}), which cannot be read: set CHAT_SITE=laravel: without the folder, and ${storeSetting}`,
    );
  const model =
    kind === 'eloquent'
      ? await modelOf(folder, root, (await ofProvider('model')) ?? 'App\\Models\\User')
      : {
          table: (await ofProvider('table')) ?? 'users',
          connection: await ofProvider('connection'),
          key: 'id',
        };
  const { database, prefix } = await databaseOf(root, config, model.connection);
  const table = prefix + model.table;
  if (!/^\w+(\.\w+)?$/.test(table))
    throw new ConfigurationError(`${root}: the table of the users has a name with other characters`);
  const passesFalse = await passesFalsePassword(folder, root);
  // An application may have none of these.
  const columns = ['name', 'password', 'deleted_at'];
  const mail = 'email';
  return {
    proof: [`password_hash_${guard}`],
    database,
    basis: { guard, appKey, table, key: model.key, passesFalse },
    settings: ({ schema }) =>
      columnsIn(table, [...columns, mail], { view: 'chat_laravel_columns', kind: database.kind, schema }),
    users(sql, known) {
      const read = columns.map(
        (name) => `${known.has(name) ? `u.${tableIn(name, sql)}` : 'NULL'} AS ${name}`,
      );
      const users = {
        view: 'chat_laravel_users',
        id: 'id',
        lookup: 'id',
        columns: texts('id', ...columns),
        select: `SELECT u.${tableIn(model.key, sql)} AS id, ${read.join(', ')} FROM ${tableIn(table, sql)} AS u`,
      };
      return seldomChanged(users, [table]);
    },
    mails: (sql, known) =>
      mailsIn(
        'chat_laravel_mails',
        tableIn(table, sql) + (known.has('deleted_at') ? ' WHERE deleted_at IS NULL' : ''),
        tableIn(model.key, sql),
        known.has(mail) ? tableIn(mail, sql) : 'NULL',
      ),
    judge(row, { user, proof: [hash = null] }) {
      if (row === null) return because('there is no such user any more');
      if (row.deleted_at !== null) return because('the user is deleted');
      const { password = null } = row;
      // The middleware `AuthenticateSession` puts it there.
      const isCompared = hash !== null && password !== null && !(passesFalse && isFalse(password));
      if (isCompared && !isOf(password, hash, appKey))
        return because('the user has a new password, or has ended the logins of other devices');
      const name = given.userName ? user.name : displayName(textsOf(row)('name')) || user.id;
      return { user: { ...user, name } };
    },
  };
}

/** As PHP takes a text. */
const isFalse = (text: Buffer) => text.length === 0 || text.equals(zero);
const zero = Buffer.from('0');

/** Whether `AuthenticateSession` compares nothing where a user has no password, as since version 11. */
async function passesFalsePassword(folder: SiteFolder, root: string): Promise<boolean> {
  const file = `${root}/vendor/laravel/framework/src/Illuminate/Session/Middleware/AuthenticateSession.php`;
  return (
    (await folder.has(file)) && /! \$request->user\(\)->getAuthPassword\(\)/.test(await folder.text(file))
  );
}

/** `SessionGuard::hashPasswordForCookie()`, which versions from 12.45 on keep in place of the hash itself. */
function isOf(password: Buffer, hash: string, appKey: string | null): boolean {
  const given = Buffer.from(hash, 'latin1');
  const keyed = createHmac('sha256', appKey ?? 'base-key-for-password-hash-mac')
    .update(password)
    .digest('hex');
  return [password, Buffer.from(keyed)].some(
    (expected) => expected.length === given.length && timingSafeEqual(expected, given),
  );
}

interface Model {
  table: string;
  connection: string | null;
  key: string;
}

/** The table of a model, as far as the model names it in plain words. */
async function modelOf(folder: SiteFolder, root: string, name: string): Promise<Model> {
  const file = `${root}/${name.replace(/^\\?App\\/, 'app/').replaceAll('\\', '/')}.php`;
  const source = (await folder.has(file)) ? withoutComments(await folder.text(file)) : '';
  const property = (property: string) =>
    new RegExp(`\\$${property}\\s*=\\s*(['"])([\\w.]+)\\1`).exec(source)?.[2];
  const [ahead = ''] = source.split(/^(?:(?:abstract|final|readonly) )*class\s/m, 1);
  const attribute = (name: string, argument: string) =>
    new RegExp(`(?:#\\[|,)\\s*(?:\\w*\\\\)*${name}\\(${argument}(['"])([\\w.]+)\\1`).exec(ahead)?.[2];
  const own = name
    .replace(/^.*\\/, '')
    .replace(/(?!^)[A-Z]/g, '_$&')
    .toLowerCase();
  return {
    table:
      property('table') ??
      attribute('Table', '(?:name:\\s*)?') ??
      `${own.replace(/([^aeiou])y$/, '$1ie').replace(/(s|x|ch|sh)$/, '$1e')}s`,
    connection: property('connection') ?? attribute('Connection', '(?:name:\\s*)?') ?? null,
    key: property('primaryKey') ?? attribute('Table', '(?:[^)]*\\bkey:|[^,)]*,)\\s*') ?? 'id',
  };
}

/** Whether the application leaves the cookie unencrypted: `EncryptCookies::$except`, or `encryptCookies(except: …)`. */
async function isPlain(folder: SiteFolder, root: string, cookieName: string): Promise<boolean> {
  const places = [
    ['app/Http/Middleware/EncryptCookies.php', /\$except\s*=\s*\[([^\]]*)\]/],
    ['bootstrap/app.php', /->encryptCookies\(\s*(?:except:\s*)?\[([^\]]*)\]/],
  ] as const;
  for (const [path, list] of places) {
    const file = `${root}/${path}`;
    if (!(await folder.has(file))) continue;
    const [, names = ''] = list.exec(withoutComments(await folder.text(file))) ?? [];
    if ([...names.matchAll(/(['"])(.*?)\1/g)].some(([, , name]) => name === cookieName)) return true;
  }
  return false;
}

const withoutComments = (source: string) => source.replace(/\/\*[\s\S]*?\*\/|(?<!\S)\/\/.*$/gm, '');

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

async function withColon(folder: SiteFolder, root: string): Promise<boolean> {
  const file = `${root}/vendor/laravel/framework/src/Illuminate/Cache/RedisStore.php`;
  if (await folder.has(file)) return /\$prefix\s*\.\s*':'/.test(await folder.text(file));
  const wanted = (await folder.has(`${root}/composer.json`))
    ? await folder.text(`${root}/composer.json`)
    : '';
  const [, version] = /"laravel\/framework"\s*:\s*"\D*(\d+)/.exec(wanted) ?? [];
  if (version !== undefined) return Number(version) <= 10;
  throw new ConfigurationError(
    `${root}: neither vendor/laravel/framework nor composer.json says which version of Laravel this is, and so what its prefixes are: set ${storeSetting}`,
  );
}

/** The prefix of a cache store. Until version 10 a colon follows it. */
async function cachePrefix(folder: SiteFolder, root: string, config: Config, store: string): Promise<string> {
  const own = await config('cache', ['stores', store, 'prefix'], storeSetting);
  const prefix = own ?? (await config('cache', ['prefix'], storeSetting));
  if (prefix === null || prefix === '') return '';
  return (await withColon(folder, root)) ? `${prefix}:` : prefix;
}
