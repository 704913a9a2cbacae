import { startOfDay } from '../../strings/strings.ts';
import { boxIn } from '../box.ts';
import type { Context } from '../context.ts';
import { frameAround } from '../controls/frame.ts';
import type { Messages } from './touch-and-keys.ts';

/** How long the pill stays after the last scroll. */
const STAYS_MS = 1500;
/** Near the end of the timeline, in CSS pixels, there is no pill, because the newest messages are from today. */
const NEAR_END = 300;
/** Distance from the top of the timeline, in CSS pixels. */
const GAP = 8;

/**
 * The day of the topmost visible message, while the user scrolls and no line above the message shows its day. A click
 * offers to go to another day.
 */
export class DayPill {
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #messages: Messages;
  /** The beginning of the day, in Unix ms. */
  #day: number | undefined;
  /** The area of the timeline for which the pill was placed. Each placement costs a style recalculation. */
  #area: string | undefined;
  #frame: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, root: ShadowRoot, messages: Messages, signal: AbortSignal) {
    this.#context = context;
    this.#root = root;
    this.#messages = messages;
    // Scroll events do not bubble.
    root.addEventListener('scroll', this.#scrolled, { signal, capture: true });
    signal.addEventListener('abort', () => this.#hide());
  }

  draw() {
    const { chat, strings, dialog } = this.#context;
    const room = chat.current;
    // The user's settings may replace the timeline.
    const isShown = this.#root.querySelector('.main > .timeline') !== null;
    const day = this.#day;
    if (day === undefined || room === undefined || !isShown) return undefined;
    return (
      // Keyboard users find the dialog in the menu of the room.
      <button
        type="button"
        class="day-pill"
        tabIndex={-1}
        ref={this.#hold}
        onPointerEnter={() => clearTimeout(this.#timer)}
        onPointerLeave={() => this.#stay()}
        onClick={() => {
          this.#hide();
          dialog({ kind: 'day', room, day });
        }}
      >
        {strings.day(day)}
      </button>
    );
  }

  readonly #scrolled = ({ target }: Event) => {
    if (!(target instanceof HTMLElement) || !target.matches('.main > .timeline')) return;
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#look(target);
    });
  };

  #look(timeline: HTMLElement): void {
    const { scrollHeight, scrollTop, clientHeight } = timeline;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) return this.#hide();
    // The timeline may have been resized or moved.
    this.#place(this.#root.querySelector('.day-pill'), timeline);
    const element = this.#messages.top();
    // A line of a day is above the group of the day's first message.
    let line = element?.previousElementSibling?.matches('.msg')
      ? null
      : element?.closest('.group')?.previousElementSibling;
    while (line && !line.matches('.day, .group')) line = line.previousElementSibling;
    if (line?.matches('.day') && boxIn(timeline, line).bottom > 0) return this.#hide();
    const sentAt = element && this.#messages.find(element)?.props.entry.sentAt;
    const day = sentAt === undefined ? undefined : startOfDay(sentAt);
    this.#stay();
    // The chat renders as seldom as possible while the user scrolls.
    if (day === this.#day) return;
    this.#day = day;
    this.#context.changed();
  }

  #stay(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#hide(), STAYS_MS);
  }

  #hide(): void {
    clearTimeout(this.#timer);
    if (this.#day === undefined) return;
    this.#day = undefined;
    this.#context.changed();
  }

  readonly #hold = (pill: HTMLElement | null) => {
    this.#area = undefined;
    this.#place(pill, this.#root.querySelector('.main > .timeline'));
  };

  #place(pill: HTMLElement | null, timeline: Element | null): void {
    if (pill === null || timeline === null) return;
    const { top, left, right } = frameAround(pill).boxOf(timeline);
    const area = `${top} ${left} ${right}`;
    if (area === this.#area) return;
    this.#area = area;
    pill.style.insetBlockStart = `${top + GAP}px`;
    pill.style.left = `${(left + right - pill.offsetWidth) / 2}px`;
  }
}
