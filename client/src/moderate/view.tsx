import { type ComponentChildren, render } from 'preact';
import type { ConnectionState } from '../connection/connection-state.ts';
import { Banner, noticeOfConnection } from '../views/banner.tsx';
import { CardView, cardOf } from '../views/card.tsx';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { Toasts } from '../views/controls/toasts.tsx';
import { Tooltip } from '../views/controls/tooltip.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import { Portraits } from '../views/people/portraits.ts';
import type { DeskContext } from './desk-context.ts';
import { KeyHints, Keys, keysAreOn, plainKey } from './keys.tsx';
import { hashOf, type PagePlace, placeIn, type Section } from './place.ts';
import { QueuePage } from './queue-page.tsx';

/** From this width on there is room for the list and what is chosen in it. */
const WIDE = 860;

const pictures: Record<Section, IconName> = { queue: 'tray' };

/** The whole page: what leads to its parts, the part that is shown, and what lies above. */
export class ModerateView {
  readonly #root: ShadowRoot;
  readonly #context: DeskContext;
  readonly #toasts: Toasts;
  readonly #tooltip: Tooltip;
  readonly #portraits: Portraits;
  readonly #queue: QueuePage;
  readonly #resized: ResizeObserver;
  #wide = false;
  #place: PagePlace = placeIn(location.hash);
  /** A menu. */
  #layer: (() => ComponentChildren) | undefined;
  /** A dialog: what is below it is inert. */
  #dialog: (() => ComponentChildren) | undefined;
  /** For those who hear it, and how much was said before: the same words are said again. */
  #said = { text: '', count: 0 };
  /** The heading that is to get the focus once it is drawn. */
  #focusDue = false;

  constructor(
    context: Pick<DeskContext, 'chat' | 'strings' | 'touch' | 'changed' | 'attribute'>,
    root: ShadowRoot,
  ) {
    const { chat, strings, changed } = context;
    this.#root = root;
    this.#toasts = new Toasts(strings, changed);
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
    this.#queue = new QueuePage(this.#context);
    chat.followers.add(this.#queue.queue);
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

  /** How many cases wait; undefined as long as that is unknown. */
  get waiting(): number | undefined {
    const { state, cases } = this.#queue.queue;
    return state === 'here' ? cases.length : undefined;
  }

  render(): void {
    const card = this.#card();
    if (card !== undefined) return this.#draw(card);
    this.#draw(this.#content());
    this.#portraits.hang();
    if (this.#focusDue && this.#dialog === undefined) this.#focusHeading();
  }

  /** The session may be over: no message and no name may stay in the page. */
  hide(): void {
    this.#queue.queue.clear();
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

  /** The page is left, perhaps for good: what could be taken back is done. */
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
        onPointerDown={this.#tooltip.hide}
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

  /** Stands in place of everything. */
  #card(): ComponentChildren {
    const { chat, strings, attribute } = this.#context;
    const card =
      cardOf(chat, strings, attribute('login-url')) ??
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

  #content() {
    const { strings, chat } = this.#context;
    const inert = this.#dialog !== undefined;
    const notice = noticeOfConnection(chat.connection, strings, strings.text('conn.lost'));
    const [list, detail] = this.#queue.draw();
    const sections = this.#sections();
    return (
      <div
        class={`app mod split${notice?.lost === true ? ' lost' : ''}`}
        data-pane={detail !== undefined && this.#place.id !== undefined ? 'detail' : 'list'}
      >
        <nav class="nav" aria-label={strings.text('mod.title')} inert={inert}>
          <div class="bar">
            <h2>
              <span>{strings.text('mod.title')}</span>
            </h2>
          </div>
          <ul>
            {sections.map((section) => (
              <li key={section}>{this.#link(section)}</li>
            ))}
          </ul>
          {this.#me()}
        </nav>
        <section class="list" aria-label={strings.text(`mod.${this.#place.section}`)} inert={inert}>
          <Banner context={this.#context} notice={notice} />
          {list}
          <KeyHints context={this.#context} open={this.#openKeys} />
        </section>
        <section class="detail" aria-label={this.#queue.label()} inert={inert}>
          {detail}
        </section>
        {sections.length > 1 && (
          <nav class="tabs-low" aria-label={strings.text('mod.title')} inert={inert}>
            {sections.map((section) => this.#link(section))}
          </nav>
        )}
        <div class="layer">
          {this.#layer?.()}
          {this.#dialog?.()}
          {this.#tooltip.draw()}
        </div>
        {this.#toasts.draw()}
      </div>
    );
  }

  #sections(): readonly Section[] {
    return ['queue'];
  }

  #link(section: Section) {
    const { strings } = this.#context;
    const { waiting = 0 } = this;
    return (
      <a
        key={section}
        href={hashOf({ section })}
        aria-current={this.#place.section === section ? 'page' : undefined}
      >
        <Icon name={pictures[section]} />
        {strings.text(`mod.${section}`)}
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

  /** Back in the list, the focus is where it was. */
  #focusListed(id: string | undefined): void {
    if (this.#wide) return;
    const row = id && this.#root.querySelector<HTMLElement>(`[data-key="${CSS.escape(id)}"]`);
    (row || this.#root.querySelector<HTMLElement>('.list h2'))?.focus();
  }

  #focusHeading(): void {
    const shown = this.#root.querySelector<HTMLElement>('.detail h2')?.checkVisibility() === true;
    this.#focusDue = false;
    this.#root.querySelector<HTMLElement>(shown ? '.detail h2' : '.list h2')?.focus();
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
    else if (this.#place.section !== 'queue' || !this.#queue.key(key)) return;
    event.preventDefault();
  };

  #fit(width: number): void {
    this.#wide = width >= WIDE;
  }
}

/** Marks in the history that the list is before it. */
const WITHIN = 'within';
