import { type ComponentChildren, render } from 'preact';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { StringKey } from '../strings/strings.ts';
import { plainKey } from '../text/plain-key.ts';
import { Banner, noticeOfConnection } from '../views/banner.tsx';
import { CardView, cardOf } from '../views/card.tsx';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { Toasts } from '../views/controls/toasts.tsx';
import { Tooltip } from '../views/controls/tooltip.tsx';
import { endedCard } from '../views/ended-cards.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import { Portraits } from '../views/people/portraits.ts';
import type { DeskContext } from './desk-context.ts';
import { Keys, keysAreOn } from './keys.tsx';
import { LatePart } from './late-part.tsx';
import type { Part } from './part.ts';
import { PeoplePage } from './people-page.tsx';
import { hashOf, type PagePlace, placeIn, type Section } from './place.ts';
import { QueuePage } from './queue-page.tsx';
import { RoomsPage } from './rooms-page.tsx';

/** The minimum width in CSS pixels for a list and the chosen item next to each other. */
const WIDE = 860;

const pictures: Record<Section, IconName> = {
  queue: 'tray',
  people: 'people',
  rooms: 'hash',
  log: 'list',
  overview: 'chart',
};
const names = {
  queue: 'mod.queue',
  people: 'people.title',
  rooms: 'rooms.list',
  log: 'mod.log',
  overview: 'mod.overview',
} as const satisfies Record<Section, StringKey>;

/** The whole page: the navigation, the shown part, and the menu or dialog above it. */
export class ModerateView {
  readonly #root: ShadowRoot;
  readonly #context: DeskContext;
  readonly #toasts: Toasts;
  readonly #tooltip: Tooltip;
  readonly #portraits: Portraits;
  readonly #queue: QueuePage;
  readonly #parts: Record<Section, Part>;
  /** The shown part, after its `open` was called. */
  #opened: Part | undefined;
  readonly #resized: ResizeObserver;
  #wide = false;
  #place: PagePlace = placeIn(location.hash);
  /** The open menu. */
  #layer: (() => ComponentChildren) | undefined;
  /** The open dialog. The content below it is inert. */
  #dialog: (() => ComponentChildren) | undefined;
  /** The text for screen readers. `count` increases with each text, so that the same text is announced again. */
  #said = { text: '', count: 0 };
  /** Whether a heading gets the focus after the next render. */
  #focusDue = false;

  constructor(
    context: Pick<DeskContext, 'chat' | 'strings' | 'touch' | 'changed' | 'attribute'>,
    root: ShadowRoot,
  ) {
    const { chat, strings, changed } = context;
    this.#root = root;
    this.#toasts = new Toasts(chat, strings, changed);
    chat.followers.add(this.#toasts);
    this.#context = {
      ...context,
      wide: () => this.#wide,
      place: () => this.#place,
      go: (place, how) => this.#go(place, how),
      back: () => this.#back(),
      layer: (content) => {
        this.#layer = content;
        this.render();
      },
      dialog: (content) => this.#open(content),
      toast: (text, kind, press) => this.#toasts.show(text, kind, press),
      say: (text) => {
        this.#said = { text, count: this.#said.count + 1 };
        changed();
      },
      focusDetail: () => {
        this.#focusDue = true;
        changed();
      },
      keys: () => keysAreOn(chat),
    };
    this.#tooltip = new Tooltip(this.#context);
    this.#portraits = new Portraits(this.#context, root);
    this.#queue = new QueuePage(this.#context, this.#openKeys);
    this.#parts = {
      queue: this.#queue,
      people: new PeoplePage(this.#context),
      rooms: new RoomsPage(this.#context),
      log: new LatePart(
        this.#context,
        names.log,
        async () => new (await import('./log-page.tsx')).LogPage(this.#context),
      ),
      overview: new LatePart(
        this.#context,
        names.overview,
        async () => new (await import('./overview-page.tsx')).OverviewPage(this.#context),
      ),
    };
    chat.followers.add(this.#queue.queue);
    chat.followers.add({ ready: () => this.#afresh() });
    this.#fit(root.host.clientWidth);
    this.#resized = new ResizeObserver(([entry]) => {
      this.#fit(entry?.contentRect.width ?? 0);
      changed();
    });
    this.#resized.observe(root.host);
    addEventListener('hashchange', this.#moved);
    addEventListener('popstate', this.#moved);
    addEventListener('keydown', this.#key);
  }

  /** The number of open cases; undefined while it is unknown. */
  get waiting(): number | undefined {
    const { state, cases } = this.#queue.queue;
    return state === 'here' ? cases.length : undefined;
  }

  render(): void {
    const card = this.#card();
    if (card !== undefined) return this.#draw(card);
    const focused = this.#root.activeElement;
    const pane = focused?.closest('.list, .wide-page, .detail');
    const part = this.#parts[this.#section];
    if (part !== this.#opened && this.#context.chat.me !== undefined) {
      this.#opened = part;
      part.open?.();
    }
    this.#draw(this.#content(part));
    this.#portraits.hang();
    if (this.#focusDue && this.#dialog === undefined) this.#focusHeading();
    // A button such as Try again disappears when it is clicked. Its pane then gets the focus.
    else if (focused?.isConnected === false && this.#root.activeElement === null)
      pane?.querySelector<HTMLElement>('h2')?.focus();
  }

  /** Removes all content. The session may be over, so messages and names must not stay in the page. */
  hide(): void {
    this.#opened = undefined;
    for (const part of Object.values(this.#parts)) part.clear();
    this.#layer = undefined;
    this.#dialog = undefined;
    this.#said = { text: '', count: 0 };
    this.#tooltip.hide();
    this.#toasts.clear();
    render(null, this.#root);
  }

  state(state: ConnectionState): void {
    if (state.kind !== 'ended' && state.kind !== 'refused') return;
    this.render();
    this.#root.querySelector<HTMLElement>('.empty h2')?.focus();
  }

  /** The user leaves the page, perhaps permanently. The decision that could be undone is sent. */
  leave(): void {
    this.#queue.queue.flush();
  }

  stop(): void {
    this.#resized.disconnect();
    removeEventListener('hashchange', this.#moved);
    removeEventListener('popstate', this.#moved);
    removeEventListener('keydown', this.#key);
    this.#toasts.clear();
    render(null, this.#root);
  }

  #draw(content: ComponentChildren): void {
    const { strings } = this.#context;
    render(
      <div
        class="whole"
        lang={strings.lang}
        dir={strings.direction}
        onPointerOver={this.#tooltip.pointed}
        onPointerLeave={this.#tooltip.hide}
        onPointerDown={this.#tooltip.pressed}
        onFocusIn={this.#tooltip.focused}
        onFocusOut={this.#tooltip.hide}
      >
        <h1 class="vh">{strings.text('mod.title')}</h1>
        {content}
        <div class="vh" role="status" aria-live="polite">
          {this.#said.text !== '' && <p key={this.#said.count}>{this.#said.text}</p>}
        </div>
      </div>,
      this.#root,
    );
  }

  /** Returns the card that is shown instead of the page. */
  #card(): ComponentChildren {
    const { chat, strings, attribute } = this.#context;
    const card =
      endedCard(chat, strings, attribute('login-url')) ??
      cardOf(chat, strings) ??
      (this.#queue.queue.state === 'forbidden' && chat.me !== undefined
        ? {
            picture: 'shield' as const,
            title: strings.text('mod.forbidden.title'),
            text: strings.text('mod.forbidden.text', { name: chat.me.name }),
            action: {
              label: strings.text('mod.toChat'),
              press: () => location.assign(chat.server),
            },
          }
        : undefined);
    return (
      card && (
        <div class="app" data-view="ended">
          <CardView {...card} />
        </div>
      )
    );
  }

  #content(part: Part) {
    const { strings, chat } = this.#context;
    const inert = this.#dialog !== undefined;
    const notice = noticeOfConnection(chat.connection, strings, strings.text('conn.lost'));
    const drawn = part.draw();
    const section = this.#section;
    const { parts } = chat;
    const label = strings.text(names[section]);
    const split = 'list' in drawn;
    const chosen = split && drawn.detail !== undefined && this.#place.id !== undefined;
    return (
      <div
        class={`app mod${split ? ' split' : ''}${notice?.lost === true ? ' lost' : ''}`}
        data-pane={chosen ? 'detail' : 'list'}
      >
        <nav class="nav" aria-label={strings.text('mod.title')} inert={inert}>
          <div class="bar">
            <h2>
              <slot name="logo" />
              <span>{strings.text('mod.title')}</span>
            </h2>
          </div>
          <ul>
            {parts.map((one) => (
              <li key={one}>{this.#link(one)}</li>
            ))}
          </ul>
          {this.#me()}
        </nav>
        <section class={split ? 'list' : 'wide-page'} aria-label={label} inert={inert} key={section}>
          <Banner context={this.#context} notice={notice} />
          {split ? drawn.list : drawn.whole}
        </section>
        {split && (
          <section class="detail" aria-label={drawn.detail ? drawn.label : undefined} inert={inert}>
            {drawn.detail ?? drawn.blank}
          </section>
        )}
        <nav class="tabs-low" aria-label={strings.text('mod.title')} inert={inert}>
          {parts.map((one) => this.#link(one))}
          <a href={chat.server}>
            <Icon name="bubble" />
            <span>{strings.text('rooms.heading')}</span>
          </a>
        </nav>
        <div class="layer">
          {this.#layer?.()}
          {this.#dialog?.()}
          {this.#tooltip.draw()}
        </div>
        {this.#toasts.draw()}
      </div>
    );
  }

  /** The requested part, or the queue if the user may not see that part. */
  get #section(): Section {
    const { section } = this.#place;
    return this.#context.chat.parts.includes(section) ? section : 'queue';
  }

  #link(section: Section) {
    const { strings } = this.#context;
    const { waiting = 0 } = this;
    return (
      <a
        key={section}
        href={hashOf({ section })}
        aria-current={this.#section === section ? 'page' : undefined}
      >
        <Icon name={pictures[section]} />
        <span>{strings.text(names[section])}</span>
        {section === 'queue' && waiting > 0 && <span class="badge">{strings.number(waiting)}</span>}
      </a>
    );
  }

  #me() {
    const { chat, strings } = this.#context;
    if (chat.me === undefined) return undefined;
    return (
      <div class="me">
        <Avatar user={chat.me} />
        <div>
          <b>
            <bdi>{chat.me.name}</bdi>
          </b>
          <small>{strings.text(chat.roles.includes('admin') ? 'mod.admin' : 'mod.moderator')}</small>
        </div>
        <a class="icon" href={chat.server} aria-label={strings.text('mod.toChat')}>
          <Icon name="bubble" />
        </a>
      </div>
    );
  }

  #go(place: PagePlace, how?: 'instead'): void {
    const within = history.state === WITHIN;
    if (how === 'instead') history.replaceState(within ? WITHIN : null, '', hashOf(place));
    else history.pushState(place.id === undefined ? null : WITHIN, '', hashOf(place));
    this.#place = place;
    this.render();
  }

  #back(): void {
    const { section, id } = this.#place;
    if (history.state === WITHIN) return history.back();
    this.#go({ section }, 'instead');
    this.#focusListed(id);
  }

  readonly #moved = () => {
    const before = this.#place;
    this.#place = placeIn(location.hash);
    this.render();
    if (before.id !== undefined && this.#place.id === undefined) this.#focusListed(before.id);
  };

  /** Moves the focus to the row of the item that was shown. */
  #focusListed(id: string | undefined): void {
    if (this.#wide) return;
    const row = id && this.#root.querySelector<HTMLElement>(`[data-key="${CSS.escape(id)}"]`);
    (row || this.#root.querySelector<HTMLElement>('.list h2'))?.focus();
  }

  #focusHeading(): void {
    this.#focusDue = false;
    const headings = ['.detail h2', '.list h2', '.wide-page h2'].map((place) =>
      this.#root.querySelector<HTMLElement>(place),
    );
    headings.find((heading) => heading?.checkVisibility())?.focus();
  }

  #open(content: (close: () => void) => ComponentChildren): void {
    const opener = this.#root.activeElement;
    const close = () => {
      this.#dialog = undefined;
      this.render();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      else this.#focusHeading();
    };
    this.#dialog = () => content(close);
    this.render();
  }

  readonly #openKeys = () => this.#open((close) => <Keys context={this.#context} close={close} />);

  readonly #key = (event: KeyboardEvent) => {
    if (this.#dialog !== undefined || this.#layer !== undefined || !this.#context.keys()) return;
    const key = plainKey(event);
    if (key === undefined) return;
    if (key === '?') this.#openKeys();
    else if (key === '/') this.#find();
    // A decision can be undone in every part.
    else if (!(key === 'z' ? this.#queue : this.#parts[this.#section]).key?.(key)) return;
    event.preventDefault();
  };

  /** Moves the focus to the search field of the part, or to the search for people. */
  #find(): void {
    const part = this.#parts[this.#section];
    if (part.find !== undefined) return part.find();
    if (!this.#context.chat.parts.includes('people')) return;
    this.#go({ section: 'people' });
    this.#parts.people.find?.();
  }

  /** Clears the parts that this user may no longer see, and reloads the shown part. */
  #afresh(): void {
    for (const [section, part] of Object.entries(this.#parts))
      if (!this.#context.chat.parts.includes(section as Section)) part.clear();
    this.#opened?.ready?.();
  }

  #fit(width: number): void {
    this.#wide = width >= WIDE;
  }
}

/** The state of a history entry that follows the entry of its list. */
const WITHIN = 'within';
