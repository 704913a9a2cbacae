import { FormatError } from '../formats/value.ts';
import { option } from '../names.ts';
import type { SessionSource } from '../source.ts';
import { type SessionStore, StoreError } from '../store.ts';
import { type Finding, printable, problem } from './finding.ts';

type Options = Readonly<Record<string, string | null>>;

const withPrefixes = (...prefixes: string[]) => prefixes.map((prefix): Options => ({ prefix }));
const withoutHandler = { handler: null, redundancy: null, past_misses: null, distribution: null };
/**
 * Returns the options of a handler of memcached, for each distribution.
 * @param distributions the values of `distribution=`, the default first
 */
const withHandler = (handler: string, ...distributions: string[]) =>
  distributions.map(
    (distribution, n): Options => ({
      ...withoutHandler,
      handler,
      distribution: n === 0 ? null : distribution,
      prefix: null,
      format: null,
    }),
  );

/** The options of known handlers and applications, by the kind of store. */
const knownOptions: Record<string, readonly Options[]> = {
  memcached: [
    ...withHandler('memcached', 'ketama', 'modula', 'ketama_weighted'),
    ...withHandler('memcache', 'memcache', 'memcache_fnv', 'memcache_standard', 'memcache_standard_fnv'),
    ...withPrefixes(
      'sessions/',
      '',
      'sf2s',
      'laravel_cache:',
      'laravel_cache_',
      'ci_session:ci_session:',
    ).map((options) => ({ ...withoutHandler, ...options })),
  ],
  redis: withPrefixes(
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
    ...withPrefixes('sess_', '', 'ci_session'),
    { depth: null },
    { depth: '1' },
    { depth: '2' },
    { depth: '3' },
  ],
  sql: withPrefixes('', 'ci_session:'),
};
/** Options that disable the expiry. */
const withoutExpiry: Record<string, Options> = {
  file: { lifetime: '0' },
  sql: { expires: null, expires_unit: null, last: null, last_unit: null, lifetime: null },
};
/** Listing all keys may take longer than a lookup. */
const listTimeout: Options = { timeout: '5000ms' };
const maxListedPrefixes = 5;
/** The length of PHP's shortest IDs. */
const minIdLength = 22;
/** A prefix has at most 200 characters, and an ID 256. */
const maxKeyLength = 456;
/** Matches a key that ends in an ID, and captures its prefix. */
const keyPattern = /^(.*?)[A-Za-z0-9,-]+$/s;
/** The common start of this many keys is their prefix, because random IDs do not start alike by chance. */
const minKeysForPrefix = 5;

const stores: Record<string, { kind: string; title: string }> = {
  file: { kind: 'file', title: 'files' },
  memcached: { kind: 'memcached', title: 'memcached' },
  redis: { kind: 'redis', title: 'Redis' },
  rediss: { kind: 'redis', title: 'Redis' },
  mysql: { kind: 'sql', title: 'MariaDB or MySQL' },
  mariadb: { kind: 'sql', title: 'MariaDB' },
  postgres: { kind: 'sql', title: 'PostgreSQL' },
  postgresql: { kind: 'sql', title: 'PostgreSQL' },
  sqlite: { kind: 'sql', title: 'SQLite' },
  'session-server': { kind: 'session-server', title: 'the session server' },
};

export const storeKind = ({ protocol }: SessionSource): string => stores[protocol]?.kind ?? protocol;
export const storeTitle = ({ protocol }: SessionSource): string => stores[protocol]?.title ?? protocol;

/** Advises what to do if a store does not answer. */
export function adviseStart(source: SessionSource): string {
  return source.protocol === 'file'
    ? `Name the folder of PHP’s session.save_path in ${option('store')} (phpinfo() of the site shows it), and run this as the account of the server.`
    : `Start ${storeTitle(source)}, or correct the host, port, user and password in ${option('store')}. phpinfo() of the site shows PHP’s values as session.save_path.`;
}

/** Searches for a missing session with other options of the store URL. */
export async function findOtherOptions(source: SessionSource, id: string): Promise<Finding> {
  const kind = storeKind(source);
  const ignoreExpiry = withoutExpiry[kind];
  if (ignoreExpiry !== undefined && (await hasSession(source, ignoreExpiry, id)))
    return problem(
      'This session is expired according to the options of the store URL.',
      'Is lifetime= the session.gc_maxlifetime of the site? Does expires= or last= name the right column, in the right unit?',
    );
  const alternatives = knownOptions[kind] ?? [];
  const prefixes = new Set((await listKeys(source, id)).map((key) => key.slice(0, -id.length)));
  const candidates = [
    ...alternatives,
    ...[...prefixes].flatMap((prefix) => [
      { prefix },
      ...alternatives.map((options) => ({ ...options, prefix })),
    ]),
  ];
  for (const options of candidates) {
    if (!(await hasSession(source, { ...ignoreExpiry, ...options }, id))) continue;
    const needed = source.with(options).options;
    return problem(
      'The session exists with other options of the store URL.',
      needed === ''
        ? `${option('store')} needs no options: remove the ? and the text after it.`
        : `${option('store')} needs these options after its ?: ${needed}`,
    );
  }
  const storedPrefixes = findPrefixes(await listKeys(source, '')).map((prefix) =>
    prefix === '' ? 'no prefix' : `prefix=${printable(prefix)}`,
  );
  const prefixAdvice =
    storedPrefixes.length === 0
      ? ''
      : ` The store has keys that look like sessions, with ${storedPrefixes.join(', ')}.`;
  const handlerAdvice =
    kind === 'session-server'
      ? ''
      : `Does the handler of PHP put a prefix before the ID? Then prefix= must name it.${prefixAdvice} `;
  return problem(
    'There is no such session under the keys of other handlers either.',
    `Does PHP write to this store (session.save_handler and session.save_path in phpinfo() of the site), to this database, table or folder? ${handlerAdvice}Is the visitor still logged in?`,
  );
}

/** Returns the prefixes of keys that look like sessions, the most frequent first. They contain no part of an ID. */
function findPrefixes(keys: readonly string[]): string[] {
  const keysByPrefix = new Map<string, string[]>();
  for (const key of keys) {
    if (key.length > maxKeyLength) continue;
    const [, prefix = ''] = keyPattern.exec(key) ?? [];
    if (key.length - prefix.length < minIdLength) continue;
    keysByPrefix.set(prefix, [...(keysByPrefix.get(prefix) ?? []), key]);
  }
  return [...keysByPrefix]
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, maxListedPrefixes)
    .map(([prefix, group]) => (group.length < minKeysForPrefix ? prefix : findCommonStart(group)));
}

/** Finds the whole prefix. Letters at its end look like part of an ID, but all keys share them. */
function findCommonStart([first = '', ...others]: readonly string[]): string {
  let length = first.length - minIdLength;
  for (const key of others) while (!key.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}

/** Returns the keys with this end. Empty if the store cannot list keys, or its user may not. */
async function listKeys(source: SessionSource, end: string): Promise<string[]> {
  const store = source.with(listTimeout).open();
  try {
    return (await store.keys?.(end)) ?? [];
  } catch (error) {
    if (error instanceof StoreError) return [];
    throw error;
  } finally {
    store.close();
  }
}

async function hasSession(source: SessionSource, options: Options, id: string): Promise<boolean> {
  let store: SessionStore;
  try {
    store = source.with(options).open();
  } catch (error) {
    // The URL does not allow this combination.
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
