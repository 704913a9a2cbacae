import type { EventPayload, Message, User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/** The people whom the user has blocked, and what is hidden for it. The server hides it in answers; what comes live is hidden here. */
export class BlockedPeople implements Follower {
  readonly #context: Context;
  readonly #blocked = new Set<string>();
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
    this.#context.chat
      .request('user:blocked', {})
      .then(({ users }) => {
        for (const user of this.#blocked) {
          if (!users.some(({ id }) => id === user)) this.#tell({ user, blocked: false });
        }
        for (const { id } of users) this.#tell({ user: id, blocked: true });
      })
      // With the next connection it is asked again.
      .catch(() => {});
  }

  /** No event tells the page that has found it out. */
  #tell(change: EventPayload<'blocked:changed'>): void {
    for (const follower of this.#context.chat.followers) follower.blocked?.(change);
  }

  /** While the connection is lost, messages stay hidden; after the session nothing is shown. */
  silent(): void {
    if (this.#context.chat.me !== undefined) return;
    this.#blocked.clear();
    this.#unread.clear();
  }

  blocked({ user, blocked }: EventPayload<'blocked:changed'>): void {
    if (this.#blocked.has(user) === blocked) return;
    if (blocked) this.#blocked.add(user);
    else this.#blocked.delete(user);
    this.#unread.clear();
    for (const room of this.#context.chat.rooms.values()) {
      this.#mark(room);
      for (const message of room.timeline.list()) if (message.user.id === user) this.#hide(message, blocked);
    }
    this.#context.changed();
  }

  message(message: Message): void {
    if (!this.#blocked.has(message.user.id)) return;
    // Nobody is notified of it either.
    message.hidden = true;
    this.#hide(message, true);
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
        if (first !== -1 || upTo === after) unread(upTo);
        chat.readUpTo(room, upTo);
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

  instead(user: User | undefined): string | undefined {
    return user && this.has(user.id) ? this.#context.strings.count('block.hidden', 1) : undefined;
  }

  /** In place of the first of several hidden messages in a row. */
  line({ message }: Entry) {
    const { strings } = this.#context;
    if (message === undefined || this.#isHidden(message, -1)) return null;
    const run = this.#run(message);
    return (
      <div class="hidden-msg">
        {strings.count('block.hidden', run.length)}{' '}
        <button
          type="button"
          class="link"
          onClick={({ currentTarget }) => {
            for (const one of run) this.#hide(one, false);
            this.#context.draw(currentTarget.closest('article'));
          }}
        >
          {strings.text('common.show')}
        </button>
      </div>
    );
  }

  #timeline({ room }: Message) {
    return this.#context.chat.rooms.get(room)?.timeline;
  }

  /** Whether the message at that distance is hidden for the same author. */
  #isHidden(message: Message, distance: number): boolean {
    const other = this.#timeline(message)?.get(message.seq + distance);
    return other?.hidden === true && other.user.id === message.user.id;
  }

  #run(first: Message): Message[] {
    const run = [first];
    while (this.#isHidden(first, run.length)) {
      run.push(this.#timeline(first)?.get(first.seq + run.length) as Message);
    }
    return run;
  }

  #hide(message: Message, hidden: boolean): void {
    const timeline = this.#timeline(message);
    const { hidden: _, ...open } = timeline?.get(message.seq) ?? message;
    timeline?.shown(hidden ? { ...open, hidden } : open);
    if (!hidden) return;
    // How many they are stands with the first one.
    let before = 0;
    while (this.#isHidden(message, before - 1)) before--;
    const first = before === 0 ? undefined : timeline?.get(message.seq + before);
    if (first !== undefined) timeline?.shown({ ...first });
  }
}
