import { RequestCookies } from '../cookie.ts';
import { decodeSession } from '../decode.ts';
import { FormatError, type PhpValue } from '../formats/value.ts';
import type { Login, Logins, Refusal } from '../login.ts';
import { phpSessions, type SessionSettings } from '../logins/php-sessions.ts';
import { probeId, SessionBusyError, type SessionStore, StoreError } from '../store.ts';
import { cookieHeader } from './cookie.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { adviseStart, findOtherOptions, storeKind } from './other-options.ts';
import { advisePath, describeContent, describeUser, findTypedPaths, warnOfTypedText } from './user.ts';

export interface SessionExamination {
  /** The cookie of the login to follow: the value, NAME=VALUE or the whole header. */
  cookie?: string | undefined;
  /** If given, the renewal of sessions is checked. Advises how to do without renewal, such as `set RENEW=off`. */
  withoutRenewal?: string | undefined;
}

/**
 * Checks the store, and follows a cookie from the store to the user. Findings contain the keys of the session and the
 * user, but no other values.
 * @returns whether the cookie was rejected, or the store failed
 */
export async function* examineSession(
  settings: SessionSettings,
  { cookie, withoutRenewal }: SessionExamination,
): AsyncGenerator<Finding, boolean> {
  yield* findTypedPaths(settings.user);
  const store = settings.source.open();
  const logins = phpSessions(settings);
  try {
    const fault = await logins.fault();
    if (fault !== null) throw fault;
    yield ok('The session store answers.');
    if (store.checkNotifications !== undefined) {
      const { text, advice } = await store.checkNotifications();
      // Only a warning, because the next check notices a logout even without notifications.
      yield advice === undefined ? ok(text) : warning(text, advice);
    }
    const session =
      cookie === undefined
        ? undefined
        : await readSession(settings, logins, store, cookieHeader(cookie, settings.cookie.name));
    if (withoutRenewal !== undefined)
      yield* checkRenewal(store, session?.bytes ? session.id : null, withoutRenewal);
    if (session === undefined) return false;
    const { answer, bytes, content } = session;
    if (bytes) yield ok(`The store has a session of this id: ${bytes.length} bytes.`);
    if (content !== undefined) {
      yield ok(`It can be read as ${settings.source.format}.`);
      yield* describeContent(content);
    }
    if ('code' in answer) yield* await explainRefusal(settings, session, answer);
    else if (content !== undefined) yield* describeUser(content, settings.user, answer.user);
    return 'code' in answer;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield explainStoreError(error, settings);
    return true;
  } finally {
    logins.close();
    store.close();
  }
}

interface ReadSession {
  answer: Login | Refusal;
  id: string | null;
  /** Null if the session does not exist, undefined without an ID or if it cannot be read. */
  bytes: Buffer | null | undefined;
  /** Undefined if the session is empty or cannot be decoded. */
  content: PhpValue | undefined;
}

export async function readSession(
  settings: SessionSettings,
  logins: Pick<Logins, 'identify'>,
  store: SessionStore,
  cookies: string,
): Promise<ReadSession> {
  const answer = await logins.identify({ cookies });
  const value = new RequestCookies(cookies).value(settings.cookie.name);
  const id = value === null ? null : settings.cookie.idIn(value);
  const bytes = id === null ? undefined : await store.get(id).catch(ignoreExplained);
  let content: PhpValue | undefined;
  try {
    content = id && bytes ? decodeSession(settings.source, id, bytes) : undefined;
  } catch (error) {
    ignoreExplained(error);
  }
  return { answer, id, bytes, content };
}

/** Ignores errors that the answer explains. @throws any other error */
function ignoreExplained(error: unknown): undefined {
  if (error instanceof FormatError || error instanceof SessionBusyError) return;
  throw error;
}

const unexpectedItem: Record<string, string> = {
  memcached: 'Are handler= and distribution= right?',
  file: 'Who owns the file (ls -ln)? If PHP runs as that user, owner= must name the user. Remove a link or a folder of that name.',
};

/** Explains why a cookie is rejected, and what to change. */
export async function explainRefusal(
  settings: SessionSettings,
  { id, bytes, content }: Omit<ReadSession, 'answer'>,
  { code, reason, hint }: Refusal,
): Promise<Finding[]> {
  const { source, user } = settings;
  if (code === 'session_store_unavailable')
    return [problem(`The session store: ${reason}.`, hint ?? adviseStart(source))];
  let more: string | undefined;
  if (content !== undefined) more = advisePath(content, user);
  else if (id === null)
    more =
      'Log in to the site, and copy the value from the browser’s developer tools (Application or Storage, Cookies).';
  else if (bytes === undefined) more = unexpectedItem[storeKind(source)];
  else if (bytes !== null && hint === undefined)
    more = 'Log in to the site again, and copy the new value of the cookie.';
  const advice = [hint, more].filter((text) => text !== undefined).join('. ');
  return [
    problem(`This login is rejected: ${reason}.`, advice || undefined),
    ...(bytes === null && id !== null ? [await findOtherOptions(source, id)] : []),
    ...(content === undefined ? [] : warnOfTypedText(content)),
  ];
}

export const explainStoreError = ({ message, hint }: StoreError, { source }: SessionSettings): Finding =>
  problem(`The session store: ${message}.`, hint ?? adviseStart(source));

/** Checks the permission to renew sessions. Only the ID of a session that does not exist is renewed. */
async function* checkRenewal(
  store: SessionStore,
  id: string | null,
  withoutRenewal: string,
): AsyncGenerator<Finding> {
  try {
    await store.ttl(probeId);
    await store.touch(probeId, 60);
    if (store.checkRenewal === undefined || (await store.checkRenewal(id)))
      yield ok('Sessions can be renewed.');
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    yield warning(
      `Sessions cannot be renewed: ${error.message}.`,
      `Give this account that right, or ${withoutRenewal}. Without renewal, users who do not open a page of the site are logged out when their session expires.`,
    );
  }
}
