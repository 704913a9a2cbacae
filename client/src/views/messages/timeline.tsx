import type { Entry } from '../../store/entries.ts';
import { Slice } from '../../store/slice.ts';
import type { Talk } from '../../store/talk.ts';
import { mentions } from '../../store/user-ids.ts';
import { atMost99 } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { BONES_MS } from '../controls/bones.tsx';
import { Icon } from '../controls/icon.tsx';
import { Roving } from '../controls/roving.ts';
import { Skeleton } from '../controls/skeleton.tsx';
import type { MessageActions } from './message.tsx';
import { MessageList } from './message-list.tsx';
import { ScrollKeeper } from './scroll-keeper.ts';

/** More messages are shown or fetched when the reader is within this distance of an edge, in CSS pixels. */
const AHEAD = 800;
const FLASH_MS = 1600;

/** A scroll position: the end, or the entry `from` at this distance from the top. */
interface Place {
  readonly from: string | undefined;
  readonly offset: number;
  readonly end: boolean;
  /** `Talk.newFrom` at that time. */
  readonly newFrom: number | undefined;
}

/** The messages to show, and how to get more. */
export interface Source {
  talk(): Talk | undefined;
  label(): string;
  entries(): readonly Entry[];
  /** Loads the message into the list. Resolves to false if that is not possible. */
  reach(seq: number): Promise<boolean>;
  older(): void;
  newer(): void;
}

/**
 * The messages of the open room, or of a thread. A redraw has three steps, so that all layout reads come before all
 * writes: `hold` measures the reader's position, `draw` renders, `settle` restores the position.
 */
export class TimelineView {
  readonly #context: Context;
  readonly #source: Source;
  readonly #slice = new Slice();
  readonly #list: MessageList;
  readonly #left = new Map<string, Place>();
  #element: HTMLElement | undefined;
  #scroll: ScrollKeeper | undefined;
  #roving: Roving | undefined;
  #talk: Talk | undefined;
  #placed = false;
  /** `seq` of the last mention to which the button below the messages led. */
  #mentioned = 0;
  #entries: readonly Entry[] = [];
  #shown: readonly Entry[] = [];
  #width = 0;
  #since = performance.now();
  #wake: ReturnType<typeof setTimeout> | undefined;
  #growing: ReturnType<typeof setTimeout> | undefined;
  #restore: (() => void) | undefined;
  /** Scrolls to the place that was opened. Repeated until all messages around it are rendered. */
  #aim: (() => void) | undefined;
  /** A visible message is changing its height. */
  #resizing = false;
  #target: number | undefined;
  /** A jump that waits until the room is joined. */
  #awaited: { talk: Talk; seq: number } | undefined;

  constructor(context: Context, actions: MessageActions, source: Source) {
    this.#context = context;
    this.#source = source;
    this.#list = new MessageList(context, actions, { resize: this.#resize, later: (ms) => this.#later(ms) });
  }

  /** Whether the newest message is visible. */
  get atEnd(): boolean {
    const attached = this.#talk?.timeline.attached === true;
    return this.#placed && attached && this.#slice.follows && this.#scroll?.atEnd === true;
  }

  /** Whether the newest message is out of view. */
  get awayFromEnd(): boolean {
    return this.#placed && !this.atEnd;
  }

  /** Whether the messages are shown, or the room is known to be empty. */
  get shown(): boolean {
    return this.#placed;
  }

  get visible(): boolean {
    return this.#element !== undefined && this.#element.getClientRects().length > 0;
  }

  /** Scrolls to the newest message. */
  readonly toEnd = () => {
    this.#talk?.timeline.toEnd();
    this.#slice.toEnd();
    this.#aim = undefined;
    this.#scroll?.toEnd();
    this.#context.changed();
  };

  /** Goes to the next unread mention, or to the newest message. */
  readonly #onward = () => {
    const { me } = this.#context.chat;
    const after = Math.max(this.#mentioned, this.#talk?.room.summary.readSeq ?? 0);
    const next = this.#entries.find(
      ({ message }) => message !== undefined && message.seq > after && mentions(message, me?.id),
    );
    if (next?.message === undefined) return this.toEnd();
    this.#mentioned = next.message.seq;
    void this.jump(this.#mentioned);
  };

  /** Shows a message in the middle and highlights it for a moment. Fetches it if necessary. */
  async jump(seq: number): Promise<void> {
    const talk = this.#source.talk();
    // Jumps when the room is joined.
    if (talk !== undefined && talk.timeline.head === undefined) this.#awaited = { talk, seq };
    if (talk === undefined || !(await this.#source.reach(seq)) || talk !== this.#talk) return;
    this.#target = seq;
    this.#context.draw();
  }

  /** The user's newest message that can be edited, now or when the server has stored it. */
  get lastOwn(): Entry | undefined {
    const { me } = this.#context.chat;
    return this.#entries.findLast(({ user, message, unsent }) => {
      if (user.id !== me?.id) return false;
      if (message === undefined) return unsent?.failed === undefined && unsent?.forward === undefined;
      return !message.deletedAt && !message.forwarded && !message.poll;
    });
  }

  /** Clears everything shown and all stored positions. */
  clear(): void {
    this.#awaited = undefined;
    this.#change(undefined);
    this.#left.clear();
  }

  hold(): void {
    const talk = this.#source.talk();
    if (talk !== this.#talk) this.#change(talk);
    this.#restore = undefined;
    if (talk === undefined || !isReady(talk)) return;
    const awaited = this.#awaited;
    this.#awaited = undefined;
    if (awaited?.talk === talk) void this.jump(awaited.seq);
    this.#entries = this.#source.entries();
    const place = this.#placed ? undefined : this.#place(talk);
    const target = this.#entries.findIndex(
      ({ message }) => message !== undefined && message.seq === this.#target,
    );
    if (target !== -1) {
      this.#slice.around(this.#entries, target);
      this.#mark(this.#entries[target]?.key);
    }
    this.#shown = this.#slice.of(this.#entries, this.#scroll?.atEnd === false);
    const follow = talk.timeline.attached && this.#slice.follows && !this.#resizing;
    const restore = this.#scroll?.hold(follow);
    this.#restore = place ?? restore;
  }

  draw() {
    const { chat } = this.#context;
    const talk = this.#talk;
    // The loaded messages may all be only in threads.
    const waiting =
      talk === undefined || !isReady(talk) || (this.#entries.length === 0 && !talk.timeline.complete);
    const nothing = chat.roomless || (!waiting && this.#entries.length === 0);
    return (
      <div
        class={talk?.room.preview ? 'timeline scroll preview' : 'timeline scroll'}
        part="timeline"
        role="log"
        aria-live="off"
        aria-label={this.#source.label()}
        aria-busy={waiting || undefined}
        key={talk?.id ?? ''}
        ref={this.#attach}
        onScroll={this.#scrolled}
      >
        <div class={nothing ? 'column none' : 'column'}>
          {chat.roomless
            ? this.#context.noRoom()
            : waiting && chat.connection.state.kind !== 'refused' && this.#wait()}
          {!waiting && this.#list.draw(talk, this.#entries, this.#shown)}
        </div>
      </div>
    );
  }

  /** The button to the newest message, with the number and the sign that the room has in the list of rooms. */
  jumper() {
    const room = this.#talk?.room;
    if (room === undefined || !this.awayFromEnd) return undefined;
    const { chat, strings } = this.#context;
    const unread = atMost99(chat.unreadIn(room));
    const words = [
      strings.text('timeline.jump'),
      unread !== '0' && strings.text('rooms.unread', { n: unread }),
      room.mentions > 0 && strings.text('rooms.mentioned'),
    ];
    return (
      <button
        type="button"
        class={room.mentions > 0 ? 'jump at' : 'jump'}
        aria-label={strings.list(words)}
        onClick={this.#onward}
      >
        <Icon name="down" />
        {unread !== '0' && (
          <span class="badge" aria-hidden="true">
            {unread}
          </span>
        )}
      </button>
    );
  }

  /** Returns whether a text became long or short, so that it must be redrawn. */
  fold(): boolean {
    const width = this.#element?.firstElementChild?.clientWidth ?? 0;
    const resized = width !== this.#width;
    this.#width = width;
    const counted = [...this.#list.drawn.values()].map((message) => ({
      message,
      lines: message.lines(resized),
    }));
    return counted.filter(({ message, lines }) => lines !== undefined && message.fold(lines)).length > 0;
  }

  settle(): void {
    const talk = this.#talk;
    const scroll = this.#scroll;
    if (talk === undefined || !isReady(talk) || scroll === undefined) return;
    this.#restore?.();
    this.#aim?.();
    this.#placed = true;
    if (this.#resizing) scroll.measure();
    this.#resizing = false;
    this.#show(scroll);
    this.#roving?.update(this.#roving.items().at(-1));
    this.#extend(talk, scroll);
  }

  /** The reader scrolls in many small steps, so a step renders only if it changes what is shown. */
  readonly #scrolled = () => {
    const talk = this.#talk;
    const scroll = this.#scroll;
    if (talk === undefined || scroll === undefined) return;
    const { atEnd } = this;
    scroll.scrolled();
    if (!this.#placed) return;
    if (atEnd !== this.atEnd) this.#context.changed();
    else this.#extend(talk, scroll);
  };

  readonly #attach = (element: HTMLElement | null) => {
    // The user's settings replace the room.
    if (element === null) this.#leave();
    this.#scroll?.stop();
    this.#element = element ?? undefined;
    this.#scroll = undefined;
    this.#roving = undefined;
    const column = element?.firstElementChild;
    if (element === null || !(column instanceof HTMLElement)) return;
    this.#scroll = new ScrollKeeper(element, column, () => this.#placed && this.#context.changed());
    this.#roving = new Roving(column, '.msg');
  };

  /**
   * Returns the message that contains the element, if this list rendered it. A thread next to the room shows the same
   * messages.
   */
  readonly find = (element: Element) => {
    const message = this.#list.drawn.get(element.closest<HTMLElement>('.msg')?.dataset.key ?? '');
    return message?.element?.contains(element) === true ? message : undefined;
  };

  /** The first visible message when the reader last scrolled. */
  readonly top = () => this.#scroll?.first;

  /** Stores the reader's position. A covered room keeps the one from before it was covered. */
  save(): void {
    const talk = this.#talk;
    if (talk === undefined || this.#scroll === undefined || !this.#placed || !this.visible) return;
    const place = this.#scroll.position();
    const { newFrom } = talk;
    if (this.#context.chat.rooms.has(talk.room.id))
      this.#left.set(talk.id, { ...place, end: this.atEnd, newFrom });
  }

  /** Opens the same room again, after the list of rooms covered it. */
  reopen(): void {
    this.#placed = false;
    this.#aim = undefined;
    this.#slice.toEnd();
  }

  #leave(): void {
    this.save();
    this.#placed = false;
  }

  #change(talk: Talk | undefined): void {
    this.#leave();
    // Each room and thread has its own element.
    this.#scroll?.stop();
    this.#scroll = undefined;
    this.#talk = talk;
    this.#entries = [];
    this.#shown = [];
    this.#target = undefined;
    this.#mentioned = 0;
    this.#aim = undefined;
    this.#slice.toEnd();
    this.#since = performance.now();
  }

  #wait() {
    if (performance.now() - this.#since >= BONES_MS) return <Skeleton />;
    this.#later(BONES_MS);
    return undefined;
  }

  #later(ms: number): void {
    this.#wake ??= setTimeout(() => {
      this.#wake = undefined;
      this.#context.changed();
    }, ms);
  }

  /** Opens a room at its New line, otherwise at the position where the user left it, otherwise at the end. */
  #place(talk: Talk): () => void {
    const me = this.#context.chat.me?.id;
    const { newFrom } = talk;
    const left = this.#left.get(talk.id);
    const known = left !== undefined && left.newFrom === newFrom;
    const unseen =
      known || newFrom === undefined || talk.timeline.first > newFrom
        ? -1
        : this.#entries.findIndex(
            ({ message, user }) => message !== undefined && message.seq >= newFrom && user.id !== me,
          );
    const before =
      left === undefined || left.end ? -1 : this.#entries.findIndex(({ key }) => key === left.from);
    if (unseen !== -1) this.#slice.around(this.#entries, unseen);
    else if (before !== -1) this.#slice.around(this.#entries, before);
    const key = this.#entries[before]?.key ?? '';
    return () => {
      this.#scroll?.toEnd();
      this.#aim = () => {
        const line = known ? null : this.#element?.querySelector<HTMLElement>('.new');
        const message = this.#list.drawn.get(key)?.element;
        if (line != null) this.#scroll?.show(line, 1 / 3);
        else if (message != null && left !== undefined) this.#scroll?.restore(message, left.offset);
      };
    };
  }

  /** Scrolls the target of a jump into view. */
  #show(scroll: ScrollKeeper): void {
    const entry = this.#entries.find(({ message }) => message !== undefined && message.seq === this.#target);
    const element = this.#list.drawn.get(entry?.key ?? '')?.element;
    this.#target = undefined;
    if (element == null) return;
    this.#aim = () => element.isConnected && scroll.show(element, 0.5);
    this.#aim();
    element.focus({ preventScroll: true });
  }

  #mark(key: string | undefined): void {
    this.#list.flash = key;
    setTimeout(() => {
      if (this.#list.flash === key) this.#list.flash = undefined;
      this.#context.changed();
    }, FLASH_MS);
  }

  readonly #resize = () => {
    this.#resizing = true;
    this.#context.draw();
  };

  readonly #grow = () => {
    this.#growing = undefined;
    const scroll = this.#scroll;
    if (scroll === undefined || !this.#placed) return;
    const moved =
      (scroll.above < AHEAD && this.#slice.older(this.#entries)) ||
      (scroll.below < AHEAD && this.#slice.newer(this.#entries));
    if (moved) this.#context.draw();
  };

  /** Shows or fetches more messages if the reader is near an edge. */
  #extend({ room }: Talk, scroll: ScrollKeeper): void {
    // Without a height the element is hidden, and every edge would seem near.
    if (this.#element?.clientHeight === 0) return;
    const above = scroll.above < AHEAD;
    const below = scroll.below < AHEAD;
    if ((above && this.#shown[0] !== this.#entries[0]) || (below && !this.#slice.follows)) {
      // A separate task, so that the browser can paint the frame first.
      this.#growing ??= setTimeout(this.#grow);
      return;
    }
    this.#aim = undefined;
    if (room.readable) {
      if (above) this.#source.older();
      if (below) this.#source.newer();
    }
  }
}

/** Whether the messages are loaded, and the position to open at is known. */
const isReady = ({ timeline, opening }: Talk) => timeline.head !== undefined && !opening;
