import type { Chat } from '../chat/chat.ts';
import type { Connection, Room } from '../chat/model.ts';
import type { Answers, RequestName, RequestPayload, Right, SiteRole } from '../wire/events.ts';
import type { RequestOrder } from './order.ts';

/** Limits that only some requests count against. All requests count against CHAT_LIMIT_REQUESTS. */
export type LimitName = 'send' | 'search' | 'change' | 'create' | 'invite' | 'report';

/** The room that a request names. It exists, and the user may read it. */
type RoomOf<E extends RequestName> =
  RequestPayload<E> extends { room: string }
    ? Room
    : RequestPayload<E> extends { room?: string | undefined }
      ? Room | undefined
      : undefined;

/** Values of `RequestHandler.guests`. */
export const allGuests: readonly SiteRole[] = ['reader', 'guest'];
export const guestsWhoWrite: readonly SiteRole[] = ['guest'];

export interface Context<E extends RequestName> {
  chat: Chat;
  connection: Connection;
  payload: RequestPayload<E>;
  room: RoomOf<E>;
  /** Removes the request from the limits in `counts`, for example because it is a repeat. */
  notCounted(): void;
  /** Records user activity, which keeps the session alive. */
  active(): void;
  /** See `Client`. */
  renew(ticket: string): Promise<Answers['session:renew']>;
}

/**
 * The handler of one request. The dispatcher checks, in the order that the protocol promises: the payload's shape,
 * `check`, the room, `guests`, `joined`, `right`, `allowed`, a mute, then the limits. `run` checks the rest.
 */
export interface RequestHandler<E extends RequestName> {
  /** The guests who may make the request. */
  guests?: readonly SiteRole[];
  /** Which other requests of the connection it waits for: see `RequestOrder`. */
  order: keyof RequestOrder;
  /**
   * Checks the payload beyond its shape.
   * @throws RequestError `bad_request` or `too_long`
   */
  check?(context: Pick<Context<E>, 'chat' | 'payload'>): void;
  /** Set if the connection must have joined the room. */
  joined?: true;
  /** The right that the user needs in the room. */
  right?: Right;
  /** Checks permissions beyond `right`, such as the operator's settings, a role or a membership. */
  allowed?(context: Context<E>): boolean;
  /** The limits that the request counts against, and its weight in each. */
  counts?(payload: RequestPayload<E>): Partial<Record<LimitName, number>>;
  run(context: Context<E>): Promise<Answers[E]>;
  /**
   * Returns a response without changing anything, for example to a repeat, or null if the request must run. The
   * response is sent even if the user lost the right or is over a limit.
   */
  probe?(context: Context<E>): Promise<Answers[E] | null>;
}

export type RequestHandlers<E extends RequestName> = { [Name in E]: RequestHandler<Name> };
