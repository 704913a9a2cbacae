import {
  asText,
  type Configuration,
  ConfigurationError,
  ifKnown,
  isTrue,
} from '../configuration/configuration.ts';
import { escapedPath, serverDatabase } from '../configuration/database-host.ts';
import { withoutEntities } from '../entities.ts';
import { displayName } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import { option } from '../names.ts';
import {
  type Claim,
  type GivenRoles,
  hasAny,
  type MemberApplication,
  type MemberSessions,
  matchFile,
  notLoggedIn,
  type SiteDatabase,
  type SiteFolder,
  seldomChanged,
  selectAccounts,
  selectMails,
  settingTexts,
  texts,
  textsOf,
  toRoles,
} from './application.ts';
import { fileContains, readLifetime } from './own-sessions.ts';

/** The values of config.php and of system/config. */
interface Found extends GivenRoles {
  database: SiteDatabase;
  prefix: string;
  cookieName: string;
  sessions: Engine;
  /** A store URL in place of the engine. */
  store: string | null;
  /** Seconds that a session lasts after a page view, if no setting in the database says it. */
  lifetime: number;
  /** The cookie of a device that has given a second factor; null if this version asks customers for none. */
  factorCookie: string | null;
  /** Such a device has to give it again after some days. */
  factorEnds: boolean;
  /** The time zone, if no setting in the database says it. */
  zone: string;
  /** This version writes the ends of sessions into its table in that time zone, and later ones in UTC. */
  endsInZone: boolean;
}

interface Site extends Found {
  needsFactor: boolean;
}

interface Member extends Claim {
  table: 'customers' | 'devices';
  customer: string;
}

type Engine = { is: 'db' } | { is: 'file'; url: string } | { is: 'redis'; url: string };

const instead = 'its value in config.php itself';

/**
 * OpenCart 3 and 4: system/library/session.php and session/*.php, system/library/cart/customer.php,
 * catalog/controller/startup/session.php and authorize.php, catalog/controller/account/login.php,
 * catalog/model/account/customer.php, system/config/*.php.
 */
export const opencart: MemberApplication<Found, Site, Member> = {
  kind: 'opencart',
  title: 'OpenCart',

  async find(folder, { cookieName, admins, moderators, store }) {
    if (!(await folder.has('config.php')) || !(await folder.has('index.php'))) return null;
    const [, whole = '', version] =
      /define\('VERSION', *'((\d+)\.[\d.]+)/.exec(await folder.text('index.php')) ?? [];
    if (!/DIR_SYSTEM/.test(await folder.text('config.php')) || Number(version) < 3) return null;
    const configuration = await folder.php('config.php');
    const constant = (name: string, other = instead) => asText(configuration.constant(name, other)) ?? '';
    const system = constant('DIR_SYSTEM') || `${folder.path}/system/`;
    const inSystem = await settingsIn(folder, `${system}config`);
    const prefix = constant('DB_PREFIX');
    if (!/^\w{0,48}$/.test(prefix))
      throw new ConfigurationError(
        `${configuration.file}: DB_PREFIX has other characters than A-Z a-z 0-9 _`,
      );
    const isFour = version !== '3';
    const expire = Number(inSystem('session_expire')) || 0;
    const given = store === undefined ? engineOf(inSystem('session_engine') ?? 'db', constant, isFour) : null;
    return {
      database: databaseOf(configuration),
      prefix,
      cookieName: cookieName ?? inSystem('session_name') ?? 'OCSESSID',
      sessions: given ?? { is: 'db' },
      store: store ?? null,
      lifetime: isFour ? expire || 1440 : await readLifetime(folder),
      factorCookie: await factorCookieOf(folder),
      factorEnds: await factorEndsIn(folder),
      zone: zoneOr('UTC', inSystem('date_timezone')),
      endsInZone: given?.is === 'db' && /^(3\.0\.[0-3]\.|4\.0\.0\.0$)/.test(whole),
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

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
    const zone = zoneOr(found.zone, text('config_timezone'));
    if (found.endsInZone && !isUtc(zone)) {
      throw new ConfigurationError(
        `this version of OpenCart writes the ends of its sessions in the time zone of the shop (${zone}), and only UTC can be read: update it to 3.0.4.0, or to 4.0.1.0 or later, or set its time zone to UTC`,
      );
    }
    return { ...found, needsFactor, zone, ...(expire > 0 ? { lifetime: expire } : {}) };
  },

  sessions({ cookieName, sessions, store, prefix, lifetime, factorCookie }): MemberSessions {
    const table = `${prefix}session`;
    const inTable = {
      view: 'chat_opencart_sessions',
      table,
      columns: {},
      // The view alone has this: the ids of other sessions are those of administrators, or of nobody.
      select: `SELECT s.session_id AS session_id, s.data AS data, s.expire AS expire FROM ${table} s WHERE s.data LIKE '%"customer_id"%'`,
      options: 'id=session_id&data=data&expires=expire&expires_unit=utc&format=json',
      renewed: { id: 'session_id', column: 'expire' },
    };
    const inFiles = (url: string) => `${url}&lifetime=${Math.min(lifetime, 999_999_999)}`;
    return {
      cookie: {
        name: cookieName,
        expected: 'a session ID of OpenCart',
        idIn: (value) => (isId(value) ? value : null),
      },
      store:
        store ??
        (sessions.is === 'db' ? inTable : sessions.is === 'file' ? inFiles(sessions.url) : sessions.url),
      ids: ['customer_id'],
      proof: ['customer_id', 'customer.type'],
      ...(factorCookie === null ? {} : { otherCookies: [factorCookie] }),
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

  logins({ prefix, factorCookie, factorEnds }, { lines }) {
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
    // Also while no factor is asked for: logins of before are judged once more.
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
      devices: seldomChanged(devices, [`${prefix}customer_authorize`, ...tables]),
    };
  },

  claim({ needsFactor, factorCookie }, { secrets, proof: [customer, by] }, { cookies }) {
    if (!customer || !/^[1-9]\d{0,17}$/.test(customer)) return notLoggedIn('the session names no customer');
    // 4.1.0.4 puts the row of the token beside that of the customer. Versions before it leave no mark.
    if (by === 'login') return notLoggedIn('an administrator is there as the customer');
    if (!needsFactor) return { table: 'customers', lookup: customer, secrets, customer };
    const token = cookies.value(factorCookie ?? '') ?? '';
    return /^[\x21-\x7e]{1,96}$/.test(token)
      ? { table: 'devices', lookup: token, secrets: [...secrets, token], customer }
      : notLoggedIn(noFactor);
  },

  checkRow(site, { table, customer: id }, row, now) {
    const text = textsOf(row);
    if (table === 'devices' && (row === null || text('customer_id') !== id || text('trusted') !== '1'))
      return notLoggedIn(noFactor);
    const left =
      site.factorEnds && table === 'devices' ? secondsUntil(text('date_expire'), now, site.zone) : null;
    // Also a date that cannot be read is none in the future.
    if (left !== null && !(left > 0))
      return notLoggedIn('the device has to give the second factor once more');
    if (row === null) return notLoggedIn('the customer has been deleted');
    if (text('status') !== '1') return notLoggedIn('the customer is disabled there, or not yet approved');
    const groups = text('group_names').split('\n').map(withoutEntities);
    const user: SessionUser = {
      id,
      name: displayName(withoutEntities(text('firstname'))) || id,
      ...toRoles(hasAny(groups, site.admins), hasAny(groups, site.moderators)),
    };
    return { state: 'user', user, ...(left === null ? {} : { idle: now + left }) };
  },

  async describe(folder) {
    const configuration = await folder.php('config.php');
    const address = ['HTTPS_SERVER', 'HTTP_SERVER']
      .map((name) => ifKnown(() => configuration.constant(name, '')))
      .find(Boolean);
    return {
      version: /define\('VERSION', *'([\d.]+)'/.exec(await folder.text('index.php'))?.[1],
      address,
      login: 'index.php?route=account/login',
      cookie: { path: '/', domain: '', secure: /^https:/.test(address ?? '') },
    };
  },
};

const noFactor = 'the device has not yet given the second factor';

/** `config_2fa`: OpenCart 4.1 asks customers for a second factor on each new device, which then has a cookie. */
async function factorCookieOf(folder: SiteFolder): Promise<string | null> {
  const file = 'catalog/controller/startup/authorize.php';
  if (!(await fileContains(folder, file, "'config_2fa'"))) return null;
  return (await matchFile(folder, file, /->cookie\['(\w+)'\]/))?.[1] ?? null;
}

/** `config_2fa_expire`: OpenCart 4.1.0.4 writes when it asks a device once more, a date which other versions do not read. */
async function factorEndsIn(folder: SiteFolder): Promise<boolean> {
  const file = 'catalog/model/account/customer.php';
  const text = (await folder.has(file)) ? await folder.text(file) : '';
  const [, ofToken = ''] = text.split('function getAuthorizeByToken');
  return /\bdate_expire` > NOW\(\)/.test(ofToken.split('function ')[0] ?? '');
}

/** A time zone of the shop, if it is known here. */
function zoneOr(other: string, name: string | null): string {
  try {
    return name && new Intl.DateTimeFormat('en', { timeZone: name }) ? name : other;
  } catch {
    return other;
  }
}

/**
 * Seconds until a date of the database. OpenCart writes and compares such dates on connections of the shop's time zone.
 * @param now in seconds since 1970
 */
function secondsUntil(date: string, now: number, zone: string): number {
  // The form of Swedish dates is that of SQL.
  const there = new Date(now * 1000).toLocaleString('sv-SE', { timeZone: zone });
  return (Date.parse(`${date}Z`) - Date.parse(`${there}Z`)) / 1000;
}

/** Whether the clocks of a time zone are those of UTC, in winter and in summer. */
const isUtc = (zone: string): boolean =>
  ['2026-01-01', '2026-07-01'].every(
    (day) => secondsUntil(`${day} 00:00:00`, Date.parse(day) / 1000, zone) === 0,
  );

const isId = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9,-]{22,52}$/.test(value);

/** The settings of the shop, and those of all parts of OpenCart. */
async function settingsIn(folder: SiteFolder, at: string): Promise<(key: string) => string | null> {
  const files: Configuration[] = [];
  for (const name of ['catalog', 'default']) {
    const file = `${at}/${name}.php`;
    if (await folder.has(file)) files.push(await folder.php(file));
  }
  return (key) => {
    for (const file of files) {
      const value = asText(file.variable(['_', key], `its value in ${file.file} itself`));
      if (value !== null) return value;
    }
    return null;
  };
}

function engineOf(engine: string, constant: (name: string) => string, isFour: boolean): Engine {
  switch (engine.toLowerCase()) {
    case 'db':
      return { is: 'db' };
    case 'file': {
      const path = escapedPath(constant('DIR_SESSION'));
      return { is: 'file', url: `file://${path}?format=${isFour ? 'json' : 'php_serialize'}` };
    }
    case 'redis': {
      const prefix = encodeURIComponent(`${constant('CACHE_PREFIX')}.session.`);
      const at = `${constant('CACHE_HOSTNAME')}:${constant('CACHE_PORT')}`;
      return { is: 'redis', url: `redis://${at}?prefix=${prefix}&format=json` };
    }
    default:
      throw new ConfigurationError(
        `OpenCart’s session_engine is ${JSON.stringify(engine)}, which is not read: set ${option('store')}`,
      );
  }
}

function databaseOf(configuration: Configuration): SiteDatabase {
  const text = (name: string) => asText(configuration.constant(name, option('siteDatabase'))) ?? '';
  const driver = text('DB_DRIVER').toLowerCase();
  if (!/^(mysqli|mpdo|pdo|pgsql)$/.test(driver) && driver !== '')
    throw new ConfigurationError(`${configuration.file}: the database driver ${driver} is not known`);
  return serverDatabase({
    kind: driver === 'pgsql' ? 'postgres' : 'mysql',
    host: text('DB_HOSTNAME') || 'localhost',
    port: Number(text('DB_PORT')),
    user: text('DB_USERNAME'),
    password: text('DB_PASSWORD'),
    name: text('DB_DATABASE'),
  });
}
