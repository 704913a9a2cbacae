import type { Chat } from '../../chat/chat.ts';
import type { Context } from '../context.ts';

const POINTED_MS = 500;
const GAP = 6;
/** People who are named. */
const NAMED = 8;

interface Around extends Pick<Context, 'strings' | 'touch' | 'changed'> {
  /** Without a room nothing has reactions. */
  readonly chat: Pick<Chat, 'me' | 'request'> & Partial<Pick<Chat, 'current'>>;
}

/**
 * Says the name of a button that is only a picture, and when a message was edited: to who points at it for a while, or
 * comes to it by keyboard. Of a reaction it names the people.
 */
export class Tooltip {
  readonly #context: Around;
  #of: HTMLElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Around) {
    this.#context = context;
  }

  get shown(): boolean {
    return this.#of !== undefined;
  }

  readonly pointed = ({ target, pointerType }: PointerEvent) => {
    const button = named(target);
    if (button === this.#of) return;
    this.hide();
    if (button === undefined || pointerType === 'touch' || this.#context.touch()) return;
    this.#timer = setTimeout(() => this.show(button), POINTED_MS);
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
    // The open menu says enough.
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
    // Without an answer their number has to do.
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

  /** Below the button where there is room, else above; within the element. */
  readonly #place = (tip: HTMLElement | null) => {
    if (tip === null || this.#of === undefined) return;
    const around = (tip.offsetParent ?? document.documentElement).getBoundingClientRect();
    const button = this.#of.getBoundingClientRect();
    // Below a message is the next one.
    const fits = button.bottom + GAP + tip.offsetHeight <= around.bottom;
    const below = fits && this.#of.dataset.tip === undefined;
    const top = below ? button.bottom + GAP : button.top - GAP - tip.offsetHeight;
    const middle = (button.left + button.right - tip.offsetWidth) / 2;
    const left = Math.max(around.left + GAP, Math.min(middle, around.right - GAP - tip.offsetWidth));
    tip.style.insetBlockStart = `${top - around.top}px`;
    tip.style.left = `${left - around.left}px`;
  };
}

/** None in the large view: it covers them, and its buttons have a `title`. */
function named(target: EventTarget | null): HTMLElement | undefined {
  return target instanceof Element && target.closest('.lightbox') === null
    ? (target.closest<HTMLElement>(':is(.icon, .send, .add, .play)[aria-label], [data-emoji], [data-tip]') ??
        undefined)
    : undefined;
}
