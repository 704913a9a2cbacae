/**
 * WordPress 5.9 to 7, single sites and networks.
 *
 * The cookie `wordpress_logged_in_HASH` is `LOGIN|EXPIRATION|TOKEN|HMAC`. HASH is the MD5 of the site's address
 * (wp-includes/default-constants.php, wp_cookie_constants). The HMAC covers four characters of the stored password
 * hash, so a new password ends the login (wp-includes/pluggable.php, wp_validate_auth_cookie, wp_salt). The user meta
 * `session_tokens` lists the SHA-256 of each valid token with its end, and a logout removes it
 * (wp-includes/class-wp-user-meta-session-tokens.php). Page views do not renew a login.
 *
 * Plugins that are known here:
 * - BuddyPress marks spammers: bp-members/bp-members-functions.php, bp_is_user_spammer.
 * - BuddyBoss Platform suspends users: bp-moderation/classes/suspend/class-bp-suspend-member.php, suspend_user.
 * - User Switching and Login as User: user-switching.php, switch_to_user; class w357LoginAsUser, login_as_user.
 * - WP Cerber asks for a second factor after the login: cerber-load.php, cerber_user_login; cerber-2fa.php, enforce,
 *   restrict_and_verify.
 */

import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import {
  asText,
  type Configuration,
  ConfigurationError,
  isTrue,
  readIfKnown,
  SecondFactorError,
} from '../configuration/configuration.ts';
import { parseDatabaseHost, type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import { isArray } from '../configuration/value.ts';
import { withoutEntities } from '../entities.ts';
import { PhpFloat, type PhpValue } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import { maxSessionBytes } from '../store.ts';
import type { Application, SiteFiles, SiteOptions } from './application.ts';
import { type Claim, checkSize, decodeValue, hasAny, missingCookie, toRoles } from './claim.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';
import {
  type LoginTable,
  loginPart,
  type Row,
  selectAccounts,
  selectMails,
  texts,
  textsOf,
} from './site-table.ts';

/** Values of wp-config.php and wp-includes/version.php. */
interface Files extends SiteFiles {
  users: string;
  usermeta: string;
  /** The id of the network, and the blog whose roles count. Null for a single site. */
  network: { id: number; blog: number } | null;
  /** `$super_admins`: login names that replace the stored ones. */
  superAdmins: readonly string[] | null;
  /** `WP_SITEURL`, `COOKIEHASH` and `LOGGED_IN_COOKIE`. */
  siteUrl: string | null;
  cookieHash: string | null;
  cookieName: string | null;
  /** The key and the salt of logins, if the file has usable ones. */
  key: string | null;
  salt: string | null;
  /** WordPress 6.8 and later signs with other characters of new password hashes. */
  newFragments: boolean;
}

interface Site extends Files {
  cookie: string;
  /** The key of the cookies' signatures: `wp_salt('logged_in')`. */
  secret: string;
  /** The roles that the site knows. */
  roles: ReadonlySet<string>;
  /** BuddyBoss has a table of suspended users. */
  hasSuspensions: boolean;
  /** WP Cerber is active, so single users may have a second factor. */
  hasCerber: boolean;
}

interface CookieClaim extends Claim {
  login: string;
  expiration: string;
  token: string;
  hmac: string;
}

/** bbPress: includes/core/capabilities.php (bbp_get_blocked_role). */
const blockedRole = 'bbp_blocked';

/** Plugins that let a user act as another user, and the session key that then has the original user's ID. */
const switchPlugins = [
  { plugin: 'User Switching', from: 'switched_from_id' },
  { plugin: 'Login as User', from: 'logged_in_from_id' },
];

/** The table of BuddyBoss Platform, without its prefix, and the name of its setting. */
const suspensions = 'bp_suspend';

/** The table of WP Cerber, without its prefix, and the name of its setting. */
const cerber = 'cerber_sets';

const phrases = ['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE', 'SECRET'].flatMap((name) => [
  `${name}_KEY`,
  `${name}_SALT`,
]);

export const wordpress: Application<Files, Site, CookieClaim> = {
  kind: 'wordpress',
  title: 'WordPress',

  async find(folder, options) {
    const configuration = await openConfiguration(folder);
    return configuration === null ? null : readFiles(configuration, folder, options);
  },

  settings(found, { schema }) {
    const { prefix, network, siteUrl, cookieHash, key, salt } = found;
    const options =
      network === null || network.blog === 1 ? `${prefix}options` : `${prefix}${network.blog}_options`;
    const global = [
      ...(siteUrl === null && cookieHash === null ? ['siteurl'] : []),
      ...(key === null ? ['logged_in_key'] : []),
      ...(salt === null ? ['logged_in_salt'] : []),
    ];
    const roles = rolesOptionName(prefix, network?.blog ?? 1);
    // The tables may have different collations, which a UNION cannot combine.
    const text = (column: string) => `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin`;
    const select = (names: readonly string[]) =>
      `SELECT ${text('option_name')} AS name, ${text('option_value')} AS value FROM ${quoteName(options)} WHERE option_name IN (${names.map(quoteText).join(', ')})`;
    const suspensionTable = `SELECT ${text(quoteText(suspensions))} AS name, ${text("''")} AS value FROM information_schema.tables AS t WHERE t.table_schema = ${schema} AND t.table_name = ${quoteText(prefix + suspensions)}`;
    const factors = `SELECT ${text(quoteText(cerber))} AS name, ${text(`CASE WHEN ${cerberAsksRolesSql(found, options)} THEN 'roles' ELSE '' END`)} AS value FROM DUAL WHERE ${cerberActiveSql(found, options)}`;
    const pluginSettings = `UNION ALL ${suspensionTable} UNION ALL ${factors}`;
    const names = [...global, roles, suspensions, cerber];
    const shared = { view: 'chat_wordpress_settings', columns: { value: 'text' }, names } as const;
    if (network === null || global.length === 0)
      return { ...shared, select: `${select([...global, roles])} ${pluginSettings}` };
    const table = quoteName(`${prefix}sitemeta`);
    // If several rows have the same name, the row with the lowest id counts.
    const first = `(SELECT MIN(other.meta_id) FROM ${table} AS other WHERE other.site_id = ${network.id} AND other.meta_key = meta.meta_key)`;
    return {
      ...shared,
      select: `${select([roles])} UNION ALL SELECT ${text('meta.meta_key')}, ${text('meta.meta_value')} FROM ${table} AS meta WHERE meta.site_id = ${network.id} AND meta.meta_key IN (${global.map(quoteText).join(', ')}) AND meta.meta_id = ${first} ${pluginSettings}`,
    };
  },

  site(found, settings) {
    const value = (name: string) => settings.get(name)?.value ?? null;
    if (value(cerber)?.toString() === 'roles') {
      throw new SecondFactorError(
        'the plugin WP Cerber asks for the second factor after the login, so a password alone would be enough here: switch two-factor authentication off for each role in the user policies of WP Cerber, and use a plugin that asks before the login, such as Two Factor; or deactivate WP Cerber; or do not use this program for this site',
      );
    }
    const text = (name: string) => {
      const bytes = value(name);
      if (bytes !== null && bytes.length > 0) return bytes.toString('utf8');
      // WordPress creates it at the first login.
      throw new StoreError(`WordPress has no ${name} yet, neither in wp-config.php nor in its options`, {
        hint: 'log in to the site once: WordPress then creates it, and this program continues automatically',
      });
    };
    // get_option() removes the last slashes, and get_network_option() does not.
    const siteUrl = () => (found.network ? text('siteurl') : text('siteurl').replace(/\/+$/, ''));
    const roles = value(rolesOptionName(found.prefix, found.network?.blog ?? 1));
    return {
      ...found,
      cookie:
        found.cookieName ??
        `wordpress_logged_in_${found.cookieHash ?? hash('md5', found.siteUrl ?? siteUrl())}`,
      secret: (found.key ?? text('logged_in_key')) + (found.salt ?? text('logged_in_salt')),
      roles: new Set(roles === null ? [] : decodeKeys(roles)),
      hasSuspensions: settings.has(suspensions),
      hasCerber: settings.has(cerber),
    };
  },

  mails: (site) =>
    selectMails(
      'chat_wordpress_mails',
      `${quoteName(site.users)} AS u WHERE NOT ${blockedSql(site)}`,
      'ID',
      'user_email',
    ),

  accounts(site) {
    const blocked = `SELECT 1 FROM ${quoteName(site.usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${quoteText(capabilitiesKey(site))} AND m.meta_value LIKE '%"${blockedRole}"%'`;
    return selectAccounts(
      'chat_wordpress_accounts',
      `${quoteName(site.users)} AS u WHERE NOT ${blockedSql(site)} AND NOT EXISTS (${blocked})`,
      { id: 'u.ID', name: 'u.display_name', decode: withoutEntities },
    );
  },

  logins(site) {
    const { prefix, users, usermeta, network, newFragments, hasSuspensions, hasCerber } = site;
    const capabilities = capabilitiesKey(site);
    const meta = (alias: string, key: string) =>
      `LEFT JOIN ${quoteName(usermeta)} AS ${alias} ON ${alias}.umeta_id = (SELECT MIN(m.umeta_id) FROM ${quoteName(usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${quoteText(key)})`;
    // Only the four characters of the hash that wp_generate_auth_cookie() takes.
    const old = 'SUBSTRING(u.user_pass, 9, 4)';
    const fragment = newFragments
      ? `CASE WHEN u.user_pass LIKE BINARY '$P$%' OR u.user_pass LIKE BINARY '$2y$%' THEN ${old} ELSE RIGHT(u.user_pass, 4) END`
      : old;
    const bounded = (column: string) => `LEFT(${column}, ${maxSessionBytes})`;
    // The value also contains text from the browser, which could imitate this part of it, but not hide it.
    const factor = `EXISTS (SELECT 1 FROM ${quoteName(prefix + cerber)} AS f WHERE f.the_key = 'cerber_user' AND f.the_id = u.ID AND f.the_value LIKE '%s:3:"tfm";i:1;%')`;
    // A view from before the plugin lacks this column, so new logins are rejected.
    const user = texts('login', 'name', 'fragment', 'ended', ...(hasCerber ? ['factor'] : []));
    const userSql = `u.ID AS id, u.user_login AS login, u.display_name AS name, ${fragment} AS fragment, ${blockedSql(site)} AS ended${hasCerber ? `, ${factor} AS factor` : ''}`;
    const superAdmins = network && `${bounded(`(${superAdminsSql(prefix, network)})`)} AS super_admins`;
    const table: LoginTable = {
      view: 'chat_wordpress',
      id: 'id',
      lookup: 'login',
      ignoresCase: true,
      columns: {
        id: 'text',
        ...user,
        tokens_id: 'text',
        tokens: 'text',
        capabilities_id: 'text',
        capabilities: 'text',
        ...(superAdmins && texts('everybody', 'super_admins')),
      },
      select: `SELECT ${userSql}, t.umeta_id AS tokens_id, ${bounded('t.meta_value')} AS tokens, c.umeta_id AS capabilities_id, ${bounded('c.meta_value')} AS capabilities${superAdmins ? `, 1 AS everybody, ${superAdmins}` : ''} FROM ${quoteName(users)} AS u ${meta('t', 'session_tokens')} ${meta('c', capabilities)}`,
      // The parts read values by id. By name, the database would read all values of a user, and plugins add many.
      parts: [
        {
          view: 'chat_wordpress_users',
          id: 'id',
          columns: user,
          of: { id: Object.keys(user) },
          tables: [
            users,
            ...(hasSuspensions ? [prefix + suspensions] : []),
            ...(hasCerber ? [prefix + cerber] : []),
          ],
          short: true,
          select: `SELECT ${userSql} FROM ${quoteName(users)} AS u`,
        },
        {
          view: 'chat_wordpress_values',
          id: 'id',
          columns: { value: 'text' },
          of: { tokens_id: ['tokens'], capabilities_id: ['capabilities'] },
          tables: [usermeta],
          select: `SELECT m.umeta_id AS id, ${bounded('m.meta_value')} AS value FROM ${quoteName(usermeta)} AS m WHERE m.meta_key IN ('session_tokens', ${quoteText(capabilities)})`,
        },
        ...(superAdmins
          ? [
              loginPart({
                ...{ view: 'chat_wordpress_admins', key: 'everybody', columns: ['super_admins'] },
                tables: [`${prefix}sitemeta`],
                select: `SELECT 1 AS id, ${superAdmins}`,
              }),
            ]
          : []),
      ],
    };
    return { users: table };
  },

  claim({ cookie }, { cookies }) {
    const value = cookies.value(cookie);
    if (value === null) {
      return missingCookie(
        cookie,
        'WordPress names the cookie after its address (siteurl), and sets it for that host and path',
      );
    }
    const [login = '', expiration = '', token = '', hmac = '', ...more] = Buffer.from(value, 'latin1')
      .toString('utf8')
      .split('|');
    if (
      login === '' ||
      // A plugin may set a lifetime with a fraction.
      !/^\d{1,12}(\.\d{1,9})?$/.test(expiration) ||
      token === '' ||
      !/^[0-9a-f]{64}$/.test(hmac) ||
      more.length > 0
    )
      return notLoggedIn('the cookie is not in the form of WordPress');
    // WordPress adds backslashes to these characters of cookies, and then does not find the user.
    if (/['"\\\0]/.test(login))
      return notLoggedIn(
        'the name in the cookie contains a quote, a backslash or a zero byte, and WordPress rejects such cookies too',
      );
    return {
      ...{ table: 'users', lookup: login, secrets: [expiration, token, hmac] },
      ...{ login, expiration, token, hmac },
    };
  },

  checkRow(site, { login, expiration, token, hmac }, row, now) {
    if (Number(expiration) < now) return notLoggedIn('the cookie has expired');
    const text = textsOf(row);
    // The signature covers the name in the cookie, which may differ in case from the stored name.
    if (row === null || text('login').toLowerCase() !== login.toLowerCase())
      return notLoggedIn('the site has no such user');
    const signed = `${login}|${expiration}|${token}`;
    const key = createHmac('md5', site.secret)
      .update(`${login}|${text('fragment')}|${expiration}|${token}`)
      .digest('hex');
    const expected = createHmac('sha256', key).update(signed).digest();
    if (!timingSafeEqual(expected, Buffer.from(hmac, 'hex'))) {
      return notLoggedIn(
        'the cookie is signed with another key, or before the password was changed',
        'if every visitor gets this: PHP has other keys and salts than wp-config.php, or a plugin replaces the login',
      );
    }
    const session = getEntry(decodeMeta(row.tokens ?? null), hash('sha256', token));
    const until = toExpiration(session);
    if (until === null) return checkSize(row.tokens) ?? notLoggedIn('the site has ended the login');
    if (until < now) return notLoggedIn('the login has expired');
    const switched = switchPlugins.find(({ from }) => Number(getEntry(session, from)) > 0);
    if (switched)
      return notLoggedIn(`another user is acting as this user through the plugin ${switched.plugin}`);
    if (text('factor') === '1') {
      return notLoggedIn(
        'the plugin WP Cerber asks this user for a second factor after the login',
        'this program cannot see whether the factor was given: switch the factor off in the profile of the user, and use a plugin that asks before the login',
      );
    }
    const id = text('id');
    const name = displayName(withoutEntities(text('name')));
    const roles = findRoles(site, row);
    const user: SessionUser = { id, name: name || id, ...roles };
    if (text('ended') !== '0' || decodeKeys(row.capabilities ?? null).includes(blockedRole))
      user.banned = true;
    return { state: 'user', user, ends: (Math.floor(Math.min(Number(expiration), until)) + 1) * 1000 };
  },

  async describe(folder, { prefix, users, usermeta, network, superAdmins: given, admins }, ask) {
    const configuration = await openConfiguration(folder);
    if (configuration === null) return {};
    const text = (name: string) => readIfKnown(() => configuration.constant(name, ''));
    const readOption = (name: string) =>
      ask(`SELECT option_value FROM ${quoteName(`${prefix}options`)} WHERE option_name = ${quoteText(name)}`);
    const home = text('WP_HOME');
    const address = home === null ? await readOption('home') : home;
    const path = URL.canParse(address ?? '') ? new URL(`${address}/`).pathname : '/';
    const below = network !== null && text('SUBDOMAIN_INSTALL') === '1' ? text('DOMAIN_CURRENT_SITE') : '';
    const named = network === null || network.blog === 1 ? prefix : `${prefix}${network.blog}_`;
    const roles = (admins ?? ['administrator']).map(
      (role) => `m.meta_value LIKE ${quoteText(`%"${role.replace(/[\\%_]/g, '\\$&')}"%`)}`,
    );
    const superAdmins =
      network === null || admins !== undefined ? null : await ask(superAdminsSql(prefix, network));
    const stored = decodeLogins(superAdmins === null ? null : Buffer.from(superAdmins));
    const logins = (admins === undefined ? (given ?? stored) : []).map(quoteText);
    const count = await ask(
      `SELECT COUNT(*) FROM ${quoteName(users)} AS u WHERE EXISTS (SELECT 1 FROM ${quoteName(usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${quoteText(`${named}capabilities`)} AND (${roles.join(' OR ')}))${logins.length === 0 ? '' : ` OR u.user_login IN (${logins.join(', ')})`}`,
    );
    return {
      version: await readVersion(configuration, folder),
      address,
      login: 'wp-login.php?redirect_to={return}',
      condition: { language: 'PHP', open: '<?php if (is_user_logged_in()): ?>', close: '<?php endif ?>' },
      administrators: Number(count),
      timeZone: await readOption('timezone_string'),
      isNetwork: network !== null,
      cookie: {
        path: text('COOKIEPATH') ?? (network === null ? path : (text('PATH_CURRENT_SITE') ?? '/')),
        domain: text('COOKIE_DOMAIN') || below || '',
        secure: /^https:/.test(address ?? ''),
      },
    };
  },
};

/**
 * Reads `wp-config.php` in the folder, or in the one above if that has no WordPress. Null if the folder has no WordPress.
 * @throws ConfigurationError
 */
async function openConfiguration(folder: SiteFolder): Promise<Configuration | null> {
  const surroundings = { application: /\/wp-settings\.php$|\/vendor\/autoload\.php$/ };
  if (/\.php$/.test(folder.path)) return folder.php(folder.path, surroundings);
  // Bedrock: https://github.com/roots/bedrock.
  if ((await folder.has('config/application.php')) && (await folder.has('.env'))) {
    const shared = await folder.env('.env', 'phpdotenv');
    if (await folder.has('.env.local')) await folder.env('.env.local', 'phpdotenv', shared);
    return folder.php('config/application.php', surroundings);
  }
  const own = await findCoreFolder(folder);
  if (own === null) return null;
  const dropIn = join(own, 'wp-content/db.php');
  if (await matchFile(folder, dropIn, /sqlite/i)) {
    throw new ConfigurationError(
      `${folder.path}/${dropIn}: this WordPress keeps its data in SQLite, which is not supported`,
    );
  }
  // Debian's file includes the file of the requested host.
  const file = join(own, 'wp-config.php');
  if (await folder.has(file)) {
    const isDebian = (await folder.text(file)).includes('/etc/wordpress/config-');
    if (!isDebian) return folder.php(file, surroundings);
    const names = (await folder.list('/etc/wordpress'))
      .filter((name) => /^config-.+\.php$/.test(name))
      .sort();
    if (names.length === 1) return folder.php(`/etc/wordpress/${names[0]}`, surroundings);
    const choices = names.map((name) => `\n  ${option('site')}=wordpress:/etc/wordpress/${name}`).join('');
    throw new ConfigurationError(
      names.length === 0
        ? `${folder.path}/wp-config.php: there is no /etc/wordpress/config-HOST.php`
        : `${folder.path}/wp-config.php: WordPress has several sites here; set one of${choices}`,
    );
  }
  const above = join(own, '..');
  if (!(await folder.has(join(above, 'wp-settings.php'))) && (await folder.has(join(above, 'wp-config.php'))))
    return folder.php(join(above, 'wp-config.php'), surroundings);
  throw new ConfigurationError(
    `${folder.path}: WordPress is here, but wp-config.php is neither here nor in the folder above`,
  );
}

/** Finds the folder of WordPress, which may be a subfolder that `index.php` names. Null if there is none. */
async function findCoreFolder(folder: SiteFolder): Promise<string | null> {
  if (await folder.has('wp-includes/version.php')) return '.';
  const index = (await folder.has('index.php')) ? await folder.text('index.php').catch(() => '') : '';
  const [, below] = /['"]\/?([\w.-]+(?:\/[\w.-]+)*)\/wp-blog-header\.php['"]/.exec(index) ?? [];
  return below !== undefined && (await folder.has(join(below, 'wp-includes/version.php'))) ? below : null;
}

async function readFiles(
  configuration: Configuration,
  folder: SiteFolder,
  { cookieName, blog, admins, moderators, team }: SiteOptions,
): Promise<Files> {
  const constant = (name: string, instead: string) => configuration.constant(name, instead);
  const text = (name: string, instead: string) => asText(constant(name, instead));
  const itself = 'a literal value in wp-config.php';
  // `is_multisite()`.
  const multisite = text('MULTISITE', itself);
  const isNetwork =
    multisite === null
      ? ['SUBDOMAIN_INSTALL', 'VHOST', 'SUNRISE'].some((name) => constant(name, itself) !== null)
      : isTrue(multisite);
  const number = (name: string) => Number(text(name, itself) ?? 1);
  const prefix = requireIdentifier(asText(configuration.variable(['table_prefix'], itself)) ?? 'wp_');
  const table = (name: string, usual: string) => requireIdentifier(text(name, itself) ?? usual);
  const phrase = (name: string) => readPhrase(configuration, name);
  const siteUrl =
    cookieName === undefined
      ? text('WP_SITEURL', `${option('cookieName')} to the name of the cookie wordpress_logged_in_…`)
      : null;
  return {
    database: readDatabase(configuration),
    prefix,
    users: table('CUSTOM_USER_TABLE', `${prefix}users`),
    usermeta: table('CUSTOM_USER_META_TABLE', `${prefix}usermeta`),
    network: isNetwork
      ? { id: number('SITE_ID_CURRENT_SITE'), blog: blog ?? number('BLOG_ID_CURRENT_SITE') }
      : null,
    superAdmins: isNetwork && admins === undefined ? readSuperAdmins(configuration) : null,
    // A network uses its stored address.
    siteUrl: siteUrl === null || isNetwork ? null : siteUrl.replace(/\/+$/, ''),
    cookieHash: cookieName === undefined ? text('COOKIEHASH', option('cookieName')) : null,
    cookieName: cookieName ?? text('LOGGED_IN_COOKIE', option('cookieName')),
    key: phrase('LOGGED_IN_KEY') ?? phrase('SECRET_KEY'),
    salt: phrase('LOGGED_IN_SALT'),
    newFragments: await hasNewFragments(configuration, folder),
    admins,
    moderators,
    team,
  };
}

/** Reads `$super_admins`, which `get_super_admins()` prefers to the stored ones. Null if it is not set. */
function readSuperAdmins(configuration: Configuration): string[] | null {
  const variable = (...keys: string[]) =>
    configuration.variable(['super_admins', ...keys], option('siteAdmins'));
  const names = variable();
  if (names === null) return null;
  return isArray(names) ? [...names.keys()].flatMap((key) => asText(variable(key)) ?? []) : [];
}

/** Whether `$wp_version` is 6.8 or later, which changed the password hashes. */
async function hasNewFragments(configuration: Configuration, folder: SiteFolder): Promise<boolean> {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec((await readVersion(configuration, folder)) ?? '') ?? [];
  if (major !== undefined) return Number(major) > 6 || (major === '6' && Number(minor) >= 8);
  throw new ConfigurationError(
    `${folder.path}: the version of WordPress is unknown, because wp-includes/version.php cannot be read`,
  );
}

async function readVersion(configuration: Configuration, folder: SiteFolder): Promise<string | null> {
  const root = asText(configuration.constant('ABSPATH', 'a literal value in wp-config.php'));
  const places = [
    join((await findCoreFolder(folder)) ?? '.', 'wp-includes/version.php'),
    'web/wp/wp-includes/version.php',
    ...(root === null ? [] : [`${root}/wp-includes/version.php`]),
    '/usr/share/wordpress/wp-includes/version.php',
  ];
  for (const place of places) {
    if (!(await folder.has(place))) continue;
    const version = asText(
      (await folder.php(place)).variable(['wp_version'], 'the original value by installing WordPress again'),
    );
    if (version !== null && /^\d+\.\d+/.test(version)) return version;
  }
  return null;
}

/** Reads the database. `DB_HOST` is parsed like `wpdb::parse_db_host()`. @throws ConfigurationError */
function readDatabase(configuration: Configuration): SiteDatabase {
  const text = (name: string) => asText(configuration.constant(name, option('siteDatabase'))) ?? '';
  const charset = text('DB_CHARSET').toLowerCase();
  return serverDatabase({
    ...parseDatabaseHost(text('DB_HOST')),
    user: text('DB_USER'),
    password: text('DB_PASSWORD'),
    name: text('DB_NAME'),
    charset: charset === '' ? 'server' : charset.startsWith('latin1') ? 'latin1' : 'utf8',
  });
}

/**
 * Reads a phrase of the configuration. Null for the phrases that `wp_salt()` ignores: empty phrases, the sample's, and any
 * phrase that occurs twice.
 */
function readPhrase(configuration: Configuration, name: string): string | null {
  const phraseOf = (each: string) => asText(configuration.constant(each, 'a literal value in wp-config.php'));
  const value = phraseOf(name);
  if (value === null || value === '' || value === 'put your unique phrase here') return null;
  return phrases.filter((each) => phraseOf(each) === value).length > 1 ? null : value;
}

/** Returns the name of the user meta with the roles. */
const capabilitiesKey = ({ prefix, network }: Files) =>
  `${network === null || network.blog === 1 ? prefix : `${prefix}${network.blog}_`}capabilities`;

const rolesOptionName = (prefix: string, blog: number) =>
  `${prefix}${blog === 1 ? '' : `${blog}_`}user_roles`;

/** Reads the end of a login. @returns seconds since 1970. Null if there is no such login */
function toExpiration(session: PhpValue): number | null {
  const expiration = typeof session === 'number' ? session : getEntry(session, 'expiration');
  // PHP accepts integers, floats and numeric strings.
  const text = String(expiration instanceof PhpFloat ? expiration.value : expiration);
  return /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : null;
}

/** Returns the SQL condition that the user `u` is blocked. BuddyPress marks spammers in `user_status`. */
function blockedSql({ prefix, network, hasSuspensions }: Site): string {
  const conditions = [
    'u.user_status = 1',
    ...(network === null ? [] : ['u.spam', 'u.deleted']),
    ...(hasSuspensions
      ? [
          `EXISTS (SELECT 1 FROM ${quoteName(prefix + suspensions)} AS s WHERE s.item_id = u.ID AND s.item_type = 'user' AND s.user_suspended = 1)`,
        ]
      : []),
  ];
  return `(${conditions.join(' OR ')})`;
}

const cerberActiveSql = (found: Files, options: string) =>
  ['active_plugins', ...(found.network === null ? [] : ['active_sitewide_plugins'])]
    .map((name) => `${optionSql(found, options, name)} LIKE '%/wp-cerber.php"%'`)
    .join(' OR ');

/**
 * Returns the SQL condition that WP Cerber asks users of any role for a second factor. Its other settings may hold
 * passwords and are not read.
 */
function cerberAsksRolesSql(found: Files, options: string): string {
  const now = optionSql(found, options, 'cerber_configuration');
  // Versions up to 9.3.3. An upgrade keeps this option.
  const before = optionSql(found, options, 'cerber_settings');
  const policies = `CASE WHEN ${now} LIKE '%"2famode"%' THEN ${now} ELSE COALESCE(${before}, '') END`;
  const off = ['s:1:"0"', 's:0:""', 'i:0'];
  const on = off.reduce((sql, value) => `REPLACE(${sql}, '"2famode";${value};', '')`, policies);
  return `${on} LIKE '%"2famode"%'`;
}

/**
 * Returns the SQL of an option as a subquery. NULL if it is not set. Networks keep all but `active_plugins` for the whole
 * network.
 */
const optionSql = ({ prefix, network }: Files, options: string, name: string) =>
  network === null || name === 'active_plugins'
    ? `(SELECT MAX(option_value) FROM ${quoteName(options)} WHERE option_name = ${quoteText(name)})`
    : `(SELECT MAX(meta_value) FROM ${quoteName(`${prefix}sitemeta`)} WHERE site_id = ${network.id} AND meta_key = ${quoteText(name)})`;

const superAdminsSql = (prefix: string, { id }: { id: number }) =>
  `SELECT meta_value FROM ${quoteName(`${prefix}sitemeta`)} WHERE site_id = ${id} AND meta_key = 'site_admins' ORDER BY meta_id LIMIT 1`;

function findRoles(site: Site, row: Row) {
  const own = decodeKeys(row.capabilities ?? null);
  // Roles that plugins add by code are in no option, so names from the operator are not looked up there.
  const hasRole = (given: readonly string[] | undefined, usual: string) =>
    given === undefined ? own.includes(usual) && site.roles.has(usual) : hasAny(own, given);
  const superAdmins = () => site.superAdmins ?? decodeLogins(row.super_admins ?? null);
  const isSuperAdmin = () => superAdmins().includes(textsOf(row)('login'));
  const isAdmin = hasRole(site.admins, 'administrator') || (site.admins === undefined && isSuperAdmin());
  return toRoles(isAdmin, hasRole(site.moderators, 'editor'), hasAny(own, site.team));
}

function decodeLogins(bytes: Buffer | null): string[] {
  const value = decodeMeta(bytes);
  const names = Array.isArray(value)
    ? value
    : typeof value === 'object' && value !== null
      ? Object.values(value)
      : [];
  return names.filter((name) => typeof name === 'string');
}

function decodeKeys(bytes: Buffer | null): string[] {
  const value = decodeMeta(bytes);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

/** Decodes a stored value. Null if it is not serialized, which WordPress treats as no value. */
function decodeMeta(bytes: Buffer | null): PhpValue {
  if (bytes === null || bytes.length === 0 || bytes.length >= maxSessionBytes) return null;
  return decodeValue('php_serialize', bytes) ?? null;
}

function getEntry(value: PhpValue, key: string): PhpValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, key) ? ((value as Record<string, PhpValue>)[key] ?? null) : null;
}

/** Returns a name that is put into SQL. @throws ConfigurationError if it has characters that WordPress does not allow */
function requireIdentifier(name: string): string {
  if (/^[A-Za-z0-9_$-]{1,64}$/.test(name)) return name;
  throw new ConfigurationError(
    'the name or prefix of a table of WordPress has characters other than A-Z a-z 0-9 _ $ -',
  );
}

const quoteName = (name: string) => `\`${name}\``;
const quoteText = (text: string) => `'${text.replace(/['\\]/g, (c) => `\\${c}`)}'`;
