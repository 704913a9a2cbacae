import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The address and the login of a database. */
export interface DatabaseAddress {
  kind: 'postgres' | 'mysql';
  /** Host and port, or the path of a Unix socket. */
  at: { host: string; port: number } | { path: string };
  user: string;
  password: string;
  database: string;
  /** `ca`: PEM certificates that replace the system's certificate authorities. */
  tls: { ca?: string } | undefined;
}

const ports = { postgres: 5432, mysql: 3306 };

/**
 * Parses `postgres://USER:PASSWORD@HOST[:PORT]/DATABASE`, or `mysql:` for MariaDB. Options: `socket=PATH`, a Unix
 * socket instead of the host; `tls=on`; `ca=FILE`, the certificate of a private authority. Special characters of the
 * password are percent-encoded.
 * @returns undefined if the URL is not valid
 */
export function readDatabaseAddress(url: string): DatabaseAddress | undefined {
  // Not with `URL`, which would take the user for the host if the password contains a slash.
  const parts =
    /^(postgres|postgresql|mysql|mariadb):\/\/([^:@/?#]+)(?::([^@/?#]*))?@([^@/?#]*)\/([^\s;&=/?#@]+)(?:\?([^#@]*))?$/.exec(
      url,
    );
  if (parts === null) return undefined;
  const [, scheme = '', user = '', password = '', host = '', database = '', query = ''] = parts;
  const kind = scheme.startsWith('postgres') ? 'postgres' : 'mysql';
  const options = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  if ([...options.keys()].some((name) => !['socket', 'tls', 'ca'].includes(name))) return undefined;
  const at = parseHost(kind, host, options.get('socket'));
  const tls = readTls(options.get('tls') ?? 'off', options.get('ca'));
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

/** Returns the address for messages, without user and password. */
export function placeOf({ kind, at, database }: DatabaseAddress): string {
  return `${kind}:${'path' in at ? at.path : `//${at.host}:${at.port}`}/${database}`;
}

function parseHost(
  kind: DatabaseAddress['kind'],
  hostAndPort: string,
  socket: string | undefined,
): DatabaseAddress['at'] | undefined {
  if (socket !== undefined) {
    const pattern = kind === 'postgres' ? /^\/.*\/\.s\.PGSQL\.\d{1,5}$/ : /^\/./;
    return hostAndPort === '' && pattern.test(socket) ? { path: socket } : undefined;
  }
  const [, v6, name = v6, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(hostAndPort) ?? [];
  return name === undefined
    ? undefined
    : { host: name, port: port === undefined ? ports[kind] : Number(port) };
}

/** Returns null if the options are not valid. */
function readTls(tls: string, file: string | undefined): { ca?: string } | undefined | null {
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
