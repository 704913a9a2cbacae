import type { Answers, MembersChange } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import type { Room } from '../store/room.ts';
import type { Follower } from './chat-listener.ts';

export type RestrictedUser = Answers['room:restricted']['users'][number];

/** The users who are muted in a room or banned from it. The server names them only to the room's moderators. */
export class RoomRestricted implements Follower {
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #room: Room;
  readonly #changed: () => void;
  #all: readonly RestrictedUser[] = [];
  /** Whether something changed since the first page was requested. */
  #stale = false;

  constructor(connection: Connection, tasks: Tasks, room: Room, changed: () => void) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#room = room;
    this.#changed = changed;
  }

  /**
   * Loads the list: at first, on a new connection, and after changes. Changes while it loads cause only one further
   * load.
   */
  ready(): void {
    this.#stale = true;
    if (!this.#mayKnow) this.#all = [];
    if (!this.#mayKnow || this.#connection.state.kind !== 'ready') return;
    void this.#tasks.once(
      `restricted ${this.#room.id}`,
      async (current) => {
        do {
          this.#stale = false;
          const all = await this.#pages();
          if (!current() || !this.#mayKnow) return;
          this.#all = all;
          this.#changed();
        } while (this.#stale);
      },
      () => {},
    );
  }

  async #pages(): Promise<RestrictedUser[]> {
    const all: RestrictedUser[] = [];
    let cursor: string | undefined;
    do {
      const { users, next } = await this.#connection.request('room:restricted', {
        room: this.#room.id,
        cursor,
      });
      all.push(...users);
      cursor = next;
    } while (cursor !== undefined);
    return all;
  }

  /** This user may have muted or banned a user, or lifted that. */
  restricted(): void {
    this.ready();
  }

  /** A member who left may have been banned. A change of a listed user may mean that the ban ended. */
  members({ room, changed, partial }: MembersChange): void {
    const known = new Set(this.#all.map(({ user }) => user.id));
    const concerns = changed.some((change) => 'gone' in change || known.has(change.user.id));
    if (room === this.#room.id && (partial === true || concerns)) this.ready();
  }

  mute(user: string): RestrictedUser | undefined {
    return this.#now('muted').find((one) => one.user.id === user);
  }

  get banned(): RestrictedUser[] {
    return this.#now('banned');
  }

  #now(kind: RestrictedUser['kind']): RestrictedUser[] {
    const { now } = this.#connection.clock;
    return this.#mayKnow
      ? this.#all.filter((one) => one.kind === kind && (one.until === undefined || one.until > now))
      : [];
  }

  get #mayKnow(): boolean {
    return this.#room.summary.may.includes('moderate');
  }
}
