import { createHash } from 'node:crypto';
import { decodeSession, UnreadableError } from './decode.ts';
import { FormatError } from './formats/value.ts';
import { identify, type SessionUser, type UserPaths } from './identity.ts';
import type { SessionSource } from './source.ts';
import { maxSessionBytes, UnsettledError } from './store.ts';

/** From this size on, in bytes, what a session showed is remembered: to decode it again costs more than to compare. */
const large = 16 * 1024;
const mostRemembered = 100;
/** So many readings of an unsettled session have to show the same, the last ones that can be read. */
const enoughReadings = 4;

/** Most visitors without a session are just that, so most of these are for the case that nobody gets in. */
const hints = {
  gone: 'if every visitor gets this: the store URL names another place or prefix than PHP writes to',
  nobody: 'if every visitor gets this: the user lies elsewhere in this site’s sessions than the path says',
  invalid:
    'the path has to lead to one user id, an integer or a string, and to decode (!) only what is serialized',
};

/**
 * For the log, without any value of the session. `reason` says what was missing or wrong; `kind` is the same without
 * what differs from case to case, from a small set; `hint` is what would mend it, where it is the settings' fault.
 */
export interface Why {
  reason: string;
  kind: string;
  hint?: string | undefined;
}

/** What one look at a session showed. `empty`: there is a record, but PHP has (for now) nothing in it. */
export type Look =
  | { state: 'user'; user: SessionUser; bytes: Buffer }
  | ({ state: 'nobody' | 'empty' | 'invalid' } & Why);

/** What the bytes of a session show, by its format and by the paths to its user. */
export function createLook(
  source: SessionSource,
  user: UserPaths,
): (id: string, bytes: Buffer | null) => Look {
  const remembered = new Map<string, { digest: string; look: Look }>();

  function lookNow(id: string, bytes: Buffer): Look {
    if (bytes.length > maxSessionBytes) return none('invalid', `larger than ${maxSessionBytes} bytes`);
    try {
      const session = decodeSession(source, id, bytes);
      if (session === undefined) return none('empty', 'the session is empty');
      const found = identify(session, user);
      // A copy: a store's answer may be a small part of a large piece of memory.
      if ('user' in found) return { state: 'user', user: found.user, bytes: Buffer.from(bytes) };
      if ('nobody' in found) return none('nobody', found.nobody, hints.nobody);
      return none('invalid', found.invalid, hints.invalid);
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      return none('invalid', error.looks, error.hint, error.message);
    }
  }

  return (id, bytes) => {
    if (bytes === null) return none('nobody', 'there is no such session', hints.gone);
    if (bytes.length < large || bytes.length > maxSessionBytes) return lookNow(id, bytes);
    // Whoever connects again and again with a large session takes no more of this process's time than others.
    const digest = createHash('sha256').update(bytes).digest('base64');
    const known = remembered.get(id);
    remembered.delete(id);
    const { look } = known?.digest === digest ? known : { look: lookNow(id, bytes) };
    // Not the bytes, which the caller has.
    remembered.set(id, { digest, look: look.state === 'user' ? { ...look, bytes: Buffer.alloc(0) } : look });
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value as string);
    return look.state === 'user' ? { ...look, bytes } : look;
  };
}

/**
 * What a session shows that its store could not give. Half of one may look like another user's, or like a logout;
 * halves of several writings do not look the same.
 * @throws the error, where it tells nothing of the session
 */
export const unread =
  (look: (bytes: Buffer) => Look) =>
  (error: unknown): Look => {
    if (!(error instanceof UnsettledError)) return damaged(error);
    const looks = error.readings
      .map(look)
      .filter(({ state }) => state === 'user' || state === 'nobody')
      .slice(-enoughReadings);
    const last = looks.at(-1);
    if (last === undefined || looks.length < enoughReadings) throw error;
    if (!looks.every((one) => userOf(one) === userOf(last))) throw error;
    return last;
  };

const userOf = (look: Look): string | undefined => (look.state === 'user' ? look.user.id : undefined);

/** The store has something under the id, and it is no session. */
function damaged(error: unknown): Look {
  if (!(error instanceof FormatError)) throw error;
  return { state: 'invalid', kind: 'what the store holds is damaged', reason: error.message };
}

function none(state: 'nobody' | 'empty' | 'invalid', kind: string, hint?: string, reason = kind): Look {
  return { state, kind, reason, hint };
}
