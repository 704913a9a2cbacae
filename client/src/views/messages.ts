import type { Block } from '../store/blocks.ts';
import type { Entry } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { avatar } from './avatar.ts';
import type { Context } from './context.ts';
import { arrange, h, set } from './h.ts';
import { type MessageActions, MessageView, type Quoted, type State } from './message.ts';

/** A message that is acknowledged sooner needs no "Sending…". */
const SENDING_MS = 400;

/** The elements of the timeline's blocks; what was drawn before is used again. */
export class Messages {
  readonly #context: Context;
  readonly #actions: MessageActions;
  readonly #views = new Map<string, MessageView>();
  #groups: HTMLElement[] = [];
  readonly #lines = new Map<string, HTMLElement>();
  #width = 0;

  constructor(context: Context, actions: MessageActions) {
    this.#context = context;
    this.#actions = actions;
  }

  get(key: string): MessageView | undefined {
    return this.#views.get(key);
  }

  of(element: Element | null): MessageView | undefined {
    return this.#views.get((element as HTMLElement | null)?.dataset.key ?? '');
  }

  clear(): void {
    this.#views.clear();
    this.#groups = [];
    this.#lines.clear();
  }

  /** `last`: the key of one's own newest message, which says that it was sent. */
  draw(blocks: readonly Block[], room: Room, last: string | undefined): HTMLElement[] {
    const free = new Set(this.#groups);
    const keys = new Set<string>();
    this.#groups = [];
    const elements = blocks.map((block) => {
      if (block.kind === 'day') return this.#day(block.at, block.key);
      if (block.kind === 'new') return this.#new();
      const views = block.entries.map((entry) => {
        keys.add(entry.key);
        const view = this.#views.get(entry.key) ?? this.#create(entry);
        const quoted = entry.replyTo === undefined ? undefined : this.#quoted(room, entry.replyTo);
        view.render(entry, block.own, this.#state(entry, last), quoted, room.summary.lastSeq);
        return view;
      });
      const group = this.#group(views, block.own, free);
      this.#groups.push(group);
      return group;
    });
    for (const key of this.#views.keys()) if (!keys.has(key)) this.#views.delete(key);
    return elements;
  }

  /** Cuts what is long. To be called when all is on the page: reads first, then writes. */
  fold(width: number): void {
    const resized = width !== this.#width;
    this.#width = width;
    const counted = [...this.#views.values()].map((view) => ({ view, lines: view.lines(resized) }));
    for (const { view, lines } of counted) if (lines !== undefined) view.fold(lines);
  }

  #create(entry: Entry): MessageView {
    const view = new MessageView(entry, this.#context, this.#actions);
    view.element.dataset.key = entry.key;
    this.#views.set(entry.key, view);
    return view;
  }

  /** The group that one of these messages is in already, so that loading older ones moves nothing. */
  #group(views: readonly MessageView[], own: boolean, free: Set<HTMLElement>): HTMLElement {
    const known = views
      .map((view) => view.element.closest<HTMLElement>('.group'))
      .find((group) => group !== null && free.has(group));
    const group = known ?? h('div', { class: own ? 'group own' : 'group' });
    free.delete(group);
    const first = views[0]?.entry;
    if (first === undefined) return group;
    const shown = JSON.stringify([first.user, first.sentAt]);
    if (group.dataset.shown !== shown) {
      group.dataset.shown = shown;
      const { strings } = this.#context;
      const iso = new Date(first.sentAt).toISOString();
      const time = h(
        'time',
        { datetime: iso, title: strings.fullTime(first.sentAt) },
        strings.time(first.sentAt),
      );
      const name = own ? [] : [h('bdi', {}, first.user.name)];
      const by = h('div', { class: 'by' }, ...name, time);
      const stack = group.querySelector('.stack') ?? h('div', { class: 'stack' });
      stack.querySelector('.by')?.remove();
      stack.prepend(by);
      if (stack.parentElement === null) group.append(...(own ? [] : [avatar(first.user)]), stack);
      else if (!own) group.querySelector('.avatar')?.replaceWith(avatar(first.user));
    }
    const stack = group.querySelector('.stack');
    const by = group.querySelector('.by');
    if (stack !== null && by !== null) arrange(stack, [by, ...views.map((view) => view.element)]);
    return group;
  }

  #state(entry: Entry, last: string | undefined): State {
    const { pending } = entry;
    if (pending === undefined) return entry.key === last ? 'sent' : undefined;
    if (pending.failed !== undefined) return pending.failed === 'conflict' ? 'conflict' : 'failed';
    if (this.#context.chat.connection.state.kind !== 'ready') return 'waiting';
    const age = Date.now() - pending.sentAt;
    if (age >= SENDING_MS) return 'sending';
    setTimeout(() => this.#context.changed(), SENDING_MS - age);
    return undefined;
  }

  #quoted(room: Room, seq: number): Quoted | undefined {
    const message = room.timeline.get(seq);
    if (message !== undefined)
      return { user: message.user, text: message.text, gone: message.deletedAt !== undefined };
    if (room.joined) void this.#context.chat.sync.quoted(room, seq);
    return undefined;
  }

  #day(at: number, key: string): HTMLElement {
    const words = this.#context.strings.day(at);
    const line = this.#line(`day ${key}`, 'day');
    set(line, { 'aria-label': words });
    if (line.textContent !== words) line.replaceChildren(h('span', { 'aria-hidden': 'true' }, words));
    return line;
  }

  #new(): HTMLElement {
    const words = this.#context.strings.text('timeline.new');
    const line = this.#line('new', 'new');
    set(line, { 'aria-label': words });
    if (line.textContent !== words) line.replaceChildren(h('span', { 'aria-hidden': 'true' }, words));
    return line;
  }

  #line(key: string, name: string): HTMLElement {
    const line = this.#lines.get(key) ?? h('div', { class: name, role: 'separator' });
    this.#lines.set(key, line);
    return line;
  }
}
