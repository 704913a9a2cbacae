import type { History } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import { type Answers, mostSeers, type RequestPayload } from '../../wire/events.ts';
import type { OnAsideFailure } from '../asides.ts';
import type { Directory } from '../directory.ts';
import type { Connection, Room } from '../model.ts';
import type { Publisher } from '../publisher.ts';

/** The shortest interval of `seen:changed` per room, in milliseconds. */
const changedEvery = 1000;

type Answer = Answers['message:seen'];

/** The message about which a connection has asked last in a room. */
interface Asked {
  readonly seq: number;
  /** Whom its answer has named; undefined until there is one. */
  named?: ReadonlySet<string>;
  /** Somebody who is not named has read up to it since. */
  stale: boolean;
}

/**
 * Answers authors who has seen a message, and tells them when there are more. Each event is an answer of its own: what
 * a reader hides is in no event, not even that there was one.
 */
export class SeenBy {
  readonly #history: History;
  readonly #directory: () => Directory;
  readonly #publisher: Publisher;
  readonly #onFailure: OnAsideFailure;
  readonly #asked = new WeakMap<Connection, WeakMap<Room, Asked>>();
  /** Rooms in which authors were told within the last second. */
  readonly #resting = new Set<Room>();

  constructor(history: History, directory: () => Directory, publisher: Publisher, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#directory = directory;
    this.#publisher = publisher;
    this.#onFailure = onFailure;
  }

  /** The members who have seen a message, for its author. */
  async ask(connection: Connection, room: Room, { seq }: RequestPayload<'message:seen'>): Promise<Answer> {
    if (room.record.kind === 'direct')
      throw new RequestError('bad_request', 'a direct room has readByOther for it');
    const asked: Asked = { seq, stale: false };
    const rooms = this.#asked.get(connection) ?? new WeakMap<Room, Asked>();
    // Before the history is read: somebody may read the message meanwhile.
    this.#asked.set(connection, rooms.set(room, asked));
    try {
      const answer = await this.#seen(connection, room, seq);
      asked.named = namesIn(answer);
      return answer;
    } catch (error) {
      if (rooms.get(room) === asked) rooms.delete(room);
      throw error;
    }
  }

  /** A member has read up to there. */
  read(room: Room, user: string, upTo: number): void {
    if (!isTold(room)) return;
    let isNews = false;
    for (const connection of room.joined) {
      const asked = this.#asked.get(connection)?.get(room);
      if (asked === undefined || asked.seq > upTo || asked.named?.has(user) === true) continue;
      if (connection.person.user.id === user) continue;
      asked.stale = true;
      isNews = true;
    }
    if (isNews && !this.#resting.has(room)) this.#tell(room);
  }

  #tell(room: Room): void {
    this.#resting.add(room);
    const stale = [...room.joined].filter((connection) => this.#asked.get(connection)?.get(room)?.stale);
    if (stale.length === 0) return void this.#resting.delete(room);
    for (const connection of stale)
      this.#tellOne(connection, room).catch((error) => {
        // The message is gone by now, or the room shows it no more.
        if (!(error instanceof RequestError)) this.#onFailure('seen_changed', error);
      });
    setTimeout(() => this.#tell(room), changedEvery);
  }

  async #tellOne(connection: Connection, room: Room): Promise<void> {
    const asked = this.#asked.get(connection)?.get(room);
    // The answer comes first.
    if (asked?.named === undefined) return;
    asked.stale = false;
    const answer = await this.#seen(connection, room, asked.seq);
    // Another server may have stored what was read, and before it that somebody was removed.
    await this.#history.current();
    const isSame = answer.users.every(({ id }) => asked.named?.has(id) === true);
    if (isSame || !room.joined.has(connection) || this.#asked.get(connection)?.get(room) !== asked) return;
    if (!isTold(room)) return;
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
    const known = found.seers.filter(({ user, member }) => this.#directory().isVisible(user, member));
    // All members count, so that the difference does not show who hides what they have seen, or who has blocked whom.
    return {
      users: known.map(({ user: { id, name } }) => ({ id, name })),
      total: Math.max(0, record.members - 1),
    };
  }
}

/** Whether authors learn there who has seen a message. */
function isTold({ record: { kind, members, settings } }: Room): boolean {
  return kind !== 'direct' && members <= mostSeers && settings.seen !== 'off';
}

function namesIn({ users }: Answer): ReadonlySet<string> {
  return new Set(users.map(({ id }) => id));
}
