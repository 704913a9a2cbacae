import { type FirstTexts, firstTexts } from '../strings/first-texts.ts';
import { earlyTexts, type OwnersTexts } from '../strings/own-texts.ts';
import style from '../styles/launcher.css?inline';
import { sharedSheet } from '../styles/shared-sheet.ts';
import { openChatWith } from './chat-with.ts';
import type { PhpChat } from './element.ts';
import { serverAddress } from './server-address.ts';
import { Unread, unreadNumber } from './unread.ts';

const NAMESPACE = 'http://www.w3.org/2000/svg';
declare global {
  interface HTMLElementTagNameMap {
    'php-chat-launcher': PhpChatLauncher;
  }
}

/** Where the panel is the whole window; the sheet says the same. */
const SMALL = '(max-width: 480px), (max-height: 420px)';
/** The attributes that the chat inside takes from its launcher. */
const handedOn = [
  'server',
  'room',
  'single',
  'theme',
  'lang',
  'strings',
  'login-url',
  'profile-url',
  'avatar-url',
  'title-count',
  'worker',
  'notify-text',
  'sound',
];
const pictures = { open: 'M4 5h16v11.5H10.5L6 20v-3.5H4z', close: 'm5 9.5 7 7 7-7' };

/**
 * A round button on every page, with the number of unread messages; it opens the chat in a panel. The chat itself is
 * loaded with the first opening and stays from then on.
 *
 * @attr side - `start` or `end`, where it is without it
 */
export class PhpChatLauncher extends HTMLElement {
  static readonly observedAttributes = handedOn;

  readonly #root = this.attachShadow({ mode: 'open' });
  readonly #panel = document.createElement('dialog');
  readonly #button = document.createElement('button');
  readonly #small = matchMedia(SMALL);
  #chat: PhpChat | undefined;
  #strings = earlyTexts(this);
  #text: FirstTexts = (key) => key;
  #count = 0;
  /** The element that the focus returns to. */
  #opener: HTMLElement | undefined;
  #ends: (() => void)[] = [];

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sharedSheet(style)];
    const slot = document.createElement('slot');
    slot.name = 'chat';
    this.#panel.append(slot);
    this.#button.addEventListener('click', () => (this.#panel.open ? this.close() : this.open()));
    // The way back of a phone; Esc comes as a key, so that what is inside may take it.
    const shut = (event: Event) => {
      event.preventDefault();
      this.close();
    };
    this.#panel.addEventListener('cancel', shut);
    this.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented && this.#panel.open) shut(event);
    });
    this.addEventListener('php-chat:close', () => this.close());
    this.addEventListener('php-chat:unread', ({ detail }) => {
      if (this.#single) this.#counted(detail.count);
    });
    this.#root.append(this.#panel, this.#button);
  }

  /** The owner's texts, as for `php-chat`. */
  get strings(): OwnersTexts | undefined {
    return this.#strings;
  }

  set strings(texts: OwnersTexts | undefined) {
    this.#strings = texts ?? undefined;
    if (this.#chat !== undefined) this.#chat.strings = texts;
    if (this.isConnected) this.#read();
  }

  connectedCallback(): void {
    if (this.#ends.length > 0) return;
    // They may have changed while it was taken out of the page.
    this.#hand();
    this.#read();
    this.#small.addEventListener('change', this.#resized);
    this.#ends.push(
      () => this.#small.removeEventListener('change', this.#resized),
      openChatWith(this, true),
      Unread.at(serverAddress(this)).watch((count) => {
        // The chat of a single room tells its number here alone.
        if (this.#chat === undefined || !this.#single) this.#counted(count);
      }),
    );
    if (this.#kept() && !this.#panel.open) this.#show(false);
  }

  disconnectedCallback(): void {
    // A page that only moves the element should not lose the connection.
    queueMicrotask(() => {
      if (!this.isConnected) for (const end of this.#ends.splice(0)) end();
    });
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || this.#ends.length === 0) return;
    this.#hand([name]);
    if (name === 'server') {
      for (const end of this.#ends.splice(0)) end();
      this.connectedCallback();
    } else {
      this.#read();
    }
  }

  open(): void {
    if (!this.#panel.open) {
      this.#opener = this.#focused();
      this.#show(true);
      this.#kept(true);
    }
    this.#chat?.focus();
  }

  close(): void {
    if (!this.#panel.open) return;
    this.#panel.close();
    this.#kept(false);
    this.#draw();
    (this.#opener?.isConnected === true ? this.#opener : this.#button).focus();
    this.#opener = undefined;
  }

  /** Opens the panel with the direct room with that user of the site. */
  openDirect(userId: string): void {
    this.open();
    this.#chat?.openDirect(userId);
  }

  openRoom(id: string): void {
    this.open();
    this.#chat?.openRoom(id);
  }

  get #single(): boolean {
    return this.hasAttribute('single') && this.hasAttribute('room');
  }

  #counted(count: number): void {
    this.#count = count;
    this.#draw();
  }

  #show(byReader: boolean): void {
    this.#load();
    if (this.#small.matches) this.#panel.showModal();
    else if (byReader) this.#panel.show();
    // As it was on the page before: the focus stays where this page has it.
    else this.#panel.open = true;
    this.#draw();
  }

  #load(): void {
    if (this.#chat !== undefined) return;
    this.#chat = document.createElement('php-chat');
    this.#chat.slot = 'chat';
    this.#hand();
    this.#chat.toggleAttribute('closable', true);
    if (this.#strings !== undefined) this.#chat.strings = this.#strings;
    // The elements that the page has put into the chat's slots, such as its logo.
    this.#chat.append(...[...this.children].filter((child) => child.slot !== ''));
    this.append(this.#chat);
  }

  /** Gives the chat inside what the page says here. */
  #hand(names: readonly string[] = handedOn): void {
    for (const name of names) {
      const value = this.getAttribute(name);
      if (value === null) this.#chat?.removeAttribute(name);
      else this.#chat?.setAttribute(name, value);
    }
  }

  /** The window has become small, or large. */
  readonly #resized = () => {
    if (!this.#panel.open) return;
    const focus = this.#focused();
    this.#panel.close();
    this.#show(true);
    if (focus?.isConnected === true) focus.focus();
    else this.#chat?.focus();
  };

  #read(): void {
    const owners = this.#strings ?? this.getAttribute('strings') ?? undefined;
    this.#text = firstTexts(this, owners, () => this.#draw());
    this.#draw();
  }

  #draw(): void {
    const { open } = this.#panel;
    const key = open ? 'launcher.close' : this.#count > 0 ? 'launcher.openUnread' : 'launcher.open';
    this.#panel.ariaLabel = this.#text('launcher.label');
    this.#button.ariaLabel = this.#text(key, this.#count);
    this.#button.ariaExpanded = String(open);
    this.#button.replaceChildren(svg(open ? pictures.close : pictures.open));
    if (!open) this.#button.append(unreadNumber(this.#count, 'n'));
  }

  /** The element that has the focus, in whichever shadow tree. */
  #focused(): HTMLElement | undefined {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement != null) at = at.shadowRoot.activeElement;
    return at instanceof HTMLElement && at !== document.body ? at : undefined;
  }

  /** Open or shut, for this tab over its pages; undefined where a browser forbids to keep it. */
  #kept(open?: boolean): boolean | undefined {
    const key = `php-chat ${serverAddress(this)} open`;
    try {
      if (open !== undefined) sessionStorage.setItem(key, open ? '1' : '');
      return Boolean(sessionStorage.getItem(key));
    } catch {
      return undefined;
    }
  }
}

/** A picture of one path. */
function svg(path: string): SVGSVGElement {
  const element = document.createElementNS(NAMESPACE, 'svg');
  element.setAttribute('viewBox', '0 0 24 24');
  element.ariaHidden = 'true';
  const line = document.createElementNS(NAMESPACE, 'path');
  line.setAttribute('d', path);
  element.append(line);
  return element;
}
