import type { Chat } from '../chat/chat.ts';
import type { Connection, Room } from '../chat/model.ts';
import type { Answers, RequestName, RequestPayload, Right } from '../events.ts';

/** Limits that only some requests count against; all count against CHAT_LIMIT_REQUESTS. */
export type LimitName = 'send' | 'search' | 'change' | 'create' | 'invite' | 'report';

/** The room that a request names: found, and the user may read it. */
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
  /** This was a repeat: it counts against no limit of its own. */
  notCounted(): void;
  /** The user is there and has done something: that keeps the session alive. */
  active(): void;
}

/**
 * What one request does. The dispatcher checks, in the order that the protocol promises: the payload's shape, `check`,
 * the room, `joined`, `right`, then the limits; `run` finds the rest.
 */
export interface RequestHandler<E extends RequestName> {
  /** What may overtake what: see RequestOrder. */
  order: 'ordered' | 'change' | 'read';
  /** Rules of the payload beyond its shape. Throws RequestError `bad_request` or `too_long`. */
  check?(context: Pick<Context<E>, 'chat' | 'payload'>): void;
  /** The connection must have joined the room. */
  joined?: true;
  /** What the user must be allowed to do in the room. */
  right?: Right;
  /** What the user must be allowed to do by the operator's settings. */
  allowed?(context: Context<E>): boolean;
  /** Against which limits it counts, and as how many. */
  counts?(payload: RequestPayload<E>): Partial<Record<LimitName, number>>;
  run(context: Context<E>): Promise<Answers[E]>;
  /**
   * Finds an answer without changing anything, such as that to a repeat; null if there is none. It is sent even if the
   * user has lost the right or is over a limit.
   */
  probe?(context: Context<E>): Promise<Answers[E] | null>;
}

export type RequestHandlers<E extends RequestName> = { [Name in E]: RequestHandler<Name> };
