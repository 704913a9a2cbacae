import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import { asText, ConfigurationError } from '../configuration/configuration.ts';
import { serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import { withoutEntities } from '../entities.ts';
import { displayName } from '../identity.ts';
import { type Credentials, type SessionUser, StoreError } from '../login.ts';
import { option, trustedProxies } from '../names.ts';
import {
  type Application,
  type Claim,
  countAdmins,
  type GivenRoles,
  hasAny,
  loginPart,
  missingCookie,
  notLoggedIn,
  type Row,
  rejectFinally,
  type SiteDatabase,
  type SiteFolder,
  selectAccounts,
  selectMails,
  texts,
  textsOf,
  toRoles,
} from './application.ts';
import { groupsIn, groupsListed, type ListedGroups, withListedGroups } from './named-groups.ts';
import { type LoginRows, mayBeCutOff } from './sql.ts';

/** The values of config.php. */
interface PhpbbFiles extends GivenRoles {
  database: SiteDatabase;
  /** Before the names of the tables; PostgreSQL may have a schema there. */
  prefix: string;
  cookieName: string | null;
  /** Whether the address and the browser are compared. */
  checks: boolean;
}

interface PhpbbSite extends PhpbbFiles {
  cookie: string;
  /** phpBB 4 keeps bans in another way, and takes a key without a session. */
  isFour: boolean;
  /** Seconds after the last page view. */
  sessionLength: number;
  allowAutologin: boolean;
  /** Seconds; 0: without end. */
  longestAutologin: number;
  /** Parts of the address that are compared. */
  ipCheck: number;
  browserCheck: boolean;
  forwardedForCheck: boolean;
  listed: ListedGroups;
}

interface PhpbbClaim extends Claim {
  table: 'sessions' | 'keys';
  /** The user whose key it is. */
  user?: string;
  from: { address: string; browser: string; forwardedFor: string };
}

/** A ban without an end is one until then. */
const forever = 4294967295;

const anonymous = '1';
const types = { normal: '0', founder: '3' };

/** The `group_type` of the groups that are part of phpBB: GROUP_SPECIAL. A leader can give it to another group, too. */
const builtIn = '3';

/** Rows of the table `config`, and what phpBB has for those that are missing. */
const defaults: Readonly<Record<string, string>> = {
  session_length: '3600',
  allow_autologin: '1',
  max_autologin_time: '0',
  ip_check: '3',
  browser_check: '1',
  forwarded_for_check: '0',
  auth_method: 'db',
};

/**
 * phpBB 3.2 to 4: phpbb/session.php (session_begin, session_create, check_ban, set_login_key), phpbb/ban/manager.php,
 * phpbb/request/type_cast_helper.php, includes/functions.php (short_ipv6, phpbb_ip_normalise),
 * includes/ucp/ucp_groups.php (edit), includes/functions_user.php (group_validate_groupname), includes/utf/utf_tools.php
 * (utf8_clean_string).
 */
export const phpbb: Application<PhpbbFiles, PhpbbSite, PhpbbClaim> = {
  kind: 'phpbb',
  title: 'phpBB',

  async find(folder, { cookieName, checks, admins, moderators }) {
    if (!(await folder.has('config.php'))) return null;
    const isPhpbb =
      /\$dbms\b/.test(await folder.text('config.php')) || (await folder.has('phpbb/session.php'));
    if (!isPhpbb) return null;
    const configuration = await folder.php('config.php');
    const text = (name: string) => asText(configuration.variable([name], option('siteDatabase'))) ?? '';
    const prefix = asText(configuration.variable(['table_prefix'], 'its value in config.php itself')) ?? '';
    if (!/^[A-Za-z]\w{0,49}$/.test(prefix)) {
      throw new ConfigurationError(
        `${folder.path}/config.php: $table_prefix is none that phpBB takes; is phpBB installed?`,
      );
    }
    const { database, schema } = databaseOf(folder, text);
    return {
      database,
      prefix: schema === undefined ? prefix : `${schema}.${prefix}`,
      cookieName: cookieName?.replace(/_sid$/, '') ?? null,
      checks: checks ?? true,
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

  settings({ prefix }, { asText, lines }) {
    const names = ['cookie_name', 'version', ...Object.keys(defaults)];
    // The names of all groups are read at one time, so that none can take the name of another in between.
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
        'phpBB takes its users from the web server (auth_method is apache), who cannot be read here',
      );
    }
    const groups = groupsIn(found.database, text('groups') ?? '').map(({ id, name }) => {
      const [, type, own = ''] = /^(\d+) (.*)$/s.exec(name) ?? [];
      return { id, name: withoutEntities(own), isBuiltIn: type === builtIn };
    });
    const listed = groupsListed(found, groups);
    // Others may have names like theirs.
    const usual = groupsListed(
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
        warnings: [...listed.warnings, ...usual.warnings],
      },
      cookie: cookieName,
      isFour: number('version') >= 4,
      sessionLength: number('session_length'),
      allowAutologin: number('allow_autologin') !== 0,
      longestAutologin: number('max_autologin_time') * 86_400,
      ipCheck: number('ip_check'),
      browserCheck: number('browser_check') !== 0,
      forwardedForCheck: number('forwarded_for_check') !== 0,
    };
  },

  ...withListedGroups,

  mails: ({ prefix }) =>
    selectMails(
      'chat_phpbb_mails',
      // The account is inactive until a changed address is confirmed: includes/ucp/ucp_profile.php.
      `${prefix}users WHERE user_type IN (${types.normal}, ${types.founder})`,
      'user_id',
      'user_email',
    ),

  accounts({ prefix, isFour }, sql) {
    const lasts = `(b.ban_end = 0 OR b.ban_end > ${sql.moment('unix', 0)})`;
    const banned = isFour
      ? `SELECT 1 FROM ${prefix}bans b WHERE b.ban_userid = u.user_id AND b.ban_mode = 'user' AND ${lasts}`
      : `SELECT 1 FROM ${prefix}banlist b WHERE b.ban_userid = u.user_id AND b.ban_exclude = 0 AND ${lasts}`;
    return selectAccounts(
      'chat_phpbb_accounts',
      `${prefix}users u WHERE user_type = ${types.founder} OR (user_type = ${types.normal} AND NOT EXISTS (${banned}))`,
      { id: 'user_id', name: sql.anyCase('username'), decode: withoutEntities },
    );
  },

  logins({ prefix, isFour, sessionLength }, sql) {
    const groups = `(SELECT ${sql.lines('m.group_id')} FROM ${prefix}user_group m WHERE m.user_id = u.user_id AND m.user_pending = 0) AS group_ids`;
    const until = `MAX(CASE WHEN b.ban_end = 0 THEN ${forever} ELSE b.ban_end END)`;
    const own = 'u.user_type AS user_type, u.username AS username';
    const user = `u.user_id AS user_id, ${own}`;
    const banned = (exclude: 0 | 1) =>
      `(SELECT ${until} FROM ${prefix}banlist b WHERE b.ban_email = '' AND b.ban_exclude = ${exclude} AND b.ban_userid = u.user_id)`;
    // The index of the bans finds those of the user.
    const ofUser = isFour
      ? `(SELECT ${until} FROM ${prefix}bans b WHERE b.ban_userid = u.user_id AND b.ban_mode = 'user') AS banned, NULL AS freed`
      : `${banned(0)} AS banned, ${banned(1)} AS freed`;
    const within = `${groups}, ${ofUser}`;
    // The same for all logins. The database may cut a long one off.
    const ban = "CONCAT(b.ban_exclude, ' ', b.ban_end, ' ', b.ban_ip)";
    const ofAddresses = `${isFour ? 'NULL' : `(SELECT CONCAT(COUNT(*), ' ', ${sql.lines(ban)}) FROM ${prefix}banlist b WHERE b.ban_email = '' AND b.ban_ip > '')`} AS address_bans`;
    const columns = texts(
      ...['user_id', 'user_type', 'username', 'group_ids', 'banned', 'freed'],
      ...['everybody', 'address_bans', 'address'],
    );
    const ofSession = ['seen', 'autologin', 'address', 'browser', 'forwarded_for'];
    const session =
      's.session_id AS id, s.session_time AS seen, s.session_autologin AS autologin, s.session_ip AS address, s.session_browser AS browser, s.session_forwarded_for AS forwarded_for';
    const ownSession = `${session}, s.session_user_id AS user_id`;
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
        columns: { ...columns, ...texts('id', ...ofSession) },
        common: ['address_bans'],
        select: `SELECT ${session}, ${user}, ${within}, 1 AS everybody, ${ofAddresses} FROM ${prefix}sessions s JOIN ${prefix}users u ON u.user_id = s.session_user_id`,
        rows: {
          ...rows('session_id', 'sessions', 'session_user_id'),
          viewed: {
            rows: ['s'],
            columns: ['user_id', ...ofSession],
            select: (version) => `SELECT ${ownSession}, ${version} AS version FROM ${prefix}sessions s`,
          },
        },
        parts: [
          loginPart({
            ...{ view: 'chat_phpbb_own', key: 'id', columns: ['user_id', ...ofSession], short: true },
            select: `SELECT ${ownSession} FROM ${prefix}sessions s`,
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
          lifetime: sessionLength + 60,
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
    const partOf = (part: string) => phpText(credentials.cookies.value(`${cookie}_${part}`) ?? '');
    const sid = partOf('sid');
    const [key, user] = [partOf('k'), /^\+?(\d{1,10})/.exec(partOf('u'))?.[1] ?? '0'];
    const from = fromOf(credentials, site);
    // A user may be banned at one of two addresses that have the same session.
    const place = site.checks ? [from.address, from.browser, from.forwardedFor] : [];
    const byKey: PhpbbClaim | undefined =
      allowAutologin && isGiven(key) && Number(user) > 0
        ? {
            ...{
              table: 'keys',
              lookup: hash('md5', Buffer.from(key, 'latin1')),
              secrets: [user, key, ...place],
            },
            ...{ user: String(Number(user)), from },
          }
        : undefined;
    if (isGiven(sid)) {
      return {
        ...{ table: 'sessions' as const, lookup: sid, secrets: [sid, ...place], from },
        ...(byKey === undefined ? {} : { fallback: byKey }),
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
      address: ipCheck < 1 ? null : normalised(text('address')),
      browser: browserCheck ? text('browser') : null,
    };
  },

  checkRow(site, claim, row, now) {
    const text = textsOf(row);
    if (claim.table === 'keys') {
      if (row === null || text('user_id') !== claim.user)
        return notLoggedIn('the key of the browser is not valid');
      return userIn(site, claim, row, now);
    }
    if (row === null) return notLoggedIn('there is no such session: it has ended, or expired');
    const wrong = site.checks ? differing(site, claim, text) : null;
    if (wrong !== null) {
      return notLoggedIn(
        `the session was begun with another ${wrong}`,
        `if every visitor gets this: this server must be reached by the same way as phpBB, or ${trustedProxies()} name that way; ${option('siteChecks')}=off leaves the comparison out`,
      );
    }
    const seen = Number(text('seen'));
    if (text('autologin') === '0') {
      const idle = seen + site.sessionLength + 61;
      return idle <= now ? notLoggedIn('the session has expired') : userIn(site, claim, row, now, idle);
    }
    if (!site.allowAutologin) return notLoggedIn('its automatic login is no longer allowed');
    if (site.longestAutologin === 0) return userIn(site, claim, row, now);
    const idle = seen + site.longestAutologin - 59;
    return idle <= now ? notLoggedIn('the session has expired') : userIn(site, claim, row, now, idle);
  },

  async describe(_, { prefix, admins }, ask) {
    const value = async (name: string) =>
      (await ask(`SELECT config_value FROM ${prefix}config WHERE config_name = '${name}'`)) ?? '';
    const [host, port, domain] = [
      await value('server_name'),
      await value('server_port'),
      await value('cookie_domain'),
    ];
    const authority = /^(0|80|443)?$/.test(port) ? host : `${host}:${port}`;
    return {
      version: await value('version'),
      address: host && `${await value('server_protocol')}${authority}${await value('script_path')}`,
      login: 'ucp.php?mode=login&redirect={return}',
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${prefix}users u WHERE u.user_type = ${types.founder} OR (u.user_type = ${types.normal} AND EXISTS (SELECT 1 FROM ${prefix}user_group m JOIN ${prefix}groups g ON g.group_id = m.group_id WHERE m.user_id = u.user_id AND m.user_pending = 0 AND g.group_type = ${builtIn} AND g.group_name = 'ADMINISTRATORS'))`,
      ),
      cookie: {
        path: (await value('cookie_path')) || '/',
        domain: domain.includes('.') && domain !== '127.0.0.1' ? domain : '',
        secure: !/^0?$/.test(await value('cookie_secure')),
      },
    };
  },
};

/** The user of a row that holds. No other claim counts then, even if nobody is logged in by this one. */
function userIn(
  site: PhpbbSite,
  claim: PhpbbClaim,
  row: Row,
  now: number,
  idle?: number,
): ReturnType<typeof phpbb.checkRow> {
  const text = textsOf(row);
  const [id, type] = [text('user_id'), text('user_type')];
  if (id === anonymous) return rejectFinally('it is the session of a guest');
  if (type !== types.normal && type !== types.founder)
    return rejectFinally('the account is inactive, or a robot’s');
  if (type !== types.founder) {
    // phpBB 4 ends a ban a second earlier.
    const lasts = (end: number) => end >= (site.isFour ? now + 1 : now);
    const bans = bansIn(site.database, text('address_bans')).filter(({ end }) => lasts(end));
    const isFreed = lasts(Number(text('freed')));
    const isBanned = lasts(Number(text('banned')));
    const mayCome = (addresses: readonly string[]) => {
      const its = bans.filter(({ matches }) => addresses.some(matches));
      return isFreed || its.some(({ frees }) => frees) || (!isBanned && its.length === 0);
    };
    if (!visitsOf(site, claim, text).every(mayCome)) return rejectFinally('this user is banned there');
  }
  const groups = text('group_ids').split('\n');
  const isAdmin = hasAny(groups, site.listed.admins) || (site.admins === undefined && type === types.founder);
  const user: SessionUser = {
    id,
    name: displayName(withoutEntities(text('username'))) || id,
    ...toRoles(isAdmin, hasAny(groups, site.listed.moderators)),
  };
  return { state: 'user', user, ...(idle === undefined ? {} : { idle }) };
}

/**
 * The addresses that bans are compared with: those of the visitor, and those that phpBB has noted, from which the
 * visitor may use it still. A proxy may stand in place of the visitor where addresses are not compared.
 */
function visitsOf(
  { checks, forwardedForCheck }: PhpbbSite,
  { from }: PhpbbClaim,
  text: (name: string) => string,
): string[][] {
  const visit = (address: string, forwardedFor: string) => [
    normalised(address),
    ...(forwardedForCheck && forwardedFor !== '' ? forwardedFor.split(' ') : []),
  ];
  const noted = visit(text('address'), text('forwarded_for'));
  return checks && from.address !== '' ? [visit(from.address, from.forwardedFor), noted] : [noted];
}

/** A ban of addresses, or an exception from bans. */
interface AddressBan {
  frees: boolean;
  /** In seconds since 1970. */
  end: number;
  matches(address: string): boolean;
}

let lastBans: { list: string; bans: readonly AddressBan[] } = { list: '', bans: [] };

/** @param list their number and their lines, the same for many logins */
function bansIn(database: SiteDatabase, list: string): readonly AddressBan[] {
  if (mayBeCutOff(database, list)) throw tooMany(list);
  if (list !== lastBans.list) lastBans = { list, bans: parsedBans(list) };
  return lastBans.bans;
}

function parsedBans(list: string): AddressBan[] {
  const count = Number.parseInt(list, 10) || 0;
  if (count === 0) return [];
  const bans = list
    .slice(list.indexOf(' ') + 1)
    .split('\n')
    .flatMap((line) => {
      const [, exclude, end, pattern] = /^(\d+) (-?\d+) (.+)$/.exec(line) ?? [];
      if (pattern === undefined) return [];
      return [{ frees: exclude !== '0', end: Number(end) || forever, matches: matcher(pattern) }];
    });
  if (bans.length === count) return bans;
  throw tooMany(list);
}

const tooMany = (list: string) =>
  new StoreError(
    `phpBB has ${Number.parseInt(list, 10)} bans of addresses, more than can be read: remove those that are not needed`,
  );

/** Whether an address is what a ban names, in which `*` is any text. */
function matcher(pattern: string): (address: string) => boolean {
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

/** `$dbms` is the name of a class, or the short one of phpBB 3.0. */
function databaseOf(
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
      throw new ConfigurationError(`${folder.path}/config.php: $dbname names a schema of other characters`);
    // phpBB names neither `localhost` nor its port to libpq, which then takes its socket.
    const place = {
      host: short === 'localhost' ? '' : short,
      port: short === '' ? undefined : toPort(its),
    };
    return {
      database: serverDatabase({ kind: 'postgres', ...place, user, password, name: database }),
      ...(schema === undefined ? {} : { schema }),
    };
  }
  throw new ConfigurationError(
    `${folder.path}/config.php: phpBB has its tables in a database that cannot be read (${/^\w{1,30}$/.test(dbms) ? dbms : 'of another name'}), only MariaDB, MySQL, PostgreSQL and SQLite can`,
  );
}

const toPort = (text: string) => (/^\d{1,5}$/.test(text) ? Number(text) : undefined);

/** A text from a request as phpBB takes it: without blanks around it, and with entities. */
const phpText = (text: string) =>
  escaped(trimmed(text.replace(/\r\n?/g, '\n').replaceAll('\0', ''))).replace(/[\x80-\uffff]/g, '?');

/** PHP's `trim()`, which leaves the blanks of Unicode. */
const trimmed = (text: string) => text.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, '');

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character] as string);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** PHP's `empty()`. */
const isGiven = (text: string) => text !== '' && text !== '0';

function fromOf(
  { address = '', userAgent = '', forwardedFor = '' }: Omit<Credentials, 'cookies'>,
  { forwardedForCheck }: PhpbbSite,
) {
  const parts = trimmed(forwardedFor).replaceAll(',', ' ').replace(/ {2,}/g, ' ');
  const areAddresses = parts.split(' ').every((part) => isIP(part) !== 0 && !part.includes('%'));
  return {
    address: normalised(address),
    browser: browserOf(userAgent),
    forwardedFor: forwardedForCheck && areAddresses ? parts : '',
  };
}

/** A header as phpBB stores it, in UTF-8 and with entities, without marks of the byte order. */
function browserOf(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  const text = bytes.toString('utf8');
  // `htmlspecialchars()` makes nothing of other bytes.
  if (!Buffer.from(text).equals(bytes)) return '';
  return compared(Buffer.from(escaped(trimmed(text.replaceAll('\ufeff', ''))).normalize('NFC')));
}

/** The first 149 bytes, in lower case, without blanks around them. */
const compared = (bytes: Buffer) =>
  trimmed(
    bytes
      .subarray(0, 149)
      .toString('latin1')
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
  );

function normalised(address: string): string {
  const [, four] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  return four ?? address;
}

/** The part in which a request differs from the session's first one; null if there is none. */
function differing(
  { ipCheck, browserCheck, forwardedForCheck }: PhpbbSite,
  { from }: PhpbbClaim,
  text: (name: string) => string,
): 'address' | 'browser' | 'X-Forwarded-For' | null {
  if (start(from.address, ipCheck) !== start(normalised(text('address')), ipCheck)) return 'address';
  if (browserCheck && from.browser !== compared(Buffer.from(text('browser')))) return 'browser';
  if (forwardedForCheck && from.forwardedFor.slice(0, 254) !== text('forwarded_for').slice(0, 254))
    return 'X-Forwarded-For';
  return null;
}

/** The parts of an address that are compared: of IPv6 one more, and from four on all. */
function start(address: string, parts: number): string {
  if (parts < 1) return '';
  if (isIP(address) !== 6) return address.split('.').slice(0, parts).join('.');
  const [before = '', after] = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname
    .slice(1, -1)
    .split('::');
  const [first, last] = [before.split(':'), (after ?? '').split(':')].map((each) => each.filter(Boolean)) as [
    string[],
    string[],
  ];
  const groups = [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
  return groups.slice(0, parts < 4 ? parts + 1 : 8).join(':');
}
