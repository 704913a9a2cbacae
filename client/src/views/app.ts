import type { Message } from '../../../server/events.ts';
import type { ConnectionState } from '../connection-state.ts';
import type { Entry } from '../store/entries.ts';
import { byName, type Room } from '../store/room.ts';
import { BannerView } from './banner.ts';
import { ComposerView } from './composer.ts';
import type { Context } from './context.ts';
import { endedCard } from './ended.ts';
import { h, set } from './h.ts';
import { HeaderView } from './header.ts';
import { messageItems } from './message-items.ts';
import { openMessageMenu } from './message-menu.ts';
import { PeopleView } from './people.ts';
import { ReadMarker } from './read-marker.ts';
import { RoomListView } from './room-list.ts';
import { Speaker } from './speaker.ts';
import { TimelineView } from './timeline.ts';
import { ToastsView } from './toasts.ts';
import { onLongPress, onMessageKeys } from './touch-and-keys.ts';

const WIDE = 960;

/** The whole element: three panes, and what lies above them. */
export class AppView {
  readonly element = h('div', { class: 'app', 'data-view': 'room', part: 'app' });
  readonly #context: Context;
  readonly #rooms: RoomListView;
  readonly #header: HeaderView;
  readonly #banner: BannerView;
  readonly #timeline: TimelineView;
  readonly #composer: ComposerView;
  readonly #people: PeopleView;
  readonly #toasts: ToastsView;
  readonly #speaker: Speaker;
  readonly #reading: ReadMarker;
  readonly #main: HTMLElement;
  readonly #layer = h('div', { class: 'layer' });
  /** People beside the timeline, where there is room for it: remembered. */
  #peopleBeside: boolean;
  /** People above the timeline, where there is not. */
  #peopleAbove = false;
  #wide = false;

  constructor(context: Omit<Context, 'toast' | 'open' | 'layer'>) {
    const { strings } = context;
    this.#toasts = new ToastsView(strings);
    this.#context = {
      ...context,
      toast: (text, kind) => this.#toasts.show(text, kind),
      open: (room) => this.open(room),
      layer: (...elements) => this.#layer.replaceChildren(...elements),
    };
    const actions = {
      reply: (entry: Entry) => this.#composer.reply(entry),
      menu: (entry: Entry, opener: HTMLElement) => this.#menu(entry, opener),
      jump: (seq: number) => void this.#timeline.jump(seq),
      retry: ({ pending }: Entry) => pending !== undefined && context.chat.outbox?.retry(pending),
      discard: ({ pending }: Entry) => {
        if (pending !== undefined) context.chat.outbox?.discard(pending.clientId);
        this.#composer.focus();
      },
    };
    this.#rooms = new RoomListView(this.#context);
    this.#header = new HeaderView(
      this.#context,
      () => this.#back(),
      () => this.#togglePeople(),
    );
    this.#banner = new BannerView(this.#context);
    this.#timeline = new TimelineView(this.#context, actions);
    this.#composer = new ComposerView(
      this.#context,
      () => this.#timeline.toEnd(),
      () => this.#timeline.toEnd(),
    );
    this.#people = new PeopleView(this.#context, () => this.#togglePeople());
    this.#speaker = new Speaker(strings);
    this.#peopleBeside = context.chat.settings.get<boolean>('people') ?? true;
    this.#main = h(
      'section',
      { class: 'main' },
      this.#header.element,
      this.#banner.element,
      this.#timeline.element,
      this.#composer.element,
    );
    this.#reading = new ReadMarker(context.chat, this.#timeline);
    this.#panes();
    this.element.addEventListener('keydown', (event) => this.#key(event));
    onMessageKeys(this.#timeline, (entry) => messageItems(entry, this.#context, actions), actions);
    onLongPress(this.#timeline, actions);
    new ResizeObserver(([entry]) => this.#resized(entry?.contentRect.width ?? 0)).observe(this.element);
  }

  render(): void {
    const { chat, strings } = this.#context;
    if (chat.connection.state.kind === 'ended') return;
    const people = this.#wide ? this.#peopleBeside : this.#peopleAbove;
    set(this.element, { 'data-side': people && (this.#wide ? true : 'open') });
    set(this.#main, { 'aria-label': chat.current?.summary.name ?? strings.text('rooms.heading') });
    this.#rooms.render();
    this.#header.render(people);
    this.#banner.render();
    this.#timeline.render();
    this.#people.render();
    this.#reading.watch();
    this.#composer.render({
      shown: chat.current !== undefined && !this.#timeline.atEnd,
      below: this.#timeline.below,
    });
  }

  open(id: string): void {
    this.#context.chat.open(id);
    this.element.dataset.view = 'room';
    this.render();
    if (this.#context.touch()) this.#header.focusTitle();
    else this.#composer.focus();
  }

  /** The session may be over: no message, name or draft may stay in the page. */
  hide(): void {
    this.#reading.stop();
    this.#composer.clear();
    this.#layer.replaceChildren();
    this.#toasts.clear();
    this.#speaker.clear();
    this.#timeline.clear();
  }

  state(state: ConnectionState, loginUrl: string | null): void {
    const { chat, strings } = this.#context;
    this.#speaker.connection(state);
    if (state.kind === 'ended') {
      const kept = state.user === undefined ? 0 : chat.kept(state.user);
      const card = endedCard(state, kept, loginUrl, strings);
      const focused = (this.element.getRootNode() as ShadowRoot).activeElement !== null;
      this.element.dataset.view = 'ended';
      set(this.element, { 'data-side': undefined });
      this.element.replaceChildren(card, ...this.#speaker.elements);
      const heading = card.querySelector('h3');
      this.#speaker.alert(heading?.textContent ?? '');
      if (focused) heading?.focus();
      return;
    }
    if (this.element.dataset.view === 'ended') this.#panes();
  }

  message(room: Room, message: Pick<Message, 'user' | 'text'>): void {
    if (room === this.#context.chat.current) this.#speaker.message(message.user.name, message.text);
    else this.#speaker.elsewhere(room.summary.name);
  }

  unsent(): void {
    this.#speaker.alert(this.#context.strings.text('say.unsent'));
  }

  loaded(count: number): void {
    if (count > 0) this.#speaker.say(this.#context.strings.text('say.loaded', { n: count }));
  }

  /** The page may be going. */
  keep(): void {
    this.#composer.keepNow();
  }

  #panes(): void {
    this.element.dataset.view = 'room';
    this.element.replaceChildren(
      this.#rooms.element,
      this.#main,
      this.#people.element,
      this.#layer,
      this.#toasts.element,
      ...this.#speaker.elements,
    );
  }

  #menu(entry: Entry, opener: HTMLElement): void {
    const items = messageItems(entry, this.#context, { reply: (target) => this.#composer.reply(target) });
    openMessageMenu(entry, items, opener, this.#context);
  }

  #back(): void {
    this.element.dataset.view = 'rooms';
    this.render();
    this.#rooms.focus();
  }

  #togglePeople(): void {
    if (this.#wide) {
      this.#peopleBeside = !this.#peopleBeside;
      this.#context.chat.settings.set('people', this.#peopleBeside);
    } else {
      this.#peopleAbove = !this.#peopleAbove;
    }
    this.render();
    if (!this.#wide && this.#peopleAbove) this.#people.focus();
    else this.#header.focusPeople();
  }

  #resized(width: number): void {
    this.#wide = width >= WIDE;
    if (this.#wide) this.#peopleAbove = false;
    this.#context.changed();
  }

  #key(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      if (this.#peopleAbove) this.#togglePeople();
      else if (!this.#composer.cancel()) return;
      event.preventDefault();
    } else if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      this.#step(event.key === 'ArrowUp' ? -1 : 1, event.shiftKey);
    }
  }

  #step(by: 1 | -1, unread: boolean): void {
    const { chat, strings } = this.#context;
    const all = byName(chat.rooms.values(), strings.locale);
    const at = chat.current === undefined ? -1 : all.indexOf(chat.current);
    for (let i = at + by; i >= 0 && i < all.length; i += by) {
      const room = all[i];
      if (room !== undefined && (!unread || room.unread > 0)) return this.open(room.id);
    }
  }
}
