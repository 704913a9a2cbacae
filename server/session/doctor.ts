import { sessionIdFrom } from './cookie.ts';
import { decodeSession, UnreadableError } from './decode.ts';
import { FormatError, PhpObject, type PhpValue } from './formats/value.ts';
import { identify } from './identity.ts';
import type { SessionSettings } from './read-session.ts';
import type { SessionSource } from './source.ts';
import { type SessionStore, StoreError } from './store.ts';

/** The result of one step. `advice` says what to change. */
export interface Finding {
  well: boolean;
  text: string;
  advice?: string | undefined;
}

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
/** The advice if the store holds something other than a session. */
const notExpected: Record<string, string> = {
  memcached: 'Is handler= right, and distribution=?',
  redis: 'The chat server reads no session of that size: the site has to keep less in it.',
  file: 'Who owns the file (ls -ln)? If PHP runs as that user, owner= has to name the user. Remove anything else that is in its place, such as a link or a folder.',
};
const endless: Record<string, Options> = { file: { lifetime: '0' }, sql: noEnd };
const mostKeys = 40;
const kindOf = ({ protocol }: SessionSource) => kinds[protocol] ?? protocol;

/**
 * Follows one cookie through the settings, from the store to the user, and reports each step. Of the content of a
 * session it reports the names of the keys and the user, and nothing else.
 * @param cookie a `Cookie` header of a user who is logged in; without one only the store is checked
 */
export async function* examine(
  settings: SessionSettings,
  cookie: string | undefined,
): AsyncGenerator<Finding> {
  const store = settings.source.open();
  try {
    await store.get('doctor_probe');
    yield { well: true, text: 'The session store answers.' };
    // Without notifications a logout is noticed too, a little later.
    if (store.checkNotifications !== undefined) yield { well: true, ...(await store.checkNotifications()) };
    if (cookie !== undefined) yield* follow(settings, store, cookie);
  } catch (error) {
    if (error instanceof StoreError) yield { well: false, text: `The session store: ${error.message}.` };
    else if (error instanceof FormatError) {
      yield {
        well: false,
        text: `What the store holds is not what was expected: ${error.message}.`,
        advice: notExpected[kindOf(settings.source)],
      };
    } else throw error;
  } finally {
    store.close();
  }
}

/** What a cookie without an id may be, and the advice. */
const forms: readonly [RegExp, string][] = [
  [/=eyJ/, 'It looks encrypted by Laravel: CHAT_SESSION_COOKIE=laravel:KEYFILE, with the key of this site.'],
  [
    /=[A-Za-z0-9,-]+\.[0-9a-f]{64}\s*(;|$)/,
    'It looks signed by TableSession: CHAT_SESSION_COOKIE=signed:KEYFILE, with the key file of this site. If that is set already, no key of the file has signed this value for a cookie of this name.',
  ],
  [/(?:)/, 'Log in to the site, and copy the value from the browser: developer tools, storage, cookies.'],
];

async function* follow(
  settings: SessionSettings,
  store: SessionStore,
  cookie: string,
): AsyncGenerator<Finding> {
  const id = sessionIdFrom(cookie, settings.cookie);
  if (id === null) {
    return yield {
      well: false,
      text: `That is no value of the cookie ${settings.cookie.name}: it holds no id that PHP would accept.`,
      advice: forms.find(([form]) => form.test(cookie))?.[1],
    };
  }
  const bytes = await store.get(id);
  if (bytes === null) {
    yield { well: false, text: 'The store has no session of this id where the store URL says.' };
    return yield await nearby(settings.source, id);
  }
  yield { well: true, text: `The store has a session of this id: ${bytes.length} bytes.` };
  yield* inside(settings, id, bytes);
}

/** Looks for the same id with other options of the store URL. */
async function nearby(source: SessionSource, id: string): Promise<Finding> {
  const kind = kindOf(source);
  const withoutExpiry = endless[kind];
  if (withoutExpiry !== undefined && (await has(source, withoutExpiry, id))) {
    return {
      well: false,
      text: 'But there is an expired one, by the options of the store URL about expiry.',
      advice:
        'Is lifetime= the session.gc_maxlifetime of the site? Does expires= or last= name the right column, in the right unit?',
    };
  }
  for (const options of otherOptions[kind] ?? []) {
    if (!(await has(source, { ...withoutExpiry, ...options }, id))) continue;
    return {
      well: false,
      text: 'But there is one elsewhere.',
      advice: `CHAT_SESSION_STORE needs these options behind its ?: ${source.with(options).options}`,
    };
  }
  return {
    well: false,
    text: 'There is none where other handlers would put it either.',
    advice:
      'Does PHP write to this store (session.save_handler and session.save_path in phpinfo() of the site), to this database, table or folder? Is the visitor still logged in?',
  };
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

function* inside(settings: SessionSettings, id: string, bytes: Buffer): Generator<Finding> {
  const { format } = settings.source;
  let session: PhpValue | undefined;
  try {
    session = decodeSession(settings.source, id, bytes);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return yield {
      well: false,
      text: `It cannot be read as ${format}: ${error.message}.`,
      advice: error.hint && `${error.hint} (CHAT_SESSION_STORE)`,
    };
  }
  if (session === undefined) {
    return yield {
      well: false,
      text: 'It is empty: nobody is logged in.',
      advice: 'Log in to the site first.',
    };
  }
  yield { well: true, text: `It can be read as ${format}. Its keys: ${keysOf(session)}.` };
  const found = identify(session, settings.user);
  if ('user' in found) {
    return yield { well: true, text: `It belongs to the user ${found.user.id}, called ${found.user.name}.` };
  }
  const { id: path, name } = settings.user;
  yield {
    well: false,
    text: `No user in it: ${'nobody' in found ? found.nobody : found.invalid}.`,
    advice:
      'user' in identify(session, { id: path, name })
        ? 'There is a user, but CHAT_USER_REQUIRE or CHAT_USER_NOBODY excludes it.'
        : 'CHAT_USER_ID is the path to the user’s id, by keys such as those above: app.user.id. See docs/sessions.md, "Paths".',
  };
}

/** Two levels of keys, as they stand in a path. */
function keysOf(session: PhpValue): string {
  const names = (value: PhpValue): string[] => {
    const container = value instanceof PhpObject ? value.properties : value;
    return typeof container === 'object' && container !== null ? Object.keys(container) : [];
  };
  const container = (session instanceof PhpObject ? session.properties : session) as Record<string, PhpValue>;
  const all = names(session).flatMap((key) => {
    const inner = names(container[key] as PhpValue);
    return inner.length === 0 ? [key] : inner.map((name) => `${key}.${name}`);
  });
  if (all.length === 0) return 'none';
  // Nothing that moves the cursor of a terminal, reverses its line or fills it.
  const shown = all.slice(0, mostKeys).map((key) => key.slice(0, 60).replace(/\p{C}/gu, '�'));
  return all.length > mostKeys ? `${shown.join(', ')} and ${all.length - mostKeys} more` : shown.join(', ');
}
