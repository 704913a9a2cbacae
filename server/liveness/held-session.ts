import type { EndReason, User } from '../events.ts';
import type { LiveSession } from '../session/read-session.ts';
import type { Followed } from '../session/store.ts';
import { type Life, newLife } from './ttl.ts';

/** A store that tells each change may be wrong: so often a session is looked at in any case, in milliseconds. */
const lookAnyway = 60_000;

/** What is done to a connection when its session changes. */
export interface Lease {
  /** `session:ended` with the reason, then disconnected. */
  end(reason: EndReason): void;
  /** The session could not be confirmed for too long: the transport is closed, without a verdict. */
  giveUp(): void;
  rename(user: User): void;
}

/** A connection's hold on its session. `active`: its user does something, which can keep the session alive. */
export interface Hold {
  active(): void;
  release(): void;
}

/** A session with open connections. */
export interface HeldSession extends LiveSession, Life {
  leases: Set<Lease>;
  /** Takes it out of the rounds. */
  leave: () => void;
  /** When the store last confirmed this session, by the monotonic clock. */
  confirmed: number;
  /** When it was last looked at. */
  looked: number;
  /** When the last look began, if it got an answer. */
  seen: number;
  looking: boolean;
  /** Something was told meanwhile: it is looked at once more. */
  again: boolean;
  /** Where the store tells of those sessions only that it was told to follow. */
  followed: Followed | undefined;
}

export function heldSession(session: LiveSession): HeldSession {
  return {
    ...session,
    leases: new Set(),
    leave: () => {},
    confirmed: performance.now(),
    looked: Number.NEGATIVE_INFINITY,
    seen: Number.NEGATIVE_INFINITY,
    looking: false,
    again: false,
    followed: undefined,
    ...newLife,
  };
}

/** Whether the store would have told if there were anything new. */
export function isUnchanged({ followed, seen }: HeldSession): boolean {
  const since = followed?.since;
  return since !== undefined && since < seen && performance.now() - seen < lookAnyway;
}
