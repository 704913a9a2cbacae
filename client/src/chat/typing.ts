import type { EventPayload, User } from '../../../server/events.ts';
import type { Connection } from '../connection/connection.ts';

/** Somebody of whom nothing more is heard has stopped. */
const OTHERS_MS = 6000;
/** That one types is repeated as long as one does. */
const REPEAT_MS = 3000;
const STOP_MS = 5000;

/** Who is typing in which room. */
export class OthersTyping {
  readonly #rooms = new Map<string, Map<string, { user: User; ends: ReturnType<typeof setTimeout> }>>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Who began first stands first. */
  in(room: string): User[] {
    return [...(this.#rooms.get(room)?.values() ?? [])].map(({ user }) => user);
  }

  heard({ room, user, typing }: EventPayload<'typing:changed'>): void {
    if (!typing) return this.stopped(room, user.id);
    const users = this.#rooms.get(room) ?? new Map();
    this.#rooms.set(room, users);
    clearTimeout(users.get(user.id)?.ends);
    // Who goes on keeps the place.
    users.set(user.id, { user, ends: setTimeout(() => this.stopped(room, user.id), OTHERS_MS) });
    this.#changed();
  }

  stopped(room: string, user: string): void {
    const users = this.#rooms.get(room);
    const known = users?.get(user);
    if (users === undefined || known === undefined) return;
    clearTimeout(known.ends);
    users.delete(user);
    if (users.size === 0) this.#rooms.delete(room);
    this.#changed();
  }

  /** Nothing is heard of that room any more, or of any. */
  forget(room?: string): void {
    for (const id of room === undefined ? [...this.#rooms.keys()] : [room]) {
      for (const { ends } of this.#rooms.get(id)?.values() ?? []) clearTimeout(ends);
      this.#rooms.delete(id);
    }
  }
}

/** That one is typing oneself. */
export class OwnTyping {
  readonly #connection: Connection;
  /** Where the others believe that one types, and when they were told so. */
  #told: { room: string; at: number } | undefined;
  #ends: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Something was typed in that room. */
  typed(room: string): void {
    if (this.#told !== undefined && this.#told.room !== room) this.stop();
    clearTimeout(this.#ends);
    this.#ends = setTimeout(() => this.stop(), STOP_MS);
    if (this.#told !== undefined && performance.now() - this.#told.at < REPEAT_MS) return;
    this.#told = { room, at: performance.now() };
    this.#tell(room, true);
  }

  /** After a pause, when the field loses the focus, and when the message is sent. */
  stop(): void {
    clearTimeout(this.#ends);
    if (this.#told === undefined) return;
    const { room } = this.#told;
    this.#told = undefined;
    this.#tell(room, false);
  }

  /** The connection is gone, and what the others believe with it. */
  forget(): void {
    clearTimeout(this.#ends);
    this.#told = undefined;
  }

  #tell(room: string, typing: boolean): void {
    if (this.#connection.state.kind !== 'ready') return;
    // Not worth a second attempt: it is over by then.
    this.#connection.request('typing:set', { room, typing }).catch(() => {});
  }
}
