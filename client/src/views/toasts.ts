import type { Strings } from '../strings.ts';
import { button, h } from './h.ts';
import { icon } from './icon.ts';

const SHOWN_MS = 6000;

/** One short notice at a time; it stays while it is pointed at or holds the focus. */
export class ToastsView {
  readonly element = h('div', { class: 'toasts' });
  readonly #strings: Strings;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(strings: Strings) {
    this.#strings = strings;
    for (const name of ['pointerenter', 'focusin'])
      this.element.addEventListener(name, () => clearTimeout(this.#timer));
    for (const name of ['pointerleave', 'focusout'])
      this.element.addEventListener(name, () => this.#countDown());
  }

  show(text: string, kind: 'good' | 'bad'): void {
    const label = this.#strings.text('common.dismiss');
    const close = button({ class: 'icon', 'aria-label': label }, () => this.clear(), icon('close'));
    const picture = icon(kind === 'good' ? 'check' : 'alert');
    this.element.replaceChildren(h('div', { class: `toast ${kind}` }, picture, h('span', {}, text), close));
    this.#countDown();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.element.replaceChildren();
  }

  #countDown(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), SHOWN_MS);
  }
}
