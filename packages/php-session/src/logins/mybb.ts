/**
 * MyBB 1.8.
 *
 * - The cookie `PREFIXmybbuser` is `UID_LOGINKEY`, and `users.loginkey` has the same key: inc/class_session.php, init,
 *   load_user; inc/class_core.php, parse_cookies.
 * - The login neither expires nor depends on the address. A new password changes the key, and thereby ends all logins
 *   of the user.
 * - A logout does not change the key, but deletes the row of the cookie `PREFIXsid` in the table `sessions`:
 *   member.php, logout. So a login is also bound to that row while it exists: inc/class_session.php, update_session,
 *   create_session.
 * - Banned groups, addresses and mail addresses: inc/functions.php, usergroup_permissions, is_banned_ip,
 *   is_banned_email; global.php.
 */

import { isIP } from 'node:net';
import {
  asText,
  type Configuration,
  ConfigurationError,
  SecondFactorError,
} from '../configuration/configuration.ts';
import {
  parseDatabaseHost,
  type SiteDatabase,
  serverDatabase,
  sqliteDatabase,
} from '../configuration/database-host.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import type { Application, SiteFiles } from './application.ts';
import { banned, type Claim, hasAny, isSameSecret, rejectFinally, toRoles } from './claim.ts';
import { splitIpv6 } from './ip-address.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';
import {
  countAdmins,
  loginPart,
  type Row,
  selectAccounts,
  selectMails,
  settingTexts,
  texts,
  textsOf,
} from './site-table.ts';
import { mayBeCutOff } from './sql.ts';

/** Values of inc/config.php, and options. */
interface Files extends SiteFiles {
  /** The option `cookieName` without `mybbuser`. Null if the database has the prefix. */
  cookiePrefix: string | null;
}

interface Site extends Files {
  cookiePrefix: string;
  /** Members may keep a banned mail address. */
  keepsMail: boolean;
}

interface CookieClaim extends Claim {
  table: 'sessions' | 'users';
  uid: string;
  loginkey: string;
}

const file = 'inc/config.php';

/** The group of members who have not activated the account yet, or wait for an administrator. MyBB's code has this number. */
const awaitingActivation = '5';

/** MyBB deletes older sessions, although their logins continue: inc/tasks/dailycleanup.php. */
const sessionCleanupSeconds = 86_400;

export const mybb: Application<Files, Site, CookieClaim> = {
  kind: 'mybb',
  title: 'MyBB',

  async find(folder, { cookieName, admins, moderators, team }) {
    if ((await matchFile(folder, file, /\$config\[.database.\]/)) === null) return null;
    const configuration = await folder.php(file);
    const prefix = readText(configuration, ['table_prefix']);
    if (prefix === null || !/^\w{0,50}$/.test(prefix)) {
      throw new ConfigurationError(
        `${folder.path}/${file}: $config.database.table_prefix is not a valid prefix of MyBB; is MyBB installed?`,
      );
    }
    return {
      database: readDatabase(folder, configuration),
      prefix,
      cookiePrefix: cookieName?.replace(/mybbuser$/, '') ?? null,
      admins,
      moderators,
      team,
    };
  },

  settings: ({ prefix }) => ({
    view: 'chat_mybb_settings',
    columns: { value: 'text' },
    names: ['cookieprefix', 'emailkeep', 'my2fa'],
    select: `SELECT name AS name, value AS value FROM ${prefix}settings WHERE name IN ('cookieprefix', 'emailkeep') UNION ALL SELECT 'my2fa' AS name, '' AS value FROM ${prefix}datacache WHERE title = 'plugins' AND cache LIKE '%"my2fa"%'`,
  }),

  site(found, settings) {
    if (settings.has('my2fa')) {
      // https://github.com/demtor/mybb-2fa: inc/plugins/my2fa.php (my2fa_global_start).
      throw new SecondFactorError(
        'the plugin My2FA asks for the second factor after the login, so a password alone would be enough here: deactivate the plugin, or do not use this program for this site',
      );
    }
    const text = settingTexts(settings);
    return {
      ...found,
      cookiePrefix: found.cookiePrefix ?? text('cookieprefix').replace(/[\n\r ]/g, ''),
      keepsMail: text('emailkeep') === '1',
    };
  },

  // The ID of users has no AUTOINCREMENT: install/resources/sqlite_db_tables.php.
  warnings: ({ database }) =>
    database.kind === 'sqlite'
      ? [
          {
            reason:
              'on SQLite, the next member who registers gets the ID of a deleted member, and with it the data that other programs keep under this ID',
            isPermanent: true,
            hint: 'After deleting a member, also delete the data that other programs keep under the ID.',
          },
        ]
      : [],

  mails: ({ prefix }) => selectMails('chat_mybb_mails', openAccountsSql(prefix), 'uid', 'email'),

  accounts: ({ prefix }) =>
    selectAccounts('chat_mybb_accounts', openAccountsSql(prefix), { id: 'uid', name: 'username' }),

  logins({ prefix }, { hex, lines }) {
    const group = `CONCAT(g.gid, ' ', g.isbannedgroup, ' ', g.cancp, ' ', g.issupermod, ' ', g.title)`;
    const session = `CONCAT(o.sid, ' ', o.time)`;
    // A filter matches any part of the address, and its `*` any text.
    const wanted =
      "REPLACE(REPLACE(REPLACE(REPLACE(LOWER(f.filter), '!', '!!'), '%', '!%'), '_', '!_'), '*', '%')";
    const mailBan = `SELECT COUNT(*) FROM ${prefix}banfilters f WHERE f.type = 3 AND LOWER(u.email) LIKE CONCAT('%', ${wanted}, '%') ESCAPE '!'`;
    const own = `u.username AS username, u.loginkey AS loginkey, u.usergroup AS own_group, u.additionalgroups AS own_groups, ${hex('u.lastip')} AS last_address, u.suspendposting AS suspended, (${mailBan}) AS mail_ban`;
    const before = `b.lifted AS lifted, b.oldgroup AS old_group, b.oldadditionalgroups AS old_groups`;
    const groups = `(SELECT ${lines(group)} FROM ${prefix}usergroups g) AS group_list`;
    const filters = `(SELECT ${lines('f.filter')} FROM ${prefix}banfilters f WHERE f.type = 1) AS filters`;
    const user = `u.uid AS uid, ${own}, ${before}, 1 AS everybody, ${groups}, ${filters}, (SELECT ${lines(session)} FROM ${prefix}sessions o WHERE o.uid = u.uid) AS sessions`;
    const banned = `LEFT JOIN ${prefix}banned b ON b.uid = u.uid`;
    const columns = texts(
      ...['id', 'uid', 'username', 'loginkey', 'own_group', 'own_groups', 'last_address', 'suspended'],
      ...['mail_ban', 'lifted', 'old_group', 'old_groups', 'everybody', 'group_list', 'filters', 'sessions'],
    );
    const userParts = [
      loginPart({
        ...{
          view: 'chat_mybb_own',
          key: 'uid',
          columns: [
            ...['username', 'loginkey', 'own_group', 'own_groups', 'last_address', 'suspended', 'mail_ban'],
          ],
        },
        tables: [`${prefix}users`, `${prefix}banfilters`],
        select: `SELECT u.uid AS id, ${own} FROM ${prefix}users u`,
      }),
      loginPart({
        ...{ view: 'chat_mybb_before', key: 'uid', columns: ['lifted', 'old_group', 'old_groups'] },
        tables: [`${prefix}banned`],
        select: `SELECT u.uid AS id, ${before} FROM ${prefix}users u ${banned}`,
      }),
      loginPart({
        ...{ view: 'chat_mybb_all_groups', key: 'everybody', columns: ['group_list'] },
        tables: [`${prefix}usergroups`],
        select: `SELECT 1 AS id, ${groups}`,
      }),
      loginPart({
        ...{ view: 'chat_mybb_filters', key: 'everybody', columns: ['filters'] },
        tables: [`${prefix}banfilters`],
        select: `SELECT 1 AS id, ${filters}`,
      }),
    ];
    const userJoins = [
      [`${prefix}banned`, 'b', 'b.uid = u.uid'],
      [`${prefix}sessions`, 'o', 'o.uid = u.uid'],
    ] as const;
    const shared = [[`${prefix}usergroups`], [`${prefix}banfilters`]] as const;
    const toSessionsPart = (lines: 'id' | true) =>
      loginPart({
        ...{ view: 'chat_mybb_own_sessions', key: 'uid', columns: ['sessions'], lines },
        select: `SELECT o.uid AS id, ${session} AS sessions FROM ${prefix}sessions o`,
      });
    return {
      sessions: {
        view: 'chat_mybb_sessions',
        id: 'id',
        lookup: 'id',
        columns,
        select: `SELECT s.sid AS id, ${user} FROM ${prefix}sessions s JOIN ${prefix}users u ON u.uid = s.uid ${banned}`,
        rows: {
          key: 's.sid',
          joined: [[`${prefix}sessions`, 's'], [`${prefix}users`, 'u', 'u.uid = s.uid'], ...userJoins],
          shared,
        },
        parts: [toSessionsPart('id'), ...userParts],
      },
      users: {
        view: 'chat_mybb_users',
        id: 'id',
        lookup: 'id',
        columns,
        select: `SELECT u.uid AS id, ${user} FROM ${prefix}users u ${banned}`,
        rows: { key: 'u.uid', joined: [[`${prefix}users`, 'u'], ...userJoins], shared },
        parts: [toSessionsPart(true), ...userParts],
      },
    };
  },

  claim({ cookiePrefix }, { cookies }) {
    // If no cookie has the prefix, the cookie without it counts. If several with the prefix differ, none counts.
    const named = (name: string) => {
      const own = cookies.value(cookiePrefix + name);
      if (own) return own;
      return (own === null && cookies.has(cookiePrefix + name) ? null : cookies.value(name)) ?? '';
    };
    const [, digits, loginkey] = /^\s*\+?(\d{1,10})[^_]*_(.*)$/s.exec(named('mybbuser')) ?? [];
    const uid = String(Number(digits));
    if (
      digits === undefined ||
      loginkey === undefined ||
      uid === '0' ||
      Number(digits) > maxUid ||
      loginkey === ''
    ) {
      const reason = `the request has no cookie ${cookiePrefix}mybbuser, or the cookie is not in the form of MyBB`;
      const hint = `if every visitor gets this: MyBB sets the cookie for the domain and path of its cookie settings; another name is set by ${option('cookieName')}`;
      return { ...notLoggedIn(reason, hint), cookie: `${cookiePrefix}mybbuser` };
    }
    const byKey: CookieClaim = { table: 'users', lookup: uid, secrets: [uid, loginkey], uid, loginkey };
    const sid = named('sid');
    if (!/^[\x21-\x7e]{1,32}$/.test(sid)) return byKey;
    return { ...byKey, table: 'sessions', lookup: sid, secrets: [uid, loginkey, sid], fallback: byKey };
  },

  checkRow(site, { table, lookup, uid, loginkey }, row, now, memo) {
    const text = textsOf(row);
    if (row === null || text('uid') !== uid) {
      return notLoggedIn(
        table === 'users' ? 'the site has no such user' : 'the browser has no session of this user',
      );
    }
    if (!row.loginkey?.length || !isSameSecret(row.loginkey, Buffer.from(loginkey, 'latin1')))
      return rejectFinally('the key of the login is no longer valid');
    const sessions = new Map(
      text('sessions')
        .split('\n')
        .map((line) => {
          const [sid = '', seen = ''] = line.split(' ');
          return [sid, seen];
        }),
    );
    if (table === 'users' && memo !== undefined && isLoggedOut(memo, [...sessions.keys()], now))
      return rejectFinally('the site has ended the login');
    const groups = findGroups(row, now);
    if (groups.some(({ isBanned }) => isBanned)) return rejectFinally(...banned());
    // The address of the last page view. A session has the address of its first request.
    const address = Buffer.from(text('last_address'), 'hex');
    const filters = text('filters');
    if (mayBeCutOff(site.database, filters)) {
      throw new StoreError(
        'MyBB has more bans of addresses than can be read: remove bans that are not needed',
      );
    }
    if (filters.split('\n').some((filter) => isInFilter(address, filter)))
      return rejectFinally(...banned('the address of this user'));
    // MyBB shows such a member only the form for another address.
    if (!site.keepsMail && text('mail_ban') !== '0')
      return rejectFinally(...banned('the mail address of this user'));
    const isIn = (names: readonly string[] | undefined, can: 'isAdmin' | 'isModerator') =>
      groups.some((group) => (names === undefined ? group[can] : names.includes(group.title)));
    const titles = groups.map(({ title }) => title);
    const user: SessionUser = {
      id: uid,
      name: displayName(text('username')) || uid,
      ...toRoles(
        isIn(site.admins, 'isAdmin'),
        isIn(site.moderators, 'isModerator'),
        hasAny(titles, site.team),
      ),
    };
    // Suspended members and members without activation may read but not write: newreply.php, newthread.php, editpost.php.
    // A task of MyBB ends suspensions.
    if (text('suspended') === '1' || groups[0]?.id === awaitingActivation) user.banned = true;
    return {
      state: 'user',
      user,
      // Without a session, a logout cannot be detected.
      ...(table === 'users'
        ? { mayBeOver: true }
        : { memo: [sessions.get(lookup), ...sessions.keys()].join('\n') }),
    };
  },

  async describe(folder, { prefix, admins }, ask) {
    const value = async (name: string) =>
      ((await ask(`SELECT value FROM ${prefix}settings WHERE name = '${name}'`)) ?? '').replace(
        /[\n\r]/g,
        '',
      );
    const code = 'inc/class_core.php';
    return {
      version: (await matchFile(folder, code, /\$version = "([\d.]+)"/))?.[1],
      address: await value('bburl'),
      login: 'member.php?action=login',
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${prefix}users u WHERE EXISTS (SELECT 1 FROM ${prefix}usergroups g WHERE g.cancp = 1 AND (g.gid = u.usergroup OR CONCAT(',', u.additionalgroups, ',') LIKE CONCAT('%,', g.gid, ',%')))`,
      ),
      cookie: {
        path: (await value('cookiepath')) || '/',
        domain: await value('cookiedomain'),
        secure: (await value('cookiesecureflag')) === '1',
      },
    };
  },
};

/** The maximum of the column on PostgreSQL. */
const maxUid = 2_147_483_647;

/**
 * Whether the missing session of a browser means a logout. When the user comes with another browser, MyBB deletes the
 * session too, but creates a new one.
 * @param memo the last page view of the session, and the sessions that the user had
 */
function isLoggedOut(memo: string, sids: readonly string[], now: number): boolean {
  const [seen, ...before] = memo.split('\n');
  const hasNew = sids.some((sid) => sid !== '' && !before.includes(sid));
  return !hasNew && now - Number(seen) < sessionCleanupSeconds;
}

/** Whether a ban covers an address: `fetch_ip_range()` in inc/functions.php. */
function isInFilter(address: Buffer, filter: string): boolean {
  const range = filter.includes('*')
    ? toRangeByStars(filter)
    : filter.includes('/')
      ? toRangeByBits(filter)
      : [filter, filter].map(packAddress);
  const [first, last] = range;
  if (!first || !last || address.length === 0) return false;
  return Buffer.compare(first, address) <= 0 && Buffer.compare(address, last) <= 0;
}

/** Returns the first and last address of `203.0.113.*`, `203.*` or `2001:db8::*`. Null for an invalid address. */
function toRangeByStars(filter: string): (Buffer | null)[] {
  if (filter.includes(':')) return ['0', 'ffff'].map((part) => packAddress(filter.replaceAll('*', part)));
  const missing = Math.max(0, 4 - filter.split('.').length);
  const at = filter.lastIndexOf('*') + 1;
  const whole = filter.slice(0, at) + '.*'.repeat(missing) + filter.slice(at);
  return ['0', '255'].map((part) => packAddress(whole.replaceAll('*', part)));
}

/** Returns the first and last address of `203.0.113.0/24`. Empty if the filter is invalid. */
function toRangeByBits(filter: string): (Buffer | null)[] {
  const [text = '', count = ''] = filter.split('/');
  const [start, bits] = [packAddress(text), Number.parseInt(count, 10) || 0];
  if (start === null || bits === 0) return [];
  const at = (rest: number) =>
    start.map((byte, n) => {
      const free = 0xff >> Math.min(8, Math.max(0, bits - 8 * n));
      return (byte & ~free) | (rest & free);
    });
  return [at(0), at(0xff)].map((each) => Buffer.from(each));
}

/** Converts an address to bytes like PHP's `inet_pton()`. Null for an invalid address. */
function packAddress(text: string): Buffer | null {
  if (isIP(text) === 4) return Buffer.from(text.split('.').map(Number));
  const groups = text.includes('%') ? [] : splitIpv6(text);
  return groups.length === 0
    ? null
    : Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

interface Group {
  id: string;
  isBanned: boolean;
  isAdmin: boolean;
  isModerator: boolean;
  title: string;
}

/**
 * Returns the groups whose permissions count. After a ban these are the user's earlier groups.
 * @throws StoreError if the list of groups cannot be read
 */
function findGroups(row: Row, now: number): Group[] {
  const text = textsOf(row);
  const known = new Map<string, Group>();
  for (const line of text('group_list').split('\n')) {
    const [, id, banned, admin, moderator, title = ''] = /^(\d+) (\d+) (\d+) (\d+) (.*)$/s.exec(line) ?? [];
    // The unreadable group could be a banned one.
    if (id === undefined) throw new StoreError('the groups of MyBB cannot be read from its table usergroups');
    known.set(id, {
      ...{ id, title },
      ...{ isBanned: banned === '1', isAdmin: admin === '1', isModerator: moderator === '1' },
    });
  }
  const select = (ids: string) => ids.split(',').flatMap((id) => known.get(id.trim()) ?? []);
  const own = select(text('own_group'));
  const lifted = Number(text('lifted'));
  const isOver = own.some(({ isBanned }) => isBanned) && lifted > 0 && lifted < now;
  return isOver
    ? [...select(text('old_group')), ...select(text('old_groups'))]
    : [...own, ...select(text('own_groups'))];
}

/**
 * Reads a value of `$config['database']`, which describes one server, several by number, or several for reading and
 * writing. Null if it is not set.
 */
function readText(configuration: Configuration, path: readonly string[]): string | null {
  return asText(configuration.variable(['config', 'database', ...path], option('siteDatabase')));
}

function readDatabase(folder: SiteFolder, configuration: Configuration): SiteDatabase {
  const type = readText(configuration, ['type']) ?? '';
  // Servers for writing have the latest data.
  const server = [[], ['write'], ['write', '0'], ['0'], ['read'], ['read', '0']].find(
    (path) => readText(configuration, [...path, 'database']) !== null,
  );
  const text = (name: string) => (server && readText(configuration, [...server, name])) ?? '';
  const charset = toCharset(readText(configuration, ['encoding']) ?? '');
  if (type === 'sqlite') {
    const path = text('database');
    return sqliteDatabase(path.startsWith('/') ? path : `${folder.path}/${path}`);
  }
  const kinds: Readonly<Record<string, 'mysql' | 'postgres'>> = {
    ...{ mysql: 'mysql', mysqli: 'mysql', mysql_pdo: 'mysql', pgsql: 'postgres', pgsql_pdo: 'postgres' },
  };
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (kind === undefined) {
    throw new ConfigurationError(
      `${folder.path}/${file}: $config.database.type is not one of ${Object.keys(kinds).join(', ')}, sqlite; is MyBB installed?`,
    );
  }
  return serverDatabase({
    kind,
    ...parseDatabaseHost(text('hostname')),
    // Without a host libpq takes its socket.
    ...(type === 'pgsql' && /^(:|$)/.test(text('hostname')) ? { host: '' } : {}),
    user: text('username'),
    password: text('password'),
    name: text('database'),
    charset: kind === 'mysql' ? charset : 'utf8',
  });
}

/** Converts MyBB's encoding. If none is set, MyBB uses the server's character set. */
function toCharset(encoding: string): SiteDatabase['charset'] {
  if (encoding === '') return 'server';
  return encoding.toLowerCase().startsWith('latin1') ? 'latin1' : 'utf8';
}

/** Returns the SQL for confirmed accounts whose primary group is not banned. */
const openAccountsSql = (prefix: string) =>
  `${prefix}users WHERE usergroup NOT IN (SELECT gid FROM ${prefix}usergroups WHERE gid = ${awaitingActivation} OR isbannedgroup = 1)`;
