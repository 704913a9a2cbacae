import type {
  ConnectFailure,
  EndReason,
  Message,
  Question,
  RequestFailure,
  ServerToClient,
  SiteBan,
  User,
} from '../../../server/wire/events.ts';

export type Ended = EndReason | 'unauthorized';
export type Ready = Parameters<ServerToClient['session:ready']>[0];

export type ConnectionState =
  /** The first attempt, without a response yet. */
  | { readonly kind: 'connecting'; readonly since: number }
  /** The session seems over. The view is empty while the client checks whether the session was only renewed. */
  | { readonly kind: 'checking'; readonly since: number; readonly user: User | undefined }
  | { readonly kind: 'ready' }
  /** Times are values of `performance.now()`. `retryAt` is in the past during an attempt. `first`: there was no connection since `start`. */
  | {
      readonly kind: 'lost';
      readonly cause: 'network' | 'store' | 'many';
      readonly since: number;
      readonly retryAt: number;
      readonly first: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly cause: 'origin' | 'invalid' | 'banned';
      readonly ban?: SiteBan | undefined;
    }
  /**
   * `loginUrl`: the login page that the server names. `guests`: what the visitor may do as a guest. `ban`: present if a
   * moderator banned the user.
   */
  | {
      readonly kind: 'ended';
      readonly reason: Ended;
      readonly user: User | undefined;
      readonly loginUrl: string | undefined;
      readonly guests?: ConnectFailure['guests'] | undefined;
      readonly ban?: SiteBan | undefined;
    };

export interface ConnectionListener {
  state(state: ConnectionState): void;
  ready(ready: Ready): void;
  /** The session may be over, or the server refuses the user. Nothing may be shown until `ready`. */
  hide(): void;
  /** The ticket was renewed, so file URLs need the new `fileAccess`. */
  renewed?(): void;
  /** The user logged out, or another user logged in. All stored data of the user must be deleted. */
  over(user: User): void;
}

/** Handlers of all server events, except the session events that the connection handles. */
export type ServerEvents = Omit<ServerToClient, 'session:ready' | 'session:ended'>;

/** A failed request. `code` is a code of the protocol, `offline`, or `timeout`, which also ends the connection. */
export class RequestError extends Error {
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  /** The current message, if an edit failed with `conflict`. */
  readonly current: Message | undefined;
  /** The question, if another member of the team has it. */
  readonly question: Question | undefined;

  constructor(code: string, { retryAfterMs, current, question }: Partial<RequestFailure> = {}) {
    super(code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.current = current;
    this.question = question;
  }
}
