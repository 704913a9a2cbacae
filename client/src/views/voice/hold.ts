/** A finger that rests for this time holds the button. A shorter touch is a click. */
const HOLD_MS = 200;
const DISCARD_PX = 80;
const LOCK_PX = 60;

/** How a hold ends: lifted, slid towards the start of the line, slid up, or cancelled by the browser. */
export type HoldEnd = 'let go' | 'start' | 'up' | 'away';

/** A finger that holds the record button. */
export class Hold {
  /** Undefined while the finger holds. */
  end: HoldEnd | undefined;
  ended: ((end: HoldEnd) => void) | undefined;
  readonly #from: PointerEvent;
  readonly #isMirrored: boolean;
  readonly #stop = new AbortController();

  /** @param begun - called when the finger has rested for `HOLD_MS` */
  constructor(from: PointerEvent, begun: () => void) {
    this.#from = from;
    this.#isMirrored = getComputedStyle(from.currentTarget as Element).direction === 'rtl';
    const { signal } = this.#stop;
    const timer = setTimeout(begun, HOLD_MS);
    signal.addEventListener('abort', () => clearTimeout(timer));
    // Listens on the window, because the row that appears during the hold may replace the button.
    const on = (type: 'pointermove' | 'pointerup' | 'pointercancel', run: (event: PointerEvent) => void) =>
      addEventListener(type, (event) => event.pointerId === from.pointerId && run(event), { signal });
    on('pointermove', (event) => this.#moved(event));
    on('pointerup', () => this.#finish('let go'));
    on('pointercancel', () => this.#finish('away'));
  }

  #moved({ clientX, clientY }: PointerEvent): void {
    const across = this.#from.clientX - clientX;
    if ((this.#isMirrored ? -across : across) >= DISCARD_PX) this.#finish('start');
    else if (this.#from.clientY - clientY >= LOCK_PX) this.#finish('up');
  }

  #finish(end: HoldEnd): void {
    this.#stop.abort();
    this.end = end;
    this.ended?.(end);
  }
}
