import { createHash } from 'node:crypto';
import { UnreadableError, unreadable, unwrapped } from './decode.ts';
import { decodeStored } from './formats/formats.ts';
import { FormatError } from './formats/value.ts';
import { type Identity, identify, type SessionUser, type UserPaths } from './identity.ts';
import { LargeSessions } from './large-sessions.ts';
import type { Verdict } from './login.ts';
import type { SessionSource } from './source.ts';
import { maxSessionBytes, UnsettledError } from './store.ts';

/**
 * Sessions of at least so many bytes are decoded in a thread of their own, and verdicts on them are remembered: a digest
 * costs less than decoding them again.
 */
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
  /** The verdict on the bytes of a session: at once, but for a large one. @throws StoreError if that cannot be said now */
  verdict(id: string, bytes: Buffer | null): SessionVerdict | Promise<SessionVerdict>;
  close(): void;
}

/** Judges by the format of the sessions and by the paths to their users. */
export function createJudge(source: SessionSource, user: UserPaths): Judge {
  const remembered = new Map<string, { digest: string; judging: Promise<SessionVerdict> }>();
  const large = new LargeSessions(source.format, user);

  function judge(id: string, bytes: Buffer): SessionVerdict | Promise<SessionVerdict> {
    if (bytes.length > maxSessionBytes) return noUser('invalid', `larger than ${maxSessionBytes} bytes`);
    try {
      const inner = unwrapped(source, id, bytes);
      if (inner.length === 0) return noUser('empty', 'the session is empty');
      const failed = (error: unknown) => notDecoded(unreadable(error, source, inner));
      // A few bytes may have been a megabyte before they were compressed.
      if (inner.length >= largeBytes) {
        return large.identify(inner).then((found) => byIdentity(found, bytes), failed);
      }
      try {
        return byIdentity(identify(decodeStored(source.format, inner), user), bytes);
      } catch (error) {
        return failed(error);
      }
    } catch (error) {
      return notDecoded(error);
    }
  }

  async function judgeLarge(id: string, bytes: Buffer): Promise<SessionVerdict> {
    const verdict = await judge(id, bytes);
    // Without the bytes, which each caller has.
    return verdict.state === 'user' ? { ...verdict, bytes: Buffer.alloc(0) } : verdict;
  }

  async function remember(id: string, bytes: Buffer): Promise<SessionVerdict> {
    // A visitor with a large session can therefore connect again and again, and many times at once, without costing much
    // of this process's time.
    const digest = createHash('sha256').update(bytes).digest('base64');
    const known = remembered.get(id);
    const judging = known?.digest === digest ? known.judging : judgeLarge(id, bytes);
    remembered.delete(id);
    remembered.set(id, { digest, judging });
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value as string);
    try {
      const verdict = await judging;
      return verdict.state === 'user' ? { ...verdict, bytes } : verdict;
    } catch (error) {
      if (remembered.get(id)?.judging === judging) remembered.delete(id);
      throw error;
    }
  }

  return {
    verdict(id, bytes) {
      if (bytes === null) return noUser('nobody', 'there is no such session', hints.gone);
      const isLarge = bytes.length >= largeBytes && bytes.length <= maxSessionBytes;
      return isLarge ? remember(id, bytes) : judge(id, bytes);
    },
    close: () => large.close(),
  };
}

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

/** @throws the error if it says nothing of the session's content */
function notDecoded(error: unknown): SessionVerdict {
  if (!(error instanceof UnreadableError)) throw error;
  return noUser('invalid', error.looks, error.hint, error.message);
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
  if (error instanceof FormatError) {
    return { state: 'invalid', kind: 'what the store holds is damaged', reason: error.message };
  }
  if (!(error instanceof UnsettledError)) throw error;
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
