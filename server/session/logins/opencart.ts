import { asText, type Configuration, ConfigurationError, ifKnown } from '../configuration/configuration.ts';
import { escapedPath } from '../configuration/database-host.ts';
import { displayName } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import {
  because,
  type GivenRoles,
  type MemberApplication,
  type MemberSessions,
  mailsIn,
  nobody,
  rolesIf,
  type SiteDatabase,
  type SiteFolder,
  textsOf,
} from './application.ts';
import { withoutEntities } from './entities.ts';

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
}

type Engine = { is: 'db' } | { is: 'file'; url: string } | { is: 'redis'; url: string };

/** PHP's default. */
const usualLifetime = 1440;

const instead = 'its value in config.php itself';

/**
 * OpenCart 3 and 4: system/library/session.php and session/*.php, system/library/cart/customer.php,
 * catalog/controller/startup/session.php, system/config/*.php.
 */
export const opencart: MemberApplication<Found, Found> = {
  kind: 'opencart',
  title: 'OpenCart',

  async find(folder, { cookieName, admins, moderators, store }) {
    if (!(await folder.has('config.php')) || !(await folder.has('index.php'))) return null;
    const [, version] = /define\('VERSION', *'(\d+)\./.exec(await folder.text('index.php')) ?? [];
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
      lifetime: isFour ? expire || usualLifetime : await lifetimeOfPhp(folder),
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

  settings({ prefix }, { quote }) {
    const names = ['config_session_expire'];
    return {
      view: 'chat_opencart_settings',
      columns: { value: 'text' },
      names,
      select: `SELECT s.${quote}key${quote} AS name, s.value AS value FROM ${prefix}setting s WHERE s.store_id = 0 AND s.code = 'config' AND s.${quote}key${quote} IN ('${names.join("', '")}')`,
    };
  },

  site(found, settings) {
    const expire = Number(settings.get('config_session_expire')?.value?.toString('utf8') ?? '');
    return expire > 0 ? { ...found, lifetime: expire } : found;
  },

  sessions({ cookieName, sessions, store, prefix, lifetime }): MemberSessions {
    const table = `${prefix}session`;
    const inTable = {
      view: 'chat_opencart_sessions',
      table,
      columns: {},
      select: `SELECT s.session_id AS session_id, s.data AS data, s.expire AS expire FROM ${table} s`,
      options: 'id=session_id&data=data&expires=expire&expires_unit=utc&format=json',
      renewed: { id: 'session_id', column: 'expire' },
    };
    const inFiles = (url: string) => `${url}&lifetime=${Math.min(lifetime, 999_999_999)}`;
    return {
      cookie: { name: cookieName, idIn: (value) => (isId(value) ? value : null) },
      store:
        store ??
        (sessions.is === 'db' ? inTable : sessions.is === 'file' ? inFiles(sessions.url) : sessions.url),
      ids: ['customer_id'],
      proof: ['customer_id'],
    };
  },

  mails: ({ prefix }) => mailsIn('chat_opencart_mails', `${prefix}customer`, 'customer_id', 'email'),

  logins({ prefix }, { lines }) {
    const groups = `SELECT ${lines('d.name')} FROM ${prefix}customer_group_description d WHERE d.customer_group_id = c.customer_group_id`;
    return {
      customers: {
        view: 'chat_opencart',
        id: 'customer_id',
        lookup: 'customer_id',
        columns: { customer_id: 'text', firstname: 'text', status: 'text', group_names: 'text' },
        select: `SELECT c.customer_id AS customer_id, c.firstname AS firstname, c.status AS status, (${groups}) AS group_names FROM ${prefix}customer c`,
      },
    };
  },

  claim(_, { secrets, proof: [customer] }) {
    return customer && /^[1-9]\d{0,17}$/.test(customer)
      ? { table: 'customers', lookup: customer, secrets }
      : because('the session names no customer');
  },

  judge(site, { lookup: id }, row) {
    const text = textsOf(row);
    if (row === null) return nobody('the customer has been deleted');
    if (text('status') !== '1') return nobody('the customer is disabled there, or not yet approved');
    const groups = text('group_names').split('\n').map(withoutEntities);
    const isOne = (wanted: readonly string[] = []) => wanted.some((name) => groups.includes(name));
    const user: SessionUser = {
      id,
      name: displayName(withoutEntities(text('firstname'))) || id,
      ...rolesIf(isOne(site.admins), isOne(site.moderators)),
    };
    return { state: 'user', user };
  },

  async portrait(folder) {
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

const isId = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9,-]{22,52}$/.test(value);

/** `session.gc_maxlifetime`, which OpenCart 3 takes; PHP's default where no PHP is known. */
async function lifetimeOfPhp(folder: SiteFolder): Promise<number> {
  try {
    return Number((await folder.settings()).get('session.gc_maxlifetime').value) || usualLifetime;
  } catch (error) {
    if (error instanceof ConfigurationError) return usualLifetime;
    throw error;
  }
}

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
        `OpenCart’s session_engine is ${JSON.stringify(engine)}, which is not read: set CHAT_SESSION_STORE`,
      );
  }
}

function databaseOf(configuration: Configuration): SiteDatabase {
  const text = (name: string) => asText(configuration.constant(name, 'CHAT_SITE_DATABASE')) ?? '';
  const driver = text('DB_DRIVER').toLowerCase();
  if (!/^(mysqli|mpdo|pdo|pgsql)$/.test(driver) && driver !== '')
    throw new ConfigurationError(`${configuration.file}: the database driver ${driver} is not known`);
  const port = Number(text('DB_PORT'));
  return {
    kind: driver === 'pgsql' ? 'postgres' : 'mysql',
    place: {
      user: text('DB_USERNAME'),
      password: text('DB_PASSWORD'),
      hosts: [{ host: text('DB_HOSTNAME') || 'localhost', ...(port > 0 ? { port } : {}) }],
      path: `/${text('DB_DATABASE')}`,
    },
    charset: 'utf8',
  };
}
