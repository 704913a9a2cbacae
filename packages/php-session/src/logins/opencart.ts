/**
 * Customers of OpenCart 3 and 4.
 *
 * - The cookie `OCSESSID` is the id of a session in the table `session`, in files or in Redis:
 *   system/library/session.php, session/*.php; catalog/controller/startup/session.php.
 * - The session has `customer_id`, and a logout removes it: system/library/cart/customer.php,
 *   catalog/controller/account/login.php.
 * - A session ends some time after its last page view: system/config/*.php.
 * - The customer must have the status 1.
 * - Version 4.1 may ask each new device for a second factor. The device then has a cookie with a token of the table
 *   `customer_authorize`: catalog/controller/startup/authorize.php, catalog/model/account/customer.php.
 */

import {
  asText,
  type Configuration,
  ConfigurationError,
  isTrue,
  readIfKnown,
} from '../configuration/configuration.ts';
import { escapePath, type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import { withoutEntities } from '../entities.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser } from '../login.ts';
import { option } from '../names.ts';
import type { MemberApplication, MemberSessions, SiteFiles } from './application.ts';
import { type Claim, enableHint, hasAny, toRoles } from './claim.ts';
import { fileContains, readLifetime } from './own-sessions.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';
import {
  type LoginTable,
  requirePrefix,
  seldomChanged,
  selectAccounts,
  selectMails,
  settingTexts,
  texts,
  textsOf,
} from './site-table.ts';

/** Values of config.php and of system/config. */
interface Files extends SiteFiles {
  cookieName: string;
  sessions: SessionEngine;
  /** A store URL that replaces the engine. */
  store: string | null;
  /** Counted from the last page view. `config_session_expire` in the database overrides it. */
  lifetimeSeconds: number;
  /** The cookie of devices that gave a second factor. Null if this version has no second factor for customers. */
  factorCookie: string | null;
  /** Whether such devices must give the second factor again after some days. */
  factorEnds: boolean;
  /** The shop's time zone from the files. `config_timezone` in the database overrides it. */
  timeZone: string;
  /** This version stores the expiry times of sessions in the shop's time zone, not in UTC. */
  endsInZone: boolean;
}

interface Site extends Files {
  needsFactor: boolean;
}

interface CustomerClaim extends Claim {
  table: 'customers' | 'devices';
  customer: string;
}

type SessionEngine = { is: 'db' } | { is: 'file'; url: string } | { is: 'redis'; url: string };

const itself = 'a literal value in config.php';

export const opencart: MemberApplication<Files, Site, CustomerClaim> = {
  kind: 'opencart',
  title: 'OpenCart',

  async find(folder, { cookieName, admins, moderators, team, store }) {
    const [, whole = '', version] =
      (await matchFile(folder, 'index.php', /define\('VERSION', *'((\d+)\.[\d.]+)/)) ?? [];
    if (!(await folder.has('index.php')) || !(await fileContains(folder, 'config.php', 'DIR_SYSTEM')))
      return null;
    if (Number(version) < 3) return null;
    const configuration = await folder.php('config.php');
    const constant = (name: string, other = itself) => asText(configuration.constant(name, other)) ?? '';
    const system = constant('DIR_SYSTEM') || `${folder.path}/system/`;
    const inSystem = await readSettings(folder, `${system}config`);
    const isFour = version !== '3';
    const expire = Number(inSystem('session_expire')) || 0;
    const given =
      store === undefined ? readEngine(inSystem('session_engine') ?? 'db', constant, isFour) : null;
    return {
      database: readDatabase(configuration),
      prefix: requirePrefix(constant('DB_PREFIX'), `${configuration.file}: DB_PREFIX`),
      cookieName: cookieName ?? inSystem('session_name') ?? 'OCSESSID',
      sessions: given ?? { is: 'db' },
      store: store ?? null,
      lifetimeSeconds: isFour ? expire || 1440 : await readLifetime(folder),
      factorCookie: await readFactorCookie(folder),
      factorEnds: await hasFactorEnd(folder),
      timeZone: toZone('UTC', inSystem('date_timezone')),
      endsInZone: given?.is === 'db' && /^(3\.0\.[0-3]\.|4\.0\.0\.0$)/.test(whole),
      admins,
      moderators,
      team,
    };
  },

  settings({ prefix }, { quote }) {
    const names = ['config_session_expire', 'config_2fa', 'config_timezone'];
    return {
      view: 'chat_opencart_settings',
      columns: { value: 'text' },
      names,
      select: `SELECT s.${quote}key${quote} AS name, s.value AS value FROM ${prefix}setting s WHERE s.store_id = 0 AND s.code = 'config' AND s.${quote}key${quote} IN ('${names.join("', '")}')`,
    };
  },

  site(found, settings) {
    const text = settingTexts(settings);
    const expire = Number(text('config_session_expire'));
    const needsFactor = found.factorCookie !== null && isTrue(text('config_2fa'));
    const timeZone = toZone(found.timeZone, text('config_timezone'));
    if (found.endsInZone && !isUtc(timeZone)) {
      throw new ConfigurationError(
        `this version of OpenCart stores the expiry times of sessions in the time zone of the shop (${timeZone}), but only UTC is supported: update OpenCart to 3.0.4.0, or to 4.0.1.0 or later, or set the shop’s time zone to UTC`,
      );
    }
    return { ...found, needsFactor, timeZone, ...(expire > 0 ? { lifetimeSeconds: expire } : {}) };
  },

  sessions({ cookieName, sessions, store, prefix, lifetimeSeconds, factorCookie }): MemberSessions {
    const table = `${prefix}session`;
    const inTable = {
      view: 'chat_opencart_sessions',
      table,
      columns: {},
      // The other sessions belong to administrators or guests, so the view leaves their ids out.
      select: `SELECT s.session_id AS session_id, s.data AS data, s.expire AS expire FROM ${table} s WHERE s.data LIKE '%"customer_id"%'`,
      options: 'id=session_id&data=data&expires=expire&expires_unit=utc&format=json',
      renewed: { id: 'session_id', column: 'expire' },
    };
    const inFiles = (url: string) => `${url}&lifetime=${Math.min(lifetimeSeconds, 999_999_999)}`;
    return {
      cookie: {
        name: cookieName,
        expected: 'a session ID of OpenCart',
        idIn: (value) => (isSessionId(value) ? value : null),
      },
      store:
        store ??
        (sessions.is === 'db' ? inTable : sessions.is === 'file' ? inFiles(sessions.url) : sessions.url),
      ids: ['customer_id'],
      proof: ['customer_id', 'customer.type'],
      otherCookies: factorCookie === null ? undefined : [factorCookie],
    };
  },

  mails: ({ prefix }) =>
    selectMails('chat_opencart_mails', `${prefix}customer WHERE status = 1`, 'customer_id', 'email'),

  accounts: ({ prefix }) =>
    selectAccounts('chat_opencart_accounts', `${prefix}customer c WHERE status = 1`, {
      id: 'c.customer_id',
      name: 'c.firstname',
      decode: withoutEntities,
    }),

  logins({ prefix, factorCookie, factorEnds }, { lines }): Record<string, LoginTable> {
    const groups = `SELECT ${lines('d.name')} FROM ${prefix}customer_group_description d WHERE d.customer_group_id = c.customer_group_id`;
    const customer = `c.customer_id AS customer_id, c.firstname AS firstname, c.status AS status, (${groups}) AS group_names`;
    const columns = texts('customer_id', 'firstname', 'status', 'group_names');
    const customers = {
      view: 'chat_opencart',
      id: 'customer_id',
      lookup: 'customer_id',
      columns,
      select: `SELECT ${customer} FROM ${prefix}customer c`,
    };
    const tables = [`${prefix}customer`, `${prefix}customer_group_description`];
    if (factorCookie === null) return { customers: seldomChanged(customers, tables) };
    const end = factorEnds ? 'a.date_expire AS date_expire, ' : '';
    const devices = {
      view: 'chat_opencart_devices',
      id: 'device_id',
      lookup: 'token',
      columns: {
        ...texts('device_id', 'token', 'trusted', ...(factorEnds ? ['date_expire'] : [])),
        ...columns,
      },
      select: `SELECT a.customer_authorize_id AS device_id, a.token AS token, a.status AS trusted, ${end}${customer} FROM ${prefix}customer_authorize a JOIN ${prefix}customer c ON c.customer_id = a.customer_id`,
    };
    return {
      customers: seldomChanged(customers, tables),
      // Present even if no factor is needed now, because earlier claims of this table are checked again.
      devices: seldomChanged(devices, [`${prefix}customer_authorize`, ...tables]),
    };
  },

  claim({ needsFactor, factorCookie }, { secrets, proof: [customer, by] }, { cookies }) {
    if (!customer || !/^[1-9]\d{0,17}$/.test(customer))
      return notLoggedIn('the session does not name a customer');
    // Since 4.1.0.4 the session contains the row of the login token. Earlier versions do not show it.
    if (by === 'login') return notLoggedIn('an administrator is acting as the customer');
    if (!needsFactor) return { table: 'customers', lookup: customer, secrets, customer };
    const token = cookies.value(factorCookie ?? '') ?? '';
    return /^[\x21-\x7e]{1,96}$/.test(token)
      ? { table: 'devices', lookup: token, secrets: [...secrets, token], customer }
      : notLoggedIn(factorMissing);
  },

  checkRow(site, { table, customer: id }, row, now) {
    const text = textsOf(row);
    if (table === 'devices' && (row === null || text('customer_id') !== id || text('trusted') !== '1'))
      return notLoggedIn(factorMissing);
    const left =
      site.factorEnds && table === 'devices' ? secondsUntil(text('date_expire'), now, site.timeZone) : null;
    // The NaN of an invalid date is also rejected.
    if (left !== null && !(left > 0)) return notLoggedIn('the device must give the second factor again');
    if (row === null) return notLoggedIn('the customer has been deleted');
    if (text('status') !== '1')
      return notLoggedIn('the customer is disabled on the site, or not yet approved', enableHint);
    const groups = text('group_names').split('\n').map(withoutEntities);
    const user: SessionUser = {
      id,
      name: displayName(withoutEntities(text('firstname'))) || id,
      ...toRoles(hasAny(groups, site.admins), hasAny(groups, site.moderators), hasAny(groups, site.team)),
    };
    return { state: 'user', user, idle: left === null ? undefined : now + left };
  },

  async describe(folder) {
    const configuration = await folder.php('config.php');
    const address = ['HTTPS_SERVER', 'HTTP_SERVER']
      .map((name) => readIfKnown(() => configuration.constant(name, '')))
      .find(Boolean);
    return {
      version: (await matchFile(folder, 'index.php', /define\('VERSION', *'([\d.]+)'/))?.[1],
      address,
      login: 'index.php?route=account/login',
      cookie: { path: '/', domain: '', secure: /^https:/.test(address ?? '') },
    };
  },
};

const factorMissing = 'the device has not yet given the second factor';

/**
 * Returns the name of the cookie by which OpenCart 4.1 recognises devices that gave the second factor (`config_2fa`). Null
 * if this version asks for none.
 */
async function readFactorCookie(folder: SiteFolder): Promise<string | null> {
  const file = 'catalog/controller/startup/authorize.php';
  if (!(await fileContains(folder, file, "'config_2fa'"))) return null;
  return (await matchFile(folder, file, /->cookie\['(\w+)'\]/))?.[1] ?? null;
}

/** Whether this version compares `date_expire`, as 4.1.0.4 does with `config_2fa_expire`. */
async function hasFactorEnd(folder: SiteFolder): Promise<boolean> {
  const file = 'catalog/model/account/customer.php';
  const text = (await folder.has(file)) ? await folder.text(file) : '';
  const [, ofToken = ''] = text.split('function getAuthorizeByToken');
  return /\bdate_expire` > NOW\(\)/.test(ofToken.split('function ')[0] ?? '');
}

/** Returns the time zone of this name, or `other` if the name is not a known time zone. */
function toZone(other: string, name: string | null): string {
  try {
    return name && new Intl.DateTimeFormat('en', { timeZone: name }) ? name : other;
  } catch {
    return other;
  }
}

/**
 * Returns the seconds until a date of the database, which OpenCart stores in the shop's time zone. NaN for an invalid date.
 * @param now in seconds since 1970
 */
function secondsUntil(date: string, now: number, timeZone: string): number {
  // Swedish dates have the form of SQL.
  const there = new Date(now * 1000).toLocaleString('sv-SE', { timeZone });
  return (Date.parse(`${date}Z`) - Date.parse(`${there}Z`)) / 1000;
}

/** Whether a time zone equals UTC in winter and in summer. */
const isUtc = (timeZone: string): boolean =>
  ['2026-01-01', '2026-07-01'].every(
    (day) => secondsUntil(`${day} 00:00:00`, Date.parse(day) / 1000, timeZone) === 0,
  );

const isSessionId = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9,-]{22,52}$/.test(value);

/**
 * Reads the settings of `catalog.php`, which replace those of `default.php`.
 * @returns a function that reads a setting. Null if it is not set
 */
async function readSettings(folder: SiteFolder, at: string): Promise<(key: string) => string | null> {
  const files: Configuration[] = [];
  for (const name of ['catalog', 'default']) {
    const file = `${at}/${name}.php`;
    if (await folder.has(file)) files.push(await folder.php(file));
  }
  return (key) => {
    for (const file of files) {
      const value = asText(file.variable(['_', key], `a literal value in ${file.file}`));
      if (value !== null) return value;
    }
    return null;
  };
}

function readEngine(engine: string, constant: (name: string) => string, isFour: boolean): SessionEngine {
  switch (engine.toLowerCase()) {
    case 'db':
      return { is: 'db' };
    case 'file': {
      const path = escapePath(constant('DIR_SESSION'));
      return { is: 'file', url: `file://${path}?format=${isFour ? 'json' : 'php_serialize'}` };
    }
    case 'redis': {
      const prefix = encodeURIComponent(`${constant('CACHE_PREFIX')}.session.`);
      const at = `${constant('CACHE_HOSTNAME')}:${constant('CACHE_PORT')}`;
      return { is: 'redis', url: `redis://${at}?prefix=${prefix}&format=json` };
    }
    default:
      throw new ConfigurationError(
        `OpenCart’s session_engine ${JSON.stringify(engine)} is not supported: set ${option('store')}`,
      );
  }
}

function readDatabase(configuration: Configuration): SiteDatabase {
  const text = (name: string) => asText(configuration.constant(name, option('siteDatabase'))) ?? '';
  const driver = text('DB_DRIVER').toLowerCase();
  if (!/^(mysqli|mpdo|pdo|pgsql)$/.test(driver) && driver !== '')
    throw new ConfigurationError(`${configuration.file}: the database driver ${driver} is not supported`);
  return serverDatabase({
    kind: driver === 'pgsql' ? 'postgres' : 'mysql',
    host: text('DB_HOSTNAME') || 'localhost',
    port: Number(text('DB_PORT')),
    user: text('DB_USERNAME'),
    password: text('DB_PASSWORD'),
    name: text('DB_DATABASE'),
  });
}
