import { Component, type ComponentChildren, createRef } from 'preact';
import type { Message } from '../../../../server/wire/events.ts';
import { list, text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import { atMost99 } from '../../strings/strings.ts';
import { composes, confirms } from '../../text/keys.ts';
import { boxIn } from '../box.ts';
import type { Context } from '../context.ts';
import { FilterField } from '../controls/filter-field.tsx';
import { Icon, IconButton } from '../controls/icon.tsx';
import { RovingList } from '../controls/roving-list.tsx';
import { draftOf } from '../messages/draft.ts';
import { Avatar } from '../people/avatar.tsx';
import { RoomFace } from './room-face.tsx';
import { RoomRow } from './room-row.tsx';

interface Props {
  readonly context: Context;
  /** Whether a dialog covers the list. */
  readonly inert: boolean;
  readonly lost: boolean;
  /** Called with this list when it is mounted, and with undefined when it is unmounted. */
  shown(list: RoomList | undefined): void;
  /** Undefined if the room's header offers the search. */
  search: (() => void) | undefined;
  /** Whether the user's settings replace the room. */
  readonly settings: boolean;
  /** Whether the room's pane is visible. */
  readonly roomInSight: boolean;
  /** Folds texts for the filter. Undefined until the panels are loaded. */
  readonly folded: ((text: string) => string) | undefined;
  /** Shown above the list. */
  readonly above: ComponentChildren;
  /** Replaces the list of rooms. */
  readonly questions: ComponentChildren;
}

const isDeleting = ({ id, summary }: Room, deleting: ReadonlyMap<string, Message>) =>
  [...deleting.values()].some(({ room, seq }) => room === id && seq === summary.last?.seq);

const order = ['favourites', 'people', 'rooms', 'archive'] as const;
type Section = (typeof order)[number];
const titles = { people: 'people.title', rooms: 'rooms.list', archive: 'rooms.archive' } as const;

/** Browser setting: the sections that the user closed. */
const CLOSED = 'closed';
/** With more rooms, users and rooms have sections. */
const SPLIT = 12;
/** With more rooms, the list has a field to find one. */
const MANY = 20;

const isArchived = ({ summary }: Room) => summary.archived === true && summary.member;

function sectionsOf(own: readonly Room[]): Partial<Record<Section, readonly Room[]>> {
  const isSplit = own.filter((room) => !isArchived(room)).length > SPLIT;
  return Object.groupBy(own, (room) => {
    const { favourite, kind } = room.summary;
    if (favourite !== undefined) return 'favourites';
    if (isArchived(room)) return 'archive';
    return isSplit && kind === 'direct' ? 'people' : 'rooms';
  });
}

/** More public rooms are fetched within this distance of the end, in CSS pixels. */
const AHEAD = 400;

/**
 * The left pane: the favourites, the user's own rooms with the latest message first, then public rooms, and the user at
 * the bottom.
 */
export class RoomList extends Component<Props> {
  readonly #nav = createRef<HTMLElement>();
  readonly #list = createRef<HTMLDivElement>();
  readonly #filter = createRef<HTMLInputElement>();
  readonly #order = new StillOrder<Room>();
  /** The open room at the last render, and whether it was among the user's own rooms. */
  #open: { readonly room: Room | undefined; readonly own: boolean } | undefined;
  #query = '';
  /** Whether the last pointer on the list was a finger. */
  #finger = false;
  /** Whether a finger is on the list now. */
  #touched = false;

  override componentDidMount(): void {
    this.props.shown(this);
    this.#showOpen();
  }

  override componentDidUpdate(): void {
    this.#extend();
    this.#showOpen();
  }

  override componentWillUnmount(): void {
    this.props.shown(undefined);
  }

  /** The rooms of the last render, in their order on the screen. */
  order: readonly Room[] = [];

  focus(): void {
    // The rooms, or the questions.
    const find = (which: string) => this.#nav.current?.querySelector<HTMLElement>(which);
    (find('.room[tabindex="0"]') ?? find('.bar button'))?.focus();
  }

  override render({ context, inert, lost, search, settings, roomInSight, folded, above, questions }: Props) {
    const { chat, strings } = context;
    const { can, me } = chat;
    const label = strings.text('rooms.list');
    const wanted = folded?.(this.#query.trim()) ?? '';
    // Opening a room joins it, except for a preview.
    const joining = chat.current?.preview ? undefined : chat.current;
    const matches = ({ summary }: Room) =>
      wanted === '' || folded?.(strings.roomName(summary)).includes(wanted);
    // Rows that do not match are hidden and not removed, because creating hundreds of rows takes longer than a frame.
    const ordered = this.#order.draw(chat.list.own(joining), this.#held);
    // The team has a list for questions.
    const own = chat.answers ? ordered.filter(({ summary }) => summary.question === undefined) : ordered;
    const parts = sectionsOf(own);
    // A search also finds rooms in closed sections.
    const closed = wanted === '' ? this.#closed : [];
    const hidden = (key: Section) => (room: Room) =>
      !matches(room) || (closed.includes(key) && room !== chat.current);
    this.order = order.flatMap((key) => parts[key]?.filter((room) => !hidden(key)(room)) ?? []);
    const others = chat.list.others(strings.locale, joining).filter(matches);
    const row = (room: Room, isHidden: boolean) => (
      <RoomRow
        key={room.id}
        context={context}
        room={room}
        hidden={isHidden}
        summary={room.summary}
        texts={strings.texts}
        unread={chat.unreadIn(room)}
        fresh={room.fresh}
        current={room === chat.current && !settings}
        draft={room === chat.current && roomInSight ? undefined : draftOf(room, chat.store)}
        instead={context.instead(room.summary.last)}
        deleting={isDeleting(room, context.chat.deleting)}
      />
    );
    return (
      <nav class="pane rooms" part="rooms" aria-label={label} inert={inert} ref={this.#nav}>
        <div class="bar">
          <h2>
            <slot name="logo">
              <span>{strings.text('rooms.heading')}</span>
            </slot>
          </h2>
          {/* Appears together with the next button, which would move it otherwise. */}
          {me !== undefined && search !== undefined && (
            <IconButton name="search" label={strings.text('search.open')} press={search} />
          )}
          {(chat.mayCreate || can.direct || can.ask) && (
            <button
              type="button"
              class="icon"
              aria-label={strings.text('rooms.add')}
              aria-haspopup="menu"
              aria-expanded="false"
              onClick={(event) => context.menu({ kind: 'add' }, event.currentTarget)}
            >
              <Icon name="plus" />
            </button>
          )}
        </div>
        {above}
        {questions === undefined && chat.rooms.size > MANY && this.#field()}
        {/* A new element once the rooms are known, because the field above would move the empty list. */}
        {questions ?? (
          <RovingList
            key={me === undefined ? 'empty' : 'rooms'}
            items="li:not([hidden]) > .room"
            label={label}
            preferred="[aria-current]"
            element={this.#list}
            onScroll={this.#extend}
            onPointerEnter={this.#pointed}
            onPointerLeave={this.#pointed}
            onFocusOut={context.changed}
          >
            {order.map((key) => {
              const rooms = parts[key];
              const isHidden = hidden(key);
              return (
                rooms && [
                  <ul key={key}>
                    {(key === 'archive' || (parts.people && parts.rooms)) &&
                      this.#section(key, rooms.filter(isHidden))}
                    {rooms.map((room) => row(room, isHidden(room)))}
                  </ul>,
                  key === 'favourites' && rooms.length < own.length && <hr key="end" />,
                ]
              );
            })}
            {others.length > 0 && [
              <h3 class="section" key="more">
                {strings.text('rooms.more')}
              </h3>,
              <ul key="others">{others.map((room) => this.#other(room))}</ul>,
            ]}
            {me !== undefined && this.order.length + others.length === 0 && this.#nothing()}
          </RovingList>
        )}
        <Foot changed={context.changed} />
        <Me context={context} lost={lost} settings={settings} />
      </nav>
    );
  }

  #field() {
    const label = this.props.context.strings.text('rooms.filter');
    return (
      <FilterField
        label={label}
        query={this.#query}
        field={this.#filter}
        typed={(query) => this.#look(query)}
        pressed={this.#key}
      />
    );
  }

  /** The button that opens and closes a section. Closed, it has the unread messages of its hidden rooms. */
  #section(key: Section, hidden: readonly Room[]) {
    if (key === 'favourites') return null;
    const { chat, strings, changed } = this.props.context;
    const closed = this.#closed;
    const isClosed = closed.includes(key);
    const unread = hidden.reduce((sum, room) => (room.muted ? sum : sum + chat.unreadIn(room)), 0);
    return (
      <li key={key} hidden={this.#query.trim() !== ''}>
        <button
          type="button"
          class="room"
          aria-expanded={!isClosed}
          tabIndex={-1}
          data-key={key}
          onClick={() => {
            chat.settings.set(CLOSED, isClosed ? closed.filter((other) => other !== key) : [...closed, key]);
            changed();
          }}
        >
          <span class="name">
            {strings.text(titles[key])}
            {unread > 0 && <span class="vh">, {strings.text('rooms.unread', { n: unread })}</span>}
          </span>
          {unread > 0 && (
            // Rooms in the archive do not notify, so their number is grey, as that of muted rooms.
            <span class={key === 'archive' ? 'badge quiet' : 'badge'} aria-hidden="true">
              {atMost99(unread)}
            </span>
          )}
          <Icon name="fold" size="s" />
        </button>
      </li>
    );
  }

  get #closed(): readonly string[] {
    return this.props.context.chat.settings.get(CLOSED, list(text)) ?? ['archive'];
  }

  #other(room: Room) {
    const { chat, strings, open } = this.props.context;
    return (
      <li key={room.id}>
        <button
          type="button"
          class="room"
          aria-current={(room === chat.current && !this.props.settings) || undefined}
          tabIndex={-1}
          data-key={room.id}
          onClick={() => open(room.id)}
        >
          <RoomFace summary={room.summary} size="s" />
          <span class="name">
            <bdi>{room.summary.name}</bdi>
            <span class="vh">, {strings.text('rooms.notJoined')}</span>
          </span>
        </button>
      </li>
    );
  }

  #nothing() {
    const { noRoom } = this.props.context;
    const wanted = this.#query.trim();
    if (wanted !== '') return noRoom(wanted);
    // If there is space for a room next to the list, the room's pane shows this text.
    return (
      <div class="narrow" key="none">
        {noRoom()}
      </div>
    );
  }

  /** Redraws now, so that the next key does not add to the old text. */
  #clear(): void {
    this.#look('');
    this.props.context.draw();
  }

  #look(query: string): void {
    const { chat, changed } = this.props.context;
    this.#query = query;
    void chat.list.findOthers(query);
    changed();
  }

  readonly #key = (event: KeyboardEvent) => {
    if (composes(event)) return;
    if (event.key === 'Escape' && this.#query !== '') this.#clear();
    else if (event.key === 'ArrowDown') this.focus();
    else if (confirms(event)) {
      // The rendered list may be a letter behind the field.
      this.props.context.draw();
      const first = this.#list.current?.querySelector<HTMLElement>('li:not([hidden]) > .room')?.dataset.key;
      if (first === undefined) return;
      this.#clear();
      this.props.context.open(first);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /**
   * While the pointer is over the list or the focus is in it, the rows keep their order. Asks the browser, because an
   * element that is removed or redrawn under the pointer may not fire `pointerleave`.
   */
  get #held(): boolean {
    const list = this.#list.current;
    if (list === null) return false;
    // After a touch, browsers still match `:hover`.
    return list.matches(':focus-within') || (this.#finger ? this.#touched : list.matches(':hover'));
  }

  readonly #pointed = ({ type, pointerType }: PointerEvent) => {
    this.#finger = pointerType === 'touch';
    this.#touched = this.#finger && type === 'pointerenter';
    this.props.context.changed();
  };

  /** Scrolls to the open room. After joining, a public room far below moves up to the user's own rooms, out of view. */
  #showOpen(): void {
    const { current } = this.props.context.chat;
    const own = current?.preview !== true;
    if (current === this.#open?.room && own === this.#open?.own) return;
    this.#open = { room: current, own };
    const list = this.#list.current;
    const row = list?.querySelector('[aria-current]');
    if (list === null || !row) return;
    // `scrollIntoView` would also scroll the page around the chat.
    const { top, bottom } = boxIn(list, row);
    if (top < 0) list.scrollTop += top;
    else if (bottom > list.offsetHeight) list.scrollTop += bottom - list.offsetHeight;
  }

  readonly #extend = () => {
    const list = this.#list.current;
    const { chat } = this.props.context;
    if (!chat.list.moreOthers || list === null || list.clientHeight === 0) return;
    if (list.scrollHeight - list.scrollTop - list.clientHeight < AHEAD) void chat.list.loadOthers();
  };
}

/** Keeps the order of the last render while the pointer or the focus is in the list. New items come last. */
class StillOrder<T extends { readonly id: string }> {
  /** The items in their order on the screen. */
  drawn: readonly T[] = [];

  draw(items: readonly T[], still: boolean): readonly T[] {
    this.drawn = still ? this.#asDrawn(items) : items;
    return this.drawn;
  }

  #asDrawn(items: readonly T[]): readonly T[] {
    const places = new Map(this.drawn.map(({ id }, index) => [id, index]));
    const last = places.size;
    return [...items].sort((a, b) => (places.get(a.id) ?? last) - (places.get(b.id) ?? last));
  }
}

/** The page's own content above the user's name, if there is any. */
class Foot extends Component<{ changed(): void }> {
  readonly #slot = createRef<HTMLSlotElement>();
  #filled = false;

  override componentDidMount(): void {
    const slot = this.#slot.current;
    slot?.addEventListener('slotchange', () => {
      this.#filled = slot.assignedNodes().length > 0;
      this.props.changed();
    });
  }

  override render() {
    return (
      <div class="me" hidden={!this.#filled}>
        <slot name="foot" ref={this.#slot} />
      </div>
    );
  }
}

function Me({ context, lost, settings }: Pick<Props, 'context' | 'lost' | 'settings'>) {
  const { chat, strings, showSettings } = context;
  const { me, connection, can, server } = chat;
  const ready = connection.state.kind === 'ready';
  const words = strings.text(lost ? 'conn.lost' : ready ? 'conn.connected' : 'conn.connecting');
  // The height is the same before the user is known.
  return (
    <div class="me">
      {me === undefined ? (
        <span class="avatar" aria-hidden="true" />
      ) : (
        <Avatar user={me} kind={ready || lost ? 'here' : ''} />
      )}
      <div>
        <b>
          <bdi>{me?.name ?? '\u00a0'}</bdi>
        </b>
        <small>{me === undefined ? '\u00a0' : words}</small>
      </div>
      <span class="tail">
        {can.moderate !== undefined && (
          <a
            class="icon"
            href={`${server}moderate`}
            target="_blank"
            rel="noopener"
            aria-label={strings.text('mod.title')}
          >
            <Icon name="shield" />
          </a>
        )}
        {me !== undefined && (
          <button
            type="button"
            class="icon own-settings"
            aria-label={strings.text('prefs.open')}
            aria-pressed={settings}
            onClick={showSettings}
          >
            <Icon name="settings" />
          </button>
        )}
      </span>
    </div>
  );
}
