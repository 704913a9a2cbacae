import type { Entry } from '../store/entries.ts';
import { onlyEmoji } from '../text/emoji.ts';
import { links } from '../text/links.ts';
import type { Context } from './context.ts';
import { button, h, set } from './h.ts';
import { icon } from './icon.ts';

export type State = 'sending' | 'waiting' | 'sent' | 'failed' | 'conflict' | undefined;

/** The message that is replied to; undefined while it is fetched. */
export type Quoted = Pick<Entry, 'user' | 'text'> & { gone: boolean };

/** A text that takes more lines is cut to twenty (`.cut` in timeline.css), with a button that shows the rest. */
const LONG_LINES = 24;

export interface MessageActions {
  reply(entry: Entry): void;
  menu(entry: Entry, opener: HTMLElement): void;
  jump(seq: number): void;
  retry(entry: Entry): void;
  discard(entry: Entry): void;
  /** Changes the height of a message that is on the screen. */
  resize(change: () => void): void;
}

/** One message: the same element from the first moment to the last, redrawn when something in it changes. */
export class MessageView {
  readonly element = h('article', { class: 'msg', tabindex: -1 });
  entry: Entry;
  readonly #context: Context;
  readonly #actions: MessageActions;
  #shown = '';
  /** Has got another text since its lines were last counted. */
  #uncounted = true;
  #open = false;

  constructor(entry: Entry, context: Context, actions: MessageActions) {
    this.entry = entry;
    this.#context = context;
    this.#actions = actions;
  }

  render(entry: Entry, own: boolean, state: State, quoted: Quoted | undefined, setSize: number): void {
    this.entry = entry;
    const { strings } = this.#context;
    const { message, user } = entry;
    set(this.element, {
      'aria-label': `${user.name}, ${strings.time(entry.sentAt)}`,
      'aria-posinset': message?.seq,
      'aria-setsize': message === undefined ? undefined : setSize,
    });
    const gone = message?.deletedAt !== undefined;
    const shown = JSON.stringify([entry.text, message?.editedAt, gone, state, quoted, message === undefined]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const classes = ['msg'];
    if (gone) classes.push('gone');
    else if (onlyEmoji(entry.text) && entry.replyTo === undefined) classes.push('emoji');
    if (state === 'failed' || state === 'conflict') classes.push('failed');
    if (this.element.classList.contains('flash')) classes.push('flash');
    this.element.className = classes.join(' ');
    const bubble = h('div', { class: 'bubble', part: own ? 'bubble bubble-own' : 'bubble' });
    if (!gone && entry.replyTo !== undefined) bubble.append(this.#quote(entry.replyTo, quoted));
    const text = gone ? h('p', { class: 'text' }, strings.text('msg.deleted')) : this.#text(entry);
    bubble.append(!gone && mayBeLong(entry.text) ? this.#fold(text) : text);
    this.#uncounted = true;
    this.element.replaceChildren(bubble);
    if (message !== undefined && !gone) this.element.append(this.#tools());
    if (state !== undefined) this.element.append(this.#state(state));
    for (const control of this.element.querySelectorAll<HTMLElement>('a, button')) {
      control.tabIndex = this.element.tabIndex;
    }
  }

  /** The lines of a text that may be long, once the message is on the page; undefined when nothing has changed. */
  lines(resized: boolean): number | undefined {
    if (!resized && !this.#uncounted) return undefined;
    this.#uncounted = false;
    const text = this.element.querySelector<HTMLElement>('.fold > .text');
    return text === null
      ? undefined
      : text.offsetHeight / Number.parseFloat(getComputedStyle(text).lineHeight);
  }

  /** Shows the whole text, or its beginning and a button for the rest. */
  fold(lines: number): void {
    const fold = this.element.querySelector('.fold');
    const more = this.element.querySelector<HTMLElement>('.more');
    const long = lines > LONG_LINES;
    fold?.classList.toggle('cut', long && !this.#open);
    if (!long) more?.remove();
    else if (more === null) {
      const added = button({ class: 'link more', tabindex: this.element.tabIndex }, () => this.#toggle());
      fold?.after(added);
      this.#label(added);
    }
  }

  flash(): void {
    this.element.classList.add('flash');
    setTimeout(() => this.element.classList.remove('flash'), 1600);
  }

  #text({ text, message }: Entry): HTMLElement {
    const paragraph = h('p', { class: 'text' });
    for (const piece of links(text)) {
      if (typeof piece === 'string') paragraph.append(piece);
      else {
        const { href, host } = piece;
        const rel = 'noopener noreferrer nofollow ugc';
        paragraph.append(h('a', { href, rel, target: '_blank', title: host }, piece.text));
      }
    }
    if (message?.editedAt !== undefined) {
      paragraph.append(h('span', { class: 'edited' }, this.#context.strings.text('msg.edited')));
    }
    return paragraph;
  }

  #fold(text: HTMLElement): HTMLElement {
    const fold = h('div', { class: 'fold' }, text);
    // The Tab key leads to links in the part that is not shown, too.
    fold.addEventListener('focusin', ({ target }) => {
      if (!(target instanceof HTMLElement) || !fold.classList.contains('cut')) return;
      if (target.getBoundingClientRect().bottom <= fold.getBoundingClientRect().bottom) return;
      this.#toggle();
      target.scrollIntoView({ block: 'nearest' });
    });
    return fold;
  }

  #toggle(): void {
    this.#open = !this.#open;
    this.#actions.resize(() => {
      this.element.querySelector('.fold')?.classList.toggle('cut', !this.#open);
      const more = this.element.querySelector<HTMLElement>('.more');
      if (more !== null) this.#label(more);
    });
    // What was read is gone: its beginning may be far above.
    if (!this.#open) this.element.scrollIntoView({ block: 'nearest' });
  }

  #label(more: HTMLElement): void {
    set(more, { 'aria-expanded': String(this.#open) });
    more.textContent = this.#context.strings.text(this.#open ? 'msg.showLess' : 'msg.showMore');
  }

  #quote(seq: number, quoted: Quoted | undefined): HTMLElement {
    const { strings } = this.#context;
    const name = quoted?.user.name ?? '…';
    const [before = '', after = ''] = strings.text('composer.replyTo').split('{name}');
    const line = quoted?.gone === true ? strings.text('msg.deleted') : (quoted?.text ?? '');
    return button(
      { class: 'quote' },
      () => this.#actions.jump(seq),
      h('b', {}, h('span', { class: 'vh' }, before), h('bdi', {}, name), h('span', { class: 'vh' }, after)),
      h('span', {}, line.replace(/\s+/gu, ' ').slice(0, 200).toWellFormed()),
    );
  }

  #tools(): HTMLElement {
    const { strings } = this.#context;
    const reply = { class: 'icon', 'aria-label': strings.text('action.reply') };
    const more = { class: 'icon', 'aria-label': strings.text('msg.more'), 'aria-haspopup': 'menu' };
    const tools = h('div', { class: 'tools', role: 'toolbar', 'aria-label': strings.text('msg.actions') });
    const opener = button(more, () => this.#actions.menu(this.entry, opener), icon('dots'));
    tools.append(
      button(reply, () => this.#actions.reply(this.entry), icon('reply')),
      opener,
    );
    return tools;
  }

  #state(state: NonNullable<State>): HTMLElement {
    const { strings } = this.#context;
    if (state === 'failed' || state === 'conflict') {
      const retry = strings.text(state === 'failed' ? 'msg.retry' : 'msg.sendNew');
      return h(
        'div',
        { class: 'state bad' },
        icon('alert', 's'),
        h('span', {}, strings.text(`msg.${state}`)),
        button({ class: 'link' }, () => this.#actions.retry(this.entry), retry),
        button({ class: 'link' }, () => this.#actions.discard(this.entry), strings.text('msg.discard')),
      );
    }
    const words = h('span', {}, strings.text(`msg.${state}`));
    return h('div', { class: 'state' }, icon(state === 'sent' ? 'check' : 'clock', 's'), words);
  }
}

/** Whether it may take more than `LONG_LINES` lines: in the narrowest element a line has ten characters at least. */
function mayBeLong(text: string): boolean {
  return text.length > 10 * LONG_LINES || text.split(/[\n\x85\p{Zl}\p{Zp}]/u).length > LONG_LINES;
}
