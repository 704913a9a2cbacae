import type { Message } from '../../../../server/wire/events.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import { addressIn, hashOf, withoutHash } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import { copy } from '../controls/copy.ts';
import { listTime } from '../rooms/list-time.ts';

/** A link that opens in this chat instead of a new tab. */
export interface MessageLink {
  readonly text: string;
  open(): void;
}

/** Maximum number of messages to request. Otherwise links could make other clients request without limit. */
const MOST_ASKED = 100;

/**
 * Returns the page for links to messages and rooms: this page if its history uses the hash, otherwise the page of the
 * chat server.
 */
export function chatPage({ attribute, chat }: Pick<Context, 'attribute' | 'chat'>): string {
  return attribute('history') === 'hash' ? withoutHash(location.href) : chat.server;
}

export function copyLink({ room: id, seq }: Message, context: Context): void {
  const room = context.chat.rooms.get(id)?.summary;
  const said =
    room === undefined || room.kind === 'public'
      ? context.strings.text('copyLink.donePublic')
      : context.strings.text('copyLink.done', { room: context.strings.roomName(room) });
  copy(chatPage(context) + hashOf(id, seq), context, said);
}

/** Returns the message of a link; undefined if deleted or unknown. @throws RequestError, also for a private room */
export async function linked({ chat }: Context, room: string, seq: number): Promise<Message | undefined> {
  const { messages } = await chat.request('message:history', { room, before: seq + 1, limit: 1 });
  const [message] = messages;
  return message?.seq === seq && message.deletedAt === undefined ? message : undefined;
}

/**
 * Opens links to the chat in place. To users who may read it, a message is shown by its room and time, a room by its
 * name. Other users see the link as written.
 */
export class MessageLinks {
  readonly #context: Context;
  /** Redraws all messages that contain such a link. */
  readonly #found: () => void;
  readonly #accept: (token: string) => void;
  /** When the messages were sent; null if the user cannot see the message, or it is not loaded yet. */
  readonly #times = new Map<string, number | null>();
  #asking: Promise<void> = Promise.resolve();

  /** @param accept - shows the invite with this token */
  constructor(context: Context, found: () => void, accept: (token: string) => void) {
    this.#context = context;
    this.#found = found;
    this.#accept = accept;
  }

  /** The new connection may be for another user. */
  ready(): void {
    for (const [key, at] of this.#times) if (at === null) this.#times.delete(key);
  }

  silent(room?: string): void {
    if (room === undefined && this.#context.chat.me === undefined) this.#times.clear();
  }

  of(href: string): MessageLink | undefined {
    const { chat, strings, jump, open } = this.#context;
    const url = URL.parse(href);
    const asked = addressIn(url?.hash ?? '');
    const page = withoutHash(href);
    if (asked === undefined || (page !== chatPage(this.#context) && page !== chat.server)) return undefined;
    if ('token' in asked) return { text: href, open: () => this.#accept(asked.token) };
    const { room: id, seq } = asked;
    const room = chat.rooms.get(id);
    if (room === undefined) return undefined;
    const { kind } = room.summary;
    const name = `${kind === 'direct' ? '' : '#'}${strings.roomName(room.summary)}`;
    if (seq === undefined) return { text: name, open: () => open(id) };
    const at = this.#timeOf(room, seq);
    if (at === null) return undefined;
    const time = listTime(at, strings);
    const isToday = time === strings.time(at);
    return {
      text: strings.text('copyLink.shown', { room: name, time: isToday ? time : strings.onDay(time, at) }),
      open: () => jump({ room: id, seq }),
    };
  }

  #timeOf(room: Room, seq: number): number | null {
    const known = room.timeline.get(seq);
    if (known !== undefined) return known.deletedAt === undefined ? known.sentAt : null;
    const key = hashOf(room.id, seq);
    const at = this.#times.get(key);
    if (at !== undefined) return at;
    this.#times.set(key, null);
    // The requests run one after the other.
    if (this.#times.size <= MOST_ASKED) this.#asking = this.#asking.then(() => this.#ask(room.id, seq, key));
    return null;
  }

  async #ask(room: string, seq: number, key: string): Promise<void> {
    try {
      const message = await linked(this.#context, room, seq);
      if (message === undefined) return;
      this.#times.set(key, message.sentAt);
      this.#found();
    } catch (error) {
      // The link stays as it was written.
      if (!(error instanceof RequestError)) throw error;
    }
  }
}
