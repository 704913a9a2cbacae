import { createHmac } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { asText, type Configuration, ConfigurationError, isTrue } from '../configuration/configuration.ts';
import { databaseHost, escapedPath, hostAndPort, serverDatabase } from '../configuration/database-host.ts';
import { parseCookieForm } from '../cookie.ts';
import { FormatError } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import { inflated, type Layer } from '../layers/layers.ts';
import { type Credentials, type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import {
  addressHint,
  type Claim,
  findRoot,
  type GivenRoles,
  type MemberApplication,
  type MemberSessions,
  notLoggedIn,
  rejectFinally,
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

/** The values of app/etc/env.php and config.php. */
interface Found extends GivenRoles {
  database: SiteDatabase;
  prefix: string;
  cookieName: string;
  sessions: Handler;
  /** Settings that stand in the files, and count before those in the database. */
  fixed: Readonly<Record<string, string | null>>;
  /** A new password ends the other sessions. */
  hasCutoff: boolean;
  checks: boolean;
}

/** Where the sessions are: `db` with the key that hashes their ids, or without. */
type Handler = { is: 'db'; key: Buffer | null } | { is: 'url'; url: string; expires: boolean };

interface Site extends Found {
  /** Seconds after the last page view; 0: as long as the store keeps it. */
  lifetime: number;
  /** The parts of a session with the customer of each website, the one of the default website first. */
  namespaces: readonly string[];
  useAddress: boolean;
  useAgent: boolean;
  /** Whether customers have to confirm their mail addresses, by the ids of websites, and on the others. */
  confirms: { websites: Readonly<Record<string, boolean>>; others: boolean };
}

interface Member extends Claim {
  customer: string;
  /** The end of an id that has been replaced, in seconds since 1970. */
  ends?: number;
  /** Names what is not as at the session's beginning: the address or the browser. */
  differs?: string;
}

/** Whether a mail address is to be confirmed: that of a new customer, and in later versions a changed one. */
const confirmations = ['customer/create_account/confirm', 'customer/account_information/confirm'] as const;

/** The settings, with the defaults of Magento. */
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

/** The ids of the customers are the same on all websites. */
const sharedAccounts = '0';

/**
 * Marks of a session whose customer has not logged in: the persistent cart greets the customer, or an administrator is
 * there by “Login as Customer” (in two spellings: SetLoggedAsCustomerAdminId.php).
 */
const marks = ['is_customer_emulated', 'logged_as_customer_admind_id', 'logged_as_customer_admin_id'];

const proof = [
  'destroyed',
  'default.visitor_data.visitor_id',
  'default.visitor_data.customer_id',
  '_session_validator_data.remote_addr',
  '_session_validator_data.http_user_agent',
] as const;

/** User agents that Magento accepts beside that of the session's beginning: Magento/Store/etc/di.xml. */
const anyAgent = /Shockwave Flash|Adobe Flash Player\s+\w{1,10}/iu;

/**
 * Magento 2: Framework/Session/SessionManager.php, Validator.php, SaveHandler/DbTable.php,
 * Customer/Model/Session.php, Session/Storage.php, Session/SessionCleaner.php, Session/Validators/CutoffValidator.php,
 * Customer/Model/Visitor.php, AccountConfirmation.php; for Redis colinmollenhour/php-redis-session-abstract.
 */
export const magento: MemberApplication<Found, Site, Member> = {
  kind: 'magento',
  title: 'Magento',

  async find(folder, { cookieName, checks, admins, moderators, store }) {
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
    const prefix = asText(env.returned(['db', 'table_prefix'], 'its value in env.php itself')) ?? '';
    if (!/^\w{0,48}$/.test(prefix))
      throw new ConfigurationError(`${env.file}: table_prefix has other characters than A-Z a-z 0-9 _`);
    return {
      database: databaseOf(env),
      prefix,
      cookieName: cookieName ?? 'PHPSESSID',
      sessions:
        store === undefined
          ? await handlerOf(folder, root, env)
          : { is: 'url', url: store, expires: /[?&]lifetime=/.test(store) },
      fixed: Object.fromEntries(names.map((name) => [name, fixedIn(files, name)])),
      hasCutoff: await codeHas(folder, root, 'Customer/Model/Session/Validators/CutoffValidator.php', /./),
      checks: checks ?? true,
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

  settings({ prefix }, { lines }) {
    const listed = (paths: readonly string[]) => paths.map((path) => `'${path}'`).join(', ');
    const confirms = `SELECT 'confirms', ${lines("CONCAT(d.scope_id, ' ', d.path, ' ', COALESCE(d.value, ''))")} FROM ${prefix}core_config_data d WHERE d.scope = 'websites' AND d.path IN (${listed(confirmations)})`;
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
      confirmations.some((path) =>
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
    const of = (key: string) => namespaces.map((namespace) => `${namespace}.${key}`);
    const paths = { ids: of('customer_id') as [string], layer: uncompressed };
    const all = { ...paths, proof: [...proof, ...['customer_id', ...marks].flatMap(of)] };
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

  mails: (site) => selectMails('chat_magento_mails', openAccounts(site), 'entity_id', 'email'),

  accounts: (site) =>
    selectAccounts('chat_magento_accounts', openAccounts(site), { id: 'c.entity_id', name: 'c.firstname' }),

  logins({ prefix, hasCutoff }) {
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
      // Each page view writes into the rows of the visitors. It changes nothing that counts: `created_at` only rises, beside a
      // new cutoff of the customer, and another customer has another session.
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
    const has = (name: number, n: number) => isTrue(more[name * namespaces.length + n] ?? '');
    const which = namespaces.findIndex(
      (_, n) => isNumber(more[n]) && !marks.some((_, mark) => has(mark + 1, n)),
    );
    const customer = more[which];
    if (!customer) return notLoggedIn('the session names no customer, or one who has not logged in');
    const differs = differing(site, { address, agent }, from);
    const claim: Member = {
      ...{ table: 'customers', lookup: customer, secrets, customer },
      ...(destroyed ? { ends: Number(destroyed) + lifetime } : {}),
      ...(differs === null ? {} : { differs }),
    };
    if (!hasCutoff || ofVisitor !== customer || !isNumber(visitor)) return claim;
    // The row of the visitor says when the session was begun. Magento clears such rows away.
    return { ...claim, table: 'visitors', lookup: visitor, fallback: claim };
  },

  checkRow(site, { customer: id, table, ends, differs }, row, now) {
    const text = textsOf(row);
    if (differs !== undefined) {
      return rejectFinally(`the session was begun with another ${differs}`, addressHint());
    }
    if (ends !== undefined && now > ends) return rejectFinally('the session has got another id since');
    if (row === null || text('customer_id') !== id) return notLoggedIn('the customer has been deleted');
    if (table === 'visitors' && row.cutoff && row.begun && Number(text('cutoff')) > Number(text('begun')))
      return rejectFinally('the session has ended there, as at a new password');
    if (text('is_active') !== '1') return rejectFinally('the customer is disabled there');
    // Magento leaves the key where it has stopped asking for it.
    const isAsked = site.confirms.websites[text('website_id')] ?? site.confirms.others;
    if (isAsked && text('confirmation') !== '')
      return rejectFinally('the mail address of the customer is not confirmed');
    const group = text('group_name');
    const user: SessionUser = {
      id,
      name: displayName(text('firstname')) || id,
      ...toRoles(site.admins?.includes(group), site.moderators?.includes(group)),
    };
    return { state: 'user', user, ...(ends === undefined ? {} : { idle: ends + 1 }) };
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

/** Names what is not as at the session's beginning; null if nothing differs. */
function differing(
  { checks, useAddress, useAgent }: Site,
  begun: { address: string | null | undefined; agent: string | null | undefined },
  { address = '', userAgent = '' }: Pick<Credentials, 'address' | 'userAgent'>,
): string | null {
  if (!checks) return null;
  if (useAddress && begun.address !== address.replace(/^::ffff:(?=\d+\.)/i, '')) return 'address';
  return useAgent && begun.agent !== userAgent && !anyAgent.test(userAgent) ? 'browser' : null;
}

/** Folders of Composer's packages: those of Magento and of Mage-OS. */
const vendors = ['vendor/magento', 'vendor/mage-os'];

/**
 * Whether a file of Magento's own code has such a text. Composer has it in other folders than the repository.
 * @throws ConfigurationError if its package is in none of them: it would look like an old version, which compares less
 */
async function codeHas(folder: SiteFolder, root: string, file: string, what: RegExp): Promise<boolean> {
  const [module = '', ...rest] = file.split('/');
  const isFramework = module === 'Framework';
  const name = isFramework ? 'framework' : `module-${module.toLowerCase()}`;
  const own = isFramework ? 'lib/internal/Magento' : 'app/code/Magento';
  for (const place of [...vendors.map((vendor) => `${vendor}/${name}`), `${own}/${module}`]) {
    // Each version of each package has it.
    if (!(await folder.has(`${root}/${place}/registration.php`))) continue;
    const path = `${root}/${place}/${rest.join('/')}`;
    return (await folder.has(path)) && what.test(await folder.text(path));
  }
  throw new ConfigurationError(
    `${root}: Magento's ${name} is in none of the folders ${vendors.join(', ')} and ${own}, so its version is not known`,
  );
}

/** A setting that a file has for all websites. */
function fixedIn(files: readonly Configuration[], name: Setting): string | null {
  for (const file of files) {
    const value = asText(file.returned(['system', 'default', ...name.split('/')], 'its value itself'));
    if (value !== null) return value;
  }
  return null;
}

async function handlerOf(folder: SiteFolder, root: string, env: Configuration): Promise<Handler> {
  const value = (...keys: string[]) => asText(env.returned(['session', ...keys], option('store'))) ?? '';
  const save = value('save') || 'files';
  switch (save) {
    case 'db': {
      const hashes = await codeHas(
        folder,
        root,
        'Framework/Session/SaveHandler/DbTable.php',
        /encryptor->hash/,
      );
      return { is: 'db', key: hashes ? keyOf(env) : null };
    }
    case 'files':
      return { is: 'url', url: await filesOf(folder, root, env.file, value('save_path')), expires: false };
    case 'redis':
    case 'valkey':
      return { is: 'url', url: redisOf(env.file, (key) => value(save, key)), expires: true };
    default:
      throw new ConfigurationError(
        `${env.file}: sessions with ${JSON.stringify(save)} are not read: set ${option('store')}`,
      );
  }
}

/** The last key, by which Magento encrypts and hashes. */
function keyOf(env: Configuration): Buffer {
  const keys = (asText(env.returned(['crypt', 'key'], option('store'))) ?? '').trim().split(/\s+/);
  const key = keys.at(-1) ?? '';
  if (key === '') throw new ConfigurationError(`${env.file}: there is no crypt.key`);
  return key.startsWith('base64') ? Buffer.from(key.slice(6), 'base64') : Buffer.from(key);
}

/** `session.save_path` of env.php, else that of PHP, else a folder of Magento. */
async function filesOf(folder: SiteFolder, root: string, file: string, given: string): Promise<string> {
  const own = given || (await phpSavePath(folder, file)) || `${root}/var/session`;
  const [, depth, path = own] = /^(\d);(?:\d+;)?(.*)$/.exec(own) ?? [];
  return `file://${escapedPath(path)}?format=php${depth === undefined ? '' : `&depth=${depth}`}`;
}

async function phpSavePath(folder: SiteFolder, file: string): Promise<string> {
  try {
    return (await folder.settings()).get('session.save_path', option('store')).value;
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new ConfigurationError(
      `${file} has no session.save_path, and that of PHP is not known (${cause.message}): set ${option('store')}`,
      { cause },
    );
  }
}

function redisOf(file: string, value: (key: string) => string): string {
  if (value('sentinel_servers') !== '' || value('sentinel_master') !== '')
    throw new ConfigurationError(`${file}: the sessions are behind Redis Sentinel: set ${option('store')}`);
  const library = value('compression_library');
  if (!['', 'gzip', 'none'].includes(library))
    throw new ConfigurationError(
      `${file}: sessions that are compressed with ${JSON.stringify(library)} are not read: set compression_library to gzip`,
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
  const at = host.startsWith('/') ? escapedPath(host) : hostAndPort(host, port);
  return `${isSecure ? 'rediss' : 'redis'}://${login}${at}?prefix=sess_&field=data&format=php&database=${value('database') || '0'}`;
}

/** The marks before what another library has compressed. */
const others: Readonly<Record<string, string>> = { ':sn:': 'snappy', ':lz:': 'lzf', ':l4:': 'lz4' };

/** A session in Redis says itself how it is compressed. */
const uncompressed: Layer = {
  name: 'magento',
  unwrap(bytes) {
    const mark = bytes.toString('latin1', 0, 4);
    if (Object.hasOwn(others, mark))
      throw new FormatError(`compressed with ${others[mark]}, which is not read`);
    return mark === ':gz:' ? inflated(inflateSync, bytes.subarray(4)) : bytes;
  },
};

function databaseOf(env: Configuration): SiteDatabase {
  const text = (name: string) =>
    asText(env.returned(['db', 'connection', 'default', name], option('siteDatabase'))) ?? '';
  const given = text('host');
  return serverDatabase({
    ...databaseHost(given.startsWith('/') ? `:${given}` : given),
    user: text('username'),
    password: text('password'),
    name: text('dbname'),
  });
}

/** The customers who are not disabled, and have confirmed their mail address where Magento asks for that. */
function openAccounts({ prefix, confirms: { websites, others } }: Site): string {
  const ofWebsites = Object.entries(websites)
    // A value with a line break makes lines without an id.
    .filter(([id]) => isNumber(id))
    .map(([id, isAsked]) => ` WHEN website_id = ${id} THEN ${Number(!isAsked)}`);
  const counts = `CASE WHEN COALESCE(confirmation, '') = '' THEN 1${ofWebsites.join('')} ELSE ${Number(!others)} END`;
  return `${prefix}customer_entity AS c WHERE is_active = 1 AND ${counts} = 1`;
}
