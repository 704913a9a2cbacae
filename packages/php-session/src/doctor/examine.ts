import { RequestCookies } from '../cookie.ts';
import { decodeSession } from '../decode.ts';
import { FormatError, type PhpValue } from '../formats/value.ts';
import type { Login, Logins, Refusal } from '../login.ts';
import { phpSessions, type SessionSettings } from '../logins/php-sessions.ts';
import { probeId, SessionBusyError, type SessionStore, StoreError } from '../store.ts';
import { type Finding, warning, well, wrong } from './finding.ts';
import { kindOf, nearby, startAdvice } from './nearby.ts';
import { typedPaths } from './typed.ts';
import { contentFindings, pathAdvice, typedFindings, userFindings } from './user.ts';

/** The advice if the store holds something other than a session. */
const notExpected: Record<string, string> = {
  memcached: 'Is handler= right, and distribution=?',
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
 * @returns whether the server would reject the cookie
 */
export async function* examine(
  settings: SessionSettings,
  { cookie: copied, keepalive }: Examination,
): AsyncGenerator<Finding, boolean> {
  yield* typedPaths(settings.user);
  const store = settings.source.open();
  const logins = phpSessions(settings);
  try {
    const fault = await logins.fault();
    if (fault !== null) throw fault;
    yield well('The session store answers.');
    if (store.checkNotifications !== undefined) {
      const { text, advice } = await store.checkNotifications();
      // Without notifications a logout is noticed too, a little later.
      yield advice === undefined ? well(text) : warning(text, advice);
    }
    const found =
      copied === undefined
        ? undefined
        : await readSession(settings, logins, store, cookieHeader(copied, settings.cookie.name));
    if (keepalive) yield* renewal(store, found?.bytes ? found.id : null);
    if (found === undefined) return false;
    const { answer, bytes, content } = found;
    if (bytes) yield well(`The store has a session of this id: ${bytes.length} bytes.`);
    if (content !== undefined) {
      yield well(`It can be read as ${settings.source.format}.`);
      yield* contentFindings(content);
    }
    if ('code' in answer) yield* await rejection(settings, found, answer);
    else if (content !== undefined) yield* userFindings(content, settings.user, answer.user);
    return 'code' in answer;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield storeFailure(error, settings);
    return true;
  } finally {
    logins.close();
    store.close();
  }
}

/** The server's answer to a cookie, and what it was made of. */
export interface ReadSession {
  answer: Login | Refusal;
  id: string | null;
  /** Null if there is no such session; undefined if the store does not give it. */
  bytes: Buffer | null | undefined;
  /** Undefined if the session is empty or cannot be decoded. */
  content: PhpValue | undefined;
}

/** Identifies the user of a cookie by the code of the server. */
export async function readSession(
  settings: SessionSettings,
  logins: Pick<Logins, 'identify'>,
  store: SessionStore,
  cookies: string,
): Promise<ReadSession> {
  const answer = await logins.identify({ cookies });
  const value = new RequestCookies(cookies).value(settings.cookie.name);
  const id = value === null ? null : settings.cookie.idIn(value);
  const bytes = id === null ? undefined : await store.get(id).catch(orUndefined);
  let content: PhpValue | undefined;
  try {
    content = id && bytes ? decodeSession(settings.source, id, bytes) : undefined;
  } catch (error) {
    orUndefined(error);
  }
  return { answer, id, bytes, content };
}

/** For errors that the server's answer explains. @throws any other error */
function orUndefined(error: unknown): undefined {
  if (error instanceof FormatError || error instanceof SessionBusyError) return;
  throw error;
}

/** Why the server rejects a cookie, in its own words, and what to change. */
export async function rejection(
  settings: SessionSettings,
  { id, bytes, content }: ReadSession,
  { code, reason, hint }: Refusal,
): Promise<Finding[]> {
  const { source, user } = settings;
  if (code === 'session_store_unavailable')
    return [wrong(`The session store: ${reason}.`, hint ?? startAdvice(source))];
  const more =
    content !== undefined
      ? pathAdvice(content, user)
      : id === null
        ? 'Log in to the site, and copy the value from the browser: developer tools, storage, cookies.'
        : bytes === undefined
          ? notExpected[kindOf(source)]
          : bytes !== null && hint === undefined
            ? 'Log in to the site again, and copy the new value of the cookie.'
            : undefined;
  const advice = [hint, more].filter((one) => one !== undefined);
  return [
    wrong(`The chat rejects this login: ${reason}.`, advice.length === 0 ? undefined : advice.join('. ')),
    ...(bytes === null && id !== null ? [await nearby(source, id)] : []),
    ...(content === undefined ? [] : typedFindings(content)),
  ];
}

export const storeFailure = ({ message, hint }: StoreError, { source }: SessionSettings): Finding =>
  wrong(`The session store: ${message}.`, hint ?? startAdvice(source));

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
