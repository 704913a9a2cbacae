import type { EventPayload, Message, User } from '../../../../server/wire/events.ts';
import type { Follower, NewMessage } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context, Hideable } from '../context.ts';

/** Maximum number of queued notices. */
const MOST_WAITING = 100;

/** The users blocked by this user. Hides their messages, both in responses and in events. */
export class BlockedPeople implements Follower {
  version = 0;
  readonly #context: Context;
  readonly #blocked = new Set<string>();
  /** Whether the server has sent the list of blocked users. */
  #known = false;
  /** Whether the server has responded over this connection. Other users may have been blocked before the reconnect. */
  #current = false;
  /** Notices of new messages, queued until `#current` is true. The oldest are dropped. */
  #waiting: { readonly room: Room; readonly message: NewMessage; readonly notice: () => void }[] = [];
  /** The messages that the user revealed: their authors by message ID. */
  readonly #opened = new Map<string, string>();
  /** For each room, the `readSeq` that needs no further check: the next message stays unread, or the request failed. */
  readonly #unread = new Map<string, number>();

  constructor(context: Context) {
    this.#context = context;
    this.ready();
  }

  has(user: string): boolean {
    return this.#blocked.has(user);
  }

  async set({ id }: User, blocked: boolean): Promise<void> {
    await this.#context.chat.request('user:block', { user: id, blocked });
    this.#tell({ user: id, blocked });
  }

  ready(): void {
    const { chat } = this.#context;
    this.#current = false;
    const ask = async (current: () => boolean) => {
      const { users } = await chat.request('user:blocked', {});
      if (!current()) return;
      for (const user of this.#blocked) {
        if (!users.some(({ id }) => id === user)) this.#tell({ user, blocked: false });
      }
      for (const { id } of users) this.#tell({ user: id, blocked: true });
      this.#known = true;
      this.#changed();
      this.#goOn();
    };
    // If the server rejects the request, the list stays unknown, and no notice needs to wait.
    void chat.tasks.once('blocked people', ask, () => this.#goOn());
  }

  /** Delivers the queued notices. */
  #goOn(): void {
    this.#current = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { room, message, notice } of waiting) this.announce(room, message, notice);
  }

  /** Runs `notice` unless the author is blocked. Until that is known, the notice is queued. */
  announce(room: Room, message: NewMessage, notice: () => void): void {
    if (this.#current) {
      if (!this.has(message.user.id)) notice();
    } else if (this.#waiting.push({ room, message, notice }) > MOST_WAITING) this.#waiting.shift();
  }

  outdated(room: Room, seq: number): void {
    this.#waiting = this.#waiting.filter((one) => one.room !== room || one.message.seq !== seq);
  }

  removed(room: Room): void {
    this.#waiting = this.#waiting.filter((one) => one.room !== room);
  }

  reset(room: Room): void {
    this.removed(room);
  }

  /**
   * Notifies the followers of a change that this page requested or found in the list. The server sends no event for it.
   */
  #tell(change: EventPayload<'blocked:changed'>): void {
    for (const follower of this.#context.chat.followers) follower.blocked?.(change);
  }

  /** Messages stay hidden while the connection is lost. When the session ends, everything is cleared. */
  silent(): void {
    if (this.#context.chat.me !== undefined) return;
    this.#known = false;
    this.#waiting = [];
    this.#blocked.clear();
    this.#opened.clear();
    this.#unread.clear();
  }

  blocked({ user, blocked }: EventPayload<'blocked:changed'>): void {
    if (this.#blocked.has(user) === blocked) return;
    if (blocked) this.#blocked.add(user);
    else this.#blocked.delete(user);
    this.#unread.clear();
    // The user may have revealed a message before the list arrived, so only later changes hide it again.
    if (this.#known) for (const [id, author] of this.#opened) if (author === user) this.#opened.delete(id);
    for (const room of this.#context.chat.rooms.values()) this.#mark(room);
    this.#changed();
  }

  #changed(): void {
    this.version++;
    this.#context.changed();
  }

  /**
   * Call with each render. Marks messages by blocked users as read, up to the first by another user, so that they do
   * not count as unread on any device. Requests one room at a time.
   */
  settle(): void {
    const { chat, changed } = this.#context;
    if (this.#blocked.size === 0 || chat.connection.state.kind !== 'ready') return;
    const rooms = [...chat.rooms.values()];
    for (const room of rooms) this.#mark(room);
    const room = rooms.find((one) => this.#isDue(one));
    if (room === undefined) return;
    const after = room.summary.readSeq;
    const unread = (upTo: number) => {
      this.#unread.set(room.id, upTo);
      changed();
    };
    void chat.tasks.once(
      'skip blocked',
      async (current) => {
        const { messages } = await chat.request('message:history', { room: room.id, after, limit: 100 });
        if (!current()) return;
        const first = messages.findIndex(({ hidden }) => hidden !== true);
        const upTo = (first === -1 ? messages.at(-1) : messages[first - 1])?.seq ?? after;
        chat.readUpTo(room, upTo);
        // Messages that the user marked as unread stay unread.
        const isKept = room.summary.readSeq === after;
        if (first !== -1 || isKept) unread(isKept ? after : upTo);
      },
      () => unread(after),
    );
  }

  /** Counts a direct room with a blocked peer as read without a read marker, because the peer would see the marker. */
  #mark(room: Room): void {
    const { with: other } = room.summary;
    room.blocked = other !== undefined && this.#blocked.has(other.id);
  }

  #isDue(room: Room): boolean {
    const { readSeq, with: other } = room.summary;
    return (
      other === undefined && this.#context.chat.unreadIn(room) > 0 && this.#unread.get(room.id) !== readSeq
    );
  }

  /** Until the list is known, the server's `hidden` decides. */
  isHidden({ user, hidden }: Hideable): boolean {
    return this.has(user.id) || (!this.#known && hidden === true);
  }

  hides(message: Message): boolean {
    return this.isHidden(message) && !this.#opened.has(message.id);
  }

  line(run: readonly Message[]) {
    const { strings } = this.#context;
    return (
      <div class="hidden-msg">
        {strings.count('block.hidden', run.length)}{' '}
        <button
          type="button"
          class="link"
          onClick={({ currentTarget }) => {
            for (const { id, user } of run) this.#opened.set(id, user.id);
            this.version++;
            this.#context.draw(currentTarget.closest('article'));
          }}
        >
          {strings.text('common.show')}
        </button>
      </div>
    );
  }
}
