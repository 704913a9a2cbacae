/**
 * Moodle 4 and 5.
 *
 * - The cookie is named `MoodleSession` followed by the setting `sessioncookie`. Its value is `sessions.sid`. Each session
 *   handler writes that table, except the handler for Redis since 4.5: lib/classes/session/manager.php, handler.php,
 *   redis.php.
 * - A session ends at a logout, `sessiontimeout` after the last page view, and with `tracksessionip` from another
 *   address.
 * - The user must not be deleted or suspended, must not have to change the password, must have agreed to the policies
 *   (admin/tool/policy), and must have given second factors (admin/tool/mfa): lib/moodlelib.php, require_login. Only
 *   the session data shows whether second factors were given.
 * - Settings in config.php take precedence over the table `config`: get_config.
 */

import { join } from 'node:path';
import {
  asText,
  type Configuration,
  ConfigurationError,
  isTrue,
  readIfKnown,
} from '../configuration/configuration.ts';
import { parseDatabaseHost, type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import { isArray, rest } from '../configuration/value.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser } from '../login.ts';
import { option } from '../names.ts';
import { follow, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import type { Application, SiteFiles } from './application.ts';
import {
  addressHint,
  type Claim,
  checkSize,
  decodeValue,
  enableHint,
  hasAny,
  missingCookie,
  toRoles,
} from './claim.ts';
import type { SiteFolder } from './site-folder.ts';
import {
  type LoginTable,
  loginPart,
  quoteTable,
  requirePrefix,
  selectMails,
  settingTexts,
  texts,
  textsOf,
} from './site-table.ts';

/**
 * Values of config.php, and options. Values that may also be in the table of settings are null if the file lacks them.
 */
interface Files extends SiteFiles {
  cookieName: string | null;
  fixed: Readonly<Record<(typeof settingNames)[number], string | null>>;
  siteAdmins: string | null;
  /** Whether the file switches each plugin of second factors on. `rest` stands for plugins that only PHP knows. */
  forced: Readonly<Record<string, boolean>>;
  /** `session_handler_class`; empty for Moodle's default. */
  handler: string;
  /** The option `siteChecks`. */
  checks: boolean;
}

interface Site extends Files {
  cookie: string;
  timeoutSeconds: number;
  guest: string;
  nameFormat: string;
  secondFactors: boolean;
  /** The table also has the data of sessions. */
  hasTexts: boolean;
  /** A session is valid only from the address of its login. */
  tiedToAddress: boolean;
  /** Whether users must agree to a policy. `policies`: only if Moodle's table of policies has one. */
  needsPolicy: boolean | 'policies';
}

interface CookieClaim extends Claim {
  address: string;
}

/** A value in config.php replaces the one in the table. */
const settingNames = [
  ...(['sessioncookie', 'sessiontimeout', 'siteguest', 'fullnamedisplay'] as const),
  ...(['dbsessions', 'tracksessionip', 'sitepolicy', 'sitepolicyhandler'] as const),
];

const nameParts = [
  'firstname',
  'lastname',
  'middlename',
  'alternatename',
  'firstnamephonetic',
  'lastnamephonetic',
] as const;

/** The plugin for second factors. */
const mfa = 'tool_mfa';

/** The plugin with its own tables of policies. */
const policyPlugin = 'tool_policy';

/** The name of a user preference. */
const mustChangePassword = 'auth_forcepasswordchange';

/** The context of the whole site: CONTEXT_SYSTEM. */
const system = 10;

const defaultTimeoutSeconds = 28_800;

export const moodle: Application<Files, Site, CookieClaim> = {
  kind: 'moodle',
  title: 'Moodle',

  async find(folder, { cookieName, checks, admins, moderators, team }) {
    const file = await findConfiguration(folder);
    if (file === null) return null;
    const configuration = await folder.php(file, { application: /\/lib\/setup\.php$/ });
    const text = (name: string) =>
      asText(configuration.variable(['CFG', name], 'a literal value in config.php'));
    const handler = text('session_handler_class') ?? '';
    if (/redis/i.test(handler) && !(Number.parseInt(await readVersion(folder, 'branch'), 10) < 405)) {
      throw new ConfigurationError(
        `${file}: since Moodle 4.5 its handler for Redis keeps logins only in Redis: remove session_handler_class, or set it to \\core\\session\\database`,
      );
    }
    return {
      database: readDatabase(configuration),
      prefix: requirePrefix(text('prefix') ?? '', `${configuration.file}: $CFG->prefix`),
      cookieName: cookieName ?? null,
      fixed: Object.fromEntries(settingNames.map((name) => [name, text(name)])) as Files['fixed'],
      siteAdmins: text('siteadmins'),
      forced: readForcedFactors(configuration),
      handler,
      checks: checks !== false,
      admins,
      moderators,
      team,
    };
  },

  settings({ prefix }, { quote, lines }) {
    const table = (name: string) => `${quote}${prefix}${name}${quote}`;
    return {
      view: 'chat_moodle_settings',
      columns: { value: 'text' },
      names: [...settingNames, 'mfa'],
      select: `SELECT c.name AS name, c.value AS value FROM ${table('config')} AS c WHERE c.name IN (${settingNames.map((name) => `'${name}'`).join(', ')}) UNION ALL SELECT 'mfa', ${lines('p.plugin')} FROM ${table('config_plugins')} AS p WHERE (p.plugin = '${mfa}' OR p.plugin LIKE 'factor%') AND p.name = 'enabled' AND p.value NOT IN ('', '0')`,
    };
  },

  site(found, settings) {
    const text = settingTexts(settings);
    const value = (name: (typeof settingNames)[number]) => found.fixed[name] ?? text(name);
    const isOn = (name: (typeof settingNames)[number]) => isTrue(value(name));
    const handler = isOn('sitepolicyhandler') ? value('sitepolicyhandler') : null;
    return {
      ...found,
      cookie: found.cookieName ?? `MoodleSession${value('sessioncookie')}`,
      timeoutSeconds: Number(value('sessiontimeout')) || defaultTimeoutSeconds,
      guest: value('siteguest'),
      nameFormat: toNameFormat(value('fullnamedisplay')),
      secondFactors: needsFactors(found.forced, text('mfa').split('\n').filter(Boolean)),
      hasTexts: found.handler === '' ? isOn('dbsessions') : /database$/.test(found.handler),
      tiedToAddress: found.checks && isOn('tracksessionip'),
      // Handlers of other plugins may ask for an agreement.
      needsPolicy: handler === policyPlugin ? 'policies' : handler !== null || isOn('sitepolicy'),
    };
  },

  mails: ({ prefix }, sql) =>
    selectMails(
      'chat_moodle_mails',
      `${quoteTable(`${prefix}user`, sql)} WHERE deleted = 0 AND suspended = 0 AND confirmed = 1 AND auth <> 'nologin'`,
      'id',
      'email',
    ),

  accounts({ prefix, nameFormat, guest }, sql) {
    const shown = nameColumns(nameFormat);
    return {
      view: 'chat_moodle_accounts',
      columns: texts(...shown),
      search: shown,
      select: `SELECT id, ${shown.join(', ')} FROM ${quoteTable(`${prefix}user`, sql)} WHERE deleted = 0 AND suspended = 0 AND confirmed = 1 AND auth <> 'nologin' AND username <> 'guest' AND id <> ${Number(guest) || 0}`,
      name: (text) => displayName(formatName(nameFormat, text)),
    };
  },

  logins(site, { quote, lines, start }) {
    const { prefix, timeoutSeconds, nameFormat, secondFactors, hasTexts, tiedToAddress, needsPolicy } = site;
    const table = (name: string) => `${quote}${prefix}${name}${quote}`;
    const roles = `SELECT ${lines('r.shortname')} FROM ${table('role_assignments')} AS a JOIN ${table('role')} AS r ON r.id = a.roleid JOIN ${table('context')} AS c ON c.id = a.contextid WHERE a.userid = u.id AND c.contextlevel = ${system}`;
    const shown = nameColumns(nameFormat);
    const data = secondFactors && hasTexts ? start('s.sessdata', maxSessionBytes) : 'NULL';
    const address = tiedToAddress ? 's.firstip' : 'NULL';
    const sessionSql = `s.sid AS sid, s.userid AS userid, s.timemodified AS used, ${data} AS data, ${address} AS address`;
    const sessionColumns = ['userid', 'used', 'data', 'address'];
    const userColumns = ['username', 'auth', 'deleted', 'suspended', 'policyagreed', ...shown];
    const userSql = userColumns.map((name) => `u.${name} AS ${name}`).join(', ');
    const isMustChange = `userid = u.id AND p.name = '${mustChangePassword}'`;
    const mustChange = `(SELECT MAX(p.value) FROM ${table('user_preferences')} AS p WHERE p.${isMustChange}) AS must_change`;
    const isAdmins = "name = 'siteadmins'";
    const admins = `(SELECT c.value FROM ${table('config')} AS c WHERE c.${isAdmins}) AS site_admins`;
    const policyTables = needsPolicy === 'policies' ? ['tool_policy', 'tool_policy_versions'] : [];
    // Policies for everyone and for users, without those for guests only.
    const current = `SELECT COUNT(*) FROM ${table('tool_policy')} AS d JOIN ${table('tool_policy_versions')} AS v ON v.id = d.currentversionid AND v.policyid = d.id WHERE v.audience IN (0, 1)`;
    const policies = `${policyTables.length > 0 ? `(${current})` : 'NULL'} AS policies`;
    const sessions: LoginTable = {
      view: 'chat_moodle',
      id: 'sid',
      lookup: 'sid',
      columns: texts(
        ...['sid', ...sessionColumns, ...userColumns, 'roles', 'must_change'],
        ...['everybody', 'site_admins', 'policies'],
      ),
      select: `SELECT ${sessionSql}, ${userSql}, (${roles}) AS roles, ${mustChange}, 1 AS everybody, ${admins}, ${policies} FROM ${table('sessions')} AS s LEFT JOIN ${table('user')} AS u ON u.id = s.userid`,
      rows: {
        key: 's.sid',
        joined: [
          [table('sessions'), 's'],
          [table('user'), 'u', 'u.id = s.userid'],
          // Roles in courses do not count.
          [
            table('role_assignments'),
            'a',
            `a.userid = u.id AND a.contextid IN (SELECT c.id FROM ${table('context')} AS c WHERE c.contextlevel = ${system})`,
          ],
          [table('user_preferences'), 'p', `p.${isMustChange}`],
        ],
        shared: [
          [table('role')],
          [table('context'), `t.contextlevel = ${system}`],
          [table('config'), `t.${isAdmins}`],
          ...policyTables.map((name) => [table(name)] as const),
        ],
      },
      parts: [
        {
          ...{ view: 'chat_moodle_sessions', id: 'sid', columns: texts(...sessionColumns) },
          of: { sid: sessionColumns },
          short: data === 'NULL' ? true : undefined,
          select: `SELECT ${sessionSql} FROM ${table('sessions')} AS s`,
        },
        loginPart({
          ...{ view: 'chat_moodle_users', key: 'userid', columns: userColumns },
          tables: [`${prefix}user`],
          select: `SELECT u.id AS id, ${userSql} FROM ${table('user')} AS u`,
        }),
        loginPart({
          ...{ view: 'chat_moodle_roles', key: 'userid', columns: ['roles'] },
          tables: ['role_assignments', 'role', 'context'].map((name) => prefix + name),
          select: `SELECT u.id AS id, (${roles}) AS roles FROM ${table('user')} AS u`,
        }),
        loginPart({
          ...{ view: 'chat_moodle_preferences', key: 'userid', columns: ['must_change'] },
          tables: [`${prefix}user`, `${prefix}user_preferences`],
          select: `SELECT u.id AS id, ${mustChange} FROM ${table('user')} AS u`,
        }),
        loginPart({
          ...{ view: 'chat_moodle_admins', key: 'everybody', columns: ['site_admins', 'policies'] },
          tables: ['config', ...policyTables].map((name) => prefix + name),
          select: `SELECT 1 AS id, ${admins}, ${policies}`,
        }),
      ],
      renewed: { table: table('sessions'), id: 'sid', column: 'timemodified', lifetime: timeoutSeconds },
    };
    return { sessions };
  },

  onlyCookie: ({ cookie }) => cookie,

  claim({ cookie }, { cookies, address = '' }) {
    const id = cookies.value(cookie);
    if (id === null) {
      return missingCookie(cookie, 'Moodle sets the cookie for its own host and path (sessioncookiepath)');
    }
    if (!/^[A-Za-z0-9,-]{1,128}$/.test(id)) return notLoggedIn('the cookie value is not a valid session ID');
    return { table: 'sessions', lookup: id, secrets: [id], address };
  },

  checkRow(site, { address }, row, now) {
    const text = textsOf(row);
    if (row === null) return notLoggedIn('the site has no such session, or the session has ended');
    const id = text('userid');
    if (!/^[1-9]\d*$/.test(id) || id === site.guest || text('username') === 'guest')
      return notLoggedIn('the session belongs to a guest');
    const ends = Number(text('used')) + site.timeoutSeconds;
    if (ends < now) return notLoggedIn('the session has expired');
    if (text('deleted') !== '0') return notLoggedIn('the user has been deleted');
    if (text('suspended') !== '0' || text('auth') === 'nologin')
      return notLoggedIn('the user is suspended on the site', enableHint);
    if (site.tiedToAddress && text('address') !== address) {
      return notLoggedIn('the address differs from the address of the login', addressHint());
    }
    // Moodle sets `tool_mfa_authenticated` in the session at the first page after the login.
    if (site.secondFactors && !hasGivenFactors(row.data ?? null)) {
      return (
        checkSize(row.data) ??
        notLoggedIn(
          'the user has not yet given the second factor',
          site.hasTexts
            ? undefined
            : 'if Moodle asks for a second factor (tool_mfa), only its session handler \\core\\session\\database shows whether it was given',
        )
      );
    }
    if (isTrue(text('must_change'))) return notLoggedIn('the user must change the password first');
    const siteAdmins = (site.siteAdmins ?? text('site_admins')).split(',');
    const needsPolicy = site.needsPolicy === 'policies' ? text('policies') !== '0' : site.needsPolicy;
    const mustAgree = needsPolicy && !siteAdmins.includes(id) && text('auth') !== 'webservice';
    if (mustAgree && !isTrue(text('policyagreed')))
      return notLoggedIn('the user has not yet agreed to the policy of the site');
    const roles = text('roles').split('\n');
    const isAdmin = site.admins === undefined ? siteAdmins.includes(id) : hasAny(roles, site.admins);
    const user: SessionUser = {
      id,
      name: displayName(formatName(site.nameFormat, text)) || id,
      ...toRoles(isAdmin, hasAny(roles, site.moderators ?? ['manager']), hasAny(roles, site.team)),
    };
    return { state: 'user', user, idle: ends + 1 };
  },

  async describe(folder, { prefix, siteAdmins, admins }, ask) {
    const file = await findConfiguration(folder);
    if (file === null) return {};
    const configuration = await folder.php(file, { application: /\/lib\/setup\.php$/ });
    const text = (name: string) => readIfKnown(() => configuration.variable(['CFG', name], '')) ?? '';
    const stored = async (name: string) =>
      (await ask(`SELECT value FROM ${prefix}config WHERE name = '${name}'`)) ?? '';
    const value = async (name: string) => text(name) || (await stored(name));
    const address = text('wwwroot');
    const [own, given] = [
      URL.canParse(address) ? new URL(`${address}/`).pathname : '/',
      await value('sessioncookiepath'),
    ];
    const all = siteAdmins ?? (await stored('siteadmins'));
    return {
      version: /^[\d.]+/.exec(await readVersion(folder, 'release'))?.[0],
      address,
      login: 'login/index.php',
      administrators:
        admins === undefined ? all.split(',').filter((id) => id.trim() !== '').length : undefined,
      cookie: {
        path: given !== '' && own.startsWith(given) && given.endsWith('/') ? given : own,
        domain: await value('sessioncookiedomain'),
        secure: address.startsWith('https:') && (await value('cookiesecure')) !== '0',
      },
    };
  },
};

/**
 * Converts the setting, which lists parts of names or leaves their order to the language. Most languages put the first name
 * first.
 */
const toNameFormat = (setting: string) =>
  setting === '' || setting === 'language' ? 'firstname lastname' : setting;

/** Returns the columns that a format of names needs. */
const nameColumns = (format: string) => nameParts.filter((name) => format.match(/[a-z]+/g)?.includes(name));

/** Formats a name like `fullname()`. */
function formatName(format: string, text: (name: string) => string): string {
  return format
    .replace(/[a-z]+/g, (word) => ((nameParts as readonly string[]).includes(word) ? text(word) : word))
    .replace(/\(\s*\)|\[\s*\]|"\s*"|'\s*'/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Reads `$CFG->forced_plugin_settings`, which `get_config()` prefers to the table. A value that only PHP knows counts as
 * on.
 * @returns whether each plugin is on
 */
function readForcedFactors(configuration: Configuration): Files['forced'] {
  const name = 'forced_plugin_settings';
  const enabled = (...path: string[]) => {
    const value = readIfKnown(() => configuration.variable(['CFG', name, ...path], ''));
    return value === undefined || isTrue(value ?? '');
  };
  if (readIfKnown(() => configuration.variable(['CFG', name], '')) === undefined) return { [rest]: true };
  const all = configuration.variable(['CFG', name], '');
  if (!isArray(all)) return {};
  const plugins = [...all].filter(([plugin, its]) => {
    const isFactor = plugin === mfa || plugin === rest || plugin.startsWith('factor_');
    return isFactor && !(isArray(its) && !its.has('enabled') && !its.has(rest));
  });
  return Object.fromEntries(plugins.map(([plugin]) => [plugin, enabled(plugin, 'enabled')]));
}

/**
 * Whether Moodle asks for a second factor. It asks only if a factor is in use.
 * @param stored the plugins that are on in the table
 */
function needsFactors(forced: Files['forced'], stored: readonly string[]): boolean {
  const isOn = (plugin: string) => forced[plugin] ?? (forced[rest] === true || stored.includes(plugin));
  const factors = [...stored, ...Object.keys(forced)].filter((plugin) => plugin !== mfa);
  return isOn(mfa) && factors.some(isOn);
}

const factorPath = parsePath('SESSION.tool_mfa_authenticated');

/** Whether the session says that the second factor was given. @param data in base64 */
function hasGivenFactors(data: Buffer | null): boolean {
  if (data === null) return false;
  const session = decodeValue('php', Buffer.from(data.toString('latin1'), 'base64'));
  const found = follow(session ?? null, factorPath);
  return 'value' in found && (found.value === true || found.value === 1);
}

/** Finds `config.php` in the folder, or above `public`, which Moodle 5.1 serves. Null if it is missing. */
async function findConfiguration(folder: SiteFolder): Promise<string | null> {
  for (const below of ['', '..']) {
    const file = join(folder.path, below, 'config.php');
    if (!(await folder.has(file))) continue;
    const text = await folder.text(file);
    if (/\$CFG\s*->\s*dbtype/.test(text) && /lib\/setup\.php/.test(text)) return file;
  }
  return null;
}

/** Reads `$branch` of version.php, such as `405`, or `$release`, such as `4.5.1+ (Build: …)`. Empty if it is unknown. */
async function readVersion(folder: SiteFolder, name: 'branch' | 'release'): Promise<string> {
  for (const file of ['version.php', 'public/version.php']) {
    if (!(await folder.has(file))) continue;
    const version = await folder.php(file);
    return readIfKnown(() => version.variable([name], '')) ?? '';
  }
  return '';
}

function readDatabase(configuration: Configuration): SiteDatabase {
  const text = (...path: [string, ...string[]]) =>
    asText(configuration.variable(['CFG', ...path], option('siteDatabase'))) ?? '';
  const type = text('dbtype');
  if (!/^(mysqli|mariadb|auroramysql|pgsql)$/.test(type))
    throw new ConfigurationError(
      `${configuration.file}: the database type ${type} of Moodle is not supported`,
    );
  const { socket: inHost, ...host } = parseDatabaseHost(text('dbhost'));
  const port = Number(text('dboptions', 'dbport'));
  const socket = text('dboptions', 'dbsocket');
  const isPostgres = type === 'pgsql';
  // On PostgreSQL, dbsocket is the folder of the socket for a local host. A value without a slash selects libpq's own.
  if (isPostgres && socket !== '' && /^(localhost|127\.0\.0\.1)$/.test(host.host))
    host.host = socket.includes('/') ? socket : '';
  if (isPostgres && text('dbhost') === '') host.host = '';
  return serverDatabase({
    kind: isPostgres ? 'postgres' : 'mysql',
    ...host,
    ...(port > 0 ? { port } : {}),
    socket: isPostgres ? undefined : socket.startsWith('/') ? socket : inHost,
    user: text('dbuser'),
    password: text('dbpass'),
    name: text('dbname'),
  });
}
