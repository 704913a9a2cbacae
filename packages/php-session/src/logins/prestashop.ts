/**
 * Customers of PrestaShop 8 and 9.
 *
 * - The cookie `PrestaShop-HASH` is encrypted with `new_cookie_key`: classes/Cookie.php; src/Crypto.php of
 *   defuse/php-encryption 2. Names of cookies and keys: config/bootstrap.php, config/config.inc.php.
 * - The cookie has the customer's id, the password hash, and the id and token of a row in `customer_session`:
 *   classes/CustomerSession.php. A logout and the back office delete that row.
 * - A new password ends logins, because the cookie still has the old hash: classes/Customer.php, isLogged,
 *   checkPassword, isBanned.
 * - The customer must be active.
 */

import { createDecipheriv, createHash, createHmac, hash, hkdfSync } from 'node:crypto';
import { asText, type Configuration, ConfigurationError } from '../configuration/configuration.ts';
import { parseDatabaseHost, type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import { displayName } from '../identity.ts';
import { type NotLoggedIn, notLoggedIn, type SessionUser } from '../login.ts';
import { option } from '../names.ts';
import type { Application, SiteFiles } from './application.ts';
import { type Claim, enableHint, hasAny, isSameSecret, toRoles } from './claim.ts';
import { loginPart, requirePrefix, selectAccounts, selectMails, texts, textsOf } from './site-table.ts';

/** Values of app/config/parameters.php, and options. */
interface Files extends SiteFiles {
  /** The option `cookieName`. Null if cookies are recognised by the form of their names. */
  cookieName: string | null;
  /** The keys `new_cookie_key` and `cookie_iv`. */
  key: Buffer;
  salt: string;
}

interface CookieClaim extends Claim {
  readonly fallback?: this;
  customer: string;
  token: string;
  /** A digest of the password hash in the cookie. */
  password: string;
}

const parameters = 'app/config/parameters.php';

/** The name has a hash of the version, shop and host. */
const nameForm = /^PrestaShop-[0-9a-f]{32}$/;

/** A host may have cookies of several shops and of the back office. All are decrypted. */
const maxCookies = 8;
/** Twice the limit of browsers. */
const maxCookieCharacters = 8192;

/** `¤` in UTF-8, as latin1. */
const separator = '\u00c2\u00a4';

export const prestashop: Application<Files, Files, CookieClaim> = {
  kind: 'prestashop',
  title: 'PrestaShop',

  async find(folder, { cookieName, admins, moderators, team }) {
    if (!(await folder.has(parameters)) || !(await folder.has('classes/Cookie.php'))) return null;
    const configuration = await folder.php(parameters);
    const text = (name: string, instead = `a literal value in ${parameters}`) =>
      (asText(configuration.returned(['parameters', name], instead)) ?? '').replaceAll('%%', '%');
    return {
      database: readDatabase((name) => text(name, option('siteDatabase'))),
      prefix: requirePrefix(text('database_prefix'), `${configuration.file}: database_prefix`),
      cookieName: cookieName ?? null,
      key: readKey(configuration, text('new_cookie_key')),
      salt: text('cookie_iv'),
      admins,
      moderators,
      team,
    };
  },

  settings: () => null,

  site: (found) => found,

  keys: ({ key, salt }) => [key, salt],

  mails: ({ prefix }) =>
    selectMails(
      'chat_prestashop_mails',
      `${prefix}customer WHERE active = 1 AND deleted = 0`,
      'id_customer',
      'email',
    ),

  accounts: ({ prefix }) =>
    selectAccounts(
      'chat_prestashop_accounts',
      `${prefix}customer c WHERE active = 1 AND deleted = 0 AND is_guest = 0`,
      { id: 'c.id_customer', name: 'c.firstname' },
    ),

  logins({ prefix }, { lines }) {
    const groups = `SELECT ${lines('l.name')} FROM ${prefix}customer_group g JOIN ${prefix}group_lang l ON l.id_group = g.id_group WHERE g.id_customer = c.id_customer`;
    const customerColumns = ['firstname', 'active', 'deleted', 'is_guest', 'password', 'group_names'];
    const customer = `c.firstname AS firstname, c.active AS active, c.deleted AS deleted, c.is_guest AS is_guest, SHA2(c.passwd, 256) AS password, (${groups}) AS group_names`;
    return {
      sessions: {
        view: 'chat_prestashop',
        id: 'session_id',
        lookup: 'session_id',
        columns: texts('session_id', 'token', 'id_customer', ...customerColumns),
        select: `SELECT s.id_customer_session AS session_id, s.token AS token, c.id_customer AS id_customer, ${customer} FROM ${prefix}customer_session s JOIN ${prefix}customer c ON c.id_customer = s.id_customer`,
        parts: [
          loginPart({
            ...{ view: 'chat_prestashop_sessions', key: 'session_id', columns: ['token', 'id_customer'] },
            tables: [`${prefix}customer_session`],
            select: `SELECT s.id_customer_session AS id, s.token AS token, s.id_customer AS id_customer FROM ${prefix}customer_session s`,
          }),
          loginPart({
            ...{ view: 'chat_prestashop_customers', key: 'id_customer', columns: customerColumns },
            tables: ['customer', 'customer_group', 'group_lang'].map((name) => prefix + name),
            select: `SELECT c.id_customer AS id, ${customer} FROM ${prefix}customer c`,
          }),
        ],
      },
    };
  },

  claim(site, { cookies }) {
    const names =
      site.cookieName === null ? cookies.names.filter((name) => nameForm.test(name)) : [site.cookieName];
    const claims = new Map<string, CookieClaim>();
    let isReadable = false;
    if (names.length > maxCookies) return tooManyCookies();
    for (const name of names) {
      const value = cookies.value(name);
      // No or several cookies have this name. A sibling subdomain may have set one for another customer.
      if (value === null) return { ...noCookie, cookie: name };
      const content = decodeCookie(value ?? '', site);
      if (content === null) continue;
      isReadable = true;
      const [id, token, customer, passwordHash = ''] = [
        'session_id',
        'session_token',
        'id_customer',
        'passwd',
      ].map((key) => content.get(key));
      // Users of the back office are in other tables.
      if (!isNumber(id) || !isNumber(customer) || !token || content.has('id_employee')) continue;
      const password = hash('sha256', Buffer.from(passwordHash, 'latin1'));
      const secrets = [id, token, password];
      claims.set(secrets.join(' '), { table: 'sessions', lookup: id, secrets, customer, token, password });
    }
    const [first, ...more] = claims.values();
    if (more.some(({ customer }) => customer !== first?.customer)) {
      return notLoggedIn(
        'the request has cookies of several customers',
        `if a visitor may be logged in at several shops: set ${option('cookieName')} to the cookie of one shop`,
      );
    }
    if (first === undefined) return explainMissing(names.length > 0, isReadable);
    // After an update the cookie of the older version stays in the browser.
    return [first, ...more].reduceRight((fallback, claim) => ({ ...claim, fallback }));
  },

  checkRow(site, { customer: id, token, password }, row) {
    const text = textsOf(row);
    if (row === null) return notLoggedIn('the site has no such session, or the session has ended');
    if (text('id_customer') !== id || !row.token || !isSameSecret(Buffer.from(token), row.token))
      return notLoggedIn('the session belongs to another login');
    if (!row.password || !isSameSecret(Buffer.from(password), row.password))
      return notLoggedIn('the customer has a new password');
    if (text('active') !== '1' || text('deleted') !== '0')
      return notLoggedIn('the customer has been disabled or deleted on the site', enableHint);
    if (text('is_guest') !== '0') return notLoggedIn('the customer ordered as a guest, without an account');
    const groups = text('group_names').split('\n');
    const user: SessionUser = {
      id,
      name: displayName(text('firstname')) || id,
      ...toRoles(hasAny(groups, site.admins), hasAny(groups, site.moderators), hasAny(groups, site.team)),
    };
    return { state: 'user', user };
  },

  async describe(_, { prefix }, ask) {
    const column = (sql: string) =>
      ask(`SELECT ${sql} FROM ${prefix}shop_url WHERE main = 1 AND active = 1 ORDER BY id_shop_url LIMIT 1`);
    const setting = (name: string) =>
      ask(
        `SELECT value FROM ${prefix}configuration WHERE name = '${name}' ORDER BY id_configuration LIMIT 1`,
      );
    const secure = (await setting('PS_SSL_ENABLED')) === '1';
    const [host, path] = [
      await column(secure ? 'domain_ssl' : 'domain'),
      (await column('physical_uri')) ?? '/',
    ];
    return {
      version: await setting('PS_VERSION_DB'),
      address: host && `${secure ? 'https' : 'http'}://${host}${path}`,
      login: 'index.php?controller=authentication&back={return}',
      condition: {
        language: 'Smarty',
        open: '{if $customer.is_logged && !$customer.is_guest}',
        close: '{/if}',
      },
      cookie: { path, domain: '', secure },
    };
  },
};

const isNumber = (text: string | undefined): text is string => /^[1-9]\d{0,9}$/.test(text ?? '');

const tooManyCookies = () =>
  notLoggedIn(
    `the request has more than ${maxCookies} cookies of PrestaShop`,
    `set ${option('cookieName')} to the cookie of the shop`,
  );

const noCookie = notLoggedIn(
  'the request has no cookie of PrestaShop',
  'if every visitor gets this: PrestaShop sets its cookie for the host and the path of the shop',
);

function explainMissing(isThere: boolean, isReadable: boolean): NotLoggedIn {
  if (!isThere) return noCookie;
  return isReadable
    ? notLoggedIn('the cookie of PrestaShop does not name a logged-in customer')
    : notLoggedIn(
        'the cookie is not from this PrestaShop, or was changed',
        'if every visitor gets this: new_cookie_key or cookie_iv is not the one that PHP has',
      );
}

const version = Buffer.from('def50200', 'hex');
const [saltBytes, ivBytes, macBytes] = [32, 16, 32];

/** Decodes a cookie. @returns its values. Null if it is not valid */
function decodeCookie(value: string, { key, salt }: Files): ReadonlyMap<string, string> | null {
  const plain = value.length > maxCookieCharacters ? null : decrypt(value, key);
  if (plain === null) return null;
  const text = plain.toString('latin1');
  const content = new Map<string, string>();
  for (const pair of text.split(separator)) {
    const [name = '', its, ...more] = pair.split('|');
    if (its !== undefined && more.length === 0) content.set(name, its);
  }
  const end = text.lastIndexOf(separator);
  const checked = end === -1 ? separator : text.slice(0, end + separator.length);
  const sum = createHash('sha256').update(salt).update(checked, 'latin1').digest('hex');
  const given = Buffer.from(content.get('checksum') ?? '', 'latin1');
  return isSameSecret(given, Buffer.from(sum)) ? content : null;
}

/**
 * Decrypts like `Crypto::decrypt()`: version, salt, initialization vector, data encrypted with AES-256-CTR, and an HMAC of
 * all of these. Null if the text is not valid.
 */
function decrypt(hex: string, key: Buffer): Buffer | null {
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(hex)) return null;
  const bytes = Buffer.from(hex, 'hex');
  const start = version.length + saltBytes + ivBytes;
  if (bytes.length < start + macBytes || !bytes.subarray(0, version.length).equals(version)) return null;
  const salt = bytes.subarray(version.length, version.length + saltBytes);
  const derived = (what: string) =>
    Buffer.from(hkdfSync('sha256', key, salt, `DefusePHP|V2|KeyFor${what}`, 32));
  const end = bytes.length - macBytes;
  const code = createHmac('sha256', derived('Authentication')).update(bytes.subarray(0, end)).digest();
  if (!isSameSecret(code, bytes.subarray(end))) return null;
  const iv = bytes.subarray(start - ivBytes, start);
  return createDecipheriv('aes-256-ctr', derived('Encryption'), iv).update(bytes.subarray(start, end));
}

/** Decodes a key like `Key::loadFromAsciiSafeString()`: a header, the key and a checksum. @throws ConfigurationError */
function readKey({ file }: Configuration, text: string): Buffer {
  const bytes = Buffer.from(/^[0-9A-Fa-f]{136}\s*$/.test(text) ? text.trim() : '', 'hex');
  const [checked, sum] = [bytes.subarray(0, 36), bytes.subarray(36)];
  if (
    checked.toString('hex', 0, 4) !== 'def00000' ||
    !createHash('sha256').update(checked).digest().equals(sum)
  )
    throw new ConfigurationError(`${file}: new_cookie_key is not a key of PrestaShop`);
  return checked.subarray(4);
}

function readDatabase(text: (name: string) => string): SiteDatabase {
  const port = Number(text('database_port'));
  return serverDatabase({
    ...parseDatabaseHost(text('database_host')),
    ...(port > 0 ? { port } : {}),
    user: text('database_user'),
    password: text('database_password'),
    name: text('database_name'),
  });
}
