import { Component, type ComponentChildren, createRef } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import { firstPage } from '../../../../server/text/format.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import {
  changedIn,
  contentOf,
  type EditedContent,
  type Entry,
  editedOf,
  type NewContent,
} from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import { composes, confirms } from '../../text/keys.ts';
import { cleaned, codePoints, meansFiles } from '../../text/paste.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { refusal } from '../refusal.ts';
import { type Edit, keepDraft, keptDraft, ownsDraft } from './draft.ts';

/** The selection in the field. */
export type Caret = readonly [start: number, end: number];

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The thread to write into. A message replies to its root, unless the user chose another message. */
  readonly thread?: {
    readonly number: number;
    readonly root: number;
    readonly label: string;
    readonly only: boolean;
    /** Below the field. */
    readonly choice: ComponentChildren;
  };
  /** Called after a message was sent. */
  toEnd(): void;
  /** Returns the user's newest message that can be edited, now or when the server has stored it. */
  lastOwn(): Entry | undefined;
  /** Called with this composer when it is mounted, and with undefined when it is unmounted. */
  shown(composer: Composer | undefined): void;
}

const DRAFT_MS = 300;
/** The usual time between the clicks of a double-click. Touch screens do not count clicks. */
const DOUBLE_CLICK_MS = 500;
const EMPTY: NewContent = { text: '' };

/** The composer of a room or a thread. Its text is stored as a draft until it is sent. */
export class Composer extends Component<Props> implements Follower {
  readonly #field = createRef<HTMLTextAreaElement>();
  /** What was written, without the content of the tray and without the thread. `preview` is false or undefined. */
  #draft = EMPTY;
  #edit: Edit | undefined;
  #gone = false;
  /** The key of an unsent message. The user edits it as soon as the server has stored it. */
  #toEdit: string | undefined;
  /** Whether the edited text is being saved. */
  #saving = false;
  /** Whether slow mode prevents sending now. It does not apply to edits. */
  #waits: boolean | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Runs after the send button was pressed. */
  #settling: ReturnType<typeof setTimeout> | undefined;
  /** The last measured text. Measuring forces a layout, and scrolling renders often. */
  #fitted: { readonly field: HTMLTextAreaElement; readonly text: string } | undefined;

  constructor(props: Props) {
    super(props);
    this.#read();
  }

  override componentDidMount(): void {
    this.props.shown(this);
    this.props.context.chat.followers.add(this);
    this.#grow();
  }

  override componentDidUpdate(): void {
    this.#grow();
    if (this.#toEdit === undefined) return;
    const entry = this.props.lastOwn();
    if (entry?.key !== this.#toEdit) this.#toEdit = undefined;
    else if (entry.message !== undefined) queueMicrotask(() => this.#editAwaited(entry));
  }

  override componentWillUnmount(): void {
    this.#gone = true;
    this.props.context.chat.followers.delete(this);
    this.keepNow();
    this.props.shown(undefined);
  }

  /** The selection in the field; undefined if the field is not focused. */
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
    this.#set({ replyTo: entry.message.seq });
    this.#keep();
    this.focus();
    this.props.context.changed();
  }

  edit({ message, text }: Entry): void {
    if (message === undefined) return;
    const original = editedOf(message);
    this.#edit = { ...original, seq: message.seq, rev: message.rev, original };
    this.#keep();
    this.props.context.draw();
    this.focus([text.length, text.length]);
  }

  /** Puts the text of an unsent message back, before the current text. */
  again({ text, replyTo, unsent }: Entry): void {
    this.#edit = undefined;
    const draft = this.#draft;
    this.#write(isBlank(draft.text) ? text : `${text}\n${draft.text}`);
    this.#set({
      ...contentOf(unsent ?? {}),
      text: this.#draft.text,
      replyTo: draft.replyTo ?? (this.props.thread === undefined ? replyTo : undefined),
    });
    this.#keep();
    this.props.context.draw();
    this.focus([text.length, text.length]);
  }

  /** Cancels the edit or the reply. Returns false if there is neither. */
  readonly cancel = (): boolean => {
    if (this.#edit !== undefined) this.#edit = undefined;
    else if (this.#draft.replyTo !== undefined) this.#set({ replyTo: undefined });
    else return false;
    this.#keep();
    this.focus();
    this.props.context.draw();
    return true;
  };

  /** Another tab changed or sent the draft. Here it must not be sent again. */
  stored(key: string | null): void {
    const { store } = this.props.context.chat;
    // While the user types here, this tab's text is the newest.
    if (this.#timer === undefined && !this.#saving && ownsDraft(this.props, store, key)) this.#read();
  }

  /** Saves the draft immediately, because the page may be about to unload. */
  keepNow(): void {
    if (this.#timer !== undefined) this.#keep();
  }

  override render() {
    const { context, room, thread } = this.props;
    const { chat, strings } = context;
    if (room.preview) return this.#preview();
    const bar = context.bar(room);
    if (bar?.line) return bar.line;
    const limited =
      chat.paused?.code === 'rate_limited' && chat.unsent(room).length > 0 ? chat.paused : undefined;
    const seconds = limited === undefined ? 0 : Math.ceil((limited.until - performance.now()) / 1000);
    const edit = this.#edit;
    const draft = this.#draft;
    this.#waits = !edit && bar?.wait;
    const { text: limit } = chat.limits;
    const left = limit - codePoints(this.#inField);
    const near = chat.me !== undefined && left <= limit / 10;
    const tray = this.#tray;
    const voice =
      edit === undefined
        ? context.voice({ room, thread, content: { ...draft, ...this.#reply(draft) }, sent: this.#voiceSent })
        : undefined;
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
        <div class="status">
          <span>
            {edit !== undefined && context.look.enterSends && !context.touch()
              ? strings.text('composer.editHint')
              : (voice?.status ??
                (seconds > 0
                  ? strings.text('composer.wait', { s: seconds })
                  : ((bar?.wait ? undefined : this.#unstored()) ?? bar?.status ?? this.#unreached())))}
          </span>
          <span class={left < 0 ? 'count over' : 'count'}>{near && words}</span>
        </div>
        <div class="field">
          {context.strip({
            room,
            thread,
            edit,
            replyTo: draft.replyTo,
            text: draft.preview === false ? '' : draft.text,
            use: this.#use,
            cancel: this.cancel,
            important: (edit ?? draft).important,
            change: this.#change,
          })}
          {tray?.draw()}
          <div class="row">
            {voice?.row ?? this.#written()}
            {voice !== undefined &&
            (voice.row !== undefined ||
              (isBlank(this.#inField) && !tray?.full && this.#settling === undefined))
              ? voice.end
              : this.#send(left < 0)}
          </div>
        </div>
        {edit === undefined && thread?.choice}
      </form>
    );
  }

  /** The line after a message to a user who is not notified of it. */
  #unreached(): string | undefined {
    const { context, room } = this.props;
    // A read marker shows that the user has opened the chat since.
    return room.unreached && room.readByOther === 0
      ? context.strings.text('composer.unreached', { name: room.summary.name })
      : undefined;
  }

  #written() {
    const { context, room, thread } = this.props;
    const { chat, strings } = context;
    const edit = this.#edit;
    const draft = this.#draft;
    return (
      <>
        {edit === undefined && (chat.can.files || !(chat.isGuest || thread)) && (
          <button
            type="button"
            class="icon"
            aria-label={strings.text('composer.attach')}
            aria-haspopup="menu"
            aria-expanded="false"
            onClick={({ currentTarget }) =>
              context.menu(
                {
                  kind: 'attach',
                  place: this.props,
                  // On a touch screen, the focus would open the keyboard.
                  picked: () => context.touch() || this.focus(),
                },
                currentTarget,
              )
            }
          >
            <Icon name="clip" />
          </button>
        )}
        <textarea
          rows={1}
          enterkeyhint="enter"
          aria-label={
            edit === undefined
              ? (thread?.label ?? strings.text('composer.label', { room: room.summary.name }))
              : strings.text('composer.editing')
          }
          placeholder={
            // The name of a question is its text.
            thread === undefined && room.summary.question === undefined
              ? strings.text('composer.placeholder', {
                  room: strings.cutMixed(room.summary.name, context.lettersInField()),
                })
              : strings.text('replies.placeholder')
          }
          value={this.#inField}
          readOnly={this.#saving}
          ref={this.#field}
          onInput={this.#typed}
          onBlur={() => chat.ownTyping.stop()}
          onKeyDown={this.#key}
          onPaste={(event) => this.#paste(event.clipboardData, event)}
          onDrop={(event) => this.#paste(event.dataTransfer, event)}
        />
        {context.tools({
          room,
          thread,
          edit,
          text: draft.text,
          content: () => this.#content(draft),
          change: this.#change,
          sent: () => this.#sent(draft),
        })}
      </>
    );
  }

  #send(isTooLong: boolean) {
    const edit = this.#edit;
    return (
      <button
        type="button"
        class="send"
        aria-label={this.#sendLabel()}
        aria-disabled={
          (isBlank(this.#inField) && !this.#tray?.full) ||
          isTooLong ||
          this.#saving ||
          this.#waits ||
          undefined
        }
        onClick={() => {
          this.#submit();
          this.#settle();
        }}
      >
        <Icon name={edit === undefined || edit.clash === 'deleted' ? 'send' : 'check'} />
      </button>
    );
  }

  /** Shown instead of the field until the user joins the room. */
  #preview() {
    const { context, room } = this.props;
    const { chat, strings } = context;
    return (
      <div class="composer column">
        <fieldset class="joinbar" aria-label={room.summary.name}>
          <span>{strings.text('rooms.joinText')}</span>
          <button
            type="button"
            class="btn primary"
            onClick={() => {
              chat.join(room);
              context.draw();
              this.focus();
            }}
          >
            {strings.text('rooms.join')}
          </button>
        </fieldset>
      </div>
    );
  }

  /** Reports that the browser could not store a draft or an unsent message. They are lost with the page. */
  #unstored() {
    const { chat, strings } = this.props.context;
    return ['draft/', 'out/'].some((start) => chat.store?.isUnstored(start)) ? (
      <span class="bad" role="alert">
        <Icon name="alert" size="s" />
        {strings.text('composer.unsaved')}
      </span>
    ) : undefined;
  }

  /** Undefined during an edit, which cannot add files. */
  get #tray() {
    const { context } = this.props;
    return this.#edit === undefined ? context.tray(this.props) : undefined;
  }

  get #inField(): string {
    return this.#edit?.text ?? this.#draft.text;
  }

  #sendLabel(): string {
    const { strings } = this.props.context;
    if (this.#edit === undefined) return strings.text('composer.send');
    const { clash } = this.#edit;
    if (clash === undefined) return strings.text('composer.save');
    return strings.text(clash === 'deleted' ? 'msg.sendNew' : 'edit.saveMine');
  }

  /** Continues the edit with the current text of the message. */
  readonly #use = (text: string, rev: number) => {
    if (this.#edit === undefined) return;
    this.#edit = { ...this.#edit, rev, text, clash: undefined };
    this.#keep();
    this.focus();
    this.props.context.draw();
  };

  async #save(edit: Edit): Promise<void> {
    const { context, room } = this.props;
    const { chat, strings, toast, draw } = context;
    const text = cleaned(edit.text);
    const rev = typeof edit.clash === 'object' ? edit.clash.rev : edit.rev;
    this.#saving = true;
    draw();
    try {
      const { seq, original } = edit;
      const mentions = context.mentions(this.props, text, edit.seq) ?? [];
      const waits = await chat.edit({
        ...changedIn(edit, original),
        ...{ room: room.id, seq, rev, text, mentions },
      });
      if (waits) toast(strings.text('held.waiting'), 'good');
      if (this.#edit === edit) this.#edit = undefined;
    } catch (error) {
      // The user left the edit while it was being saved.
      if (this.#edit !== edit) return;
      const clash = context.clashOf(error);
      if (clash !== undefined) this.#edit = { ...edit, clash };
      else toast(refusal(error, strings, strings.text('error.edit')), 'bad');
    } finally {
      this.#saving = false;
      draw();
    }
    // Another composer may own the draft of this room now.
    if (!this.#gone) this.#keep();
  }

  #submit(): void {
    const { chat, strings, toast, draw } = this.props.context;
    const text = cleaned(this.#inField);
    const edit = this.#edit;
    const tray = this.#tray;
    if ((isBlank(text) && !tray?.full) || codePoints(text) > chat.limits.text || this.#saving || this.#waits)
      return;
    if (edit !== undefined && edit.clash !== 'deleted') return void this.#save(edit);
    // A message deleted during its edit is sent as a new one. The draft remains.
    const content = this.#content(contentOf(edit ?? this.#draft));
    if (!chat.send(this.props, content)) return toast(strings.text('error.other'), 'bad');
    tray?.take(content);
    if (edit === undefined) this.#draft = EMPTY;
    this.#edit = undefined;
    this.#keep();
    this.focus();
    this.props.toEnd();
    // Redraws now, so that the next key does not add to the text just sent.
    draw();
  }

  /** Returns the message to send or schedule for a draft. */
  #content(draft: NewContent): NewContent {
    const text = cleaned(draft.text);
    const added = this.#tray?.content();
    return {
      ...draft,
      ...this.#reply(draft),
      ...added,
      // Clients without cards, and notifications, show the text.
      text: (isBlank(text) && added?.card) || text,
      mentions: this.props.context.mentions(this.props, text, this.#edit?.seq),
    };
  }

  #reply({ replyTo }: NewContent): Pick<NewContent, 'replyTo' | 'threadOnly'> {
    const { thread } = this.props;
    return { replyTo: replyTo ?? thread?.root, threadOnly: thread?.only || undefined };
  }

  #set(change: Partial<NewContent>): void {
    this.#draft = { ...this.#draft, ...change };
  }

  /** Changes the edit, or the draft. */
  readonly #change = (change: Partial<EditedContent & NewContent>) => {
    if (this.#edit === undefined) this.#set(change);
    else this.#edit = { ...this.#edit, ...change };
    this.#keep();
    this.focus();
    this.props.context.draw();
  };

  /** The preview stays removed only while the first link is the same. */
  #write(text: string): void {
    const { preview, text: before } = this.#draft;
    const isRemoved = preview === false && firstPage(text) === firstPage(before);
    this.#set({ text, preview: isRemoved ? preview : undefined });
  }

  /** Clears the field after a draft was scheduled, unless the user has changed the text since then. */
  #sent({ text }: NewContent): void {
    if (this.#draft.text === text) this.#set(EMPTY);
    this.#voiceSent();
  }

  /** Keeps the send button in its place for the second click of a double-click, which would start a recording. */
  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      if (!this.#gone) this.props.context.draw();
    }, DOUBLE_CLICK_MS);
  }

  readonly #voiceSent = () => {
    this.#settle();
    // The text that was written since then stays.
    this.#draft = { text: this.#draft.text };
    // Another composer may own the draft of this room now.
    if (!this.#gone) this.#keep();
    this.props.toEnd();
    this.props.context.draw();
  };

  #editAwaited(entry: Entry): void {
    if (this.#toEdit !== entry.key) return;
    this.#toEdit = undefined;
    if (!this.#gone) this.edit(entry);
  }

  readonly #typed = () => {
    this.#toEdit = undefined;
    const { chat } = this.props.context;
    const text = this.#field.current?.value ?? '';
    if (this.#edit !== undefined) this.#edit = { ...this.#edit, text };
    else {
      this.#write(text);
      if (isBlank(text)) chat.ownTyping.stop();
      else chat.ownTyping.typed(this.props.room.id);
    }
    clearTimeout(this.#timer);
    const { changed } = this.props.context;
    this.#timer = setTimeout(() => {
      this.#keep();
      // Shows whether the browser could store it.
      changed();
    }, DRAFT_MS);
    changed();
  };

  #read(): void {
    const draft = keptDraft(this.props, this.props.context.chat.store);
    this.#draft = contentOf(draft ?? EMPTY);
    this.#edit = draft?.edit;
  }

  #keep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    keepDraft(this.props, { ...this.#draft, edit: this.#edit }, this.props.context.chat.store);
  }

  readonly #key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowUp' && this.#inField === '' && !event.altKey && !composes(event)) {
      const entry = this.props.lastOwn();
      if (entry === undefined) return;
      event.preventDefault();
      if (entry.message !== undefined) this.edit(entry);
      else this.#toEdit = entry.key;
      return;
    }
    if (!confirms(event)) return;
    const { touch, look } = this.props.context;
    const sends = event.ctrlKey || event.metaKey || (look.enterSends && !touch());
    if (event.shiftKey || event.altKey || !sends) return;
    event.preventDefault();
    this.#submit();
  };

  #paste(data: DataTransfer | null, event: Event): void {
    const field = this.#field.current;
    if (data === null || field === null) return;
    if (meansFiles(data)) {
      event.preventDefault();
      return this.props.context.attach(this.props, data);
    }
    const text = data.getData('text/plain');
    const clean = cleaned(text);
    if (clean === text) return;
    event.preventDefault();
    field.setRangeText(clean, field.selectionStart, field.selectionEnd, 'end');
    this.#typed();
  }

  /** Fits the field to its content. */
  #grow(): void {
    const field = this.#field.current;
    const row = field?.parentElement;
    if (field === null || !row) return;
    if (!CSS.supports('field-sizing', 'content')) {
      field.style.blockSize = 'auto';
      field.style.blockSize = `${field.scrollHeight}px`;
    }
    const text = this.#inField;
    if (this.#fitted?.field === field && this.#fitted.text === text) return;
    this.#fitted = { field, text };
    // On a phone, a second line moves the text above the buttons, until the field is empty.
    const send = row.lastElementChild;
    const isLong = send instanceof HTMLElement && field.offsetHeight > 1.3 * send.offsetHeight;
    if (text === '' || isLong) row.classList.toggle('long', text !== '');
  }
}
