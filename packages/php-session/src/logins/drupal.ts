/**
 * Drupal 10 and 11.
 *
 * - The name of the cookie is `SESS`, or `SSESS` with HTTPS, and 32 characters of the SHA-256 of the host and path:
 *   core/lib/Drupal/Core/Session/SessionConfiguration.php.
 * - `sessions.sid` is the SHA-256 of the cookie's value in base64url. A logout deletes the row:
 *   core/lib/Drupal/Core/Session/SessionHandler.php. PHP's garbage collection deletes unused sessions.
 * - The session data has the user's id: core/modules/user/src/Authentication/Provider/Cookie.php.
 * - The user must not be blocked: core/modules/user/src/Entity/User.php. A new password or a block deletes the user's
 *   rows.
 */

import { hash } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import {
  asText,
  type Configuration,
  ConfigurationError,
  SecondFactorError,
} from '../configuration/configuration.ts';
import { type SiteDatabase, serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import type { RequestCookies } from '../cookie.ts';
import { displayName } from '../identity.ts';
import { type NotLoggedIn, notLoggedIn, type SessionUser } from '../login.ts';
import { option } from '../names.ts';
import { follow, type Path, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import type { Application, SiteFiles } from './application.ts';
import { type Claim, checkSize, decodeValue, enableHint, hasAny, missingCookie, toRoles } from './claim.ts';
import { matchFile, type SiteFolder } from './site-folder.ts';
import {
  countAdmins,
  type LoginTable,
  loginPart,
  quoteTable,
  selectAccounts,
  selectMails,
  textsOf,
} from './site-table.ts';

/** Values of settings.php. */
interface Files extends SiteFiles {
  /** The name of the cookie. Null if the cookie is recognised by the form of its name. */
  cookie: string | null;
  /** The end of the cookie's name, if services.yml determines it. */
  cookieEnding: string | null;
  /** User 1 has all rights (SuperUserAccessPolicy.php). From 10.3 on services.yml may turn that off. */
  hasSuperUser: boolean;
}

/** The first user of a site. */
const superUser = '1';

const noSuperUser = /^ {2,8}security\.enable_super_user:[ \t]*false\b/im;

export const drupal: Application<Files, Files> = {
  kind: 'drupal',
  title: 'Drupal',

  async find(folder, { cookieName, admins, moderators, team }) {
    const place = await findSettings(folder);
    if (place === null) return null;
    const { root, site } = place;
    await rejectEmailFactor(folder, root, site);
    const configuration = await folder.php(join(root, site, 'settings.php'), {
      variables: { app_root: root, site_path: site },
    });
    const { prefix, ...database } = readDatabase(configuration, root);
    const services = join(root, site, 'services.yml');
    return {
      database,
      prefix,
      cookie: cookieName ?? null,
      cookieEnding: cookieName === undefined ? await readCookieEnding(folder, services) : null,
      hasSuperUser: (await matchFile(folder, services, noSuperUser)) === null,
      admins,
      moderators,
      team,
    };
  },

  settings: () => null,

  site: (found) => found,

  mails: ({ prefix }, sql) =>
    selectMails(
      'chat_drupal_mails',
      `${quoteTable(`${prefix}users_field_data`, sql)} WHERE default_langcode = 1 AND status = 1`,
      'uid',
      // COALESCE removes the collation, as in `logins`.
      "COALESCE(mail, '')",
    ),

  accounts: ({ prefix }, sql) =>
    selectAccounts(
      'chat_drupal_accounts',
      // User 0 stands for visitors who are not logged in.
      `${quoteTable(`${prefix}users_field_data`, sql)} WHERE default_langcode = 1 AND status = 1 AND uid > 0`,
      { id: 'uid', name: "COALESCE(name, '')" },
    ),

  logins({ prefix }, { quote, lines, start }) {
    const table = (name: string) => quoteTable(prefix + name, { quote });
    const roles = `SELECT ${lines('r.roles_target_id')} FROM ${table('user__roles')} AS r WHERE r.entity_id = u.uid`;
    const sessionSql = `s.sid AS sid, ${start('s.session', maxSessionBytes)} AS session`;
    // COALESCE removes the collation NOCASE_UTF8, which SQLite has only inside Drupal.
    const userSql = `COALESCE(u.name, '') AS name, u.status AS status`;
    const users = `${table('users_field_data')} AS u`;
    const sessions: LoginTable = {
      view: 'chat_drupal',
      id: 'sid',
      lookup: 'sid',
      columns: {
        sid: 'text',
        session: 'bytes',
        uid: 'text',
        name: 'text',
        status: 'text',
        roles: 'text',
      },
      select: `SELECT ${sessionSql}, u.uid AS uid, ${userSql}, (${roles}) AS roles FROM ${table('sessions')} AS s LEFT JOIN ${users} ON u.uid = s.uid AND u.default_langcode = 1`,
      rows: {
        key: 's.sid',
        joined: [
          [table('sessions'), 's'],
          [table('users_field_data'), 'u', 'u.uid = s.uid AND u.default_langcode = 1'],
          [table('user__roles'), 'r', 'r.entity_id = u.uid'],
        ],
        shared: [],
      },
      parts: [
        {
          ...{ view: 'chat_drupal_sessions', id: 'sid', columns: { session: 'bytes', uid: 'text' } },
          of: { sid: ['session', 'uid'] },
          select: `SELECT ${sessionSql}, s.uid AS uid FROM ${table('sessions')} AS s`,
        },
        loginPart({
          ...{ view: 'chat_drupal_users', key: 'uid', columns: ['name', 'status'] },
          tables: [`${prefix}users_field_data`],
          select: `SELECT u.uid AS id, ${userSql} FROM ${users} WHERE u.default_langcode = 1`,
        }),
        loginPart({
          ...{ view: 'chat_drupal_roles', key: 'uid', columns: ['roles'] },
          tables: [`${prefix}user__roles`],
          select: `SELECT u.uid AS id, (${roles}) AS roles FROM ${users} WHERE u.default_langcode = 1`,
        }),
      ],
    };
    return { sessions };
  },

  // If the name is not fixed, the value counts under any name of this form.
  onlyCookie: ({ cookie, cookieEnding }) => cookie ?? `SESS${cookieEnding ?? '0'.repeat(32)}`,

  claim({ cookie, cookieEnding }, { cookies }): Claim | NotLoggedIn {
    const name = cookie ?? cookieName(cookies, cookieEnding);
    if (typeof name !== 'string') return name;
    const id = cookies.value(name);
    if (id === null) return missingCookie(name, 'Drupal derives the name from the host and path of the page');
    if (!/^[A-Za-z0-9,-]{1,256}$/.test(id)) return notLoggedIn('the cookie value is not a valid session ID');
    const sid = hash('sha256', id, 'base64url');
    return { table: 'sessions', lookup: sid, secrets: [id] };
  },

  checkRow({ admins, moderators, team, hasSuperUser }, _, row) {
    const text = textsOf(row);
    if (row === null) return notLoggedIn('the site has no such session, or the session has ended');
    const session = decodeSession(row.session ?? null);
    if (session === undefined) {
      return (
        checkSize(row.session) ?? {
          ...notLoggedIn(
            'the session is not in the form of Drupal',
            'session.serialize_handler of PHP must be “php”, its default',
          ),
          state: 'invalid',
        }
      );
    }
    const { user, isMasquerade } = session;
    if (user === null) return notLoggedIn('the session has no logged-in user');
    if (isMasquerade) return notLoggedIn('another user is acting as this user through the Masquerade module');
    // Drupal writes the user's column together with the session.
    if (row.uid === null || text('uid') !== user) return notLoggedIn('the site has no such user');
    if (text('status') !== '1') return notLoggedIn('the user is blocked on the site', enableHint);
    const roles = text('roles').split('\n');
    const isAdmin =
      hasAny(roles, admins ?? ['administrator']) ||
      (admins === undefined && hasSuperUser && user === superUser);
    const found: SessionUser = {
      id: user,
      name: displayName(text('name')) || user,
      ...toRoles(isAdmin, hasAny(roles, moderators ?? ['content_editor']), hasAny(roles, team)),
    };
    return { state: 'user', user: found };
  },

  async describe(folder, { prefix, admins, hasSuperUser }, ask, sql) {
    const table = (name: string) => quoteTable(prefix + name, sql);
    const place = await findSettings(folder);
    const file = join(place?.root ?? folder.path, 'core/lib/Drupal.php');
    const roles = `SELECT 1 FROM ${table('user__roles')} r WHERE r.entity_id = u.uid AND r.roles_target_id = 'administrator'`;
    return {
      version: (await matchFile(folder, file, /const VERSION = '([\d.]+)/))?.[1],
      login: 'user/login?destination={return_path}',
      administrators: await countAdmins(
        { admins },
        ask,
        `SELECT COUNT(*) FROM ${table('users_field_data')} u WHERE u.default_langcode = 1 AND (${hasSuperUser ? `u.uid = ${superUser} OR ` : ''}EXISTS (${roles}))`,
      ),
      // getCookieDomain(): the requested host, unless services.yml has another domain.
      cookie: { path: '/', domain: '.', secure: false },
    };
  },
};

const uidPath = parsePath('_sf2_attributes.uid');

/** Where versions of the module Masquerade store the original user: src/Masquerade.php, src/Session/MetadataBag.php. */
const masquerades = ['_sf2_meta', '_sf2_attributes'].map((bag) => parsePath(`${bag}.masquerading`));
masquerades.push(parsePath('masquerading'));

/**
 * Decodes a session.
 * @returns undefined if the session is not valid. `user` is null if the session has no logged-in user.
 */
function decodeSession(session: Buffer | null): { user: string | null; isMasquerade: boolean } | undefined {
  if (session === null) return { user: null, isMasquerade: false };
  if (session.length >= maxSessionBytes) return undefined;
  const all = decodeValue('php', session);
  if (all === undefined) return undefined;
  const at = (path: Path) => {
    const found = follow(all, path);
    return 'value' in found ? found.value : null;
  };
  const value = at(uidPath);
  const id = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  return {
    user: /^[1-9]\d{0,18}$/.test(id) ? id : null,
    isMasquerade: masquerades.some((path) => Number(at(path)) !== 0),
  };
}

/**
 * Finds the name of the cookie by its form, because Drupal derives the name from the host and path of the request
 * (`getUnprefixedName()`), which no file has. `SSESS…`, the name with HTTPS, takes precedence. Rejects a request
 * without such a cookie, or with several endings.
 */
function cookieName(cookies: RequestCookies, cookieEnding: string | null): string | NotLoggedIn {
  const names = cookies.names.filter(
    (name) => /^S?SESS[0-9a-f]{32}$/.test(name) && (cookieEnding === null || name.endsWith(cookieEnding)),
  );
  const endings = new Set(names.map((name) => name.slice(-32)));
  if (endings.size === 1) return names.find((name) => name.startsWith('SS')) ?? (names[0] as string);
  return endings.size === 0
    ? notLoggedIn('the request has no cookie of the form SESS… or SSESS…')
    : notLoggedIn(
        'the request has several cookies of the form SESS… or SSESS…',
        `set ${option('cookieName')} to the name of this site's cookie, because its visitors also have cookies of other sites`,
      );
}

/**
 * Rejects a site with the module Email TFA, which asks for the second factor after the login, and stores the result outside
 * the session (src/EventSubscriber/EmailTfaSubscriber.php). Later versions ask before the login and do not have this file.
 * @throws SecondFactorError
 */
async function rejectEmailFactor(folder: SiteFolder, root: string, site: string): Promise<void> {
  for (const modules of ['modules', 'modules/contrib', `${site}/modules`, `${site}/modules/contrib`]) {
    const file = join(root, modules, 'email_tfa/src/EventSubscriber/EmailTfaSubscriber.php');
    if (await folder.has(file))
      throw new SecondFactorError(
        `${file}: this version of the module Email TFA asks for the second factor after the login, and the session does not contain the result, so a password alone would be enough here: update the module to a version that asks before the login and lacks this file; or remove the module’s folder, even if the module is not in use; or do not use this program for this site`,
      );
  }
}

/** Returns the end of the cookie's name if services.yml sets `cookie_domain`, otherwise null. */
async function readCookieEnding(folder: SiteFolder, services: string): Promise<string | null> {
  const domain = /^ {2,8}cookie_domain:[ \t]*(['"]?)([\w.-]+)\1[ \t]*(?:#.*)?$/m;
  const [, , name] = (await matchFile(folder, services, domain)) ?? [];
  return name === undefined ? null : hash('sha256', name).slice(0, 32);
}

/**
 * Finds Drupal and its site: `sites/default`, or otherwise the only one.
 * @returns the root of Drupal and the site's folder in it. Null if the folder has no Drupal.
 * @throws ConfigurationError if Drupal has no such site
 */
async function findSettings(folder: SiteFolder): Promise<{ root: string; site: string } | null> {
  const [, own, name] = /^(.*)\/sites\/([^/]+)\/settings\.php$/.exec(folder.path) ?? [];
  if (own !== undefined && name !== undefined) return { root: own, site: `sites/${name}` };
  // Composer's projects have Drupal in a subfolder.
  for (const below of ['', 'web', 'docroot', 'html', 'public']) {
    const root = join(folder.path, below);
    const isDrupal = await folder.has(join(root, 'core/lib/Drupal.php'));
    const settings = join(root, 'sites/default/settings.php');
    if (await folder.has(settings)) {
      if (isDrupal || (await folder.text(settings)).includes('$databases'))
        return { root, site: 'sites/default' };
    }
    if (!isDrupal) continue;
    const sites = [];
    for (const each of (await folder.list(join(root, 'sites'))).sort()) {
      if (await folder.has(join(root, 'sites', each, 'settings.php'))) sites.push(each);
    }
    if (sites.length === 1) return { root, site: `sites/${sites[0]}` };
    const choices = sites
      .map((each) => `\n  ${option('site')}=drupal:${root}/sites/${each}/settings.php`)
      .join('');
    throw new ConfigurationError(
      sites.length === 0
        ? `${root}: sites/default/settings.php is missing: is Drupal installed, and may this server read the file?`
        : `${root}: Drupal has several sites here; set one of${choices}`,
    );
  }
  return null;
}

const kinds = { mysql: 'mysql', pgsql: 'postgres', sqlite: 'sqlite' } as const;

/** Reads `$databases['default']['default']`. Other databases are replicas, or belong to modules. */
function readDatabase(configuration: Configuration, root: string): SiteDatabase & { prefix: string } {
  const text = (name: string) =>
    asText(configuration.variable(['databases', 'default', 'default', name], option('siteDatabase'))) ?? '';
  const driver = text('driver') || (/\\(\w+)$/.exec(text('namespace'))?.[1] ?? '');
  if (!Object.hasOwn(kinds, driver)) {
    throw new ConfigurationError(
      `${configuration.file}: $databases names no default database with the driver ${Object.keys(kinds).join(', ')}`,
    );
  }
  const kind = kinds[driver as keyof typeof kinds];
  const [name, prefix] = [text('database'), text('prefix')];
  if (!/^[A-Za-z0-9_.$-]{0,64}$/.test(prefix)) {
    throw new ConfigurationError(
      `${configuration.file}: the prefix of the tables has characters other than A-Z a-z 0-9 _ . $ -`,
    );
  }
  if (kind === 'sqlite') {
    const path = isAbsolute(name) ? name : join(root, name);
    // On SQLite a prefix means another file.
    const file = prefix === '' ? path : `${path}-${prefix}`;
    return { ...sqliteDatabase(file), prefix: '' };
  }
  const database = serverDatabase({
    kind,
    host: text('host') || 'localhost',
    port: Number(text('port')),
    socket: text('unix_socket'),
    user: text('username'),
    password: text('password'),
    name,
  });
  return { ...database, prefix };
}
