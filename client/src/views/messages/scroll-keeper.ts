import { boxIn, firstBelowTop } from '../box.ts';

/** A position within this distance of the bottom counts as the end, in CSS pixels. */
const END = 48;

/** A message and its distance from the top of the visible part. */
interface Anchor {
  readonly message: HTMLElement | undefined;
  readonly offset: number;
}

/**
 * Keeps the reader's position in a scrolled column. At the end, it follows new content. Elsewhere the first visible
 * message stays in place when content above it changes.
 */
export class ScrollKeeper {
  readonly #scroller: HTMLElement;
  readonly #column: HTMLElement;
  readonly #resized: ResizeObserver;
  /** Undefined until measured. */
  #width: number | undefined;
  /** The first visible message when the reader last scrolled. */
  #anchor: Anchor | undefined;
  #atEnd = true;

  /** @param changed - called after a change of width, or after a change of height that brought the end into view */
  constructor(scroller: HTMLElement, column: HTMLElement, changed: () => void) {
    this.#scroller = scroller;
    this.#column = column;
    // A larger composer, a resized window or wrapped text changes the height without a scroll event.
    this.#resized = new ResizeObserver(() => {
      if (this.#atEnd) this.#bottom();
      if (this.#width === column.clientWidth) {
        // A hidden timeline has no height.
        if (this.#atEnd || scroller.clientHeight === 0) return;
        this.measure();
        if (this.#atEnd) changed();
        return;
      }
      this.#width = column.clientWidth;
      if (!this.#atEnd && this.#width > 0) this.#return(this.#anchor);
      changed();
    });
    this.#resized.observe(scroller);
    this.#resized.observe(column);
  }

  stop(): void {
    this.#resized.disconnect();
  }

  scrolled(): void {
    // The width changed, so the browser scrolled and not the reader.
    if (this.#width !== undefined && this.#width !== this.#column.clientWidth) return;
    this.#anchor = this.#first();
    this.measure();
  }

  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** The first visible message when the reader last scrolled. */
  get first(): HTMLElement | undefined {
    return this.#anchor?.message;
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
   * Call before a redraw, and the result after it. `follow`: the column contains the newest message. At the end, this
   * message stays visible.
   */
  hold(follow: boolean): () => void {
    const stay = this.#atEnd && follow;
    const anchor = stay ? undefined : this.#first();
    return () => {
      if (stay) this.#bottom();
      else this.#return(anchor);
      if (!follow) this.#atEnd = false;
    };
  }

  /** Call after a change of height. The end may have come into view or left it. */
  measure(): void {
    this.#atEnd = this.below <= END;
  }

  /** Scrolls the element to a part of the free height: 0 is the top, 1 the bottom. */
  show(element: HTMLElement, part: number): void {
    const room = Math.max(0, this.#scroller.clientHeight - element.offsetHeight);
    this.restore(element, room * part);
  }

  restore(element: HTMLElement, offset: number): void {
    this.#scroller.scrollTop += boxIn(this.#scroller, element).top - offset;
    this.measure();
  }

  #return(to: Anchor | undefined): void {
    if (to?.message?.isConnected === true) this.restore(to.message, to.offset);
  }

  /** The key of the first visible message, and its distance from the top. */
  position(): { from: string | undefined; offset: number } {
    const { message, offset } = this.#first();
    return { from: message?.dataset.key, offset };
  }

  #first(): Anchor {
    const all = this.#column.querySelectorAll<HTMLElement>('.msg');
    const { element, offset } = firstBelowTop(this.#scroller, all);
    return { message: element, offset };
  }

  #bottom(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}
