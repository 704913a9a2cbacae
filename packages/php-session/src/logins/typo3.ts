import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { dirname, isAbsolute, join } from 'node:path';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { rawUrlDecode } from '../encodings.ts';
import { displayName } from '../identity.ts';
import type { Credentials, SessionUser } from '../login.ts';
import { option, pageOrigins } from '../names.ts';
import { follow, isEmpty, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import {
  type Application,
  addressHint,
  type Claim,
  checkSize,
  decodeValue,
  type GivenRoles,
  isSameSecret,
  type LoginTable,
  loginPart,
  missingCookie,
  notLoggedIn,
  type SiteDatabase,
  type SiteFolder,
  selectAccounts,
  selectMails,
  texts,
  textsOf,
  toRoles,
} from './application.ts';
import { groupsListed, linesOfGroups, type SiteGroup } from './named-groups.ts';
import type { SiteSql } from './sql.ts';

/** The values of settings.php and additional.php. */
interface Found extends GivenRoles {
  database: SiteDatabase;
  /** The table of the sessions. */
  table: string;
  cookie: string;
  /** Of the signature of the cookie. */
  keys: readonly Key[];
  /** Of the ids in the table. */
  hashes: readonly Hash[];
  encryptionKey: string;
  /** Undefined if TYPO3 takes that of the page. */
  domain: string | undefined;
  /** Seconds. */
  timeout: number;
  /** Parts of the address that are compared; null if they are not. */
  lock: { four: number; six: number } | null;
}

/** TYPO3 14.3 derives its keys by HKDF. */
type Key = 'joined' | 'hkdf';
/** TYPO3 14 has another hash. */
type Hash = 'sha256' | 'sha3-256';

interface Cookie extends Claim {
  readonly fallback?: this;
  address: string;
}

const session = 'TYPO3\\CMS\\Core\\Session\\UserSession';
const noLock = '[DISABLED]';

/** Where a session says that the second factor was given. */
const passed = parsePath('mfa');

/** The users whom TYPO3 lets in at present. */
function activeNow(sql: Pick<SiteSql, 'moment'>): string {
  const now = sql.moment('unix', 0);
  return `deleted = 0 AND disable = 0 AND starttime <= ${now} AND (endtime = 0 OR endtime > ${now})`;
}

/**
 * Frontend users of TYPO3 12 to 14: typo3/sysext/core/Classes/Session/UserSession.php, UserSessionManager.php,
 * Backend/DatabaseSessionBackend.php, Security/JwtTrait.php, Authentication/AbstractUserAuthentication.php, IpLocker.php.
 */
export const typo3: Application<Found, Found, Cookie> = {
  kind: 'typo3',
  title: 'TYPO3',

  async find(folder, { cookieName, checks, admins, moderators }) {
    const place = await settingsOf(folder);
    if (place === null) return null;
    const settings = await folder.php(join(place.system, 'settings.php'));
    const additional = join(place.system, 'additional.php');
    const itself = 'its value in the file itself';
    const more = (await folder.has(additional))
      ? await folder.php(additional, {
          variables: { TYPO3_CONF_VARS: settings.returned([], itself) },
          calls: callsOf(folder, place),
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
        `${settings.file}: TYPO3 keeps the sessions of the frontend elsewhere (SYS.session.FE.backend): only those in its database can be read`,
      );
    }
    const table = text(itself, 'SYS', 'session', 'FE', 'options', 'table') || 'fe_sessions';
    if (!/^\w{1,64}$/.test(table))
      throw new ConfigurationError(
        `${settings.file}: SYS.session.FE.options.table has other characters than A-Z a-z 0-9 _`,
      );
    const connections = [table, 'fe_users', 'fe_groups'].map(
      (name) => text(option('siteDatabase'), 'DB', 'TableMapping', name) || 'Default',
    );
    const [connection = ''] = connections;
    if (connections.some((name) => name !== connection))
      throw new ConfigurationError(
        `${settings.file}: the users of the frontend and their sessions are in several databases (DB.TableMapping): only those in one can be read`,
      );
    const encryptionKey = text(itself, 'SYS', 'encryptionKey') ?? '';
    if (encryptionKey === '')
      throw new ConfigurationError(`${settings.file}: there is no encryptionKey of TYPO3`);
    const domain = text(itself, 'FE', 'cookieDomain') || text(itself, 'SYS', 'cookieDomain') || '';
    const timeout = Number.parseInt(text(itself, 'FE', 'sessionTimeout') ?? '6000', 10) || 0;
    const version = await versionOf(folder, place.root);
    return {
      database: databaseOf(
        settings,
        (name) => text(option('siteDatabase'), 'DB', 'Connections', connection, name) ?? '',
      ),
      table,
      cookie: cookieName ?? (text(option('cookieName'), 'FE', 'cookieName')?.trim() || 'fe_typo_user'),
      keys: version === null ? ['joined', 'hkdf'] : [version >= 1403 ? 'hkdf' : 'joined'],
      hashes: version === null ? ['sha3-256', 'sha256'] : [version >= 1400 ? 'sha3-256' : 'sha256'],
      encryptionKey,
      // A pattern, which is asked of the host of the page.
      domain: domain === '' || domain.startsWith('/') ? undefined : domain.replace(/^\.+|\.+$/g, ''),
      timeout: timeout === 0 ? 0 : Math.max(timeout, number('FE', 'lifetime')),
      lock: checks === false ? null : { four: number('FE', 'lockIP'), six: number('FE', 'lockIPv6') },
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

  settings: () => null,

  site: (found) => found,

  keys: ({ encryptionKey }) => encryptionKey,

  mails: (_, sql) => selectMails('chat_typo3_mails', `fe_users WHERE ${activeNow(sql)}`, 'uid', 'email'),

  accounts: (_, sql) =>
    selectAccounts('chat_typo3_accounts', `fe_users WHERE ${activeNow(sql)}`, {
      id: 'uid',
      // As `checkRow` does.
      name: "CASE WHEN name <> '' THEN name WHEN first_name <> '' OR last_name <> '' THEN TRIM(CONCAT(first_name, ' ', last_name)) ELSE username END",
    }),

  logins({ table, timeout, admins = [], moderators = [] }, { lines, start, hex }) {
    // All groups, since a group may have others, and these others again.
    const all = `SELECT ${lines("CONCAT(g.uid, ':', COALESCE(g.subgroup, ''), ':', g.title)")} FROM fe_groups AS g WHERE g.deleted = 0 AND g.hidden = 0`;
    const groups = `${admins.length + moderators.length > 0 ? `(${all})` : 'NULL'} AS all_groups`;
    const ofUsers = ['uid', 'name', 'first_name', 'last_name', 'username', 'disable', 'deleted'];
    ofUsers.push('starttime', 'endtime');
    // The first byte stands for an active factor: the whole would be enough to give it. Views of before have the whole.
    // Another spelling than that of TYPO3 counts as active.
    const others = `REPLACE(UPPER(${hex('u.mfa')}), '${hexOf('"active":false')}', '')`;
    const factors = `CASE WHEN ${others} NOT LIKE '%${hexOf('"active"')}%' THEN NULL ELSE ${start('u.mfa', 1)} END AS factors`;
    const ofUser = `${ofUsers.map((name) => `u.${name} AS ${name}`).join(', ')}, u.usergroup AS member_of, ${factors}`;
    // The text of a session is needed only for a user with second factors.
    const data = start('s.ses_data', maxSessionBytes);
    const ifNeeded = (value: string) => `CASE WHEN u.mfa IS NULL THEN NULL ELSE ${value} END`;
    const ofSession = `s.ses_id AS id, s.ses_iplock AS iplock, s.ses_userid AS userid, s.ses_tstamp AS used`;
    const sessions: LoginTable = {
      view: 'chat_typo3',
      id: 'id',
      lookup: 'id',
      columns: {
        ...texts('id', 'iplock', 'userid', 'used', 'data_of', ...ofUsers, 'member_of', 'all_groups'),
        ...{ factors: 'bytes', data: 'bytes' },
      },
      select: `SELECT ${ofSession}, ${ifNeeded('s.ses_id')} AS data_of, ${ifNeeded(data)} AS data, ${ofUser}, ${groups} FROM ${table} AS s LEFT JOIN fe_users AS u ON u.uid = s.ses_userid`,
      rows: {
        key: 's.ses_id',
        joined: [
          [table, 's'],
          ['fe_users', 'u', 'u.uid = s.ses_userid'],
        ],
        shared: admins.length + moderators.length > 0 ? [['fe_groups']] : [],
      },
      parts: [
        loginPart({
          ...{ view: 'chat_typo3_sessions', key: 'id', columns: ['iplock', 'userid', 'used'], short: true },
          select: `SELECT ${ofSession} FROM ${table} AS s`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_data', key: 'data_of', columns: ['data'], optional: true },
          select: `SELECT s.ses_id AS id, ${data} AS data FROM ${table} AS s JOIN fe_users AS u ON u.uid = s.ses_userid WHERE u.mfa IS NOT NULL`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_users', key: 'userid', columns: [...ofUsers, 'member_of', 'factors'] },
          tables: ['fe_users'],
          select: `SELECT u.uid AS id, ${ofUser} FROM fe_users AS u`,
        }),
        loginPart({
          ...{ view: 'chat_typo3_groups', key: 'userid', columns: ['all_groups'] },
          tables: ['fe_groups'],
          select: `SELECT u.uid AS id, ${groups} FROM fe_users AS u`,
        }),
      ],
      renewed: { table, id: 'ses_id', column: 'ses_tstamp', lifetime: timeout },
    };
    return { sessions };
  },

  claim(site, { cookies, address = '', isPageHost }) {
    const value = cookies.value(site.cookie);
    if (value === null) {
      return missingCookie(site.cookie, 'TYPO3 sets the cookie for its own host and path');
    }
    const payload = verified(value, site);
    if (payload === null) {
      return notLoggedIn(
        'its cookie is none that TYPO3 makes, or is signed with another key',
        'if every visitor gets this: the encryptionKey is not the one that PHP has',
      );
    }
    const { identifier, scope } = payload as { identifier?: unknown; scope?: unknown };
    if (typeof identifier !== 'string' || !/^[0-9a-f]{1,128}$/.test(identifier))
      return notLoggedIn('its cookie names no session');
    if (isOfAnother(scope, site.domain, isPageHost))
      return notLoggedIn(
        'its cookie is that of another domain',
        `if every visitor gets this: ${pageOrigins()} must list the addresses of the pages, or TYPO3 has a cookieDomain that is not the one in its settings`,
      );
    const claimOf = (hash: Hash) => ({
      table: 'sessions',
      lookup: hashed(identifier, hash, site.encryptionKey),
      secrets: [identifier],
      address,
    });
    const [first, other] = site.hashes.map(claimOf);
    return { ...(first as Cookie), ...(other === undefined ? {} : { fallback: other }) };
  },

  checkRow(site, { address }, row, now) {
    const text = textsOf(row);
    const number = (name: string) => Number(text(name));
    if (row === null) return notLoggedIn('there is no such session, or it has ended there');
    const lock = text('iplock');
    if (site.lock !== null && lock !== noLock && lock !== lockOf(address, site.lock))
      return notLoggedIn('the address is not the one of the login', addressHint());
    const id = text('userid');
    if (!/^[1-9]\d*$/.test(id)) return notLoggedIn('nobody is logged in in this session');
    const ends = number('used') + site.timeout;
    if (site.timeout === 0 || now > ends) return notLoggedIn('the session has expired there');
    if (row.uid === null || text('deleted') !== '0') return notLoggedIn('the user has been deleted');
    if (text('disable') !== '0') return notLoggedIn('the user is disabled there');
    // TYPO3 counts in whole minutes here.
    const minute = now - (now % 60);
    const [starts, stops] = [number('starttime'), number('endtime')];
    if (starts > minute || (stops !== 0 && stops <= minute))
      return notLoggedIn('the user is not active at present');
    if (needsFactor(row.factors ?? null) && !hasGivenFactor(row.data ?? null))
      return checkSize(row.data) ?? notLoggedIn('the user has not yet given the second factor');
    const names = [text('name'), `${text('first_name')} ${text('last_name')}`.trim(), text('username')];
    const groups = groupsIn(site.database, text('all_groups'));
    // Editors may give a new group the title of another.
    const listed = groupsListed(site, [...groups.values()]);
    const own = groupsWithin(text('member_of'), groups);
    const isIn = (ids: readonly string[] = []) => ids.some((id) => own.has(id));
    const user: SessionUser = {
      id,
      name: names.map(displayName).find((name) => name !== '') || id,
      ...toRoles(isIn(listed.admins), isIn(listed.moderators)),
    };
    const ended = stops === 0 ? Number.POSITIVE_INFINITY : Math.ceil(stops / 60) * 60;
    return { state: 'user', user, idle: Math.min(ends + 1, ended) };
  },

  async describe(folder, { domain }) {
    const place = await settingsOf(folder);
    const version = place === null ? null : await versionOf(folder, place.root);
    return {
      version: version === null ? null : `${Math.floor(version / 100)}.${version % 100}`,
      cookie: { path: '/', domain: domain ?? '', secure: false },
    };
  },
};

const hexOf = (text: string) => Buffer.from(text).toString('hex').toUpperCase();

/** `MfaProviderPropertyManager`: the factors of a user are JSON. @param factors that, or its first byte if one is active */
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

/** `evaluateMfaRequirements()` of AbstractUserAuthentication.php. */
function hasGivenFactor(data: Buffer | null): boolean {
  if (data === null || data.length >= maxSessionBytes) return false;
  const found = follow(decodeValue('php_serialize', data) ?? null, passed);
  return 'value' in found && !isEmpty(found.value);
}

type Groups = ReadonlyMap<string, SiteGroup & { subgroups: readonly string[] }>;

/** The groups of a site, by their ids. @throws StoreError if the database may have left some out */
function groupsIn(database: SiteDatabase, list: string): Groups {
  return new Map(
    linesOfGroups(database, list).map((line) => {
      const [id = '', subgroups = '', ...title] = line.split(':');
      return [id, { id, name: title.join(':'), subgroups: idsIn(subgroups) }] as const;
    }),
  );
}

/** `GroupResolver`: the ids of groups, and of those that lie in them. */
function groupsWithin(memberOf: string, known: Groups): ReadonlySet<string> {
  const found = new Set(idsIn(memberOf));
  // A set that grows while it is gone through.
  for (const id of found)
    for (const below of known.get(id)?.subgroups ?? []) if (known.has(below)) found.add(below);
  return found;
}

const idsIn = (list: string) =>
  list
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');

/** The payload of a token that has this site's signature; null for any other. */
function verified(token: string, { keys, encryptionKey }: Found): object | null {
  const [, signed, header = '', payload = '', signature = ''] =
    token.length > 4096 ? [] : (/^(([\w-]+)\.([\w-]+))\.([\w-]+)$/.exec(token) ?? []);
  if (signed === undefined) return null;
  const given = Buffer.from(signature, 'base64url');
  const isSigned = (key: Key) => {
    const expected = createHmac('sha256', keyOf(key, encryptionKey)).update(signed).digest();
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

/** `JwtTrait::createSigningKeyFromEncryptionKey()`. */
function keyOf(key: Key, encryptionKey: string): Buffer {
  return key === 'hkdf'
    ? Buffer.from(hkdfSync('sha256', encryptionKey, '', session, 32))
    : Buffer.from(`${createHash('sha256').update(encryptionKey).digest('hex')}/${session}`);
}

/** `DatabaseSessionBackend::hash()`. */
function hashed(identifier: string, hash: Hash, encryptionKey: string): string {
  const joined = `${encryptionKey}core-session-backend`;
  const key = hash === 'sha256' ? createHash('sha1').update(joined).digest('hex') : joined;
  return createHmac(hash, key).update(identifier).digest('hex');
}

/**
 * `UserSession::resolveIdentifierFromJwt()`. Cookies of older versions name no domain. Without a cookieDomain TYPO3 compares
 * with the host and the path of the page; the path of the site is not known here.
 */
function isOfAnother(
  scope: unknown,
  domain: string | undefined,
  isPageHost: Credentials['isPageHost'],
): boolean {
  const { domain: own, path } = (scope ?? {}) as { domain?: unknown; path?: unknown };
  if (!own || !path) return false;
  if (domain !== undefined) return own !== domain || path !== '/';
  return isPageHost?.(String(own)) === false;
}

/** `IpLocker`: the parts of the address that count, and zeros. */
function lockOf(address: string, { four, six }: { four: number; six: number }): string {
  const isSix = address.includes(':');
  const [count, most] = isSix ? [six, 8] : [four, 4];
  if (count === 0) return noLock;
  const parts = isSix ? groupsOf(address) : address.split('.');
  const zero = isSix ? '0000' : '0';
  return parts
    .map((part, n) => (n < Math.min(Math.max(count, 1), most) ? part : zero))
    .join(isSix ? ':' : '.');
}

/** The eight groups of an IPv6 address, each with four digits. */
function groupsOf(address: string): string[] {
  const url = URL.parse(`http://[${address.replace(/%.*$/, '')}]`);
  const [before = '', after] = (url?.hostname.slice(1, -1) ?? '').split('::');
  const [start, end] = [before, after ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const missing = 8 - (start?.length ?? 0) - (end?.length ?? 0);
  return [...(start ?? []), ...Array<string>(Math.max(0, missing)).fill('0'), ...(end ?? [])].map((group) =>
    group.padStart(4, '0'),
  );
}

/** The folders that `Environment` names. */
function callsOf({ path }: SiteFolder, { root, system }: { root: string; system: string }) {
  const isClassic = system.includes('typo3conf');
  return {
    'environment::getprojectpath': root,
    'environment::getpublicpath': isClassic ? root : path === root ? join(root, 'public') : path,
    'environment::getconfigpath': dirname(system),
    'environment::getvarpath': join(root, isClassic ? 'typo3temp/var' : 'var'),
  };
}

/** @returns the root of the project, and the folder of its settings; null if it is not there */
async function settingsOf(folder: SiteFolder): Promise<{ root: string; system: string } | null> {
  // With Composer they lie beside the folder that is served.
  for (const [root, system] of [
    ['', 'config/system'],
    ['..', 'config/system'],
    ['', 'typo3conf/system'],
    ['public', 'typo3conf/system'],
  ] as const) {
    const place = join(folder.path, root, system);
    const file = join(place, 'settings.php');
    if ((await folder.has(file)) && (await folder.text(file)).includes('encryptionKey'))
      return { root: join(folder.path, root), system: place };
  }
  return null;
}

/** Such as 1304 for 13.4; null if it is not known. */
async function versionOf(folder: SiteFolder, root: string): Promise<number | null> {
  const inside = 'Classes/Information/Typo3Version.php';
  for (const core of ['vendor/typo3/cms-core', 'typo3/sysext/core', 'public/typo3/sysext/core']) {
    const file = join(root, core, inside);
    if (!(await folder.has(file))) continue;
    const instead = 'nothing: install TYPO3 again';
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
  // In a URL, with TYPO3 12.
  mysql: 'mysql',
  mysql2: 'mysql',
  postgres: 'postgres',
  postgresql: 'postgres',
  sqlite: 'sqlite',
};

/** `DsnParser`: the parts of a URL count before the other values. */
function partsOf(given: string, file: string): Readonly<Record<string, string>> {
  if (given === '') return {};
  if (!URL.canParse(given))
    throw new ConfigurationError(`${file}: the url of the database is none: set ${option('siteDatabase')}`);
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

function databaseOf({ file }: Configuration, text: (name: string) => string): SiteDatabase {
  const parts = partsOf(text('url'), file);
  const own = (name: string) => parts[name] || text(name);
  const driver = own('driver');
  const kind = Object.hasOwn(kinds, driver) ? kinds[driver] : undefined;
  if (kind === undefined)
    throw new ConfigurationError(`${file}: the driver ${driver} of the database of TYPO3 is not known`);
  if (kind === 'sqlite') {
    const path = own('path');
    if (!isAbsolute(path))
      throw new ConfigurationError(
        `${file}: the path of the database is not absolute: set ${option('siteDatabase')}`,
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
