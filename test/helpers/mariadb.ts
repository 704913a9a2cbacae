import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, type QueryValues, type RowDataPacket } from 'mysql2/promise';
import { makeCertificate } from './certificate.ts';
import { type Child, ownPort, startChild } from './child.ts';
import { makeOnce } from './kept-folder.ts';

export interface Mariadb extends Child {
  readonly port: number;
  /** Its folder, which contains `socket` and the certificate of `localhost`: see `makeCertificate`. */
  readonly folder: string;
  /** `site:PASSWORD` as in a URL: a user with all rights in the database `site`. */
  readonly login: string;
  /** The arguments of PHP's `new PDO` for its administrator in that database. */
  readonly pdo: string;
  /** Runs a statement as its administrator in that database. */
  query(sql: string, values?: QueryValues): Promise<RowDataPacket[]>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
}

const program = '/usr/sbin/mariadbd';
/** Contains every character that a URL must encode. */
const password = 'se@same:/?#%12';

/**
 * Starts a real MariaDB for this test, on a free loopback port. Root runs it as the user of its Debian package.
 * @param args further options of mariadbd
 */
export async function startMariadb(args: readonly string[] = []): Promise<Mariadb> {
  const port = await ownPort();
  const folder = mkdtempSync(join(tmpdir(), 'mariadb-'));
  // A separate folder, because MariaDB deletes all temporary tables in its folder when it starts, including the tables
  // of other servers.
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const user: string[] = [];
  if (process.getuid?.() === 0) {
    execFileSync('chown', ['mysql', folder, temporary]);
    user.push('--user=mysql');
  }
  const { certificate, key } = makeCertificate(folder, 'localhost');
  const socket = join(folder, 'socket');
  const data = join(folder, 'data');
  const common = [
    '--no-defaults',
    ...user,
    `--datadir=${data}`,
    `--tmpdir=${temporary}`,
    '--innodb-buffer-pool-size=16M',
  ];
  makeOnce(data, program, () => {
    execFileSync(
      'mariadb-install-db',
      [...common, '--auth-root-authentication-method=normal', '--skip-test-db'],
      { stdio: 'ignore' },
    );
  });
  const child = startChild(program, [
    ...[...common, '--innodb-flush-log-at-trx-commit=0', '--skip-log-bin'],
    ...[
      `--socket=${socket}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
    ],
    ...[`--ssl-cert=${certificate}`, `--ssl-key=${key}`, '--character-set-server=utf8mb4', ...args],
  ]);
  await child.until(/ready for connections/);
  const admin = await createConnection({ socketPath: socket, user: 'root' });
  for (const sql of [
    'SET autocommit = 1',
    'CREATE DATABASE site',
    `CREATE USER site@'%' IDENTIFIED BY '${password}'`,
    "GRANT ALL ON site.* TO site@'%'",
    'USE site',
  ]) {
    await admin.query(sql);
  }
  return Object.assign(child, {
    port,
    folder,
    login: `site:${encodeURIComponent(password)}`,
    pdo: `'mysql:unix_socket=${socket};dbname=site;charset=utf8mb4', 'root', '', [PDO::MYSQL_ATTR_INIT_COMMAND => 'SET autocommit = 1']`,
    async query(sql: string, values?: QueryValues) {
      const [rows] = await admin.query<RowDataPacket[]>(sql, values);
      return rows;
    },
    async remove() {
      admin.destroy();
      await child.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
