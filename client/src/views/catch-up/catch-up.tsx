import type { TargetedWheelEvent } from 'preact';
import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { quotation } from '../messages/quotation.ts';
import { type Highlight, highlights } from './highlights.ts';

/** The bar is shown from this number of unread messages on. */
const LEAST_UNREAD = 30;
/** Maximum number of unread messages to search, the newest first. */
const MOST_UNREAD = 500;
const PAGE = 100;
/** Maximum number of different reactions that are shown. */
const EMOJI = 3;

/** The icon of a reason, and its text. Messages with reactions show these instead of a text. */
const looks = {
  mention: { icon: 'at', text: 'catchUp.mention' },
  poll: { icon: 'poll', text: 'poll.new' },
  question: { icon: 'question', text: 'replies.none.title' },
  event: { icon: 'calendar', text: 'poll.newEvent' },
  reactions: { icon: 'emoji', text: undefined },
  pictures: { icon: 'picture', text: 'details.pictures' },
} as const;

/** The bar above the timeline of a room that was opened with many unread messages. It shows which to look at first. */
export class CatchUp implements Follower {
  readonly #context: Context;
  /** The open room, since it has been shown. */
  #room: Room | undefined;
  #found: readonly Highlight[] = [];
  /** Whether the search has started, or the room has too few unread messages for it. */
  #done = false;

  constructor(context: Context) {
    this.#context = context;
  }

  bar(room: Room) {
    if (room !== this.#room) this.#begin(room);
    if (!this.#done && room.joined && !room.opening) this.#look(room);
    const { strings, draw } = this.#context;
    const shown = this.#shown(room);
    if (shown.length === 0) return undefined;
    return (
      <section class="catch-up" aria-label={strings.text('catchUp.label')}>
        <ul class="scroll" onWheel={scrollSideways}>
          {shown.map((highlight) => (
            <li key={highlight.message.seq}>{this.#item(highlight)}</li>
          ))}
        </ul>
        <IconButton
          name="close"
          label={strings.text('pin.hide')}
          press={() => {
            this.#found = [];
            draw();
          }}
        />
      </section>
    );
  }

  /** A newer state of a message that the timeline may not contain. */
  message(message: Message): void {
    if (message.room !== this.#room?.id) return;
    this.#found = this.#found.map((highlight) =>
      highlight.message.seq === message.seq && highlight.message.rev < message.rev
        ? { ...highlight, message }
        : highlight,
    );
  }

  reset(room: Room): void {
    if (room === this.#room) this.#found = [];
  }

  removed(room: Room): void {
    this.reset(room);
  }

  over(): void {
    this.#room = undefined;
    this.#found = [];
  }

  #begin(room: Room): void {
    this.#room = room;
    this.#found = [];
    this.#done = room.newFrom === undefined || room.summary.lastSeq - room.newFrom + 1 < LEAST_UNREAD;
  }

  #look(room: Room): void {
    const { chat, changed } = this.#context;
    const { timeline, newFrom = 0, summary } = room;
    const to = summary.lastSeq;
    const from = Math.max(newFrom, to - MOST_UNREAD + 1);
    this.#done = true;
    const find = (messages: readonly Message[]) => {
      this.#found = highlights(messages, chat.me?.id ?? '');
    };
    if (timeline.attached && timeline.first <= from)
      return find(timeline.list().filter(({ seq }) => seq >= from));
    void chat.tasks.once(`catch up in ${room.id}`, async (current) => {
      const messages: Message[] = [];
      for (let after = from - 1; after < to; after = messages.at(-1)?.seq ?? to) {
        const page = await chat.request('message:history', { room: room.id, after, limit: PAGE });
        messages.push(...page.messages);
        if (page.complete || page.messages.length === 0) break;
      }
      if (!current() || room !== this.#room) return;
      find(messages.filter(({ seq }) => seq <= to));
      changed();
    });
  }

  /** The current states of the found messages that the reader may still see. */
  #shown({ summary: { firstSeq = 1 }, timeline }: Room): Highlight[] {
    return this.#found.flatMap(({ reason, message: found }) => {
      const known = timeline.get(found.seq);
      const message = known !== undefined && known.rev > found.rev ? known : found;
      const isGone = message.deletedAt !== undefined || message.seq < firstSeq;
      return isGone || this.#context.instead(message) !== undefined ? [] : [{ reason, message }];
    });
  }

  #item({ reason, message }: Highlight) {
    const { strings, jump } = this.#context;
    const { name, line } = quotation(message, this.#context);
    const look = looks[reason === 'poll' && message.poll?.event !== undefined ? 'event' : reason];
    return (
      <button type="button" onClick={() => jump(message)}>
        <small>
          <Icon name={look.icon} size="s" />
          <span>{look.text === undefined ? reactions(message) : strings.text(look.text)} ·</span>{' '}
          <bdi>{name}</bdi>
        </small>
        <span dir="auto">{line}</span>
      </button>
    );
  }
}

/** A mouse wheel scrolls only downwards. */
function scrollSideways({ currentTarget: list, deltaX, deltaY }: TargetedWheelEvent<HTMLElement>): void {
  if (deltaX === 0) list.scrollLeft += list.matches(':dir(rtl)') ? -deltaY : deltaY;
}

const reactions = (message: Message): string =>
  [...(message.reactions ?? [])]
    .sort((a, b) => b.count - a.count)
    .slice(0, EMOJI)
    .map(({ emoji, count }) => `${emoji} ${count}`)
    .join('  ');
