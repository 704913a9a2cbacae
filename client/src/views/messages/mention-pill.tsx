import { boxIn } from '../box.ts';
import type { Context } from '../context.ts';
import { frameAround } from '../controls/frame.ts';

const GAP = 6;

/** A button next to the one that jumps to the end. It jumps to the next message below that mentions the reader. */
export class MentionPill {
  readonly #context: Pick<Context, 'strings' | 'changed'>;
  readonly #root: ShadowRoot;
  readonly #resized = new ResizeObserver(() => this.#place());
  #next: HTMLElement | undefined;
  #button: HTMLElement | null = null;

  constructor(context: Pick<Context, 'strings' | 'changed'>, root: ShadowRoot, signal: AbortSignal) {
    this.#context = context;
    this.#root = root;
    // Scroll events do not bubble.
    const scrolled = () => this.#next !== undefined && this.#next !== this.#below() && context.changed();
    root.addEventListener('scroll', scrolled, { signal, capture: true });
    signal.addEventListener('abort', () => this.#resized.disconnect());
  }

  draw() {
    this.#next = this.#below();
    if (this.#next === undefined) return undefined;
    return (
      <button
        type="button"
        class="jump at"
        key="pill"
        aria-label={this.#context.strings.text('rooms.mentioned')}
        ref={this.#hold}
        onClick={() => {
          this.#next?.scrollIntoView({ block: 'center' });
          this.#next?.focus({ preventScroll: true });
        }}
      >
        @
      </button>
    );
  }

  /** Returns the next mention below. Undefined without the button that jumps to the end. */
  #below(): HTMLElement | undefined {
    const log = this.#root.querySelector<HTMLElement>('[role=log]');
    if (log === null || this.#pill() === null) return undefined;
    const all = [...log.querySelectorAll<HTMLElement>('.tome')];
    return all.find((message) => boxIn(log, message).top >= log.offsetHeight);
  }

  #pill(): Element | null {
    return this.#root.querySelector('.composer .jump');
  }

  readonly #hold = (button: HTMLElement | null) => {
    this.#button = button;
    this.#resized.disconnect();
    if (button === null) return;
    this.#place();
    const pill = this.#pill();
    // The button that jumps to the end changes its width with its number, and moves when the composer or its
    // surroundings are resized.
    for (const part of [pill, pill?.parentElement, button.offsetParent])
      if (part) this.#resized.observe(part);
  };

  #place(): void {
    const button = this.#button;
    const pill = this.#pill();
    if (button === null || pill === null) return;
    const { left, right, top } = frameAround(button).boxOf(pill);
    const rtl = button.matches(':dir(rtl)');
    button.style.left = `${rtl ? left - GAP - button.offsetWidth : right + GAP}px`;
    button.style.top = `${top}px`;
  }
}
