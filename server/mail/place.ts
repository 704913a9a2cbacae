import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loopback } from '../outgoing/addresses.ts';

/** A mail server that takes mails for everybody, and how to log in to it. */
export interface MailPlace {
  host: string;
  port: number;
  /** From the first byte, after STARTTLS, or not at all. */
  tls: 'first' | 'later' | 'none';
  /** Certificates in PEM that replace those of the well-known authorities. */
  ca?: string;
  /** Absent if it wants no login. */
  user?: string;
  password?: string;
}

/** The port of a mail server on this machine is that of servers; others take mails of people who log in at their own. */
const ports = { first: 465, later: 587, none: 25 };

/**
 * `smtps://[USER[:PASSWORD]@]HOST[:PORT]` with TLS from the first byte, or `smtp:` with STARTTLS. Options: `ca=FILE` with
 * the certificate of one's own authority, and `tls=on`: without it, `smtp:` to this machine has no TLS, since nobody can
 * listen there, and a mail server often has no certificate for that name.
 * @returns undefined for anything else
 */
export function readMailPlace(url: string): MailPlace | undefined {
  // Not by URL, which reads a password with a slash in it as a host.
  const parts =
    /^(smtps?):\/\/(?:([^:@/?#]+)(?::([^@/?#]*))?@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?(?:\?([^#@]*))?$/.exec(
      url,
    );
  if (parts === null) return undefined;
  const [, scheme, user, password, v6, name, port, query = ''] = parts;
  const host = v6 ?? name ?? '';
  const options = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  if ([...options.keys()].some((option) => !['tls', 'ca'].includes(option))) return undefined;
  const file = options.get('ca');
  const asked = options.get('tls') ?? (file === undefined ? undefined : 'on');
  if (asked !== undefined && asked !== 'on') return undefined;
  const plain = asked === undefined && loopback.test(host);
  const tls = scheme === 'smtps' ? 'first' : plain ? 'none' : 'later';
  try {
    const ca = file && readFileSync(file, 'utf8');
    if (ca) new X509Certificate(ca);
    return {
      host,
      port: port === undefined ? ports[tls] : Number(port),
      tls,
      ...(ca && { ca }),
      ...(user && { user: decodeURIComponent(user) }),
      ...(password && { password: decodeURIComponent(password) }),
    };
  } catch {
    return undefined;
  }
}

/** For people: without the user and the password. */
export function placeOf({ host, port, tls }: MailPlace): string {
  return `${tls === 'first' ? 'smtps' : 'smtp'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
