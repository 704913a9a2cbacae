import type { Totals } from '../../../server/wire/events.ts';
import { Chat } from '../chat/chat.ts';
import type { Ended } from '../connection/connection-state.ts';
import type { Texts } from '../strings/language-texts.ts';
import { dayWatch } from '../strings/new-day.ts';
import { Strings } from '../strings/strings.ts';
import composerStyle from '../styles/composer.css?inline';
import { sheet, sheetOf } from '../styles/styles.ts';
import { AppView } from '../views/app.tsx';
import { refusal } from '../views/refusal.ts';
import { takeAsked } from './asked.ts';
import { keepEvents } from './kept-events.ts';
import { Surroundings } from './surroundings.ts';

/** Not in `sheet`, because the moderators' page has no composer. */
const composer = sheetOf(composerStyle);

/** Events of the chat for its element. */
export interface AppListener {
  /** `single`: the counts are from a room that is shown alone. */
  unread(count: number, mentions: number, single: boolean): void;
  ended(reason: Ended): void;
  /** The user wants to close the chat. */
  close(): void;
}

/**
 * The chat in its element, while the element is in the page. Creates the model and the view. Wakes the connection when
 * the user returns to the page.
 */
export class ChatApp {
  readonly #host: HTMLElement;
  readonly #chat: Chat;
  readonly #view: AppView;
  readonly #strings: Strings;
  readonly #listener: AppListener;
  readonly #surroundings: Surroundings;
  readonly #tick: ReturnType<typeof setInterval>;
  readonly #dayBegan: () => boolean;
  /** The focused element when `focus` was called. Undefined if no move of the focus is pending. */
  #focusDue: Element | null | undefined;
  /** Only the composer may take the focus. */
  #onlyField = false;
  /** Aborted by `stop`. Another instance may then render in the same place. */
  readonly #stopped = new AbortController();
  /** Cancels the scheduled render. */
  #callOff: (() => void) | undefined;
  /** The last reported totals; undefined before the first connection and after the end of a session. */
  #unread: Totals | undefined;

  constructor(host: HTMLElement, root: ShadowRoot, server: string, texts: Texts, listener: AppListener) {
    this.#host = host;
    this.#listener = listener;
    root.adoptedStyleSheets = [...root.adoptedStyleSheets.slice(0, 2), sheet(), composer()];
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
        failed: (item) => this.#view?.failed(item),
        loaded: (count) => this.#view?.loaded(count),
        unknownRoom: (id) => this.#view?.unknownRoom(id),
        removed: (room, removal) => this.#view?.removed(room, removal),
      },
      single,
      !host.hasAttribute('room'),
      ticketAddress(host),
      () => host.hasAttribute('ask'),
    );
    this.#chat = chat;
    this.#strings = new Strings(texts, navigator.languages, chat.clock);
    this.#dayBegan = dayWatch(chat.clock);
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
    const { signal } = this.#stopped;
    for (const name of ['online', 'offline', 'focus', 'blur', 'pageshow'])
      addEventListener(name, this.#woken, { signal });
    document.addEventListener('visibilitychange', this.#woken, { signal });
    keepEvents(host, root, signal);
    addEventListener('keydown', this.#pressed, { signal });
    addEventListener('pagehide', this.#leaving, { signal });
    addEventListener('pageshow', this.#returned, { signal });
    this.#tick = setInterval(() => this.#ticked(), 500);
    chat.start();
    // A page without anything else has no other use for the focus. With touch it would open the keyboard.
    if (isAlone(host) && !this.#touch()) {
      this.#focusDue = document.activeElement;
      this.#onlyField = true;
    }
    this.#changed();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#surroundings.stop();
    this.#stopped.abort();
    this.#callOff?.();
    this.#view.keep();
    this.#chat.stop();
    this.#view.stop();
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

  /** Moves the focus into the chat as soon as an element can take it, unless the user moves it elsewhere first. */
  focus(): void {
    this.#focusDue = document.activeElement;
    this.#onlyField = false;
    this.#settleFocus();
  }

  #settleFocus(): void {
    if (this.#focusDue !== document.activeElement) {
      this.#focusDue = undefined;
      return;
    }
    const places = this.#onlyField
      ? ['textarea']
      : ['.app[data-view="ended"] .empty h2', this.#touch() ? '.main > .bar h2' : 'textarea', '.room'];
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
    return matchMedia('(pointer: coarse)').matches;
  }

  /** Renders once per frame. A hidden page has no frames, so it uses a timer. */
  #changed(): void {
    if (this.#callOff !== undefined || this.#stopped.signal.aborted) return;
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

  /** Updates countdowns and other content that depends on the time. */
  #ticked(): void {
    const waiting = this.#chat.connection.state.kind !== 'ready' || this.#chat.paused !== undefined;
    // "Today" is wrong after midnight.
    if (this.#dayBegan() || waiting) this.#changed();
  }

  /** The user may be looking at the page again, or the network may be back, so try to connect. */
  readonly #woken = ({ type }: Event) => {
    if (navigator.onLine && !document.hidden) this.#chat.connection.wake();
    if (type === 'visibilitychange' && !document.hidden) this.#chat.reread(null);
    // A frame that was requested before the page was hidden may come late.
    this.#callOff?.();
    this.#callOff = undefined;
    this.#changed();
  };

  /** On a page without anything else, the chat's keys also work while nothing has the focus. */
  readonly #pressed = (event: KeyboardEvent) => {
    if (event.target === document.body && isAlone(this.#host)) this.#view.key(event);
  };

  /** The browser may keep the page and show it again with Back, perhaps after a logout and to another user. */
  readonly #leaving = ({ persisted }: PageTransitionEvent) => {
    this.#view.keep();
    if (persisted) this.#chat.stop();
  };

  readonly #returned = ({ persisted }: PageTransitionEvent) => {
    if (persisted) this.#chat.start();
  };

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
  }
}

/** Whether the page shows nothing besides this element. */
function isAlone(element: Element): boolean {
  const { parentElement } = element;
  if (parentElement === null || element === document.body) return element === document.body;
  const others = [...parentElement.children].filter((child) => child !== element && child.checkVisibility());
  return others.length === 0 && isAlone(parentElement);
}

/** Returns where the site issues tickets, if it does. */
function ticketAddress(host: Element): string | undefined {
  const url = host.getAttribute('ticket-url');
  return url === null ? undefined : new URL(url, document.baseURI).href;
}
