import type { StoreUrl } from '../../source.ts';
import type { Address } from './connections.ts';

/** A database that is a server. */
export interface SqlServer {
  addresses: readonly Address[];
  user: string;
  password: string;
  database: string;
  /** That of PHP's connection; undefined when nobody said. */
  charset: 'utf8' | 'latin1' | undefined;
  /** With the certificates of `ca=`, or else the authorities that everybody trusts. */
  tls: { ca?: string } | undefined;
  timeout: number;
}

/**
 * `//[USER[:PASSWORD]@]HOST[:PORT][,HOST…]/DATABASE`. Options: `socket=PATH` of a unix socket in place of a host,
 * `tls=on`, with `ca=FILE` for an authority of one's own, `charset=utf8mb4` or `latin1`, that of PHP's connection,
 * without which text with more than ASCII in it is not read, `timeout=` of one look-up (default 250ms).
 * @throws TypeError saying what is wrong with it
 */
export function readServer(url: StoreUrl, defaultPort: number): SqlServer {
  const { options, user, password, hosts } = url;
  const database = /^\/([^/]+)$/.exec(url.path)?.[1];
  if (user === '') throw new TypeError('the store URL names no user: //USER:PASSWORD@HOST/DATABASE');
  if (database === undefined) throw new TypeError('the store URL names no database: //USER@HOST/DATABASE');
  const path = options.take('socket');
  if ((path === undefined) === (hosts.length === 0)) {
    throw new TypeError('the store URL names either a host or a socket=');
  }
  if (path !== undefined && !path.startsWith('/')) throw new TypeError('socket= is an absolute path');
  const tls = options.take('tls') ?? 'off';
  if (tls !== 'on' && tls !== 'off') throw new TypeError('tls= is on or off');
  if (tls === 'off' && options.take('ca') !== undefined) throw new TypeError('ca= is for tls=on');
  const ca = options.certificates('ca');
  if (tls === 'on' && path !== undefined) throw new TypeError('tls=on is not for a socket=');
  return {
    addresses:
      path === undefined ? hosts.map(({ host, port = defaultPort }) => ({ host, port })) : [{ path }],
    user,
    password,
    database,
    charset: charset(options.take('charset')),
    tls: tls === 'off' ? undefined : ca === undefined ? {} : { ca },
    timeout: options.timeout(),
  };
}

function charset(name: string | undefined): SqlServer['charset'] {
  if (name === undefined) return undefined;
  if (/^utf-?8(mb[34])?$/i.test(name)) return 'utf8';
  if (/^latin-?1$/i.test(name)) return 'latin1';
  throw new TypeError('charset= is utf8mb4 or latin1: that of PHP’s own connection');
}
