import type { Message as Stored } from '../../../../server/wire/events.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Talk } from '../../store/talk.ts';
import { blocks, type TimelineBlock } from '../../store/timeline-blocks.ts';
import type { Context } from '../context.ts';
import { Empty } from '../controls/empty.tsx';
import { GroupKeys } from './group-keys.ts';
import type { Message, MessageActions, MessageState } from './message.tsx';
import { Group } from './message-group.tsx';

/** A message acknowledged within this time does not show "Sending…". */
const SENDING_MS = 400;

interface Port {
  /** Redraws after the height of a message changed, and keeps the reader's position. */
  resize(): void;
  /** Redraws after this delay. */
  later(ms: number): void;
}

/** Renders the messages of a room or thread in groups by author, and the lines between them. */
export class MessageList {
  /** The rendered messages by entry key. */
  readonly drawn = new Map<string, Message>();
  /** Key of the entry that is highlighted after a jump. */
  flash: string | undefined;
  readonly #context: Context;
  readonly #actions: MessageActions;
  readonly #port: Port;
  readonly #groups = new GroupKeys();
  /** The last entry of the previous render. */
  #end: { talk: Talk; key: string } | undefined;

  constructor(context: Context, actions: MessageActions, port: Port) {
    this.#context = context;
    this.#actions = actions;
    this.#port = port;
  }

  /** @param list - all entries; `shown`: those to render */
  draw(talk: Talk, list: readonly Entry[], shown: readonly Entry[]) {
    const { chat, strings } = this.#context;
    const { room, timeline, root } = talk;
    const { complete, first } = timeline;
    const fresh = this.#arrived(talk, list);
    const start = root === undefined && complete && shown[0] === list[0];
    if (list.length === 0) return start && this.#context.start(room, true);
    const newFrom = first <= (talk.newFrom ?? 0) || complete ? talk.newFrom : undefined;
    const parts = blocks(
      shown,
      chat.me?.id ?? '',
      newFrom,
      root === undefined ? this.#context.notes(room) : [],
      root,
    );
    const names = this.#groups.name(
      parts.flatMap((block) => (block.kind === 'group' ? [block.entries] : [])),
    );
    let group = 0;
    const last = list.findLast((entry) => entry.user.id === chat.me?.id)?.key;
    return [
      start && this.#context.start(room, false),
      ...parts.flatMap((block) => {
        if (block.kind === 'day') return this.#line('day', `day ${block.key}`, strings.day(block.at));
        if (block.kind === 'note') return block.note.line;
        if (block.kind === 'new') {
          const words = strings.text('timeline.new');
          return this.#line(
            'new',
            'new',
            words,
            root === undefined ? words : strings.text('replies.divider'),
          );
        }
        if (block.kind === 'root') {
          const known = talk.timeline.get(root ?? 0);
          const replies = (known && room.threadUnder(known)?.replies) ?? 0;
          if (replies > 0 || list.length > 1)
            return this.#line('count-line', 'count', strings.count('replies.count', replies));
          const text = strings.text('replies.none.text');
          return <Empty key="none" picture="talk" title={strings.text('replies.none.title')} text={text} />;
        }
        return [
          this.#group(block, names[group++] ?? 0, talk, { last, fresh }),
          root === undefined && this.#context.offer(block.entries),
        ];
      }),
    ];
  }

  #line(kind: 'day' | 'new' | 'count-line', key: string, words: string, said = words) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: an hr has no text.
      <div class={kind} role="separator" aria-label={said} key={key}>
        <span aria-hidden="true">{words}</span>
      </div>
    );
  }

  /**
   * Returns the keys of the entries added after the end of the previous render. Messages that were loaded or jumped to
   * do not count.
   */
  #arrived(talk: Talk, list: readonly Entry[]): ReadonlySet<string> {
    const before = this.#end?.talk === talk ? list.findIndex(({ key }) => key === this.#end?.key) : -1;
    const end = talk.timeline.attached ? list.at(-1) : undefined;
    this.#end = end && { talk, key: end.key };
    const behind = end === undefined || before === -1 ? [] : list.slice(before + 1);
    return new Set(behind.map(({ key }) => key));
  }

  /**
   * @param marks - `last`: the key of the user's newest entry, which shows whether it was sent. `fresh`: the keys of
   * entries that arrived since the last render
   */
  #group(
    { own, entries: list }: TimelineBlock & { kind: 'group' },
    name: number,
    talk: Talk,
    { last, fresh }: { last: string | undefined; fresh: ReadonlySet<string> },
  ) {
    const context = this.#context;
    const { room, root } = talk;
    return (
      <Group
        key={name}
        // In a direct room the header names the peer.
        named={!own && room.summary.kind !== 'direct'}
        compact={context.look.compact}
        messages={list.map((entry, at) => ({
          context,
          actions: this.#actions,
          drawn: this.drawn,
          entry,
          texts: context.strings.texts,
          fileAccess: context.chat.fileAccess,
          own,
          state: this.#state(entry, last, room),
          quoted: entry.replyTo === undefined ? undefined : this.#quoted(talk, entry.replyTo),
          repeats: this.#repeats(list, at),
          thread: root === undefined && entry.message ? room.threadUnder(entry.message) : undefined,
          seen:
            entry.key === last && root === undefined && entry.message
              ? context.seen(entry.message)
              : undefined,
          opened: root === undefined && context.repliesOf(room) === entry.message?.seq,
          setSize: room.summary.lastSeq,
          hidden: this.#hidden(list, at),
          hiding: context.blocking()?.version,
          flash: entry.key === this.flash,
          fresh: fresh.has(entry.key),
          resize: this.#port.resize,
        }))}
      />
    );
  }

  /**
   * A run of hidden messages is one line, at its first message. Returns the messages of that line, an empty list within
   * the run, or undefined if the message is shown.
   */
  #hidden(list: readonly Entry[], at: number): Stored[] | undefined {
    const blocking = this.#context.blocking();
    const isHidden = (entry: Entry | undefined) =>
      entry?.message !== undefined && (blocking?.hides(entry.message) ?? entry.message.hidden === true);
    if (!isHidden(list[at])) return undefined;
    if (isHidden(list[at - 1])) return [];
    const end = list.findIndex((entry, n) => n > at && !isHidden(entry));
    return list
      .slice(at, end === -1 ? undefined : end)
      .flatMap(({ message }) => (message === undefined ? [] : [message]));
  }

  /** Whether the message above it in the group shows the same quote. */
  #repeats(list: readonly Entry[], at: number): boolean {
    const [above, entry] = [list[at - 1], list[at]];
    return (
      entry?.replyTo !== undefined &&
      entry.replyTo === above?.replyTo &&
      above.message?.deletedAt === undefined &&
      this.#hidden(list, at - 1) === undefined
    );
  }

  #state(entry: Entry, last: string | undefined, room: Room): MessageState {
    const { message, unsent, held } = entry;
    if (held !== undefined) return 'held';
    if (unsent === undefined) {
      if (entry.key !== last || message?.deletedAt !== undefined) return undefined;
      const read = room.summary.kind === 'direct' && room.readByOther >= (message?.seq ?? Infinity);
      return read ? 'read' : 'sent';
    }
    const { failed } = unsent;
    if (failed === 'conflict' || failed === 'held' || failed === 'rejected') return failed;
    if (failed !== undefined) return 'failed';
    if (this.#context.chat.connection.state.kind !== 'ready') return 'waiting';
    const age = this.#context.chat.clock.now - unsent.sentAt;
    if (age >= SENDING_MS) return 'sending';
    this.#port.later(SENDING_MS - age);
    return undefined;
  }

  #quoted({ room, timeline }: Talk, seq: number): Stored | undefined {
    const message = timeline.get(seq);
    const { sync, deleting } = this.#context.chat;
    if (message === undefined && room.readable) void sync.askQuote(room, seq);
    return message && (deleting.get(message.id) ?? message);
  }
}
