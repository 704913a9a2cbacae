import { join } from 'node:path';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { type SiteDatabase, serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { rawUrlDecode } from '../encodings.ts';
import { option } from '../names.ts';
import { findRoot, type SiteFolder } from './site-folder.ts';

/**
 * Reads `config('FILE.KEY.KEY')`. Null if it is not set.
 * @param instead what to set if only PHP knows the value
 * @throws ConfigurationError
 */
export type Config = (file: string, keys: readonly string[], instead: string) => Promise<string | null>;

export const findLaravel = (folder: SiteFolder) =>
  findRoot(
    folder,
    'public',
    async (root) =>
      ((await folder.has(`${root}/artisan`)) && (await folder.has(`${root}/bootstrap/app.php`))) ||
      // A copy of the configuration alone.
      ((await folder.has(`${root}/config/session.php`)) && (await folder.has(`${root}/.env`))),
  );

/** Keys whose lists Laravel merges: `LoadConfiguration::mergeableOptions()`. */
const mergedKeys = new Set(['auth.guards', 'auth.providers', 'cache.stores', 'database.connections']);

export async function openConfiguration(
  folder: SiteFolder,
  root: string,
): Promise<{ config: Config; previousKeys: readonly string[] }> {
  const read = (file: string) => folder.php(file, { root });
  const cache = `${root}/bootstrap/cache/config.php`;
  if (await folder.has(cache)) {
    // With this file Laravel reads neither `.env` nor the other files.
    const cached = await read(cache);
    const previousKeys: string[] = [];
    for (let n = 0; ; n++) {
      const key = asText(cached.returned(['app', 'previous_keys', String(n)], option('cookie')));
      if (key === null) break;
      previousKeys.push(key);
    }
    const config: Config = async (file, keys, instead) => asText(cached.returned([file, ...keys], instead));
    return { config, previousKeys };
  }
  const file = `${root}/.env`;
  const environment = (await folder.has(file)) ? await folder.env(file, 'phpdotenv') : {};
  const files = new Map<string, Promise<Configuration[]>>();
  // Since version 11 the framework's files replace missing ones.
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
    // A key of the application replaces the whole key of the framework: LoadConfiguration::loadConfigurationFile().
    const whole = keys.slice(0, mergedKeys.has(`${file}.${keys[0]}`) ? 2 : 1);
    return asText(found.find((each) => each.returns(whole))?.returned(keys, instead) ?? null);
  };
  // Versions before 11 do not use previous keys.
  const hasPrevious = (await filesOf('app')).some((each) => each.returns(['previous_keys']));
  const previous = (hasPrevious && environment.APP_PREVIOUS_KEYS) || '';
  return { config, previousKeys: previous.split(',').filter((key) => key !== '') };
}

/**
 * Reads a connection in `config/database.php`. Its URL replaces the other values:
 * Illuminate/Support/ConfigurationUrlParser.php.
 * @returns a function that reads a value, which is empty if it is not set
 * @throws ConfigurationError
 */
export async function openConnection(
  config: Config,
  keys: readonly string[],
): Promise<(key: string) => Promise<string>> {
  const value = async (key: string) => (await config('database', [...keys, key], option('store'))) ?? '';
  const given = await value('url');
  if (given === '') return value;
  if (!URL.canParse(given))
    throw new ConfigurationError(`the url of ${keys.join('.')} is not a URL: set ${option('store')}`);
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

const kinds: Readonly<Record<string, SiteDatabase['kind']>> = {
  mysql: 'mysql',
  mariadb: 'mysql',
  pgsql: 'postgres',
  postgres: 'postgres',
  postgresql: 'postgres',
  sqlite: 'sqlite',
};

/**
 * Reads a connection as Laravel writes with it: values of `write` replace the others, also those of the URL. Of several
 * servers, Laravel chooses one at random, so they have the same data: Database/Connectors/ConnectionFactory.php.
 */
async function openWriter(config: Config, name: string): Promise<(key: string) => Promise<string>> {
  const connection = ['connections', name];
  const shared = await openConnection(config, connection);
  const replaced = (...keys: string[]) => config('database', [...connection, ...keys], option('store'));
  return async (key) => {
    const hosts = key === 'host' ? ['0'] : [];
    for (const start of [['write'], ['write', '0']])
      for (const end of [[], hosts]) {
        const value = await replaced(...start, key, ...end);
        if (value !== null) return value;
      }
    return (await shared(key)) || ((await replaced(key, ...hosts)) ?? '');
  };
}

/**
 * Reads the database of a connection in `config/database.php`, and the prefix of its tables.
 * @param given the name of the connection. Null for the default.
 * @throws ConfigurationError
 */
export async function readDatabase(
  root: string,
  config: Config,
  given: string | null,
): Promise<{ database: SiteDatabase; prefix: string }> {
  const name = given || ((await config('database', ['default'], option('store'))) ?? '');
  const value = await openWriter(config, name);
  const [kind, prefix, path] = [kinds[await value('driver')], await value('prefix'), await value('database')];
  if (kind === 'sqlite') {
    return { database: sqliteDatabase(path.startsWith('/') ? path : join(root, path)), prefix };
  }
  const [host, socket] = [await value('host'), kind === 'mysql' ? await value('unix_socket') : ''];
  if (kind === undefined || (host === '' && socket === ''))
    throw new ConfigurationError(
      `${root}: the database connection ${JSON.stringify(name)} cannot be read, because only a single server of MariaDB, MySQL, PostgreSQL or SQLite is supported: set ${option('site')} to "laravel:" (no folder), and set ${option('store')}`,
    );
  const port = await value('port');
  const database = serverDatabase({
    ...{ kind, socket },
    host: socket === '' ? host : undefined,
    port: /^\d{1,5}$/.test(port) ? Number(port) : undefined,
    user: await value('username'),
    password: await value('password'),
    name: path,
  });
  return { database, prefix };
}

export const removeComments = (source: string) => source.replace(/\/\*[\s\S]*?\*\/|(?<!\S)\/\/.*$/gm, '');
