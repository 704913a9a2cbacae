import type { User } from '../../../server/events.ts';
import { byName, type Room } from '../store/room.ts';
import { avatar } from './avatar.ts';
import type { Context } from './context.ts';
import { empty } from './empty.ts';
import { arrange, button, h, set } from './h.ts';
import { icon } from './icon.ts';
import { Roving } from './roving.ts';

/** The left pane: rooms, then direct ones, and below who one is. */
export class RoomListView {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #rooms = h('ul');
  readonly #direct = h('ul');
  readonly #scroll: HTMLElement;
  readonly #me = h('div', { class: 'me' });
  readonly #roving: Roving;
  readonly #rows = new Map<string, { element: HTMLElement; shown: string }>();

  constructor(context: Context) {
    const { strings } = context;
    this.#context = context;
    this.#scroll = h('div', { class: 'scroll', role: 'group', 'aria-label': strings.text('rooms.list') });
    this.#roving = new Roving(this.#scroll, '.room', true);
    this.element = h(
      'nav',
      { class: 'pane rooms', part: 'rooms', 'aria-label': strings.text('rooms.list') },
      h('div', { class: 'bar' }, h('h2', {}, h('span', {}, strings.text('rooms.heading')))),
      this.#scroll,
      this.#me,
    );
  }

  render(): void {
    const { chat, strings } = this.#context;
    const rooms = byName(chat.rooms.values(), strings.locale);
    const direct = rooms.filter((room) => room.summary.kind === 'direct');
    const others = rooms.filter((room) => room.summary.kind !== 'direct');
    for (const id of this.#rows.keys()) if (!chat.rooms.has(id)) this.#rows.delete(id);
    arrange(
      this.#rooms,
      others.map((room) => this.#row(room)),
    );
    arrange(
      this.#direct,
      direct.map((room) => this.#row(room)),
    );
    const children: Element[] = [];
    if (others.length > 0) children.push(this.#heading('rooms.list'), this.#rooms);
    if (direct.length > 0) children.push(this.#heading('rooms.direct'), this.#direct);
    if (chat.me !== undefined && rooms.length === 0) children.push(this.#nothing());
    arrange(this.#scroll, children);
    this.#roving.update(this.#scroll.querySelector<HTMLElement>('[aria-current]') ?? undefined);
    this.#renderMe();
  }

  focus(): void {
    (this.#scroll.querySelector<HTMLElement>('[aria-current]') ?? this.#roving.items()[0])?.focus();
  }

  #row(room: Room): HTMLElement {
    const { chat, strings } = this.#context;
    const current = room === chat.current;
    const unread = chat.unreadIn(room);
    const shown = JSON.stringify([room.summary.name, unread, current, this.#here(room)]);
    const row = this.#rows.get(room.id);
    if (row?.shown === shown) return row.element;
    const press = button({ class: 'room' }, () => this.#context.open(room.id));
    const element = row?.element ?? h('li', {}, press);
    const target = (element.firstElementChild ?? press) as HTMLElement;
    set(target, { class: unread > 0 ? 'room unread' : 'room', 'aria-current': current && 'true' });
    target.replaceChildren(
      h('span', { class: 'lead' }, this.#lead(room)),
      h(
        'span',
        { class: 'name' },
        h('bdi', {}, room.summary.name),
        h('span', { class: 'vh' }, this.#kind(room)),
      ),
    );
    if (unread > 0) {
      const count = unread > 99 ? '99+' : String(unread);
      const words = strings.text('rooms.unread', { n: unread });
      target.append(
        h(
          'span',
          { class: 'badge' },
          h('span', { 'aria-hidden': 'true' }, count),
          h('span', { class: 'vh' }, words),
        ),
      );
    }
    this.#rows.set(room.id, { element, shown });
    return element;
  }

  #lead(room: Room): Element {
    const { kind, id, name } = room.summary;
    if (kind === 'direct')
      return avatar(this.#other(room) ?? { id, name }, this.#here(room) ? 's here' : 's');
    return icon(kind === 'private' ? 'lock' : 'hash');
  }

  #kind(room: Room): string {
    const { strings } = this.#context;
    if (room.summary.kind === 'private') return `, ${strings.text('rooms.private')}`;
    if (room.summary.kind === 'public') return '';
    return `, ${strings.text('rooms.direct')}${this.#here(room) ? `, ${strings.text('rooms.here')}` : ''}`;
  }

  /** The green dot: in direct rooms only, and only while that person has the room open. */
  #here(room: Room): boolean {
    return room.summary.kind === 'direct' && this.#other(room) !== undefined;
  }

  #other(room: Room): User | undefined {
    return room.present.find((user) => user.id !== this.#context.chat.me?.id);
  }

  #heading(key: 'rooms.list' | 'rooms.direct'): Element {
    const known = this.#scroll.querySelector(`[data-of="${key}"]`);
    return known ?? h('h3', { class: 'section', 'data-of': key }, this.#context.strings.text(key));
  }

  #nothing(): Element {
    const { strings } = this.#context;
    return empty('hash', strings.text('empty.rooms.title'), strings.text('empty.rooms.text'));
  }

  #renderMe(): void {
    const { chat, strings } = this.#context;
    const { me, connection } = chat;
    if (me === undefined) return this.#me.replaceChildren();
    const ready = connection.state.kind === 'ready';
    const words = strings.text(
      ready ? 'conn.connected' : navigator.onLine ? 'conn.connecting' : 'msg.waiting',
    );
    const shown = JSON.stringify([me, words]);
    if (this.#me.dataset.shown === shown) return;
    this.#me.dataset.shown = shown;
    this.#me.replaceChildren(
      avatar(me, ready ? 'here' : ''),
      h('div', {}, h('b', {}, h('bdi', {}, me.name)), h('small', {}, words)),
    );
  }
}
