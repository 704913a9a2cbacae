import type { EventPayload, Message, User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';

/** Without an update for this time, a user is no longer shown as typing. */
const OTHERS_MS = 6000;

/** The users who are typing, by room. */
export class OthersTyping implements Follower {
  readonly #rooms = new Map<string, Map<string, { user: User; ends: ReturnType<typeof setTimeout> }>>();
  readonly #changed: () => void;
  readonly #ignored: (user: string) => boolean;

  /** @param ignored - whether a user's typing is not shown */
  constructor(changed: () => void, ignored: (user: string) => boolean = () => false) {
    this.#changed = changed;
    this.#ignored = ignored;
  }

  /** In the order in which they started. */
  in(room: string): User[] {
    return [...(this.#rooms.get(room)?.values() ?? [])].map(({ user }) => user);
  }

  /** Shows one name, two names or "several people". */
  draw(room: Room, strings: Strings) {
    const [first, second, ...more] = this.in(room.id).map(({ name }) => name);
    if (first === undefined) return null;
    const words =
      second === undefined
        ? strings.text('typing.one', { a: first })
        : more.length === 0
          ? strings.text('typing.two', { a: first, b: second })
          : strings.text('typing.many');
    return (
      <span class="typing">
        <span class="dots" aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
        {words}
      </span>
    );
  }

  typing({ room, user, typing }: EventPayload<'typing:changed'>): void {
    if (!typing || this.#ignored(user.id)) return this.#stopped(room, user.id);
    const users = this.#rooms.get(room) ?? new Map();
    this.#rooms.set(room, users);
    clearTimeout(users.get(user.id)?.ends);
    // Setting an existing key of a `Map` keeps its position.
    users.set(user.id, { user, ends: setTimeout(() => this.#stopped(room, user.id), OTHERS_MS) });
    this.#changed();
  }

  message({ room, user }: Message): void {
    this.#stopped(room, user.id);
  }

  #stopped(room: string, user: string): void {
    const users = this.#rooms.get(room);
    const known = users?.get(user);
    if (users === undefined || known === undefined) return;
    clearTimeout(known.ends);
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#changed();
  }

  silent(room?: string): void {
    for (const id of room === undefined ? [...this.#rooms.keys()] : [room]) {
      for (const { ends } of this.#rooms.get(id)?.values() ?? []) clearTimeout(ends);
      this.#rooms.delete(id);
    }
  }
}
