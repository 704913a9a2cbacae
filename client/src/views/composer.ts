import type { Entry } from '../store/entries.ts';
import { blank, cleaned, codePoints } from '../text/paste.ts';
import type { Context } from './context.ts';
import { button, h, set } from './h.ts';
import { icon } from './icon.ts';

interface Draft {
  text: string;
  replyTo?: number;
  /** Whom the reply is for, and what was said: shown above the field. */
  about?: { name: string; text: string };
}

const DRAFT_MS = 300;

/** Where one writes. What is typed is kept as a draft, a room at a time, until it is sent. */
export class ComposerView {
  readonly element: HTMLFormElement;
  readonly #context: Context;
  readonly #sent: () => void;
  readonly #text = h('textarea', { rows: 1, enterkeyhint: 'enter' });
  readonly #send: HTMLButtonElement;
  readonly #jump: HTMLButtonElement;
  readonly #jumpText = document.createTextNode('');
  readonly #wait = h('span');
  readonly #count = h('span', { class: 'count' });
  readonly #field = h('div', { class: 'field' });
  readonly #strip = h('div', { class: 'context' });
  #room: string | undefined;
  #reply: Pick<Draft, 'replyTo' | 'about'> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Where somebody was writing when everything was hidden. */
  #caret: [start: number, end: number] | undefined;

  constructor(context: Context, sent: () => void, jump: () => void) {
    const { strings } = context;
    this.#context = context;
    this.#sent = sent;
    this.#send = button(
      { class: 'send', 'aria-label': strings.text('composer.send') },
      () => this.#submit(),
      icon('send'),
    );
    this.#jump = button({ class: 'jump', hidden: true }, jump, icon('down'), this.#jumpText);
    this.#field.append(h('div', { class: 'row' }, this.#text, this.#send));
    const status = h('div', { class: 'status' }, this.#wait, this.#count);
    this.element = h('form', { class: 'composer column', part: 'composer' }, this.#jump, status, this.#field);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('input', () => this.#typed());
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    this.#text.addEventListener('paste', (event) => this.#paste(event.clipboardData, event));
    this.#text.addEventListener('drop', (event) => this.#paste(event.dataTransfer, event));
  }

  render(pill: { shown: boolean; below: number }): void {
    const { chat, strings } = this.#context;
    const room = chat.current;
    this.element.hidden = room === undefined;
    if (room?.id !== this.#room) this.#change(room?.id);
    const name = room?.summary.name ?? '';
    set(this.#text, {
      'aria-label': strings.text('composer.label', { room: name }),
      placeholder: strings.text('composer.placeholder', { room: name }),
    });
    const limited =
      chat.paused?.code === 'rate_limited' && chat.pending(room).length > 0 ? chat.paused : undefined;
    const seconds = limited === undefined ? 0 : Math.ceil((limited.until - Date.now()) / 1000);
    this.#wait.textContent = seconds > 0 ? strings.text('composer.wait', { s: seconds }) : '';
    const text = this.#text.value;
    const left = chat.limit - codePoints(text);
    const near = chat.me !== undefined && left <= chat.limit / 10;
    const words =
      left < 0 ? strings.count('composer.tooMany', -left) : strings.text('composer.left', { n: left });
    this.#count.textContent = near ? words : '';
    this.#count.classList.toggle('over', left < 0);
    set(this.#send, { 'aria-disabled': (blank(text) || left < 0) && 'true' });
    this.#jump.hidden = !pill.shown;
    this.#jumpText.data =
      pill.below > 0 ? strings.count('timeline.jump', pill.below) : strings.text('timeline.jump');
  }

  focus(): void {
    this.#text.focus();
  }

  reply(entry: Entry): void {
    if (entry.message === undefined) return;
    this.#setReply({
      replyTo: entry.message.seq,
      about: { name: entry.user.name, text: entry.text.slice(0, 200) },
    });
    this.#keep();
    this.focus();
  }

  /** True if there was something to leave. */
  cancel(): boolean {
    if (this.#reply.replyTo === undefined) return false;
    this.#setReply({});
    this.#keep();
    this.focus();
    return true;
  }

  /** Keeps the draft at once: the page may be going. */
  keepNow(): void {
    if (this.#timer !== undefined) this.#keep();
  }

  /** Keeps the draft, and leaves nothing of it in the page. */
  clear(): void {
    this.keepNow();
    const { activeElement } = this.element.getRootNode() as ShadowRoot;
    if (activeElement === this.#text) {
      this.#caret = [this.#text.selectionStart, this.#text.selectionEnd];
    }
    this.#room = undefined;
    this.#text.value = '';
    this.#setReply({});
  }

  #change(room: string | undefined): void {
    this.keepNow();
    this.#room = room;
    const draft = room === undefined ? undefined : this.#context.chat.store?.get<Draft>(`draft/${room}`);
    this.#text.value = draft?.text ?? '';
    this.#setReply(draft ?? {});
    this.#grow();
    if (room !== undefined) this.#resume();
  }

  /** Who was writing when the session got a new id goes on writing. */
  #resume(): void {
    const caret = this.#caret;
    this.#caret = undefined;
    const { activeElement } = this.element.getRootNode() as ShadowRoot;
    if (caret === undefined || activeElement !== null || document.activeElement !== document.body) return;
    this.#text.focus();
    this.#text.setSelectionRange(...caret);
  }

  #setReply({ replyTo, about }: Pick<Draft, 'replyTo' | 'about'>): void {
    this.#strip.remove();
    this.#reply = replyTo === undefined || about === undefined ? {} : { replyTo, about };
    if (about === undefined) return;
    const { strings } = this.#context;
    const [before = '', after = ''] = strings.text('composer.replyTo').split('{name}');
    const label = strings.text('composer.cancelReply');
    this.#strip.replaceChildren(
      icon('reply', 's'),
      h(
        'div',
        {},
        before,
        h('b', {}, h('bdi', {}, about.name)),
        `${after} · ${about.text.replace(/\s+/gu, ' ')}`,
      ),
      button({ class: 'icon', 'aria-label': label }, () => this.cancel(), icon('close')),
    );
    this.#field.prepend(this.#strip);
  }

  #submit(): void {
    const { chat, strings, toast } = this.#context;
    const text = this.#text.value;
    if (blank(text) || codePoints(text) > chat.limit) return;
    if (!chat.send(cleaned(text), this.#reply.replyTo)) return toast(strings.text('error.other'), 'bad');
    this.#text.value = '';
    this.#setReply({});
    this.#keep();
    this.#grow();
    this.focus();
    this.#sent();
  }

  #typed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), DRAFT_MS);
    this.#grow();
    this.#context.changed();
  }

  #keep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { store } = this.#context.chat;
    if (this.#room === undefined || store === undefined) return;
    const text = this.#text.value;
    const key = `draft/${this.#room}`;
    if (text === '' && this.#reply.replyTo === undefined) store.delete(key);
    else store.set(key, { text, ...this.#reply } satisfies Draft);
  }

  #key(event: KeyboardEvent): void {
    // Enter that ends a composition (Chinese, Japanese, accents) chooses a word; Safari tells only by 229.
    if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || this.#context.touch()) return;
    event.preventDefault();
    this.#submit();
  }

  #paste(data: DataTransfer | null, event: Event): void {
    if (data === null) return;
    const text = data.getData('text/plain');
    if (text === '' && data.files.length > 0) {
      event.preventDefault();
      const { strings, toast } = this.#context;
      return toast(strings.text('composer.noFiles'), 'bad');
    }
    const clean = cleaned(text);
    if (clean === text) return;
    event.preventDefault();
    const { selectionStart, selectionEnd } = this.#text;
    this.#text.setRangeText(clean, selectionStart, selectionEnd, 'end');
    this.#typed();
  }

  /** Where the browser cannot size the field by its content. */
  #grow(): void {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#text.style.blockSize = 'auto';
    this.#text.style.blockSize = `${this.#text.scrollHeight}px`;
  }
}
