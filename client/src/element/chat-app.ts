import type { Totals } from '../../../server/wire/events.ts';
import { Chat } from '../chat/chat.ts';
import type { Ended } from '../connection/connection-state.ts';
import type { Texts } from '../strings/language-texts.ts';
import { atMost99, Strings } from '../strings/strings.ts';
import { sheet } from '../styles/styles.ts';
import { AppView } from '../views/app.tsx';
import { refusal } from '../views/refusal.ts';
import { takeAsked } from './asked.ts';
import { Surroundings } from './surroundings.ts';

/** Which counts were put in front of the page's title, by any element: another number there is the page's own. */
const counted = new Set<string>();

/** Events for the element. */
export interface AppListener {
  /** `single`: of a room that is shown alone. */
  unread(count: number, mentions: number, single: boolean): void;
  ended(reason: Ended): void;
  /** The reader wants the chat closed. */
  close(): void;
}

/** The chat in its element, as long as that is in the page: the model, the views, and what wakes them. */
export class ChatApp {
  readonly #host: HTMLElement;
  readonly #chat: Chat;
  readonly #view: AppView;
  readonly #strings: Strings;
  readonly #listener: AppListener;
  readonly #surroundings: Surroundings;
  readonly #tick: ReturnType<typeof setInterval>;
  /** The focus is to come from there into the chat. */
  #focusDue: Element | null | undefined;
  /** Another one may draw in its place: this one draws no more. */
  #stopped = false;
  /** Calls off the drawing that is due. */
  #callOff: (() => void) | undefined;
  /** The last totals that were reported; undefined before the chat has been connected. */
  #unread: Totals | undefined;

  constructor(host: HTMLElement, root: ShadowRoot, server: string, texts: Texts, listener: AppListener) {
    this.#host = host;
    this.#listener = listener;
    this.#strings = new Strings(texts, navigator.languages);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets.slice(0, 2), sheet()];
    this.#surroundings = new Surroundings(host, root);
    const single = () => host.hasAttribute('single') && host.hasAttribute('room');
    const asked = takeAsked(host, server);
    const chat = new Chat(
      server,
      host.getAttribute('room') ?? (asked !== undefined && 'room' in asked ? asked.room : undefined),
      {
        changed: () => this.#changed(),
        hide: () => this.#view?.hide(),
        state: (state) => {
          this.#view?.state(state, host.getAttribute('login-url'));
          if (state.kind === 'ended') this.#ended(state.reason);
          this.#changed();
        },
        message: (room, message) => this.#view?.message(room, message),
        unsent: (item) => this.#view?.unsent(item),
        loaded: (count) => this.#view?.loaded(count),
        unknownRoom: (id) => this.#view?.unknownRoom(id),
        removed: (room, removal) => this.#view?.removed(room, removal),
      },
      single,
      !host.hasAttribute('room'),
    );
    this.#chat = chat;
    root.replaceChildren();
    this.#view = new AppView(
      {
        chat,
        strings: this.#strings,
        touch: () => this.#touch(),
        close: () => (host.hasAttribute('closable') ? () => listener.close() : undefined),
        changed: () => this.#changed(),
      },
      root,
      asked,
    );
    for (const [target, name] of this.#watched()) target.addEventListener(name, this.#woken);
    addEventListener('pagehide', this.#leaving);
    addEventListener('pageshow', this.#returned);
    this.#tick = setInterval(() => this.#ticked(), 500);
    chat.start();
    this.#changed();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#surroundings.stop();
    this.#stopped = true;
    this.#callOff?.();
    this.#view.keep();
    this.#chat.stop();
    this.#view.stop();
    for (const [target, name] of this.#watched()) target.removeEventListener(name, this.#woken);
    removeEventListener('pagehide', this.#leaving);
    removeEventListener('pageshow', this.#returned);
    if (this.#unread !== undefined) this.#tell({ unread: 0, mentions: 0 });
  }

  openRoom(id: string): void {
    void this.#show(this.#chat.openRoom(id, true));
  }

  openDirect(user: string): void {
    void this.#show(this.#chat.openDirect(user));
  }

  async #show(found: Promise<{ id: string }>): Promise<void> {
    try {
      this.#view.open((await found).id);
    } catch (error) {
      this.#view.toast(refusal(error, this.#strings), 'bad');
    }
  }

  /** Moves the focus into the chat, as soon as there is something to focus, unless the reader goes elsewhere. */
  focus(): void {
    this.#focusDue = document.activeElement;
    this.#settleFocus();
  }

  #settleFocus(): void {
    if (this.#focusDue !== document.activeElement) {
      this.#focusDue = undefined;
      return;
    }
    const places = [
      '.app[data-view="ended"] .empty h2',
      this.#touch() ? '.main > .bar h2' : 'textarea',
      '.room',
    ];
    const place = places
      .flatMap((at) => [...(this.#host.shadowRoot?.querySelectorAll<HTMLElement>(at) ?? [])])
      .find((element) => element.checkVisibility());
    if (place === undefined || this.#chat.connection.state.kind === 'connecting') return;
    this.#focusDue = undefined;
    place.focus();
  }

  texts(texts: Texts): void {
    this.#strings.use(texts);
    this.#changed();
  }

  #touch(): boolean {
    return matchMedia('(pointer: coarse)').matches || this.#host.hasAttribute('touch');
  }

  /** Draws once a frame, however much has changed; a hidden page has no frames. */
  #changed(): void {
    if (this.#callOff !== undefined || this.#stopped) return;
    const draw = () => {
      this.#callOff = undefined;
      this.#view.render();
      this.#settleFocus();
      if (this.#chat.connection.state.kind === 'ready') this.#tell(this.#chat.totals);
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
    const waiting = this.#chat.connection.state.kind !== 'ready' || this.#chat.paused !== undefined;
    if (waiting) this.#changed();
  }

  /** Somebody looks again, or the network is back: now is the time to try. */
  readonly #woken = () => {
    if (navigator.onLine && !document.hidden) this.#chat.connection.wake();
    // A frame that was asked for before the page was hidden may be long in coming.
    this.#callOff?.();
    this.#callOff = undefined;
    this.#changed();
  };

  /** A page that the browser keeps is shown again by Back, perhaps after a logout, and to somebody else. */
  readonly #leaving = ({ persisted }: PageTransitionEvent) => {
    this.#view.keep();
    if (persisted) this.#chat.stop();
  };

  readonly #returned = ({ persisted }: PageTransitionEvent) => {
    if (persisted) this.#chat.start();
  };

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

  #ended(reason: Ended): void {
    if (this.#unread !== undefined) this.#tell({ unread: 0, mentions: 0 });
    this.#unread = undefined;
    this.#listener.ended(reason);
  }

  #tell(totals: Totals): void {
    const { unread, mentions } = totals;
    if (unread === this.#unread?.unread && mentions === this.#unread.mentions) return;
    this.#unread = totals;
    this.#listener.unread(unread, mentions, this.#chat.single);
    if (this.#host.getAttribute('title-count') === 'off') return;
    const [count = ''] = /^\(\d+\+?\) /.exec(document.title) ?? [];
    const plain = counted.has(count) ? document.title.slice(count.length) : document.title;
    const now = unread > 0 ? `(${atMost99(unread)}) ` : '';
    counted.add(now);
    document.title = now + plain;
  }
}
