import type { History } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import { type Answers, mostSeers, type RequestPayload } from '../../wire/events.ts';
import type { OnAsideFailure } from '../asides.ts';
import type { Directory } from '../directory.ts';
import type { Connection, Room } from '../model.ts';
import type { Publisher } from '../publisher.ts';

/**
 * Authors are notified at multiples of this time since the start of the server. The time of an event then does not
 * reveal when a user who hides read receipts reads.
 */
const intervalMs = 1000;

type Answer = Answers['message:seen'];

/** The latest message in a room for which a connection has requested read receipts. */
interface Subscription {
  readonly seq: number;
  /** The users in the last response or event. Absent until there is a response. */
  named?: ReadonlySet<string>;
  /** Users who read the message since then and are not in `named`. */
  readonly readers: Set<string>;
}

/**
 * Returns read receipts to the author of a message, and notifies the author when the receipts name another reader. No
 * event reveals a reader who hides read receipts.
 */
export class SeenBy {
  readonly #history: History;
  readonly #directory: Directory;
  readonly #publisher: Publisher;
  readonly #onFailure: OnAsideFailure;
  readonly #subscriptions = new WeakMap<Connection, WeakMap<Room, Subscription>>();
  /** Rooms in which authors must be notified. */
  readonly #due = new Set<Room>();

  constructor(history: History, directory: Directory, publisher: Publisher, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#directory = directory;
    this.#publisher = publisher;
    this.#onFailure = onFailure;
  }

  /** Returns the read receipts of a message to its author, and subscribes the connection to later ones. */
  async ask(connection: Connection, room: Room, { seq }: RequestPayload<'message:seen'>): Promise<Answer> {
    if (room.record.kind === 'direct')
      throw new RequestError(
        'bad_request',
        'a direct room has no read receipts, use readByOther of the room',
      );
    const subscription: Subscription = { seq, readers: new Set() };
    const rooms = this.#subscriptions.get(connection) ?? new WeakMap<Room, Subscription>();
    // Subscribe first, because users may read the message while the history is read.
    this.#subscriptions.set(connection, rooms.set(room, subscription));
    try {
      const answer = await this.#seen(connection, room, seq);
      subscription.named = namesIn(answer);
      if (subscription.readers.size > 0) this.#notifyLater(room);
      return answer;
    } catch (error) {
      if (rooms.get(room) === subscription) rooms.delete(room);
      throw error;
    }
  }

  /** Call after a member reads up to message `upTo`. Schedules the notification of authors. */
  read(room: Room, user: string, upTo: number): void {
    if (!showsSeen(room)) return;
    for (const connection of room.joined) {
      const subscription = this.#subscriptions.get(connection)?.get(room);
      if (subscription === undefined || subscription.seq > upTo || subscription.named?.has(user) === true)
        continue;
      if (connection.person.user.id === user) continue;
      subscription.readers.add(user);
      this.#notifyLater(room);
    }
  }

  #notifyLater(room: Room): void {
    if (this.#due.has(room)) return;
    this.#due.add(room);
    setTimeout(() => this.#notify(room), intervalMs - (performance.now() % intervalMs)).unref();
  }

  #notify(room: Room): void {
    this.#due.delete(room);
    for (const connection of room.joined) {
      const subscription = this.#subscriptions.get(connection)?.get(room);
      // The connection must get the response before an event.
      if (subscription?.named === undefined || subscription.readers.size === 0) continue;
      const readers = new Set(subscription.readers);
      subscription.readers.clear();
      this.#notifyOne(connection, room, subscription, readers).catch((error) => {
        const isStorage = error instanceof RequestError && error.isOfStorage;
        // The message was deleted, or the room no longer shows read receipts.
        if (error instanceof RequestError && !isStorage) return;
        this.#onFailure('seen_changed', error);
        if (!isStorage) return;
        for (const reader of readers) subscription.readers.add(reader);
        this.#notifyLater(room);
      });
    }
  }

  async #notifyOne(
    connection: Connection,
    room: Room,
    subscription: Subscription,
    readers: ReadonlySet<string>,
  ): Promise<void> {
    const answer = await this.#seen(connection, room, subscription.seq);
    const hasNewReader = answer.users.some(
      ({ id }) => readers.has(id) && subscription.named?.has(id) !== true,
    );
    if (
      !hasNewReader ||
      !room.joined.has(connection) ||
      this.#subscriptions.get(connection)?.get(room) !== subscription
    )
      return;
    if (!showsSeen(room)) return;
    subscription.named = namesIn(answer);
    const payload = { room: room.record.id, seq: subscription.seq, ...answer };
    this.#publisher.toConnections([connection.id], 'seen:changed', payload);
  }

  async #seen({ person }: Connection, { record }: Room, seq: number): Promise<Answer> {
    const asker = person.user.id;
    if (!person.memberships.has(record.id) || record.settings.seen === 'off')
      throw new RequestError('forbidden');
    if (record.members > mostSeers)
      throw new RequestError('limit_reached', `the room has more than ${mostSeers} members`);
    const receipts = await this.#history.read.seenBy({ room: record.id, seq, asker, limit: mostSeers });
    if (receipts === null) throw new RequestError('unknown_message');
    if (receipts.author !== asker) throw new RequestError('forbidden');
    const visible = receipts.seers.filter(({ user, member }) => this.#directory.isVisible(user, member));
    // `total` counts all other members, so that it does not reveal who hides read receipts or blocks the author.
    return {
      users: visible.map(({ user: { id, name } }) => ({ id, name })),
      total: Math.max(0, record.members - 1),
    };
  }
}

/** Whether authors in the room get read receipts. */
function showsSeen({ record: { kind, members, settings } }: Room): boolean {
  return kind !== 'direct' && members <= mostSeers && settings.seen !== 'off';
}

function namesIn({ users }: Answer): ReadonlySet<string> {
  return new Set(users.map(({ id }) => id));
}
