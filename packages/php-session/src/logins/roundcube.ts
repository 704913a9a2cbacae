import { asText, type Configuration, ConfigurationError, ifKnown } from '../configuration/configuration.ts';
import { escapedPath, hostAndPort, serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { isArray, rest } from '../configuration/value.ts';
import { rawUrlDecode } from '../encodings.ts';
import { option } from '../names.ts';
import {
  type Accounts,
  type FoundSessions,
  findRoot,
  isSameSecret,
  matchFile,
  missingCookie,
  notLoggedIn,
  quoteTable,
  type SessionApplication,
  type SessionTexts,
  type SiteDatabase,
  type SiteFolder,
  seldomChanged,
  selectAccounts,
  selectMails,
} from './application.ts';
import { fileContains, toSecondFactorError } from './own-sessions.ts';

/**
 * Roundcube 1.4 to 1.7: index.php, program/lib/Roundcube/rcube_session.php (check_auth), session/*.php, rcube_user.php,
 * rcube_db.php (parse_dsn).
 */
export const roundcube: SessionApplication = {
  kind: 'roundcube',
  title: 'Roundcube',
  options: {
    cookieName: 'roundcube_sessid',
    userId: 'user_id',
    userName: 'username',
    // With PHP's own storage the session of the id before the login keeps the user, but not this key.
    userRequire: 'auth_secret',
  },

  async find(folder: SiteFolder, given: SessionTexts): Promise<FoundSessions | null> {
    const root = await rootOf(folder);
    if (root === null) return null;
    const configuration = await folder.php(`${root}/config/config.inc.php`);
    const { file } = configuration;
    const value = (key: string, instead: string) =>
      asText(configuration.variable(['config', key], instead)) ?? '';
    const setting = (key: string) => value(key, option('store'));
    const storageOf = () => setting('session_storage') || 'db';
    // First: no other fault of the configuration may hide it.
    if (!given.userRequire) {
      const plugin = await askingPlugin(folder, root, configuration);
      const isInVars = !given.store && (ifKnown(storageOf) ?? 'db') !== 'db';
      const userId = given.userId ?? (isInVars ? inVars.userId : '');
      const place = userId.startsWith('vars!.') ? 'vars!.' : '';
      if (plugin) throw toSecondFactorError(file, `the plugin ${plugin.name}`, place + plugin.given);
    }
    const cookieName = given.cookieName ?? value('session_name', option('cookieName'));
    const minutes = Number.parseInt(setting('session_lifetime'), 10) || 10;
    const database = databaseOf(value('db_dsnw', 'its value itself'), file);
    const prefix = value('db_prefix', 'its value itself');
    const storage = storageOf();
    const first = (key: string) =>
      asText(configuration.variable(['config', key, '0'], option('store'))) ?? '';
    const inTable = !given.store && storage === 'db';
    const found = given.store || inTable ? {} : { store: cacheOf(storage, first, file), ...inVars };
    const options: SessionTexts = { ...(cookieName === '' ? {} : { cookieName }), ...found };
    return {
      options,
      ...(inTable && {
        table: { database, options: tableOf(`${prefix}session`, minutes, await hasEnds(folder, root)) },
      }),
      accounts: accountsOf({
        ...{
          database,
          users: `${prefix}users`,
          identities: `${prefix}identities`,
          lifetime: Math.max(120, minutes * 60),
        },
        cookie: value('session_auth_name', 'its value itself') || 'roundcube_sessauth',
      }),
    };
  },
};

/** Roundcube's own storages keep the session as a text in an array. */
const inVars = { userId: 'vars!.user_id', userName: 'vars!.username', userRequire: 'vars!.auth_secret' };

/** Plugins that ask for a second factor when the user is in the session (`login_after`), and where that says it was given. */
const askingPlugins = [
  { name: 'twofactor_gauthenticator', given: 'twofactor_gauthenticator_2FA_login' },
  { name: 'twofactor_webauthn', given: 'twofactor_webauthn_checked' },
];

/** The first of these that is on. Where only PHP knows the list, as in the image for containers, each that is there counts. */
async function askingPlugin(folder: SiteFolder, root: string, configuration: Configuration) {
  const read = () => configuration.variable(['config', 'plugins'], option('userRequire'));
  const list = ifKnown(read) === undefined ? undefined : read();
  for (const plugin of askingPlugins) {
    const { name } = plugin;
    const isOn =
      list === undefined || (isArray(list) && list.has(rest))
        ? await folder.has(`${root}/plugins/${name}/${name}.php`)
        : isArray(list) && [...list.values()].includes(name);
    if (isOn) return plugin;
  }
  return undefined;
}

/** The folder of Roundcube; since version 1.7 the site's own is `public_html` in it. */
const rootOf = (folder: SiteFolder) =>
  findRoot(folder, 'public_html', async (root) => {
    const file = `${root}/config/config.inc.php`;
    if (!(await folder.has(file))) return false;
    if (await folder.has(`${root}/program/lib/Roundcube/rcube.php`)) return true;
    // A copy of the configuration alone.
    return (await matchFile(folder, file, /\$config\[['"](des_key|db_dsnw)['"]\]/)) !== null;
  });

/** Since version 1.7 the table has the end of a session in place of its last use. */
async function hasEnds(folder: SiteFolder, root: string): Promise<boolean> {
  return fileContains(folder, `${root}/program/lib/Roundcube/session/db.php`, 'expires_at');
}

function tableOf(table: string, minutes: number, hasEnd: boolean): Record<string, string> {
  const end: Record<string, string> = hasEnd
    ? { expires: 'expires_at', expires_unit: 'datetime' }
    : { last: 'changed', last_unit: 'datetime', lifetime: `${minutes}m` };
  return { table, id: 'sess_id', data: 'vars', ...end, layers: 'base64' };
}

/** The sessions in Redis or memcached. @param first the first of the hosts in a list */
function cacheOf(storage: string, first: (key: string) => string, file: string): string {
  if (storage === 'redis') {
    const [, path, host = '', rest = ''] =
      /^(?:(?:unix:\/\/)?(\/[^:]*)|([^:]*))(.*)$/.exec(first('redis_hosts')) ?? [];
    const parts = rest.split(':').slice(1);
    const [port = ''] = path === undefined ? parts.splice(0, 1) : [];
    const [database = '', password = ''] = parts;
    const login = password === '' ? '' : `:${encodeURIComponent(password)}@`;
    const at = path === undefined ? hostAndPort(host || '127.0.0.1', port || '6379') : escapedPath(path);
    return `redis://${login}${at}?prefix=&format=php_serialize&database=${encodeURIComponent(database || '0')}`;
  }
  if (storage === 'memcache' || storage === 'memcached') {
    const [, host, port = '11211'] = /^([^:/]+)(?::(\d+))?$/.exec(first('memcache_hosts')) ?? [];
    const object = storage === 'memcache' ? '&distribution=memcache' : '';
    if (host !== undefined) return `memcached://${host}:${port}?prefix=${object}`;
  }
  throw new ConfigurationError(
    `${file}: session_storage is ${storage}: set ${option('store')} as docs/sessions.md says`,
  );
}

/**
 * Roundcube takes a session only with its second cookie, and ends it where that is another. The cookie is the secret of
 * the session and a time; it has a new one twice in the lifetime of a session.
 */
function accountsOf({
  database,
  users,
  identities,
  lifetime,
  cookie,
}: {
  database: SiteDatabase;
  users: string;
  identities: string;
  /** Seconds. */
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
          'Roundcube sets it beside that of the session, for the same path and domain',
        );
      const slot = Math.floor(lifetime / 2);
      const start = at - (at % slot);
      // The later one is that of a server whose clock is ahead.
      const isOne = [start + slot, start, start - slot, start - 2 * slot].some((time) =>
        isSameSecret(Buffer.from(given, 'latin1'), Buffer.from(`${expected}-${time}`, 'latin1')),
      );
      return isOne ? null : notLoggedIn(`the cookie ${cookie} is not that of the session, or has expired`);
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
    // Users write what they like as the address of an identity (identities_level); they log in by their own.
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
      row === null ? notLoggedIn('there is no such user any more') : { state: 'user', user },
  };
}

/** `mysql://USER:PASSWORD@HOST/DATABASE`, also with `unix(PATH)` as the host, and `sqlite:///PATH?mode=0646`. */
function databaseOf(dsn: string, file: string): SiteDatabase {
  const [, path] = /^sqlite3?:(?:\/\/)?(\/[^?]*)/.exec(dsn) ?? [];
  if (path !== undefined) return sqliteDatabase(path.replace(/^\/+/, '/'));
  const parts =
    /^(mysqli?|pgsql):\/\/([^:]*):(.*)@(?:(?:tcp\()?([A-Za-z0-9.-]*)(?::(\d{1,5}))?\)?|unix\((.*)\))\/([^/?]+)/.exec(
      dsn,
    );
  if (parts === null)
    throw new ConfigurationError(
      `${file}: db_dsnw names no database of MariaDB, MySQL, PostgreSQL or SQLite: set ${option('site')}=roundcube: without the folder, and ${option('store')}`,
    );
  const [, kind = '', user = '', password = '', host = '', port, socket, database = ''] = parts;
  const isMysql = kind.startsWith('mysql');
  return serverDatabase({
    kind: isMysql ? 'mysql' : 'postgres',
    // For PostgreSQL it is the folder of the socket, and so a host to libpq.
    host: (isMysql ? undefined : socket) ?? (host || 'localhost'),
    port: port === undefined ? undefined : Number(port),
    socket: isMysql ? socket : undefined,
    user: decoded(user),
    password: decoded(password),
    name: decoded(database),
  });
}

const decoded = (text: string) => rawUrlDecode(Buffer.from(text)).toString();
