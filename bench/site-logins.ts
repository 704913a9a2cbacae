/**
 * The cost of checking the logins of a site once a second, beside sessions in a table of the same database: CPU of the
 * server and of the database, rows and bytes. Of each application that keeps its logins in tables, and of a WordPress
 * where others change all the time what is checked. Meanwhile the site writes into its sessions, as a live site does.
 * Then a chat server has connections of a thousand logins, and some of them log out: the time until their sockets close.
 * Run: npm run bench site-logins [LOGINS [NAME …]]
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Liveness } from '../server/liveness/liveness.ts';
import type { Credentials, Login } from '../server/session/login.ts';
import { openLogins } from '../server/session/logins/applications.ts';
import { readOptions } from '../server/session/options.ts';
import {
  type AccountSite,
  laravelSite,
  mediawikiSite,
  roundcubeSite,
} from '../test/helpers/account-sites.ts';
import { connectChat } from '../test/helpers/chat-client.ts';
import { startChatServer } from '../test/helpers/chat-server.ts';
import { drupalSite } from '../test/helpers/drupal.ts';
import { joomlaSite } from '../test/helpers/joomla.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { moodleSite } from '../test/helpers/moodle.ts';
import { mybbSite } from '../test/helpers/mybb.ts';
import { phpbbSite } from '../test/helpers/phpbb.ts';
import { startPostgres } from '../test/helpers/postgres.ts';
import { startSiteDatabase, type TestDatabase } from '../test/helpers/site-database.ts';
import { smfSite } from '../test/helpers/smf.ts';
import { typo3Site } from '../test/helpers/typo3.ts';
import { cookieName, phrases, wordPressSite } from '../test/helpers/wordpress.ts';

/** Milliseconds of a slice that are not measured, and those that are. */
const warmUp = 2200;
const measured = 4000;
/** Few of many logins: each slice has more checks. */
const slices = (logins: number) => (logins > 1000 ? 2 : 7);
/** Logouts, one after another, and the connections that are open meanwhile. */
const logouts = 20;
const connections = 1000;
/** Page views of the site a second, each of one of the logins. */
const pageViews = 20;
const idOf = (n: number) => createHash('md5').update(String(n)).digest('hex');
const expiration = Math.floor(Date.now() / 1000) + 86_400;
const hash = '$P$BabcdefghiJKLMNOPqrstuvwxyz0123';
const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (n: number) => idOf(n).repeat(2).slice(0, 43);

/** The cookie of a user, as WordPress makes it. */
function cookieOf(n: number): string {
  const signed = `user ${n}|${expiration}|${tokenOf(n)}`;
  const key = createHmac('md5', phrases.key + phrases.salt)
    .update(`user ${n}|${hash.slice(8, 12)}|${expiration}|${tokenOf(n)}`)
    .digest('hex');
  const hmac = createHmac('sha256', key).update(signed).digest('hex');
  return `${cookieName}=${encodeURIComponent(`${signed}|${hmac}`)}`;
}

interface Figures {
  /** Seconds of CPU per second. */
  cpu: number;
  /** Per second. */
  checks: number;
  /** Seconds of CPU for the reading of the configuration that is due once a minute, before the slice. */
  rereading: number;
}

/**
 * Runs in a process of its own and checks its logins in slices, each begun by a line of its input, so that those of
 * several kinds of logins can alternate.
 */
async function live(options: Record<string, string>, credentials: readonly Credentials[]): Promise<void> {
  const settings = readOptions(options, (name) => name);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, console.error);
  const known: Login[] = [];
  for (const each of credentials) {
    const login = await logins.identify(each);
    if ('code' in login) throw new Error(login.reason);
    known.push(login);
  }
  const say = (line: unknown) => console.log(JSON.stringify(line));
  let checks = 0;
  const liveness = () =>
    new Liveness(logins, {
      interval: 1000,
      grace: 60_000,
      keepalive: false,
      onCheck: () => checks++,
      onEnd: (reason) => console.error('ended', reason),
      onStore: (silent) => silent && console.error(silent.message),
      onUnreadable: (error) => console.error(error.message),
      onNotifications: () => {},
      onKeepaliveFailure: () => {},
    });
  say('ready');
  for await (const _ of createInterface({ input: process.stdin })) {
    // Once a minute the configuration is read again. Read now, it is not due before the end of the slice.
    const idle = process.cpuUsage();
    await logins.reload?.();
    const read = process.cpuUsage(idle);
    const rereading = (read.user + read.system) / 1e6;
    const running = liveness();
    const checked = known.map((login) =>
      running.subscribe(login, { ended() {}, unconfirmed() {}, changed() {} }),
    );
    await pause(warmUp);
    say('begins');
    const [before, cpu, began] = [checks, process.cpuUsage(), performance.now()];
    await pause(measured);
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - began) / 1000;
    running.stop();
    for (const [n, { login }] of checked.entries()) known[n] = login;
    say({ cpu: (user + system) / 1e6 / seconds, checks: (checks - before) / seconds, rereading });
  }
}

const [, , first, ...given] = process.argv;
if (first === 'live') {
  const { options, credentials } = JSON.parse(readFileSync(given[0] as string, 'utf8')) as {
    options: Record<string, string>;
    credentials: Credentials[];
  };
  await live(options, credentials);
  process.exit();
}

const count = Number(first ?? 1000);
const wanted = given.filter((name) => name !== '');
/** Ids of the same length, so that they can replace each other in serialized texts. */
const numbers = Array.from({ length: count }, (_, n) => 100_001 + n);

/** The database of a site, with a user `site` that only the chat servers log in as. */
interface Site extends TestDatabase {
  /** Seconds of CPU for that user, rows that it has read and bytes that it has sent, as far as it counts them. */
  spent(): Promise<readonly number[]>;
}

async function mariadb(): Promise<Site> {
  const db = await startMariadb(['--innodb-buffer-pool-size=128M']);
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  const statusOf = async (name: string) =>
    Number((await db.query('SHOW GLOBAL STATUS LIKE ?', [name]))[0]?.Value);
  return {
    ...{ kind: 'mysql', port: db.port, user, password, name: 'site' },
    run: (sql, values = []) => db.query(sql, [...values]),
    silence: () => Promise.reject(new Error('it is not silenced here')),
    async spent() {
      const threads = await db.query(
        "SELECT TID AS id FROM information_schema.PROCESSLIST WHERE USER = 'site'",
      );
      const cpu = cpuOf(threads.map(({ id }) => `${db.pid}/task/${id}`));
      return [cpu, await statusOf('Rows_read'), await statusOf('Bytes_sent')];
    },
    remove: db.remove,
  };
}

async function postgresql(): Promise<Site> {
  const db = await startPostgres(['shared_buffers=128MB']);
  const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
  return {
    ...{ kind: 'postgres', port: db.port, user, password, name: 'site' },
    run(sql, values = []) {
      let n = 0;
      return db.query(
        sql.replace(/\?/g, () => `$${++n}`),
        [...values],
      );
    },
    silence: () => Promise.reject(new Error('it is not silenced here')),
    async spent() {
      const processes = await db.query("SELECT pid FROM pg_stat_activity WHERE usename = 'site'");
      return [cpuOf(processes.map(({ pid }) => `${pid}`))];
    },
    remove: db.remove,
  };
}

async function sqlite(): Promise<Site> {
  const db = await startSiteDatabase('sqlite');
  // As applications that write often set it.
  await db.run('PRAGMA journal_mode = WAL');
  return { ...db, spent: async () => [0] };
}

/** Seconds of CPU of threads below /proc. */
function cpuOf(threads: readonly string[]): number {
  const used = threads.map((thread) =>
    Number(readFileSync(`/proc/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return used.reduce((sum, one) => sum + one, 0) / 1e9;
}

/** Inserts many rows by few statements. */
async function insertAll(
  db: TestDatabase,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const quote = db.kind === 'mysql' ? '`' : '"';
  const names = columns.map((name) => quote + name + quote).join(', ');
  const row = `(${columns.map(() => '?').join(', ')})`;
  for (let n = 0; n < rows.length; n += 100) {
    const some = rows.slice(n, n + 100);
    await db.run(
      `INSERT INTO ${table} (${names}) VALUES ${some.map(() => row).join(', ')}`,
      some.flat() as (string | number | null)[],
    );
  }
}

/** The rows of one login for each number, made of the row of another login. */
async function copies(
  db: TestDatabase,
  table: string,
  id: string,
  made: string | number,
  change: (row: Record<string, unknown>, n: number) => Record<string, unknown>,
): Promise<void> {
  const [row] = await db.run(`SELECT * FROM ${table} WHERE ${id} = ?`, [made]);
  if (row === undefined) throw new Error(`${table} has no row ${made}`);
  const columns = Object.keys(row);
  const rows = numbers.map((number) => {
    const changed = { ...row, ...change(row, number) };
    return columns.map((column) => changed[column]);
  });
  await insertAll(db, table, columns, rows);
}

const template = '100000';

interface Way {
  options: Record<string, string>;
  credentials: Credentials[];
  /** A page view of a login, or a change of what is checked, of a user who is not logged in here. */
  viewed?: (n: number) => Promise<unknown>;
  /** Its cookie is the id of a PHP session, to which no browser is compared. */
  hasSessions?: true;
  /** As the application ends a login. */
  loggedOut(n: number): Promise<unknown>;
  remove?(): Promise<void>;
}

const cookies = (cookie: (n: number) => string) => numbers.map((n) => ({ cookies: cookie(n) }));

const ways: Record<string, (db: TestDatabase) => Promise<Way>> = {
  async 'sessions in a table'(db) {
    const bytes = { mysql: 'MEDIUMBLOB', postgres: 'BYTEA', sqlite: 'BLOB' }[db.kind];
    await db.run(
      `CREATE TABLE compared_sessions (id VARCHAR(128) PRIMARY KEY, data ${bytes}, expires BIGINT)`,
    );
    if (db.kind === 'postgres') await db.run('GRANT SELECT ON compared_sessions TO site');
    const data = (n: number, token = 'a1b2c3d4') =>
      Buffer.from(
        `user_id|i:${n};firstname|s:5:"Alice";csrf|s:64:"${token.repeat(8)}";cart|s:380:"${'x'.repeat(380)}";`,
      ) as unknown as string;
    await insertAll(
      db,
      'compared_sessions',
      ['id', 'data', 'expires'],
      numbers.map((n) => [idOf(n), data(n), expiration]),
    );
    const login = `${db.user}:${encodeURIComponent(db.password)}`;
    const place =
      db.kind === 'sqlite' ? `sqlite:${db.name}` : `${db.kind}://${login}@127.0.0.1:${db.port}/site`;
    const store = `${place}?table=compared_sessions&id=id&data=data&expires=expires&timeout=5000ms`;
    return {
      options: { store },
      credentials: numbers.map((n) => ({ cookies: `PHPSESSID=${idOf(n)}` })),
      loggedOut: (n) => db.run('DELETE FROM compared_sessions WHERE id = ?', [idOf(n)]),
      viewed: (n) =>
        db.run('UPDATE compared_sessions SET data = ? WHERE id = ?', [
          data(n, idOf(Date.now()).slice(0, 8)),
          idOf(n),
        ]),
    };
  },
  Laravel: async (db) =>
    accounts(
      ...([db, await laravelSite(db), ['users', 'id'], ['sessions', 'id']] as const),
      (text, n) =>
        Buffer.from(Buffer.from(text.toString(), 'base64').toString().replace(':7,', `:${n},`)).toString(
          'base64',
        ),
      ['payload', 'last_activity = last_activity + 1'],
    ),
  Roundcube: async (db) =>
    accounts(
      ...([db, await roundcubeSite(db), ['rc_users', 'user_id'], ['rc_session', 'sess_id']] as const),
      (text, n) =>
        Buffer.from(Buffer.from(text.toString(), 'base64').toString().replace('i:7;', `i:${n};`)).toString(
          'base64',
        ),
      ['vars', 'changed = NOW()'],
    ),
  MediaWiki: async (db) =>
    accounts(
      ...([db, await mediawikiSite(db), ['w_user', 'user_id'], ['w_objectcache', 'keyname']] as const),
      (bytes, n) => deflateRawSync(inflateRawSync(bytes).toString().replace('i:7;', `i:${n};`)),
      ['value', 'exptime = exptime + 1'],
    ),
  WordPress: (db) => wordPress(db, false),
  'WordPress, changing': (db) => wordPress(db, true),
  async Joomla(db) {
    const site = await joomlaSite(db);
    const { secrets, cookies: header } = await site.logIn(template);
    const [id = ''] = secrets;
    const prefix = await prefixOf(db, 'j', '_user_usergroup_map');
    await copies(db, `${prefix}users`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(db, `${prefix}session`, 'session_id', id, ({ data }, n) => ({
      ...{ session_id: idOf(n), userid: n },
      data: String(data).replace(/"([\w+/=]{20,})"/, (_, text: string) => {
        const inner = Buffer.from(text, 'base64').toString('latin1').replaceAll(template, String(n));
        return `"${Buffer.from(inner, 'latin1').toString('base64')}"`;
      }),
    }));
    await db.run(`INSERT INTO ${prefix}user_usergroup_map SELECT id, 2 FROM ${prefix}users`);
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run(`DELETE FROM ${prefix}session WHERE session_id = ?`, [idOf(n)]),
      viewed: (n) => db.run(`UPDATE ${prefix}session SET time = ? WHERE session_id = ?`, [now(), idOf(n)]),
      credentials: cookies((n) => header.replace(id, idOf(n))),
    };
  },
  async Drupal(db) {
    const site = await drupalSite(db);
    const { id, sid, cookies: header } = await site.logIn(template);
    const hashed = (n: number) => createHash('sha256').update(idOf(n)).digest('base64url');
    const prefix = await prefixOf(db, 'd', '_users_field_data');
    await copies(db, `${prefix}users_field_data`, 'langcode', 'en', (_, n) => ({
      uid: n,
      name: `user ${n}`,
    }));
    await copies(db, `${prefix}sessions`, 'sid', sid, ({ session }, n) => ({
      ...{ uid: n, sid: createHash('sha256').update(idOf(n)).digest('base64url') },
      session: Buffer.from(
        Buffer.from(session as Uint8Array)
          .toString('latin1')
          .replaceAll(template, String(n)),
        'latin1',
      ),
    }));
    await db.run(
      `INSERT INTO ${prefix}user__roles SELECT uid, 0, 'en', 'member' FROM ${prefix}users_field_data WHERE langcode = 'en'`,
    );
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run(`DELETE FROM ${prefix}sessions WHERE sid = ?`, [hashed(n)]),
      viewed: (n) => db.run(`UPDATE ${prefix}sessions SET timestamp = ? WHERE sid = ?`, [now(), hashed(n)]),
      credentials: cookies((n) => header.replace(id, idOf(n))),
    };
  },
  async phpBB(db) {
    const site = await phpbbSite(db);
    const { sid, cookies: header } = await site.logIn(template);
    await copies(db, `${site.prefix}users`, 'user_id', template, (_, n) => ({
      ...{ user_id: n, username: `user ${n}` },
    }));
    await copies(db, `${site.prefix}sessions`, 'session_id', sid, (_, n) => ({
      ...{ session_id: idOf(n), session_user_id: n },
    }));
    await site.run('CREATE INDEX user_id_of_user_group ON #_user_group (user_id)');
    await site.run('INSERT INTO #_user_group SELECT 4, user_id, 0 FROM #_users');
    await site.run('CREATE INDEX ban_userid_of_banlist ON #_banlist (ban_userid)');
    await site.run('CREATE INDEX ban_ip_of_banlist ON #_banlist (ban_ip)');
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('DELETE FROM #_sessions WHERE session_id = ?', [idOf(n)]),
      viewed: (n) =>
        site.run('UPDATE #_sessions SET session_time = ? WHERE session_id = ?', [now(), idOf(n)]),
      credentials: cookies((n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async MyBB(db) {
    const site = await mybbSite(db);
    const { sid, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf(db, 'b', '_usergroups');
    await site.run('CREATE INDEX uid_of_sessions ON #_sessions (uid)');
    await site.run('CREATE INDEX uid_of_banned ON #_banned (uid)');
    await copies(db, `${prefix}users`, 'uid', template, (_, n) => ({ uid: n, username: `user ${n}` }));
    await copies(db, `${prefix}sessions`, 'sid', sid, (_, n) => ({ sid: idOf(n), uid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('DELETE FROM #_sessions WHERE sid = ?', [idOf(n)]),
      viewed: (n) => site.run('UPDATE #_sessions SET time = ? WHERE sid = ?', [now(), idOf(n)]),
      credentials: cookies((n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async SMF(db) {
    const site = await smfSite(db);
    await site.logIn(template);
    const prefix = await prefixOf(db, 's', '_membergroups');
    const [row] = await site.run('SELECT passwd, password_salt FROM #_members');
    const hash = createHmac('sha512', 'a1'.repeat(32) + row?.password_salt)
      .update(String(row?.passwd))
      .digest('hex');
    await copies(db, `${prefix}members`, 'id_member', template, (_, n) => ({
      id_member: n,
      real_name: `user ${n}`,
    }));
    const value = (n: number) =>
      JSON.stringify({ 0: n, 1: hash, 2: expiration, 3: 'forum.example.org', 4: '/' });
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('UPDATE #_members SET password_salt = ? WHERE id_member = ?', [idOf(n), n]),
      credentials: cookies((n) => `${site.cookie}=${encodeURIComponent(value(n))}`),
    };
  },
  async Moodle(db) {
    const site = await moodleSite(db);
    const { sid } = await site.logIn(template);
    const prefix = await prefixOf(db, 'm', '_role_assignments');
    await site.run('CREATE INDEX userid_of_role_assignments ON #__role_assignments (userid)');
    await copies(db, `${prefix}user`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(db, `${prefix}sessions`, 'sid', sid, (_, n) => ({ id: n, sid: idOf(n), userid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run(`DELETE FROM ${prefix}sessions WHERE sid = ?`, [idOf(n)]),
      viewed: (n) => db.run(`UPDATE ${prefix}sessions SET timemodified = ? WHERE sid = ?`, [now(), idOf(n)]),
      credentials: cookies((n) => `MoodleSession=${idOf(n)}`),
    };
  },
  async TYPO3(db) {
    const site = await typo3Site(db);
    await site.logIn(template);
    const key = 'b5$x"\''.padEnd(96, 'e');
    const joined = createHash('sha1').update(`${key}core-session-backend`).digest('hex');
    const id = (n: number) => createHmac('sha256', joined).update(idOf(n)).digest('hex');
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signing = `${createHash('sha256').update(key).digest('hex')}/TYPO3\\CMS\\Core\\Session\\UserSession`;
    const token = (n: number) => {
      const scope = { domain: 'www.example.org', hostOnly: true, path: '/' };
      const text = `${encoded({ typ: 'JWT', alg: 'HS256' })}.${encoded({ identifier: idOf(n), time: '', scope })}`;
      return `${text}.${createHmac('sha256', signing).update(text).digest('base64url')}`;
    };
    const [made] = await site.run('SELECT ses_id FROM fe_sessions');
    await copies(db, 'fe_users', 'uid', template, (_, n) => ({
      uid: n,
      username: `user ${n}`,
      usergroup: '1',
    }));
    await copies(db, 'fe_sessions', 'ses_id', String(made?.ses_id), (_, n) => ({
      ses_id: id(n),
      ses_userid: n,
    }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run('DELETE FROM fe_sessions WHERE ses_id = ?', [id(n)]),
      viewed: (n) => db.run('UPDATE fe_sessions SET ses_tstamp = ? WHERE ses_id = ?', [now(), id(n)]),
      credentials: cookies((n) => `fe_typo_user=${token(n)}`),
    };
  },
};

/**
 * A site whose PHP sessions are in a table, beside a table of its users: that of user 7, copied.
 * @param inside what else of a row has the id of the user
 */
async function accounts(
  db: TestDatabase,
  site: AccountSite,
  [users, userId]: readonly [table: string, id: string],
  [sessions, sessionId]: readonly [table: string, id: string],
  inside: (text: Buffer, n: number) => string | Buffer,
  [data, viewed]: readonly [column: string, viewed: string],
): Promise<Way> {
  const [, id = ''] = /=([0-9a-f]{40})/.exec(site.cookies) ?? [];
  const sid = (n: number) => createHash('sha1').update(String(n)).digest('hex');
  const [row] = await db.run(`SELECT ${sessionId} FROM ${sessions}`);
  const key = String(row?.[sessionId]);
  const keyOf = (n: number) => key.replace(id, sid(n));
  await copies(db, users, userId, '7', (_, n) => ({ [userId]: n }));
  await copies(db, sessions, sessionId, key, (before, n) => ({
    ...{ [sessionId]: keyOf(n), [data]: inside(Buffer.from(before[data] as string), n) },
  }));
  return {
    ...{ options: { site: site.folder }, hasSessions: true, remove: site.remove },
    loggedOut: (n) => db.run(`DELETE FROM ${sessions} WHERE ${sessionId} = ?`, [keyOf(n)]),
    viewed: (n) => db.run(`UPDATE ${sessions} SET ${viewed} WHERE ${sessionId} = ?`, [keyOf(n)]),
    credentials: cookies((n) => site.cookies.replace(id, sid(n)).replace('UserID=7', `UserID=${n}`)),
  };
}

/** The prefix that stands before the name of a table, by the letter that it begins with. */
async function prefixOf(db: TestDatabase, first: string, table: string): Promise<string> {
  const tables =
    db.kind === 'sqlite'
      ? 'SELECT name FROM sqlite_master WHERE name LIKE ?'
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_name LIKE ?';
  const [row] = await db.run(tables, [`${first}%${table}`]);
  return String(row?.name).slice(0, 1 - table.length);
}

async function wordPress(db: TestDatabase, changing: boolean): Promise<Way> {
  const site = await wordPressSite({
    port: db.port,
    login: `${db.user}:${encodeURIComponent(db.password)}`,
    query: db.run as never,
  });
  const other = 1;
  const session = (n: number) =>
    `a:1:{s:64:"${createHash('sha256').update(tokenOf(n)).digest('hex')}";a:4:{s:10:"expiration";i:${expiration};s:2:"ip";s:3:"::1";s:2:"ua";s:100:"${'x'.repeat(100)}";s:5:"login";i:1;}}`;
  const all = [other, ...numbers];
  await insertAll(
    db,
    `${site.prefix}users`,
    ['ID', 'user_login', 'user_pass', 'display_name'],
    all.map((id) => [id, `user ${id}`, hash, `User ${id}`]),
  );
  const values = all.flatMap((id) => [
    [id, 'nickname', `User ${id}`],
    [id, 'session_tokens', session(id)],
    [id, `${site.prefix}capabilities`, 'a:1:{s:10:"subscriber";b:1;}'],
    // Plugins add more.
    ...Array.from({ length: 37 }, (_, k) => [id, `key_${k}`, 'x'.repeat(20)]),
  ]);
  await insertAll(db, `${site.prefix}usermeta`, ['user_id', 'meta_key', 'meta_value'], values);
  const write = async () => {
    await db.run(`UPDATE ${site.prefix}users SET display_name = ? WHERE ID = ?`, [`${Date.now()}`, other]);
    await db.run(
      `UPDATE ${site.prefix}usermeta SET meta_value = ? WHERE user_id = ? AND meta_key = 'nickname'`,
      [`${Date.now()}`, other],
    );
  };
  return {
    ...{ options: { site: site.folder }, credentials: cookies(cookieOf), remove: site.remove },
    loggedOut: (n) =>
      db.run(`DELETE FROM ${site.prefix}usermeta WHERE user_id = ? AND meta_key = 'session_tokens'`, [n]),
    ...(changing ? { viewed: write } : {}),
  };
}

interface Slice {
  /** Microseconds of CPU for each check: of the server, and of the database for its questions. */
  own: number;
  its: number;
  /** A second. A busy machine makes fewer checks than there are logins. */
  checks: number;
  rows: number;
  bytes: number;
  /** Milliseconds of CPU for reading the configuration again. */
  rereading: number;
}

/** A kind of logins whose checks run in a process of their own. */
class Running {
  readonly name: string;
  readonly #way: Way;
  readonly #db: Site;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(name: string, way: Way, db: Site) {
    this.name = name;
    this.#way = way;
    this.#db = db;
    this.#folder = mkdtempSync(join(tmpdir(), 'site-logins-'));
    const file = join(this.#folder, 'way.json');
    writeFileSync(file, JSON.stringify({ options: way.options, credentials: way.credentials }));
    this.#child = spawn(process.execPath, [import.meta.filename, 'live', file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(name: string, way: Way, db: Site): Promise<Running> {
    const running = new Running(name, way, db);
    await running.#said();
    return running;
  }

  async #said(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} has ended`);
    return JSON.parse(value);
  }

  async slice(): Promise<Slice> {
    let views = 0;
    const { viewed } = this.#way;
    const viewing =
      viewed &&
      setInterval(() => {
        // A number that has no common divisor with theirs leads to each.
        void viewed(numbers[(views++ * 37) % count] as number);
      }, 1000 / pageViews);
    try {
      this.#child.stdin.write('go\n');
      await this.#said();
      const [before, began] = [await this.#db.spent(), performance.now()];
      await pause(measured - 300);
      const [after, seconds] = [await this.#db.spent(), (performance.now() - began) / 1000];
      const [its = 0, rows = Number.NaN, bytes = Number.NaN] = after.map(
        (value, n) => (value - (before[n] as number)) / seconds,
      );
      const { cpu, checks, rereading } = (await this.#said()) as Figures;
      const each = (seconds: number) => (1e6 * seconds) / checks;
      return { checks, own: each(cpu), its: each(its), rows, bytes, rereading: 1000 * rereading };
    } finally {
      clearInterval(viewing);
    }
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await once(this.#child, 'exit');
    rmSync(this.#folder, { recursive: true });
  }

  /** Milliseconds from a logout to the closed socket, while so many logins have a connection. */
  async logouts(): Promise<number[]> {
    const { options, credentials, hasSessions, loggedOut } = this.#way;
    const server = await startChatServer({
      ...(options.store === undefined ? {} : { CHAT_SESSION_STORE: options.store }),
      ...(options.site === undefined ? {} : { CHAT_SITE: options.site }),
      // The clients have another browser and address than the rows.
      ...(options.site === undefined || hasSessions ? {} : { CHAT_SITE_CHECKS: 'off' }),
    });
    const clients: Awaited<ReturnType<typeof connectChat>>[] = [];
    for (const { cookies = null } of credentials.slice(0, connections))
      clients.push(await connectChat(server.url, cookies));
    const took: number[] = [];
    for (let n = 0; n < logouts; n++) {
      const at = Math.floor((n * clients.length) / logouts);
      await loggedOut(numbers[at] as number);
      const from = performance.now();
      await clients[at]?.disconnected;
      took.push(performance.now() - from);
    }
    for (const client of clients) client.close();
    await server.stop();
    return took;
  }

  async remove(): Promise<void> {
    await this.#way.remove?.();
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const shown = (value: number, digits: number, width: number) =>
  (Number.isNaN(value) ? '' : value.toFixed(digits)).padStart(width);

const databases = [
  { title: 'MariaDB', start: mariadb, names: Object.keys(ways) },
  {
    ...{ title: 'PostgreSQL', start: postgresql },
    names: Object.keys(ways).filter((name) => !/^(MediaWiki|WordPress)/.test(name)),
  },
  { title: 'SQLite', start: sqlite, names: ['sessions in a table', 'Drupal', 'phpBB', 'MyBB', 'TYPO3'] },
];

for (const { title, start, names } of databases) {
  const isWanted = (name: string) =>
    wanted.length === 0 ||
    wanted.includes(name) ||
    wanted.includes(`${title}/${name}`) ||
    wanted.includes(title);
  const [table = '', ...others] = names;
  const chosen = others.filter(isWanted);
  if (chosen.length === 0) continue;
  const db = await start();
  try {
    const opened = async (name: string) => {
      const way = await (ways[name] as (typeof ways)[string])(db);
      // As a database that has had these rows for some time.
      if (db.kind === 'postgres') await db.run('VACUUM ANALYZE');
      return Running.start(name, way, db);
    };
    const reference = await opened(table);
    console.log(
      `${title}, ${count} logins`.padEnd(25),
      'checks/s  µs each  µs of the database  beside the table   rows/s   KB/s  ms of a reading  ms to a logout',
    );
    const report = async (one: Running, figures: readonly Slice[], beside: string) => {
      await one.end();
      const took = await one.logouts();
      await one.remove();
      const of = (key: keyof Slice) => median(figures.map((each) => each[key]));
      console.log(
        one.name.padEnd(25),
        [shown(of('checks'), 0, 8), shown(of('own'), 1, 8), shown(of('its'), 1, 19)].join(' '),
        [beside.padStart(17), shown(of('rows'), 0, 8), shown(of('bytes') / 1000, 0, 6)].join(' '),
        shown(of('rereading'), 1, 16),
        `${shown(median(took), 0, 0)}, at most ${shown(Math.max(...took), 0, 0)}`.padStart(15),
      );
    };
    const all: Slice[] = [];
    for (const name of chosen) {
      const one = await opened(name);
      // Not measured: their code is compiled by and by.
      await one.slice();
      await reference.slice();
      const figures: Slice[] = [];
      // Each slice is between two of the table, as the load of the machine changes.
      const references = [await reference.slice()];
      for (let n = 0; n < slices(count); n++) {
        figures.push(await one.slice());
        references.push(await reference.slice());
      }
      const beside = (key: 'own' | 'its') =>
        median(
          figures.map((its, n) => {
            const [before, after] = references.slice(n) as [Slice, Slice];
            return (2 * its[key]) / (before[key] + after[key]);
          }),
        );
      await report(one, figures, `${shown(beside('own'), 2, 0)}, ${shown(beside('its'), 2, 0)}`);
      all.push(...references);
    }
    await report(reference, all, '');
  } finally {
    await db.remove();
  }
}
