/** Counts as the end. */
const END = 48;

/**
 * Where the reader is in a scrolled column. At the end it stays there through everything that grows;
 * elsewhere the first message in sight stays where it is, whatever comes or goes above.
 */
export class ScrollKeeper {
  readonly #scroller: HTMLElement;
  readonly #column: HTMLElement;
  readonly #changed: () => void;
  readonly #resized: ResizeObserver;
  /** Undefined until it is measured. */
  #width: number | undefined;
  /** The first message in sight when the reader last scrolled. */
  #anchor: { readonly message: HTMLElement; readonly offset: number } | undefined;
  #atEnd = true;

  /** @param changed it was scrolled, or its width is another */
  constructor(scroller: HTMLElement, column: HTMLElement, changed: () => void) {
    this.#scroller = scroller;
    this.#column = column;
    this.#changed = changed;
    // The composer grows, the window changes, a text wraps in another way: none of these scrolls.
    this.#resized = new ResizeObserver(() => {
      if (this.#atEnd) this.#bottom();
      if (this.#width === column.clientWidth) return;
      this.#width = column.clientWidth;
      if (!this.#atEnd && this.#width > 0 && this.#anchor?.message.isConnected === true)
        this.restore(this.#anchor.message, this.#anchor.offset);
      changed();
    });
    this.#resized.observe(scroller);
    this.#resized.observe(column);
  }

  stop(): void {
    this.#resized.disconnect();
  }

  scrolled(): void {
    // The browser moved a column that became shorter. The reader did not scroll.
    if (this.#width !== undefined && this.#width !== this.#column.clientWidth) return;
    const { message, offset } = this.#first();
    this.#anchor = message && { message, offset };
    this.#atEnd = this.below <= END;
    this.#changed();
  }

  get atEnd(): boolean {
    return this.#atEnd;
  }

  get above(): number {
    return this.#scroller.scrollTop;
  }

  get below(): number {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  toEnd(): void {
    this.#atEnd = true;
    this.#bottom();
  }

  /**
   * Before anything changes: where what is read stands. To be called back when all has changed.
   * `follow`: the column reaches to the newest message, which stays in sight if it is.
   */
  hold(follow: boolean): () => void {
    const stay = this.#atEnd && follow;
    const anchor = stay ? undefined : this.#firstVisible();
    const top = anchor?.getBoundingClientRect().top ?? 0;
    return () => {
      if (stay) this.#bottom();
      else if (anchor?.isConnected === true)
        this.#scroller.scrollTop += anchor.getBoundingClientRect().top - top;
      if (!follow) this.#atEnd = false;
    };
  }

  /** The height of what is read has changed: the end may have come into sight, or gone. */
  measure(): void {
    this.#atEnd = this.below <= END;
  }

  /** Scrolls so that the element stands at this part of the height. */
  show(element: HTMLElement, part: number): void {
    const room = Math.max(0, this.#scroller.clientHeight - element.offsetHeight);
    this.restore(element, room * part);
  }

  restore(element: HTMLElement, offset: number): void {
    const top = element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
    this.#scroller.scrollTop += top - offset;
    this.#atEnd = this.below <= END;
  }

  /** The first message in sight, and how far it is from the top. */
  position(): { from: string | undefined; offset: number } {
    const { message, offset } = this.#first();
    return { from: message?.dataset.key, offset };
  }

  #first(): { message: HTMLElement | undefined; offset: number } {
    const message = this.#firstVisible();
    const { top } = this.#scroller.getBoundingClientRect();
    return { message, offset: message === undefined ? 0 : message.getBoundingClientRect().top - top };
  }

  #bottom(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** The last message of which something is in sight. */
  get last(): HTMLElement | undefined {
    const { bottom } = this.#scroller.getBoundingClientRect();
    const { all, at } = this.#search((message) => message.getBoundingClientRect().top >= bottom);
    return all[at - 1];
  }

  #firstVisible(): HTMLElement | undefined {
    const { top } = this.#scroller.getBoundingClientRect();
    const { all, at } = this.#search((message) => message.getBoundingClientRect().bottom > top);
    return all[at];
  }

  /** The first message of which that is true, as it is of all after it: half of them are left out with each look. */
  #search(found: (message: HTMLElement) => boolean): { all: HTMLElement[]; at: number } {
    const all = [...this.#column.querySelectorAll<HTMLElement>('.msg')];
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const message = all[middle];
      if (message !== undefined && found(message)) high = middle;
      else low = middle + 1;
    }
    return { all, at: low };
  }
}
