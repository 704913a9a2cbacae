import { blocks } from '../store/blocks.ts';
import { type Entry, entries } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { Slice } from '../store/slice.ts';
import type { Context } from './context.ts';
import { empty } from './empty.ts';
import { arrange, h, set } from './h.ts';
import type { MessageActions, MessageView } from './message.ts';
import { Messages } from './messages.ts';
import { Roving } from './roving.ts';
import { ScrollKeeper } from './scroll-keeper.ts';
import { skeleton } from './skeleton.ts';

/** Older messages are fetched, or shown, this far ahead of where the reader is. */
const AHEAD = 800;
const SKELETON_MS = 300;

/** The messages of the open room. */
export class TimelineView {
  readonly element = h('div', {
    class: 'timeline scroll',
    part: 'timeline',
    role: 'log',
    'aria-live': 'off',
  });
  /** Messages of others below what is in sight. */
  below = 0;
  readonly #context: Context;
  readonly #column = h('div', { class: 'column' });
  readonly #slice = new Slice();
  readonly #messages: Messages;
  readonly #scroll: ScrollKeeper;
  readonly #roving: Roving;
  readonly #left = new Map<string, { from: string | undefined; offset: number; end: boolean }>();
  #room: Room | undefined;
  #placed = false;
  #seen = 0;
  #entries: readonly Entry[] = [];
  #since = Date.now();

  constructor(context: Context, actions: Omit<MessageActions, 'resize'>) {
    this.#context = context;
    this.element.append(this.#column);
    this.#messages = new Messages(context, {
      ...actions,
      resize: (change) => {
        this.#scroll.resize(change);
        context.changed();
      },
    });
    this.#scroll = new ScrollKeeper(this.element, this.#column, () => this.#scrolled());
    this.#roving = new Roving(this.#column, '.msg');
  }

  /** The newest message is in sight. */
  get atEnd(): boolean {
    return this.#placed && this.#slice.follows && this.#scroll.atEnd;
  }

  render(): void {
    const { chat, strings } = this.#context;
    const room = chat.current;
    if (room !== this.#room) this.#change(room);
    set(this.element, {
      'aria-label': strings.text('timeline.label', { room: room?.summary.name ?? '' }),
      'aria-busy': room?.timeline.head === undefined && 'true',
    });
    if (room === undefined || room.timeline.head === undefined) return this.#wait();
    this.#entries = entries(room.timeline.list(), chat.pending(room), chat.me);
    if (!this.#placed) this.#place(room);
    else this.#draw(room);
    this.#extend(room);
    this.#count(room);
  }

  /** Goes to the newest message: after sending, or when the pill is pressed. */
  toEnd(): void {
    this.#slice.toEnd();
    this.#scroll.toEnd();
    this.#context.changed();
  }

  /** Shows that message in the middle and marks it for a moment; fetches it first where it has to. */
  async jump(seq: number): Promise<void> {
    const room = this.#room;
    if (room === undefined || !(await this.#context.chat.sync.reach(room, seq)) || room !== this.#room)
      return;
    this.render();
    const index = this.#entries.findIndex((entry) => entry.message?.seq === seq);
    const entry = this.#entries[index];
    if (entry === undefined) return;
    this.#slice.around(this.#entries, index);
    this.#draw(room);
    const view = this.#messages.get(entry.key);
    if (view === undefined) return;
    this.#scroll.show(view.element, 0.5);
    view.flash();
    view.element.focus({ preventScroll: true });
  }

  view(element: Element): MessageView | undefined {
    return this.#messages.of(element.closest('.msg'));
  }

  /** Nothing of it may stay. */
  clear(): void {
    this.#change(undefined);
    this.#left.clear();
    this.#since = Date.now();
    this.#wait();
  }

  #change(room: Room | undefined): void {
    const { chat } = this.#context;
    if (this.#room !== undefined && this.#placed && chat.rooms.has(this.#room.id)) {
      this.#left.set(this.#room.id, { ...this.#scroll.position(), end: this.atEnd });
    }
    this.#room = room;
    this.#placed = false;
    this.#entries = [];
    this.#slice.toEnd();
    this.#messages.clear();
    this.#column.replaceChildren();
    this.#since = Date.now();
  }

  #wait(): void {
    // What comes at once needs no picture of its coming.
    const refused = this.#context.chat.connection.state.kind === 'refused';
    const shown = !refused && Date.now() - this.#since >= SKELETON_MS;
    if (!shown && !refused) setTimeout(() => this.#context.changed(), SKELETON_MS);
    if (shown !== this.#column.firstElementChild?.matches('[aria-hidden]')) {
      this.#column.replaceChildren(...(shown ? skeleton() : []));
    }
  }

  /** Opens a room: at the New line, or where one left it, or at the end. */
  #place(room: Room): void {
    const me = this.#context.chat.me?.id;
    const { newFrom } = room;
    const unseen =
      newFrom === undefined || room.timeline.first > newFrom
        ? -1
        : this.#entries.findIndex(
            ({ message, user }) => message !== undefined && message.seq >= newFrom && user.id !== me,
          );
    const left = this.#left.get(room.id);
    const before =
      left === undefined || left.end ? -1 : this.#entries.findIndex(({ key }) => key === left.from);
    this.#placed = true;
    if (unseen !== -1) this.#slice.around(this.#entries, unseen);
    else if (before !== -1) this.#slice.around(this.#entries, before);
    this.#scroll.toEnd();
    this.#draw(room);
    const line = this.#column.querySelector<HTMLElement>('.new');
    const view = this.#messages.get(this.#entries[before]?.key ?? '');
    if (line !== null) this.#scroll.show(line, 1 / 3);
    else if (view !== undefined && left !== undefined) this.#scroll.restore(view.element, left.offset);
    this.#seen = room.summary.lastSeq;
  }

  #draw(room: Room): void {
    const { chat, strings } = this.#context;
    const shown = this.#slice.of(this.#entries, !this.#scroll.atEnd);
    const newFrom =
      room.timeline.first <= (room.newFrom ?? 0) || room.timeline.complete ? room.newFrom : undefined;
    this.#scroll.keep(this.#slice.follows, () => {
      const children: Element[] = [];
      if (this.#entries.length === 0 && room.timeline.complete) {
        const text = strings.text('empty.room.text', { room: room.summary.name });
        children.push(
          this.#column.querySelector('.empty') ?? empty('bubble', strings.text('empty.room.title'), text),
        );
      }
      if (shown[0] === this.#entries[0] && room.timeline.complete && this.#entries.length > 0) {
        const start = strings.text('timeline.start', { room: room.summary.name });
        children.push(this.#column.querySelector('.start') ?? h('p', { class: 'note start' }, start));
      }
      const last = this.#entries.findLast((entry) => entry.user.id === chat.me?.id)?.key;
      children.push(...this.#messages.draw(blocks(shown, chat.me?.id ?? '', newFrom), room, last));
      this.#column.classList.toggle('none', this.#entries.length === 0);
      arrange(this.#column, children);
      this.#messages.fold(this.#column.clientWidth);
    });
    this.#roving.update(this.#roving.items().at(-1));
  }

  /** What the pill tells. */
  #count(room: Room): void {
    if (this.atEnd) this.#seen = Math.max(this.#seen, room.summary.lastSeq);
    const me = this.#context.chat.me?.id;
    this.below = this.#entries.filter(
      ({ message, user }) => message !== undefined && message.seq > this.#seen && user.id !== me,
    ).length;
  }

  #scrolled(): void {
    if (this.#placed) this.#context.changed();
  }

  /** Shows, or fetches, more where the reader comes near an edge. */
  #extend(room: Room): void {
    // Without a height it is not on the page, and every edge is near.
    if (this.element.clientHeight === 0) return;
    const above = this.#scroll.above < AHEAD;
    const moved =
      (above && this.#slice.older(this.#entries)) ||
      (this.#scroll.below < AHEAD && this.#slice.newer(this.#entries));
    if (moved) this.#context.changed();
    else if (above && room.joined) void this.#context.chat.sync.older(room);
  }
}
