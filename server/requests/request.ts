import type { Chat } from '../chat/chat.ts';
import type { Connection, Room } from '../chat/model.ts';
import type { Answers, RequestName, RequestPayload, Right } from '../wire/events.ts';

/** Limits that only some requests count against; all requests count against CHAT_LIMIT_REQUESTS. */
export type LimitName = 'send' | 'search' | 'change' | 'create' | 'invite' | 'report';

/** The room that a request names. It exists, and the user may read it. */
type RoomOf<E extends RequestName> =
  RequestPayload<E> extends { room: string }
    ? Room
    : RequestPayload<E> extends { room?: string | undefined }
      ? Room | undefined
      : undefined;

export interface Context<E extends RequestName> {
  chat: Chat;
  connection: Connection;
  payload: RequestPayload<E>;
  room: RoomOf<E>;
  /** The request was a repeat, which counts against no limit of its own. */
  notCounted(): void;
  /** The user has done something, which keeps the session alive. */
  active(): void;
}

/**
 * The handler of one request. The dispatcher checks, in the order that the protocol promises: the payload's shape,
 * `check`, the room, `joined`, `right`, `allowed`, then the limits; `run` checks the rest.
 */
export interface RequestHandler<E extends RequestName> {
  /** Which requests it may overtake: see RequestOrder. */
  order: 'ordered' | 'change' | 'read';
  /** Rules of the payload beyond its shape. Throws RequestError `bad_request` or `too_long`. */
  check?(context: Pick<Context<E>, 'chat' | 'payload'>): void;
  /** The connection must have joined the room. */
  joined?: true;
  /** The right that the user needs in the room. */
  right?: Right;
  /** Whether the user may do it, beyond `right`: by the operator's settings, or by a role or membership elsewhere. */
  allowed?(context: Context<E>): boolean;
  /** The limits that it counts against, and its weight in each. */
  counts?(payload: RequestPayload<E>): Partial<Record<LimitName, number>>;
  run(context: Context<E>): Promise<Answers[E]>;
  /**
   * Returns an answer without changing anything, such as the one to a repeat; null if there is none. It is sent even if
   * the user has lost the right or is over a limit.
   */
  probe?(context: Context<E>): Promise<Answers[E] | null>;
}

export type RequestHandlers<E extends RequestName> = { [Name in E]: RequestHandler<Name> };
