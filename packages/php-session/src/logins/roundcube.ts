/**
 * Roundcube 1.4 to 1.7. Files are in program/lib/Roundcube.
 *
 * - The cookie `roundcube_sessid` is the id of a session in the table `session`, Redis or memcached: session/*.php.
 * - The session has `user_id` and `auth_secret` while the user is logged in: index.php of the site; rcube_user.php. A
 *   logout removes the user.
 * - The cookie counts only with the cookie `roundcube_sessauth`, which has the secret and a time, and changes twice in
 *   the session's lifetime: rcube_session.php, check_auth.
 * - A session ends `session_lifetime` minutes after the last page view.
 */

import {
  asText,
  type Configuration,
  ConfigurationError,
  readIfKnown,
} from '../configuration/configuration.ts';
import {
  escapePath,
  joinHostAndPort,
  type SiteDatabase,
  serverDatabase,
  sqliteDatabase,
} from '../configuration/database-host.ts';
import { isArray, rest } from '../configuration/value.ts';
import { rawUrlDecode } from '../encodings.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { Accounts, FoundSessions, SessionApplication, SessionTexts } from './application.ts';
import { isSameSecret, missingCookie } from './claim.ts';
import { fileContains, toSecondFactorError } from './own-sessions.ts';
import { findRoot, matchFile, type SiteFolder } from './site-folder.ts';
import { quoteTable, seldomChanged, selectAccounts, selectMails } from './site-table.ts';

export const roundcube: SessionApplication = {
  kind: 'roundcube',
  title: 'Roundcube',
  options: {
    cookieName: 'roundcube_sessid',
    userId: 'user_id',
    userName: 'username',
    // With PHP's own storage, the session id from before the login keeps the user, but not this key.
    userRequire: 'auth_secret',
  },

  async find(folder: SiteFolder, given: SessionTexts): Promise<FoundSessions | null> {
    const root = await findRoundcube(folder);
    if (root === null) return null;
    const configuration = await folder.php(`${root}/config/config.inc.php`);
    const { file } = configuration;
    const value = (key: string, instead: string) =>
      asText(configuration.variable(['config', key], instead)) ?? '';
    const setting = (key: string) => value(key, option('store'));
    const readStorage = () => setting('session_storage') || 'db';
    // This check is first, so that no other error of the configuration hides it.
    if (!given.userRequire) {
      const plugin = await findSecondFactorPlugin(folder, root, configuration);
      const isInVars = !given.store && (readIfKnown(readStorage) ?? 'db') !== 'db';
      const userId = given.userId ?? (isInVars ? inVars.userId : '');
      const place = userId.startsWith('vars!.') ? 'vars!.' : '';
      if (plugin) throw toSecondFactorError(file, `the plugin ${plugin.name}`, place + plugin.given);
    }
    const cookieName = given.cookieName ?? value('session_name', option('cookieName'));
    const minutes = Number.parseInt(setting('session_lifetime'), 10) || 10;
    const database = readDatabase(value('db_dsnw', 'a literal value'), file);
    const prefix = value('db_prefix', 'a literal value');
    const storage = readStorage();
    const first = (key: string) =>
      asText(configuration.variable(['config', key, '0'], option('store'))) ?? '';
    const inTable = !given.store && storage === 'db';
    const found = given.store || inTable ? {} : { store: toCacheUrl(storage, first, file), ...inVars };
    const options: SessionTexts = { ...(cookieName === '' ? {} : { cookieName }), ...found };
    return {
      options,
      ...(inTable && {
        table: {
          database,
          options: toTableOptions(`${prefix}session`, minutes, await hasEnds(folder, root)),
        },
      }),
      accounts: toAccounts({
        ...{
          database,
          users: `${prefix}users`,
          identities: `${prefix}identities`,
          lifetime: Math.max(120, minutes * 60),
        },
        cookie: value('session_auth_name', 'a literal value') || 'roundcube_sessauth',
      }),
    };
  },
};

/** In Redis and memcached, Roundcube keeps the session as a text in an array. */
const inVars = { userId: 'vars!.user_id', userName: 'vars!.username', userRequire: 'vars!.auth_secret' };

/** Plugins that ask for a second factor after the login (`login_after`), and the key of a session whose factor was given. */
const secondFactorPlugins = [
  { name: 'twofactor_gauthenticator', given: 'twofactor_gauthenticator_2FA_login' },
  { name: 'twofactor_webauthn', given: 'twofactor_webauthn_checked' },
];

/**
 * Finds an active plugin that asks for a second factor after the login. If only PHP knows the list of plugins, as in the
 * container image, each installed plugin counts. Undefined if there is none.
 */
async function findSecondFactorPlugin(folder: SiteFolder, root: string, configuration: Configuration) {
  const read = () => configuration.variable(['config', 'plugins'], option('userRequire'));
  const list = readIfKnown(read) === undefined ? undefined : read();
  for (const plugin of secondFactorPlugins) {
    const { name } = plugin;
    const isOn =
      list === undefined || (isArray(list) && list.has(rest))
        ? await folder.has(`${root}/plugins/${name}/${name}.php`)
        : isArray(list) && [...list.values()].includes(name);
    if (isOn) return plugin;
  }
  return undefined;
}

/** Finds the folder of Roundcube. Since version 1.7 the web server serves `public_html`. Null if there is no Roundcube. */
const findRoundcube = (folder: SiteFolder) =>
  findRoot(folder, 'public_html', async (root) => {
    const file = `${root}/config/config.inc.php`;
    if (!(await folder.has(file))) return false;
    if (await folder.has(`${root}/program/lib/Roundcube/rcube.php`)) return true;
    // A copy of the configuration alone.
    return (await matchFile(folder, file, /\$config\[['"](des_key|db_dsnw)['"]\]/)) !== null;
  });

/** Whether the table has the end of a session instead of its last use, as since version 1.7. */
async function hasEnds(folder: SiteFolder, root: string): Promise<boolean> {
  return fileContains(folder, `${root}/program/lib/Roundcube/session/db.php`, 'expires_at');
}

function toTableOptions(table: string, minutes: number, hasEnd: boolean): Record<string, string> {
  const end: Record<string, string> = hasEnd
    ? { expires: 'expires_at', expires_unit: 'datetime' }
    : { last: 'changed', last_unit: 'datetime', lifetime: `${minutes}m` };
  return { table, id: 'sess_id', data: 'vars', ...end, layers: 'base64' };
}

/**
 * Returns the store URL of sessions in Redis or memcached.
 * @param first returns the first of the hosts in a list
 * @throws ConfigurationError for another storage
 */
function toCacheUrl(storage: string, first: (key: string) => string, file: string): string {
  if (storage === 'redis') {
    const [, path, host = '', rest = ''] =
      /^(?:(?:unix:\/\/)?(\/[^:]*)|([^:]*))(.*)$/.exec(first('redis_hosts')) ?? [];
    const parts = rest.split(':').slice(1);
    const [port = ''] = path === undefined ? parts.splice(0, 1) : [];
    const [database = '', password = ''] = parts;
    const login = password === '' ? '' : `:${encodeURIComponent(password)}@`;
    const at = path === undefined ? joinHostAndPort(host || '127.0.0.1', port || '6379') : escapePath(path);
    return `redis://${login}${at}?prefix=&format=php_serialize&database=${encodeURIComponent(database || '0')}`;
  }
  if (storage === 'memcache' || storage === 'memcached') {
    const [, host, port = '11211'] = /^([^:/]+)(?::(\d+))?$/.exec(first('memcache_hosts')) ?? [];
    const object = storage === 'memcache' ? '&distribution=memcache' : '';
    if (host !== undefined) return `memcached://${host}:${port}?prefix=${object}`;
  }
  throw new ConfigurationError(
    `${file}: session_storage ${storage} is not supported: set ${option('store')}`,
  );
}

function toAccounts({
  database,
  users,
  identities,
  lifetime,
  cookie,
}: {
  database: SiteDatabase;
  users: string;
  identities: string;
  /** The lifetime of a session in seconds. */
  lifetime: number;
  cookie: string;
}): Accounts {
  return {
    proof: ['auth_secret', inVars.userRequire],
    checkCookies(value, { proof }, at) {
      const expected = proof.find((secret) => secret);
      const given = value(cookie);
      if (given === null || !expected)
        return missingCookie(
          cookie,
          'Roundcube sets it with the cookie of the session, for the same path and domain',
        );
      const slot = Math.floor(lifetime / 2);
      const start = at - (at % slot);
      // The first slot is in the future, for a server of the site whose clock is ahead.
      const isValid = [start + slot, start, start - slot, start - 2 * slot].some((time) =>
        isSameSecret(Buffer.from(given, 'latin1'), Buffer.from(`${expected}-${time}`, 'latin1')),
      );
      return isValid
        ? null
        : notLoggedIn(`the cookie ${cookie} does not belong to the session, or has expired`);
    },
    database,
    basis: { users, identities, lifetime, cookie },
    users(driver) {
      const select = `SELECT u.user_id AS id FROM ${quoteTable(users, driver)} AS u`;
      const columns = { id: 'text' } as const;
      return seldomChanged({ view: 'chat_roundcube_users', id: 'id', lookup: 'id', columns, select }, [
        users,
      ]);
    },
    // Users may write any address into an identity (identities_level). Their login name is verified.
    mails(driver) {
      const standard = `SELECT MIN(i.email) FROM ${quoteTable(identities, driver)} AS i WHERE i.user_id = u.user_id AND i.standard = 1 AND i.del = 0`;
      return selectMails(
        'chat_roundcube_mails',
        `${quoteTable(users, driver)} AS u`,
        'u.user_id',
        `CASE WHEN u.username LIKE '%_@_%' THEN u.username ELSE (${standard}) END`,
      );
    },
    all: (driver) =>
      selectAccounts('chat_roundcube_accounts', `${quoteTable(users, driver)} AS u`, {
        id: 'u.user_id',
        name: 'u.username',
      }),
    checkRow: (row, { user }) =>
      row === null ? notLoggedIn('the user no longer exists') : { state: 'user', user },
  };
}

/**
 * Parses `mysql://USER:PASSWORD@HOST/DATABASE`, also with `unix(PATH)` as the host, and `sqlite:///PATH?mode=0646`.
 * @throws ConfigurationError
 */
function readDatabase(dsn: string, file: string): SiteDatabase {
  const [, path] = /^sqlite3?:(?:\/\/)?(\/[^?]*)/.exec(dsn) ?? [];
  if (path !== undefined) return sqliteDatabase(path.replace(/^\/+/, '/'));
  const parts =
    /^(mysqli?|pgsql):\/\/([^:]*):(.*)@(?:(?:tcp\()?([A-Za-z0-9.-]*)(?::(\d{1,5}))?\)?|unix\((.*)\))\/([^/?]+)/.exec(
      dsn,
    );
  if (parts === null)
    throw new ConfigurationError(
      `${file}: db_dsnw does not name a database of MariaDB, MySQL, PostgreSQL or SQLite: set ${option('site')} to "roundcube:" (no folder), and set ${option('store')}`,
    );
  const [, kind = '', user = '', password = '', host = '', port, socket, database = ''] = parts;
  const isMysql = kind.startsWith('mysql');
  return serverDatabase({
    kind: isMysql ? 'mysql' : 'postgres',
    // For PostgreSQL the host is the folder of the socket, as in libpq.
    host: (isMysql ? undefined : socket) ?? (host || 'localhost'),
    port: port === undefined ? undefined : Number(port),
    socket: isMysql ? socket : undefined,
    user: decode(user),
    password: decode(password),
    name: decode(database),
  });
}

const decode = (text: string) => rawUrlDecode(Buffer.from(text)).toString();
