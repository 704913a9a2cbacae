import type { EndReason, Message, PresenceChange, ServerToClient, User } from '../../server/events.ts';

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
  message(message: Message): void;
  presence(change: PresenceChange): void;
}

export class RequestError extends Error {
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, retryAfterMs?: number) {
    super(code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
