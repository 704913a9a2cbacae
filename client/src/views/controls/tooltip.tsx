import type { Chat } from '../../chat/chat.ts';
import type { Context } from '../context.ts';
import { frameAround } from './frame.ts';

const POINTED_MS = 500;
const GAP = 6;
/** Maximum number of users to name. */
const NAMED = 8;

interface Around extends Pick<Context, 'strings' | 'touch' | 'changed'> {
  /** The moderators' page has no current room, and so no reactions. */
  readonly chat: Pick<Chat, 'me' | 'request'> & Partial<Pick<Chat, 'current'>>;
}

/**
 * Shows a tooltip after the pointer rests on an element, or on keyboard focus: the name of an icon button, the time of
 * an edit, or the users of a reaction.
 */
export class Tooltip {
  readonly #context: Around;
  #of: HTMLElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the pointer was last seen. */
  #at: readonly [x: number, y: number] | undefined;

  constructor(context: Around) {
    this.#context = context;
  }

  get shown(): boolean {
    return this.#of !== undefined;
  }

  readonly pointed = (event: PointerEvent) => {
    const button = named(event.target);
    if (button === this.#of) return;
    this.hide();
    // Something that appears below a resting pointer, such as after a click, was not pointed at.
    const rests = this.#at?.[0] === event.screenX && this.#at[1] === event.screenY;
    this.#at = [event.screenX, event.screenY];
    if (button === undefined || rests || event.pointerType === 'touch' || this.#context.touch()) return;
    this.#timer = setTimeout(() => this.show(button), POINTED_MS);
  };

  readonly pressed = ({ screenX, screenY }: PointerEvent) => {
    this.#at = [screenX, screenY];
    this.hide();
  };

  readonly focused = ({ target }: FocusEvent) => {
    if (!(target instanceof Element) || !target.matches(':focus-visible') || this.#context.touch()) return;
    const button = named(target) ?? target.querySelector<HTMLElement>(':scope > .bubble .edited');
    if (button !== null) this.show(button);
  };

  readonly hide = () => {
    clearTimeout(this.#timer);
    if (this.#of === undefined) return;
    if (this.#of.dataset.emoji !== undefined) delete this.#of.dataset.tip;
    this.#of = undefined;
    this.#context.changed();
  };

  draw() {
    const button = this.#of;
    const name = button?.dataset.tip ?? button?.getAttribute('aria-label');
    // A button with an open menu needs no tooltip.
    if (button?.isConnected !== true || button.getAttribute('aria-expanded') === 'true') return undefined;
    if (name == null) return undefined;
    return (
      <div class="tip" role="tooltip" key={name} ref={this.#place}>
        {name}
      </div>
    );
  }

  show(button: HTMLElement): void {
    this.#of = button;
    this.#context.changed();
    if (button.dataset.emoji !== undefined) void this.#nameThem(button, button.dataset.emoji);
  }

  async #nameThem(button: HTMLElement, emoji: string): Promise<void> {
    const { chat, strings, changed } = this.#context;
    const seq = Number(button.closest('.msg')?.getAttribute('aria-posinset'));
    const room = chat.current;
    const reaction = room?.timeline.get(seq)?.reactions?.find((one) => one.emoji === emoji);
    if (room === undefined || reaction === undefined) return;
    // If the request fails, there is no tooltip, and the button still shows the number.
    const answer = await chat
      .request('message:reactions', { room: room.id, seq, emoji })
      .catch(() => undefined);
    if (answer === undefined || this.#of !== button) return;
    const names = answer.users.map(({ id, name }) => (id === chat.me?.id ? strings.text('msg.you') : name));
    const more = reaction.count - NAMED;
    const list = (type: 'conjunction' | 'unit') =>
      new Intl.ListFormat(strings.locale, { type }).format(names.slice(0, NAMED));
    button.dataset.tip =
      more > 0 ? strings.text('react.others', { names: list('unit'), n: more }) : list('conjunction');
    changed();
  }

  /** Places the tooltip below the button if it fits there, otherwise above, within the element. */
  readonly #place = (tip: HTMLElement | null) => {
    if (tip === null || this.#of === undefined) return;
    const frame = frameAround(tip);
    const button = frame.boxOf(this.#of);
    // A tooltip in a message goes above, because the next message is below.
    const fits = button.bottom + GAP + tip.offsetHeight <= frame.height;
    const below = fits && this.#of.dataset.tip === undefined;
    const top = below ? button.bottom + GAP : button.top - GAP - tip.offsetHeight;
    const middle = (button.left + button.right - tip.offsetWidth) / 2;
    const left = Math.max(GAP, Math.min(middle, frame.width - GAP - tip.offsetWidth));
    tip.style.insetBlockStart = `${top}px`;
    tip.style.left = `${left}px`;
  };
}

/** Returns the element that has a tooltip. The large view covers tooltips, so its buttons have a `title` instead. */
function named(target: EventTarget | null): HTMLElement | undefined {
  return target instanceof Element && target.closest('.lightbox') === null
    ? (target.closest<HTMLElement>(':is(.icon, .send, .add, .play)[aria-label], [data-emoji], [data-tip]') ??
        undefined)
    : undefined;
}
