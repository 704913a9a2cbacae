import type { Context } from '../context.ts';

const GAP = 6;

/** Beside the pill that leads to the newest message: leads to the next one below that mentions the reader. */
export class MentionPill {
  readonly #context: Pick<Context, 'strings' | 'changed'>;
  readonly #root: ShadowRoot;
  #next: HTMLElement | undefined;

  constructor(context: Pick<Context, 'strings' | 'changed'>, root: ShadowRoot, signal: AbortSignal) {
    this.#context = context;
    this.#root = root;
    // It does not bubble.
    const scrolled = () => this.#next !== undefined && this.#next !== this.#below() && context.changed();
    root.addEventListener('scroll', scrolled, { signal, capture: true });
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
        ref={this.#place}
        onClick={() => {
          this.#next?.scrollIntoView({ block: 'center' });
          this.#next?.focus({ preventScroll: true });
        }}
      >
        @
      </button>
    );
  }

  /** Only while there is a pill. */
  #below(): HTMLElement | undefined {
    const log = this.#root.querySelector('[role=log]');
    if (log === null || this.#pill() === null) return undefined;
    const { bottom } = log.getBoundingClientRect();
    const all = [...log.querySelectorAll<HTMLElement>('.tome')];
    return all.find((message) => message.getBoundingClientRect().top >= bottom);
  }

  #pill(): Element | null {
    return this.#root.querySelector('.composer .jump');
  }

  readonly #place = (button: HTMLElement | null) => {
    const pill = this.#pill()?.getBoundingClientRect();
    if (button === null || pill === undefined) return;
    const around = (button.offsetParent ?? document.documentElement).getBoundingClientRect();
    const rtl = button.matches(':dir(rtl)');
    const left = rtl ? pill.left - GAP - button.offsetWidth : pill.right + GAP;
    button.style.left = `${left - around.left}px`;
    button.style.top = `${pill.top - around.top}px`;
  };
}
