import { execFileSync } from 'node:child_process';
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { makeCertificate } from './certificate.ts';
import { type Child, ownPort, startChild } from './child.ts';
import { makeOnce } from './kept-folder.ts';

export interface Postgres extends Child {
  readonly port: number;
  /** Its folder with the Unix socket and the certificate for `localhost`, see `makeCertificate`. */
  readonly folder: string;
  /** `site:PASSWORD` as in a URL: a user with the right to read the database `site`. */
  readonly login: string;
  /** The arguments of PHP's `new PDO` to open that database as the administrator. */
  readonly pdo: string;
  /** Runs a statement in that database as the administrator. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Stops the server and removes its folder. */
  remove(): Promise<void>;
}

/** Returns a program of the newest version that Debian has installed. */
export const postgresProgram = (name: string): string =>
  globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().at(-1) ?? name;
/** Contains every character that a URL must encode. */
const password = 'se@same:/?#%12';

/**
 * Starts a real PostgreSQL on a free loopback port. PostgreSQL does not run as root, so root starts it as the user of
 * its Debian package.
 * @param settings as in postgresql.conf
 */
export async function startPostgres(settings: readonly string[] = []): Promise<Postgres> {
  const port = await ownPort();
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
  const owner = process.getuid?.() === 0 ? userIds('postgres') : undefined;
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const { certificate, key } = makeCertificate(folder, 'localhost');
  const options = { cwd: folder, env: { PATH: process.env.PATH }, ...owner };
  const data = join(folder, 'data');
  const initdb = postgresProgram('initdb');
  makeOnce(data, initdb, () => {
    execFileSync(
      initdb,
      [
        ...['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'],
        ...['--auth-local=trust', '--auth-host=scram-sha-256'],
      ],
      { ...options, stdio: 'ignore' },
    );
  });
  const given = [
    ...['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${folder}`, 'fsync=off'],
    ...[
      // Compiling a statement takes longer than running it on a test's few rows. The data need not survive a crash of
      // the machine, and needs no cleaning.
      ...['jit=off', 'full_page_writes=off', 'autovacuum=off', 'wal_level=minimal', 'max_wal_senders=0'],
      'shared_buffers=8MB',
      // Logged statements with their values would fill the pipe of the log while the test waits for PHP.
      'log_parameter_max_length=0',
      'ssl=on',
      `ssl_cert_file=${certificate}`,
      `ssl_key_file=${key}`,
      ...settings,
    ],
  ];
  const args = ['-D', data, ...given.flatMap((one) => ['-c', one])];
  const child = startChild(postgresProgram('postgres'), args, options);
  await child.until(/ready to accept connections/);
  const administrator = (database: string) => {
    const pool = new Pool({ host: folder, port, user: 'postgres', database });
    pool.on('error', () => {});
    return pool;
  };
  const first = administrator('postgres');
  await first.query('CREATE DATABASE site');
  await first.query(`CREATE ROLE site LOGIN PASSWORD '${password}'`);
  await first.end();
  const admin = administrator('site');
  await admin.query('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO site');
  return Object.assign(child, {
    port,
    folder,
    login: `site:${encodeURIComponent(password)}`,
    pdo: `'pgsql:host=${folder};port=${port};dbname=site', 'postgres'`,
    async query(sql: string, values: unknown[] = []) {
      return (await admin.query<Record<string, unknown>>(sql, values)).rows;
    },
    async remove() {
      // Does not wait for connected clients.
      await child.stop('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

function userIds(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
