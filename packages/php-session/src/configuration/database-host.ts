import { stat } from 'node:fs/promises';
import type { StoreUrl } from '../source.ts';

/** The database in a site's configuration. */
export interface SiteDatabase {
  kind: 'mysql' | 'postgres' | 'sqlite';
  /** Without options. */
  place: Pick<StoreUrl, 'user' | 'password' | 'hosts' | 'path'>;
  /** A Unix socket instead of a host. */
  socket?: string;
  /** `server` is the default character set of the server. */
  charset: 'utf8' | 'latin1' | 'server';
}

/**
 * Parses the address of a database like PHP applications: `host`, `host:port`, `host:/socket`, `:/socket`, `[v6]:port`.
 * The default host is `localhost`.
 */
export function parseDatabaseHost(text: string): { host: string; port?: number; socket?: string } {
  const socketAt = text.indexOf(':/');
  const socket = socketAt === -1 ? undefined : text.slice(socketAt + 1);
  const place = socketAt === -1 ? text : text.slice(0, socketAt);
  const [, v6, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]*))(?::(\d{1,5}))?$/.exec(place) ?? [
    undefined,
    undefined,
    place,
  ];
  return {
    host: v6 || name || 'localhost',
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(socket === undefined ? {} : { socket }),
  };
}

/** Describes a database on a server. Port 0 is the default port. A socket replaces the host. */
export const serverDatabase = ({
  kind = 'mysql',
  host,
  port = 0,
  socket,
  user,
  password,
  name,
  charset = 'utf8',
}: {
  kind?: SiteDatabase['kind'];
  host: string | undefined;
  port?: number | undefined;
  socket?: string | undefined;
  user: string;
  password: string;
  name: string;
  charset?: SiteDatabase['charset'];
}): SiteDatabase => ({
  kind,
  place: {
    ...{ user, password, path: `/${name}` },
    hosts: host === undefined ? [] : [{ host, ...(port > 0 ? { port } : {}) }],
  },
  ...(socket ? { socket } : {}),
  charset,
});

/** Returns the description of an SQLite database. @param path absolute */
export const sqliteDatabase = (path: string): SiteDatabase => ({
  kind: 'sqlite',
  place: { user: '', password: '', hosts: [], path },
  charset: 'utf8',
});

/** The defaults of Debian, Red Hat and MySQL. */
const mysqlSockets = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock'];

/** The defaults of packages and of PostgreSQL. */
const postgresFolders = ['/run/postgresql', '/tmp'];

/**
 * Returns the possible Unix sockets of a database. Empty if PHP connects to a host. MySQL uses a socket for `localhost`
 * with any port. libpq connects to `localhost`, but uses a socket for a folder or an empty host.
 */
export function listSockets({ kind, place: { hosts }, socket }: SiteDatabase): readonly string[] {
  if (socket !== undefined) return [socket];
  const [first] = hosts;
  if (kind === 'mysql') return first?.host.toLowerCase() === 'localhost' ? mysqlSockets : [];
  if (kind === 'sqlite' || first === undefined || /^[^/]/.test(first.host)) return [];
  const folders = first.host === '' ? postgresFolders : [first.host];
  return folders.map((folder) => `${folder}/.s.PGSQL.${first.port ?? 5432}`);
}

/** Returns the first path that exists. */
export async function findExisting(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await stat(path).catch(() => null)) return path;
  return undefined;
}

/** Returns the URL of a database. @param options of a store URL, such as the table of sessions and its columns */
export async function databaseUrl(
  database: SiteDatabase,
  options: Readonly<Record<string, string>>,
): Promise<string> {
  const { kind, place } = database;
  if (kind === 'sqlite') return joinStoreUrl(`sqlite:${escapePath(place.path)}`, options);
  const sockets = listSockets(database);
  // While the database is not running, no socket may exist.
  const socket = (await findExisting(sockets)) ?? sockets[0];
  const [first] = place.hosts;
  const server =
    socket === undefined && first !== undefined ? joinHostAndPort(first.host, String(first.port ?? '')) : '';
  const login = `${encodeURIComponent(place.user)}:${encodeURIComponent(place.password)}`;
  return joinStoreUrl(`${kind}://${login}@${server}/${encodeURIComponent(place.path.slice(1))}`, {
    ...(socket === undefined ? {} : { socket }),
    ...options,
  });
}

export const joinStoreUrl = (place: string, options: Readonly<Record<string, string>>) =>
  `${place}?${encodeOptions(options)}`;

/** Encodes the options of a store URL. */
export const encodeOptions = (options: Readonly<Record<string, string>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');

export const escapePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

export const joinHostAndPort = (host: string, port: string) =>
  `${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}${port === '' ? '' : `:${port}`}`;
