import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import {
  asText,
  type Configuration,
  ConfigurationError,
  ifKnown,
  isTrue,
  SecondFactorError,
} from '../configuration/configuration.ts';
import { databaseHost, serverDatabase } from '../configuration/database-host.ts';
import { isArray } from '../configuration/value.ts';
import { withoutEntities } from '../entities.ts';
import { PhpFloat, type PhpValue } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import { type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import { maxSessionBytes } from '../store.ts';
import {
  type Application,
  type Claim,
  checkSize,
  decodeValue,
  type GivenRoles,
  hasAny,
  type LoginTable,
  loginPart,
  missingCookie,
  notLoggedIn,
  type Row,
  type SiteDatabase,
  type SiteFolder,
  type SiteOptions,
  selectAccounts,
  selectMails,
  texts,
  textsOf,
  toRoles,
} from './application.ts';

/** The values of wp-config.php and wp-includes/version.php. */
interface Found extends GivenRoles {
  database: SiteDatabase;
  prefix: string;
  users: string;
  usermeta: string;
  /** Of a network: its number, and the blog whose roles count. */
  network: { id: number; blog: number } | null;
  /** The login names of its super admins, if the file has them: they count in place of the stored ones. */
  superAdmins: readonly string[] | null;
  /** `WP_SITEURL`, and the constants of cookies. */
  siteUrl: string | null;
  cookieHash: string | null;
  cookieName: string | null;
  /** The key and the salt of logins, as far as they stand in the file. */
  key: string | null;
  salt: string | null;
  /** WordPress 6.8 and later takes another part of new password hashes. */
  newFragments: boolean;
}

interface Site extends Found {
  cookie: string;
  /** The key of the cookies' signatures: `wp_salt('logged_in')`. */
  secret: string;
  /** The stored roles. */
  roles: ReadonlySet<string>;
  /** There is a table of users whom BuddyBoss has suspended. */
  suspends: boolean;
  /** WP Cerber is active, by which single users may have a second factor. */
  hasCerber: boolean;
}

interface Cookie extends Claim {
  login: string;
  expiration: string;
  token: string;
  hmac: string;
}

/** bbPress: includes/core/capabilities.php (bbp_get_blocked_role). */
const blockedRole = 'bbp_blocked';

/** Plugins by which a user becomes another one, and where the session has the id of the former. */
const switchers = [
  { plugin: 'User Switching', from: 'switched_from_id' },
  { plugin: 'Login as User', from: 'logged_in_from_id' },
];

/** Where BuddyBoss Platform keeps whom it has suspended: the name of the table without its prefix, and of the setting. */
const suspensions = 'bp_suspend';

/** Where WP Cerber keeps who has a second factor: the name of the table without its prefix, and of the setting. */
const cerber = 'cerber_sets';

const phrases = ['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE', 'SECRET'].flatMap((name) => [
  `${name}_KEY`,
  `${name}_SALT`,
]);

/**
 * WordPress 5.9 to 7, single sites and networks: wp-includes/pluggable.php (wp_validate_auth_cookie, wp_salt),
 * default-constants.php (wp_cookie_constants), class-wp-user-meta-session-tokens.php; BuddyPress:
 * bp-members/bp-members-functions.php (bp_is_user_spammer); BuddyBoss Platform:
 * bp-moderation/classes/suspend/class-bp-suspend-member.php (suspend_user); User Switching: user-switching.php
 * (switch_to_user); Login as User: its class w357LoginAsUser (login_as_user); WP Cerber: cerber-load.php
 * (cerber_user_login), cerber-2fa.php (enforce, restrict_and_verify).
 */
export const wordpress: Application<Found, Site, Cookie> = {
  kind: 'wordpress',
  title: 'WordPress',

  async find(folder, options) {
    const configuration = await configurationOf(folder);
    return configuration === null ? null : foundIn(configuration, folder, options);
  },

  database: ({ database }) => database,

  settings(found, { schema }) {
    const { prefix, network, siteUrl, cookieHash, key, salt } = found;
    const options =
      network === null || network.blog === 1 ? `${prefix}options` : `${prefix}${network.blog}_options`;
    const global = [
      ...(siteUrl === null && cookieHash === null ? ['siteurl'] : []),
      ...(key === null ? ['logged_in_key'] : []),
      ...(salt === null ? ['logged_in_salt'] : []),
    ];
    const roles = rolesOption(prefix, network?.blog ?? 1);
    // The two tables may have different collations, which a UNION does not join.
    const text = (column: string) => `CONVERT(${column} USING utf8mb4) COLLATE utf8mb4_bin`;
    const select = (names: readonly string[]) =>
      `SELECT ${text('option_name')} AS name, ${text('option_value')} AS value FROM ${quoted(options)} WHERE option_name IN (${names.map(literal).join(', ')})`;
    const suspends = `SELECT ${text(literal(suspensions))} AS name, ${text("''")} AS value FROM information_schema.tables AS t WHERE t.table_schema = ${schema} AND t.table_name = ${literal(prefix + suspensions)}`;
    const factors = `SELECT ${text(literal(cerber))} AS name, ${text(`CASE WHEN ${cerberAsksRoles(found, options)} THEN 'roles' ELSE '' END`)} AS value FROM DUAL WHERE ${isCerberActive(found, options)}`;
    const ofPlugins = `UNION ALL ${suspends} UNION ALL ${factors}`;
    const names = [...global, roles, suspensions, cerber];
    const shared = { view: 'chat_wordpress_settings', columns: { value: 'text' }, names } as const;
    if (network === null || global.length === 0)
      return { ...shared, select: `${select([...global, roles])} ${ofPlugins}` };
    const table = quoted(`${prefix}sitemeta`);
    // The row with the lowest id counts, of several with one name.
    const first = `(SELECT MIN(other.meta_id) FROM ${table} AS other WHERE other.site_id = ${network.id} AND other.meta_key = meta.meta_key)`;
    return {
      ...shared,
      select: `${select([roles])} UNION ALL SELECT ${text('meta.meta_key')}, ${text('meta.meta_value')} FROM ${table} AS meta WHERE meta.site_id = ${network.id} AND meta.meta_key IN (${global.map(literal).join(', ')}) AND meta.meta_id = ${first} ${ofPlugins}`,
    };
  },

  site(found, settings) {
    const value = (name: string) => settings.get(name)?.value ?? null;
    if (value(cerber)?.toString() === 'roles') {
      throw new SecondFactorError(
        'the plugin WP Cerber asks for the second factor after the login, so a password alone would be enough here: switch two-factor authentication off for each role in the user policies of WP Cerber, and take another plugin for it, which asks before, such as Two Factor; or deactivate WP Cerber; or do not use this program there',
      );
    }
    const text = (name: string) => {
      const bytes = value(name);
      if (bytes !== null && bytes.length > 0) return bytes.toString('utf8');
      // WordPress makes it when somebody logs in for the first time.
      throw new StoreError(`WordPress has no ${name} yet, neither in wp-config.php nor in its options`, {
        hint: 'log in to the site once: WordPress then makes it, and this program goes on by itself',
      });
    };
    const roles = value(rolesOption(found.prefix, found.network?.blog ?? 1));
    return {
      ...found,
      cookie:
        found.cookieName ??
        `wordpress_logged_in_${found.cookieHash ?? hash('md5', found.siteUrl ?? siteUrlOf(text('siteurl'), found))}`,
      secret: (found.key ?? text('logged_in_key')) + (found.salt ?? text('logged_in_salt')),
      roles: new Set(roles === null ? [] : keysOf(roles)),
      suspends: settings.has(suspensions),
      hasCerber: settings.has(cerber),
    };
  },

  mails: (site) =>
    selectMails(
      'chat_wordpress_mails',
      `${quoted(site.users)} AS u WHERE NOT ${endedIn(site)}`,
      'ID',
      'user_email',
    ),

  accounts(site) {
    const blocked = `SELECT 1 FROM ${quoted(site.usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${literal(capabilitiesOf(site))} AND m.meta_value LIKE '%"${blockedRole}"%'`;
    return selectAccounts(
      'chat_wordpress_accounts',
      `${quoted(site.users)} AS u WHERE NOT ${endedIn(site)} AND NOT EXISTS (${blocked})`,
      { id: 'u.ID', name: 'u.display_name', decode: withoutEntities },
    );
  },

  logins(site) {
    const { prefix, users, usermeta, network, newFragments, suspends, hasCerber } = site;
    const capabilities = capabilitiesOf(site);
    const meta = (alias: string, key: string) =>
      `LEFT JOIN ${quoted(usermeta)} AS ${alias} ON ${alias}.umeta_id = (SELECT MIN(m.umeta_id) FROM ${quoted(usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${literal(key)})`;
    // Four characters of the hash of the password, and no more of it: `wp_generate_auth_cookie()`.
    const old = 'SUBSTRING(u.user_pass, 9, 4)';
    const fragment = newFragments
      ? `CASE WHEN u.user_pass LIKE BINARY '$P$%' OR u.user_pass LIKE BINARY '$2y$%' THEN ${old} ELSE RIGHT(u.user_pass, 4) END`
      : old;
    const bounded = (column: string) => `LEFT(${column}, ${maxSessionBytes})`;
    // The browser of a user writes into the same value, so nothing in it can say that there is no second factor.
    const factor = `EXISTS (SELECT 1 FROM ${quoted(prefix + cerber)} AS f WHERE f.the_key = 'cerber_user' AND f.the_id = u.ID AND f.the_value LIKE '%s:3:"tfm";i:1;%')`;
    // A view that was made before the plugin was there lacks the column, and lets nobody in.
    const user = texts('login', 'name', 'fragment', 'ended', ...(hasCerber ? ['factor'] : []));
    const ofUser = `u.ID AS id, u.user_login AS login, u.display_name AS name, ${fragment} AS fragment, ${endedIn(site)} AS ended${hasCerber ? `, ${factor} AS factor` : ''}`;
    // The same for all logins.
    const superAdmins = network && `${bounded(`(${superAdminsOf(prefix, network)})`)} AS super_admins`;
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
      ...(superAdmins && { common: ['super_admins'] }),
      select: `SELECT ${ofUser}, t.umeta_id AS tokens_id, ${bounded('t.meta_value')} AS tokens, c.umeta_id AS capabilities_id, ${bounded('c.meta_value')} AS capabilities${superAdmins ? `, 1 AS everybody, ${superAdmins}` : ''} FROM ${quoted(users)} AS u ${meta('t', 'session_tokens')} ${meta('c', capabilities)}`,
      // To find the values of a user by their names, all of that user's values are read, of which plugins add many.
      parts: [
        {
          view: 'chat_wordpress_users',
          id: 'id',
          columns: user,
          of: { id: Object.keys(user) },
          tables: [
            users,
            ...(suspends ? [prefix + suspensions] : []),
            ...(hasCerber ? [prefix + cerber] : []),
          ],
          short: true,
          select: `SELECT ${ofUser} FROM ${quoted(users)} AS u`,
        },
        {
          view: 'chat_wordpress_values',
          id: 'id',
          columns: { value: 'text' },
          of: { tokens_id: ['tokens'], capabilities_id: ['capabilities'] },
          tables: [usermeta],
          select: `SELECT m.umeta_id AS id, ${bounded('m.meta_value')} AS value FROM ${quoted(usermeta)} AS m WHERE m.meta_key IN ('session_tokens', ${literal(capabilities)})`,
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
      // A plugin may set a length that is no whole number.
      !/^\d{1,12}(\.\d{1,9})?$/.test(expiration) ||
      token === '' ||
      !/^[0-9a-f]{64}$/.test(hmac) ||
      more.length > 0
    )
      return notLoggedIn('its cookie is none that WordPress makes');
    // WordPress puts backslashes before these in cookies, and then finds no such user.
    if (/['"\\\0]/.test(login))
      return notLoggedIn('WordPress itself takes no cookie of a user with such a name');
    return {
      ...{ table: 'users', lookup: login, secrets: [expiration, token, hmac] },
      ...{ login, expiration, token, hmac },
    };
  },

  checkRow(site, { login, expiration, token, hmac }, row, now) {
    if (Number(expiration) < now) return notLoggedIn('its cookie has expired');
    const text = textsOf(row);
    // The user may have had the name in other letters; it is signed as it stands in the cookie.
    if (row === null || text('login').toLowerCase() !== login.toLowerCase())
      return notLoggedIn('there is no such user');
    const signed = `${login}|${expiration}|${token}`;
    const key = createHmac('md5', site.secret)
      .update(`${login}|${text('fragment')}|${expiration}|${token}`)
      .digest('hex');
    const expected = createHmac('sha256', key).update(signed).digest();
    if (!timingSafeEqual(expected, Buffer.from(hmac, 'hex'))) {
      return notLoggedIn(
        'its cookie is signed with another key, or before the password was changed',
        'if every visitor gets this: the keys and salts of wp-config.php are not those that PHP has, or a plugin replaces the login',
      );
    }
    const session = part(decoded(row.tokens ?? null), hash('sha256', token));
    const until = expirationOf(session);
    if (until === null) return checkSize(row.tokens) ?? notLoggedIn('the login has ended there');
    if (until < now) return notLoggedIn('the login has expired there');
    const by = switchers.find(({ from }) => Number(part(session, from)) > 0);
    if (by) return notLoggedIn(`somebody is another user there, by the plugin ${by.plugin}`);
    if (text('factor') === '1') {
      return notLoggedIn(
        'the plugin WP Cerber asks this user for a second factor after the login',
        'this program does not see whether it was given: switch it off in the profile of the user, and take another plugin for it, which asks before',
      );
    }
    const id = text('id');
    const name = displayName(withoutEntities(text('name')));
    const roles = rolesIn(site, row);
    const user: SessionUser = { id, name: name || id, ...roles };
    if (text('ended') !== '0' || keysOf(row.capabilities ?? null).includes(blockedRole)) user.banned = true;
    return { state: 'user', user, ends: (Math.floor(Math.min(Number(expiration), until)) + 1) * 1000 };
  },

  async describe(folder, { prefix, users, usermeta, network, superAdmins: given, admins }, ask) {
    const configuration = await configurationOf(folder);
    if (configuration === null) return {};
    const text = (name: string) => ifKnown(() => configuration.constant(name, ''));
    const optionOf = (name: string) =>
      ask(`SELECT option_value FROM ${quoted(`${prefix}options`)} WHERE option_name = ${literal(name)}`);
    const home = text('WP_HOME');
    const address = home === null ? await optionOf('home') : home;
    const path = URL.canParse(address ?? '') ? new URL(`${address}/`).pathname : '/';
    const below = network !== null && text('SUBDOMAIN_INSTALL') === '1' ? text('DOMAIN_CURRENT_SITE') : '';
    const named = network === null || network.blog === 1 ? prefix : `${prefix}${network.blog}_`;
    const roles = (admins ?? ['administrator']).map(
      (role) => `m.meta_value LIKE ${literal(`%"${role.replace(/[\\%_]/g, '\\$&')}"%`)}`,
    );
    const superAdmins =
      network === null || admins !== undefined ? null : await ask(superAdminsOf(prefix, network));
    const stored = superAdminsIn(superAdmins === null ? null : Buffer.from(superAdmins));
    const logins = (admins === undefined ? (given ?? stored) : []).map(literal);
    const count = await ask(
      `SELECT COUNT(*) FROM ${quoted(users)} AS u WHERE EXISTS (SELECT 1 FROM ${quoted(usermeta)} AS m WHERE m.user_id = u.ID AND m.meta_key = ${literal(`${named}capabilities`)} AND (${roles.join(' OR ')}))${logins.length === 0 ? '' : ` OR u.user_login IN (${logins.join(', ')})`}`,
    );
    return {
      version: await versionOf(configuration, folder),
      address,
      login: 'wp-login.php?redirect_to={return}',
      condition: { language: 'PHP', open: '<?php if (is_user_logged_in()): ?>', close: '<?php endif ?>' },
      administrators: Number(count),
      cookie: {
        path: text('COOKIEPATH') ?? (network === null ? path : (text('PATH_CURRENT_SITE') ?? '/')),
        domain: text('COOKIE_DOMAIN') || below || '',
        secure: /^https:/.test(address ?? ''),
      },
    };
  },
};

/** Whether `wp-config.php` is that of the folder: it may lie above, where WordPress has no other. */
async function configurationOf(folder: SiteFolder): Promise<Configuration | null> {
  const surroundings = { application: /\/wp-settings\.php$|\/vendor\/autoload\.php$/ };
  if (/\.php$/.test(folder.path)) return folder.php(folder.path, surroundings);
  // Bedrock: https://github.com/roots/bedrock.
  if ((await folder.has('config/application.php')) && (await folder.has('.env'))) {
    const shared = await folder.env('.env', 'phpdotenv');
    if (await folder.has('.env.local')) await folder.env('.env.local', 'phpdotenv', shared);
    return folder.php('config/application.php', surroundings);
  }
  const own = await ownFolder(folder);
  if (own === null) return null;
  const dropIn = join(own, 'wp-content/db.php');
  if ((await folder.has(dropIn)) && /sqlite/i.test(await folder.text(dropIn))) {
    throw new ConfigurationError(
      `${folder.path}/${dropIn}: this WordPress keeps its data in SQLite, which cannot be read`,
    );
  }
  // Debian reads the file of the host that is asked for.
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
    `${folder.path}: WordPress is here, but no wp-config.php, neither in the folder above`,
  );
}

/** WordPress may lie in a folder of its own, which the `index.php` above it names; null if it is not here. */
async function ownFolder(folder: SiteFolder): Promise<string | null> {
  if (await folder.has('wp-includes/version.php')) return '.';
  const index = (await folder.has('index.php')) ? await folder.text('index.php').catch(() => '') : '';
  const [, below] = /['"]\/?([\w.-]+(?:\/[\w.-]+)*)\/wp-blog-header\.php['"]/.exec(index) ?? [];
  return below !== undefined && (await folder.has(join(below, 'wp-includes/version.php'))) ? below : null;
}

async function foundIn(
  configuration: Configuration,
  folder: SiteFolder,
  { cookieName, blog, admins, moderators }: SiteOptions,
): Promise<Found> {
  const constant = (name: string, instead: string) => configuration.constant(name, instead);
  const text = (name: string, instead: string) => asText(constant(name, instead));
  const itself = 'its value in wp-config.php itself';
  // `is_multisite()`.
  const multisite = text('MULTISITE', itself);
  const isNetwork =
    multisite === null
      ? ['SUBDOMAIN_INSTALL', 'VHOST', 'SUNRISE'].some((name) => constant(name, itself) !== null)
      : isTrue(multisite);
  const number = (name: string) => Number(text(name, itself) ?? 1);
  const prefix = identifier(asText(configuration.variable(['table_prefix'], itself)) ?? 'wp_');
  const table = (name: string, usual: string) => identifier(text(name, itself) ?? usual);
  const phrase = (name: string) => usablePhrase(configuration, name);
  const siteUrl =
    cookieName === undefined
      ? text('WP_SITEURL', `${option('cookieName')}, to the name of the cookie wordpress_logged_in_…`)
      : null;
  return {
    database: databaseOf(configuration),
    prefix,
    users: table('CUSTOM_USER_TABLE', `${prefix}users`),
    usermeta: table('CUSTOM_USER_META_TABLE', `${prefix}usermeta`),
    network: isNetwork
      ? { id: number('SITE_ID_CURRENT_SITE'), blog: blog ?? number('BLOG_ID_CURRENT_SITE') }
      : null,
    superAdmins: isNetwork && admins === undefined ? namedIn(configuration) : null,
    // In a network the address counts that is stored with it.
    siteUrl: siteUrl === null || isNetwork ? null : siteUrl.replace(/\/+$/, ''),
    cookieHash: cookieName === undefined ? text('COOKIEHASH', option('cookieName')) : null,
    cookieName: cookieName ?? text('LOGGED_IN_COOKIE', option('cookieName')),
    key: phrase('LOGGED_IN_KEY') ?? phrase('SECRET_KEY'),
    salt: phrase('LOGGED_IN_SALT'),
    newFragments: await hasNewFragments(configuration, folder),
    admins,
    moderators,
  };
}

/** `$super_admins`, which `get_super_admins()` takes before the stored ones; null if it is not set. */
function namedIn(configuration: Configuration): string[] | null {
  const variable = (...keys: string[]) =>
    configuration.variable(['super_admins', ...keys], option('siteAdmins'));
  const names = variable();
  if (names === null) return null;
  return isArray(names) ? [...names.keys()].flatMap((key) => asText(variable(key)) ?? []) : [];
}

/** `$wp_version`: 6.8 made the hashes of passwords new. */
async function hasNewFragments(configuration: Configuration, folder: SiteFolder): Promise<boolean> {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec((await versionOf(configuration, folder)) ?? '') ?? [];
  if (major !== undefined) return Number(major) > 6 || (major === '6' && Number(minor) >= 8);
  throw new ConfigurationError(
    `${folder.path}: the version of WordPress is not known: wp-includes/version.php cannot be read`,
  );
}

async function versionOf(configuration: Configuration, folder: SiteFolder): Promise<string | null> {
  const root = asText(configuration.constant('ABSPATH', 'its value in wp-config.php itself'));
  const places = [
    join((await ownFolder(folder)) ?? '.', 'wp-includes/version.php'),
    'web/wp/wp-includes/version.php',
    ...(root === null ? [] : [`${root}/wp-includes/version.php`]),
    '/usr/share/wordpress/wp-includes/version.php',
  ];
  for (const place of places) {
    if (!(await folder.has(place))) continue;
    const version = asText(
      (await folder.php(place)).variable(['wp_version'], 'nothing; install WordPress again'),
    );
    if (version !== null && /^\d+\.\d+/.test(version)) return version;
  }
  return null;
}

/** `DB_HOST`: `wpdb::parse_db_host()`. */
function databaseOf(configuration: Configuration): SiteDatabase {
  const text = (name: string) => asText(configuration.constant(name, option('siteDatabase'))) ?? '';
  const charset = text('DB_CHARSET').toLowerCase();
  return serverDatabase({
    ...databaseHost(text('DB_HOST')),
    user: text('DB_USER'),
    password: text('DB_PASSWORD'),
    name: text('DB_NAME'),
    charset: charset === '' ? 'server' : charset.startsWith('latin1') ? 'latin1' : 'utf8',
  });
}

/**
 * A phrase that WordPress takes from its configuration: it is not empty, not the one of the sample, and no other is the
 * same (`wp_salt()`).
 */
function usablePhrase(configuration: Configuration, name: string): string | null {
  const phraseOf = (each: string) =>
    asText(configuration.constant(each, 'its value in wp-config.php itself'));
  const value = phraseOf(name);
  if (value === null || value === '' || value === 'put your unique phrase here') return null;
  return phrases.filter((each) => phraseOf(each) === value).length > 1 ? null : value;
}

/** The address of a single site, as `get_option('siteurl')` gives it; that of a network stays as it is stored. */
const siteUrlOf = (stored: string, { network }: Found) =>
  network === null ? stored.replace(/\/+$/, '') : stored;

/** The name of the value that has the roles of a user. */
const capabilitiesOf = ({ prefix, network }: Found) =>
  `${network === null || network.blog === 1 ? prefix : `${prefix}${network.blog}_`}capabilities`;

const rolesOption = (prefix: string, blog: number) => `${prefix}${blog === 1 ? '' : `${blog}_`}user_roles`;

/** The end of a token's login, in seconds since 1970; null if there is no such login. */
function expirationOf(session: PhpValue): number | null {
  const expiration = typeof session === 'number' ? session : part(session, 'expiration');
  // PHP compares numbers of any kind, and texts of numbers, with the time.
  const text = String(expiration instanceof PhpFloat ? expiration.value : expiration);
  return /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : null;
}

/** Whether the site has shut out the user `u`. BuddyPress marks a spammer in the status, and BuddyBoss has a table beside. */
function endedIn({ prefix, network, suspends }: Site): string {
  const kept = [
    'u.user_status = 1',
    ...(network === null ? [] : ['u.spam', 'u.deleted']),
    ...(suspends
      ? [
          `EXISTS (SELECT 1 FROM ${quoted(prefix + suspensions)} AS s WHERE s.item_id = u.ID AND s.item_type = 'user' AND s.user_suspended = 1)`,
        ]
      : []),
  ];
  return `(${kept.join(' OR ')})`;
}

const isCerberActive = (found: Found, options: string) =>
  ['active_plugins', ...(found.network === null ? [] : ['active_sitewide_plugins'])]
    .map((name) => `${optionIn(found, options, name)} LIKE '%/wp-cerber.php"%'`)
    .join(' OR ');

/** Whether WP Cerber asks users of any role for a second factor. Its other settings, such as passwords, are not read. */
function cerberAsksRoles(found: Found, options: string): string {
  const now = optionIn(found, options, 'cerber_configuration');
  // Until 9.3.3. An upgrade leaves it as it was.
  const before = optionIn(found, options, 'cerber_settings');
  const policies = `CASE WHEN ${now} LIKE '%"2famode"%' THEN ${now} ELSE COALESCE(${before}, '') END`;
  const off = ['s:1:"0"', 's:0:""', 'i:0'];
  const on = off.reduce((sql, value) => `REPLACE(${sql}, '"2famode";${value};', '')`, policies);
  return `${on} LIKE '%"2famode"%'`;
}

/** An option as a subquery: of the network where WordPress keeps it there. NULL if it is not set. */
const optionIn = ({ prefix, network }: Found, options: string, name: string) =>
  network === null || name === 'active_plugins'
    ? `(SELECT MAX(option_value) FROM ${quoted(options)} WHERE option_name = ${literal(name)})`
    : `(SELECT MAX(meta_value) FROM ${quoted(`${prefix}sitemeta`)} WHERE site_id = ${network.id} AND meta_key = ${literal(name)})`;

/** The row with the lowest id counts. */
const superAdminsOf = (prefix: string, { id }: { id: number }) =>
  `SELECT meta_value FROM ${quoted(`${prefix}sitemeta`)} WHERE site_id = ${id} AND meta_key = 'site_admins' ORDER BY meta_id LIMIT 1`;

function rolesIn(site: Site, row: Row) {
  const own = keysOf(row.capabilities ?? null);
  // Plugins add roles by code, which no option has, and then the operator names them.
  const isOne = (given: readonly string[] | undefined, usual: string) =>
    given === undefined ? own.includes(usual) && site.roles.has(usual) : hasAny(own, given);
  const superAdmins = () => site.superAdmins ?? superAdminsIn(row.super_admins ?? null);
  const isSuperAdmin = () => superAdmins().includes(textsOf(row)('login'));
  const isAdmin = isOne(site.admins, 'administrator') || (site.admins === undefined && isSuperAdmin());
  return toRoles(isAdmin, isOne(site.moderators, 'editor'));
}

function superAdminsIn(bytes: Buffer | null): string[] {
  const value = decoded(bytes);
  const names = Array.isArray(value)
    ? value
    : typeof value === 'object' && value !== null
      ? Object.values(value)
      : [];
  return names.filter((name) => typeof name === 'string');
}

function keysOf(bytes: Buffer | null): string[] {
  const value = decoded(bytes);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

/** Null if it is not what PHP's `serialize()` makes: WordPress then has nothing, too. */
function decoded(bytes: Buffer | null): PhpValue {
  if (bytes === null || bytes.length === 0 || bytes.length >= maxSessionBytes) return null;
  return decodeValue('php_serialize', bytes) ?? null;
}

function part(value: PhpValue, key: string): PhpValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.hasOwn(value, key) ? ((value as Record<string, PhpValue>)[key] ?? null) : null;
}

/** Names of tables go into the SQL: WordPress itself allows only these characters. */
function identifier(name: string): string {
  if (/^[A-Za-z0-9_$-]{1,64}$/.test(name)) return name;
  throw new ConfigurationError(
    `the name or prefix of a table of WordPress has other characters than A-Z a-z 0-9 _ $ -`,
  );
}

const quoted = (name: string) => `\`${name}\``;
const literal = (text: string) => `'${text.replace(/['\\]/g, (c) => `\\${c}`)}'`;
