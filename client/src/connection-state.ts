import type { EndReason, Message, RequestFailure, ServerToClient, User } from '../../server/events.ts';

export type Ended = EndReason | 'unauthorized';
export type Ready = Parameters<ServerToClient['session:ready']>[0];

export type ConnectionState =
  /** Not connected yet, or looking whether a session that seems over has only been renewed. */
  | { readonly kind: 'connecting'; readonly since: number }
  | { readonly kind: 'ready' }
  /** `since`: when the connection was lost. `retryAt` is in the past while an attempt is under way. */
  | {
      readonly kind: 'lost';
      readonly cause: 'network' | 'store' | 'rate';
      readonly since: number;
      readonly retryAt: number;
    }
  | { readonly kind: 'refused'; readonly cause: 'origin' | 'invalid' }
  | { readonly kind: 'ended'; readonly reason: Ended; readonly user: User | undefined };

export interface ConnectionListener {
  state(state: ConnectionState): void;
  ready(ready: Ready): void;
  /** The session may be over: nothing may be shown until `ready`. */
  hide(): void;
}

/** What becomes of each event of the server; those of the session are the connection's own. */
export type ServerEvents = Omit<ServerToClient, 'session:ready' | 'session:ended'>;

/** Why a request was not carried out: a code of the protocol, or `offline` or `timeout`. */
export class RequestError extends Error {
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  /** With `conflict` of an edit: the message as it is now. */
  readonly current: Message | undefined;

  constructor(code: string, { retryAfterMs, current }: Partial<RequestFailure> = {}) {
    super(code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.current = current;
  }
}
