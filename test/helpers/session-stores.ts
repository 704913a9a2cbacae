import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { parseCookieForm } from '../../packages/php-session/src/cookie.ts';
import type { CheckResult, Login, Logins } from '../../packages/php-session/src/login.ts';
import { type PhpSession, phpSessions } from '../../packages/php-session/src/logins/php-sessions.ts';
import type { Path } from '../../packages/php-session/src/path.ts';
import type { SessionStore } from '../../packages/php-session/src/store.ts';
import { parseStoreUrl } from '../../packages/php-session/src/store-url.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** Opens the store at a URL. It is closed at the end of the test. */
export function storeAt(url: string): SessionStore {
  const store = parseStoreUrl(url).open();
  onTestFinished(() => store.close());
  return store;
}

/** Returns a reader of the sessions at a store URL, with the cookie PHPSESSID. It is closed at the end of the test. */
export function readerAt(
  url: string,
  id: Path = ['user_id'],
  name: Path = ['firstname'],
): Logins<PhpSession> {
  const reader = openReader(url, id, name);
  onTestFinished(() => reader.close());
  return reader;
}

export const openReader = (url: string, id: Path = ['user_id'], name: Path = ['firstname']) =>
  phpSessions({
    source: parseStoreUrl(url),
    cookie: parseCookieForm('plain', 'PHPSESSID'),
    user: { id, name },
  });

/** Returns the verdict of a check of one login. */
export function checked<State>(
  logins: Logins<State>,
  login: Login<State>,
): Promise<CheckResult<{ login: Login<State> }> | null> {
  return logins.check([login])[0] as Promise<CheckResult<{ login: Login<State> }> | null>;
}

/**
 * Starts a proxy that changes the replies of a server. It is closed at the end of the test.
 * @param reply as in `startTcpProxy`
 */
export async function spoilingProxy(
  target: number,
  reply: (piece: Buffer, client: Socket, nth: number) => void,
): Promise<TcpProxy> {
  const proxy = await startTcpProxy(target, reply);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Sends a reply in single bytes. */
export function inSingleBytes(piece: Buffer, client: Socket): void {
  for (const byte of piece) client.write(Buffer.of(byte));
}

/** Returns the result, or null after a failure. For polling until a store has recovered. */
export const orNull = <T>(question: Promise<T>): Promise<T | null> => question.catch(() => null);

/** Converts bytes to text. Null stays null. */
export const text = (question: Promise<Buffer | null>): Promise<string | null> =>
  question.then((bytes) => bytes && String(bytes));
