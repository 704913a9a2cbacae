import { boxIn } from '../views/box.ts';
import { pageLook } from './page-look.ts';

/** Limits the element's height to the visible part of the page's boxes that clip it. Adds the rule of `pageLook`. */
export class Surroundings {
  readonly #host: HTMLElement;
  readonly #sheet = new CSSStyleSheet();
  readonly #seen = new ResizeObserver(() => this.#fit());
  readonly #observed = new Set<Element>();

  constructor(host: HTMLElement, root: ShadowRoot) {
    this.#host = host;
    const look = new CSSStyleSheet();
    look.replaceSync(pageLook(host));
    root.adoptedStyleSheets.push(this.#sheet, look);
    this.#observe(host);
    this.#fit();
  }

  stop(): void {
    this.#seen.disconnect();
  }

  #fit(): void {
    // Measure the height without the limit.
    this.#sheet.replaceSync('');
    const { height } = boxIn(this.#host, this.#host);
    // In a zoomed page a quotient may be slightly too small.
    const room = Math.floor(this.#end(height) + 0.01);
    // If even the minimum height does not fit, the page scrolls instead.
    if (
      room < Math.floor(height + 0.01) &&
      room >= Number.parseFloat(getComputedStyle(this.#host).minBlockSize)
    )
      this.#sheet.replaceSync(`:host{--pc-room:${room}px}`);
  }

  #end(height: number): number {
    let end = height;
    // Stops at the body, which clips only content outside the window, and at a launcher, whose panel is above the page.
    for (let box = this.#host.parentElement; box && box !== document.body; box = box.parentElement) {
      if (box.localName === 'php-chat-launcher') break;
      if (!/hidden|clip/.test(getComputedStyle(box).overflowY)) continue;
      this.#observe(box);
      const border = box.offsetHeight - box.clientTop - box.clientHeight;
      end = Math.min(end, boxIn(this.#host, box).bottom - border);
    }
    return end;
  }

  /** Observes a box once, because the first measurement counts as a change. */
  #observe(box: Element): void {
    if (!this.#observed.has(box)) this.#seen.observe(box);
    this.#observed.add(box);
  }
}
