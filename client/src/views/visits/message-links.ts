import type { Message } from '../../../../server/wire/events.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import { addressIn, hashOf, withoutHash } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import { copy } from '../controls/copy.ts';
import { listTime } from '../rooms/list-time.ts';

/** A link to a message of a room that the reader may read. */
export interface MessageLink {
  readonly text: string;
  open(): void;
}

/** The most messages that are asked for: nobody can make other people's clients ask without end by links. */
const MOST_ASKED = 100;

/** The page to which links to messages and to rooms lead: the chat's own, wherever this one is shown. */
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

/** The message that a link names; undefined if it is deleted or unknown. @throws RequestError for a private room, too */
export async function linked({ chat }: Context, room: string, seq: number): Promise<Message | undefined> {
  const { messages } = await chat.request('message:history', { room, before: seq + 1, limit: 1 });
  const [message] = messages;
  return message?.seq === seq && message.deletedAt === undefined ? message : undefined;
}

/** Links to messages within texts: shown by their room and time to those who may read them, to others as they are. */
export class MessageLinks {
  readonly #context: Context;
  /** All messages that show such a link are drawn again. */
  readonly #found: () => void;
  /** When they were sent; null for those that cannot be seen, or are not known yet. */
  readonly #times = new Map<string, number | null>();
  #asking: Promise<void> = Promise.resolve();

  constructor(context: Context, found: () => void) {
    this.#context = context;
    this.#found = found;
  }

  /** Over a new connection it may be another user. */
  ready(): void {
    for (const [key, at] of this.#times) if (at === null) this.#times.delete(key);
  }

  silent(room?: string): void {
    if (room === undefined && this.#context.chat.me === undefined) this.#times.clear();
  }

  of(href: string): MessageLink | undefined {
    const { chat, strings, jump } = this.#context;
    const url = URL.parse(href);
    const asked = addressIn(url?.hash ?? '');
    if (asked === undefined || !('seq' in asked) || asked.seq === undefined) return undefined;
    const page = withoutHash(href);
    if (page !== chatPage(this.#context) && page !== chat.server) return undefined;
    const { room: id, seq } = asked;
    const room = chat.rooms.get(id);
    if (room === undefined) return undefined;
    const at = this.#timeOf(room, seq);
    if (at === null) return undefined;
    const { kind } = room.summary;
    const name = `${kind === 'direct' ? '' : '#'}${strings.roomName(room.summary)}`;
    const time = listTime(at, strings);
    const clock = strings.time(at);
    return {
      text: strings.text('copyLink.shown', { room: name, time: time === clock ? time : `${time}, ${clock}` }),
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
    // The next one waits for the answer.
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
      // Such a link stays as it was written.
      if (!(error instanceof RequestError)) throw error;
    }
  }
}
