import type { Context } from './context.ts';
import { button, h, set } from './h.ts';
import { icon } from './icon.ts';

/** The room's name, the way back where there is one pane, and how many people are here. */
export class HeaderView {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #back: HTMLButtonElement;
  readonly #badge = h('span', { class: 'badge', 'aria-hidden': 'true' });
  readonly #title = h('h2', { tabindex: -1 });
  readonly #people: HTMLButtonElement;
  readonly #count = h('span', { 'aria-hidden': 'true' });

  constructor(context: Context, back: () => void, people: () => void) {
    this.#context = context;
    this.#back = button({ class: 'icon back' }, back, icon('back', 'flip'));
    this.#people = button({ class: 'icon wide' }, people, icon('people'), this.#count);
    this.element = h('div', { class: 'bar', part: 'header' }, this.#back, this.#title, this.#people);
  }

  render(peopleShown: boolean): void {
    const { chat, strings } = this.#context;
    const room = chat.current;
    const elsewhere = chat.unread - (room === undefined ? 0 : chat.unreadIn(room));
    const back = strings.text('rooms.back');
    const unread = strings.text('rooms.unread', { n: elsewhere });
    set(this.#back, {
      class: elsewhere > 0 ? 'icon back wide' : 'icon back',
      'aria-label': elsewhere > 0 ? `${back}, ${unread}` : back,
    });
    if (elsewhere > 0) {
      this.#badge.textContent = elsewhere > 99 ? '99+' : String(elsewhere);
      if (!this.#badge.isConnected) this.#back.append(this.#badge);
    } else {
      this.#badge.remove();
    }
    const shown = JSON.stringify([room?.summary.kind, room?.summary.name]);
    if (this.#title.dataset.shown !== shown) {
      this.#title.dataset.shown = shown;
      this.#title.replaceChildren();
      if (room !== undefined) {
        const { kind, name } = room.summary;
        if (kind !== 'direct') this.#title.append(icon(kind === 'private' ? 'lock' : 'hash'));
        this.#title.append(h('bdi', {}, name));
      }
    }
    this.#people.hidden = room === undefined;
    const count = room?.presentCount ?? 0;
    this.#count.textContent = String(count);
    set(this.#people, {
      'aria-label': `${strings.text('people.heading')}: ${count}`,
      'aria-pressed': String(peopleShown),
    });
  }

  focusTitle(): void {
    this.#title.focus();
  }

  focusPeople(): void {
    this.#people.focus();
  }
}
