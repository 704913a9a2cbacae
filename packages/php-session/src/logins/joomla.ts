/**
 * Joomla 4 to 6. Files are in libraries/src.
 *
 * - The name of the cookie is an MD5 of the site's secret and a name: Service/Provider/Session.php; Session.php of
 *   joomla-framework/session.
 * - The value of the cookie is `session.session_id`. The row has the user and the time of the last page view:
 *   Session/MetadataManager.php.
 * - A session ends at a logout, and `lifetime` minutes after the last page view.
 * - The user must not be blocked: User/User.php. The user must not need a new password: Application/CMSApplication.php,
 *   checkUserRequiresReset. The user must have agreed to the privacy policy: plugins/system/privacyconsent.
 * - Only the session data shows whether a second factor was given: Session/Storage/JoomlaStorage.php,
 *   Application/MultiFactorAuthenticationHandler.php. The session handler “Database” keeps that data in the same row.
 */

import { hash } from 'node:crypto';
import {
  asText,
  type Configuration,
  ConfigurationError,
  isTrue,
  readIfKnown,
} from '../configuration/configuration.ts';
import { parseDatabaseHost, type SiteDatabase, serverDatabase } from '../configuration/database-host.ts';
import type { PhpValue } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import { notLoggedIn, type SessionUser } from '../login.ts';
import { option } from '../names.ts';
import { follow, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import type { Application, SiteFiles } from './application.ts';
import { checkSize, decodeValue, enableHint, hasAny, missingCookie, toRoles } from './claim.ts';
import { findListedGroups, type ListedGroups, parseGroups, withListedGroups } from './named-groups.ts';
import { matchFile } from './site-folder.ts';
import {
  countAdmins,
  type LoginTable,
  loginPart,
  quoteTable,
  requirePrefix,
  selectAccounts,
  selectMails,
  settingTexts,
  texts,
  textsOf,
} from './site-table.ts';

/** Values of configuration.php. */
interface Files extends SiteFiles {
  /** Possible names of the cookie. The first one that a visitor has counts. */
  cookies: readonly [string, ...string[]];
  /** Frontend and backend share the session. */
  isShared: boolean;
  lifetimeSeconds: number;
  /** The table also has the data of sessions. */
  hasTexts: boolean;
}

interface Site extends Files {
  /** There is a table of second factors, as in Joomla 4.2 and later. */
  secondFactors: boolean;
  /** Users must agree to the privacy policy. */
  needsConsent: boolean;
  /** There is a table of agreements. */
  hasConsents: boolean;
  listed: ListedGroups;
}

/** Groups of each installation: installation/sql/mysql/base.sql. Groups below them inherit their rights. */
const defaultGroups = { superUsers: 8, administrators: 7, managers: 6 };

const file = 'configuration.php';
const versionFile = 'libraries/src/Version.php';
/** This plugin ends a user's sessions at a logout. */
const logoutPlugin = 'plg_user_joomla';
const consentPlugin = 'plg_system_privacyconsent';
const groupsSetting = 'groups';
const factorsTable = (prefix: string) => `${prefix}user_mfa`;
const consentsTable = (prefix: string) => `${prefix}privacy_consents`;

export const joomla: Application<Files, Site> = {
  kind: 'joomla',
  title: 'Joomla',

  async find(folder, { cookieName, admins, moderators, team }) {
    if ((await matchFile(folder, file, /\bclass\s+JConfig\b/)) === null) return null;
    const major = (await folder.has(versionFile))
      ? Number(
          (await folder.php(versionFile)).member(
            'Version::MAJOR_VERSION',
            'the original value by installing Joomla again',
          ),
        )
      : 4;
    if (major < 4) {
      throw new ConfigurationError(
        `${folder.path}: this is Joomla ${major}, but only Joomla 4 and later are supported`,
      );
    }
    const configuration = await folder.php(file);
    const text = (name: string, instead = `a literal value in ${file}`) =>
      asText(configuration.member(`JConfig::${name}`, instead));
    const isOn = (name: string, usual: string) => isTrue(text(name) ?? usual);
    if (!isOn('session_metadata', '1')) {
      throw new ConfigurationError(
        `${folder.path}/${file}: Joomla does not store who is logged in: switch on “Track Session Metadata” in its global configuration`,
      );
    }
    const name = hash('md5', (text('secret', option('cookieName')) ?? '') + (text('session_name') || 'site'));
    const minutes = Number(text('lifetime') ?? 0);
    return {
      database: readDatabase(configuration),
      prefix: requirePrefix(text('dbprefix') ?? '', `${configuration.file}: $dbprefix`),
      // Session/Session.php hashes the name again, since the last betas of 4.0.
      cookies: cookieName === undefined ? [hash('md5', name), name] : [cookieName],
      isShared: isOn('shared_session', '0'),
      lifetimeSeconds: minutes > 0 ? minutes * 60 : 900,
      hasTexts: text('session_handler') === 'database',
      admins,
      moderators,
      team,
    };
  },

  settings({ prefix }, { schema, quote, asText, lines }) {
    const optional = [factorsTable(prefix), consentsTable(prefix)];
    // A database may change the case of names, so these are returned as written here.
    const present = optional.map((table) => {
      const name = asText(`'${table}'`);
      return `SELECT ${name} AS name, ${name} AS value FROM information_schema.tables AS t WHERE t.table_schema = ${schema} AND t.table_name = '${table}'`;
    });
    const plugin = (name: string) => {
      const [, folder, element] = name.split('_');
      return `SELECT ${asText(`'${name}'`)}, ${asText('e.params')} FROM ${quote}${prefix}extensions${quote} AS e WHERE e.type = 'plugin' AND e.folder = '${folder}' AND e.element = '${element}' AND e.enabled = 1`;
    };
    const titles = `SELECT ${asText(`'${groupsSetting}'`)}, ${asText(lines("CONCAT(g.id, ' ', g.title)"))} FROM ${quote}${prefix}usergroups${quote} AS g`;
    return {
      view: 'chat_joomla_settings',
      columns: { value: 'text' },
      names: [...optional, logoutPlugin, consentPlugin, groupsSetting],
      select: `${present.join(' UNION ALL ')} UNION ALL ${plugin(logoutPlugin)} UNION ALL ${plugin(consentPlugin)} UNION ALL ${titles}`,
    };
  },

  site(found, settings) {
    const text = settingTexts(settings);
    // The session handler “Database” deletes the row itself.
    if (!found.hasTexts && /"forceLogout":"?0/.test(text(logoutPlugin))) {
      throw new ConfigurationError(
        'a logout of Joomla does not delete the row of the session: use the session handler “Database”, or switch on “Force Logout for all Sessions” in its plugin “User - Joomla!”',
      );
    }
    const all = parseGroups(found.database, text(groupsSetting));
    return {
      ...found,
      listed: findListedGroups(found, all),
      secondFactors: settings.has(factorsTable(found.prefix)),
      needsConsent: settings.has(consentPlugin),
      hasConsents: settings.has(consentsTable(found.prefix)),
    };
  },

  ...withListedGroups,

  mails: ({ prefix }, sql) =>
    selectMails('chat_joomla_mails', `${quoteTable(`${prefix}users`, sql)} WHERE block = 0`, 'id', 'email'),

  accounts: ({ prefix }, sql) =>
    selectAccounts('chat_joomla_accounts', `${quoteTable(`${prefix}users`, sql)} WHERE block = 0`, {
      id: 'id',
      name: 'name',
    }),

  logins({ prefix, secondFactors, hasConsents, hasTexts }, { quote, lines }) {
    const table = (name: string) => `${quote}${prefix}${name}${quote}`;
    // A group has the rights of all groups above it.
    const within = `SELECT ${lines('above.id')} FROM ${table('user_usergroup_map')} AS map JOIN ${table('usergroups')} AS own ON own.id = map.group_id JOIN ${table('usergroups')} AS above ON above.lft <= own.lft AND above.rgt >= own.rgt WHERE map.user_id = u.id`;
    const directly = `SELECT ${lines('map.group_id')} FROM ${table('user_usergroup_map')} AS map WHERE map.user_id = u.id`;
    const factors = `SELECT COUNT(*) FROM ${table('user_mfa')} AS f WHERE f.user_id = u.id`;
    const consents = `SELECT COUNT(*) FROM ${table('privacy_consents')} AS c WHERE c.user_id = u.id AND c.state = 1 AND c.subject = 'PLG_SYSTEM_PRIVACYCONSENT_SUBJECT'`;
    const sessionSql = `s.session_id AS id, s.client_id AS client, s.guest AS guest, s.time AS time, ${hasTexts ? `LEFT(s.data, ${maxSessionBytes})` : 'NULL'} AS data, s.userid AS userid`;
    const sessionColumns = ['client', 'guest', 'time', 'data', 'userid'];
    // Session ids of the backend belong to administrators, and are not read. Shared sessions have no client.
    const siteCondition = '(s.client_id = 0 OR s.client_id IS NULL)';
    const userSql = `u.name AS name, u.block AS block, u.${quote}requireReset${quote} AS reset`;
    const rolesSql = `(${within}) AS member_of, (${directly}) AS directly_in, ${secondFactors ? `(${factors})` : '0'} AS factors, ${hasConsents ? `(${consents})` : '0'} AS consents`;
    const sessions: LoginTable = {
      view: 'chat_joomla',
      id: 'id',
      lookup: 'id',
      columns: {
        id: 'bytes',
        ...texts(...sessionColumns),
        ...texts('name', 'block', 'reset', 'member_of', 'directly_in', 'factors', 'consents'),
      },
      select: `SELECT ${sessionSql}, ${userSql}, ${rolesSql} FROM ${table('session')} AS s LEFT JOIN ${table('users')} AS u ON u.id = s.userid WHERE ${siteCondition}`,
      rows: {
        key: 's.session_id',
        joined: [
          [table('session'), 's'],
          [table('users'), 'u', 'u.id = s.userid'],
          [table('user_usergroup_map'), 'm', 'm.user_id = u.id'],
          ...(secondFactors ? [[table('user_mfa'), 'f', 'f.user_id = u.id'] as const] : []),
          ...(hasConsents ? [[table('privacy_consents'), 'c', 'c.user_id = u.id'] as const] : []),
        ],
        shared: [[table('usergroups')]],
      },
      parts: [
        loginPart({
          ...{ view: 'chat_joomla_sessions', key: 'id', columns: sessionColumns },
          select: `SELECT ${sessionSql} FROM ${table('session')} AS s WHERE ${siteCondition}`,
        }),
        loginPart({
          ...{ view: 'chat_joomla_users', key: 'userid', columns: ['name', 'block', 'reset'] },
          tables: [`${prefix}users`],
          select: `SELECT u.id AS id, ${userSql} FROM ${table('users')} AS u`,
        }),
        loginPart({
          ...{ view: 'chat_joomla_roles', key: 'userid' },
          columns: ['member_of', 'directly_in', 'factors', 'consents'],
          tables: [
            ...[`${prefix}user_usergroup_map`, `${prefix}usergroups`],
            ...(secondFactors ? [factorsTable(prefix)] : []),
            ...(hasConsents ? [consentsTable(prefix)] : []),
          ],
          select: `SELECT u.id AS id, ${rolesSql} FROM ${table('users')} AS u`,
        }),
      ],
    };
    return { sessions };
  },

  onlyCookie: ({ cookies: [first] }) => first,

  claim({ cookies: names }, { cookies }) {
    const id = names.map((name) => cookies.value(name)).find((value) => value !== null);
    if (id === undefined) {
      return missingCookie(names[0], 'Joomla derives the name of the cookie from its secret');
    }
    if (!/^[A-Za-z0-9,-]{1,192}$/.test(id)) return notLoggedIn('the cookie value is not a valid session ID');
    return { table: 'sessions', lookup: id, secrets: [id] };
  },

  checkRow(site, _, row, now) {
    const text = textsOf(row);
    if (row === null) return notLoggedIn('the site has no such session, or the session has ended');
    if (!site.isShared && text('client') !== '0')
      return notLoggedIn(
        'the session was created while Joomla shared sessions with its administration, but “Shared Sessions” is now off',
      );
    const id = text('userid');
    if (!/^[1-9]\d*$/.test(id) || text('guest') !== '0') return notLoggedIn('the session belongs to a guest');
    if (row.name === null) return notLoggedIn('the user has been deleted');
    if (text('block') !== '0') return notLoggedIn('the user is blocked on the site', enableHint);
    if (text('reset') !== '0') return notLoggedIn('the user must set a new password first');
    if (site.needsConsent && text('consents') === '0')
      return notLoggedIn('the user has not yet agreed to the privacy policy');
    const session = decodeSession(row.data ?? null);
    if (session === undefined)
      return (
        checkSize(row.data) ?? {
          ...notLoggedIn('the session is not in the form of Joomla'),
          state: 'invalid',
        }
      );
    if (session?.user !== undefined && session.user !== id)
      return notLoggedIn('the session data belongs to another user, or to a guest');
    if (session?.mustSetUp === true) return notLoggedIn('the user must set up a second factor first');
    // The first page after the login also marks sessions of users without factors. It moves factors of versions before 4.2
    // from `otpKey` into the table.
    const mustBeChecked = (site.secondFactors && site.hasTexts) || text('factors') !== '0';
    if (mustBeChecked && session?.checked !== true) {
      return notLoggedIn(
        'the user has not yet given the second factor, or has not yet opened a page after the login',
        !site.hasTexts
          ? 'for users with a second factor this program needs the session handler “Database” of Joomla'
          : undefined,
      );
    }
    const user: SessionUser = {
      id,
      name: displayName(text('name')) || id,
      ...findRoles(site, text('member_of').split('\n'), text('directly_in').split('\n')),
    };
    // Each page view writes the time, with any session handler (MetadataManagerListener.php).
    const last = Math.max(Number(text('time')), session?.now ?? 0);
    if (last + site.lifetimeSeconds < now) return notLoggedIn('the session has expired');
    return { state: 'user', user, idle: last + site.lifetimeSeconds + 1 };
  },

  async describe(folder, { prefix, admins }, ask) {
    const configuration = await folder.php(file);
    const text = (name: string) => readIfKnown(() => configuration.member(`JConfig::${name}`, '')) ?? '';
    const version = (await folder.has(versionFile)) ? await folder.php(versionFile) : null;
    const part = (name: string) =>
      readIfKnown(() => version?.member(`Version::${name}_VERSION`, '') ?? null) ?? '';
    const isAdmin = `SELECT 1 FROM ${prefix}user_usergroup_map map JOIN ${prefix}usergroups own ON own.id = map.group_id JOIN ${prefix}usergroups above ON above.lft <= own.lft AND above.rgt >= own.rgt WHERE map.user_id = u.id AND above.id IN (${defaultGroups.superUsers}, ${defaultGroups.administrators})`;
    return {
      version: version && [part('MAJOR'), part('MINOR'), part('PATCH')].filter(Boolean).join('.'),
      address: text('live_site'),
      login: 'index.php?option=com_users&view=login&return={return_base64}',
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${prefix}users u WHERE EXISTS (${isAdmin})`,
      ),
      cookie: {
        path: text('cookie_path') || '/',
        domain: text('cookie_domain'),
        secure: text('force_ssl') === '2',
      },
    };
  },
};

interface Session {
  user?: string;
  /** The time of the last page view, in seconds since 1970. */
  now?: number;
  /** The second factor was given, or is not needed. */
  checked: boolean;
  mustSetUp: boolean;
}

const paths = {
  id: parsePath('data.user.id'),
  now: parsePath('data.session.timer.now'),
  checked: parsePath('data.com_users.mfa_checked'),
  setup: parsePath('data.com_users.mandatory_mfa_setup'),
};

/** Decodes the Registry in `$_SESSION['joomla']`. Null without a Registry; undefined if it is not valid. */
function decodeSession(data: Buffer | null): Session | null | undefined {
  if (data === null || data.length === 0) return null;
  const all = decodeValue('php', data) as Record<string, PhpValue> | undefined;
  if (all === undefined) return undefined;
  const encoded = Object.hasOwn(all, 'joomla') ? all.joomla : null;
  if (typeof encoded !== 'string') return null;
  const registry = decodeValue('php_serialize', Buffer.from(encoded, 'base64'));
  if (registry === undefined) return undefined;
  const at = (path: keyof typeof paths) => {
    const found = follow(registry, paths[path]);
    return 'value' in found ? found.value : null;
  };
  const [id, now] = [at('id'), at('now')];
  return {
    user: typeof id === 'number' || typeof id === 'string' ? String(id) : undefined,
    now: typeof now === 'number' ? now : undefined,
    checked: Number(at('checked')) !== 0,
    mustSetUp: Number(at('setup')) !== 0,
  };
}

function findRoles(site: Site, own: readonly string[], directly: readonly string[]) {
  const isIn = (listed: readonly string[] | undefined, ids: readonly number[]) =>
    listed === undefined ? ids.some((id) => own.includes(String(id))) : hasAny(directly, listed);
  return toRoles(
    isIn(site.listed.admins, [defaultGroups.superUsers, defaultGroups.administrators]),
    isIn(site.listed.moderators, [defaultGroups.managers]),
    hasAny(directly, site.listed.team),
  );
}

/**
 * Reads the database. `$host` may be `host`, `host:port`, `host:/socket`, `unix:/socket` or `[v6]:port`:
 * MysqliDriver::connect() of joomla-framework/database.
 * @throws ConfigurationError
 */
function readDatabase(configuration: Configuration): SiteDatabase {
  const text = (name: string) =>
    asText(configuration.member(`JConfig::${name}`, option('siteDatabase'))) ?? '';
  return serverDatabase({
    kind: /^(pgsql|postgresql)$/.test(text('dbtype')) ? 'postgres' : 'mysql',
    ...parseDatabaseHost(text('host').replace(/^unix:/, ':')),
    user: text('user'),
    password: text('password'),
    name: text('db'),
  });
}
