import { sessionIdFrom } from '../session/cookie.ts';
import { decodeSession, UnreadableError } from '../session/decode.ts';
import { FormatError, type PhpValue } from '../session/formats/value.ts';
import type { SessionSettings } from '../session/logins/php-sessions.ts';
import { probeId, type SessionStore, StoreError } from '../session/store.ts';
import { type Finding, warning, well, wrong } from './finding.ts';
import { kindOf, nearby, startAdvice } from './nearby.ts';
import { typedPaths } from './typed.ts';
import { userIn } from './user.ts';

/** The advice if the store holds something other than a session. */
const notExpected: Record<string, string> = {
  memcached: 'Is handler= right, and distribution=?',
  redis: 'The chat server reads no session of that size: the site has to keep less in it.',
  file: 'Who owns the file (ls -ln)? If PHP runs as that user, owner= has to name the user. Remove anything else that is in its place, such as a link or a folder.',
};

/** The subjects of an examination, besides the settings. */
export interface Examination {
  /** The cookie of a user who is logged in, as it was copied; without one only the store is checked. */
  cookie: string | undefined;
  /** Whether sessions are to be renewed. */
  keepalive: boolean;
  /** Whether addresses of users are needed, for mails. */
  mails?: boolean;
  /** Whether an address is that of a proxy, which the chat takes for no visitor's; absent if that is not known yet. */
  isProxy?(address: string): boolean;
}

/** Accepts any copied form: the value alone, with the name before it, or the whole header, which it is without a name. */
export function cookieHeader(copied: string, name?: string): string {
  const given = copied.trim().replace(/^cookie:\s*/i, '');
  return name === undefined || new RegExp(`(^|;\\s*)${name}=`).test(given) ? given : `${name}=${given}`;
}

/**
 * Checks the store, and follows one cookie through the settings, from the store to the user. Of the content of a
 * session it reports the names of the keys and the user, and nothing else.
 */
export async function* examine(
  settings: SessionSettings,
  { cookie: copied, keepalive }: Examination,
): AsyncGenerator<Finding> {
  const cookie = copied === undefined ? undefined : cookieHeader(copied, settings.cookie.name);
  yield* typedPaths(settings.user);
  const store = settings.source.open();
  try {
    await (store.check?.() ?? store.get(probeId));
    yield well('The session store answers.');
    if (store.checkNotifications !== undefined) {
      const { text, advice } = await store.checkNotifications();
      // Without notifications a logout is noticed too, a little later.
      yield advice === undefined ? well(text) : warning(text, advice);
    }
    const id = cookie === undefined ? null : sessionIdFrom(cookie, settings.cookie);
    // A session that cannot be read is reported once.
    const bytes = id === null ? null : await store.get(id);
    if (keepalive) yield* renewal(store, bytes === null ? null : id);
    if (id !== null) yield* follow(settings, id, bytes);
    else if (cookie !== undefined) yield noId(cookie, settings);
  } catch (error) {
    yield storeFailure(error, settings);
  } finally {
    store.close();
  }
}

/** An error of a store. @throws any other error */
export function storeFailure(error: unknown, { source }: SessionSettings): Finding {
  if (error instanceof StoreError)
    return wrong(`The session store: ${error.message}.`, error.hint ?? startAdvice(source));
  if (!(error instanceof FormatError)) throw error;
  const expected = notExpected[kindOf(source)];
  return wrong(`What the store holds is not what was expected: ${error.message}.`, expected);
}

/** Whether sessions may be renewed. The session that it renews for the test does not exist. */
async function* renewal(store: SessionStore, id: string | null): AsyncGenerator<Finding> {
  try {
    await store.ttl(probeId);
    await store.touch(probeId, 60);
    if (store.checkRenewal === undefined || (await store.checkRenewal(id))) {
      yield well('Sessions of users who write in the chat can be renewed.');
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield warning(
      `Writing in the chat does not keep a session alive: ${error.message}.`,
      'Give the account of the chat server that right, or set CHAT_SESSION_KEEPALIVE=off. The chat works without it; users who write in it and open no page are logged out when the lifetime of their session is over.',
    );
  }
}

const looksSigned =
  'It looks signed by TableSession: CHAT_SESSION_COOKIE=signed:KEYFILE, with the key file of this site. If that is set already, no key of the file has signed this value for a cookie of this name.';

/** Kinds of cookies without an id, and the advice. */
const forms: readonly [RegExp, string][] = [
  [/=eyJ/, 'It looks encrypted by Laravel: CHAT_SESSION_COOKIE=laravel:KEYFILE, with the key of this site.'],
  [/=[A-Za-z0-9,-]+\.[0-9a-f]{64}\s*(;|$)/, looksSigned],
  [/(?:)/, 'Log in to the site, and copy the value from the browser: developer tools, storage, cookies.'],
];

export function noId(cookie: string, settings: SessionSettings): Finding {
  return wrong(
    `This value of the cookie ${settings.cookie.name} holds no id that PHP would accept.`,
    forms.find(([form]) => form.test(cookie))?.[1],
  );
}

async function* follow(settings: SessionSettings, id: string, bytes: Buffer | null): AsyncGenerator<Finding> {
  if (bytes !== null) yield well(`The store has a session of this id: ${bytes.length} bytes.`);
  const session = await sessionOf(settings, id, bytes);
  if ('problems' in session) return yield* session.problems;
  yield well(`It can be read as ${settings.source.format}.`);
  yield* userIn(session.value, settings.user);
}

/** The session in these bytes of a store, or why there is none. */
export async function sessionOf(
  { source }: SessionSettings,
  id: string,
  bytes: Buffer | null,
): Promise<{ value: PhpValue } | { problems: Finding[] }> {
  if (bytes === null) {
    // Unsigned cookies may have such an ID too.
    const advice = /^[A-Za-z0-9,-]+\.[0-9a-f]{64}$/.test(id) ? looksSigned : undefined;
    const missing = wrong('The session store has no session of this id.', advice);
    return { problems: [missing, await nearby(source, id)] };
  }
  try {
    const value = decodeSession(source, id, bytes);
    if (value !== undefined) return { value };
    return { problems: [wrong('The session is empty: nobody is logged in.', 'Log in to the site first.')] };
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    const advice = error.hint && `${error.hint} (CHAT_SESSION_STORE)`;
    return { problems: [wrong(`The session cannot be read as ${source.format}: ${error.message}.`, advice)] };
  }
}
