import { sessionIdFrom } from './cookie.ts';
import { decodeSession, UnreadableError } from './decode.ts';
import { FormatError, PhpObject, type PhpValue } from './formats/value.ts';
import { createSessionReader, type SessionSettings } from './read-session.ts';
import { StoreError } from './store.ts';
import type { SessionSource } from './store-url.ts';

/** One thing that was looked at. `advice` says what to change. */
export interface Finding {
  well: boolean;
  text: string;
  advice?: string | undefined;
}

/** What known handlers and applications put before the id. */
const prefixes: Record<string, readonly string[]> = {
  memcached: [
    '',
    'memc.sess.key.',
    'sessions/',
    'sf2s',
    'laravel_cache:',
    'laravel_cache_',
    'ci_session:ci_session:',
  ],
  redis: [
    '',
    'PHPREDIS_SESSION:',
    'sessions/',
    'sf_s',
    'laravel_database_laravel_cache:',
    'laravel_database_laravel_cache_',
    'laravel_cache:',
    'ci_session:ci_session:',
  ],
  file: ['sess_', '', 'ci_session'],
};
const mostKeys = 40;

/**
 * Follows one cookie through the settings, from the store to the user, and says at each step what was found. Nothing
 * of what a session holds is told but the names of its keys, and the user.
 * @param cookie a `Cookie` header of somebody who is logged in; without one only the store is looked at
 */
export async function* examine(
  settings: SessionSettings,
  cookie: string | undefined,
): AsyncGenerator<Finding> {
  const store = settings.source.open();
  try {
    try {
      await store.get('doctor');
      yield { well: true, text: 'The session store answers.' };
    } catch (error) {
      if (!(error instanceof StoreError) && !(error instanceof FormatError)) throw error;
      return yield { well: false, text: `The session store: ${error.message}.` };
    }
    if (cookie === undefined) return;
    const id = sessionIdFrom(cookie, settings.cookie);
    if (id === null) {
      return yield {
        well: false,
        text: `That is no value of the cookie ${settings.cookie.name}: there is no id in it that PHP would take.`,
        advice: cookie.includes('=eyJ')
          ? 'It looks encrypted by Laravel: CHAT_SESSION_COOKIE=laravel:KEYFILE, with the key of this site.'
          : 'Log in to the site, and copy the value from the browser: developer tools, storage, cookies.',
      };
    }
    const bytes = await store.get(id);
    if (bytes === null) {
      yield { well: false, text: 'The store has no session of this id where the store URL says.' };
      return yield* nearby(settings.source, id);
    }
    yield { well: true, text: `The store has a session of this id: ${bytes.length} bytes.` };
    yield* inside(settings, id, bytes, cookie);
  } finally {
    store.close();
  }
}

/** Where the same id is, under what other handlers put before it. */
async function* nearby(source: SessionSource, id: string): AsyncGenerator<Finding> {
  for (const prefix of prefixes[source.protocol.replace('rediss', 'redis')] ?? []) {
    const store = source.openBehind(prefix);
    try {
      if ((await store.get(id).catch(() => null)) === null) continue;
      return yield {
        well: false,
        text: `But there is one behind the prefix "${prefix}".`,
        advice: `Put prefix=${prefix} into CHAT_SESSION_STORE.`,
      };
    } finally {
      store.close();
    }
  }
  yield {
    well: false,
    text: 'Nor is there one behind the prefixes that are usual.',
    advice:
      'Does PHP write to this store (session.save_handler and session.save_path in phpinfo() of the site), to this database or folder? Is the visitor still logged in?',
  };
}

async function* inside(
  settings: SessionSettings,
  id: string,
  bytes: Buffer,
  cookie: string,
): AsyncGenerator<Finding> {
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
  yield { well: true, text: `It can be read as ${format}. Its keys: ${keysOf(session ?? null)}.` };
  const reader = createSessionReader(settings);
  try {
    const found = await reader.fromCookie(cookie);
    if ('user' in found) {
      return yield {
        well: true,
        text: `It belongs to the user ${found.user.id}, called ${found.user.name}.`,
      };
    }
    yield {
      well: false,
      text: `No user in it: ${found.reason}.`,
      advice:
        'CHAT_USER_ID is the path to the user’s id, by keys such as those above: app.user.id. See docs/sessions.md, "Paths".',
    };
  } finally {
    reader.close();
  }
}

/** Two levels of names, as a path would have them. */
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
  const shown = all.slice(0, mostKeys).map((key) => JSON.stringify(key).slice(1, -1));
  return all.length > mostKeys ? `${shown.join(', ')} and ${all.length - mostKeys} more` : shown.join(', ');
}
