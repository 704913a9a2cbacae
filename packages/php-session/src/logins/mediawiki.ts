import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import {
  databaseHost,
  hostAndPort,
  serverDatabase,
  sqliteDatabase,
  urlWith,
} from '../configuration/database-host.ts';
import { option } from '../names.ts';
import {
  type Accounts,
  type FoundSessions,
  missingCookie,
  notLoggedIn,
  quoteTable,
  type Row,
  type SessionApplication,
  type SiteDatabase,
  seldomChanged,
  selectAccounts,
  selectColumns,
} from './application.ts';
import { hmacWhirlpool } from './whirlpool.ts';

const file = 'LocalSettings.php';
const byHand = () =>
  `set ${option('site')}=mediawiki: without the folder, ${option('cookieName')} and ${option('store')}`;

/** includes/Defines.php. */
const constants = {
  CACHE_ANYTHING: -1,
  CACHE_NONE: 0,
  CACHE_DB: 1,
  CACHE_MEMCACHED: 'memcached-php',
  CACHE_ACCEL: 3,
} as const;

/**
 * The ends of the names of the classes that make a session for the cookies here, and not for a robot or an app with
 * some of its user's rights.
 */
const ofBrowsers = /(^|\\)(Cookie|CentralAuth)SessionProvider$/;

/** The column of a user. */
const isTemporary = 'user_is_temp';

/** That of a user in the table of those who are blocked. Before 1.42 the blocks have it themselves. */
const blockedUser = 'bt_user';

/** A global variable, or what lies in it under these keys; empty if it is not set. */
type Settings = (name: string, ...keys: string[]) => string;

/**
 * MediaWiki 1.35 to 1.45: includes/SetupDynamicConfig.php, session/CookieSessionProvider.php (provideSessionInfo),
 * session/SessionManager.php (loadSessionInfoFromStore), user/User.php (getToken), objectcache/ObjectCache.php,
 * Permissions/PermissionManager.php (getUserPermissions); for CentralAuth its session/CentralAuthSessionProvider.php.
 */
export const mediawiki: SessionApplication = {
  kind: 'mediawiki',
  title: 'MediaWiki',
  options: {
    // $wgCookiePrefix (the name of the database and the prefix of its tables), and `_session`.
    cookieName: null,
    userId: 'metadata.userId',
    userName: 'metadata.userName',
  },

  async find(folder, given) {
    if (!(await folder.has(file)) || !/\$wg[A-Z]/.test(await folder.text(file))) return null;
    const configuration = await folder.php(file, {
      variables: { IP: folder.path },
      constants,
      application: /\/(extensions|skins|includes)\//,
    });
    const settings =
      (instead: string): Settings =>
      (name, ...keys) =>
        asText(configuration.variable([name, ...keys], instead)) ?? '';
    const value = settings('its value itself');
    const shared = value('wgSharedDB');
    const cookiePrefix = prefixOf(settings(option('cookieName')));
    const cookieName = given.cookieName ?? (value('wgSessionName') || `${cookiePrefix}_session`);
    const database = databaseOf(value, folder.path);
    const stored = given.store ? {} : storeOf(settings(option('store')), configuration, database);
    const tables =
      shared === '' ? value('wgDBprefix') : `${shared}.${value('wgSharedPrefix') || value('wgDBprefix')}`;
    const version = configuration.variable(['wgAuthenticationTokenVersion'], 'its value itself');
    return {
      ...stored,
      options: { cookieName, ...stored.options },
      accounts: accountsOf({
        ...{ database, users: `${tables}user`, cookiePrefix, version: asText(version) },
        blocks: value('wgBlockDisablesLogin') === '' ? null : value('wgDBprefix'),
      }),
    };
  },
};

/** `$wgCookiePrefix`, or as includes/SetupDynamicConfig.php makes it. */
function prefixOf(value: Settings): string {
  const [shared, sharedPrefix] = [value('wgSharedDB'), value('wgSharedPrefix')];
  const parts = shared === '' ? [value('wgDBname'), value('wgDBprefix')] : [shared, sharedPrefix];
  const prefix = value('wgCookiePrefix') || parts.filter((part) => part !== '').join('_');
  return prefix.replace(/[=,; +."'\\[]/g, '_');
}

function databaseOf(value: Settings, folder: string): SiteDatabase {
  const type = value('wgDBtype') || 'mysql';
  if (type === 'sqlite') return fileOf(value('wgSQLiteDataDir') || `${folder}/data`, value('wgDBname'));
  if (
    type !== 'mysql' ||
    value('wgDBservers', '0', 'host') !== '' ||
    value('wgLBFactoryConf', 'class') !== ''
  )
    throw new ConfigurationError(
      `${folder}/${file}: this wiki has another database than one server of MariaDB or MySQL, or SQLite, which alone can be read: ${byHand()}`,
    );
  return serverDatabase({
    ...databaseHost(value('wgDBserver')),
    user: value('wgDBuser'),
    password: value('wgDBpassword'),
    name: value('wgDBname'),
  });
}

const fileOf = (folder: string, name: string) => sqliteDatabase(`${folder}/${name}.sqlite`);

/** The sessions lie in one of the caches of the wiki. */
function storeOf(
  value: Settings,
  configuration: Configuration,
  database: SiteDatabase,
): Partial<FoundSessions> {
  const prefix = value('wgDBprefix');
  const wiki = value('wgCachePrefix') || `${value('wgDBname')}${prefix === '' ? '' : `-${prefix}`}`;
  const keys = { prefix: `${wiki}:MWSession:`, format: 'php_serialize' };
  const at = (place: string) => ({ options: { store: urlWith(place, keys) } });
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
          fileOf(value('wgObjectCaches', ...key, 'dbDirectory'), value('wgObjectCaches', ...key, 'dbname')),
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
      return at(`redis://${login}${hostAndPort(host, port)}`);
  }
  throw new ConfigurationError(
    `${configuration.file}: the sessions are in a cache that cannot be read${cache === String(CACHE_ACCEL) ? ', that of APCu' : ''}: put $wgSessionCacheType = CACHE_DB; there, or set ${option('store')}`,
  );
}

/**
 * MediaWiki takes a session only with the cookies of the user's id and name, and only while the user has the token and
 * the name of its beginning. A new password gives a new token.
 */
function accountsOf({
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
  /** The prefix of the tables of blocks, where these end logins; else null. */
  blocks: string | null;
}): Accounts {
  return {
    proof: [
      ...['metadata.userName', 'metadata.userToken', 'metadata.provider'],
      'metadata.providerMetadata.CentralAuthSource',
    ],
    basis: { users, cookiePrefix, version, blocks },
    checkCookies(cookie, { user, proof: [name = null, token = null, provider = null] }) {
      if (provider !== null && !ofBrowsers.test(provider))
        return notLoggedIn(
          'the session is not that of a browser: a robot’s, an app’s, or one of an extension',
        );
      // A browser that deletes no cookies.
      const sent = (part: string) => {
        const value = cookie(cookiePrefix + part);
        return value === 'deleted' ? null : value;
      };
      const [id, given, remembered] = [sent('UserID'), sent('UserName'), sent('Token')];
      if (id === null)
        return missingCookie(
          `${cookiePrefix}UserID`,
          'MediaWiki sets it beside that of the session, for the same path and domain',
        );
      const isUser = Number(/^\s*\+?(\d{1,10})/.exec(id)?.[1]) === Number(user.id);
      if (!isUser || (given !== null && given !== name) || (remembered !== null && remembered !== token))
        return notLoggedIn('the cookies are not all of the user of the session');
      return null;
    },
    database,
    // Since MediaWiki 1.41 and 1.42.
    settings({ schema }) {
      const place = { view: 'chat_mediawiki_columns', kind: database.kind, schema };
      const ofUsers = selectColumns(users, [isTemporary], place);
      if (blocks === null) return ofUsers;
      const { select } = selectColumns(targetsOf(blocks), [blockedUser], place);
      return {
        ...ofUsers,
        names: [isTemporary, blockedUser],
        select: `${ofUsers.select} UNION ALL ${select}`,
      };
    },
    users(driver, known) {
      const blocked = blocks === null ? null : blockedIn(blocks, driver, known.has(blockedUser));
      return seldomChanged(
        {
          view: 'chat_mediawiki_users',
          id: 'id',
          lookup: 'id',
          columns: {
            ...{ id: 'text', name: 'bytes', token: 'bytes', temporary: 'text' },
            ...(blocked && { blocked: 'bytes' }),
          },
          select: `SELECT u.user_id AS id, u.user_name AS name, u.user_token AS token, ${known.has(isTemporary) ? `u.${isTemporary}` : 'NULL'} AS temporary${blocked ? `, (${blocked.until}) AS blocked` : ''} FROM ${quoteTable(users, driver)} AS u`,
        },
        [users, ...(blocked?.tables ?? [])],
      );
    },
    all(driver, known) {
      const blocked = blocks && blockedIn(blocks, driver, known.has(blockedUser)).until;
      const conditions = [
        ...(known.has(isTemporary) ? [`u.${isTemporary} = 0`] : []),
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
    // Addresses that their users have confirmed.
    mails(driver, known) {
      const select = `SELECT u.user_id AS id, u.user_email AS mail FROM ${quoteTable(users, driver)} AS u WHERE u.user_email_authenticated IS NOT NULL`;
      const from = { view: 'chat_mediawiki_mails', columns: { mail: 'bytes' } } as const;
      if (blocks === null) return { ...from, select };
      const { until } = blockedIn(blocks, driver, known.has(blockedUser));
      const end = driver.value('digits', `(${until})`);
      return { ...from, select: `${select} AND COALESCE(${end}, '') < ${driver.moment('digits', 0)}` };
    },
    checkRow(row, { user, proof: [name = null, token = null, , source = null] }) {
      // Its end is in the tables and sessions of all wikis together. That of this wiki alone is `Local`.
      if (source === 'CentralAuth')
        return notLoggedIn(
          'the session is one of CentralAuth for several wikis, and this program does not see when another wiki ends it',
          'with $wgCentralAuthCookies = false each wiki has sessions of its own, which can be used',
        );
      if (row === null) return notLoggedIn('there is no such user any more');
      if (row.temporary?.toString() === '1')
        return notLoggedIn(
          'it is a temporary account, which MediaWiki makes for people who edit without a login',
        );
      if ((row.blocked?.toString('latin1') ?? '') >= timestamp())
        return notLoggedIn('the user is blocked there, and $wgBlockDisablesLogin is on');
      if (name !== null && row.name?.toString('latin1') !== name)
        return notLoggedIn('the user has another name now, with which MediaWiki wants a new login');
      if (token !== null && tokenOf(row, version) !== token)
        return notLoggedIn('the user has a new password, or has been logged out everywhere');
      return { state: 'user', user };
    },
  };
}

const targetsOf = (prefix: string) => `${prefix}block_target`;

/** The end of the longest block of a user: `infinity` is greater than all digits. */
function blockedIn(
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
  const [name, targets] = [`${prefix}block`, targetsOf(prefix)];
  const until = `SELECT MAX(b.bl_expiry) FROM ${table(name)} AS b JOIN ${table(targets)} AS t ON t.bt_id = b.bl_target WHERE t.bt_user = u.user_id`;
  return { until, tables: [name, targets] };
}

/** Now, in the form of times in MediaWiki's tables. */
const timestamp = () => new Date().toISOString().replace(/\D/g, '').slice(0, 14);

/** `User::getToken()`. */
function tokenOf({ token }: Row, version: string | null): string {
  const own = token?.toString('latin1').replace(/\0+$/, '') ?? '';
  if (own === '' || own === '*** INVALID ***') return '';
  return version === null ? own : hmacWhirlpool(version, Buffer.from(own, 'latin1')).slice(-32);
}
