/**
 * The cost of checking the logins of a site once a second, beside sessions in a table of the same MariaDB: CPU of the
 * server and of the database, rows and bytes. Of each application that keeps its logins in tables, and of a WordPress
 * where others change all the time what is checked.
 * Run: npm run bench site-logins [LOGINS [NAME …]]
 */
import { execFile } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Liveness } from '../server/liveness/liveness.ts';
import { openLogins } from '../server/session/applications.ts';
import type { Credentials, Login } from '../server/session/login.ts';
import { readOptions } from '../server/session/options.ts';
import { drupalSite } from '../test/helpers/drupal.ts';
import { joomlaSite } from '../test/helpers/joomla.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { moodleSite } from '../test/helpers/moodle.ts';
import { mybbSite } from '../test/helpers/mybb.ts';
import { phpbbSite } from '../test/helpers/phpbb.ts';
import type { TestDatabase } from '../test/helpers/site-database.ts';
import { smfSite } from '../test/helpers/smf.ts';
import { typo3Site } from '../test/helpers/typo3.ts';
import { cookieName, phrases, wordPressSite } from '../test/helpers/wordpress.ts';

const warmUp = 6000;
const measured = 10_000;
const idOf = (n: number) => createHash('md5').update(String(n)).digest('hex');
const expiration = Math.floor(Date.now() / 1000) + 86_400;
const hash = '$P$BabcdefghiJKLMNOPqrstuvwxyz0123';
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
}

/** Runs in a process of its own, which says when it is about to be measured. */
async function live(options: Record<string, string>, credentials: readonly Credentials[]): Promise<Figures> {
  const settings = readOptions(options, (name) => name);
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings, console.error);
  const known: Login[] = [];
  for (const each of credentials) {
    const login = await logins.identify(each);
    if ('code' in login) throw new Error(login.reason);
    known.push(login);
  }
  let checks = 0;
  const liveness = new Liveness(logins, {
    interval: 1000,
    grace: 60_000,
    keepalive: false,
    onCheck: () => checks++,
    onEnd: (reason) => console.error('ended', reason),
    onStore: () => {},
    onUnreadable: () => {},
    onNotifications: () => {},
    onKeepaliveFailure: () => {},
  });
  for (const login of known) liveness.subscribe(login, { ended() {}, unconfirmed() {}, changed() {} });
  await pause(warmUp);
  console.error('begins');
  const [before, cpu, began] = [checks, process.cpuUsage(), performance.now()];
  await pause(measured);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  liveness.stop();
  return { cpu: (user + system) / 1e6 / seconds, checks: (checks - before) / seconds };
}

const [, , first, ...given] = process.argv;
if (first === 'live') {
  const { options, credentials } = JSON.parse(readFileSync(given[0] as string, 'utf8')) as {
    options: Record<string, string>;
    credentials: Credentials[];
  };
  console.log(JSON.stringify(await live(options, credentials)));
  process.exit();
}

const count = Number(first ?? 1000);
/** Ids of the same length, so that they can replace each other in serialized texts. */
const numbers = Array.from({ length: count }, (_, n) => 100_001 + n);
const db = await startMariadb(['--innodb-buffer-pool-size=128M']);
const [user = '', password = ''] = db.login.split(':').map(decodeURIComponent);
const database: TestDatabase = {
  ...{ kind: 'mysql', port: db.port, user, password, name: 'site' },
  run: (sql, values = []) => db.query(sql, [...values]),
  silence: () => Promise.reject(new Error('it is not silenced here')),
  remove: db.remove,
};

/** The rows of one login for each number, made of the row of another login. */
async function copies(
  table: string,
  id: string,
  made: string | number,
  change: (row: Record<string, unknown>, n: number) => Record<string, unknown>,
): Promise<void> {
  const [row] = await db.query(`SELECT * FROM ${table} WHERE ${id} = ?`, [made]);
  if (row === undefined) throw new Error(`${table} has no row ${made}`);
  const columns = Object.keys(row);
  for (let n = 0; n < count; n += 500) {
    const rows = numbers.slice(n, n + 500).map((number) => {
      const changed = { ...row, ...change(row, number) };
      return columns.map((column) => changed[column]);
    });
    await db.query(`INSERT INTO ${table} (${columns.map((name) => `\`${name}\``).join(', ')}) VALUES ?`, [
      rows,
    ]);
  }
}

const template = '100000';

interface Way {
  options: Record<string, string>;
  credentials: Credentials[];
  /** Another change of what is checked, of a user who is not logged in here. */
  others?: () => void;
  remove?(): Promise<void>;
}

const cookies = (cookie: (n: number) => string) => numbers.map((n) => ({ cookies: cookie(n) }));

const ways: Record<string, () => Promise<Way>> = {
  async 'sessions in a table'() {
    await db.query(
      'CREATE TABLE sessions (id VARCHAR(128) PRIMARY KEY, data MEDIUMBLOB, expires INT UNSIGNED)',
    );
    const data = (n: number) =>
      `user_id|i:${n};firstname|s:5:"Alice";csrf|s:64:"${'a1b2c3d4'.repeat(8)}";cart|s:380:"${'x'.repeat(380)}";`;
    await db.query('INSERT INTO sessions VALUES (?, ?, ?)', [template, data(100_000), expiration]);
    await copies('sessions', 'id', template, (_, n) => ({ id: idOf(n), data: data(n) }));
    const store = `mysql://${db.login}@127.0.0.1:${db.port}/site?table=sessions&id=id&data=data&expires=expires&timeout=5000ms`;
    return { options: { store }, credentials: numbers.map((n) => ({ session: idOf(n) })) };
  },
  WordPress: () => wordPress(false),
  'WordPress, changing': () => wordPress(true),
  async Joomla() {
    const site = await joomlaSite(database);
    const { secrets, cookies: header } = await site.logIn(template);
    const [id = ''] = secrets;
    const prefix = await prefixOf('_user_usergroup_map');
    await copies(`${prefix}users`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(`${prefix}session`, 'session_id', id, ({ data }, n) => ({
      ...{ session_id: idOf(n), userid: n },
      data: String(data).replace(/"([\w+/=]{20,})"/, (_, text: string) => {
        const inner = Buffer.from(text, 'base64').toString('latin1').replaceAll(template, String(n));
        return `"${Buffer.from(inner, 'latin1').toString('base64')}"`;
      }),
    }));
    await db.query(`INSERT INTO ${prefix}user_usergroup_map SELECT id, 2 FROM ${prefix}users`);
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => header.replace(id, idOf(n))),
    };
  },
  async Drupal() {
    const site = await drupalSite(database);
    const { id, sid, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf('_users_field_data');
    await copies(`${prefix}users_field_data`, 'langcode', 'en', (_, n) => ({ uid: n, name: `user ${n}` }));
    await copies(`${prefix}sessions`, 'sid', sid, ({ session }, n) => ({
      ...{ uid: n, sid: createHash('sha256').update(idOf(n)).digest('base64url') },
      session: Buffer.from((session as Buffer).toString('latin1').replaceAll(template, String(n)), 'latin1'),
    }));
    await db.query(
      `INSERT INTO ${prefix}user__roles SELECT uid, 0, 'en', 'member' FROM ${prefix}users_field_data WHERE langcode = 'en'`,
    );
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => header.replace(id, idOf(n))),
    };
  },
  async phpBB() {
    const site = await phpbbSite(database);
    const { sid, cookies: header } = await site.logIn(template);
    await copies(`${site.prefix}users`, 'user_id', template, (_, n) => ({
      ...{ user_id: n, username: `user ${n}` },
    }));
    await copies(`${site.prefix}sessions`, 'session_id', sid, (_, n) => ({
      ...{ session_id: idOf(n), session_user_id: n },
    }));
    await site.run('ALTER TABLE #_user_group ADD KEY (user_id)');
    await site.run('INSERT INTO #_user_group SELECT 4, user_id, 0 FROM #_users');
    await site.run('ALTER TABLE #_banlist ADD KEY (ban_userid), ADD KEY (ban_ip)');
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async MyBB() {
    const site = await mybbSite(database);
    const { sid, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf('_usergroups');
    await site.run('ALTER TABLE #_sessions ADD KEY (uid)');
    await site.run('ALTER TABLE #_banned ADD KEY (uid)');
    await copies(`${prefix}users`, 'uid', template, (_, n) => ({ uid: n, username: `user ${n}` }));
    await copies(`${prefix}sessions`, 'sid', sid, (_, n) => ({ sid: idOf(n), uid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async SMF() {
    const site = await smfSite(database);
    await site.logIn(template);
    const prefix = await prefixOf('_membergroups');
    const [row] = await site.run('SELECT passwd, password_salt FROM #_members');
    const hash = createHmac('sha512', 'a1'.repeat(32) + row?.password_salt)
      .update(String(row?.passwd))
      .digest('hex');
    await copies(`${prefix}members`, 'id_member', template, (_, n) => ({
      id_member: n,
      real_name: `user ${n}`,
    }));
    const value = (n: number) =>
      JSON.stringify({ 0: n, 1: hash, 2: expiration, 3: 'forum.example.org', 4: '/' });
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => `${site.cookie}=${encodeURIComponent(value(n))}`),
    };
  },
  async Moodle() {
    const site = await moodleSite(database);
    const { sid } = await site.logIn(template);
    const prefix = await prefixOf('_role_assignments');
    await site.run('ALTER TABLE #__role_assignments ADD KEY (userid)');
    await copies(`${prefix}user`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(`${prefix}sessions`, 'sid', sid, (_, n) => ({ id: n, sid: idOf(n), userid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => `MoodleSession=${idOf(n)}`),
    };
  },
  async TYPO3() {
    const site = await typo3Site(database);
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
    await copies('fe_users', 'uid', template, (_, n) => ({ uid: n, username: `user ${n}`, usergroup: '1' }));
    await copies('fe_sessions', 'ses_id', String(made?.ses_id), (_, n) => ({ ses_id: id(n), ses_userid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      credentials: cookies((n) => `fe_typo_user=${token(n)}`),
    };
  },
};

/** The prefix that stands before the name of a table. */
async function prefixOf(table: string): Promise<string> {
  const [row] = await db.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'site' AND table_name LIKE ?",
    [`%${table}`],
  );
  return String(row?.name).slice(0, 1 - table.length);
}

async function wordPress(changing: boolean): Promise<Way> {
  const site = await wordPressSite(db);
  const other = 1;
  const session = (n: number) =>
    `a:1:{s:64:"${createHash('sha256').update(tokenOf(n)).digest('hex')}";a:4:{s:10:"expiration";i:${expiration};s:2:"ip";s:3:"::1";s:2:"ua";s:100:"${'x'.repeat(100)}";s:5:"login";i:1;}}`;
  const all = [other, ...numbers];
  for (let n = 0; n < all.length; n += 200) {
    const some = all.slice(n, n + 200);
    await db.query(`INSERT INTO ${site.prefix}users (ID, user_login, user_pass, display_name) VALUES ?`, [
      some.map((id) => [id, `user ${id}`, hash, `User ${id}`]),
    ]);
    await db.query(`INSERT INTO ${site.prefix}usermeta (user_id, meta_key, meta_value) VALUES ?`, [
      some.flatMap((id) => [
        [id, 'nickname', `User ${id}`],
        [id, 'session_tokens', session(id)],
        [id, `${site.prefix}capabilities`, 'a:1:{s:10:"subscriber";b:1;}'],
        // Plugins add more.
        ...Array.from({ length: 37 }, (_, k) => [id, `key_${k}`, 'x'.repeat(20)]),
      ]),
    ]);
  }
  const write = () => {
    void db.query(`UPDATE ${site.prefix}users SET display_name = ? WHERE ID = ?`, [`${Date.now()}`, other]);
    void db.query(
      `UPDATE ${site.prefix}usermeta SET meta_value = ? WHERE user_id = ? AND meta_key = 'nickname'`,
      [`${Date.now()}`, other],
    );
  };
  return {
    ...{ options: { site: site.folder }, credentials: cookies(cookieOf), remove: site.remove },
    ...(changing ? { others: write } : {}),
  };
}

/** Seconds of CPU of a process, of all its threads. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const used = threads.map((thread) => {
    const [spent] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(spent);
  });
  return used.reduce((sum, one) => sum + one, 0) / 1e9;
}

const statusOf = async (name: string) =>
  Number((await db.query('SHOW GLOBAL STATUS LIKE ?', [name]))[0]?.Value ?? 0);

async function measure({ options, credentials, others }: Way) {
  const folder = mkdtempSync(join(tmpdir(), 'site-logins-'));
  const file = join(folder, 'way.json');
  writeFileSync(file, JSON.stringify({ options, credentials }));
  const writing = others && setInterval(others, 500);
  try {
    const running = promisify(execFile)(process.execPath, [import.meta.filename, 'live', file]);
    await new Promise<void>((resolve, reject) => {
      running.catch(reject);
      running.child.stderr?.on('data', (text: Buffer) => {
        if (String(text).includes('begins')) resolve();
        else process.stderr.write(text);
      });
    });
    const state = async () => [cpuOf(db.pid), await statusOf('Rows_read'), await statusOf('Bytes_sent')];
    const [before, began] = [await state(), performance.now()];
    await pause(measured - 500);
    const [after, seconds] = [await state(), (performance.now() - began) / 1000];
    const [its = 0, rows = 0, bytes = 0] = after.map((value, n) => (value - (before[n] as number)) / seconds);
    const { cpu, checks } = JSON.parse((await running).stdout) as Figures;
    return { checks, own: (1e6 * cpu) / count, its: (1e6 * its) / count, rows, bytes };
  } finally {
    clearInterval(writing);
    rmSync(folder, { recursive: true });
  }
}

try {
  console.log(
    `${count} logins        checks/s   µs each   µs of the database   beside the table   rows/s   KB/s`,
  );
  let table: { own: number; its: number } | undefined;
  for (const [name, prepare] of Object.entries(ways)) {
    if (table !== undefined && given.length > 0 && !given.includes(name)) continue;
    const way = await prepare();
    const { checks, own, its, rows, bytes } = await measure(way);
    table ??= { own, its };
    const cells = [
      checks.toFixed(0).padStart(8),
      own.toFixed(1).padStart(9),
      its.toFixed(1).padStart(20),
      `${(own / table.own).toFixed(2)}, ${(its / table.its).toFixed(2)}`.padStart(18),
      rows.toFixed(0).padStart(8),
      (bytes / 1000).toFixed(0).padStart(6),
    ];
    console.log(name.padEnd(19), cells.join(' '));
    await way.remove?.();
  }
} finally {
  await db.remove();
}
