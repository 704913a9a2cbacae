/**
 * Frontend users of TYPO3 12 to 14. Files are in typo3/sysext/core/Classes.
 *
 * - The cookie `fe_typo_user` is a JWT (HS256) with a session identifier, and in later versions its domain and path.
 *   The key of the signature is derived from the encryptionKey: Session/UserSession.php, Security/JwtTrait.php.
 * - The table `fe_sessions` has an HMAC of the identifier as its id: Session/Backend/DatabaseSessionBackend.php, hash.
 * - A session ends at a logout, `FE.sessionTimeout` after the last page view (Session/UserSessionManager.php), and if
 *   the address differs from `ses_iplock` (Authentication/IpLocker.php).
 * - The user must be active. With second factors, the session data must have `mfa`:
 *   Authentication/AbstractUserAuthentication.php, evaluateMfaRequirements.
 */

import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { dirname, isAbsolute, join } from 'node:path';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { type SiteDatabase, serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { rawUrlDecode } from '../encodings.ts';
import { displayName } from '../identity.ts';
import { type Credentials, notLoggedIn, type SessionUser } from '../login.ts';
import { option, pageOrigins } from '../names.ts';
import { follow, isEmpty, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import type { Application, GivenRoles } from './application.ts';
import {
  addressHint,
  type Claim,
  checkSize,
  decodeValue,
  enableHint,
  isSameSecret,
  missingCookie,
  toRoles,
} from './claim.ts';
import { splitIpv6 } from './ip-address.ts';
import { findListedGroups, type SiteGroup, splitGroupLines } from './named-groups.ts';
import { fileContains } from './own-sessions.ts';
import type { SiteFolder } from './site-folder.ts';
import { type LoginTable, loginPart, selectAccounts, selectMails, texts, textsOf } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/** Values of settings.php and additional.php. */
interface Files extends GivenRoles {
  database: SiteDatabase;
  /** The table of the sessions. */
  table: string;
  cookie: string;
  /** How the key of the cookie's signature may be derived. */
  keys: readonly Key[];
  /** How ids in the table may be hashed. */
  hashes: readonly Hash[];
  encryptionKey: string;
  /** `cookieDomain`. Undefined if TYPO3 uses the host of the page. */
  domain: string | undefined;
  timeoutSeconds: number;
  /** The number of parts of IPv4 and IPv6 addresses that are compared; null if they are not. */
  lock: { four: number; six: number } | null;
}

/** `hkdf`: TYPO3 14.3 and later. */
type Key = 'joined' | 'hkdf';
/** `sha3-256`: TYPO3 14 and later. */
type Hash = 'sha256' | 'sha3-256';

interface CookieClaim extends Claim {
  readonly fallback?: this;
  address: string;
}

const session = 'TYPO3\\CMS\\Core\\Session\\UserSession';
const noLock = '[DISABLED]';

/** The key of a session whose second factor was given. */
const mfaPath = parsePath('mfa');

/** The condition for users who may log in now. */
function activeSql(sql: Pick<SiteSql, 'moment'>): string {
  const now = sql.moment('unix', 0);
  return `deleted = 0 AND disable = 0 AND starttime <= ${now} AND (endtime = 0 OR endtime > ${now})`;
}

export const typo3: Application<Files, Files, CookieClaim> = {
  kind: 'typo3',
  title: 'TYPO3',

  async find(folder, { cookieName, checks, admins, moderators, team }) {
    const place = await findSettings(folder);
    if (place === null) return null;
    const settings = await folder.php(join(place.system, 'settings.php'));
    const additional = join(place.system, 'additional.php');
    const itself = 'a literal value in the file';
    const more = (await folder.has(additional))
      ? await folder.php(additional, {
          variables: { TYPO3_CONF_VARS: settings.returned([], itself) },
          calls: toCalls(folder, place),
          isInFunction: true,
        })
      : null;
    const text = (instead: string, ...path: string[]) =>
      asText(
        more === null
          ? settings.returned(path, instead)
          : more.variable(['TYPO3_CONF_VARS', ...path], instead),
      );
    const number = (...path: string[]) => Number(text(itself, ...path) ?? 0);
    const backend = text(itself, 'SYS', 'session', 'FE', 'backend');
    if (backend !== null && !/DatabaseSessionBackend$/.test(backend)) {
      throw new ConfigurationError(
        `${settings.file}: TYPO3 does not keep the sessions of the frontend in its database (SYS.session.FE.backend), the only supported storage`,
      );
    }
    const table = text(itself, 'SYS', 'session', 'FE', 'options', 'table') || 'fe_sessions';
    if (!/^\w{1,64}$/.test(table))
      throw new ConfigurationError(
        `${settings.file}: SYS.session.FE.options.table has characters other than A-Z a-z 0-9 _`,
      );
    const connections = [table, 'fe_users', 'fe_groups'].map(
      (name) => text(option('siteDatabase'), 'DB', 'TableMapping', name) || 'Default',
    );
    const [connection = ''] = connections;
    if (connections.some((name) => name !== connection))
      throw new ConfigurationError(
        `${settings.file}: the users of the frontend and their sessions are in several databases (DB.TableMapping), but they must be in one`,
      );
    const encryptionKey = text(itself, 'SYS', 'encryptionKey') ?? '';
    if (encryptionKey === '') throw new ConfigurationError(`${settings.file}: the encryptionKey is missing`);
    const domain = text(itself, 'FE', 'cookieDomain') || text(itself, 'SYS', 'cookieDomain') || '';
    const timeoutSeconds = Number.parseInt(text(itself, 'FE', 'sessionTimeout') ?? '6000', 10) || 0;
    const version = await readVersion(folder, place.root);
    return {
      database: readDatabase(
        settings,
        (name) => text(option('siteDatabase'), 'DB', 'Connections', connection, name) ?? '',
      ),
      table,
      cookie: cookieName ?? (text(option('cookieName'), 'FE', 'cookieName')?.trim() || 'fe_typo_user'),
      keys: version === null ? ['joined', 'hkdf'] : [version >= 1403 ? 'hkdf' : 'joined'],
      hashes: version === null ? ['sha3-256', 'sha256'] : [version >= 1400 ? 'sha3-256' : 'sha256'],
      encryptionKey,
      // A pattern between slashes is matched with the host of the page.
      domain: domain === '' || domain.startsWith('/') ? undefined : domain.replace(/^\.+|\.+$/g, ''),
      timeoutSeconds: timeoutSeconds === 0 ? 0 : Math.max(timeoutSeconds, number('FE', 'lifetime')),
      lock: checks === false ? null : { four: number('FE', 'lockIP'), six: number('FE', 'lockIPv6') },
      admins,
      moderators,
      team,
    };
  },

  settings: () => null,

  site: (found) => found,

  keys: ({ encryptionKey }) => encryptionKey,

  mails: (_, sql) => selectMails('chat_typo3_mails', `fe_users WHERE ${activeSql(sql)}`, 'uid', 'email'),

  accounts: (_, sql) =>
    selectAccounts('chat_typo3_accounts', `fe_users WHERE ${activeSql(sql)}`, {
      id: 'uid',
      name: "CASE WHEN name <> '' THEN name WHEN first_name <> '' OR last_name <> '' THEN TRIM(CONCAT(first_name, ' ', last_name)) ELSE username END",
    }),

  logins({ table, timeoutSeconds, admins, moderators, team }, { lines, start, hex }) {
    const needsGroups = [admins, moderators, team].some((names = []) => names.length > 0);
    // All groups, because groups contain groups at any depth.
    const all = `SELECT ${lines("CONCAT(g.uid, ':', COALESCE(g.subgroup, ''), ':', g.title)")} FROM fe_groups AS g WHERE g.deleted = 0 AND g.hidden = 0`;
    const groups = `${needsGroups ? `(${all})` : 'NULL'} AS all_groups`;
    const userColumns = ['uid', 'name', 'first_name', 'last_name', 'username', 'disable', 'deleted'];
    userColumns.push('starttime', 'endtime');
    // One byte says that a factor is active, because the whole value would be enough to give the factor. Older views
    // have the whole value. Any `"active"` other than TYPO3's `"active":false` counts as active.
    const others = `REPLACE(UPPER(${hex('u.mfa')}), '${toHex('"active":false')}', '')`;
    const factors = `CASE WHEN ${others} NOT LIKE '%${toHex('"active"')}%' THEN NULL ELSE ${start('u.mfa', 1)} END AS factors`;
    const userSql = `${userColumns.map((name) => `u.${name} AS ${name}`).join(', ')}, u.usergroup AS member_of, ${factors}`;
    // Session data is needed only for users with second factors.
    const data = start('s.ses_data', maxSessionBytes);
    const ifFactors = (value: string) => `CASE WHEN u.mfa IS NULL THEN NULL ELSE ${value} END`;
    const sessionSql = `s.ses_id AS id, s.ses_iplock AS iplock, s.ses_userid AS userid, s.ses_tstamp AS used`;
    const sessions: LoginTable = {
      view: 'chat_typo3',
      id: 'id',
      lookup: 'id',
      columns: {
        ...texts('id', 'iplock', 'userid', 'used', 'data_of', ...userColumns, 'member_of', 'all_groups'),
        ...{ factors: 'bytes', data: 'bytes' },
      },
      select: `SELECT ${sessionSql}, ${ifFactors('s.ses_id')} AS data_of, ${ifFactors(data)} AS data, ${userSql}, ${groups} FROM ${table} AS s LEFT JOIN fe_users AS u ON u.uid = s.ses_userid`,
      rows: {
        key: 's.ses_id',
        joined: [
          [table, 's'],
          ['fe_users', 'u', 'u.uid = s.ses_userid'],
        ],
        shared: needsGroups ? [['fe_groups']] : [],
      },
      parts: [
        loginPart({
          ...{ view: 'chat_typo3_sessions', key: 'id', columns: ['iplock', 'userid', 'used'], short: true },
          select: `SELECT ${sessionSql} FROM ${table} AS s`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_data', key: 'data_of', columns: ['data'], optional: true },
          select: `SELECT s.ses_id AS id, ${data} AS data FROM ${table} AS s JOIN fe_users AS u ON u.uid = s.ses_userid WHERE u.mfa IS NOT NULL`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_users', key: 'userid', columns: [...userColumns, 'member_of', 'factors'] },
          tables: ['fe_users'],
          select: `SELECT u.uid AS id, ${userSql} FROM fe_users AS u`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_groups', key: 'userid', columns: ['all_groups'] },
          tables: ['fe_groups'],
          select: `SELECT u.uid AS id, ${groups} FROM fe_users AS u`,
        }),
      ],
      renewed: { table, id: 'ses_id', column: 'ses_tstamp', lifetime: timeoutSeconds },
    };
    return { sessions };
  },

  claim(site, { cookies, address = '', isPageHost }) {
    const value = cookies.value(site.cookie);
    if (value === null) {
      return missingCookie(site.cookie, 'TYPO3 sets the cookie for its own host and path');
    }
    const payload = verifyToken(value, site);
    if (payload === null) {
      return notLoggedIn(
        'the cookie is not in the form of TYPO3, or is signed with another key',
        'if every visitor gets this: the encryptionKey is not the one that PHP has',
      );
    }
    const { identifier, scope } = payload as { identifier?: unknown; scope?: unknown };
    if (typeof identifier !== 'string' || !/^[0-9a-f]{1,128}$/.test(identifier))
      return notLoggedIn('the cookie does not name a session');
    if (hasOtherScope(scope, site.domain, isPageHost))
      return notLoggedIn(
        'the cookie belongs to another domain',
        `if every visitor gets this: ${pageOrigins()} must list the addresses of the pages, or TYPO3 has a cookieDomain that is not the one in its settings`,
      );
    const claimOf = (hash: Hash) => ({
      table: 'sessions',
      lookup: hashIdentifier(identifier, hash, site.encryptionKey),
      secrets: [identifier],
      address,
    });
    const [first, other] = site.hashes.map(claimOf);
    return { ...(first as CookieClaim), ...(other === undefined ? {} : { fallback: other }) };
  },

  checkRow(site, { address }, row, now) {
    const text = textsOf(row);
    const number = (name: string) => Number(text(name));
    if (row === null) return notLoggedIn('the site has no such session, or the session has ended');
    const lock = text('iplock');
    if (site.lock !== null && lock !== noLock && lock !== toLock(address, site.lock))
      return notLoggedIn('the address differs from the address of the login', addressHint());
    const id = text('userid');
    if (!/^[1-9]\d*$/.test(id)) return notLoggedIn('the session has no logged-in user');
    const ends = number('used') + site.timeoutSeconds;
    if (site.timeoutSeconds === 0 || now > ends) return notLoggedIn('the session has expired');
    if (row.uid === null || text('deleted') !== '0') return notLoggedIn('the user has been deleted');
    if (text('disable') !== '0') return notLoggedIn('the user is disabled on the site', enableHint);
    // TYPO3 compares `starttime` and `endtime` in whole minutes.
    const minute = now - (now % 60);
    const [starts, stops] = [number('starttime'), number('endtime')];
    if (starts > minute || (stops !== 0 && stops <= minute))
      return notLoggedIn('the user is not active at present', enableHint);
    if (needsFactor(row.factors ?? null) && !hasGivenFactor(row.data ?? null))
      return checkSize(row.data) ?? notLoggedIn('the user has not yet given the second factor');
    const names = [text('name'), `${text('first_name')} ${text('last_name')}`.trim(), text('username')];
    const groups = parseGroups(site.database, text('all_groups'));
    // Editors may give a new group the title of an existing group.
    const listed = findListedGroups(site, [...groups.values()]);
    const own = collectGroupIds(text('member_of'), groups);
    const isIn = (ids: readonly string[] = []) => ids.some((id) => own.has(id));
    const user: SessionUser = {
      id,
      name: names.map(displayName).find((name) => name !== '') || id,
      ...toRoles(isIn(listed.admins), isIn(listed.moderators), isIn(listed.team)),
    };
    const ended = stops === 0 ? Number.POSITIVE_INFINITY : Math.ceil(stops / 60) * 60;
    return { state: 'user', user, idle: Math.min(ends + 1, ended) };
  },

  async describe(folder, { domain }) {
    const place = await findSettings(folder);
    const version = place === null ? null : await readVersion(folder, place.root);
    return {
      version: version === null ? null : `${Math.floor(version / 100)}.${version % 100}`,
      cookie: { path: '/', domain: domain ?? '', secure: false },
    };
  },
};

const toHex = (text: string) => Buffer.from(text).toString('hex').toUpperCase();

/**
 * Whether the user has an active second factor.
 * @param factors the JSON of `MfaProviderPropertyManager`, or only its first byte if a factor is active
 */
function needsFactor(factors: Buffer | null): boolean {
  if (factors === null || factors.length === 0) return false;
  if (factors.length === 1) return true;
  try {
    const providers: unknown = JSON.parse(factors.toString('utf8'));
    return Object.values(providers ?? {}).some((provider) => Boolean(provider?.active));
  } catch {
    return false;
  }
}

/**
 * Whether the session says that the second factor was given: `evaluateMfaRequirements()` of AbstractUserAuthentication.php.
 */
function hasGivenFactor(data: Buffer | null): boolean {
  if (data === null || data.length >= maxSessionBytes) return false;
  const found = follow(decodeValue('php_serialize', data) ?? null, mfaPath);
  return 'value' in found && !isEmpty(found.value);
}

type Groups = ReadonlyMap<string, SiteGroup & { subgroups: readonly string[] }>;

/** Parses the groups of a site, by their IDs. @throws StoreError if the list may be cut off */
function parseGroups(database: SiteDatabase, list: string): Groups {
  return new Map(
    splitGroupLines(database, list).map((line) => {
      const [id = '', subgroups = '', ...title] = line.split(':');
      return [id, { id, name: title.join(':'), subgroups: splitIds(subgroups) }] as const;
    }),
  );
}

/** Returns the ids of groups and of all groups in them, as `GroupResolver` does. */
function collectGroupIds(memberOf: string, known: Groups): ReadonlySet<string> {
  const found = new Set(splitIds(memberOf));
  // The loop also visits ids that it adds.
  for (const id of found)
    for (const below of known.get(id)?.subgroups ?? []) if (known.has(below)) found.add(below);
  return found;
}

const splitIds = (list: string) =>
  list
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');

/** Returns the payload of a token. Null if the site has not signed the token. */
function verifyToken(token: string, { keys, encryptionKey }: Files): object | null {
  const [, signed, header = '', payload = '', signature = ''] =
    token.length > 4096 ? [] : (/^(([\w-]+)\.([\w-]+))\.([\w-]+)$/.exec(token) ?? []);
  if (signed === undefined) return null;
  const given = Buffer.from(signature, 'base64url');
  const isSigned = (key: Key) => {
    const expected = createHmac('sha256', toSigningKey(key, encryptionKey)).update(signed).digest();
    return isSameSecret(given, expected);
  };
  if (!keys.some(isSigned)) return null;
  try {
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const found = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return alg === 'HS256' && typeof found === 'object' ? found : null;
  } catch {
    return null;
  }
}

/** Returns the key of `JwtTrait::createSigningKeyFromEncryptionKey()`. */
function toSigningKey(key: Key, encryptionKey: string): Buffer {
  return key === 'hkdf'
    ? Buffer.from(hkdfSync('sha256', encryptionKey, '', session, 32))
    : Buffer.from(`${createHash('sha256').update(encryptionKey).digest('hex')}/${session}`);
}

/** Hashes like `DatabaseSessionBackend::hash()`. */
function hashIdentifier(identifier: string, hash: Hash, encryptionKey: string): string {
  const joined = `${encryptionKey}core-session-backend`;
  const key = hash === 'sha256' ? createHash('sha1').update(joined).digest('hex') : joined;
  return createHmac(hash, key).update(identifier).digest('hex');
}

/**
 * Whether the cookie belongs to another domain: `UserSession::resolveIdentifierFromJwt()`. Cookies of older versions have
 * no scope. Without a cookieDomain TYPO3 compares the host and the path of the page. Only the host is known here.
 */
function hasOtherScope(
  scope: unknown,
  domain: string | undefined,
  isPageHost: Credentials['isPageHost'],
): boolean {
  const { domain: own, path } = (scope ?? {}) as { domain?: unknown; path?: unknown };
  if (!own || !path) return false;
  if (domain !== undefined) return own !== domain || path !== '/';
  return isPageHost?.(String(own)) === false;
}

/** Returns the compared parts of the address, and zeros for the others, like `IpLocker`. */
function toLock(address: string, { four, six }: { four: number; six: number }): string {
  const isSix = address.includes(':');
  const [count, most] = isSix ? [six, 8] : [four, 4];
  if (count === 0) return noLock;
  const parts = isSix ? splitIpv6(address).map((group) => group.padStart(4, '0')) : address.split('.');
  const zero = isSix ? '0000' : '0';
  return parts
    .map((part, n) => (n < Math.min(Math.max(count, 1), most) ? part : zero))
    .join(isSix ? ':' : '.');
}

/** Returns the folders that the methods of `Environment` return. */
function toCalls({ path }: SiteFolder, { root, system }: { root: string; system: string }) {
  const isClassic = system.includes('typo3conf');
  return {
    'environment::getprojectpath': root,
    'environment::getpublicpath': isClassic ? root : path === root ? join(root, 'public') : path,
    'environment::getconfigpath': dirname(system),
    'environment::getvarpath': join(root, isClassic ? 'typo3temp/var' : 'var'),
  };
}

/** Finds the settings. @returns the root of the project and the folder of its settings. Null if they are missing */
async function findSettings(folder: SiteFolder): Promise<{ root: string; system: string } | null> {
  // In Composer projects they are next to the folder that is served.
  for (const [root, system] of [
    ['', 'config/system'],
    ['..', 'config/system'],
    ['', 'typo3conf/system'],
    ['public', 'typo3conf/system'],
  ] as const) {
    const place = join(folder.path, root, system);
    const file = join(place, 'settings.php');
    if (await fileContains(folder, file, 'encryptionKey'))
      return { root: join(folder.path, root), system: place };
  }
  return null;
}

/** Reads the version. @returns 1304 for 13.4. Null if the version is unknown */
async function readVersion(folder: SiteFolder, root: string): Promise<number | null> {
  const inside = 'Classes/Information/Typo3Version.php';
  for (const core of ['vendor/typo3/cms-core', 'typo3/sysext/core', 'public/typo3/sysext/core']) {
    const file = join(root, core, inside);
    if (!(await folder.has(file))) continue;
    const instead = 'the original value by installing TYPO3 again';
    const version = asText((await folder.php(file)).member('Typo3Version::VERSION', instead));
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
    if (major !== undefined) return Number(major) * 100 + Number(minor);
  }
  return null;
}

const kinds: Readonly<Record<string, SiteDatabase['kind']>> = {
  mysqli: 'mysql',
  pdo_mysql: 'mysql',
  pdo_pgsql: 'postgres',
  pgsql: 'postgres',
  pdo_sqlite: 'sqlite',
  sqlite3: 'sqlite',
  // The schemes of a URL in TYPO3 12.
  mysql: 'mysql',
  mysql2: 'mysql',
  postgres: 'postgres',
  postgresql: 'postgres',
  sqlite: 'sqlite',
};

/** Parses the database URL like `DsnParser`. Its parts replace the other values. @throws ConfigurationError */
function parseUrl(given: string, file: string): Readonly<Record<string, string>> {
  if (given === '') return {};
  if (!URL.canParse(given))
    throw new ConfigurationError(
      `${file}: the url of the database is not a URL: set ${option('siteDatabase')}`,
    );
  const url = new URL(given);
  const decoded = (part: string) => rawUrlDecode(Buffer.from(part)).toString();
  const path = decoded(url.pathname.slice(1));
  return {
    ...Object.fromEntries(url.searchParams),
    ...{
      driver: url.protocol.slice(0, -1).replaceAll('-', '_'),
      host: decoded(url.hostname),
      port: url.port,
    },
    ...{ user: decoded(url.username), password: decoded(url.password), dbname: path, path },
  };
}

function readDatabase({ file }: Configuration, text: (name: string) => string): SiteDatabase {
  const parts = parseUrl(text('url'), file);
  const own = (name: string) => parts[name] || text(name);
  const driver = own('driver');
  const kind = Object.hasOwn(kinds, driver) ? kinds[driver] : undefined;
  if (kind === undefined)
    throw new ConfigurationError(`${file}: the database driver ${driver} is not supported`);
  if (kind === 'sqlite') {
    const path = own('path');
    if (!isAbsolute(path))
      throw new ConfigurationError(
        `${file}: the path of the database must be absolute: set ${option('siteDatabase')}`,
      );
    return sqliteDatabase(path);
  }
  return serverDatabase({
    kind,
    host: own('host') || (kind === 'mysql' ? 'localhost' : ''),
    port: Number(own('port')),
    socket: own('unix_socket'),
    user: own('user'),
    password: own('password'),
    name: own('dbname'),
  });
}
