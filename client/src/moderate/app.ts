import type { Texts } from '../strings/language-texts.ts';
import { dayWatch } from '../strings/new-day.ts';
import { atMost99, Strings } from '../strings/strings.ts';
import { sheet } from '../styles/styles.ts';
import { Look } from '../views/look.ts';
import { Desk } from './desk.ts';
import { sheet as ours } from './sheet.ts';
import { ModerateView } from './view.tsx';

/** The part of the page's title after the word “Moderation”: the site's name, if it is set. */
const ofSite = document.title.slice('Moderation'.length);

/**
 * The moderators' page in its element. Creates the connection and the view. Wakes the connection when the user returns
 * to the page.
 */
export class ModerateApp {
  readonly #desk: Desk;
  readonly #view: ModerateView;
  readonly #strings: Strings;
  readonly #tick: ReturnType<typeof setInterval>;
  readonly #dayBegan: () => boolean;
  readonly #stopped = new AbortController();
  /** Cancels the scheduled render. */
  #callOff: (() => void) | undefined;

  constructor(host: HTMLElement, root: ShadowRoot, server: string, texts: Texts) {
    root.adoptedStyleSheets.push(sheet(), ours());
    root.replaceChildren();
    document.documentElement.lang = texts.lang;
    const changed = () => this.#changed();
    this.#desk = new Desk(server, {
      changed,
      hide: () => this.#view?.hide(),
      state: (state) => {
        this.#view?.state(state);
        changed();
      },
    });
    this.#strings = new Strings(texts, navigator.languages, this.#desk.clock);
    this.#dayBegan = dayWatch(this.#desk.clock);
    // The theme and the text size that the user chose in the chat.
    new Look(this.#desk.settings, root, changed, this.#stopped.signal);
    this.#view = new ModerateView(
      {
        chat: this.#desk,
        strings: this.#strings,
        touch: () => matchMedia('(pointer: coarse)').matches,
        changed,
        attribute: (name) => host.getAttribute(name),
      },
      root,
    );
    const { signal } = this.#stopped;
    for (const name of ['online', 'offline', 'focus', 'pageshow'])
      addEventListener(name, this.#woken, { signal });
    document.addEventListener('visibilitychange', this.#seen, { signal });
    addEventListener('pagehide', this.#leaving, { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && this.#desk.start(), { signal });
    // Updates countdowns and other content that depends on the time, such as "today".
    this.#tick = setInterval(
      () => (this.#dayBegan() || this.#desk.connection.state.kind !== 'ready') && changed(),
      500,
    );
    this.#desk.start();
    changed();
  }

  stop(): void {
    clearInterval(this.#tick);
    this.#stopped.abort();
    this.#callOff?.();
    this.#view.leave();
    this.#desk.stop();
    this.#view.stop();
  }

  /** Renders once per frame. A hidden page has no frames, so it uses a timer to update the count in its title. */
  #changed(): void {
    if (this.#callOff !== undefined) return;
    if (document.hidden) {
      const timer = setTimeout(() => this.#draw(), 100);
      this.#callOff = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(() => this.#draw());
      this.#callOff = () => cancelAnimationFrame(frame);
    }
  }

  #draw(): void {
    this.#callOff = undefined;
    if (this.#stopped.signal.aborted) return;
    this.#view.render();
    const { waiting = 0 } = this.#view;
    const title = this.#strings.text('mod.title') + ofSite;
    document.title = waiting > 0 ? `(${atMost99(waiting)}) ${title}` : title;
  }

  readonly #woken = () => {
    if (navigator.onLine && !document.hidden) this.#desk.connection.wake();
    // A frame that was requested before the page was hidden may come late.
    this.#callOff?.();
    this.#callOff = undefined;
    this.#changed();
  };

  /** The browser may keep the page and show it again with Back, perhaps after a logout and to another user. */
  readonly #leaving = ({ persisted }: PageTransitionEvent) => {
    this.#view.leave();
    if (persisted) this.#desk.stop();
  };

  /** A phone may end a hidden page without an event. */
  readonly #seen = () => {
    if (document.hidden) this.#view.leave();
    this.#woken();
  };
}
