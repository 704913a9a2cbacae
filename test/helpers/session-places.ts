import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Child } from './child.ts';
import { startGate } from './gate.ts';
import { startMariadb } from './mariadb.ts';
import { startMemcached } from './memcached.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';
import { startSessionServer } from './session-server.ts';
import { makeSessionTable } from './session-table.ts';

/** A site's session store, for one test. */
export interface SessionPlace {
  /** The value of SESSION_STORE and CHAT_SESSION_STORE. */
  readonly url: string;
  /** Between `begin` and `end` the store does not respond. It keeps its data. Undefined if that is impossible. */
  readonly silence: { begin(): void; end(): void } | undefined;
  /** Empties the store, like a restart of a store in memory, or the restore of an empty backup. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

const table = 'table=sessions&id=id&data=data&expires=expires';
const query = (...options: string[]) => options.filter((one) => one !== '').join('&');
const stopped = (child: () => Child) => ({
  begin: () => child().signal('SIGSTOP'),
  end: () => child().signal('SIGCONT'),
});

async function inMemcached(options: string): Promise<SessionPlace> {
  let server = await startMemcached();
  const { port } = server;
  return {
    url: `memcached://127.0.0.1:${port}?${options}`,
    silence: stopped(() => server),
    async empty() {
      await server.stop('SIGKILL');
      server = await startMemcached(port);
    },
    close: async () => void (await server.stop()),
  };
}

async function inRedis(options: string): Promise<SessionPlace> {
  const events = ['--notify-keyspace-events', 'Egx'];
  const first = await startRedis(events);
  let server = first;
  return {
    url: `redis://127.0.0.1:${first.port}?${options}`,
    silence: stopped(() => server),
    async empty() {
      await server.stop('SIGKILL');
      server = await startRedis(events, first);
    },
    async close() {
      await server.remove();
    },
  };
}

async function inSessionServer(options: string): Promise<SessionPlace> {
  let server = await startSessionServer();
  const { port, url } = server;
  return {
    url: `${url}?${options}`,
    silence: stopped(() => server),
    async empty() {
      await server.stop('SIGKILL');
      server = await startSessionServer({ SESSION_SERVER_PORT: String(port) });
    },
    close: async () => void (await server.stop()),
  };
}

async function inFiles(options: string): Promise<SessionPlace> {
  const outer = mkdtempSync(join(tmpdir(), 'session-files-'));
  const [folder, away] = [join(outer, 'sessions'), join(outer, 'away')];
  mkdirSync(folder, { mode: 0o700 });
  return {
    url: `file://${folder}?${options}`,
    // Like a file system that is not mounted.
    silence: { begin: () => renameSync(folder, away), end: () => renameSync(away, folder) },
    async empty() {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
    },
    close: async () => rmSync(outer, { recursive: true, force: true }),
  };
}

async function inMariadb(options: string): Promise<SessionPlace> {
  const server = await startMariadb();
  const place = `mysql://${server.login}@127.0.0.1:${server.port}/site`;
  makeSessionTable(place);
  return {
    url: `${place}?${query(table, options)}`,
    silence: stopped(() => server),
    empty: async () => void (await server.query('DELETE FROM sessions')),
    close: () => server.remove(),
  };
}

async function inPostgres(options: string): Promise<SessionPlace> {
  const server = await startPostgres();
  // PostgreSQL has a process for each connection, so stopping one process does not silence the server.
  const gate = await startGate(join(server.folder, `.s.PGSQL.${server.port}`));
  const place = `postgres://${server.login}@127.0.0.1:${gate.port}/site`;
  makeSessionTable(`postgres://postgres@/site?socket=${server.folder}/.s.PGSQL.${server.port}`);
  await server.query('GRANT ALL ON sessions TO site');
  return {
    url: `${place}?${query(table, options)}`,
    silence: gate.silence,
    empty: async () => void (await server.query('DELETE FROM sessions')),
    async close() {
      await gate.close();
      await server.remove();
    },
  };
}

async function inSqlite(options: string): Promise<SessionPlace> {
  const folder = mkdtempSync(join(tmpdir(), 'session-table-'));
  const file = join(folder, 'site.db');
  makeSessionTable(`sqlite:${file}`);
  return {
    url: `sqlite:${file}?${query(table, options)}`,
    // It cannot be silenced, because there is no connection between it and its readers.
    silence: undefined,
    async empty() {
      const database = new DatabaseSync(file);
      database.exec('DELETE FROM sessions');
      database.close();
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** All stores, with PHP's own handlers and with this project's handlers. */
export const sessionPlaces: readonly {
  name: string;
  /** Whether the store notifies the chat server of a logout. */
  tells: boolean;
  /** @param options options of the URL for PHP and the chat server, such as `lifetime=5` */
  open: (options?: string) => Promise<SessionPlace>;
}[] = [
  {
    name: 'memcached, our handler',
    tells: true,
    open: (more = '') => inMemcached(query('prefix=s/&format=json', more)),
  },
  {
    name: 'memcached, ext-memcached',
    tells: false,
    open: (more = '') => inMemcached(query('handler=memcached', more)),
  },
  {
    name: 'memcached, ext-memcache',
    tells: false,
    open: (more = '') => inMemcached(query('handler=memcache', more)),
  },
  {
    name: 'Redis, our handler',
    tells: true,
    open: (more = '') => inRedis(query('prefix=siam_&lock=10', more)),
  },
  { name: 'Redis, phpredis', tells: true, open: (more = '') => inRedis(more) },
  { name: 'session server', tells: true, open: (more = '') => inSessionServer(query('lock=10', more)) },
  { name: 'files, our handler', tells: true, open: (more = '') => inFiles(query('format=json', more)) },
  { name: 'files, PHP’s own', tells: true, open: (more = '') => inFiles(more) },
  { name: 'PostgreSQL', tells: true, open: (more = '') => inPostgres(more) },
  { name: 'MariaDB', tells: false, open: (more = '') => inMariadb(more) },
  { name: 'SQLite', tells: false, open: (more = '') => inSqlite(more) },
];
