/**
 * phpBB 3.2 to 4.
 *
 * - The cookie `NAME_sid` is the id of a row in the table `sessions`: phpbb/session.php, session_begin.
 * - A session ends at a logout, `session_length` after the last page view, or with another address, browser or
 *   X-Forwarded-For header, if settings compare these: includes/functions.php, short_ipv6, phpbb_ip_normalise.
 * - “Remember me” sets `NAME_k`, a key whose MD5 is in `sessions_keys`, and `NAME_u`, its user. The next page view
 *   replaces the key and starts a session: session_create, set_login_key. A guest's session takes precedence over a
 *   key.
 * - phpBB trims and escapes the values of cookies first: phpbb/request/type_cast_helper.php.
 * - Bans end the logins of all users except founders: phpbb/session.php, check_ban; in phpBB 4 phpbb/ban/manager.php.
 * - Leaders can rename their groups: includes/ucp/ucp_groups.php, edit; includes/functions_user.php,
 *   group_validate_groupname; includes/utf/utf_tools.php, utf8_clean_string.
 */

import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import { asText, ConfigurationError } from '../configuration/configuration.ts';
import { type SiteDatabase, serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { withoutEntities } from '../entities.ts';
import { displayName } from '../identity.ts';
import { type Credentials, notLoggedIn, type SessionUser, StoreError } from '../login.ts';
import { option, trustedProxies } from '../names.ts';
import type { Application, SiteFiles } from './application.ts';
import { banned, type Claim, hasAny, missingCookie, rejectFinally, toRoles } from './claim.ts';
import { splitIpv6, unmapIpv4 } from './ip-address.ts';
import { findListedGroups, type ListedGroups, parseGroups, withListedGroups } from './named-groups.ts';
import type { SiteFolder } from './site-folder.ts';
import {
  countAdmins,
  loginPart,
  type Row,
  selectAccounts,
  selectMails,
  texts,
  textsOf,
} from './site-table.ts';
import { type LoginRows, mayBeCutOff, type SiteSql } from './sql.ts';

/** Values of config.php, and options. */
interface Files extends SiteFiles {
  /** The option `cookieName` without `_sid`. Null if the database has the name. */
  cookieName: string | null;
  /** The option `siteChecks`: whether the address and the browser are compared. */
  checks: boolean;
}

interface Site extends Files {
  cookie: string;
  /** phpBB 4 has another table of bans, and accepts a key without a session. */
  isFour: boolean;
  sessionLengthSeconds: number;
  allowAutologin: boolean;
  /** 0 for no limit. */
  maxAutologinSeconds: number;
  /** The number of parts of the address that are compared. */
  ipCheck: number;
  browserCheck: boolean;
  forwardedForCheck: boolean;
  listed: ListedGroups;
}

interface CookieClaim extends Claim {
  table: 'sessions' | 'keys';
  /** The user of the key. */
  user?: string;
  from: { address: string; browser: string; forwardedFor: string };
}

/** The end of a permanent ban. */
const forever = 4294967295;

const anonymous = '1';
const types = { normal: '0', inactive: '1', founder: '3' };

/** GROUP_SPECIAL: the `group_type` of phpBB's own groups. A leader can also give it to another group. */
const builtIn = '3';

/** The settings of the table `config`, with phpBB's defaults. */
const defaults: Readonly<Record<string, string>> = {
  session_length: '3600',
  allow_autologin: '1',
  max_autologin_time: '0',
  ip_check: '3',
  browser_check: '1',
  forwarded_for_check: '0',
  auth_method: 'db',
};

export const phpbb: Application<Files, Site, CookieClaim> = {
  kind: 'phpbb',
  title: 'phpBB',

  async find(folder, { cookieName, checks, admins, moderators, team }) {
    if (!(await folder.has('config.php'))) return null;
    const isPhpbb =
      /\$dbms\b/.test(await folder.text('config.php')) || (await folder.has('phpbb/session.php'));
    if (!isPhpbb) return null;
    const configuration = await folder.php('config.php');
    const text = (name: string) => asText(configuration.variable([name], option('siteDatabase'))) ?? '';
    const prefix = asText(configuration.variable(['table_prefix'], 'a literal value in config.php')) ?? '';
    if (!/^[A-Za-z]\w{0,49}$/.test(prefix)) {
      throw new ConfigurationError(
        `${folder.path}/config.php: $table_prefix is not a valid prefix of phpBB; is phpBB installed?`,
      );
    }
    const { database, schema } = readDatabase(folder, text);
    return {
      database,
      prefix: schema === undefined ? prefix : `${schema}.${prefix}`,
      cookieName: cookieName?.replace(/_sid$/, '') ?? null,
      checks: checks ?? true,
      admins,
      moderators,
      team,
    };
  },

  settings({ prefix }, { asText, lines }) {
    const names = ['cookie_name', 'version', ...Object.keys(defaults)];
    // All names are read in one query, so that no group can take another's name in between.
    const groups = asText(lines("CONCAT(g.group_id, ' ', g.group_type, ' ', g.group_name)"));
    return {
      view: 'chat_phpbb_settings',
      columns: { value: 'text' },
      names: [...names, 'groups'],
      select: `SELECT config_name AS name, ${asText('config_value')} AS value FROM ${prefix}config WHERE config_name IN (${names.map((name) => `'${name}'`).join(', ')}) UNION ALL SELECT 'groups', ${groups} FROM ${prefix}groups g`,
    };
  },

  site(found, settings) {
    const text = (name: string) => settings.get(name)?.value?.toString('utf8') ?? defaults[name] ?? null;
    const number = (name: string) => Number.parseInt(text(name) ?? '', 10) || 0;
    const cookieName = found.cookieName ?? text('cookie_name');
    if (cookieName === null)
      throw new StoreError('phpBB has no cookie_name in its table config: is it installed?');
    if (text('auth_method') === 'apache') {
      throw new ConfigurationError(
        'phpBB takes its users from the web server (auth_method is apache), so they cannot be read here',
      );
    }
    const groups = parseGroups(found.database, text('groups') ?? '').map(({ id, name }) => {
      const [, type, own = ''] = /^(\d+) (.*)$/s.exec(name) ?? [];
      return { id, name: withoutEntities(own), isBuiltIn: type === builtIn };
    });
    const listed = findListedGroups(found, groups);
    // Other groups may have the same names.
    const usual = findListedGroups(
      {
        admins: found.admins ? undefined : ['ADMINISTRATORS'],
        moderators: found.moderators ? undefined : ['GLOBAL_MODERATORS'],
      },
      groups.filter(({ isBuiltIn }) => isBuiltIn),
    );
    return {
      ...found,
      listed: {
        admins: listed.admins ?? usual.admins,
        moderators: listed.moderators ?? usual.moderators,
        team: listed.team,
        warnings: [...listed.warnings, ...usual.warnings],
      },
      cookie: cookieName,
      isFour: number('version') >= 4,
      sessionLengthSeconds: number('session_length'),
      allowAutologin: number('allow_autologin') !== 0,
      maxAutologinSeconds: number('max_autologin_time') * 86_400,
      ipCheck: number('ip_check'),
      browserCheck: number('browser_check') !== 0,
      forwardedForCheck: number('forwarded_for_check') !== 0,
    };
  },

  ...withListedGroups,

  mails: (site, sql) =>
    // An account is inactive until its new address is confirmed: includes/ucp/ucp_profile.php.
    selectMails('chat_phpbb_mails', openAccountsSql(site, sql), 'user_id', 'user_email'),

  accounts: (site, sql) =>
    selectAccounts('chat_phpbb_accounts', openAccountsSql(site, sql), {
      id: 'user_id',
      name: sql.anyCase('username'),
      decode: withoutEntities,
    }),

  logins({ prefix, isFour, sessionLengthSeconds }, sql) {
    const groups = `(SELECT ${sql.lines('m.group_id')} FROM ${prefix}user_group m WHERE m.user_id = u.user_id AND m.user_pending = 0) AS group_ids`;
    const until = `MAX(CASE WHEN b.ban_end = 0 THEN ${forever} ELSE b.ban_end END)`;
    const own = 'u.user_type AS user_type, u.username AS username';
    const user = `u.user_id AS user_id, ${own}`;
    const banned = (exclude: 0 | 1) =>
      `(SELECT ${until} FROM ${prefix}banlist b WHERE b.ban_email = '' AND b.ban_exclude = ${exclude} AND b.ban_userid = u.user_id)`;
    const userBans = isFour
      ? `(SELECT ${until} FROM ${prefix}bans b WHERE b.ban_userid = u.user_id AND b.ban_mode = 'user') AS banned, NULL AS freed`
      : `${banned(0)} AS banned, ${banned(1)} AS freed`;
    const within = `${groups}, ${userBans}`;
    // The count shows whether the database cut the list off.
    const ban = "CONCAT(b.ban_exclude, ' ', b.ban_end, ' ', b.ban_ip)";
    const ofAddresses = `${isFour ? 'NULL' : `(SELECT CONCAT(COUNT(*), ' ', ${sql.lines(ban)}) FROM ${prefix}banlist b WHERE b.ban_email = '' AND b.ban_ip > '')`} AS address_bans`;
    const columns = texts(
      ...['user_id', 'user_type', 'username', 'group_ids', 'banned', 'freed'],
      ...['everybody', 'address_bans', 'address'],
    );
    const sessionColumns = ['seen', 'autologin', 'address', 'browser', 'forwarded_for'];
    const session =
      's.session_id AS id, s.session_time AS seen, s.session_autologin AS autologin, s.session_ip AS address, s.session_browser AS browser, s.session_forwarded_for AS forwarded_for';
    const bansTable = `${prefix}${isFour ? 'bans' : 'banlist'}`;
    const rows = (key: string, table: string, user: string): LoginRows => ({
      key: `s.${key}`,
      joined: [
        [prefix + table, 's'],
        [`${prefix}users`, 'u', `u.user_id = s.${user}`],
        [`${prefix}user_group`, 'm', 'm.user_id = u.user_id'],
      ],
      shared: [[bansTable]],
    });
    return {
      sessions: {
        view: 'chat_phpbb_sessions',
        id: 'id',
        lookup: 'id',
        columns: { ...columns, ...texts('id', ...sessionColumns) },
        select: `SELECT ${session}, ${user}, ${within}, 1 AS everybody, ${ofAddresses} FROM ${prefix}sessions s JOIN ${prefix}users u ON u.user_id = s.session_user_id`,
        rows: rows('session_id', 'sessions', 'session_user_id'),
        parts: [
          loginPart({
            ...{ view: 'chat_phpbb_own', key: 'id', columns: ['user_id', ...sessionColumns], short: true },
            select: `SELECT ${session}, s.session_user_id AS user_id FROM ${prefix}sessions s`,
          }),
          loginPart({
            ...{ view: 'chat_phpbb_users', key: 'user_id', columns: ['user_type', 'username'] },
            tables: [`${prefix}users`],
            select: `SELECT u.user_id AS id, ${own} FROM ${prefix}users u`,
          }),
          loginPart({
            ...{ view: 'chat_phpbb_groups', key: 'user_id', columns: ['group_ids', 'banned', 'freed'] },
            tables: [`${prefix}user_group`, bansTable],
            select: `SELECT u.user_id AS id, ${within} FROM ${prefix}users u`,
          }),
          loginPart({
            ...{ view: 'chat_phpbb_bans', key: 'everybody', columns: ['address_bans'] },
            tables: [bansTable],
            select: `SELECT 1 AS id, ${ofAddresses}`,
          }),
        ],
        renewed: {
          table: `${prefix}sessions`,
          id: 'session_id',
          column: 'session_time',
          lifetime: sessionLengthSeconds + 60,
        },
      },
      keys: {
        view: 'chat_phpbb_keys',
        id: 'id',
        lookup: 'id',
        columns: { ...columns, ...texts('id') },
        select: `SELECT k.key_id AS id, ${user}, k.last_ip AS address, ${within}, 1 AS everybody, ${ofAddresses} FROM ${prefix}sessions_keys k JOIN ${prefix}users u ON u.user_id = k.user_id`,
        rows: rows('key_id', 'sessions_keys', 'user_id'),
      },
    };
  },

  claim(site, credentials) {
    const { cookie, isFour, allowAutologin } = site;
    const partOf = (part: string) => toPhpText(credentials.cookies.value(`${cookie}_${part}`) ?? '');
    const sid = partOf('sid');
    const [key, user] = [partOf('k'), /^\+?(\d{1,10})/.exec(partOf('u'))?.[1] ?? '0'];
    const from = readOrigin(credentials, site);
    // Part of the secrets, because one session may have requests from two addresses, one of them banned.
    const place = site.checks ? [from.address, from.browser, from.forwardedFor] : [];
    const byKey: CookieClaim | undefined =
      allowAutologin && isFilled(key) && Number(user) > 0
        ? {
            ...{
              table: 'keys',
              lookup: hash('md5', Buffer.from(key, 'latin1')),
              secrets: [user, key, ...place],
            },
            ...{ user: String(Number(user)), from },
          }
        : undefined;
    if (isFilled(sid)) {
      return {
        ...{ table: 'sessions' as const, lookup: sid, secrets: [sid, ...place], from },
        fallback: byKey,
      };
    }
    if (isFour && byKey !== undefined) return byKey;
    return missingCookie(
      `${cookie}_sid`,
      'phpBB sets the cookie for the domain and path of its cookie settings',
    );
  },

  loginOrigin({ checks, ipCheck, browserCheck }, { table }, row) {
    if (!checks || table !== 'sessions') return null;
    const text = textsOf(row);
    return {
      address: ipCheck < 1 ? null : unmapIpv4(text('address')),
      browser: browserCheck ? text('browser') : null,
    };
  },

  checkRow(site, claim, row, now) {
    const text = textsOf(row);
    if (claim.table === 'keys') {
      if (row === null || text('user_id') !== claim.user)
        return notLoggedIn('the key of the browser is not valid');
      return checkUser(site, claim, row, now);
    }
    if (row === null) return notLoggedIn('the session does not exist, has ended or has expired');
    const difference = site.checks ? findDifference(site, claim, text) : null;
    if (difference !== null) {
      return notLoggedIn(
        `the session started with another ${difference}`,
        `if every visitor gets this: browsers must reach this server through the same proxies as phpBB, or ${trustedProxies()} must list the proxies; ${option('siteChecks')}=off disables the comparison`,
      );
    }
    const seen = Number(text('seen'));
    if (text('autologin') === '0') {
      const idle = seen + site.sessionLengthSeconds + 61;
      return idle <= now ? notLoggedIn('the session has expired') : checkUser(site, claim, row, now, idle);
    }
    if (!site.allowAutologin)
      return notLoggedIn('the session is an automatic login, which phpBB no longer allows');
    if (site.maxAutologinSeconds === 0) return checkUser(site, claim, row, now);
    const idle = seen + site.maxAutologinSeconds - 59;
    return idle <= now ? notLoggedIn('the session has expired') : checkUser(site, claim, row, now, idle);
  },

  facts: {
    login: 'ucp.php?mode=login&redirect={return}',
    condition: { language: 'Twig', open: '{% if S_REGISTERED_USER %}', close: '{% endif %}' },
    footer: {
      place: 'styles/prosilver/template/overall_footer.html, or that file of your style',
      whenDone: 'Then choose “Purge the cache” on the start page of the ACP.',
    },
  },

  async describe(_, { prefix, admins }, ask) {
    const value = async (name: string) =>
      (await ask(`SELECT config_value FROM ${prefix}config WHERE config_name = '${name}'`)) ?? '';
    const [host, port, domain] = [
      // Owners may enter an address instead of a name.
      (await value('server_name')).replace(/^\w*:?\/\/|\/+$/g, ''),
      await value('server_port'),
      await value('cookie_domain'),
    ];
    const authority = /^(0|80|443)?$/.test(port) ? host : `${host}:${port}`;
    const isSecure = !/^0?$/.test(await value('cookie_secure'));
    // Without a protocol, phpBB chooses it by the cookie too: includes/functions.php, generate_board_url.
    const protocol = /^https?/i.exec(await value('server_protocol'))?.[0] ?? (isSecure ? 'https' : 'http');
    const path = (await value('script_path')).replace(/^\/*/, '/');
    return {
      version: await value('version'),
      address: host && `${protocol}://${authority}${path}`,
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${prefix}users u WHERE u.user_type = ${types.founder} OR (u.user_type = ${types.normal} AND EXISTS (SELECT 1 FROM ${prefix}user_group m JOIN ${prefix}groups g ON g.group_id = m.group_id WHERE m.user_id = u.user_id AND m.user_pending = 0 AND g.group_type = ${builtIn} AND g.group_name = 'ADMINISTRATORS'))`,
      ),
      cookie: {
        path: (await value('cookie_path')) || '/',
        domain: domain.includes('.') && domain !== '127.0.0.1' ? domain : '',
        secure: isSecure,
      },
    };
  },
};

/** Returns the SQL for the active accounts without a ban by user ID. Founders cannot be banned. */
function openAccountsSql({ prefix, isFour }: Site, sql: SiteSql): string {
  const ban = (condition: string) =>
    `EXISTS (SELECT 1 FROM ${prefix}${isFour ? 'bans' : 'banlist'} b WHERE b.ban_userid = u.user_id AND ${condition} AND (b.ban_end = 0 OR b.ban_end > ${sql.moment('unix', 0)}))`;
  const isFree = isFour
    ? `NOT ${ban("b.ban_mode = 'user'")}`
    : `(NOT ${ban("b.ban_email = '' AND b.ban_exclude = 0")} OR ${ban("b.ban_email = '' AND b.ban_exclude = 1")})`;
  return `${prefix}users u WHERE user_type = ${types.founder} OR (user_type = ${types.normal} AND ${isFree})`;
}

/** Checks the user of a valid row. No other claim counts then, even if this user is rejected. */
function checkUser(
  site: Site,
  claim: CookieClaim,
  row: Row,
  now: number,
  idle?: number,
): ReturnType<typeof phpbb.checkRow> {
  const text = textsOf(row);
  const [id, type] = [text('user_id'), text('user_type')];
  if (id === anonymous) return rejectFinally('the session belongs to a guest');
  if (type === types.inactive)
    return rejectFinally(
      'the account is inactive',
      'activate it in the ACP (Users and Groups → Inactive users)',
    );
  if (type !== types.normal && type !== types.founder) return rejectFinally('the session belongs to a bot');
  if (type !== types.founder) {
    // phpBB 4 ends bans a second earlier.
    const lasts = (end: number) => end >= (site.isFour ? now + 1 : now);
    const bans = readAddressBans(site.database, text('address_bans')).filter(({ end }) => lasts(end));
    const isFreed = lasts(Number(text('freed')));
    const isBanned = lasts(Number(text('banned')));
    const mayCome = (addresses: readonly string[]) => {
      const matching = bans.filter(({ matches }) => addresses.some(matches));
      return (
        isFreed || matching.some(({ isException }) => isException) || (!isBanned && matching.length === 0)
      );
    };
    if (!collectAddresses(site, claim, text).every(mayCome)) return rejectFinally(...banned());
  }
  const groups = text('group_ids').split('\n');
  const isAdmin = hasAny(groups, site.listed.admins) || (site.admins === undefined && type === types.founder);
  const user: SessionUser = {
    id,
    name: displayName(withoutEntities(text('username'))) || id,
    ...toRoles(isAdmin, hasAny(groups, site.listed.moderators), hasAny(groups, site.listed.team)),
  };
  return { state: 'user', user, idle };
}

/**
 * Returns the addresses to compare with bans: the visitor's, and the stored ones. If `checks` is off, the visitor's address
 * does not count, because it may belong to a proxy.
 */
function collectAddresses(
  { checks, forwardedForCheck }: Site,
  { from }: CookieClaim,
  text: (name: string) => string,
): string[][] {
  const visit = (address: string, forwardedFor: string) => [
    unmapIpv4(address),
    ...(forwardedForCheck && forwardedFor !== '' ? forwardedFor.split(' ') : []),
  ];
  const noted = visit(text('address'), text('forwarded_for'));
  return checks && from.address !== '' ? [visit(from.address, from.forwardedFor), noted] : [noted];
}

/** A ban of addresses, or an exception from all bans. */
interface AddressBan {
  isException: boolean;
  /** Unix seconds. */
  end: number;
  matches(address: string): boolean;
}

// The list is the same for all logins.
let lastBans: { list: string; bans: readonly AddressBan[] } = { list: '', bans: [] };

/**
 * Parses the bans of addresses.
 * @param list the number of bans, and a line for each
 * @throws StoreError if the database may have cut off the list
 */
function readAddressBans(database: SiteDatabase, list: string): readonly AddressBan[] {
  if (mayBeCutOff(database, list)) throw tooMany(list);
  if (list !== lastBans.list) lastBans = { list, bans: parseAddressBans(list) };
  return lastBans.bans;
}

function parseAddressBans(list: string): AddressBan[] {
  const count = Number.parseInt(list, 10) || 0;
  if (count === 0) return [];
  const bans = list
    .slice(list.indexOf(' ') + 1)
    .split('\n')
    .flatMap((line) => {
      const [, exclude, end, pattern] = /^(\d+) (-?\d+) (.+)$/.exec(line) ?? [];
      if (pattern === undefined) return [];
      return [{ isException: exclude !== '0', end: Number(end) || forever, matches: toMatcher(pattern) }];
    });
  if (bans.length === count) return bans;
  throw tooMany(list);
}

const tooMany = (list: string) =>
  new StoreError(
    `phpBB has ${Number.parseInt(list, 10)} bans of addresses, more than can be read: remove bans that are not needed`,
  );

/**
 * Returns a function that compares an address with a pattern, ignoring case.
 * @param pattern in which `*` stands for any text
 */
function toMatcher(pattern: string): (address: string) => boolean {
  const [start = '', ...parts] = pattern.toLowerCase().split('*');
  const end = parts.pop();
  return (given) => {
    const address = given.toLowerCase();
    if (end === undefined) return address === start;
    if (!address.startsWith(start)) return false;
    let at = start.length;
    for (const part of parts) {
      const found = address.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return address.length - end.length >= at && address.endsWith(end);
  };
}

/**
 * Reads the database, and its schema on PostgreSQL. `$dbms` is a class name, or the short name of phpBB 3.0.
 * @throws ConfigurationError
 */
function readDatabase(
  folder: SiteFolder,
  text: (name: string) => string,
): { database: SiteDatabase; schema?: string } {
  const dbms = text('dbms').replace(/^.*\\/, '').toLowerCase();
  const [host, port] = [text('dbhost'), text('dbport')];
  const [user, password, name] = [text('dbuser'), text('dbpasswd'), text('dbname')];
  if (dbms === 'sqlite3') {
    const file = port === '' ? host : `${host}:${port}`;
    const path = file.startsWith('/') ? file : `${folder.path}/${file}`;
    return { database: sqliteDatabase(path) };
  }
  if (dbms === 'mysqli' || dbms === 'mysql') {
    const place = { host: host.replace(/^p:/, '') || 'localhost', port: toPort(port) };
    const socket = port.startsWith('/') ? port : undefined;
    return { database: serverDatabase({ ...place, socket, user, password, name }) };
  }
  if (dbms === 'postgres') {
    const [, short = host, its = port] = /^([^:]*):([^:]*)$/.exec(host) ?? [];
    const [database = '', schema] = name.split('.');
    if (schema !== undefined && !/^\w{1,63}$/.test(schema))
      throw new ConfigurationError(
        `${folder.path}/config.php: $dbname names a schema with characters other than letters, digits and _`,
      );
    // phpBB does not pass `localhost` to libpq, which then uses its socket. Without a host, it passes no port.
    const place = {
      host: short === 'localhost' ? '' : short,
      port: short === '' ? undefined : toPort(its),
    };
    return {
      database: serverDatabase({ kind: 'postgres', ...place, user, password, name: database }),
      schema,
    };
  }
  throw new ConfigurationError(
    `${folder.path}/config.php: the database of phpBB (${/^\w{1,30}$/.test(dbms) ? dbms : 'unknown'}) is not supported, only MariaDB, MySQL, PostgreSQL and SQLite are`,
  );
}

const toPort = (text: string) => (/^\d{1,5}$/.test(text) ? Number(text) : undefined);

/** Converts a text of a request to ASCII like phpBB: trimmed and escaped. */
const toPhpText = (text: string) =>
  escapeEntities(trimBlanks(text.replace(/\r\n?/g, '\n').replaceAll('\0', ''))).replace(
    /[\x80-\uffff]/g,
    '?',
  );

/** Trims like PHP's `trim()`, which does not remove the blanks of Unicode. */
const trimBlanks = (text: string) => text.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, '');

const escapeEntities = (text: string) =>
  text.replace(/[&<>"]/g, (character) => entities[character] as string);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Whether PHP's `empty()` is false for the text. */
const isFilled = (text: string) => text !== '' && text !== '0';

function readOrigin(
  { address = '', userAgent = '', forwardedFor = '' }: Omit<Credentials, 'cookies'>,
  { forwardedForCheck }: Site,
) {
  const parts = trimBlanks(forwardedFor).replaceAll(',', ' ').replace(/ {2,}/g, ' ');
  const areAddresses = parts.split(' ').every((part) => isIP(part) !== 0 && !part.includes('%'));
  return {
    address: unmapIpv4(address),
    browser: toStoredBrowser(userAgent),
    forwardedFor: forwardedForCheck && areAddresses ? parts : '',
  };
}

/** Converts a header to the text that phpBB compares: escaped UTF-8 without byte order marks. Empty if not UTF-8. */
function toStoredBrowser(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  const text = bytes.toString('utf8');
  // `htmlspecialchars()` returns an empty text if the bytes are not UTF-8.
  if (!Buffer.from(text).equals(bytes)) return '';
  return toComparable(
    Buffer.from(escapeEntities(trimBlanks(text.replaceAll('\ufeff', ''))).normalize('NFC')),
  );
}

/** Returns the first 149 bytes, in lower case and trimmed. */
const toComparable = (bytes: Buffer) =>
  trimBlanks(
    bytes
      .subarray(0, 149)
      .toString('latin1')
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
  );

/** Returns what differs from the request that began the session; null if nothing does. */
function findDifference(
  { ipCheck, browserCheck, forwardedForCheck }: Site,
  { from }: CookieClaim,
  text: (name: string) => string,
): 'address' | 'browser' | 'X-Forwarded-For' | null {
  if (startOfAddress(from.address, ipCheck) !== startOfAddress(unmapIpv4(text('address')), ipCheck))
    return 'address';
  if (browserCheck && from.browser !== toComparable(Buffer.from(text('browser')))) return 'browser';
  if (forwardedForCheck && from.forwardedFor.slice(0, 254) !== text('forwarded_for').slice(0, 254))
    return 'X-Forwarded-For';
  return null;
}

/**
 * Returns the compared start of an address. `short_ipv6()` compares one group more of IPv6, and from four parts on all
 * groups.
 */
function startOfAddress(address: string, parts: number): string {
  if (parts < 1) return '';
  if (isIP(address) !== 6) return address.split('.').slice(0, parts).join('.');
  return splitIpv6(address)
    .slice(0, parts < 4 ? parts + 1 : 8)
    .join(':');
}
