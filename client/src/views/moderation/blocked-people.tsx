import type { EventPayload, Message, User } from '../../../../server/wire/events.ts';
import type { Follower, NewMessage } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context, Hideable } from '../context.ts';

/** Notices that wait at most: more would help nobody. */
const MOST_WAITING = 100;

/** The people whom the user has blocked, and what is hidden for it: in answers of the server, and what comes live. */
export class BlockedPeople implements Follower {
  version = 0;
  readonly #context: Context;
  readonly #blocked = new Set<string>();
  /** The server has said who they are. */
  #known = false;
  /** And has done so over this connection: somebody may have been blocked since the one before. */
  #current = false;
  /** Notices of new messages that wait until then, the newest ones. */
  #waiting: { readonly room: Room; readonly message: NewMessage; readonly notice: () => void }[] = [];
  /** Messages that are shown on request, by their ids, and whose they are. */
  readonly #opened = new Map<string, string>();
  /** By rooms: what follows that number is unread, since somebody else wrote it, or since it cannot be had. */
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
    // A server that refuses it never says who they are.
    void chat.tasks.once('blocked people', ask, () => this.#goOn());
  }

  /** Gives the notices that wait. */
  #goOn(): void {
    this.#current = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { room, message, notice } of waiting) this.announce(room, message, notice);
  }

  /** Gives notice of a message, unless its author is blocked: that may be known only later. */
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

  /** No event tells the page that has found it out. */
  #tell(change: EventPayload<'blocked:changed'>): void {
    for (const follower of this.#context.chat.followers) follower.blocked?.(change);
  }

  /** While the connection is lost, messages stay hidden; after the session nothing is shown. */
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
    // Somebody who was blocked long ago may have been shown on request before the server has said who is.
    if (this.#known) for (const [id, author] of this.#opened) if (author === user) this.#opened.delete(id);
    for (const room of this.#context.chat.rooms.values()) this.#mark(room);
    this.#changed();
  }

  #changed(): void {
    this.version++;
    this.#context.changed();
  }

  /**
   * With each drawing, however a room has come by its messages: those of blocked people alone are not unread. The server
   * learns it, for every number and every device. It is asked about one room at a time.
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
        // Where the user has marked them as unread, they stay so.
        const isKept = room.summary.readSeq === after;
        if (first !== -1 || isKept) unread(isKept ? after : upTo);
      },
      () => unread(after),
    );
  }

  /** The other one of a direct room must not learn what was read there, and can write there no more. */
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

  /** Until the blocked people are known, as the server says it. */
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
