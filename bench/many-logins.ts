/** Creates sites of each application with a given number of logins, for benchmarks of the login checks. */
import { createCipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Credentials } from 'php-sessions';
import {
  type AccountSite,
  laravelSite,
  mediawikiSite,
  roundcubeSite,
} from '../test/helpers/account-sites.ts';
import { drupalSite } from '../test/helpers/drupal.ts';
import { joomlaSite } from '../test/helpers/joomla.ts';
import { secret as magentoKey, magentoSite } from '../test/helpers/magento.ts';
import { moodleSite } from '../test/helpers/moodle.ts';
import { mybbSite } from '../test/helpers/mybb.ts';
import { opencartSite } from '../test/helpers/opencart.ts';
import { phpbbSite } from '../test/helpers/phpbb.ts';
import { prestashopSite, cookieOf as shopCookie, salt as shopSalt } from '../test/helpers/prestashop.ts';
import type { TestDatabase } from '../test/helpers/site-database.ts';
import { smfSite } from '../test/helpers/smf.ts';
import { typo3Site } from '../test/helpers/typo3.ts';
import { cookieName, phrases, wordPressSite } from '../test/helpers/wordpress.ts';

/** The IDs of the users. They have the same length, so that they can replace each other in serialized texts. */
export type Numbers = readonly number[];

const idOf = (n: number) => createHash('md5').update(String(n)).digest('hex');
const expiration = Math.floor(Date.now() / 1000) + 86_400;
const hash = '$P$BabcdefghiJKLMNOPqrstuvwxyz0123';
const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (n: number) => idOf(n).repeat(2).slice(0, 43);
const template = '100000';

/** Returns the cookie of a user in WordPress's format. */
function cookieOf(n: number): string {
  const signed = `user ${n}|${expiration}|${tokenOf(n)}`;
  const key = createHmac('md5', phrases.key + phrases.salt)
    .update(`user ${n}|${hash.slice(8, 12)}|${expiration}|${tokenOf(n)}`)
    .digest('hex');
  const hmac = createHmac('sha256', key).update(signed).digest('hex');
  return `${cookieName}=${encodeURIComponent(`${signed}|${hmac}`)}`;
}

/** Returns the value of a cookie in PrestaShop's format. See test/helpers/prestashop-cookie.php. */
function prestashopValue(content: object, key: Buffer): string {
  const plain = Object.entries(content)
    .map(([name, value]) => `${name}|${value}¤`)
    .join('');
  const sum = createHash('sha256').update(shopSalt).update(plain).digest('hex');
  const [salt, iv] = [randomBytes(32), randomBytes(16)];
  const derived = (what: string) =>
    Buffer.from(hkdfSync('sha256', key, salt, `DefusePHP|V2|KeyFor${what}`, 32));
  const text = createCipheriv('aes-256-ctr', derived('Encryption'), iv).update(`${plain}checksum|${sum}`);
  const box = Buffer.concat([Buffer.from('def50200', 'hex'), salt, iv, text]);
  const code = createHmac('sha256', derived('Authentication')).update(box).digest();
  return Buffer.concat([box, code]).toString('hex');
}

export interface Way {
  options: Record<string, string>;
  credentials: Credentials[];
  /** Simulates a page view of a login, or changes checked data of a user who is not logged in to the chat. */
  viewed?: (n: number) => Promise<unknown>;
  /** Whether the cookie is the ID of a PHP session, which is not bound to a browser. */
  hasSessions?: true;
  /** Ends a login as the application does. */
  loggedOut(n: number): Promise<unknown>;
  remove?(): Promise<void>;
}

const cookies = (numbers: Numbers, cookie: (n: number) => string) =>
  numbers.map((n) => ({ cookies: cookie(n) }));

export const ways: Record<string, (db: TestDatabase, numbers: Numbers) => Promise<Way>> = {
  async 'sessions in a table'(db, numbers) {
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
  Laravel: async (db, numbers) =>
    accounts(
      ...([db, numbers, await laravelSite(db), ['users', 'id'], ['sessions', 'id']] as const),
      (text, n) =>
        Buffer.from(Buffer.from(text.toString(), 'base64').toString().replace(':7,', `:${n},`)).toString(
          'base64',
        ),
      ['payload', 'last_activity = last_activity + 1'],
    ),
  Roundcube: async (db, numbers) =>
    accounts(
      ...([
        db,
        numbers,
        await roundcubeSite(db),
        ['rc_users', 'user_id'],
        ['rc_session', 'sess_id'],
      ] as const),
      (text, n) =>
        Buffer.from(Buffer.from(text.toString(), 'base64').toString().replace('i:7;', `i:${n};`)).toString(
          'base64',
        ),
      ['vars', 'changed = NOW()'],
    ),
  MediaWiki: async (db, numbers) =>
    accounts(
      ...([
        db,
        numbers,
        await mediawikiSite(db),
        ['w_user', 'user_id'],
        ['w_objectcache', 'keyname'],
      ] as const),
      (bytes, n) => deflateRawSync(inflateRawSync(bytes).toString().replace('i:7;', `i:${n};`)),
      ['value', 'exptime = exptime + 1'],
    ),
  WordPress: (db, numbers) => wordPress(db, numbers, false),
  'WordPress, changing': (db, numbers) => wordPress(db, numbers, true),
  async Joomla(db, numbers) {
    const site = await joomlaSite(db);
    const { secrets, cookies: header } = await site.logIn(template);
    const [id = ''] = secrets;
    const prefix = await prefixOf(db, 'j', '_user_usergroup_map');
    await copies(db, numbers, `${prefix}users`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(db, numbers, `${prefix}session`, 'session_id', id, ({ data }, n) => ({
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
      credentials: cookies(numbers, (n) => header.replace(id, idOf(n))),
    };
  },
  async Drupal(db, numbers) {
    const site = await drupalSite(db);
    const { id, sid, cookies: header } = await site.logIn(template);
    const hashed = (n: number) => createHash('sha256').update(idOf(n)).digest('base64url');
    const prefix = await prefixOf(db, 'd', '_users_field_data');
    await copies(db, numbers, `${prefix}users_field_data`, 'langcode', 'en', (_, n) => ({
      uid: n,
      name: `user ${n}`,
    }));
    await copies(db, numbers, `${prefix}sessions`, 'sid', sid, ({ session }, n) => ({
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
      credentials: cookies(numbers, (n) => header.replace(id, idOf(n))),
    };
  },
  async phpBB(db, numbers) {
    const site = await phpbbSite(db);
    const { sid, cookies: header } = await site.logIn(template);
    await copies(db, numbers, `${site.prefix}users`, 'user_id', template, (_, n) => ({
      ...{ user_id: n, username: `user ${n}` },
    }));
    await copies(db, numbers, `${site.prefix}sessions`, 'session_id', sid, (_, n) => ({
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
      credentials: cookies(numbers, (n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async MyBB(db, numbers) {
    const site = await mybbSite(db);
    const { sid, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf(db, 'b', '_usergroups');
    await site.run('CREATE INDEX uid_of_sessions ON #_sessions (uid)');
    await site.run('CREATE INDEX uid_of_banned ON #_banned (uid)');
    await copies(db, numbers, `${prefix}users`, 'uid', template, (_, n) => ({
      uid: n,
      username: `user ${n}`,
    }));
    await copies(db, numbers, `${prefix}sessions`, 'sid', sid, (_, n) => ({ sid: idOf(n), uid: n }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('DELETE FROM #_sessions WHERE sid = ?', [idOf(n)]),
      viewed: (n) => site.run('UPDATE #_sessions SET time = ? WHERE sid = ?', [now(), idOf(n)]),
      credentials: cookies(numbers, (n) => header.replace(sid, idOf(n)).replace(template, String(n))),
    };
  },
  async SMF(db, numbers) {
    const site = await smfSite(db);
    await site.logIn(template);
    const prefix = await prefixOf(db, 's', '_membergroups');
    const [row] = await site.run('SELECT passwd, password_salt FROM #_members');
    const hash = createHmac('sha512', 'a1'.repeat(32) + row?.password_salt)
      .update(String(row?.passwd))
      .digest('hex');
    await copies(db, numbers, `${prefix}members`, 'id_member', template, (_, n) => ({
      id_member: n,
      real_name: `user ${n}`,
    }));
    const value = (n: number) =>
      JSON.stringify({ 0: n, 1: hash, 2: expiration, 3: 'forum.example.org', 4: '/' });
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('UPDATE #_members SET password_salt = ? WHERE id_member = ?', [idOf(n), n]),
      credentials: cookies(numbers, (n) => `${site.cookie}=${encodeURIComponent(value(n))}`),
    };
  },
  async Moodle(db, numbers) {
    const site = await moodleSite(db);
    const { sid } = await site.logIn(template);
    const prefix = await prefixOf(db, 'm', '_role_assignments');
    await site.run('CREATE INDEX userid_of_role_assignments ON #__role_assignments (userid)');
    await copies(db, numbers, `${prefix}user`, 'id', template, (_, n) => ({ id: n, username: `user ${n}` }));
    await copies(db, numbers, `${prefix}sessions`, 'sid', sid, (_, n) => ({
      id: n,
      sid: idOf(n),
      userid: n,
    }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run(`DELETE FROM ${prefix}sessions WHERE sid = ?`, [idOf(n)]),
      viewed: (n) => db.run(`UPDATE ${prefix}sessions SET timemodified = ? WHERE sid = ?`, [now(), idOf(n)]),
      credentials: cookies(numbers, (n) => `MoodleSession=${idOf(n)}`),
    };
  },
  async OpenCart(db, numbers) {
    const site = await opencartSite(db, { engine: 'db' });
    const { session, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf(db, 'oc', '_customer_group_description');
    await copies(db, numbers, `${prefix}customer`, 'customer_id', template, (_, n) => ({ customer_id: n }));
    await copies(db, numbers, `${prefix}session`, 'session_id', session, ({ data }, n) => ({
      ...{ session_id: idOf(n), data: String(data).replaceAll(template, String(n)) },
    }));
    return {
      ...{ options: { site: site.folder }, hasSessions: true, remove: site.remove },
      loggedOut: (n) => site.run("UPDATE #__session SET data = '{}' WHERE session_id = ?", [idOf(n)]),
      viewed: (n) =>
        site.run("UPDATE #__session SET expire = expire + INTERVAL '1' SECOND WHERE session_id = ?", [
          idOf(n),
        ]),
      credentials: cookies(numbers, (n) => header.replace(session, idOf(n))),
    };
  },
  async Magento(db, numbers) {
    const site = await magentoSite(db);
    const { row, visitor, session, cookies: header } = await site.logIn(template);
    const prefix = await prefixOf(db, 'm', '_customer_visitor');
    const hashed = (n: number) => createHmac('sha256', magentoKey).update(idOf(n)).digest('hex');
    await copies(db, numbers, `${prefix}customer_entity`, 'entity_id', template, (_, n) => ({
      entity_id: n,
    }));
    await copies(db, numbers, `${prefix}customer_visitor`, 'visitor_id', visitor, (_, n) => ({
      ...{ visitor_id: n, customer_id: n },
    }));
    const ofVisitor = `"visitor_id";s:${String(visitor).length}:"${visitor}"`;
    await copies(db, numbers, `${prefix}session`, 'session_id', row, ({ session_data: data }, n) => {
      const text = Buffer.from(String(data), 'base64').toString('latin1').replaceAll(template, String(n));
      const own = text.replace(ofVisitor, `"visitor_id";s:6:"${n}"`);
      return { session_id: hashed(n), session_data: Buffer.from(own, 'latin1').toString('base64') };
    });
    return {
      ...{ options: { site: site.folder }, hasSessions: true, remove: site.remove },
      loggedOut: (n) => site.run('DELETE FROM #__session WHERE session_id = ?', [hashed(n)]),
      viewed: (n) =>
        site.run('UPDATE #__session SET session_expires = ? WHERE session_id = ?', [now(), hashed(n)]),
      credentials: cookies(numbers, (n) => header.replace(session, idOf(n))),
    };
  },
  async PrestaShop(db, numbers) {
    const key = randomBytes(32);
    const site = await prestashopSite(db, key);
    const { id, token } = await site.logIn(template);
    const prefix = await prefixOf(db, 'ps', '_customer_session');
    await copies(db, numbers, `${prefix}customer`, 'id_customer', template, (_, n) => ({ id_customer: n }));
    await copies(db, numbers, `${prefix}customer_group`, 'id_customer', template, (_, n) => ({
      id_customer: n,
    }));
    await copies(db, numbers, `${prefix}customer_session`, 'id_customer_session', id, (_, n) => ({
      ...{ id_customer_session: n, id_customer: n },
    }));
    const content = (n: number) => ({
      ...{ id_customer: n, logged: 1, passwd: '$2y$10$hash', session_id: n, session_token: token },
    });
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => site.run('DELETE FROM #__customer_session WHERE id_customer_session = ?', [n]),
      credentials: cookies(numbers, (n) => `${shopCookie('ps-s1')}=${prestashopValue(content(n), key)}`),
    };
  },
  async TYPO3(db, numbers) {
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
    await copies(db, numbers, 'fe_users', 'uid', template, (_, n) => ({
      uid: n,
      username: `user ${n}`,
      usergroup: '1',
    }));
    await copies(db, numbers, 'fe_sessions', 'ses_id', String(made?.ses_id), (_, n) => ({
      ses_id: id(n),
      ses_userid: n,
    }));
    return {
      ...{ options: { site: site.folder }, remove: site.remove },
      loggedOut: (n) => db.run('DELETE FROM fe_sessions WHERE ses_id = ?', [id(n)]),
      viewed: (n) => db.run('UPDATE fe_sessions SET ses_tstamp = ? WHERE ses_id = ?', [now(), id(n)]),
      credentials: cookies(numbers, (n) => `fe_typo_user=${token(n)}`),
    };
  },
};

/**
 * Creates a site with PHP sessions in a table and users in another table. The rows are copies of the rows of user 7.
 * @param inside returns the session data of user `n`, from the data of user 7
 */
async function accounts(
  db: TestDatabase,
  numbers: Numbers,
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
  await copies(db, numbers, users, userId, '7', (_, n) => ({ [userId]: n }));
  await copies(db, numbers, sessions, sessionId, key, (before, n) => ({
    ...{ [sessionId]: keyOf(n), [data]: inside(Buffer.from(before[data] as string), n) },
  }));
  return {
    ...{ options: { site: site.folder }, hasSessions: true, remove: site.remove },
    loggedOut: (n) => db.run(`DELETE FROM ${sessions} WHERE ${sessionId} = ?`, [keyOf(n)]),
    viewed: (n) => db.run(`UPDATE ${sessions} SET ${viewed} WHERE ${sessionId} = ?`, [keyOf(n)]),
    credentials: cookies(numbers, (n) => site.cookies.replace(id, sid(n)).replace('UserID=7', `UserID=${n}`)),
  };
}

/** Returns the prefix of a table's name. @param first the first letter of the prefix */
async function prefixOf(db: TestDatabase, first: string, table: string): Promise<string> {
  const tables =
    db.kind === 'sqlite'
      ? 'SELECT name FROM sqlite_master WHERE name LIKE ?'
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_name LIKE ?';
  const [row] = await db.run(tables, [`${first}%${table}`]);
  return String(row?.name).slice(0, 1 - table.length);
}

/** Inserts a copy of the row `made` for each number. */
async function copies(
  db: TestDatabase,
  numbers: Numbers,
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

/** Inserts many rows with few statements. */
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

async function wordPress(db: TestDatabase, numbers: Numbers, changing: boolean): Promise<Way> {
  const site = await wordPressSite(db);
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
    // Plugins add many rows, so each user has 40.
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
    ...{ options: { site: site.folder }, credentials: cookies(numbers, cookieOf), remove: site.remove },
    loggedOut: (n) =>
      db.run(`DELETE FROM ${site.prefix}usermeta WHERE user_id = ? AND meta_key = 'session_tokens'`, [n]),
    ...(changing ? { viewed: write } : {}),
  };
}
