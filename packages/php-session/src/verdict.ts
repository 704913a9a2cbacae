import { createHash } from 'node:crypto';
import { formHint } from './cookie.ts';
import { UnreadableError, unreadable, unwrapped } from './decode.ts';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { type Identity, identify, type SessionUser, type UserPaths } from './identity.ts';
import { LargeSessions } from './large-sessions.ts';
import type { Verdict } from './login.ts';
import type { SessionSource } from './source.ts';
import { SessionTooLargeError, UnsettledError } from './store.ts';

/** Sessions of this size or more, unpacked, are decoded in a separate thread. */
const largeBytes = 16 * 1024;
const mostRemembered = 100;
/** The number of readings of an unsettled session that must agree: the last ones that can be decoded. */
const enoughReadings = 4;

/** Most visitors without a session simply have none. Most of these hints are for a site where nobody gets in. */
const hints = {
  gone: 'if every visitor gets this: the store URL names another place or prefix than PHP writes to',
  nobody: 'if every visitor gets this: the user is elsewhere in the sessions of this site than the path says',
  invalid:
    'the path has to lead to one user id, an integer or a string, and to decode (!) only what is serialized',
};

/** The result of a look at a session. */
export type SessionVerdict =
  | ({ state: 'user'; bytes: Buffer } & Extract<Identity, { user: SessionUser }>)
  | Exclude<Verdict, { state: 'user' }>;

export interface Judge {
  /**
   * The verdict on the bytes of a session: at once, but for a large one.
   * @param by the client or the user, who take turns with large sessions
   * @throws StoreError if that cannot be said now
   */
  verdict(id: string, bytes: Buffer | null, by: string): SessionVerdict | Promise<SessionVerdict>;
  close(): void;
}

/** Judges by the format of the sessions and by the paths to their users. */
export function createJudge(source: SessionSource, user: UserPaths): Judge {
  /** Verdicts that cost more than a digest of the stored bytes, by session ID. */
  const remembered = new Map<string, { digest: string; judging: Promise<SessionVerdict> }>();
  const large = new LargeSessions(source.format, user);

  function judge(id: string, bytes: Buffer, by: string): SessionVerdict | Promise<SessionVerdict> {
    try {
      const inner = unwrapped(source, id, bytes);
      if (inner.length === 0) return noUser('empty', 'the session is empty');
      const failed = (error: unknown) => undecodable(unreadable(error, source, inner));
      if (inner.length >= largeBytes) {
        return large.identify(by, inner).then((found) => byIdentity(found, bytes), failed);
      }
      try {
        return byIdentity(identify(decodeStored(source.format, inner), user), bytes);
      } catch (error) {
        return failed(error);
      }
    } catch (error) {
      return undecodable(error);
    }
  }

  /** Adds the entry, or makes it the newest. */
  function remember(id: string, entry: { digest: string; judging: Promise<SessionVerdict> }): void {
    remembered.delete(id);
    remembered.set(id, entry);
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value as string);
  }

  return {
    verdict(id, bytes, by) {
      if (bytes === null) return noUser('nobody', 'there is no such session', formHint(id) ?? hints.gone);
      const cached = remembered.get(id);
      if (cached !== undefined && cached.digest === digestOf(bytes)) {
        remember(id, cached);
        return cached.judging.then((verdict) => withBytes(verdict, bytes));
      }
      remembered.delete(id);
      const verdict = judge(id, bytes, by);
      // A few stored bytes may unpack to a megabyte, also while the format of undecodable ones is guessed.
      if (!(verdict instanceof Promise) && verdict.state !== 'invalid') return verdict;
      const judging = Promise.resolve(verdict).then((settled) => withBytes(settled, Buffer.alloc(0)));
      const entry = { digest: digestOf(bytes), judging };
      remember(id, entry);
      // A failure says nothing about the session.
      judging.catch(() => {
        if (remembered.get(id) === entry) remembered.delete(id);
      });
      return verdict;
    },
    close: () => large.close(),
  };
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64');

const withBytes = (verdict: SessionVerdict, bytes: Buffer): SessionVerdict =>
  verdict.state === 'user' ? { ...verdict, bytes } : verdict;

/** Small buffers usually share their memory: a session that stays for hours would keep all that lies beside it. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function byIdentity(found: Identity, bytes: Buffer): SessionVerdict {
  // A copy: a store's answer may be a small part of a large piece of memory.
  if ('user' in found) return { state: 'user', ...found, bytes: ownCopy(bytes) };
  if ('nobody' in found) return noUser('nobody', found.nobody, hints.nobody);
  return noUser('invalid', found.invalid, hints.invalid);
}

/** @throws the error if it says nothing about the session */
function undecodable(error: unknown): SessionVerdict {
  if (error instanceof SessionTooLargeError) return { state: 'invalid', ...error.why };
  if (error instanceof UnreadableError) return noUser('invalid', error.looks, error.hint, error.message);
  if (!(error instanceof FormatError)) throw error;
  return noUser('invalid', 'what the store holds is damaged', undefined, error.message);
}

/**
 * The verdict on a session that its store could not deliver whole. Half of a session may look like another user's, or
 * like a logout; but halves of several versions do not agree.
 * @param error of the store
 * @throws the error if it says nothing about the session
 */
export async function judgeFailure(
  error: unknown,
  judge: (bytes: Buffer) => SessionVerdict | Promise<SessionVerdict>,
): Promise<SessionVerdict> {
  if (!(error instanceof UnsettledError)) return undecodable(error);
  const verdicts = (await Promise.all(error.readings.map(judge)))
    .filter(({ state }) => state === 'user' || state === 'nobody')
    .slice(-enoughReadings);
  const last = verdicts.at(-1);
  if (last === undefined || verdicts.length < enoughReadings) throw error;
  if (!verdicts.every((one) => userOf(one) === userOf(last))) throw error;
  return last;
}

function userOf(verdict: SessionVerdict): string | undefined {
  return verdict.state === 'user' ? verdict.user.id : undefined;
}

function noUser(
  state: 'nobody' | 'empty' | 'invalid',
  kind: string,
  hint?: string,
  reason = kind,
): SessionVerdict {
  return { state, kind, reason, hint };
}
