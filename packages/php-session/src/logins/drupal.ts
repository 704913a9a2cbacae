import { hash } from 'node:crypto';
import { isAbsolute, join } from 'node:path';
import {
  asText,
  type Configuration,
  ConfigurationError,
  SecondFactorError,
} from '../configuration/configuration.ts';
import { serverDatabase, sqliteDatabase } from '../configuration/database-host.ts';
import type { RequestCookies } from '../cookie.ts';
import { formats } from '../formats/formats.ts';
import { FormatError } from '../formats/value.ts';
import { displayName } from '../identity.ts';
import type { NotLoggedIn, SessionUser } from '../login.ts';
import { option } from '../names.ts';
import { follow, type Path, parsePath } from '../path.ts';
import { maxSessionBytes } from '../store.ts';
import {
  type Application,
  type Claim,
  checkSize,
  countAdmins,
  type GivenRoles,
  hasAny,
  type LoginTable,
  loginPart,
  matchFile,
  missingCookie,
  notLoggedIn,
  quoteTable,
  type SiteDatabase,
  type SiteFolder,
  selectAccounts,
  selectMails,
  textsOf,
  toRoles,
} from './application.ts';

/** The values of settings.php. */
interface Found extends GivenRoles {
  database: SiteDatabase;
  prefix: string;
  /** Without it the cookie is known by the form of its name. */
  cookie: string | null;
  /** The end of the cookie's name, if services.yml says it. */
  ending: string | null;
  /** Whether user 1 may do everything (SuperUserAccessPolicy.php), unless services.yml says otherwise (10.3 and later). */
  hasSuperUser: boolean;
}

/** The first user of a site. */
const superUser = '1';

/**
 * Drupal 10 and 11: core/lib/Drupal/Core/Session/SessionConfiguration.php, SessionHandler.php,
 * core/modules/user/src/Authentication/Provider/Cookie.php, Entity/User.php.
 */
export const drupal: Application<Found, Found> = {
  kind: 'drupal',
  title: 'Drupal',

  async find(folder, { cookieName, admins, moderators }) {
    const place = await settingsOf(folder);
    if (place === null) return null;
    const { root, site } = place;
    await refuseEmailFactor(folder, root, site);
    const configuration = await folder.php(join(root, site, 'settings.php'), {
      variables: { app_root: root, site_path: site },
    });
    const { prefix, ...database } = databaseOf(configuration, root);
    return {
      database,
      prefix,
      cookie: cookieName ?? null,
      ending: cookieName === undefined ? await endingOf(folder, join(root, site)) : null,
      hasSuperUser: !/^ {2,8}security\.enable_super_user:[ \t]*false\b/im.test(
        await servicesOf(folder, join(root, site)),
      ),
      admins,
      moderators,
    };
  },

  database: ({ database }) => database,

  settings: () => null,

  site: (found) => found,

  mails: ({ prefix }, sql) =>
    selectMails(
      'chat_drupal_mails',
      `${quoteTable(`${prefix}users_field_data`, sql)} WHERE default_langcode = 1 AND status = 1`,
      'uid',
      // As of the name.
      "COALESCE(mail, '')",
    ),

  accounts: ({ prefix }, sql) =>
    selectAccounts(
      'chat_drupal_accounts',
      // The user 0 is everybody who is not logged in.
      `${quoteTable(`${prefix}users_field_data`, sql)} WHERE default_langcode = 1 AND status = 1 AND uid > 0`,
      { id: 'uid', name: "COALESCE(name, '')" },
    ),

  logins({ prefix }, { quote, lines, start }) {
    const table = (name: string) => quoteTable(prefix + name, { quote });
    const roles = `SELECT ${lines('r.roles_target_id')} FROM ${table('user__roles')} AS r WHERE r.entity_id = u.uid`;
    const ofSession = `s.sid AS sid, ${start('s.session', maxSessionBytes)} AS session`;
    // COALESCE: in SQLite a column keeps its collation, NOCASE_UTF8, which only Drupal has.
    const ofUser = `COALESCE(u.name, '') AS name, u.status AS status`;
    const users = `${table('users_field_data')} AS u`;
    const sessions: LoginTable = {
      view: 'chat_drupal',
      id: 'sid',
      lookup: 'sid',
      columns: { sid: 'text', session: 'bytes', uid: 'text', name: 'text', status: 'text', roles: 'text' },
      select: `SELECT ${ofSession}, u.uid AS uid, ${ofUser}, (${roles}) AS roles FROM ${table('sessions')} AS s LEFT JOIN ${users} ON u.uid = s.uid AND u.default_langcode = 1`,
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
          select: `SELECT ${ofSession}, s.uid AS uid FROM ${table('sessions')} AS s`,
        },
        loginPart({
          ...{ view: 'chat_drupal_users', key: 'uid', columns: ['name', 'status'] },
          tables: [`${prefix}users_field_data`],
          select: `SELECT u.uid AS id, ${ofUser} FROM ${users} WHERE u.default_langcode = 1`,
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

  // A site with a name of each host takes the value under all of them.
  onlyCookie: ({ cookie, ending }) => cookie ?? `SESS${ending ?? '0'.repeat(32)}`,

  claim({ cookie, ending }, { cookies }): Claim | NotLoggedIn {
    const name = cookie ?? cookieName(cookies, ending);
    if (typeof name !== 'string') return name;
    const id = cookies.value(name);
    if (id === null) return missingCookie(name, 'Drupal makes the name of the host and path of the page');
    if (!/^[A-Za-z0-9,-]{1,256}$/.test(id)) return notLoggedIn('its cookie is no session id');
    const sid = hash('sha256', id, 'base64url');
    return { table: 'sessions', lookup: sid, secrets: [id] };
  },

  checkRow({ admins, moderators, hasSuperUser }, _, row) {
    const text = textsOf(row);
    if (row === null) return notLoggedIn('there is no such session, or it has ended there');
    const session = sessionIn(row.session ?? null);
    if (session === undefined) {
      return (
        checkSize(row.session) ?? {
          ...notLoggedIn(
            'the session is not what Drupal writes',
            'session.serialize_handler of PHP must be “php”, its default',
          ),
          state: 'invalid',
        }
      );
    }
    const { user, isMasquerade } = session;
    if (user === null) return notLoggedIn('nobody is logged in in this session');
    if (isMasquerade) return notLoggedIn('somebody is another user there, by the module Masquerade');
    // The column of the user is written together with the session.
    if (row.uid === null || text('uid') !== user) return notLoggedIn('there is no such user');
    if (text('status') !== '1') return notLoggedIn('the user is blocked there');
    const own = text('roles').split('\n');
    const isAdmin =
      hasAny(own, admins ?? ['administrator']) ||
      (admins === undefined && hasSuperUser && user === superUser);
    const found: SessionUser = {
      id: user,
      name: displayName(text('name')) || user,
      ...toRoles(isAdmin, hasAny(own, moderators ?? ['content_editor'])),
    };
    return { state: 'user', user: found };
  },

  async describe(folder, { prefix, admins, hasSuperUser }, ask, sql) {
    const table = (name: string) => quoteTable(prefix + name, sql);
    const place = await settingsOf(folder);
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
      // getCookieDomain(): the host that is asked for, unless services.yml names another one.
      cookie: { path: '/', domain: '.', secure: false },
    };
  },
};

const uid = parsePath('_sf2_attributes.uid');

/** Where versions of the module Masquerade keep who is another user: src/Masquerade.php, src/Session/MetadataBag.php. */
const masquerades = ['_sf2_meta', '_sf2_attributes'].map((bag) => parsePath(`${bag}.masquerading`));
masquerades.push(parsePath('masquerading'));

/** The user's id in the text of a session, null if there is none; undefined if the text cannot be read. */
function sessionIn(session: Buffer | null): { user: string | null; isMasquerade: boolean } | undefined {
  if (session === null) return { user: null, isMasquerade: false };
  if (session.length >= maxSessionBytes) return undefined;
  try {
    const all = formats.php(session);
    const at = (path: Path) => {
      const found = follow(all, path);
      return 'value' in found ? found.value : null;
    };
    const value = at(uid);
    const id = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
    return {
      user: /^[1-9]\d{0,18}$/.test(id) ? id : null,
      isMasquerade: masquerades.some((path) => Number(at(path)) !== 0),
    };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/**
 * Drupal makes the name of the host and the path that a page is asked for by (`getUnprefixedName()`), which settings.php
 * does not say. So the cookie is known by its form. Of one name only `SSESS…` counts on pages by https.
 */
function cookieName(cookies: RequestCookies, ending: string | null): string | NotLoggedIn {
  const names = cookies.names.filter(
    (name) => /^S?SESS[0-9a-f]{32}$/.test(name) && (ending === null || name.endsWith(ending)),
  );
  const endings = new Set(names.map((name) => name.slice(-32)));
  if (endings.size === 1) return names.find((name) => name.startsWith('SS')) ?? (names[0] as string);
  return endings.size === 0
    ? notLoggedIn('there is no cookie of the form SESS… or SSESS…')
    : notLoggedIn(
        'there are several cookies of the form SESS… or SSESS…',
        `set ${option('cookieName')} to the name of the cookie of this site: its visitors have cookies of other sites, too`,
      );
}

/**
 * The module Email TFA redirects a user who is logged in to the page of the second factor, and keeps in its private
 * tempstore whether that was given: src/EventSubscriber/EmailTfaSubscriber.php. Later versions ask before the login and
 * have no such file.
 * @throws SecondFactorError
 */
async function refuseEmailFactor(folder: SiteFolder, root: string, site: string): Promise<void> {
  for (const modules of ['modules', 'modules/contrib', `${site}/modules`, `${site}/modules/contrib`]) {
    const file = join(root, modules, 'email_tfa/src/EventSubscriber/EmailTfaSubscriber.php');
    if (await folder.has(file))
      throw new SecondFactorError(
        `${file}: this version of the module Email TFA asks for the second factor after the login, and the session does not say whether it was given, so a password alone would be enough here: update the module to a version without this file, which asks before the login; or remove its folder, also if it is not in use; or do not use this program there`,
      );
  }
}

/** The text of services.yml beside settings.php; empty if there is none. */
async function servicesOf(folder: SiteFolder, site: string): Promise<string> {
  const file = join(site, 'services.yml');
  return (await folder.has(file)) ? folder.text(file) : '';
}

/** Of the domain that the site sets its cookie for; null if it makes the name of the host of the page. */
async function endingOf(folder: SiteFolder, site: string): Promise<string | null> {
  const [, , domain] =
    /^ {2,8}cookie_domain:[ \t]*(['"]?)([\w.-]+)\1[ \t]*(?:#.*)?$/m.exec(await servicesOf(folder, site)) ??
    [];
  return domain === undefined ? null : hash('sha256', domain).slice(0, 32);
}

/** @returns the root of Drupal, and the folder of its site there; null if it is not there */
async function settingsOf(folder: SiteFolder): Promise<{ root: string; site: string } | null> {
  const [, own, name] = /^(.*)\/sites\/([^/]+)\/settings\.php$/.exec(folder.path) ?? [];
  if (own !== undefined && name !== undefined) return { root: own, site: `sites/${name}` };
  // Composer's projects have Drupal in a folder of its own.
  for (const below of ['', 'web', 'docroot', 'html', 'public']) {
    const root = join(folder.path, below);
    const isDrupal = await folder.has(join(root, 'core/lib/Drupal.php'));
    const usual = join(root, 'sites/default/settings.php');
    if (await folder.has(usual)) {
      if (isDrupal || (await folder.text(usual)).includes('$databases'))
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
        ? `${root}: Drupal is here, but no sites/default/settings.php: is it installed, and may this server read it?`
        : `${root}: Drupal has several sites here; set one of${choices}`,
    );
  }
  return null;
}

const kinds = { mysql: 'mysql', pgsql: 'postgres', sqlite: 'sqlite' } as const;

/** `$databases['default']['default']`: the others are replicas, or belong to modules. */
function databaseOf(configuration: Configuration, root: string): SiteDatabase & { prefix: string } {
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
      `${configuration.file}: the prefix of the tables has other characters than A-Z a-z 0-9 _ . $ -`,
    );
  }
  if (kind === 'sqlite') {
    const path = isAbsolute(name) ? name : join(root, name);
    // There a prefix is a file of its own.
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
