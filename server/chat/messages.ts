import { RequestError } from '../errors.ts';
import type { Answers, Message, RequestPayload } from '../events.ts';
import type { History, NewMessage } from '../history/history.ts';
import type { Member } from './member.ts';
import type { Rooms } from './rooms.ts';

/** Sending and reading messages. */
export class Messages {
  readonly #history: History;
  readonly #rooms: Rooms;
  readonly #maxText: number;

  /** @param maxText the longest text, in Unicode code points */
  constructor(history: History, rooms: Rooms, maxText: number) {
    this.#history = history;
    this.#rooms = rooms;
    this.#maxText = maxText;
  }

  /** @throws RequestError when this member may not send this, whatever the limits and the storage say */
  check(member: Member, { room, text }: RequestPayload<'message:send'>): void {
    checkText(text, this.#maxText);
    this.#rooms.readable(room);
    if (!member.joined.has(room)) throw new RequestError('not_joined');
  }

  /** Resolves when the message is durable; it has been published by then. */
  send(
    member: Member,
    payload: RequestPayload<'message:send'>,
  ): Promise<Answers['message:send'] & { repeated: boolean }> {
    return this.#history.append(newMessage(member, payload));
  }

  /** The stored message when this is a repeat, else null; a repeat is answered even to who is limited. */
  repeatOf(member: Member, payload: RequestPayload<'message:send'>): Promise<Message | null> {
    return this.#history.repeatOf(newMessage(member, payload));
  }

  async history({
    room,
    before,
    limit,
  }: RequestPayload<'message:history'>): Promise<Answers['message:history']> {
    const { lastSeq } = this.#rooms.readable(room);
    const upTo = before === undefined ? lastSeq : Math.min(before - 1, lastSeq);
    return this.#history.newest(room, upTo, limit);
  }
}

function newMessage(member: Member, payload: RequestPayload<'message:send'>): NewMessage {
  const { room, text, clientId, replyTo } = payload;
  return {
    room,
    clientId,
    user: member.user,
    text,
    ...(replyTo === undefined ? {} : { replyTo }),
    sentAt: Date.now(),
  };
}

/** @throws RequestError `bad_request` or `too_long` */
function checkText(text: string, maxText: number): void {
  // Half of a surrogate pair cannot be stored as UTF-8: it would come back as another text than was sent.
  if (!text.isWellFormed()) throw new RequestError('bad_request', 'text holds half of a surrogate pair');
  // C0, but for tab and line feed: the first thirty-two of what Unicode calls Cc.
  if (/(?![\t\n\x7f-\x9f])\p{Cc}/u.test(text)) {
    throw new RequestError('bad_request', 'text holds a control character');
  }
  if (/^[\p{White_Space}\p{Cf}]*$/u.test(text)) throw new RequestError('bad_request', 'text is blank');
  // A text has at least half as many code points as UTF-16 units, so most need no counting.
  if (text.length > maxText && [...text].length > maxText) throw new RequestError('too_long');
}
