import type { History } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import { type Answers, mostSeers, type RequestPayload } from '../../wire/events.ts';
import type { OnAsideFailure } from '../asides.ts';
import type { Directory } from '../directory.ts';
import type { Connection, Room } from '../model.ts';
import type { Publisher } from '../publisher.ts';

/**
 * Authors are notified at whole multiples of this many milliseconds since the server has started. So no time depends on
 * who has read before, which may be somebody who hides it.
 */
const changedEvery = 1000;

type Answer = Answers['message:seen'];

/** The message about which a connection has asked last in a room. */
interface Asked {
  readonly seq: number;
  /** The people whom its answer has named; undefined until there is one. */
  named?: ReadonlySet<string>;
  /** Users who are not named and have read up to it since. */
  readonly readers: Set<string>;
}

/**
 * Answers authors who has seen a message, and notifies them when somebody whom the answer names has read it since. So what
 * a reader hides is in no event, not even that there was one.
 */
export class SeenBy {
  readonly #history: History;
  readonly #directory: Directory;
  readonly #publisher: Publisher;
  readonly #onFailure: OnAsideFailure;
  readonly #asked = new WeakMap<Connection, WeakMap<Room, Asked>>();
  /** Rooms in which authors are notified next. */
  readonly #due = new Set<Room>();

  constructor(history: History, directory: Directory, publisher: Publisher, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#directory = directory;
    this.#publisher = publisher;
    this.#onFailure = onFailure;
  }

  /** The members who have seen a message, for its author. */
  async ask(connection: Connection, room: Room, { seq }: RequestPayload<'message:seen'>): Promise<Answer> {
    if (room.record.kind === 'direct')
      throw new RequestError('bad_request', 'a direct room has readByOther for it');
    const asked: Asked = { seq, readers: new Set() };
    const rooms = this.#asked.get(connection) ?? new WeakMap<Room, Asked>();
    // Before the history is read: somebody may read the message meanwhile.
    this.#asked.set(connection, rooms.set(room, asked));
    try {
      const answer = await this.#seen(connection, room, seq);
      asked.named = namesIn(answer);
      if (asked.readers.size > 0) this.#notifyLater(room);
      return answer;
    } catch (error) {
      if (rooms.get(room) === asked) rooms.delete(room);
      throw error;
    }
  }

  /** A member has read up to there. */
  read(room: Room, user: string, upTo: number): void {
    if (!showsSeen(room)) return;
    for (const connection of room.joined) {
      const asked = this.#asked.get(connection)?.get(room);
      if (asked === undefined || asked.seq > upTo || asked.named?.has(user) === true) continue;
      if (connection.person.user.id === user) continue;
      asked.readers.add(user);
      this.#notifyLater(room);
    }
  }

  #notifyLater(room: Room): void {
    if (this.#due.has(room)) return;
    this.#due.add(room);
    setTimeout(() => this.#notify(room), changedEvery - (performance.now() % changedEvery)).unref();
  }

  #notify(room: Room): void {
    this.#due.delete(room);
    for (const connection of room.joined) {
      const asked = this.#asked.get(connection)?.get(room);
      // The answer comes first.
      if (asked?.named === undefined || asked.readers.size === 0) continue;
      const readers = new Set(asked.readers);
      asked.readers.clear();
      this.#notifyOne(connection, room, asked, readers).catch((error) => {
        const isStorage = error instanceof RequestError && error.isOfStorage;
        // The message is gone by now, or the room shows it no more.
        if (error instanceof RequestError && !isStorage) return;
        this.#onFailure('seen_changed', error);
        if (!isStorage) return;
        for (const reader of readers) asked.readers.add(reader);
        this.#notifyLater(room);
      });
    }
  }

  async #notifyOne(
    connection: Connection,
    room: Room,
    asked: Asked,
    readers: ReadonlySet<string>,
  ): Promise<void> {
    const answer = await this.#seen(connection, room, asked.seq);
    const isNews = answer.users.some(({ id }) => readers.has(id) && asked.named?.has(id) !== true);
    if (!isNews || !room.joined.has(connection) || this.#asked.get(connection)?.get(room) !== asked) return;
    if (!showsSeen(room)) return;
    asked.named = namesIn(answer);
    const payload = { room: room.record.id, seq: asked.seq, ...answer };
    this.#publisher.toConnections([connection.id], 'seen:changed', payload);
  }

  async #seen({ person }: Connection, { record }: Room, seq: number): Promise<Answer> {
    const asker = person.user.id;
    if (!person.memberships.has(record.id) || record.settings.seen === 'off')
      throw new RequestError('forbidden');
    if (record.members > mostSeers)
      throw new RequestError('limit_reached', `the room has more than ${mostSeers} members`);
    const found = await this.#history.read.seenBy({ room: record.id, seq, asker, limit: mostSeers });
    if (found === null) throw new RequestError('unknown_message');
    if (found.author !== asker) throw new RequestError('forbidden');
    const known = found.seers.filter(({ user, member }) => this.#directory.isVisible(user, member));
    // All members count, so that the difference does not show who hides what they have seen, or who has blocked whom.
    return {
      users: known.map(({ user: { id, name } }) => ({ id, name })),
      total: Math.max(0, record.members - 1),
    };
  }
}

/** Whether authors learn there who has seen a message. */
function showsSeen({ record: { kind, members, settings } }: Room): boolean {
  return kind !== 'direct' && members <= mostSeers && settings.seen !== 'off';
}

function namesIn({ users }: Answer): ReadonlySet<string> {
  return new Set(users.map(({ id }) => id));
}
