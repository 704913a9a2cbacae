import { createHash } from 'node:crypto';
import { suggestCookieForm } from './cookie.ts';
import { removeLayers, toUnreadable, UnreadableError } from './decode.ts';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { type FoundUser, findUser, type UserPaths } from './identity.ts';
import { LargeSessions } from './large-sessions.ts';
import { type CheckResult, type NotLoggedIn, notLoggedIn } from './login.ts';
import type { SessionSource } from './source.ts';
import { SessionTooLargeError, UnsettledError } from './store.ts';

type UserResult = CheckResult<FoundUser>;

/** Unpacked sessions of this size or more are decoded in a separate thread. */
const minLargeBytes = 16 * 1024;
const maxCachedResults = 100;
/** The number of last decodable readings of an unsettled session that must agree. */
const minEqualReadings = 4;

interface UserFinder {
  /**
   * Finds the user in the stored bytes of a session. Returns a promise if the session is large.
   * @param by the client or user. Large sessions are decoded in turns, by this key.
   * @throws StoreError if the thread for large sessions is overloaded or has failed
   */
  find(id: string, bytes: Buffer | null, by: string): UserResult | Promise<UserResult>;
  close(): void;
}

export function openUserFinder(source: SessionSource, paths: UserPaths): UserFinder {
  /** Results that cost more to compute than the digest of the stored bytes, by session ID. */
  const cache = new Map<string, { digest: string; result: Promise<UserResult> }>();
  const large = new LargeSessions(source.format, paths);

  function decode(id: string, bytes: Buffer, by: string): UserResult | Promise<UserResult> {
    try {
      const inner = removeLayers(source, id, bytes);
      if (inner.length === 0) return { ...notLoggedIn('the session is empty'), state: 'empty' };
      const failed = (error: unknown) => undecodable(toUnreadable(error, source, inner));
      if (inner.length >= minLargeBytes) return large.findUser(by, inner).catch(failed);
      try {
        return findUser(decodeStored(source.format, inner), paths);
      } catch (error) {
        return failed(error);
      }
    } catch (error) {
      return undecodable(error);
    }
  }

  /** Adds the entry, or makes it the newest. */
  function keep(id: string, entry: { digest: string; result: Promise<UserResult> }): void {
    cache.delete(id);
    cache.set(id, entry);
    if (cache.size > maxCachedResults) cache.delete(cache.keys().next().value as string);
  }

  return {
    find(id, bytes, by) {
      if (bytes === null)
        return notLoggedIn(
          'the store has no such session',
          suggestCookieForm(id) ??
            'if every visitor gets this: the store URL names another place or prefix than PHP writes to',
        );
      const cached = cache.get(id);
      if (cached !== undefined && cached.digest === digestOf(bytes)) {
        keep(id, cached);
        return cached.result;
      }
      cache.delete(id);
      const result = decode(id, bytes, by);
      // A stored kilobyte may unpack to a megabyte, and guessing the format of undecodable bytes unpacks them again.
      if (!(result instanceof Promise) && result.state !== 'invalid') return result;
      const entry = { digest: digestOf(bytes), result: Promise.resolve(result) };
      keep(id, entry);
      // A failure does not depend on the session, so the next call tries again.
      entry.result.catch(() => {
        if (cache.get(id) === entry) cache.delete(id);
      });
      return result;
    },
    close: () => large.close(),
  };
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64');

/** Converts an error to a result, if its cause is the content of the session. @throws any other error */
function undecodable(error: unknown): NotLoggedIn {
  const invalid = (kind: string, reason: string, hint?: string): NotLoggedIn => ({
    state: 'invalid',
    kind,
    reason,
    hint,
  });
  if (error instanceof SessionTooLargeError) return { state: 'invalid', ...error.why };
  if (error instanceof UnreadableError) return invalid(error.looks, error.message, error.hint);
  if (!(error instanceof FormatError)) throw error;
  return invalid('the stored session is damaged', error.message);
}

/**
 * Finds the user of a session that its store could read only incompletely. A single incomplete reading may look like a
 * logout or another user, so the last readings must agree.
 * @param error of the store
 * @throws the error if the readings differ, or if its cause is not the content of the session
 */
export async function findUserInReadings<User extends object>(
  error: unknown,
  find: (bytes: Buffer) => Promise<CheckResult<User>>,
  idOf: (user: User) => string,
): Promise<CheckResult<User>> {
  if (!(error instanceof UnsettledError)) return undecodable(error);
  const results = (await Promise.all(error.readings.map(find)))
    .filter(({ state }) => state === 'user' || state === 'nobody')
    .slice(-minEqualReadings);
  const last = results.at(-1);
  const ids = new Set(results.map((result) => (result.state === 'user' ? idOf(result) : undefined)));
  if (last === undefined || results.length < minEqualReadings || ids.size > 1) throw error;
  return last;
}
