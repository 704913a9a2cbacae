import { createHash } from 'node:crypto';
import { decodeSession, UnreadableError } from './decode.ts';
import { FormatError } from './formats/value.ts';
import { identify, type SessionUser, type UserPaths } from './identity.ts';
import type { SessionSource } from './source.ts';
import { maxSessionBytes, UnsettledError } from './store.ts';

/** Verdicts on sessions of at least so many bytes are remembered: a digest costs less than decoding them again. */
const largeBytes = 16 * 1024;
const mostRemembered = 100;
/** So many readings of an unsettled session must agree, the last ones that can be decoded. */
const enoughReadings = 4;

/** Most visitors without a session simply have none. Most of these hints are for a site where nobody gets in. */
const hints = {
  gone: 'if every visitor gets this: the store URL names another place or prefix than PHP writes to',
  nobody: 'if every visitor gets this: the user is elsewhere in the sessions of this site than the path says',
  invalid:
    'the path has to lead to one user id, an integer or a string, and to decode (!) only what is serialized',
};

/** Why a session has no user, for the log: it contains no value of the session. */
export interface Explanation {
  /** What was missing or wrong. */
  reason: string;
  /** The reason without what differs from case to case; one of a small set. */
  kind: string;
  /** What to change, if the settings are the cause. */
  hint?: string | undefined;
}

/** What a check of a session found. `empty`: there is a record, but PHP has nothing in it at present. */
export type Verdict =
  | { state: 'user'; user: SessionUser; bytes: Buffer }
  | ({ state: 'nobody' | 'empty' | 'invalid' } & Explanation);

/** Judges the bytes of a session by its format and by the paths to its user. */
export function createJudge(
  source: SessionSource,
  user: UserPaths,
): (id: string, bytes: Buffer | null) => Verdict {
  const remembered = new Map<string, { digest: string; verdict: Verdict }>();

  function judge(id: string, bytes: Buffer): Verdict {
    if (bytes.length > maxSessionBytes) return noUser('invalid', `larger than ${maxSessionBytes} bytes`);
    try {
      const session = decodeSession(source, id, bytes);
      if (session === undefined) return noUser('empty', 'the session is empty');
      const found = identify(session, user);
      // A copy: a store's answer may be a small part of a large piece of memory.
      if ('user' in found) return { state: 'user', user: found.user, bytes: Buffer.from(bytes) };
      if ('nobody' in found) return noUser('nobody', found.nobody, hints.nobody);
      return noUser('invalid', found.invalid, hints.invalid);
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      return noUser('invalid', error.looks, error.hint, error.message);
    }
  }

  return (id, bytes) => {
    if (bytes === null) return noUser('nobody', 'there is no such session', hints.gone);
    if (bytes.length < largeBytes || bytes.length > maxSessionBytes) return judge(id, bytes);
    // A visitor with a large session can therefore connect again and again without costing much of this process's time.
    const digest = createHash('sha256').update(bytes).digest('base64');
    const known = remembered.get(id);
    remembered.delete(id);
    const { verdict } = known?.digest === digest ? known : { verdict: judge(id, bytes) };
    // Without the bytes, which the caller has.
    const kept = verdict.state === 'user' ? { ...verdict, bytes: Buffer.alloc(0) } : verdict;
    remembered.set(id, { digest, verdict: kept });
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value as string);
    return verdict.state === 'user' ? { ...verdict, bytes } : verdict;
  };
}

/**
 * The verdict on a session that its store could not deliver whole. Half of a session may look like another user's, or
 * like a logout; but halves of several versions do not agree.
 * @param error of the store
 * @throws the error if it says nothing about the session
 */
export function judgeFailure(error: unknown, judge: (bytes: Buffer) => Verdict): Verdict {
  if (error instanceof FormatError) {
    return { state: 'invalid', kind: 'what the store holds is damaged', reason: error.message };
  }
  if (!(error instanceof UnsettledError)) throw error;
  const verdicts = error.readings
    .map(judge)
    .filter(({ state }) => state === 'user' || state === 'nobody')
    .slice(-enoughReadings);
  const last = verdicts.at(-1);
  if (last === undefined || verdicts.length < enoughReadings) throw error;
  if (!verdicts.every((one) => userOf(one) === userOf(last))) throw error;
  return last;
}

function userOf(verdict: Verdict): string | undefined {
  return verdict.state === 'user' ? verdict.user.id : undefined;
}

function noUser(state: 'nobody' | 'empty' | 'invalid', kind: string, hint?: string, reason = kind): Verdict {
  return { state, kind, reason, hint };
}
