import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loopback } from '../outgoing/addresses.ts';

/** A mail server, and the login for it. */
export interface MailPlace {
  host: string;
  port: number;
  /** TLS from the first byte (`first`), after STARTTLS (`later`), or none. */
  tls: 'first' | 'later' | 'none';
  /** PEM certificates that replace the well-known authorities. */
  ca?: string;
  /** Absent if the server needs no login. */
  user?: string;
  password?: string;
}

/** A mailbox on an IMAP server. */
export interface MailboxPlace extends MailPlace {
  folder: string;
}

/** Default ports: with TLS from the first byte, with STARTTLS, and for a server on this machine without TLS. */
const ports = {
  smtp: { first: 465, later: 587, none: 25 },
  imap: { first: 993, later: 143, none: 143 },
};

/**
 * Parses the SMTP relay `smtps://[USER[:PASSWORD]@]HOST[:PORT]` with TLS from the first byte, or `smtp:` with STARTTLS.
 * `ca=FILE` is the certificate of a private authority. Without `ca` and `tls=on`, `smtp:` to this machine does not use
 * TLS, because nothing can intercept it and mail servers often lack a certificate for that name.
 * @returns undefined for anything else
 */
export function readMailPlace(url: string): MailPlace | undefined {
  const server = readServer(url, 'smtp');
  if (server === undefined) return undefined;
  const { path, ...place } = server;
  return path === '' ? place : undefined;
}

/** Parses `imaps://USER:PASSWORD@HOST[:PORT][/FOLDER]`, or `imap:` with STARTTLS, like `readMailPlace`. */
export function readMailboxPlace(url: string): MailboxPlace | undefined {
  const server = readServer(url, 'imap');
  if (server?.user === undefined || server.password === undefined) return undefined;
  const { path, ...place } = server;
  return { ...place, folder: path || 'INBOX' };
}

function readServer(url: string, protocol: 'smtp' | 'imap'): (MailPlace & { path: string }) | undefined {
  // Not parsed by `URL`, which takes the user for the host if the password contains a slash.
  const parts =
    /^(smtp|imap)(s?):\/\/(?:([^:@/?#]+)(?::([^@/?#]*))?@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?(?:\/([^?#@]*))?(?:\?([^#@]*))?$/.exec(
      url,
    );
  if (parts === null || parts[1] !== protocol) return undefined;
  const [, , s, user, password, v6, name, port, path = '', query = ''] = parts;
  const host = v6 ?? name ?? '';
  const options = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  if ([...options.keys()].some((option) => !['tls', 'ca'].includes(option))) return undefined;
  const file = options.get('ca');
  const asked = options.get('tls') ?? (file === undefined ? undefined : 'on');
  if (asked !== undefined && asked !== 'on') return undefined;
  const plain = asked === undefined && loopback.test(host);
  const tls = s === 's' ? 'first' : plain ? 'none' : 'later';
  try {
    const ca = file && readFileSync(file, 'utf8');
    if (ca) new X509Certificate(ca);
    return {
      host,
      port: port === undefined ? ports[protocol][tls] : Number(port),
      tls,
      ca: ca || undefined,
      user: user ? decodeURIComponent(user) : undefined,
      password: password ? decodeURIComponent(password) : undefined,
      path: decodeURIComponent(path),
    };
  } catch {
    return undefined;
  }
}

/** Returns the address for display, without user and password. */
export function placeOf({ host, port, tls }: MailPlace, protocol: 'smtp' | 'imap' = 'smtp'): string {
  return `${protocol}${tls === 'first' ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
