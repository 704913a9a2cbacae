import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A database server, and how to log in to it. */
export interface DatabaseAddress {
  kind: 'postgres' | 'mysql';
  /** A host with its port, or the path of a unix socket. */
  at: { host: string; port: number } | { path: string };
  user: string;
  password: string;
  database: string;
  /** `ca`: certificates in PEM that replace those of the well-known authorities. */
  tls: { ca?: string } | undefined;
}

const ports = { postgres: 5432, mysql: 3306 };

/**
 * `postgres://USER:PASSWORD@HOST[:PORT]/DATABASE`, or `mysql:` of MariaDB. Options: `socket=PATH` of a unix socket, which replaces
 * the host; `tls=on`, and `ca=FILE` with the certificate of one's own authority. The password is percent-encoded where
 * it has to be.
 * @returns undefined for anything else
 */
export function readDatabaseAddress(url: string): DatabaseAddress | undefined {
  // Not by URL, which reads a password with a slash in it as a host.
  const parts =
    /^(postgres|postgresql|mysql|mariadb):\/\/([^:@/?#]+)(?::([^@/?#]*))?@([^@/?#]*)\/([^\s;&=/?#@]+)(?:\?([^#@]*))?$/.exec(
      url,
    );
  if (parts === null) return undefined;
  const [, scheme = '', user = '', password = '', host = '', database = '', query = ''] = parts;
  const kind = scheme.startsWith('postgres') ? 'postgres' : 'mysql';
  const options = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  if ([...options.keys()].some((name) => !['socket', 'tls', 'ca'].includes(name))) return undefined;
  const at = place(kind, host, options.get('socket'));
  const tls = secured(options.get('tls') ?? 'off', options.get('ca'));
  if (at === undefined || tls === null || (tls !== undefined && 'path' in at)) return undefined;
  try {
    return {
      kind,
      at,
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database: decodeURIComponent(database),
      tls,
    };
  } catch {
    return undefined;
  }
}

/** For people: without the user and the password. */
export function placeOf({ kind, at, database }: DatabaseAddress): string {
  return `${kind}:${'path' in at ? at.path : `//${at.host}:${at.port}`}/${database}`;
}

function place(
  kind: DatabaseAddress['kind'],
  named: string,
  socket: string | undefined,
): DatabaseAddress['at'] | undefined {
  if (socket !== undefined) {
    const whole = kind === 'postgres' ? /^\/.*\/\.s\.PGSQL\.\d{1,5}$/ : /^\/./;
    return named === '' && whole.test(socket) ? { path: socket } : undefined;
  }
  const [, v6, name = v6, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(named) ?? [];
  return name === undefined
    ? undefined
    : { host: name, port: port === undefined ? ports[kind] : Number(port) };
}

/** null: not to be used. */
function secured(tls: string, file: string | undefined): { ca?: string } | undefined | null {
  if (tls !== 'on') return tls === 'off' && file === undefined ? undefined : null;
  if (file === undefined) return {};
  try {
    const ca = readFileSync(file, 'utf8');
    new X509Certificate(ca);
    return { ca };
  } catch {
    return null;
  }
}
