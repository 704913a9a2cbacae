import { Thread } from '../../chat/thread.ts';
import { type Entry, entries } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context, ReplyTarget, Writing } from '../context.ts';
import { Empty } from '../controls/empty.tsx';
import { Icon } from '../controls/icon.tsx';
import { Composer } from '../messages/composer.tsx';
import type { MessageActions } from '../messages/message.tsx';
import { TimelineView } from '../messages/timeline.tsx';
import { unsentActions } from '../messages/unsent.ts';
import { refusal } from '../refusal.ts';

/** The panel of one thread, next to the room or over it if there is no space. */
export class RepliesPane {
  /** The open thread; undefined while the panel is closed. */
  thread: Thread | undefined;
  readonly #context: Context;
  readonly #view: TimelineView;
  #composer: Composer | undefined;
  #opener: Element | null = null;
  /** Whether the next message is also shown in the room; undefined until the user chooses. */
  #also: boolean | undefined;

  readonly #writing: Writing = {
    reply: (entry) => this.#composer?.reply(entry),
    edit: (entry) => this.#composer?.edit(entry),
    again: (entry) => this.#composer?.again(entry),
  };

  constructor(context: Context) {
    this.#context = context;
    const actions: MessageActions = {
      reply: this.#writing.reply,
      menu: (entry, opener, key, at) =>
        context.menu({ kind: 'message', entry, writing: this.#writing, key, at }, opener),
      jump: (seq) => void this.#jump(seq),
      ...unsentActions(context, this.#writing, () => this.#composer?.focus()),
    };
    this.#view = new TimelineView(context, actions, {
      talk: () => this.thread,
      label: () => this.#label('replies.label'),
      entries: () => this.#entries(),
      reach: async (seq) => (await this.thread?.reach(seq)) === true,
      older: () => void this.thread?.older(),
      newer() {},
    });
  }

  /**
   * @param opener - gets the focus back
   * @param to - the message to show or reply to
   */
  open(room: Room, number: number, opener: Element | null, to?: ReplyTarget): void {
    const { chat, touch, changed } = this.#context;
    if (this.thread?.room === room && this.thread.number === number) return this.#begin(to);
    this.clear();
    this.#opener = opener;
    this.thread = new Thread(room, number, {
      connection: chat.connection,
      tasks: chat.tasks,
      me: () => chat.me?.id ?? '',
      changed,
    });
    chat.followers.add(this.thread);
    void this.thread.load();
    this.#context.draw();
    if (to !== undefined || !touch()) this.#begin(to);
    else this.#context.focus('.talk .bar h2');
  }

  #begin(to: ReplyTarget | undefined): void {
    if (to === undefined) return this.#focus();
    if ('seq' in to) return void this.#view.jump(to.seq);
    // The root needs no quote, because every reply in the panel answers it.
    if (to.reply.message?.thread === undefined) this.#focus();
    else this.#composer?.reply(to.reply);
  }

  /**
   * Opens the thread of a message that the user wants to reply to in the room. Returns false if the message has no
   * replies yet, or if all replies are in the room.
   */
  takeReply(entry: Entry): boolean {
    const { current } = this.#context.chat;
    const { seq, thread = seq } = entry.message ?? {};
    if (current === undefined || thread === undefined || !current.hasThreadOnly) return false;
    if ((current.threads.get(thread)?.replies ?? 0) === 0) return false;
    this.#context.showReplies(current, thread, null, { reply: entry });
    return true;
  }

  /** Closes the panel without a redraw. */
  clear(): void {
    if (this.thread === undefined) return;
    this.#composer?.keepNow();
    this.thread.room.seenReplies(this.thread.number);
    this.#context.chat.followers.delete(this.thread);
    this.thread = undefined;
    this.#also = undefined;
    this.#view.clear();
  }

  readonly close = () => {
    const opener = this.#opener;
    this.#opener = null;
    this.clear();
    this.#context.draw(opener);
  };

  /** Handles Escape in the panel. */
  escape(): void {
    if (this.#composer?.cancel() !== true) this.close();
  }

  readonly find = (element: Element) => this.#view.find(element);

  keep(): void {
    this.#composer?.keepNow();
  }

  // The steps of a redraw, see `TimelineView`.

  hold(): void {
    if (this.thread !== undefined && this.thread.room !== this.#context.chat.current) this.clear();
    this.#view.hold();
  }

  fold(): boolean {
    return this.thread !== undefined && this.#view.fold();
  }

  settle(): void {
    if (this.thread !== undefined) this.#view.settle();
  }

  draw(inert: boolean) {
    const { thread } = this;
    if (thread === undefined) return undefined;
    const { strings } = this.#context;
    const { room } = thread;
    const name = strings.roomName(room.summary);
    const back = strings.text('replies.back', { room: name });
    return (
      <aside class="pane side talk" aria-label={strings.text('replies.title')} inert={inert} key="replies">
        <div class="bar">
          <button type="button" class="icon back" aria-label={back} onClick={this.close}>
            <Icon name="back" />
          </button>
          <h2 tabIndex={-1}>
            <span class="titles">
              <span>{strings.text('replies.title')}</span>
              <small>{name}</small>
            </span>
          </h2>
          {room.summary.member && (
            <button
              type="button"
              class="icon"
              aria-label={strings.text('replies.follow')}
              aria-pressed={thread.following}
              onClick={() => void this.#follow()}
            >
              <Icon name="bell" />
            </button>
          )}
          <button
            type="button"
            class="icon shut"
            aria-label={strings.text('replies.close')}
            onClick={this.close}
          >
            <Icon name="close" />
          </button>
        </div>
        {thread.failed && thread.opening ? this.#failure(thread) : this.#view.draw()}
        {this.#view.jumper()}
        <Composer
          key={thread.id}
          context={this.#context}
          room={room}
          thread={{
            number: thread.number,
            root: thread.root ?? thread.number,
            label: this.#label('replies.composer'),
            only: this.#isOnly(thread),
            choice: this.#choice(thread),
          }}
          toEnd={this.#sent}
          lastOwn={() => this.#view.lastOwn}
          shown={this.#setComposer}
        />
      </aside>
    );
  }

  /** A first reply is also shown in the room, so that members notice the thread. */
  #isOnly(thread: Thread): boolean {
    if (!thread.room.hasThreadOnly) return false;
    return !(this.#also ?? (thread.counts?.replies ?? 0) === 0);
  }

  #choice(thread: Thread) {
    const { strings, draw } = this.#context;
    if (!thread.room.hasThreadOnly) return undefined;
    const isOnly = this.#isOnly(thread);
    const choose = () => {
      this.#also = isOnly;
      // The composer must know it before the next key.
      draw();
    };
    return (
      <label class="also">
        <input type="checkbox" checked={!isOnly} onChange={choose} />
        {strings.text('replies.alsoInRoom')}
      </label>
    );
  }

  readonly #sent = () => {
    this.#also = undefined;
    this.#view.toEnd();
  };

  #failure(thread: Thread) {
    const { strings } = this.#context;
    return (
      <div class="timeline">
        <Empty
          picture="alert"
          title={strings.text('replies.error.title')}
          text={strings.text('replies.error.text')}
        >
          <button type="button" class="btn" onClick={() => void thread.load()}>
            {strings.text('common.again')}
          </button>
        </Empty>
      </div>
    );
  }

  /** Returns the entries without quotes of the root message, because it is shown above. */
  #entries() {
    const { thread } = this;
    const { chat } = this.#context;
    if (thread === undefined) return [];
    const unsent = chat.unsent(thread.room).filter((item) => thread.takes(item));
    return entries(thread.timeline.list(), unsent, chat.me, chat.deleting).map((entry) =>
      entry.replyTo === thread.root || entry.replyTo === thread.number || entry.message?.seq === thread.root
        ? { ...entry, replyTo: undefined }
        : entry,
    );
  }

  #label(key: 'replies.label' | 'replies.composer'): string {
    const { strings } = this.#context;
    const { user } = this.thread?.first ?? {};
    return user === undefined
      ? strings.text('replies.title')
      : strings.text(key, { name: strings.name(user) });
  }

  async #jump(seq: number): Promise<void> {
    const { thread } = this;
    if (thread !== undefined && (await thread.reach(seq))) return this.#view.jump(seq);
    // The message is not in the thread.
    this.#context.jump({ room: thread?.room.id ?? '', seq });
  }

  async #follow(): Promise<void> {
    const { thread } = this;
    if (thread === undefined) return;
    const { strings, toast, changed } = this.#context;
    const following = !thread.following;
    thread.following = following;
    changed();
    try {
      await thread.follow(following);
    } catch (error) {
      thread.following = !following;
      toast(refusal(error, strings), 'bad');
    }
    changed();
  }

  #focus(): void {
    this.#composer?.focus();
  }

  readonly #setComposer = (composer: Composer | undefined) => {
    this.#composer = composer;
  };
}
