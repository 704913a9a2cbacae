/** A finger that rests for so long holds the button; one that is gone before has pressed it. */
const HOLD_MS = 200;
const DISCARD_PX = 80;
const LOCK_PX = 60;

/** How a hold ends: let go, slid to the start, slid up, or taken away by the browser. */
export type HoldEnd = 'let go' | 'start' | 'up' | 'away';

/** A finger on the button. */
export class Hold {
  /** Undefined as long as it holds. */
  end: HoldEnd | undefined;
  /** Is called with the end. */
  ended: ((end: HoldEnd) => void) | undefined;
  readonly #from: PointerEvent;
  readonly #isMirrored: boolean;
  readonly #stop = new AbortController();

  /** @param begun - is called when the finger has rested */
  constructor(from: PointerEvent, begun: () => void) {
    this.#from = from;
    this.#isMirrored = getComputedStyle(from.currentTarget as Element).direction === 'rtl';
    const { signal } = this.#stop;
    const timer = setTimeout(begun, HOLD_MS);
    signal.addEventListener('abort', () => clearTimeout(timer));
    // On the window: what is drawn while it holds may take the button's place.
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
