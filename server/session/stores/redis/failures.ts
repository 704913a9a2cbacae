import { StoreError } from '../../store.ts';

/** What the replies of `server.c`, `acl.c` and `cluster.c` in Redis's source mean to whoever runs the site. */
const refusals: readonly [RegExp, string][] = [
  [/^NOAUTH/, 'it wants a password: the store URL is redis://:PASSWORD@HOST or redis://USER:PASSWORD@HOST'],
  [/^(WRONGPASS|ERR invalid password)/, 'the password in the store URL is refused, or its user is unknown'],
  [/^ERR (AUTH <password> called|Client sent AUTH)/, 'the store URL has a password, but Redis has none'],
  [/^ERR (DB index|invalid DB)/, 'it has no database of that number'],
  [
    /^(MOVED|CROSSSLOT|CLUSTERDOWN|ERR SELECT is not allowed in cluster)/,
    'this is a node of a cluster, which this version does not read',
  ],
  [/^LOADING/, 'it has just started and is still loading its data'],
  [/^READONLY/, 'this is a replica, which cannot renew sessions: the store URL has to name the primary'],
  [/^MASTERDOWN/, 'this is a replica that has lost its master'],
  [/^ERR max number of clients/, 'it has as many clients as maxclients allows'],
  [/^DENIED/, 'it is in protected mode: it needs a password to be asked from another machine'],
];

/** What Redis's user is not allowed to, and what would let it. */
const permissions = {
  read: 'read the sessions: let it use mget and strlen on these keys, and select for a database',
  remaining: 'ask how long the sessions live: let it use pttl on these keys (+pttl)',
  touch: 'keep the sessions alive: let it use expire on these keys (+expire)',
  watch:
    'be told of changes: let it use subscribe on the channels of the keyspace events (+subscribe &__keyevent@*)',
} as const;

/**
 * For an error reply. Its text is not told: it may hold the command, and so the password or a key.
 * @param wanted what was asked for
 */
export function refusal(reply: string, wanted: keyof typeof permissions): StoreError {
  const code = /^[A-Z]{1,20}\b/.exec(reply)?.[0] ?? 'an unknown error';
  const meaning =
    code === 'NOPERM'
      ? `its user may not ${permissions[wanted]}`
      : refusals.find(([pattern]) => pattern.test(reply))?.[1];
  return new StoreError(`Redis refuses (${code})${meaning === undefined ? '' : `: ${meaning}`}`);
}

/** For everything else that ends a connection. */
export function unreachable(error: unknown): StoreError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined)
    return new StoreError('Redis closed the connection, or said something that is no reply', {
      cause: error,
    });
  const advice = /SELF_SIGNED|UNABLE_TO/.test(code)
    ? ': its certificate is not trusted; ca= names the file with that of its authority'
    : code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? ': its certificate is for another host'
      : '';
  return new StoreError(`Redis cannot be reached (${code})${advice}`, { cause: error });
}
