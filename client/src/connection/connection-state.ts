import type {
  EndReason,
  Message,
  RequestFailure,
  ServerToClient,
  User,
} from '../../../server/wire/events.ts';

export type Ended = EndReason | 'unauthorized';
export type Ready = Parameters<ServerToClient['session:ready']>[0];

export type ConnectionState =
  /** The first attempts, without any answer yet. */
  | { readonly kind: 'connecting'; readonly since: number }
  /** The session seems over. The view stays empty until it is known whether the session was only renewed. */
  | { readonly kind: 'checking'; readonly since: number; readonly user: User | undefined }
  | { readonly kind: 'ready' }
  /** `retryAt` is in the past while an attempt is under way. `first`: there was no connection since `start`. */
  | {
      readonly kind: 'lost';
      readonly cause: 'network' | 'store' | 'many';
      readonly since: number;
      readonly retryAt: number;
      readonly first: boolean;
    }
  | { readonly kind: 'refused'; readonly cause: 'origin' | 'invalid' | 'banned' }
  /** `loginUrl`: where the server says that one logs in. */
  | {
      readonly kind: 'ended';
      readonly reason: Ended;
      readonly user: User | undefined;
      readonly loginUrl: string | undefined;
    };

export interface ConnectionListener {
  state(state: ConnectionState): void;
  ready(ready: Ready): void;
  /** The session may be over: nothing may be shown until `ready`. */
  hide(): void;
  /** This user has logged out for good: the server has said so, or the page takes the chat away. Nothing kept may stay. */
  over(user: User): void;
}

/** Handles each event of the server, except for those of the session, which the connection handles. */
export type ServerEvents = Omit<ServerToClient, 'session:ready' | 'session:ended'>;

/** Why a request was not carried out: a code of the protocol; `offline` and `timeout`, which is the end of a connection. */
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
