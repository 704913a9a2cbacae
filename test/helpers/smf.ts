import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { oneAtATime } from './one-at-a-time.ts';
import { phpAnswer } from './php-answer.ts';
import { removing, siteFiles, siteTables, type TestDatabase } from './site-database.ts';
import { quoted } from './wordpress.ts';

/**
 * Creates the tables and the folder of an SMF, with rows as SMF writes them. @param secret `$auth_secret`. If empty,
 * the key is in a file.
 */
export async function smfSite(db: TestDatabase, secret = 'a1'.repeat(32)) {
  const prefix = `s${randomBytes(4).toString('hex')}_`;
  const cookie = 'SMFCookie11';
  const { folder, write } = siteFiles('smf');
  write(
    'Settings.php',
    `/**
 * The settings file contains all of the basic settings.
 */
$maintenance = 0;
$boardurl = 'http://127.0.0.1/smf';
$cookiename = '${cookie}';
$db_type = '${db.kind === 'mysql' ? 'mysql' : 'postgresql'}';
$db_port = ${db.port};
$db_server = '127.0.0.1';
$db_name = ${quoted(db.name)};
$db_user = ${quoted(db.user)};
$db_passwd = ${quoted(db.password)};
$ssi_db_user = '';
$db_prefix = '${prefix}';
$boarddir = dirname(__FILE__);
$sourcedir = dirname(__FILE__) . '/Sources';
$db_character_set = 'utf8';
$auth_secret = '${secret}';
if (!is_dir(realpath($boarddir)) && file_exists(dirname(__FILE__) . '/agreement.txt'))
	$boarddir = dirname(__FILE__);
`,
  );
  const key =
    secret ||
    createHash('sha256')
      .update(readFileSync(join(folder, 'Settings.php')))
      .digest('hex');
  const address = db.kind === 'mysql' ? 'VARBINARY(16)' : 'inet';
  const tables: Record<string, string> = {
    settings: 'variable VARCHAR(255) PRIMARY KEY, value TEXT',
    members: `id_member INTEGER PRIMARY KEY, real_name VARCHAR(255), passwd VARCHAR(64), password_salt VARCHAR(255), is_activated INTEGER DEFAULT 1, email_address VARCHAR(255), id_group INTEGER DEFAULT 0, additional_groups VARCHAR(255) DEFAULT '', id_post_group INTEGER DEFAULT 4, warning INTEGER DEFAULT 0, tfa_secret VARCHAR(24) DEFAULT '', tfa_backup VARCHAR(64) DEFAULT '', member_ip ${address}, member_ip2 ${address}`,
    membergroups:
      'id_group INTEGER PRIMARY KEY, group_name VARCHAR(80), tfa_required INTEGER NOT NULL DEFAULT 0',
    ban_groups:
      'id_ban_group INTEGER PRIMARY KEY, expire_time BIGINT, cannot_access INTEGER DEFAULT 0, cannot_register INTEGER DEFAULT 0, cannot_post INTEGER DEFAULT 0, cannot_login INTEGER DEFAULT 0',
    ban_items: `id_ban INTEGER, id_ban_group INTEGER, ip_low ${address}, ip_high ${address}, hostname VARCHAR(255) DEFAULT '', email_address VARCHAR(255) DEFAULT '', id_member INTEGER DEFAULT 0`,
  };
  const { run, drop } = await siteTables(db, prefix, tables, ' CHARSET utf8');
  /** An IP address is given as `ip:` and its text. */
  const insert = (table: string, row: Record<string, string | number | null>) => {
    const places = Object.values(row).map((value) =>
      !String(value).startsWith('ip:') ? '?' : db.kind === 'mysql' ? 'INET6_ATON(?)' : '?::inet',
    );
    const values = Object.values(row).map((value) =>
      typeof value === 'string' ? value.replace(/^ip:/, '') : value,
    );
    return run(
      `INSERT INTO #_${table} (${Object.keys(row).join(', ')}) VALUES (${places.join(', ')})`,
      values,
    );
  };
  for (const [id_group, group_name] of [
    [1, 'Administrator'],
    [2, 'Global Moderator'],
    [4, 'Newbie'],
    [12, 'R&amp;D'],
  ] as const) {
    await insert('membergroups', { id_group, group_name });
  }
  const inTurn = oneAtATime();
  const salt = () => randomBytes(16).toString('hex');
  async function logIn(id: string, name: string | undefined) {
    const read = () =>
      run('SELECT passwd, password_salt, tfa_secret, tfa_backup FROM #_members WHERE id_member = ?', [
        Number(id),
      ]);
    const rename = async (other: string) =>
      void (await run('UPDATE #_members SET real_name = ? WHERE id_member = ?', [other, Number(id)]));
    if ((await read()).length === 0) {
      await insert('members', {
        ...{
          id_member: Number(id),
          real_name: name ?? 'Ann',
          passwd: `$2y$10$${salt()}`,
          password_salt: salt(),
        },
        ...{
          email_address: `user${id}@example.org`,
          member_ip: 'ip:203.0.113.9',
          member_ip2: 'ip:203.0.113.9',
        },
      });
    } else if (name !== undefined) await rename(name);
    const [row] = await read();
    const made = await phpAnswer('smf-login.php', {
      ...{ id: Number(id), passwd: row?.passwd, salt: row?.password_salt, secret: key },
      backup: row?.tfa_secret ? row.tfa_backup : null,
    });
    return {
      cookies: [
        `${cookie}=${made.first.value}`,
        ...(made.second === null ? [] : [`${cookie}_tfa=${made.second.value}`]),
      ].join('; '),
      secrets: [made.first.hash] as string[],
      hash: made.first.hash as string,
      rename,
      logOut: async () =>
        void (await run('UPDATE #_members SET password_salt = ? WHERE id_member = ?', [salt(), Number(id)])),
    };
  }
  return {
    folder,
    cookie,
    run,
    insert,
    /** Logs the user with that ID in, and creates a missing user. */
    logIn: (id: string, name?: string) => inTurn(() => logIn(id, name)),
    remove: removing(folder, drop),
  };
}
