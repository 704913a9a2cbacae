import { FormatError } from '../formats/value.ts';
import type { SessionSource } from '../source.ts';
import { type SessionStore, StoreError } from '../store.ts';
import { type Finding, printable, wrong } from './finding.ts';

type Options = Readonly<Record<string, string | null>>;

const prefixes = (...names: string[]) => names.map((prefix): Options => ({ prefix }));
const memcached = (handler: string, ...distributions: string[]) =>
  distributions.map(
    (distribution, n): Options => ({
      handler,
      distribution: n === 0 ? null : distribution,
      prefix: null,
      redundancy: null,
      past_misses: null,
      format: null,
    }),
  );
const own = { handler: null, redundancy: null, past_misses: null, distribution: null };
const noEnd: Options = { expires: null, expires_unit: null, last: null, last_unit: null, lifetime: null };

/** Options that the store URL may need instead: those of known handlers and applications. */
const otherOptions: Record<string, readonly Options[]> = {
  memcached: [
    ...memcached('memcached', 'ketama', 'modula', 'ketama_weighted'),
    ...memcached('memcache', 'memcache', 'memcache_fnv', 'memcache_standard', 'memcache_standard_fnv'),
    ...prefixes('sessions/', '', 'sf2s', 'laravel_cache:', 'laravel_cache_', 'ci_session:ci_session:').map(
      (options) => ({ ...own, ...options }),
    ),
  ],
  redis: prefixes(
    'PHPREDIS_SESSION:',
    'sessions/',
    '',
    'sf_s',
    'laravel_database_laravel_cache:',
    'laravel_database_laravel_cache_',
    'laravel_cache:',
    'ci_session:ci_session:',
  ),
  file: [
    ...prefixes('sess_', '', 'ci_session'),
    { depth: null },
    { depth: '1' },
    { depth: '2' },
    { depth: '3' },
  ],
  sql: prefixes('', 'ci_session:'),
};
const kinds: Record<string, string> = {
  rediss: 'redis',
  mysql: 'sql',
  mariadb: 'sql',
  postgres: 'sql',
  postgresql: 'sql',
  sqlite: 'sql',
};
const endless: Record<string, Options> = { file: { lifetime: '0' }, sql: noEnd };
/** Going through all keys may take longer than one look-up. */
const patience: Options = { timeout: '5000ms' };
const mostPrefixes = 5;
/** PHP makes no shorter ids. */
const shortestId = 22;
/** A prefix has at most 200 characters, and an id 256. */
const longestKey = 456;
/** Matches a key that ends in an id, and captures its prefix. */
const keyOfSession = /^(.*?)[A-Za-z0-9,-]+$/s;
/** The ids of so many sessions have nothing in common. */
const enoughKeys = 5;

/** The kind of store; those of databases are one. */
export const kindOf = ({ protocol }: SessionSource): string => kinds[protocol] ?? protocol;

const titles: Record<string, string> = {
  memcached: 'memcached',
  redis: 'Redis',
  sql: 'the database',
  'session-server': 'the session server',
};

/** The advice for a store that does not answer. */
export function startAdvice(source: SessionSource): string {
  const kind = kindOf(source);
  return kind === 'file'
    ? 'Name the folder of PHP’s session.save_path in CHAT_SESSION_STORE (phpinfo() of the site shows it), and run this as the account of the chat server.'
    : `Start ${titles[kind]}, or correct CHAT_SESSION_STORE: its host and port, its user and password. phpinfo() of the site shows those of PHP as session.save_path.`;
}

/** Looks for an id that the store does not have with other options of the store URL. */
export async function nearby(source: SessionSource, id: string): Promise<Finding> {
  const kind = kindOf(source);
  const withoutExpiry = endless[kind];
  if (withoutExpiry !== undefined && (await has(source, withoutExpiry, id))) {
    return wrong(
      'There is one, but it has expired, by the options of the store URL.',
      'Is lifetime= the session.gc_maxlifetime of the site? Does expires= or last= name the right column, in the right unit?',
    );
  }
  const seen = new Set((await keys(source, id)).map((key) => key.slice(0, -id.length)));
  const tried = [
    ...(otherOptions[kind] ?? []),
    ...[...seen].flatMap((prefix) => [
      { prefix },
      ...(otherOptions[kind] ?? []).map((one) => ({ ...one, prefix })),
    ]),
  ];
  for (const options of tried) {
    if (!(await has(source, { ...withoutExpiry, ...options }, id))) continue;
    const needed = source.with(options).options;
    return wrong(
      'There is one with other options of the store URL.',
      needed === ''
        ? 'CHAT_SESSION_STORE needs none: leave out the ? and what is behind it.'
        : `CHAT_SESSION_STORE needs these options behind its ?: ${needed}`,
    );
  }
  const others = prefixesOf(await keys(source, ''));
  const lookedAt = others.map((prefix) => (prefix === '' ? 'none at all' : `prefix=${printable(prefix)}`));
  return wrong(
    'Nor is there one where other handlers would put it.',
    `Does PHP write to this store (session.save_handler and session.save_path in phpinfo() of the site), to this database, table or folder? ${
      kind === 'session-server'
        ? ''
        : `Does its handler put something before the id, which prefix= has to name?${
            lookedAt.length === 0
              ? ''
              : ` The store holds what look like sessions with ${lookedAt.join(', ')}.`
          } `
    }Is the visitor still logged in?`,
  );
}

/** The prefixes of keys that look like those of sessions, the most frequent first, with no part of an id. */
function prefixesOf(found: readonly string[]): string[] {
  const groups = new Map<string, string[]>();
  for (const key of found) {
    if (key.length > longestKey) continue;
    const [, prefix = ''] = keyOfSession.exec(key) ?? [];
    if (key.length - prefix.length < shortestId) continue;
    groups.set(prefix, [...(groups.get(prefix) ?? []), key]);
  }
  return [...groups]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, mostPrefixes)
    .map(([prefix, keys]) => (keys.length < enoughKeys ? prefix : commonStart(keys)));
}

/** Letters at the end of a prefix look like an id. Letters that many keys have in common are none. */
function commonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length - shortestId;
  for (const key of others) while (!key.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

/** Keys of the store that end so; none if it cannot, or may not, list them. */
async function keys(source: SessionSource, end: string): Promise<string[]> {
  const store = source.with(patience).open();
  try {
    return (await store.keys?.(end)) ?? [];
  } catch (error) {
    if (error instanceof StoreError) return [];
    throw error;
  } finally {
    store.close();
  }
}

async function has(source: SessionSource, options: Options, id: string): Promise<boolean> {
  let store: SessionStore;
  try {
    store = source.with(options).open();
  } catch (error) {
    // These options cannot be used with the others.
    if (error instanceof TypeError) return false;
    throw error;
  }
  try {
    return (await store.get(id)) !== null;
  } catch (error) {
    if (error instanceof FormatError) return true;
    if (error instanceof StoreError) return false;
    throw error;
  } finally {
    store.close();
  }
}
