/**
 * Customers of Magento 2 and Mage-OS.
 *
 * - The cookie `PHPSESSID` is the id of a PHP session in files, Redis or the table `session`, where later versions hash
 *   it: Framework/Session/SaveHandler/DbTable.php; for Redis the library colinmollenhour/php-redis-session-abstract.
 * - The session has `customer_WEBSITE.customer_id`, or `customer.customer_id` if all websites share customers:
 *   Customer/Model/Session.php, Session/Storage.php.
 * - A session ends at a logout, `web/cookie/cookie_lifetime` after the last page view, and with another address or
 *   browser if settings require it: Framework/Session/Validator.php. A replaced id works for the cookie lifetime
 *   after its replacement: Framework/Session/SessionManager.php.
 * - A new password sets `customer_entity.session_cutoff`, which ends older sessions:
 *   Customer/Model/Session/SessionCleaner.php, Session/Validators/CutoffValidator.php, Visitor.php.
 * - The customer must be active, and confirmed if the website asks: Customer/Model/AccountConfirmation.php.
 */

import { createHmac } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { asText, type Configuration, ConfigurationError, isTrue } from '../configuration/configuration.ts';
import {
  escapePath,
  joinHostAndPort,
  parseDatabaseHost,
  type SiteDatabase,
  serverDatabase,
} from '../configuration/database-host.ts';
import { parseCookieForm } from '../cookie.ts';
import { FormatError } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import { decompress, type Layer } from '../layers/layers.ts';
import { type Credentials, notLoggedIn, type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import type { MemberApplication, MemberSessions, SiteFiles } from './application.ts';
import { addressHint, type Claim, enableHint, rejectFinally, toRoles } from './claim.ts';
import { unmapIpv4 } from './ip-address.ts';
import { findRoot, matchFile, type SiteFolder } from './site-folder.ts';
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

/** Values of app/etc/env.php and config.php, and options. */
interface Files extends SiteFiles {
  cookieName: string;
  sessions: SessionStorage;
  /** Settings in the files. They take precedence over the database. */
  fixed: Readonly<Record<string, string | null>>;
  /** This version ends other sessions when the password changes. */
  hasCutoff: boolean;
  /** The option `siteChecks`. */
  checks: boolean;
}

/** `key` hashes the ids in the table; null if this version does not hash them. */
type SessionStorage = { is: 'db'; key: Buffer | null } | { is: 'url'; url: string; expires: boolean };

interface Site extends Files {
  /** The session expires this many seconds after the last page view. 0 if only the store limits it. */
  lifetime: number;
  /** The session keys with customers: one for each website, the default website first, or one for all. */
  namespaces: readonly string[];
  useAddress: boolean;
  useAgent: boolean;
  /** Whether customers must confirm their mail addresses, by website id. */
  confirms: { websites: Readonly<Record<string, boolean>>; others: boolean };
}

interface CustomerClaim extends Claim {
  customer: string;
  /** When a replaced session id ends, in seconds since 1970. */
  ends?: number;
  /** `address` or `browser`, if that differs from the request that began the session. */
  differs?: string;
}

/** Whether customers must confirm a mail address: a new customer's, and in later versions a changed one. */
const confirmationSettings = [
  'customer/create_account/confirm',
  'customer/account_information/confirm',
] as const;

/** Settings with Magento's defaults. */
const settings = {
  'customer/create_account/confirm': '0',
  'customer/account_information/confirm': '0',
  'web/cookie/cookie_lifetime': '3600',
  'customer/account_share/scope': '1',
  'web/session/use_remote_addr': '0',
  'web/session/use_http_user_agent': '0',
};

type Setting = keyof typeof settings;

const names = Object.keys(settings) as Setting[];

/** Value of `customer/account_share/scope`: all websites share the customers. */
const sharedAccounts = '0';

/**
 * Keys that mark a session whose customer has not logged in. The persistent cart sets the first key, and “Login as Customer”
 * for administrators the others, in two spellings (SetLoggedAsCustomerAdminId.php).
 */
const foreignLoginKeys = [
  'is_customer_emulated',
  'logged_as_customer_admind_id',
  'logged_as_customer_admin_id',
];

const proof = [
  'destroyed',
  'default.visitor_data.visitor_id',
  'default.visitor_data.customer_id',
  '_session_validator_data.remote_addr',
  '_session_validator_data.http_user_agent',
] as const;

/** User agents that Magento accepts in any session: Magento/Store/etc/di.xml. */
const anyAgent = /Shockwave Flash|Adobe Flash Player\s+\w{1,10}/iu;

export const magento: MemberApplication<Files, Site, CustomerClaim> = {
  kind: 'magento',
  title: 'Magento',

  async find(folder, { cookieName, checks, admins, moderators, team, store }) {
    const root = await findRoot(
      folder,
      'pub',
      async (root) =>
        (await folder.has(`${root}/app/etc/env.php`)) && (await folder.has(`${root}/bin/magento`)),
    );
    if (root === null) return null;
    const env = await folder.php(`${root}/app/etc/env.php`);
    const files = [env];
    if (await folder.has(`${root}/app/etc/config.php`))
      files.push(await folder.php(`${root}/app/etc/config.php`));
    const prefix = asText(env.returned(['db', 'table_prefix'], 'a literal value in env.php')) ?? '';
    return {
      database: readDatabase(env),
      prefix: requirePrefix(prefix, `${env.file}: table_prefix`),
      cookieName: cookieName ?? 'PHPSESSID',
      sessions:
        store === undefined
          ? await readStorage(folder, root, env)
          : { is: 'url', url: store, expires: /[?&]lifetime=/.test(store) },
      fixed: Object.fromEntries(names.map((name) => [name, readFileSetting(files, name)])),
      hasCutoff: await hasCode(folder, root, 'Customer/Model/Session/Validators/CutoffValidator.php', /./),
      checks: checks ?? true,
      admins,
      moderators,
      team,
    };
  },

  settings({ prefix }, { lines }) {
    const listed = (paths: readonly string[]) => paths.map((path) => `'${path}'`).join(', ');
    const confirms = `SELECT 'confirms', ${lines("CONCAT(d.scope_id, ' ', d.path, ' ', COALESCE(d.value, ''))")} FROM ${prefix}core_config_data d WHERE d.scope = 'websites' AND d.path IN (${listed(confirmationSettings)})`;
    const website = `FROM ${prefix}store_website w WHERE w.website_id > 0`;
    return {
      view: 'chat_magento_settings',
      columns: { value: 'text' },
      names: [...names, 'website', 'websites', 'confirms'],
      select: `SELECT d.path AS name, d.value AS value FROM ${prefix}core_config_data d WHERE d.scope = 'default' AND d.scope_id = 0 AND d.path IN (${listed(names)}) UNION ALL SELECT 'website', w.code ${website} AND w.is_default = 1 UNION ALL SELECT 'websites', ${lines('w.code')} ${website} UNION ALL ${confirms}`,
    };
  },

  site(found, table) {
    const text = settingTexts(table);
    const value = (name: Setting) => found.fixed[name] ?? (text(name) || settings[name]);
    const codes = [...new Set([text('website'), ...text('websites').split('\n')])];
    const usable = codes.filter((code) => /^[A-Za-z]\w*$/.test(code));
    if (usable.length === 0)
      throw new StoreError('Magento has no website in its table store_website: is it installed?');
    const lines = text('confirms').split('\n').filter(Boolean);
    const ofWebsites = lines.map((line) => line.split(' '));
    const confirmsOn = (website?: string) =>
      confirmationSettings.some((path) =>
        isTrue(ofWebsites.find(([id, of]) => id === website && of === path)?.[2] ?? value(path)),
      );
    return {
      ...found,
      lifetime: Math.max(0, Number.parseInt(value('web/cookie/cookie_lifetime'), 10) || 0),
      namespaces:
        value('customer/account_share/scope') === sharedAccounts
          ? ['customer']
          : usable.map((code) => `customer_${code}`),
      useAddress: isTrue(value('web/session/use_remote_addr')),
      useAgent: isTrue(value('web/session/use_http_user_agent')),
      confirms: {
        websites: Object.fromEntries(ofWebsites.map(([id = '']) => [id, confirmsOn(id)])),
        others: confirmsOn(),
      },
    };
  },

  keys: ({ sessions }) => (sessions.is === 'db' ? sessions.key : null),

  sessions({ cookieName, sessions, prefix, lifetime, namespaces }): MemberSessions {
    const plain = parseCookieForm('plain', cookieName);
    const toPaths = (key: string) => namespaces.map((namespace) => `${namespace}.${key}`);
    const paths = { ids: toPaths('customer_id') as [string], layer: compression };
    const all = { ...paths, proof: [...proof, ...['customer_id', ...foreignLoginKeys].flatMap(toPaths)] };
    if (sessions.is === 'url') {
      const { url, expires } = sessions;
      return { ...all, cookie: plain, store: expires ? url : `${url}&lifetime=${lifetime}` };
    }
    const { key } = sessions;
    const hashed = (id: string) => (key === null ? id : createHmac('sha256', key).update(id).digest('hex'));
    const table = `${prefix}session`;
    return {
      ...all,
      cookie: {
        name: cookieName,
        expected: plain.expected,
        idIn(value) {
          const id = plain.idIn(value);
          return id === null ? null : hashed(id);
        },
      },
      store: {
        view: 'chat_magento_sessions',
        table,
        columns: {},
        select: `SELECT s.session_id AS session_id, s.session_data AS session_data, s.session_expires AS session_expires FROM ${table} s`,
        options: `id=session_id&data=session_data&last=session_expires&lifetime=${lifetime}&layers=base64`,
        renewed: { id: 'session_id', column: 'session_expires' },
      },
    };
  },

  mails: (site) => selectMails('chat_magento_mails', openAccountsSql(site), 'entity_id', 'email'),

  accounts: (site) =>
    selectAccounts('chat_magento_accounts', openAccountsSql(site), {
      id: 'c.entity_id',
      name: 'c.firstname',
    }),

  logins({ prefix, hasCutoff }): Record<string, LoginTable> {
    const group = `(SELECT g.customer_group_code FROM ${prefix}customer_group g WHERE g.customer_group_id = c.group_id) AS group_name`;
    const own = `c.firstname AS firstname, c.is_active AS is_active, c.confirmation AS confirmation, c.website_id AS website_id, ${group}`;
    const columns = texts(
      ...['customer_id', 'firstname', 'is_active', 'confirmation', 'website_id', 'group_name'],
    );
    const tables = [`${prefix}customer_entity`, `${prefix}customer_group`];
    const customers = seldomChanged(
      {
        view: 'chat_magento',
        id: 'customer_id',
        lookup: 'customer_id',
        columns,
        select: `SELECT c.entity_id AS customer_id, ${own} FROM ${prefix}customer_entity c`,
      },
      tables,
    );
    if (!hasCutoff) return { customers };
    return {
      customers,
      // `tables` lacks the visitors' table, because each page view changes it. This misses nothing, because `created_at`
      // changes only together with the customer's cutoff, and another customer has another session.
      visitors: seldomChanged(
        {
          view: 'chat_magento_visitors',
          id: 'visitor_id',
          lookup: 'visitor_id',
          columns: { ...texts('visitor_id', 'begun', 'cutoff'), ...columns },
          select: `SELECT v.visitor_id AS visitor_id, UNIX_TIMESTAMP(v.created_at) AS begun, c.entity_id AS customer_id, UNIX_TIMESTAMP(c.session_cutoff) AS cutoff, ${own} FROM ${prefix}customer_visitor v JOIN ${prefix}customer_entity c ON c.entity_id = v.customer_id`,
        },
        tables,
      ),
    };
  },

  claim(site, { secrets, proof: [destroyed, visitor, ofVisitor, address, agent, ...more] }, from) {
    const { namespaces, lifetime, hasCutoff } = site;
    const isSet = (name: number, n: number) => isTrue(more[name * namespaces.length + n] ?? '');
    const index = namespaces.findIndex(
      (_, n) => isNumber(more[n]) && !foreignLoginKeys.some((_, mark) => isSet(mark + 1, n)),
    );
    const customer = more[index];
    if (!customer) return notLoggedIn('the session does not name a customer who has logged in');
    const differs = findDifference(site, { address, agent }, from);
    const claim: CustomerClaim = {
      ...{ table: 'customers', lookup: customer, secrets, customer },
      ends: destroyed ? Number(destroyed) + lifetime : undefined,
      differs: differs ?? undefined,
    };
    if (!hasCutoff || ofVisitor !== customer || !isNumber(visitor)) return claim;
    // The visitor's row has the session's beginning. Magento deletes old rows.
    return { ...claim, table: 'visitors', lookup: visitor, fallback: claim };
  },

  checkRow(site, { customer: id, table, ends, differs }, row, now) {
    const text = textsOf(row);
    if (differs !== undefined) {
      return rejectFinally(`the session started with another ${differs}`, addressHint());
    }
    if (ends !== undefined && now > ends) return rejectFinally('the session has a new id');
    if (row === null || text('customer_id') !== id) return notLoggedIn('the customer has been deleted');
    if (table === 'visitors' && row.cutoff && row.begun && Number(text('cutoff')) > Number(text('begun')))
      return rejectFinally('the site has ended the session, for example after a new password');
    if (text('is_active') !== '1') return rejectFinally('the customer is disabled on the site', enableHint);
    // Magento keeps `confirmation` even if it no longer asks for confirmation.
    const mustConfirm = site.confirms.websites[text('website_id')] ?? site.confirms.others;
    if (mustConfirm && text('confirmation') !== '')
      return rejectFinally('the mail address of the customer is not confirmed');
    const group = text('group_name');
    const user: SessionUser = {
      id,
      name: displayName(text('firstname')) || id,
      ...toRoles(site.admins?.includes(group), site.moderators?.includes(group), site.team?.includes(group)),
    };
    return { state: 'user', user, idle: ends === undefined ? undefined : ends + 1 };
  },

  async describe(_, { prefix }, ask) {
    const value = async (path: string) =>
      (await ask(
        `SELECT value FROM ${prefix}core_config_data WHERE scope = 'default' AND scope_id = 0 AND path = '${path}'`,
      )) ?? '';
    const urls = [await value('web/secure/base_url'), await value('web/unsecure/base_url')];
    const address = urls.find((url) => URL.canParse(url));
    return {
      address,
      login: 'customer/account/login/',
      cookie: {
        path: (await value('web/cookie/cookie_path')) || (address ? new URL(address).pathname : '/'),
        domain: await value('web/cookie/cookie_domain'),
        secure: /^https:/.test(address ?? '') && urls[0] === urls[1],
      },
    };
  },
};

const isNumber = (text: string | null | undefined): text is string => /^[1-9]\d{0,17}$/.test(text ?? '');

/** Returns what differs from the request that began the session; null if nothing does. */
function findDifference(
  { checks, useAddress, useAgent }: Site,
  begun: { address: string | null | undefined; agent: string | null | undefined },
  { address = '', userAgent = '' }: Pick<Credentials, 'address' | 'userAgent'>,
): string | null {
  if (!checks) return null;
  if (useAddress && begun.address !== unmapIpv4(address)) return 'address';
  return useAgent && begun.agent !== userAgent && !anyAgent.test(userAgent) ? 'browser' : null;
}

/** Composer's folders for the packages of Magento and Mage-OS. */
const vendors = ['vendor/magento', 'vendor/mage-os'];

/**
 * Whether a file of Magento's code matches a pattern. Composer and the repository have different folders.
 * @throws ConfigurationError if the package is missing, because the site would pass for an old version, which checks less
 */
async function hasCode(folder: SiteFolder, root: string, file: string, pattern: RegExp): Promise<boolean> {
  const [module = '', ...rest] = file.split('/');
  const isFramework = module === 'Framework';
  const name = isFramework ? 'framework' : `module-${module.toLowerCase()}`;
  const own = isFramework ? 'lib/internal/Magento' : 'app/code/Magento';
  for (const place of [...vendors.map((vendor) => `${vendor}/${name}`), `${own}/${module}`]) {
    // All packages of all versions have this file.
    if (!(await folder.has(`${root}/${place}/registration.php`))) continue;
    const path = `${root}/${place}/${rest.join('/')}`;
    return (await matchFile(folder, path, pattern)) !== null;
  }
  throw new ConfigurationError(
    `${root}: Magento's ${name} is in none of the folders ${vendors.join(', ')} and ${own}, so its version is not known`,
  );
}

/** Reads a setting for all websites from the files. Null if no file has it. */
function readFileSetting(files: readonly Configuration[], name: Setting): string | null {
  for (const file of files) {
    const value = asText(file.returned(['system', 'default', ...name.split('/')], 'a literal value'));
    if (value !== null) return value;
  }
  return null;
}

async function readStorage(folder: SiteFolder, root: string, env: Configuration): Promise<SessionStorage> {
  const value = (...keys: string[]) => asText(env.returned(['session', ...keys], option('store'))) ?? '';
  const save = value('save') || 'files';
  switch (save) {
    case 'db': {
      const hashes = await hasCode(
        folder,
        root,
        'Framework/Session/SaveHandler/DbTable.php',
        /encryptor->hash/,
      );
      return { is: 'db', key: hashes ? readKey(env) : null };
    }
    case 'files':
      return { is: 'url', url: await toFilesUrl(folder, root, env.file, value('save_path')), expires: false };
    case 'redis':
    case 'valkey':
      return { is: 'url', url: toRedisUrl(env.file, (key) => value(save, key)), expires: true };
    default:
      throw new ConfigurationError(
        `${env.file}: sessions with ${JSON.stringify(save)} are not supported: set ${option('store')}`,
      );
  }
}

/** Reads the last key, with which Magento encrypts and hashes. @throws ConfigurationError if there is none */
function readKey(env: Configuration): Buffer {
  const keys = (asText(env.returned(['crypt', 'key'], option('store'))) ?? '').trim().split(/\s+/);
  const key = keys.at(-1) ?? '';
  if (key === '') throw new ConfigurationError(`${env.file}: crypt.key is missing`);
  return key.startsWith('base64') ? Buffer.from(key.slice(6), 'base64') : Buffer.from(key);
}

/**
 * Returns the store URL of session files.
 * @param given `session.save_path` of env.php, which replaces PHP's. If neither is set, Magento has its own folder.
 */
async function toFilesUrl(folder: SiteFolder, root: string, file: string, given: string): Promise<string> {
  const own = given || (await readPhpSavePath(folder, file)) || `${root}/var/session`;
  const [, depth, path = own] = /^(\d);(?:\d+;)?(.*)$/.exec(own) ?? [];
  return `file://${escapePath(path)}?format=php${depth === undefined ? '' : `&depth=${depth}`}`;
}

async function readPhpSavePath(folder: SiteFolder, file: string): Promise<string> {
  try {
    return (await folder.settings()).get('session.save_path', option('store')).value;
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new ConfigurationError(
      `${file} has no session.save_path, and PHP's is not known (${cause.message}): set ${option('store')}`,
      { cause },
    );
  }
}

function toRedisUrl(file: string, value: (key: string) => string): string {
  if (value('sentinel_servers') !== '' || value('sentinel_master') !== '')
    throw new ConfigurationError(`${file}: the sessions are behind Redis Sentinel: set ${option('store')}`);
  const library = value('compression_library');
  if (!['', 'gzip', 'none'].includes(library))
    throw new ConfigurationError(
      `${file}: sessions compressed with ${JSON.stringify(library)} are not supported: set compression_library to gzip`,
    );
  const [, scheme = '', host = '', port = value('port') || '6379'] =
    // `Credis_Client::convertHost()`: an identifier of the connection may follow the port.
    /^(?:(tcp|tls|ssl|tlsv\d(?:\.\d)?|unix):\/\/)?(.*?)(?::(\d+)(?:\/.+)?)?$/.exec(
      value('host') || '127.0.0.1',
    ) ?? [];
  const password = value('password');
  const login =
    password === '' ? '' : `${encodeURIComponent(value('username'))}:${encodeURIComponent(password)}@`;
  const isSecure = /^(?:tls|ssl)/.test(scheme);
  const at = host.startsWith('/') ? escapePath(host) : joinHostAndPort(host, port);
  return `${isSecure ? 'rediss' : 'redis'}://${login}${at}?prefix=sess_&field=data&format=php&database=${value('database') || '0'}`;
}

/** The libraries by the mark before the data. */
const unsupportedCompressions: Readonly<Record<string, string>> = {
  ':sn:': 'snappy',
  ':lz:': 'lzf',
  ':l4:': 'lz4',
};

/** Compressed sessions in Redis begin with a mark of the library. */
const compression: Layer = {
  name: 'magento',
  unwrap(bytes) {
    const mark = bytes.toString('latin1', 0, 4);
    if (Object.hasOwn(unsupportedCompressions, mark))
      throw new FormatError(`compressed with ${unsupportedCompressions[mark]}, which is not supported`);
    return mark === ':gz:' ? decompress(inflateSync, bytes.subarray(4)) : bytes;
  },
};

function readDatabase(env: Configuration): SiteDatabase {
  const text = (name: string) =>
    asText(env.returned(['db', 'connection', 'default', name], option('siteDatabase'))) ?? '';
  const given = text('host');
  return serverDatabase({
    ...parseDatabaseHost(given.startsWith('/') ? `:${given}` : given),
    user: text('username'),
    password: text('password'),
    name: text('dbname'),
  });
}

/** Returns the SQL for customers who are active, and have confirmed their mail address if Magento asks for that. */
function openAccountsSql({ prefix, confirms: { websites, others } }: Site): string {
  const ofWebsites = Object.entries(websites)
    // Only numbers may become part of the SQL.
    .filter(([id]) => isNumber(id))
    .map(([id, isAsked]) => ` WHEN website_id = ${id} THEN ${Number(!isAsked)}`);
  const counts = `CASE WHEN COALESCE(confirmation, '') = '' THEN 1${ofWebsites.join('')} ELSE ${Number(!others)} END`;
  return `${prefix}customer_entity AS c WHERE is_active = 1 AND ${counts} = 1`;
}
