/**
 * SMF 2.1.
 *
 * - The cookie `$cookiename` is JSON with the member's id and an HMAC-SHA512 of the stored password hash. The key is
 *   `$auth_secret` and the member's salt: Sources/Subs-Auth.php, setLoginCookie, hash_salt; Sources/Load.php,
 *   loadUserSettings, get_auth_secret.
 * - SMF ignores the expiry time in the cookie. A logout changes the salt, and a new password the hash, so both end all
 *   logins of the member.
 * - With a second factor, the cookie `COOKIENAME_tfa` has an HMAC of `tfa_backup`.
 * - Bans: Sources/Security.php, is_not_banned, banPermissions. A ban stays in the browser as the cookie `COOKIENAME_`.
 */

import { createHmac, hash } from 'node:crypto';
import {
  asText,
  type Configuration,
  ConfigurationError,
  readIfKnown,
} from '../configuration/configuration.ts';
import { type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import { withoutEntities } from '../entities.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser, StoreError } from '../login.ts';
import { option } from '../names.ts';
import type { Application, SiteFiles } from './application.ts';
import {
  banned,
  type Claim,
  decodeValue,
  enableHint,
  hasAny,
  isSameSecret,
  missingCookie,
  toRoles,
} from './claim.ts';
import { splitGroupLines } from './named-groups.ts';
import { matchFile } from './site-folder.ts';
import {
  countAdmins,
  type LoginPart,
  type LoginTable,
  loginPart,
  type Row,
  type SiteTable,
  selectAccounts,
  selectMails,
  settingTexts,
  texts,
  textsOf,
} from './site-table.ts';
import { mayBeCutOff } from './sql.ts';

/** Values of Settings.php. */
interface Files extends SiteFiles {
  cookie: string;
  /** `$auth_secret`, the key of the cookies' signatures. */
  secret: string;
}

interface Site extends Files {
  /** `tfa_mode`. 0: no second factors. */
  factorMode: number;
  /** Users with this warning level may not write. 0: no limit. */
  muteThreshold: number;
}

interface CookieClaim extends Claim {
  /** `marked` if the browser has a ban cookie. */
  table: 'members' | 'marked';
  /** The ban IDs from the browser's ban cookie. */
  marks: readonly string[];
  hash: string;
  /** The hash of the second factor. */
  second: string;
}

const file = 'Settings.php';

/** The `tfa_mode` in which some groups must have a second factor. In higher modes, all users must have one. */
const requiredForSome = 2;

const administrators = '1';
const globalModerators = '2';

/** The maximum number of bans that are read from a browser's cookie. */
const maxMarks = 100;

/** The end of a permanent ban. */
const forever = 4294967295;

export const smf: Application<Files, Site, CookieClaim> = {
  kind: 'smf',
  title: 'SMF',

  async find(folder, { cookieName, admins, moderators, team }) {
    if ((await matchFile(folder, file, /\$cookiename\b/)) === null) return null;
    if ((await folder.has('index.php')) && !/SMF_VERSION'\s*,\s*'2\.1/.test(await folder.text('index.php')))
      throw new ConfigurationError(`${folder.path}: this is not SMF 2.1, the only supported version`);
    const configuration = await folder.php(file);
    const text = (name: string, instead = `a literal value in ${file}`) =>
      asText(configuration.variable([name], instead)) ?? '';
    const prefix = text('db_prefix');
    if (!/^\w{1,50}$/.test(prefix))
      throw new ConfigurationError(`${folder.path}/${file}: $db_prefix is not a valid prefix of SMF`);
    const cookie = cookieName ?? text('cookiename', option('cookieName'));
    if (cookie === '') throw new ConfigurationError(`${folder.path}/${file}: $cookiename is not set`);
    const secret = text('auth_secret');
    return {
      database: readDatabase(configuration, `${folder.path}/${file}`),
      prefix,
      cookie,
      // If SMF cannot write a secret into the file, the file's hash is the secret.
      secret: secret !== '' && secret !== '0' ? secret : hash('sha256', await folder.text(file)),
      admins,
      moderators,
      team,
    };
  },

  settings: ({ prefix }) => ({
    view: 'chat_smf_settings',
    columns: { value: 'text' },
    names: ['tfa_mode', 'warning_mute'],
    select: `SELECT variable AS name, value AS value FROM ${prefix}settings WHERE variable IN ('tfa_mode', 'warning_mute')`,
  }),

  site(found, settings) {
    const text = settingTexts(settings);
    const number = (name: string) => Number.parseInt(text(name), 10) || 0;
    return { ...found, factorMode: number('tfa_mode'), muteThreshold: number('warning_mute') };
  },

  mails: ({ prefix }) =>
    selectMails(
      'chat_smf_mails',
      // Like SMF, mails only these members. `is_activated` is 2 for an unconfirmed new address, and 11 for a banned member.
      `${prefix}members WHERE is_activated = 1`,
      'id_member',
      'email_address',
    ),

  accounts: ({ prefix }) =>
    selectAccounts('chat_smf_accounts', `${prefix}members WHERE is_activated = 1`, {
      id: 'id_member',
      name: 'real_name',
      decode: withoutEntities,
    }),

  logins({ prefix }, { lines }) {
    const groups = `(SELECT ${lines("CONCAT(g.id_group, ' ', g.tfa_required, ' ', g.group_name)")} FROM ${prefix}membergroups g) AS group_list`;
    const hit = `(b.id_member = m.id_member OR (m.email_address <> '' AND m.email_address LIKE b.email_address) OR m.member_ip BETWEEN b.ip_low AND b.ip_high OR m.member_ip2 BETWEEN b.ip_low AND b.ip_high)`;
    /** Returns the SQL for the end of the longest ban with one of these effects. */
    const banned = (...effects: string[]) =>
      `SELECT MAX(COALESCE(w.expire_time, ${forever})) FROM ${prefix}ban_items b JOIN ${prefix}ban_groups w ON w.id_ban_group = b.id_ban_group WHERE (${effects.map((effect) => `w.${effect} = 1`).join(' OR ')}) AND ${hit}`;
    const bans = `(${banned('cannot_access', 'cannot_login')}) AS shut_out, (${banned('cannot_post')}) AS muted`;
    const memberColumns = ['name', 'passwd', 'salt', 'activated', 'tfa_secret', 'tfa_backup'];
    memberColumns.push('own_group', 'own_groups', 'post_group', 'warning');
    // The secret itself would be enough to give the factor, so only its presence is read.
    const memberSql =
      "m.id_member AS id, m.real_name AS name, m.passwd AS passwd, m.password_salt AS salt, m.is_activated AS activated, CASE WHEN m.tfa_secret <> '' THEN '1' ELSE '' END AS tfa_secret, m.tfa_backup AS tfa_backup, m.id_group AS own_group, m.additional_groups AS own_groups, m.id_post_group AS post_group, m.warning AS warning";
    const members = (
      view: string,
      more: Pick<SiteTable, 'select' | 'columns'>,
      parts: LoginPart[],
    ): LoginTable => ({
      ...{ view, id: 'id', lookup: 'id' },
      columns: {
        ...texts('id', ...memberColumns, 'everybody', 'group_list', 'shut_out', 'muted'),
        ...more.columns,
      },
      select: `SELECT ${memberSql}, 1 AS everybody, ${groups}, ${bans}${more.select} FROM ${prefix}members m`,
      rows: {
        key: 'm.id_member',
        joined: [[`${prefix}members`, 'm']],
        shared: [[`${prefix}membergroups`], [`${prefix}ban_items`], [`${prefix}ban_groups`]],
      },
      parts: [
        loginPart({
          ...{ view: 'chat_smf_members', key: 'id', columns: memberColumns, tables: [`${prefix}members`] },
          select: `SELECT ${memberSql} FROM ${prefix}members m`,
        }),
        loginPart({
          ...{ view: 'chat_smf_all_groups', key: 'everybody', columns: ['group_list'] },
          tables: [`${prefix}membergroups`],
          select: `SELECT 1 AS id, ${groups}`,
        }),
        loginPart({
          ...{ view: 'chat_smf_bans', key: 'id', columns: ['shut_out', 'muted'] },
          // Bans may cover a member's IP or mail address.
          tables: [`${prefix}ban_items`, `${prefix}ban_groups`, `${prefix}members`],
          select: `SELECT m.id_member AS id, ${bans} FROM ${prefix}members m`,
        }),
        ...parts,
      ],
    });
    const end = `CONCAT(b.id_ban, ' ', COALESCE(w.expire_time, ${forever}))`;
    const marks = `(SELECT ${lines(end)} FROM ${prefix}ban_items b JOIN ${prefix}ban_groups w ON w.id_ban_group = b.id_ban_group WHERE w.cannot_access = 1) AS all_bans`;
    return {
      members: members('chat_smf', { select: '', columns: {} }, []),
      // The bans in a browser's cookie count for all users of the browser.
      marked: members('chat_smf_marked', { select: `, ${marks}`, columns: texts('all_bans') }, [
        loginPart({
          ...{ view: 'chat_smf_all_bans', key: 'id', columns: ['all_bans'] },
          tables: [`${prefix}ban_items`, `${prefix}ban_groups`],
          select: `SELECT m.id_member AS id, ${marks} FROM ${prefix}members m`,
        }),
      ]),
    };
  },

  claim(site, { cookies }) {
    const first = parseCookie(cookies.value(site.cookie));
    if (first === null) {
      return missingCookie(
        site.cookie,
        'SMF sets the cookie for the domain and path of its address, by its cookie settings',
      );
    }
    const { id, hash } = first;
    const second = site.factorMode > 0 ? parseCookie(cookies.value(`${site.cookie}_tfa`)) : null;
    const factor = second?.id === id ? second.hash : '';
    const ids = (cookies.value(`${site.cookie}_`) ?? '').split(',').slice(0, maxMarks);
    const marks = ids.flatMap((mark) => /^\s*\+?0*(\d{1,10})/.exec(mark)?.[1] ?? []);
    const table = marks.length > 0 ? 'marked' : 'members';
    return { table, lookup: id, secrets: [id, hash, factor], hash, second: factor, marks };
  },

  checkRow(site, { lookup: id, hash, second, marks }, row, now) {
    if (row === null) return notLoggedIn('the site has no such user');
    const text = textsOf(row);
    const bytes = (name: string) => row[name] ?? Buffer.alloc(0);
    const key = Buffer.concat([Buffer.from(site.secret), bytes('salt')]);
    const isSigned = (secret: string, given: string) => {
      const expected = Buffer.from(createHmac('sha512', key).update(bytes(secret)).digest('hex'));
      return isSameSecret(expected, Buffer.from(given, 'latin1'));
    };
    if (!isSigned('passwd', hash)) {
      return notLoggedIn(
        'the cookie is not valid: the user has logged out on some device, or has a new password',
        'if every visitor gets this: $auth_secret in Settings.php is not the one that PHP has',
      );
    }
    if (text('activated') !== '1' && text('activated') !== '11')
      return notLoggedIn('the account is not activated, or waits for approval or deletion', enableHint);
    const hasFactor = text('tfa_secret') !== '';
    if (site.factorMode > 0 && hasFactor && !isSigned('tfa_backup', second))
      return notLoggedIn('the second factor has not been given');
    const groups = findGroups(site.database, row);
    // Until users set up a required factor, SMF shows them only the page for that.
    const mustHaveFactor =
      site.factorMode > requiredForSome ||
      (site.factorMode === requiredForSome && [...groups.values()].some(({ needsFactor }) => needsFactor));
    if (mustHaveFactor && !hasFactor) return notLoggedIn('the user must set up a second factor first');
    const isAdministrator = groups.has(administrators);
    const lasts = (name: string) => !isAdministrator && Number(text(name)) > now;
    if (mayBeCutOff(site.database, text('all_bans')))
      throw new StoreError('SMF has more bans than can be read: remove bans that are not needed');
    const bans = new Map(
      text('all_bans')
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
    const isMarked = !isAdministrator && marks.some((mark) => Number(bans.get(mark)) > now);
    if (lasts('shut_out') || isMarked) return notLoggedIn(...banned());
    const own = [...groups.values()].map(({ name }) => name);
    const isIn = (names: readonly string[] | undefined, usual: string) =>
      names === undefined ? groups.has(usual) : hasAny(own, names);
    const user: SessionUser = {
      id,
      name: displayName(withoutEntities(text('name'))) || id,
      ...toRoles(
        isIn(site.admins, administrators),
        isIn(site.moderators, globalModerators),
        hasAny(own, site.team),
      ),
    };
    // A ban from writing does not end the login.
    const isWarned = site.muteThreshold > 0 && Number(text('warning')) >= site.muteThreshold;
    if (lasts('muted') || (isWarned && !isAdministrator)) user.banned = true;
    return { state: 'user', user };
  },

  async describe(folder, { prefix, admins }, ask) {
    const configuration = await folder.php(file);
    const address = readIfKnown(() => configuration.variable(['boardurl'], '')) ?? '';
    const value = async (name: string) =>
      (await ask(`SELECT value FROM ${prefix}settings WHERE variable = '${name}'`)) ?? '';
    const isOn = async (name: string) => !/^0?$/.test(await value(name));
    return {
      version: (await matchFile(folder, 'index.php', /SMF_VERSION'\s*,\s*'([\d.]+)/))?.[1],
      address,
      login: 'index.php?action=login',
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${prefix}members m WHERE m.id_group = ${administrators} OR CONCAT(',', m.additional_groups, ',') LIKE '%,${administrators},%'`,
      ),
      cookie: {
        ...toCookieScope(address, {
          isLocal: await isOn('localCookies'),
          isGlobal: await isOn('globalCookies'),
          domain: await value('globalCookiesDomain'),
        }),
        secure: await isOn('secureCookies'),
      },
    };
  },
};

/** Returns the scope of the cookie, like `url_parts()`. */
function toCookieScope(
  address: string,
  { isLocal, isGlobal, domain }: { isLocal: boolean; isGlobal: boolean; domain: string },
): { path: string; domain: string } {
  const { hostname, pathname } = new URL(URL.canParse(address) ? address : 'http://localhost');
  const path = isLocal ? `${pathname.replace(/\/+$/, '')}/` : '/';
  if (domain !== '' && address.includes(domain)) return { path, domain };
  const above = /^\d+(\.\d+){3}$/.test(hostname) ? null : /(?:[^.]+\.)?([^.]{2,}\..+)$/.exec(hostname);
  if (isGlobal && above !== null) return { path, domain: `.${above[1]}` };
  return { path, domain: (isLocal || isGlobal) && hostname.includes('.') ? hostname : '' };
}

interface Group {
  name: string;
  /**
   * Whether members must have a second factor if `tfa_mode` is `requiredForSome`. Users who belong to the group by their
   * number of posts are exempt.
   */
  needsFactor: boolean;
}

/** Returns the groups of the user by their IDs. @throws StoreError if the list of groups may be cut off */
function findGroups(database: SiteDatabase, row: Row): ReadonlyMap<string, Group> {
  const text = textsOf(row);
  const given = [text('own_group'), ...text('own_groups').split(',')].map((id) => id.trim());
  const groups = new Map([...given, text('post_group')].map((id) => [id, { name: '', needsFactor: false }]));
  for (const line of splitGroupLines(database, text('group_list'))) {
    const [, id = '', factor, name = ''] = /^(\d+) (\d+) (.*)$/s.exec(line) ?? [];
    if (groups.has(id))
      groups.set(id, { name: withoutEntities(name), needsFactor: factor === '1' && given.includes(id) });
  }
  return groups;
}

/**
 * Parses a cookie: an object or a list in JSON, or the `serialize()` of SMF 2.0. SMF does not compare its other values.
 * Null if it is not valid.
 */
function parseCookie(value: string | null): { id: string; hash: string } | null {
  if (value === null || value.length > 2000) return null;
  const decoded = decodeCookie(Buffer.from(value, 'latin1'));
  if (typeof decoded !== 'object' || decoded === null) return null;
  const { 0: id, 1: hash } = decoded as Record<number, unknown>;
  const [digits] = /^\d{1,10}/.exec(typeof id === 'number' || typeof id === 'string' ? String(id) : '') ?? [];
  const number = Number(digits);
  if (!(number > 0 && number <= maxId) || typeof hash !== 'string' || hash.length !== 128) return null;
  return { id: String(number), hash };
}

/** The maximum of the column on PostgreSQL. */
const maxId = 2_147_483_647;

function decodeCookie(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // It is not JSON.
  }
  return decodeValue('php_serialize', bytes);
}

function readDatabase(configuration: Configuration, path: string): SiteDatabase {
  const text = (name: string) => asText(configuration.variable([name], option('siteDatabase'))) ?? '';
  const type = text('db_type').toLowerCase() || 'mysql';
  const kinds: Readonly<Record<string, 'mysql' | 'postgres'>> = {
    ...{ mysql: 'mysql', mysqli: 'mysql', postgresql: 'postgres' },
  };
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (kind === undefined) throw new ConfigurationError(`${path}: $db_type is neither mysql nor postgresql`);
  const charset = text('db_character_set').toLowerCase();
  return serverDatabase({
    kind,
    host: text('db_server') || (kind === 'mysql' ? 'localhost' : ''),
    port: Number(text('db_port')),
    user: text('db_user'),
    password: text('db_passwd'),
    name: text('db_name'),
    charset:
      kind === 'postgres' || charset.startsWith('utf8')
        ? 'utf8'
        : charset.startsWith('latin1')
          ? 'latin1'
          : 'server',
  });
}
