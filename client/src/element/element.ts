import { type FirstTexts, firstTexts } from '../strings/first-texts.ts';
import { loadTexts, wantedLanguage } from '../strings/languages.ts';
import { earlyTexts, type OwnersTexts } from '../strings/own-texts.ts';
import style from '../styles/host.css?inline';
import { sharedSheet } from '../styles/shared-sheet.ts';
import type { ChatApp } from './chat-app.ts';
import { openChatWith } from './chat-with.ts';
import { serverAddress } from './server-address.ts';
import { Unread } from './unread.ts';

declare global {
  interface HTMLElementTagNameMap {
    'php-chat': PhpChat;
  }
  interface HTMLElementEventMap {
    'php-chat:unread': CustomEvent<{ count: number; mentions: number }>;
    'php-chat:ended': CustomEvent<{
      reason: 'logout' | 'expired' | 'user_changed' | 'invalid' | 'kicked' | 'unauthorized';
    }>;
    'php-chat:close': CustomEvent<null>;
  }
}

/**
 * The chat as one tag. This part is loaded first, so that the page's layout does not change later. Then the rest is
 * loaded.
 *
 * @attr server - the chat server's address; by default the server of this script
 * @attr room - the ID of the room to open
 * @attr single - shows only the room that `room` names
 * @attr ask - shows only the user's question to the team; the team sees all rooms
 * @attr theme - `light` or `dark`; by default the page's `color-scheme`
 * @attr lang - the language; by default the language of the page, otherwise of the browser
 * @attr strings - the address of the owner's texts
 * @attr ticket-url - the address at which the site issues tickets, if the chat server cannot read its logins
 * @attr login-url - the address at which the user logs in again after the end of the session
 * @attr profile-url - the address of a user's page on the site, with `{id}` for the user's ID
 * @attr avatar-url - the address of a user's picture on the site, with `{id}` for the user's ID
 * @attr history - with `hash`, the chat uses the fragment of the page's address, and on a narrow screen Back leads to
 * the rooms
 * @attr worker - the address of a script on the page's origin that imports the chat server's `sw.js`, for pushes
 * @attr title-count - with `off`, the page's title does not contain the unread count
 * @attr notify-text - with `off`, notifications omit the text of private and direct messages
 * @attr sound - with `on`, notifications play the system's sound
 * @attr data-about - what the page is about, for cards of the site
 * @attr closable - shows a button that fires `php-chat:close`
 * @fires php-chat:unread - the number of unread messages changed
 * @fires php-chat:ended - the session ended, and all content was removed
 * @fires php-chat:close - the user wants to close the chat
 */
export class PhpChat extends HTMLElement {
  static readonly observedAttributes = ['server', 'room', 'ask', 'lang', 'strings', 'ticket-url'];

  readonly #root = this.attachShadow({ mode: 'open' });
  readonly #fit = new CSSStyleSheet();
  #fitted = '';
  #strings = earlyTexts(this);
  #app: ChatApp | undefined;
  /** Actions that wait until the chat is loaded. */
  #wishes: ((app: ChatApp) => void)[] = [];
  /** The number of the current start. Anything loaded for an earlier start is discarded. */
  #start = 0;
  #failures = 0;
  #unread: Unread | undefined;
  #chatWith: (() => void) | undefined;
  readonly #seen = new ResizeObserver(() => this.#measure());

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sharedSheet(style), this.#fit];
  }

  /** The owner's texts, by key, then by language. */
  get strings(): OwnersTexts | undefined {
    return this.#strings;
  }

  set strings(texts: OwnersTexts | undefined) {
    this.#strings = texts ?? undefined;
    if (this.isConnected) void this.#load();
  }

  /** Opens the direct room with a user of the site. */
  openDirect(userId: string): void {
    this.#wish((app) => app.openDirect(String(userId)));
  }

  openRoom(id: string): void {
    this.#wish((app) => app.openRoom(String(id)));
  }

  /**
   * Moves the focus into the chat. If the chat is not loaded yet, this happens later, unless the user has moved the
   * focus.
   */
  override focus(): void {
    const before = document.activeElement;
    this.#wish((app) => {
      if (document.activeElement === before) app.focus();
    });
  }

  connectedCallback(): void {
    this.#measure();
    addEventListener('resize', this.#measure);
    this.#seen.observe(this);
    this.#chatWith ??= openChatWith(this, false);
    if (this.#app === undefined) void this.#load();
  }

  disconnectedCallback(): void {
    removeEventListener('resize', this.#measure);
    this.#seen.disconnect();
    // A page that only moves the element should not lose the connection. Turbo moves it in two steps.
    setTimeout(() => {
      if (this.isConnected) return;
      this.#stop();
      this.#wishes = [];
      this.#chatWith?.();
      this.#chatWith = undefined;
    });
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    // Attributes that the tag already has when the page is parsed are not changes, so they do not move the focus.
    if (before === after || !this.isConnected || this.#chatWith === undefined) return;
    if (name === 'room') {
      if (after !== null) this.openRoom(after);
    } else {
      void this.#load();
    }
  }

  async #load(): Promise<void> {
    this.#stop();
    const start = this.#start;
    const server = serverAddress(this);
    const loaded = await Promise.all([
      import('./chat-app.ts'),
      loadTexts(wantedLanguage(this), this.#strings ?? this.getAttribute('strings') ?? undefined),
    ]).catch(() => undefined);
    if (start !== this.#start) return;
    if (loaded === undefined) return this.#failed();
    const [{ ChatApp }, { texts, later }] = loaded;
    this.#failures = 0;
    this.#unread = Unread.of(this);
    const app = new ChatApp(this, this.#root, server, texts, {
      unread: (count, mentions, single) => this.#tell(count, mentions, single),
      ended: (reason) => {
        this.#unread?.gone(this);
        this.#fire('php-chat:ended', { reason });
      },
      close: () => this.#fire('php-chat:close', null),
    });
    this.#app = app;
    for (const wish of this.#wishes.splice(0)) wish(app);
    const late = await later;
    if (late !== undefined && start === this.#start) app.texts(late);
  }

  #stop(): void {
    this.#start += 1;
    // Other pages keep their counts, because no messages were read.
    this.#unread?.gone(this);
    this.#unread = undefined;
    this.#app?.stop();
    this.#app = undefined;
    this.#empty();
  }

  /** Shows that the chat is loading. The tag's own content is shown only until this script runs. */
  #empty(): void {
    let loading: Element | undefined;
    const draw = () => {
      if (loading?.isConnected === false) return;
      loading = unloaded(text('launcher.loading'), ...this.#closing(text));
      loading.className += ' loading';
      this.#root.replaceChildren(loading);
    };
    const text = this.#first(draw);
    draw();
  }

  #failed(): void {
    this.#failures += 1;
    const again = () => {
      // Some browsers do not request a failed script again in the same page.
      if (this.#failures > 1) location.reload();
      else void this.#load();
    };
    const text = this.#first(() => {});
    this.#root.replaceChildren(
      unloaded(text('launcher.failed'), [text('common.again'), again], ...this.#closing(text)),
    );
  }

  #closing(text: FirstTexts): [string, () => void][] {
    if (!this.hasAttribute('closable')) return [];
    return [[text('launcher.close'), () => this.#fire('php-chat:close', null)]];
  }

  #first(changed: () => void): FirstTexts {
    return firstTexts(this, this.#strings, changed);
  }

  #wish(wish: (app: ChatApp) => void): void {
    if (this.#app === undefined) this.#wishes.push(wish);
    else wish(this.#app);
  }

  #tell(count: number, mentions: number, single: boolean): void {
    // The badges and launchers of all pages count the messages of all rooms.
    if (single) this.#unread?.gone(this);
    else this.#unread?.live(this, count);
    this.#fire('php-chat:unread', { count, mentions });
  }

  readonly #measure = () => {
    let top = 0;
    for (let at: Element | null = this; at instanceof HTMLElement; at = at.offsetParent) top += at.offsetTop;
    const least = Number.parseFloat(getComputedStyle(this).minBlockSize) || 0;
    // Browsers multiply viewport units by the CSS zoom.
    const zoom = this.currentCSSZoom ?? 1;
    const begin = spaceAbove(top, innerHeight / zoom, least);
    const rule = `:host{max-block-size:min(100dvh/${zoom} - ${begin}px,var(--pc-room,9e9px))}`;
    if (this.#fitted !== rule) this.#fit.replaceSync(rule);
    this.#fitted = rule;
  };

  #fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** Creates the card for a chat that is not loaded yet, or failed to load. */
function unloaded(text: string, ...actions: [label: string, act: () => void][]): Element {
  const card = document.createElement('div');
  card.className = 'unloaded';
  card.role = 'status';
  card.append(text);
  for (const [label, act] of actions) {
    const button = document.createElement('button');
    button.textContent = label;
    button.onclick = act;
    card.append(button);
  }
  return card;
}

/**
 * Returns the height that an element must leave free so that its end is visible while the page is scrolled to its start.
 * An element too far down for that is reached by scrolling, and may be as high as the window.
 *
 * @param top - the top of the element in the document
 * @param least - the minimum height of the element
 */
function spaceAbove(top: number, windowHeight: number, least: number): number {
  const begin = Math.ceil(top);
  return begin > 0 && windowHeight - begin >= least ? begin : 0;
}
