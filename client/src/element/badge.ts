import { type FirstTexts, firstTexts } from '../strings/first-texts.ts';
import style from '../styles/badge.css?inline';
import { sharedSheet } from '../styles/shared-sheet.ts';
import { Unread, unreadNumber } from './unread.ts';

declare global {
  interface HTMLElementTagNameMap {
    'php-chat-badge': PhpChatBadge;
  }
}

/**
 * Shows the number of unread messages in a menu of the page, or nothing at 0. It has the attributes `server`, `lang`,
 * `strings` and `ticket-url`.
 */
export class PhpChatBadge extends HTMLElement {
  static readonly observedAttributes = ['server', 'lang', 'strings', 'ticket-url'];

  readonly #root = this.attachShadow({ mode: 'open' });
  #text: FirstTexts | undefined;
  #count = 0;
  #end: (() => void) | undefined;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sharedSheet(style)];
  }

  connectedCallback(): void {
    this.#end?.();
    this.#text = firstTexts(this, this.getAttribute('strings') ?? undefined, () => this.#show());
    this.#end = Unread.of(this).watch((count) => {
      this.#count = count;
      this.#show();
    });
  }

  disconnectedCallback(): void {
    this.#end?.();
    this.#end = undefined;
  }

  attributeChangedCallback(): void {
    if (this.#end !== undefined) this.connectedCallback();
  }

  #show(): void {
    const words = document.createElement('span');
    words.className = 'vh';
    words.textContent = this.#text?.('rooms.unread', this.#count) ?? '';
    this.#root.replaceChildren(...(this.#count === 0 ? [] : [unreadNumber(this.#count, ''), words]));
  }
}
