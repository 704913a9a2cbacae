/**
 * MediaWiki 1.35 to 1.45. Files are in includes.
 *
 * - The cookie `PREFIX_session` is the id of a session in a cache (memcached, Redis or the table `objectcache`):
 *   SetupDynamicConfig.php, objectcache/ObjectCache.php.
 * - The cookie counts only with the cookie `PREFIXUserID` of the same user. If `PREFIXUserName` and `PREFIXToken` are
 *   sent, they must also be of this user: session/CookieSessionProvider.php, provideSessionInfo.
 * - The user's row must have the token and name of the session: session/SessionManager.php, loadSessionInfoFromStore;
 *   user/User.php, getToken.
 * - A logout deletes the session, and a new password changes the token.
 * - With $wgBlockDisablesLogin, a block ends logins: Permissions/PermissionManager.php, getUserPermissions.
 * - CentralAuth makes sessions for several wikis: its session/CentralAuthSessionProvider.php.
 */

import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import {
  joinHostAndPort,
  joinStoreUrl,
  parseDatabaseHost,
  type SiteDatabase,
  serverDatabase,
  sqliteDatabase,
} from '../configuration/database-host.ts';
import { notLoggedIn } from '../login.ts';
import { option } from '../names.ts';
import type { Accounts, FoundSessions, SessionApplication } from './application.ts';
import { missingCookie } from './claim.ts';
import { matchFile } from './site-folder.ts';
import { quoteTable, type Row, seldomChanged, selectAccounts, selectColumns } from './site-table.ts';
import { hmacWhirlpool } from './whirlpool.ts';

const file = 'LocalSettings.php';
const manualSettings = () =>
  `set ${option('site')} to "mediawiki:" (no folder), and set ${option('cookieName')} and ${option('store')}`;

/** The constants of includes/Defines.php. */
const constants = {
  CACHE_ANYTHING: -1,
  CACHE_NONE: 0,
  CACHE_DB: 1,
  CACHE_MEMCACHED: 'memcached-php',
  CACHE_ACCEL: 3,
} as const;

/** Classes for sessions of browsers. Other classes give robots and apps some of a user's rights. */
const browserProviders = /(^|\\)(Cookie|CentralAuth)SessionProvider$/;

/** A column of users since MediaWiki 1.41. */
const temporaryColumn = 'user_is_temp';

/** A column of the targets of blocks since MediaWiki 1.42. Before, the blocks have the user. */
const blockedUserColumn = 'bt_user';

/** Reads a global variable, or a value in it by keys; empty if it is not set. */
type Settings = (name: string, ...keys: string[]) => string;

export const mediawiki: SessionApplication = {
  kind: 'mediawiki',
  title: 'MediaWiki',
  options: {
    // $wgCookiePrefix, which is usually the name of the database and the prefix of tables, and `_session`.
    cookieName: null,
    userId: 'metadata.userId',
    userName: 'metadata.userName',
  },

  async find(folder, given) {
    if ((await matchFile(folder, file, /\$wg[A-Z]/)) === null) return null;
    const configuration = await folder.php(file, {
      variables: { IP: folder.path },
      constants,
      application: /\/(extensions|skins|includes)\//,
    });
    const settings =
      (instead: string): Settings =>
      (name, ...keys) =>
        asText(configuration.variable([name, ...keys], instead)) ?? '';
    const value = settings('a literal value');
    const shared = value('wgSharedDB');
    const cookiePrefix = readCookiePrefix(settings(option('cookieName')));
    const cookieName = given.cookieName ?? (value('wgSessionName') || `${cookiePrefix}_session`);
    const database = readDatabase(value, folder.path);
    const stored = given.store ? {} : readStore(settings(option('store')), configuration, database);
    const tables =
      shared === '' ? value('wgDBprefix') : `${shared}.${value('wgSharedPrefix') || value('wgDBprefix')}`;
    const version = configuration.variable(['wgAuthenticationTokenVersion'], 'a literal value');
    return {
      ...stored,
      options: { cookieName, ...stored.options },
      accounts: toAccounts({
        ...{ database, users: `${tables}user`, cookiePrefix, version: asText(version) },
        blocks: value('wgBlockDisablesLogin') === '' ? null : value('wgDBprefix'),
      }),
    };
  },
};

/** Reads `$wgCookiePrefix`, or computes the default of SetupDynamicConfig.php. */
function readCookiePrefix(value: Settings): string {
  const [shared, sharedPrefix] = [value('wgSharedDB'), value('wgSharedPrefix')];
  const parts = shared === '' ? [value('wgDBname'), value('wgDBprefix')] : [shared, sharedPrefix];
  const prefix = value('wgCookiePrefix') || parts.filter((part) => part !== '').join('_');
  return prefix.replace(/[=,; +."'\\[]/g, '_');
}

function readDatabase(value: Settings, folder: string): SiteDatabase {
  const type = value('wgDBtype') || 'mysql';
  if (type === 'sqlite') return toSqlite(value('wgSQLiteDataDir') || `${folder}/data`, value('wgDBname'));
  if (
    type !== 'mysql' ||
    value('wgDBservers', '0', 'host') !== '' ||
    value('wgLBFactoryConf', 'class') !== ''
  )
    throw new ConfigurationError(
      `${folder}/${file}: the database of the wiki is not SQLite or a single server of MariaDB or MySQL: ${manualSettings()}`,
    );
  return serverDatabase({
    ...parseDatabaseHost(value('wgDBserver')),
    user: value('wgDBuser'),
    password: value('wgDBpassword'),
    name: value('wgDBname'),
  });
}

const toSqlite = (folder: string, name: string) => sqliteDatabase(`${folder}/${name}.sqlite`);

/** Finds the store of the sessions. @throws ConfigurationError if it cannot be read */
function readStore(
  value: Settings,
  configuration: Configuration,
  database: SiteDatabase,
): Partial<FoundSessions> {
  const prefix = value('wgDBprefix');
  const wiki = value('wgCachePrefix') || `${value('wgDBname')}${prefix === '' ? '' : `-${prefix}`}`;
  const keys = { prefix: `${wiki}:MWSession:`, format: 'php_serialize' };
  const at = (place: string) => ({ options: { store: joinStoreUrl(place, keys) } });
  const types = ['wgSessionCacheType', 'wgMainCacheType', 'wgMessageCacheType', 'wgParserCacheType'].map(
    (name) => value(name),
  );
  const unset = ['', String(constants.CACHE_ANYTHING)];
  const [own = '', ...others] = types;
  const { CACHE_ACCEL, CACHE_DB, CACHE_MEMCACHED, CACHE_NONE } = constants;
  const cache = unset.includes(own)
    ? (others.find((type) => ![...unset, String(CACHE_NONE)].includes(type)) ?? String(CACHE_DB))
    : own;
  if (cache === String(CACHE_DB)) {
    const key = [String(CACHE_DB), 'server'];
    const isOwnFile = value('wgObjectCaches', ...key, 'type') === 'sqlite';
    const [place, tables] = isOwnFile
      ? [
          toSqlite(value('wgObjectCaches', ...key, 'dbDirectory'), value('wgObjectCaches', ...key, 'dbname')),
          value('wgObjectCaches', ...key, 'tablePrefix'),
        ]
      : [database, prefix];
    const columns = { id: 'keyname', data: 'value', expires: 'exptime', expires_unit: 'digits' };
    const options = { table: `${tables}objectcache`, ...columns, layers: 'inflate', ...keys };
    return { table: { database: place, options } };
  }
  if (cache === CACHE_MEMCACHED || cache === 'memcached-pecl') {
    const [, host, port = '11211'] = /^([^:/]+)(?::(\d+))?$/.exec(value('wgMemCachedServers', '0')) ?? [];
    const more = value('wgMemCachedServers', '1');
    if (host !== undefined && more === '') return at(`memcached://${host}:${port}`);
  }
  if (value('wgObjectCaches', cache, 'class').endsWith('RedisBagOStuff')) {
    const [, host, port = '6379'] =
      /^([^:/]+)(?::(\d+))?$/.exec(value('wgObjectCaches', cache, 'servers', '0')) ?? [];
    const password = value('wgObjectCaches', cache, 'password');
    const login = password === '' ? '' : `:${encodeURIComponent(password)}@`;
    if (host !== undefined && value('wgObjectCaches', cache, 'servers', '1') === '')
      return at(`redis://${login}${joinHostAndPort(host, port)}`);
  }
  throw new ConfigurationError(
    `${configuration.file}: the sessions are in a cache that cannot be read${cache === String(CACHE_ACCEL) ? ' (APCu)' : ''}: put $wgSessionCacheType = CACHE_DB; there, or set ${option('store')}`,
  );
}

function toAccounts({
  database,
  users,
  cookiePrefix,
  version,
  blocks,
}: {
  database: SiteDatabase;
  users: string;
  cookiePrefix: string;
  /** `$wgAuthenticationTokenVersion`. */
  version: string | null;
  /** The prefix of the tables of blocks; null if blocks do not end logins. */
  blocks: string | null;
}): Accounts {
  return {
    proof: [
      ...['metadata.userName', 'metadata.userToken', 'metadata.provider'],
      'metadata.providerMetadata.CentralAuthSource',
    ],
    basis: { users, cookiePrefix, version, blocks },
    checkCookies(cookie, { user, proof: [name = null, token = null, provider = null] }) {
      if (provider !== null && !browserProviders.test(provider))
        return notLoggedIn('the session belongs to a robot, an app or an extension, not to a browser');
      // MediaWiki deletes a cookie by the value `deleted`, which some browsers keep.
      const sent = (part: string) => {
        const value = cookie(cookiePrefix + part);
        return value === 'deleted' ? null : value;
      };
      const [id, given, remembered] = [sent('UserID'), sent('UserName'), sent('Token')];
      if (id === null)
        return missingCookie(
          `${cookiePrefix}UserID`,
          'MediaWiki sets it with the cookie of the session, for the same path and domain',
        );
      const isUser = Number(/^\s*\+?(\d{1,10})/.exec(id)?.[1]) === Number(user.id);
      if (!isUser || (given !== null && given !== name) || (remembered !== null && remembered !== token))
        return notLoggedIn('not all cookies belong to the user of the session');
      return null;
    },
    database,
    settings({ schema }) {
      const place = { view: 'chat_mediawiki_columns', kind: database.kind, schema };
      const ofUsers = selectColumns(users, [temporaryColumn], place);
      if (blocks === null) return ofUsers;
      const { select } = selectColumns(targetsTable(blocks), [blockedUserColumn], place);
      return {
        ...ofUsers,
        names: [temporaryColumn, blockedUserColumn],
        select: `${ofUsers.select} UNION ALL ${select}`,
      };
    },
    users(driver, known) {
      const blocked = blocks === null ? null : blockSql(blocks, driver, known.has(blockedUserColumn));
      return seldomChanged(
        {
          view: 'chat_mediawiki_users',
          id: 'id',
          lookup: 'id',
          columns: {
            ...{ id: 'text', name: 'bytes', token: 'bytes', temporary: 'text' },
            ...(blocked && { blocked: 'bytes' }),
          },
          select: `SELECT u.user_id AS id, u.user_name AS name, u.user_token AS token, ${known.has(temporaryColumn) ? `u.${temporaryColumn}` : 'NULL'} AS temporary${blocked ? `, (${blocked.until}) AS blocked` : ''} FROM ${quoteTable(users, driver)} AS u`,
        },
        [users, ...(blocked?.tables ?? [])],
      );
    },
    all(driver, known) {
      const blocked = blocks && blockSql(blocks, driver, known.has(blockedUserColumn)).until;
      const conditions = [
        ...(known.has(temporaryColumn) ? [`u.${temporaryColumn} = 0`] : []),
        ...(blocked
          ? [`COALESCE(${driver.value('digits', `(${blocked})`)}, '') < ${driver.moment('digits', 0)}`]
          : []),
      ];
      return selectAccounts(
        'chat_mediawiki_accounts',
        `${quoteTable(users, driver)} AS u${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`,
        { id: 'u.user_id', name: driver.anyCase('u.user_name') },
      );
    },
    // Only confirmed addresses.
    mails(driver, known) {
      const select = `SELECT u.user_id AS id, u.user_email AS mail FROM ${quoteTable(users, driver)} AS u WHERE u.user_email_authenticated IS NOT NULL`;
      const from = { view: 'chat_mediawiki_mails', columns: { mail: 'bytes' } } as const;
      if (blocks === null) return { ...from, select };
      const { until } = blockSql(blocks, driver, known.has(blockedUserColumn));
      const end = driver.value('digits', `(${until})`);
      return { ...from, select: `${select} AND COALESCE(${end}, '') < ${driver.moment('digits', 0)}` };
    },
    checkRow(row, { user, proof: [name = null, token = null, , source = null] }) {
      // CentralAuth ends such a session in tables that all wikis share. `Local` is a session of this wiki alone.
      if (source === 'CentralAuth')
        return notLoggedIn(
          'CentralAuth shares the session between wikis, and this program does not see when another wiki ends it',
          'set $wgCentralAuthCookies = false, so that each wiki has its own sessions',
        );
      if (row === null) return notLoggedIn('the user no longer exists');
      if (row.temporary?.toString() === '1')
        return notLoggedIn('it is a temporary account, which MediaWiki creates for edits without a login');
      if ((row.blocked?.toString('latin1') ?? '') >= formatNow())
        return notLoggedIn('the user is blocked on the site, and $wgBlockDisablesLogin is on');
      if (name !== null && row.name?.toString('latin1') !== name)
        return notLoggedIn('the user has a new name, after which MediaWiki requires a new login');
      if (token !== null && toToken(row, version) !== token)
        return notLoggedIn('the user has a new password, or has been logged out everywhere');
      return { state: 'user', user };
    },
  };
}

const targetsTable = (prefix: string) => `${prefix}block_target`;

/** Returns the SQL for the end of a user's longest block, and its tables. `infinity` is greater than all digits. */
function blockSql(
  prefix: string,
  driver: Parameters<typeof quoteTable>[1],
  haveTargets: boolean,
): { until: string; tables: string[] } {
  const table = (name: string) => quoteTable(name, driver);
  if (!haveTargets) {
    const name = `${prefix}ipblocks`;
    const until = `SELECT MAX(b.ipb_expiry) FROM ${table(name)} AS b WHERE b.ipb_user = u.user_id`;
    return { until, tables: [name] };
  }
  const [name, targets] = [`${prefix}block`, targetsTable(prefix)];
  const until = `SELECT MAX(b.bl_expiry) FROM ${table(name)} AS b JOIN ${table(targets)} AS t ON t.bt_id = b.bl_target WHERE t.bt_user = u.user_id`;
  return { until, tables: [name, targets] };
}

/** Returns the current time in the form of MediaWiki's tables. */
const formatNow = () => new Date().toISOString().replace(/\D/g, '').slice(0, 14);

/** Computes the token like `User::getToken()`. Empty if the user has none. */
function toToken({ token }: Row, version: string | null): string {
  const own = token?.toString('latin1').replace(/\0+$/, '') ?? '';
  if (own === '' || own === '*** INVALID ***') return '';
  return version === null ? own : hmacWhirlpool(version, Buffer.from(own, 'latin1')).slice(-32);
}
