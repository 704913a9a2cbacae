import { avatar } from './avatar.ts';
import type { Context } from './context.ts';
import { empty } from './empty.ts';
import { arrange, button, h } from './h.ts';
import { icon } from './icon.ts';
import { Roving } from './roving.ts';

/** "Here now": who has the room open. */
export class PeopleView {
  readonly element: HTMLElement;
  readonly #context: Context;
  readonly #count = h('small');
  readonly #list = h('ul');
  readonly #scroll: HTMLElement;
  readonly #close: HTMLButtonElement;
  readonly #roving: Roving;
  #shown = '';

  constructor(context: Context, close: () => void) {
    const { strings } = context;
    this.#context = context;
    this.#close = button({ class: 'icon', 'aria-label': strings.text('common.close') }, close, icon('close'));
    this.#scroll = h(
      'div',
      { class: 'scroll', role: 'group', 'aria-label': strings.text('people.heading') },
      this.#list,
    );
    this.#roving = new Roving(this.#list, '.person', true);
    this.element = h(
      'aside',
      { class: 'pane side', part: 'people', 'aria-label': strings.text('people.heading') },
      h(
        'div',
        { class: 'bar' },
        h('h2', {}, h('span', {}, strings.text('people.heading')), this.#count),
        this.#close,
      ),
      this.#scroll,
    );
  }

  render(): void {
    const { chat, strings } = this.#context;
    const present = chat.current?.present ?? [];
    const count = chat.current?.presentCount ?? 0;
    const shown = JSON.stringify([present, count, chat.me?.id]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#count.textContent = count === 0 ? '' : String(count);
    const { compare } = new Intl.Collator(strings.locale);
    const rows = [...present]
      .sort((a, b) => compare(a.name, b.name))
      .map((user) => {
        const you = user.id === chat.me?.id ? [h('small', {}, strings.text('people.you'))] : [];
        // Not a button yet: there is nothing to do with a person before direct rooms can be opened.
        const person = h('div', { class: 'person', tabindex: -1 });
        person.append(avatar(user), h('span', { class: 'name' }, h('bdi', {}, user.name)), ...you);
        return h('li', {}, person);
      });
    this.#list.replaceChildren(...rows);
    this.#roving.update(undefined);
    const children: Element[] = [this.#list];
    const more = count - present.length;
    if (more > 0) children.push(h('p', { class: 'note' }, strings.text('people.more', { n: more })));
    if (count === 1) {
      children.push(empty('people', strings.text('people.empty.title'), strings.text('people.empty.text')));
    }
    arrange(this.#scroll, children);
  }

  focus(): void {
    this.#close.focus();
  }
}
