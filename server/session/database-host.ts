import { stat } from 'node:fs/promises';
import type { SiteDatabase } from './application.ts';

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

/** PHP's `localhost` is a Unix socket of MySQL: where Debian, Red Hat and MySQL itself put it. */
export const localSockets = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock'];

/** The first of these that is there. */
export async function localSocket(): Promise<string | undefined> {
  for (const path of localSockets) if (await stat(path).catch(() => null)) return path;
  return undefined;
}

/** The part of a store URL before its options, and the option that names a socket. */
export function storePlace({ kind, place, socket }: SiteDatabase): {
  place: string;
  options: Record<string, string>;
} {
  if (kind === 'sqlite') return { place: `sqlite:${escapedPath(place.path)}`, options: {} };
  const [first] = place.hosts;
  const server = first === undefined ? '' : hostAndPort(first.host, String(first.port ?? ''));
  const login = `${encodeURIComponent(place.user)}:${encodeURIComponent(place.password)}`;
  return {
    place: `${kind}://${login}@${server}/${encodeURIComponent(place.path.slice(1))}`,
    options: socket === undefined ? {} : { socket },
  };
}

export const escapedPath = (path: string) => path.split('/').map(encodeURIComponent).join('/');

export const hostAndPort = (host: string, port: string) =>
  `${host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host}${port === '' ? '' : `:${port}`}`;
