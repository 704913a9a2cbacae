import { Chat } from './chat.ts';
import type { Ended } from './connection-state.ts';
import { Strings } from './strings.ts';
import { sheet } from './styles.ts';
import { AppView } from './views/app.tsx';

declare global {
  interface HTMLElementTagNameMap {
    'php-chat': PhpChat;
  }
  interface HTMLElementEventMap {
    'php-chat:unread': CustomEvent<{ count: number }>;
    'php-chat:ended': CustomEvent<{ reason: Ended }>;
  }
}

/** Where this script comes from is where the chat server is, unless the page names another. */
const home = import.meta.env.DEV ? location.origin : new URL(/* @vite-ignore */ '.', import.meta.url).href;

/**
 * The chat as one tag.
 *
 * @attr server - the chat server's address; without it, where this script comes from
 * @attr room - the id of the room to open
 * @attr theme - `light` or `dark`; without it, what the reader's system says
 * @attr lang - the language; without it, that of the page, then the browser's
 * @attr login-url - where the reader logs in again when the session has ended
 * @attr title-count - `off` leaves the page's title alone
 * @fires php-chat:unread - the number of unread messages has changed
 * @fires php-chat:ended - the session has ended; everything shown is gone
 */
export class PhpChat extends HTMLElement {
  static readonly observedAttributes = ['server', 'room', 'lang'];

  readonly #root = this.attachShadow({ mode: 'open' });
  #chat: Chat | undefined;
  #view: AppView | undefined;
  /** Calls off the drawing that is due. */
  #callOff: (() => void) | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #unread = 0;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [sheet()];
  }

  connectedCallback(): void {
    if (this.#chat === undefined) this.#start();
  }

  disconnectedCallback(): void {
    // A page that only moves the element should not lose the connection.
    queueMicrotask(() => {
      if (!this.isConnected) this.#stop();
    });
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || this.#chat === undefined) return;
    if (name === 'room' && after !== null && this.#chat.rooms.has(after)) return this.#view?.open(after);
    this.#stop();
    this.#start();
  }

  #start(): void {
    const wanted =
      this.getAttribute('lang') ?? this.closest('[lang]')?.getAttribute('lang') ?? navigator.language;
    const strings = new Strings(wanted, navigator.languages);
    // With a slash at the end, so that addresses below it can be resolved.
    const server = new URL(`${this.getAttribute('server') ?? home}/`, document.baseURI).href.replace(
      /\/+$/,
      '/',
    );
    const chat = new Chat(server, this.getAttribute('room') ?? undefined, {
      changed: () => this.#changed(),
      hide: () => this.#view?.hide(),
      state: (state) => {
        this.#view?.state(state, this.getAttribute('login-url'));
        if (state.kind === 'ended') this.#fire('php-chat:ended', { reason: state.reason });
        this.#changed();
      },
      message: (room, message) => this.#view?.message(room, message),
      unsent: () => this.#view?.unsent(),
      loaded: (count) => this.#view?.loaded(count),
    });
    this.#chat = chat;
    const coarse = matchMedia('(pointer: coarse)');
    this.#view = new AppView(
      {
        chat,
        strings,
        touch: () => coarse.matches || this.hasAttribute('touch'),
        changed: () => this.#changed(),
      },
      this.#root,
    );
    for (const [target, name] of this.#watched()) target.addEventListener(name, this.#woken);
    addEventListener('pagehide', this.#leaving);
    this.#tick = setInterval(() => this.#ticked(), 500);
    chat.start();
    this.#changed();
  }

  #stop(): void {
    clearInterval(this.#tick);
    this.#view?.keep();
    this.#chat?.stop();
    this.#view?.stop();
    this.#chat = undefined;
    this.#view = undefined;
    for (const [target, name] of this.#watched()) target.removeEventListener(name, this.#woken);
    removeEventListener('pagehide', this.#leaving);
    this.#tell(0);
  }

  /** Draws once a frame, however much has changed; a hidden page has no frames. */
  #changed(): void {
    if (this.#callOff !== undefined) return;
    const draw = () => {
      this.#callOff = undefined;
      this.#view?.render();
      this.#tell(this.#chat?.unread ?? 0);
    };
    if (document.hidden) {
      const timer = setTimeout(draw, 100);
      this.#callOff = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(draw);
      this.#callOff = () => cancelAnimationFrame(frame);
    }
  }

  /** Countdowns, and what depends on how long something lasts. */
  #ticked(): void {
    const waiting = this.#chat?.connection.state.kind !== 'ready' || this.#chat.paused !== undefined;
    if (waiting) this.#changed();
  }

  /** Somebody looks again, or the network is back: now is the time to try. */
  readonly #woken = () => {
    if (navigator.onLine && !document.hidden) this.#chat?.connection.tryNow();
    // A frame that was asked for before the page was hidden may be long in coming.
    this.#callOff?.();
    this.#callOff = undefined;
    this.#changed();
  };

  readonly #leaving = () => this.#view?.keep();

  #watched(): [EventTarget, string][] {
    return [
      [window, 'online'],
      [window, 'offline'],
      [window, 'focus'],
      [window, 'blur'],
      [window, 'pageshow'],
      [document, 'visibilitychange'],
    ];
  }

  #tell(count: number): void {
    if (count === this.#unread) return;
    this.#unread = count;
    this.#fire('php-chat:unread', { count });
    if (this.getAttribute('title-count') === 'off') return;
    const plain = document.title.replace(/^\(\d+\+?\) /, '');
    document.title = count > 0 ? `(${count > 99 ? '99+' : count}) ${plain}` : plain;
  }

  #fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

if (customElements.get('php-chat') === undefined) customElements.define('php-chat', PhpChat);
