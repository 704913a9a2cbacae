import { stat } from 'node:fs/promises';
import type { SiteDatabase } from '../logins/application.ts';

/**
 * The place of a database as PHP applications write it: `host`, `host:port`, `host:/socket`, `:/socket`, `[v6]:port`.
 * Without a name it is `localhost`.
 */
export function databaseHost(text: string): { host: string; port?: number; socket?: string } {
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

/** A database on a server. Without a port its usual one counts. A socket replaces the host. */
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

/** @param path absolute */
export const sqliteDatabase = (path: string): SiteDatabase => ({
  kind: 'sqlite',
  place: { user: '', password: '', hosts: [], path },
  charset: 'utf8',
});

/** Where Debian, Red Hat and MySQL itself put its socket. */
const mysqlSockets = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock'];

/** Where the packages of PostgreSQL and PostgreSQL itself put the folder of its socket. */
const postgresFolders = ['/run/postgresql', '/tmp'];

/**
 * The Unix sockets by one of which PHP reaches a database; none if it takes a host. PHP's `localhost` is a socket of
 * MySQL, whatever the port is. To libpq it is a host; a folder in its place, or no host, is a socket.
 */
export function socketsOf({ kind, place: { hosts }, socket }: SiteDatabase): readonly string[] {
  if (socket !== undefined) return [socket];
  const [first] = hosts;
  if (kind === 'mysql') return first?.host.toLowerCase() === 'localhost' ? mysqlSockets : [];
  if (kind === 'sqlite' || first === undefined || /^[^/]/.test(first.host)) return [];
  const folders = first.host === '' ? postgresFolders : [first.host];
  return folders.map((folder) => `${folder}/.s.PGSQL.${first.port ?? 5432}`);
}

/** The first of these that is there. */
export async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await stat(path).catch(() => null)) return path;
  return undefined;
}

/** The URL of a database. @param options that may name a table of sessions and its columns, as in a store URL */
export async function databaseUrl(
  database: SiteDatabase,
  options: Readonly<Record<string, string>>,
): Promise<string> {
  const { kind, place } = database;
  if (kind === 'sqlite') return urlWith(`sqlite:${escapedPath(place.path)}`, options);
  const sockets = socketsOf(database);
  // A database that is not started yet may have none.
  const socket = (await firstThere(sockets)) ?? sockets[0];
  const [first] = place.hosts;
  const server =
    socket === undefined && first !== undefined ? hostAndPort(first.host, String(first.port ?? '')) : '';
  const login = `${encodeURIComponent(place.user)}:${encodeURIComponent(place.password)}`;
  return urlWith(`${kind}://${login}@${server}/${encodeURIComponent(place.path.slice(1))}`, {
    ...(socket === undefined ? {} : { socket }),
    ...options,
  });
}

/** A store URL of its place and its options. */
export const urlWith = (place: string, options: Readonly<Record<string, string>>) =>
  `${place}?${queryOf(options)}`;

/** The options of a store URL. */
export const queryOf = (options: Readonly<Record<string, string>>) =>
  Object.entries(options)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');

export const escapedPath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

export const hostAndPort = (host: string, port: string) =>
  `${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}${port === '' ? '' : `:${port}`}`;
