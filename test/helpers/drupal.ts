import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import type { TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

export interface DrupalSession {
  name?: string;
  /** The attributes of the session; the user's id as text alone if undefined. */
  attributes?: object;
  more?: object;
  /** Metadata beside those of Drupal. */
  meta?: object;
  status?: number;
  cookie?: string;
}

const hashed = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** The name of the cookie of a site at that host and path. */
export const cookieOf = (host: string, prefix = 'SSESS') => `${prefix}${hashed(host)}`;

/** The tables and the folder of a Drupal, with rows as it writes them. */
export async function drupalSite(db: TestDatabase, { prefix = `d${randomBytes(3).toString('hex')}_` } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'drupal-'));
  const isFile = db.kind === 'sqlite';
  const values = isFile
    ? { driver: 'sqlite', database: db.name, prefix: '' }
    : {
        driver: db.kind === 'mysql' ? 'mysql' : 'pgsql',
        host: '127.0.0.1',
        port: String(db.port),
        database: db.name,
        username: db.user,
        password: db.password,
        prefix,
      };
  const quote = db.kind === 'mysql' ? '`' : '"';
  const table = (name: string) => `${quote}${isFile ? '' : prefix}${name}${quote}`;
  mkdirSync(join(folder, 'sites/default'), { recursive: true });
  const lines = Object.entries(values).map(([name, value]) => `  '${name}' => ${quoted(value)},`);
  const configure = (text: string, file = 'sites/default/settings.php') =>
    writeFileSync(join(folder, file), `<?php\n${text}`);
  const usual = `
$databases = [];
# $databases['default']['default'] = ['driver' => 'mysql', 'database' => 'an example'];
$settings['hash_salt'] = file_get_contents('/etc/salt');
$databases['default']['default'] = array (
${lines.join('\n')}
  'namespace' => 'Drupal\\\\mysql\\\\Driver\\\\Database\\\\mysql',
);
$databases['default']['replica'][] = ['driver' => 'mysql', 'database' => 'a copy'];
$databases['other']['default'] = ['driver' => 'mysql', 'database' => 'another'];
if (file_exists($app_root . '/' . $site_path . '/settings.local.php')) {
  include $app_root . '/' . $site_path . '/settings.local.php';
}
`;
  configure(usual);
  const blob = { mysql: 'LONGBLOB', postgres: 'BYTEA', sqlite: 'BLOB' }[db.kind];
  await db.run(
    `CREATE TABLE ${table('sessions')} (uid BIGINT NOT NULL, sid VARCHAR(128) NOT NULL PRIMARY KEY, hostname VARCHAR(128), timestamp BIGINT, session ${blob})`,
  );
  await db.run(
    `CREATE TABLE ${table('users_field_data')} (uid BIGINT NOT NULL, langcode VARCHAR(12) NOT NULL, name VARCHAR(60)${isFile ? ' COLLATE NOCASE_UTF8' : ''}, status SMALLINT NOT NULL, default_langcode SMALLINT NOT NULL, PRIMARY KEY (uid, langcode))`,
  );
  await db.run(
    `CREATE TABLE ${table('user__roles')} (entity_id BIGINT NOT NULL, delta BIGINT NOT NULL, langcode VARCHAR(32) NOT NULL, roles_target_id VARCHAR(255) NOT NULL, PRIMARY KEY (entity_id, delta, langcode))`,
  );
  const inTurn = oneAtATime();
  async function logIn(user: string, session: DrupalSession) {
    const { name = 'Ann', attributes = { uid: user }, more = {}, meta = {}, status = 1 } = session;
    await db.run(`DELETE FROM ${table('users_field_data')} WHERE uid = ?`, [Number(user)]);
    for (const [langcode, own, isDefault] of [
      ['en', name, 1],
      ['fr', 'translated', 0],
    ] as const)
      await db.run(`INSERT INTO ${table('users_field_data')} VALUES (?, ?, ?, ?, ?)`, [
        ...[Number(user), langcode, own, status, isDefault],
      ]);
    const id = `${randomBytes(16).toString('hex')}-,A`;
    const made: { sid: string; session: string } = phpAnswer('drupal-session.php', {
      ...{ id, attributes, more, meta },
    });
    const literal = db.kind === 'postgres' ? `decode('${made.session}', 'hex')` : `x'${made.session}'`;
    await db.run(`INSERT INTO ${table('sessions')} VALUES (?, ?, '127.0.0.1', 1, ${literal})`, [
      Number(user),
      made.sid,
    ]);
    return {
      cookies: `${session.cookie ?? cookieOf('www.example.org')}=${id}`,
      secrets: [id],
      session: id,
      id,
      sid: made.sid,
      rename: async (other: string) => {
        await db.run(
          `UPDATE ${table('users_field_data')} SET name = ? WHERE uid = ? AND default_langcode = 1`,
          [other, Number(user)],
        );
      },
      logOut: async () => void (await db.run(`DELETE FROM ${table('sessions')} WHERE sid = ?`, [made.sid])),
    };
  }
  return {
    folder,
    configure,
    usual,
    run: (sql: string) => db.run(sql.replace(/#__(\w+)/g, (_, name) => table(name))),
    logIn: (user: string, session: DrupalSession = {}) => inTurn(() => logIn(user, session)),
    async remove() {
      rmSync(folder, { recursive: true });
      for (const each of ['sessions', 'users_field_data', 'user__roles'])
        await db.run(`DROP TABLE ${table(each)}`);
    },
  };
}
