import { type FirstTexts, firstTexts } from '../strings/first-texts.ts';
import { earlyTexts, type OwnersTexts } from '../strings/own-texts.ts';
import style from '../styles/launcher.css?inline';
import { sharedSheet } from '../styles/shared-sheet.ts';
import { openChatWith } from './chat-with.ts';
import type { PhpChat } from './element.ts';
import { serverAddress } from './server-address.ts';
import { storedValue } from './stored-value.ts';
import { Unread, unreadNumber } from './unread.ts';

const NAMESPACE = 'http://www.w3.org/2000/svg';
declare global {
  interface HTMLElementTagNameMap {
    'php-chat-launcher': PhpChatLauncher;
  }
}

/** On these screens the panel fills the window. The style sheet has the same query. */
const SMALL = '(max-width: 480px), (max-height: 420px)';
/** The attributes that the launcher passes to its chat. */
const handedOn = [
  'server',
  'room',
  'single',
  'ask',
  'theme',
  'lang',
  'strings',
  'ticket-url',
  'login-url',
  'profile-url',
  'avatar-url',
  'title-count',
  'worker',
  'notify-text',
  'sound',
  'data-about',
  'here',
];
const pictures = { open: 'M4 5h16v11.5H10.5L6 20v-3.5H4z', close: 'm5 9.5 7 7 7-7' };

/**
 * A round button with the number of unread messages. It opens the chat in a panel. The chat is loaded when it is first
 * opened, or after the login of a guest, and then stays.
 *
 * @attr side - `start` or `end`, which is the default
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
  /** The element that gets the focus back when the panel closes. */
  #opener: HTMLElement | undefined;
  #ends: (() => void)[] = [];
  /** Whether the readers of the page are shown, or their code is loading. */
  #meets = false;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sharedSheet(style)];
    const slot = document.createElement('slot');
    slot.name = 'chat';
    // A page that morphs its content to a new response removes the chat, which the response does not have.
    slot.addEventListener('slotchange', () => this.#panel.open && this.load());
    this.#panel.append(slot);
    this.#button.onclick = () => (this.#panel.open ? this.close() : this.open());
    // `cancel` is the Back of a phone. Esc is handled as a key, so that elements inside can use it first.
    const shut = (event: Event) => {
      event.preventDefault();
      // Esc must not also close a dialog of the page.
      event.stopPropagation();
      this.close();
    };
    this.#panel.oncancel = shut;
    this.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented || !this.#panel.open) return;
      shut(event);
      // The page must not get its `keyup` either, which arrives at the element that has the focus then.
      addEventListener('keyup', (up) => up.stopPropagation(), { capture: true, once: true });
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
    // The attributes may have changed while the element was not in the page.
    this.#hand();
    this.#read();
    this.#small.onchange = this.#resized;
    this.#ends.push(
      () => {
        this.#small.onchange = null;
      },
      openChatWith(this, true),
      Unread.of(this).watch((count) => {
        // The chat of a single room reports its count only to this launcher.
        if (this.#chat === undefined || !this.#single) this.#counted(count);
      }),
    );
    // A link to a message. A chat that uses the address of the page opens it itself.
    if (location.hash.startsWith('#m=') && !document.querySelector('php-chat[history]')) this.open();
    else if (this.#kept() && !this.#panel.open) this.#show(false);
    void this.#meet(this.#ends);
  }

  disconnectedCallback(): void {
    // A page that only moves the element should not lose the connection.
    setTimeout(() => {
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
    void this.#meet(this.#ends);
    (this.#opener?.isConnected ? this.#opener : this.#button).focus();
    this.#opener = undefined;
  }

  /** Opens the panel and in it the direct room with a user of the site. */
  openDirect(userId: string): void {
    this.open();
    this.#chat?.openDirect(userId);
  }

  openRoom(id: string): void {
    this.open();
    this.#chat?.openRoom(id);
  }

  get #single(): boolean {
    return this.#asks || (this.hasAttribute('single') && this.hasAttribute('room'));
  }

  get #asks(): boolean {
    return this.hasAttribute('ask');
  }

  /** Shows who else reads this page, once the user has agreed to be shown. The code is not loaded before. */
  async #meet(ends: (() => void)[]): Promise<void> {
    const server = serverAddress(this);
    const consent = () => storedValue(server, 'here');
    if (this.#meets || !this.hasAttribute('here') || !consent()) return;
    this.#meets = true;
    const late = await import('./here.ts').catch(() => undefined);
    // The launcher may have been removed while the code loaded.
    if (late === undefined || ends.length === 0) {
      this.#meets = false;
      return;
    }
    const end = late.showReaders({
      element: this,
      root: this.#root,
      server,
      consent,
      openDirect: (user) => this.openDirect(user),
      label: (name) => this.#text('launcher.write').replace('{name}', () => name),
    });
    ends.push(end, () => (this.#meets = false));
  }

  #counted(count: number): void {
    this.#count = count;
    this.#draw();
  }

  #show(byReader: boolean): void {
    this.load();
    if (this.#small.matches) this.#panel.showModal();
    else if (byReader) this.#panel.show();
    // The panel was open on the previous page. The focus stays where it is on this page.
    else this.#panel.open = true;
    this.#draw();
  }

  /** Loads the chat without opening the panel. */
  load(): void {
    // A page that replaces its content may have copied the chat with the launcher, or removed the chat.
    if (this.#chat?.parentNode === this) return;
    this.#chat ??= this.querySelector('php-chat') ?? document.createElement('php-chat');
    this.#chat.slot = 'chat';
    this.#hand();
    this.#chat.toggleAttribute('closable', true);
    if (this.#strings !== undefined) this.#chat.strings = this.#strings;
    // Elements for the chat's slots, such as the page's logo.
    this.#chat.append(...[...this.children].filter((child) => child.slot && child !== this.#chat));
    this.append(this.#chat);
  }

  /** Copies attributes of the launcher to its chat. */
  #hand(names: readonly string[] = handedOn): void {
    for (const name of names) {
      const value = this.getAttribute(name);
      if (value === null) this.#chat?.removeAttribute(name);
      else this.#chat?.setAttribute(name, value);
    }
  }

  /** The window became small or large. */
  readonly #resized = () => {
    if (!this.#panel.open) return;
    const focus = this.#focused();
    this.#panel.close();
    this.#show(true);
    (focus?.isConnected ? focus : this.#chat)?.focus();
  };

  #read(): void {
    const owners = this.#strings ?? this.getAttribute('strings') ?? undefined;
    this.#text = firstTexts(this, owners, () => this.#draw());
    this.#draw();
  }

  #draw(): void {
    const { open } = this.#panel;
    const first = this.#asks ? 'launcher.ask' : 'launcher.open';
    const key = open ? 'launcher.close' : this.#count > 0 ? 'launcher.openUnread' : first;
    this.#panel.ariaLabel = this.#text('launcher.label');
    const label = this.#text(key, this.#count);
    // The name contains the text that is shown, so that users can say it.
    this.#button.ariaLabel = this.#asks && !open && key !== first ? `${this.#text(first)}: ${label}` : label;
    this.#button.ariaExpanded = String(open);
    this.#button.replaceChildren(svg(open ? pictures.close : pictures.open));
    if (open) return;
    if (this.#asks) this.#button.append(this.#text(first));
    this.#button.append(unreadNumber(this.#count, 'n'));
  }

  /** Returns the element that has the focus, in any shadow tree. */
  #focused(): HTMLElement | undefined {
    let at = document.activeElement;
    while (at?.shadowRoot?.activeElement != null) at = at.shadowRoot.activeElement;
    return at instanceof HTMLElement && at !== document.body ? at : undefined;
  }

  /** Stores or returns whether the panel is open in this tab. Returns undefined if the browser forbids storage. */
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

/** Creates an icon from one path. */
function svg(path: string): SVGSVGElement {
  const element = document.createElementNS(NAMESPACE, 'svg');
  element.setAttribute('viewBox', '0 0 24 24');
  element.ariaHidden = 'true';
  const line = document.createElementNS(NAMESPACE, 'path');
  line.setAttribute('d', path);
  element.append(line);
  return element;
}
