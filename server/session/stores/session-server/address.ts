import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';

const defaultPort = 9090;
/** Longer ones are taken by no session server, which expects little before it knows who asks. */
const token = /^[\x21-\x7e]{1,500}$/;

/** Where a session server listens. */
export interface SessionServer {
  /** `ca`: certificates in PEM, in place of those of the publicly known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  /** What it wants to hear before anything else; undefined where it asks for nothing. */
  token: string | undefined;
  /** For the log. */
  name: string;
}

/** @throws TypeError saying what is wrong with it, never with the token */
export function readAddress({ user, password, hosts, path, options }: StoreUrl): SessionServer {
  if (user !== '' || password !== '')
    throw new TypeError('session-server: takes no user; a token is in auth_file=');
  const [{ host, port = defaultPort } = { host: '' }] = hosts;
  if (hosts.length > 1) throw new TypeError('session-server: names one host, not several');
  if (host === '' && !/^\/./.test(path))
    throw new TypeError('the store URL names no host, and no socket: session-server:///run/sessions.sock');
  if (host !== '' && path !== '' && path !== '/')
    throw new TypeError('session-server: takes either a host or a socket, which has three slashes before it');
  const tls = options.take('tls') ?? 'off';
  if (tls !== 'on' && tls !== 'off') throw new TypeError('tls= is on or off');
  if (tls === 'off' && options.take('ca') !== undefined) throw new TypeError('ca= is for tls=on');
  if (tls === 'on' && host === '') throw new TypeError('tls=on is not for a socket');
  const ca = options.certificates('ca');
  const secret = readToken(options.take('auth_file'));
  if (host === '') return { at: { path }, token: secret, name: `the session server at ${path}` };
  return {
    at: { host, port, ...(tls === 'on' && { tls: ca === undefined ? {} : { ca } }) },
    token: secret,
    name: `the session server at ${host}:${port}`,
  };
}

/** The file is not named in the error: by mistake it may be the token itself. */
function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let content = '';
  try {
    content = readFileSync(file, 'utf8').trim();
  } catch {
    // As one that is empty.
  }
  if (token.test(content)) return content;
  throw new TypeError(
    'auth_file= is a file that holds the token of the session server: it cannot be read, or is not one word',
  );
}

/** What is written to it is sent when it is connected. */
export function openSocket({ at }: SessionServer): Socket {
  if ('path' in at) return connect(at.path);
  const { host, port, tls } = at;
  if (tls === undefined) return connect({ host, port, noDelay: true });
  // Said here, or NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
  return connectTls({ host, port, ...tls, rejectUnauthorized: true }).setNoDelay(true);
}

/** For what the system, or TLS, says of a connection. */
export function unreachable({ name }: SessionServer, error: NodeJS.ErrnoException): StoreError {
  const advice = /SELF_SIGNED|UNABLE_TO/.test(error.code ?? '')
    ? ': its certificate is not trusted; ca= names the file with that of its authority'
    : error.code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? ': its certificate is for another host'
      : '';
  return new StoreError(`${name} cannot be reached (${error.code})${advice}`, { cause: error });
}
