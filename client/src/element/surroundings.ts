/** Boxes of the page that cut off what is outside of them: the element is no higher than what is seen of it there. */
export class Surroundings {
  readonly #host: HTMLElement;
  readonly #sheet = new CSSStyleSheet();
  readonly #seen = new ResizeObserver(() => this.#fit());
  readonly #observed = new Set<Element>();

  constructor(host: HTMLElement, root: ShadowRoot) {
    this.#host = host;
    root.adoptedStyleSheets.push(this.#sheet);
    this.#observe(host);
    this.#fit();
  }

  stop(): void {
    this.#seen.disconnect();
  }

  #fit(): void {
    // As high as it is in the open page.
    this.#sheet.replaceSync('');
    const { top, bottom } = this.#host.getBoundingClientRect();
    const room = Math.floor(this.#end(bottom) - top);
    // Where not even the least height has room, it is the page that scrolls.
    if (
      top + room < Math.floor(bottom) &&
      room >= Number.parseFloat(getComputedStyle(this.#host).minBlockSize)
    )
      this.#sheet.replaceSync(`:host{--pc-room:${room}px}`);
  }

  #end(bottom: number): number {
    let end = bottom;
    // The body cuts off only what is outside the window, and a launcher's panel stands above the page.
    for (let box = this.#host.parentElement; box && box !== document.body; box = box.parentElement) {
      if (box.localName === 'php-chat-launcher') break;
      if (!/hidden|clip/.test(getComputedStyle(box).overflowY)) continue;
      this.#observe(box);
      end = Math.min(end, box.getBoundingClientRect().top + box.clientTop + box.clientHeight);
    }
    return end;
  }

  /** Once: the first look at a size counts as a change. */
  #observe(box: Element): void {
    if (!this.#observed.has(box)) this.#seen.observe(box);
    this.#observed.add(box);
  }
}
