import { Component, type ComponentChildren, createRef } from 'preact';
import type { Message as Stored, Thread } from '../../../../server/wire/events.ts';
import type { Entry } from '../../store/entries.ts';
import type { Texts } from '../../strings/language-texts.ts';
import type { StringKey, Strings } from '../../strings/strings.ts';
import { onlyEmoji } from '../../text/emoji.ts';
import { boxIn } from '../box.ts';
import type { Context, Named, UnsentActions } from '../context.ts';
import { arrive } from '../controls/fresh.ts';
import { Icon, type IconName } from '../controls/icon.tsx';
import { formatted } from './formatted.tsx';
import { ImportantMark } from './important-mark.tsx';
import { quotation } from './quotation.ts';

export type MessageState =
  | 'sending'
  | 'waiting'
  | 'sent'
  | 'read'
  | 'failed'
  | 'conflict'
  | 'held'
  | 'rejected'
  | undefined;

/** A text with more lines is cut to twenty (`.cut` in timeline.css), with a button that shows the rest. */
const LONG_LINES = 24;
/** Maximum number of nodes of a cut text. Twenty lines need fewer. */
const NODES = 250;
/** Maximum number of nodes of a text that is shown in full. */
const OPEN_NODES = 5000;

export interface MessageActions extends UnsentActions {
  reply(entry: Entry): void;
  /** See `MenuRequest`. */
  menu(
    entry: Entry,
    opener: HTMLElement,
    key?: string,
    at?: { readonly x: number; readonly y: number },
  ): void;
  jump(seq: number): void;
}

export interface MessageProps {
  readonly context: Context;
  readonly actions: MessageActions;
  /** The timeline's map of rendered messages. */
  readonly drawn: Map<string, Message>;
  readonly entry: Entry;
  readonly texts: Texts;
  /** See `Chat.fileAccess`. It is part of links and pictures. */
  readonly fileAccess: string | undefined;
  readonly own: boolean;
  readonly state: MessageState;
  /** The message that this one replies to; undefined while it is loading. */
  readonly quoted: Stored | undefined;
  /** Whether the message above shows the same quote, so that this one omits it. */
  readonly repeats: boolean;
  /** The thread under the message, and whether its replies are open next to the room. */
  readonly thread: Thread | undefined;
  readonly opened: boolean;
  /** Renders the read receipts; undefined if they are unknown. */
  readonly seen: (() => ComponentChildren) | undefined;
  readonly setSize: number;
  /**
   * The hidden messages that this entry stands for. Empty if an earlier entry stands for it; undefined if the message
   * is shown.
   */
  readonly hidden: readonly Stored[] | undefined;
  /** `Blocking.version`, because a quoted message may be hidden. Undefined until the code has loaded. */
  readonly hiding: number | undefined;
  /** Whether it is highlighted after a jump. */
  readonly flash: boolean;
  /** Whether it arrived while its room was open. It is animated then. */
  readonly fresh: boolean;
  /** Redraws the timeline and keeps the reader's position. */
  resize(): void;
}

let count = 0;

/** A message. It renders again only if something in it changed. */
export class Message extends Component<MessageProps> {
  /** Unique in the element, because a message with replies is in two timelines. */
  readonly #contentId = `message-${++count}`;
  readonly #element = createRef<HTMLElement>();
  readonly #fold = createRef<HTMLDivElement>();
  /** Whether the text changed after its lines were last counted. */
  #uncounted = true;
  #long = false;
  #open = false;
  /** The text was cut or opened since the last render. */
  #stale = false;
  /** Whether the pointer or the focus was in the message. Before that the tools are invisible, so they are omitted. */
  #isUsed = false;

  get element(): HTMLElement | null {
    return this.#element.current;
  }

  /** Whether it must render again although its properties are the same. */
  get stale(): boolean {
    return this.#stale;
  }

  override componentDidMount(): void {
    this.props.drawn.set(this.props.entry.key, this);
    if (this.props.fresh) arrive(this.element);
  }

  override componentWillUnmount(): void {
    const { drawn, entry } = this.props;
    if (drawn.get(entry.key) === this) drawn.delete(entry.key);
  }

  override shouldComponentUpdate(next: MessageProps): boolean {
    const {
      entry,
      own,
      state,
      quoted,
      repeats,
      thread,
      opened,
      seen,
      setSize,
      flash,
      hidden,
      hiding,
      texts,
      fileAccess,
    } = this.props;
    const changed =
      entry.message !== next.entry.message ||
      entry.unsent !== next.entry.unsent ||
      entry.held !== next.entry.held ||
      entry.user !== next.entry.user ||
      texts !== next.texts;
    if (changed) this.#uncounted = true;
    // The size grows with each message, so it is set directly. Rendering all messages again would be too slow.
    if (setSize !== next.setSize && next.entry.message !== undefined)
      this.#element.current?.setAttribute('aria-setsize', String(next.setSize));
    return (
      changed ||
      this.#stale ||
      fileAccess !== next.fileAccess ||
      own !== next.own ||
      state !== next.state ||
      quoted !== next.quoted ||
      repeats !== next.repeats ||
      thread !== next.thread ||
      opened !== next.opened ||
      seen !== next.seen ||
      hidden?.length !== next.hidden?.length ||
      hiding !== next.hiding ||
      flash !== next.flash
    );
  }

  /** Returns the number of lines of a text that may be long, once it is on the page. Undefined if nothing changed. */
  lines(resized: boolean): number | undefined {
    if (!resized && !this.#uncounted) return undefined;
    this.#uncounted = false;
    const fold = this.#fold.current;
    const [first, last] = [fold?.firstElementChild, fold?.lastElementChild];
    if (fold === null || !(first instanceof HTMLElement) || !(last instanceof HTMLElement)) return undefined;
    const height = last.offsetTop + last.offsetHeight - first.offsetTop;
    return height / Number.parseFloat(getComputedStyle(fold).lineHeight);
  }

  /** Returns whether the message must render again, with the text cut or in full. */
  fold(lines: number): boolean {
    const long = lines > LONG_LINES;
    if (long !== this.#long) this.#stale = true;
    this.#long = long;
    return this.#stale;
  }

  override render() {
    const { context, entry, own, state, quoted, repeats, thread, opened, setSize, flash, hidden } =
      this.props;
    const { strings } = context;
    const { message, held, unsent, user, replyTo } = entry;
    const { important } = message ?? held ?? unsent ?? {};
    // The code for mentions loads later, and then redraws all messages, as for reactions and files.
    const named = message?.mentions && context.named(entry);
    this.#stale = false;
    if (hidden !== undefined)
      return <article data-key={entry.key}>{hidden.length > 0 && context.blocking()?.line(hidden)}</article>;
    const gone = message?.deletedAt !== undefined;
    // If the text only repeats the reference, it is for clients without cards.
    const about = (message ?? held ?? unsent)?.card;
    const card = about && context.card(entry);
    const origin = this.#origin();
    const classes = ['msg'];
    const time = strings.time(entry.sentAt);
    if (gone) classes.push('gone');
    else if (onlyEmoji(entry.text) && replyTo === undefined) classes.push('emoji');
    if (state === 'held') classes.push('held');
    else if (isRefused(state)) classes.push('failed');
    if (named?.toMe) classes.push('tome');
    if (flash) classes.push('flash');
    return (
      <article
        class={classes.join(' ')}
        tabIndex={-1}
        data-key={entry.key}
        // Style sheets show the time in one of two places.
        style={{ '--at': JSON.stringify(time) }}
        aria-label={`${strings.text('msg.name', {
          name: own ? strings.text('msg.you') : strings.name(user),
          time,
        })}${gone ? '' : this.#edited()}`}
        aria-describedby={this.#contentId}
        aria-posinset={message?.seq}
        aria-setsize={message === undefined ? undefined : setSize}
        ref={this.#element}
        onPointerEnter={this.use}
        onFocusIn={this.use}
      >
        <div class="bubble" part={own ? 'bubble bubble-own' : 'bubble'} id={this.#contentId}>
          {!gone && replyTo !== undefined && !repeats && this.#quote(replyTo, quoted)}
          {gone ? (
            <p class="text">{this.#gone()}</p>
          ) : (
            <>
              {origin !== undefined && (
                <div class="via">
                  <Icon name="forward" />
                  <span>{origin}</span>
                </div>
              )}
              {important && <ImportantMark strings={strings} />}
              {context.files(entry)}
              {entry.text && (entry.text !== about || !card) && this.#words(named)}
              {message?.preview && context.preview(entry, this.props.resize)}
              {message?.poll && context.poll(entry)}
              {card}
            </>
          )}
        </div>
        {message !== undefined && !gone && this.#isUsed && this.#tools()}
        {message?.reactions && context.reactions(entry)}
        {thread !== undefined && message && context.replies(thread, opened, message.seq)}
        {state !== undefined && this.#state(state)}
      </article>
    );
  }

  /** Returns the line that marks a forwarded copy and names the original author. */
  #origin(): string | undefined {
    const { message, unsent } = this.props.entry;
    const { strings } = this.props.context;
    if (message?.forwarded === undefined && unsent?.forward === undefined) return undefined;
    const { user } = message?.forwarded ?? {};
    return user === undefined
      ? strings.text('forward.fromHidden')
      : strings.text('forward.from', { name: strings.name(user) });
  }

  #words(named: Named | undefined) {
    const { entry, context } = this.props;
    const edited = entry.message?.editedAt !== undefined && (
      <span class="edited" data-tip={this.#editedAt(entry.message.editedAt)}>
        {context.strings.text('msg.edited')}
      </span>
    );
    const most = this.#open ? OPEN_NODES : NODES;
    const text = formatted(
      named?.marked ?? entry.text,
      most,
      edited,
      named?.say,
      context.linked,
      context.codeHead,
    );
    if (!mayBeLong(entry.text)) return text;
    return (
      <>
        <div
          class={this.#long && !this.#open ? 'fold cut' : 'fold'}
          ref={this.#fold}
          onFocusIn={this.#reveal}
        >
          {text}
        </div>
        {this.#long && (
          <button
            type="button"
            class="link more"
            tabIndex={-1}
            aria-expanded={this.#open}
            onClick={this.#toggle}
          >
            {context.strings.text(this.#open ? 'msg.showLess' : 'msg.showMore')}
          </button>
        )}
      </>
    );
  }

  #gone(): string {
    const { context, entry } = this.props;
    const moderated = entry.message?.deletedBy === 'moderator';
    return context.strings.text(moderated ? 'msg.deletedByModerator' : 'msg.deleted');
  }

  /** The time of the last edit, for screen readers. Sighted users see it in a tooltip. */
  #edited(): string {
    const { editedAt } = this.props.entry.message ?? {};
    return editedAt === undefined ? '' : ` (${this.#editedAt(editedAt)})`;
  }

  #editedAt(at: number): string {
    return editedAt(at, this.props.context.strings);
  }

  /** The Tab key also reaches links in the hidden part of the text. */
  readonly #reveal = ({ target }: FocusEvent) => {
    const fold = this.#fold.current;
    if (!(target instanceof HTMLElement) || fold === null || !this.#long || this.#open) return;
    if (boxIn(fold, target).bottom <= fold.offsetHeight) return;
    this.#toggle();
    target.scrollIntoView({ block: 'nearest' });
  };

  readonly #toggle = () => {
    this.#open = !this.#open;
    this.#stale = true;
    this.props.resize();
    // The text that was read is hidden, and its start may be far above.
    if (!this.#open) this.element?.scrollIntoView({ block: 'nearest' });
  };

  #quote(seq: number, message: Stored | undefined) {
    const { context, actions } = this.props;
    const [before, after] = context.strings.text('composer.replyTo').split('{name}');
    const { name, line } = quotation(message, context);
    return (
      <button type="button" class="quote" tabIndex={-1} onClick={() => actions.jump(seq)}>
        <b>
          <span class="vh">{before}</span>
          <bdi>{name}</bdi>
          <span class="vh">{after}</span>
        </b>
        <span dir="auto">{line}</span>
      </button>
    );
  }

  /** Renders the tools. */
  readonly use = () => {
    if (this.#isUsed) return;
    this.#isUsed = true;
    this.forceUpdate();
  };

  #tools() {
    const { strings } = this.props.context;
    const tool = (name: IconName, label: StringKey, run: (button: HTMLElement) => void, opens?: 'menu') => (
      <button
        type="button"
        class="icon"
        // `Roving` makes them reachable while the message is.
        tabIndex={this.element?.tabIndex ?? -1}
        aria-label={strings.text(label)}
        aria-haspopup={opens}
        aria-expanded={opens && false}
        onClick={({ currentTarget }) => run(currentTarget)}
      >
        <Icon name={name} />
      </button>
    );
    const menu = (key?: string) => (button: HTMLElement) =>
      this.props.actions.menu(this.props.entry, button, key);
    return (
      <div class="beside">
        <div class="tools" role="toolbar" aria-label={strings.text('msg.actions')}>
          {tool('react', 'react.add', menu('+'), 'menu')}
          {tool('reply', 'action.reply', () => this.props.actions.reply(this.props.entry))}
          {tool('dots', 'msg.more', menu(), 'menu')}
        </div>
      </div>
    );
  }

  #state(state: Exclude<MessageState, undefined>) {
    const { context, actions, entry, seen } = this.props;
    const { strings } = context;
    if (state === 'sent' && seen !== undefined) return <div class="state">{seen()}</div>;
    if (state === 'held' || state === 'rejected') return context.held(entry, state, actions);
    if (state !== 'failed' && state !== 'conflict') {
      return (
        <div class="state">
          <Icon name={state === 'sent' ? 'check' : state === 'read' ? 'read' : 'clock'} size="s" />
          <span>{strings.text(`msg.${state}`)}</span>
        </div>
      );
    }
    const { failed, room = '' } = entry.unsent ?? {};
    // The peer blocked the user, so a retry would fail again.
    const blocked = failed === 'forbidden' && context.chat.rooms.get(room)?.summary.with !== undefined;
    return (
      <div class="state bad">
        <Icon name="alert" size="s" />
        <span>{strings.text(`msg.${state}`)}</span>
        {!blocked && (
          <button type="button" class="link" tabIndex={-1} onClick={() => actions.retry(entry)}>
            {strings.text(state === 'failed' ? 'msg.retry' : 'msg.sendNew')}
          </button>
        )}
        <button type="button" class="link" tabIndex={-1} onClick={() => actions.discard(entry)}>
          {strings.text('msg.discard')}
        </button>
      </div>
    );
  }
}

function isRefused(state: MessageState): boolean {
  return state === 'failed' || state === 'conflict' || state === 'rejected';
}

/** The time of an edit, in words. */
export function editedAt(at: number, strings: Strings): string {
  return strings.text('msg.editedAt', { when: strings.onDay(strings.dayWithin(at), at) });
}

/** Whether the text may need more than `LONG_LINES` lines. Even in the narrowest element a line has ten characters. */
function mayBeLong(text: string): boolean {
  return text.length > 10 * LONG_LINES || text.split(/[\n\x85\p{Zl}\p{Zp}]/u).length > LONG_LINES;
}
