import { StoreError } from '../../store.ts';

/** What a database's refusal means to whoever runs the site. */
const meanings = {
  login: 'the database refuses the user or the password of the store URL',
  plugin:
    'the user of the store URL has a way to log in that is not known here: give him a password as is usual',
  origin: 'the database lets this user not in from this machine, or not without TLS',
  database: 'there is no such database as the store URL names, or its user may not use it',
  table: 'the database has no such table as table= names',
  column: 'the table lacks a column that id=, data=, expires= or last= names',
  permission: 'the user of the store URL may not read the table: GRANT SELECT on it',
  renewal:
    'the user of the store URL may not keep sessions alive: GRANT UPDATE on the column that expires= or last= names',
  unwritable:
    'the database keeps no session alive here, since it is a replica or read-only, or the table a view that cannot be written to',
  type: 'a column is of a type that does not fit: id= and data= are text or bytes, expires_unit= or last_unit= says how a time is told',
  full: 'the database takes no more connections',
  starting: 'the database is starting or shutting down',
  late: 'the database needed too long for the answer',
  plain: 'the database does not speak TLS, which tls=on demands',
  certificate:
    'the certificate of the database is not trusted: ca= names the file with that of its authority, and the host has to be in it',
} as const;

/** By the driver's error codes. */
export type Problems = Readonly<Record<string, keyof typeof meanings>>;

/**
 * The failure for what a driver threw. Nothing of its message is told: it names the user, and may quote ids.
 * @param wanted what was to be done
 */
export function failure(error: unknown, problems: Problems, wanted: 'read' | 'renew' = 'read'): StoreError {
  if (error instanceof StoreError) return error;
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  // mysql2 has no names for what MariaDB alone says.
  const said = typeof code === 'string' ? code : typeof errno === 'number' ? String(errno) : '';
  const known = /^\w{1,60}$/.test(said) ? said : 'no code';
  const problem = Object.hasOwn(problems, known)
    ? problems[known]
    : /CERT|SIGNATURE|ISSUER/.test(known)
      ? 'certificate'
      : undefined;
  if (problem !== undefined) {
    const meaning = problem === 'permission' && wanted === 'renew' ? meanings.renewal : meanings[problem];
    return new StoreError(`${meaning} (${known})`);
  }
  return new StoreError(
    /^E[A-Z]+$/.test(known)
      ? `the database cannot be reached (${known})`
      : `the database ended the connection, or failed (${known})`,
  );
}
