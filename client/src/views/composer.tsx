import { Component, createRef } from 'preact';
import type { Entry } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { blank, cleaned, codePoints } from '../text/paste.ts';
import type { Context } from './context.ts';
import { Icon } from './icon.tsx';
import { TypingLine } from './typing-line.tsx';

interface Draft {
  text: string;
  replyTo?: number;
  /** Whom the reply is for, and what was said: shown above the field. */
  about?: { name: string; text: string };
}

/** Where in the text somebody is writing. */
export type Caret = readonly [start: number, end: number];

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The pill that leads to the newest message; undefined while that is in sight. */
  readonly below: number | undefined;
  toEnd(): void;
  /** This is the composer that is shown now; undefined: none is. */
  shown(composer: Composer | undefined): void;
}

const DRAFT_MS = 300;

/** Where one writes into one room. What is typed is kept as a draft until it is sent. */
export class Composer extends Component<Props> {
  readonly #field = createRef<HTMLTextAreaElement>();
  #text: string;
  #reply: Pick<Draft, 'replyTo' | 'about'> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(props: Props) {
    super(props);
    const draft = props.context.chat.store?.get<Draft>(`draft/${props.room.id}`);
    this.#text = draft?.text ?? '';
    this.#setReply(draft ?? {});
  }

  override componentDidMount(): void {
    this.props.shown(this);
    this.#grow();
  }

  override componentDidUpdate(): void {
    this.#grow();
  }

  override componentWillUnmount(): void {
    this.keepNow();
    this.props.shown(undefined);
  }

  /** Where somebody is writing; undefined when the focus is elsewhere. */
  get caret(): Caret | undefined {
    const field = this.#field.current;
    return field?.matches(':focus') === true ? [field.selectionStart, field.selectionEnd] : undefined;
  }

  focus(caret?: Caret): void {
    this.#field.current?.focus();
    if (caret !== undefined) this.#field.current?.setSelectionRange(...caret);
  }

  reply(entry: Entry): void {
    if (entry.message === undefined) return;
    this.#setReply({
      replyTo: entry.message.seq,
      about: { name: entry.user.name, text: entry.text.slice(0, 200) },
    });
    this.#keep();
    this.focus();
    this.props.context.changed();
  }

  /** True if there was something to leave. */
  readonly cancel = (): boolean => {
    if (this.#reply.replyTo === undefined) return false;
    this.#setReply({});
    this.#keep();
    this.focus();
    this.props.context.changed();
    return true;
  };

  /** Keeps the draft at once: the page may be going. */
  keepNow(): void {
    if (this.#timer !== undefined) this.#keep();
  }

  override render() {
    const { context, room, below, toEnd } = this.props;
    const { chat, strings } = context;
    const { name } = room.summary;
    const limited =
      chat.paused?.code === 'rate_limited' && chat.pending(room).length > 0 ? chat.paused : undefined;
    const seconds = limited === undefined ? 0 : Math.ceil((limited.until - Date.now()) / 1000);
    const left = chat.limit - codePoints(this.#text);
    const near = chat.me !== undefined && left <= chat.limit / 10;
    const words =
      left < 0 ? strings.count('composer.tooMany', -left) : strings.text('composer.left', { n: left });
    return (
      <form
        class="composer column"
        part="composer"
        onSubmit={(event) => {
          event.preventDefault();
          this.#submit();
        }}
      >
        {below !== undefined && (
          <button type="button" class="jump" onClick={toEnd}>
            <Icon name="down" />
            {below > 0 ? strings.count('timeline.jump', below) : strings.text('timeline.jump')}
          </button>
        )}
        <div class="status">
          <span>
            {seconds > 0 ? (
              strings.text('composer.wait', { s: seconds })
            ) : (
              <TypingLine {...{ chat, strings, room }} />
            )}
          </span>
          <span class={left < 0 ? 'count over' : 'count'}>{near && words}</span>
        </div>
        <div class="field">
          {this.#strip()}
          <div class="row">
            <textarea
              rows={1}
              enterkeyhint="enter"
              aria-label={strings.text('composer.label', { room: name })}
              placeholder={strings.text('composer.placeholder', { room: name })}
              value={this.#text}
              ref={this.#field}
              onInput={this.#typed}
              onBlur={() => chat.ownTyping.stop()}
              onKeyDown={this.#key}
              onPaste={(event) => this.#paste(event.clipboardData, event)}
              onDrop={(event) => this.#paste(event.dataTransfer, event)}
            />
            <button
              type="button"
              class="send"
              aria-label={strings.text('composer.send')}
              aria-disabled={blank(this.#text) || left < 0 || undefined}
              onClick={() => this.#submit()}
            >
              <Icon name="send" />
            </button>
          </div>
        </div>
      </form>
    );
  }

  /** What one replies to. */
  #strip() {
    const { about } = this.#reply;
    if (about === undefined) return undefined;
    const { strings } = this.props.context;
    const [before, after] = strings.text('composer.replyTo').split('{name}');
    return (
      <div class="context">
        <Icon name="reply" size="s" />
        <div>
          {before}
          <b>
            <bdi>{about.name}</bdi>
          </b>
          {`${after ?? ''} · ${about.text.replace(/\s+/gu, ' ')}`}
        </div>
        <button
          type="button"
          class="icon"
          aria-label={strings.text('composer.cancelReply')}
          onClick={this.cancel}
        >
          <Icon name="close" />
        </button>
      </div>
    );
  }

  #setReply({ replyTo, about }: Pick<Draft, 'replyTo' | 'about'>): void {
    this.#reply = replyTo === undefined || about === undefined ? {} : { replyTo, about };
  }

  #submit(): void {
    const { chat, strings, toast, changed } = this.props.context;
    const text = this.#text;
    if (blank(text) || codePoints(text) > chat.limit) return;
    if (!chat.send(cleaned(text), this.#reply.replyTo)) return toast(strings.text('error.other'), 'bad');
    this.#text = '';
    this.#setReply({});
    this.#keep();
    this.focus();
    this.props.toEnd();
    changed();
  }

  readonly #typed = () => {
    const { chat } = this.props.context;
    this.#text = this.#field.current?.value ?? '';
    if (blank(this.#text)) chat.ownTyping.stop();
    else chat.ownTyping.typed(this.props.room.id);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), DRAFT_MS);
    this.props.context.changed();
  };

  #keep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { store } = this.props.context.chat;
    if (store === undefined) return;
    const key = `draft/${this.props.room.id}`;
    if (this.#text === '' && this.#reply.replyTo === undefined) store.delete(key);
    else store.set(key, { text: this.#text, ...this.#reply } satisfies Draft);
  }

  readonly #key = (event: KeyboardEvent) => {
    // Enter that ends a composition (Chinese, Japanese, accents) chooses a word; Safari tells only by 229.
    if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || this.props.context.touch())
      return;
    event.preventDefault();
    this.#submit();
  };

  #paste(data: DataTransfer | null, event: Event): void {
    const field = this.#field.current;
    if (data === null || field === null) return;
    const text = data.getData('text/plain');
    if (text === '' && data.files.length > 0) {
      event.preventDefault();
      const { strings, toast } = this.props.context;
      return toast(strings.text('composer.noFiles'), 'bad');
    }
    const clean = cleaned(text);
    if (clean === text) return;
    event.preventDefault();
    field.setRangeText(clean, field.selectionStart, field.selectionEnd, 'end');
    this.#typed();
  }

  /** Where the browser cannot size the field by its content. */
  #grow(): void {
    const field = this.#field.current;
    if (field === null || CSS.supports('field-sizing', 'content')) return;
    field.style.blockSize = 'auto';
    field.style.blockSize = `${field.scrollHeight}px`;
  }
}
