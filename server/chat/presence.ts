import { acted, hasBegun, otherOf } from '../history/history.ts';
import type { MembersChange, User } from '../wire/events.ts';
import { membersOf, type Room } from './model.ts';
import type { Publisher } from './publisher.ts';

/**
 * Changes of a room within this time become one event, so that a storm of reconnects causes few events.
 */
const batchMs = 250;
/** Connections that have not joined a direct room get its presence in batches of this time. */
const directBatchMs = 1000;
/** Limits each list of users in an event. If a list is cut, clients request the rest. */
const maxNamed = 100;

/** Changes of one room that are sent as one event. */
interface Batch {
  /** The users who came or left, as they were visible before. Null if they were not visible. */
  before: Map<string, User | null>;
  /** `Room.joins` when the batch started. */
  joins: number;
  members: Map<string, MembersChange['changed'][number]>;
}

/** Announces presence and changes of the members to a room. */
export class Presence {
  readonly #publisher: Publisher;
  readonly #batches = new Map<Room, Batch>();
  /** Rooms whose batches must be sent. */
  readonly #due: Room[] = [];
  readonly #directBatches = new Map<Room, Map<string, User | null>>();

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  /** Announces how other users see a user in a room; `before` and `now` are null if they do not. */
  changed(room: Room, user: string, before: User | null, now: User | null): void {
    if (!hasBegun(room.record)) return;
    this.#batchPresence(room, user, before);
    if (haveBothWritten(room)) this.#batchDirect(room, user, now);
  }

  memberChanged(room: Room, user: string, change: MembersChange['changed'][number]): void {
    if (room.joined.size === 0 || room.record.kind === 'direct') return;
    this.#batchFor(room).members.set(user, change);
  }

  /**
   * Announces the users who are present in a direct room, except the author of its first message. Call it after that
   * message, because no presence is announced before.
   */
  begun(room: Room, author: string): void {
    for (const id of room.present.keys()) if (id !== author) this.#batchPresence(room, id, null);
  }

  #batchPresence(room: Room, user: string, before: User | null): void {
    if (room.joined.size === 0) return;
    const batch = this.#batchFor(room);
    if (!batch.before.has(user)) batch.before.set(user, before);
  }

  #batchFor(room: Room): Batch {
    const existing = this.#batches.get(room);
    if (existing !== undefined) return existing;
    const batch: Batch = { before: new Map(), joins: room.joins, members: new Map() };
    this.#batches.set(room, batch);
    setTimeout(() => this.#sendSoon(room), batchMs);
    return batch;
  }

  /** Sends one room per event-loop tick, so that messages get through when all users reconnect at once. */
  #sendSoon(room: Room): void {
    if (this.#due.push(room) > 1) return;
    const next = () => {
      this.#send(this.#due[0] as Room);
      this.#due.shift();
      if (this.#due.length > 0) setImmediate(next);
    };
    setImmediate(next);
  }

  #send(room: Room): void {
    const batch = this.#batches.get(room);
    if (batch === undefined) return;
    this.#batches.delete(room);
    // Without receivers nothing is sent, because another room may have got the ID since the batch started.
    if (room.joined.size === 0) return;
    const { id } = room.record;
    const joined: User[] = [];
    const left: string[] = [];
    // A connection that joined during the batch may know an outdated state, so it gets users without a net change too.
    const sendsAll = room.joins !== batch.joins;
    for (const [user, before] of batch.before) {
      const now = room.present.get(user);
      if (now === undefined && (sendsAll || before !== null)) left.push(user);
      if (now !== undefined && (sendsAll || now.name !== before?.name)) joined.push(now);
    }
    if (joined.length > 0 || left.length > 0) {
      const partial = joined.length > maxNamed || left.length > maxNamed;
      this.#publisher.toRoom(id, 'presence:changed', {
        room: id,
        joined: joined.slice(0, maxNamed),
        left: left.slice(0, maxNamed),
        count: room.present.size,
        partial: partial ? true : undefined,
      });
    }
    // The presence of users on other servers arrives a little later than their membership.
    const changed = [...batch.members.values()].map((change) =>
      'gone' in change ? change : { ...change, present: room.present.has(change.user.id) },
    );
    if (changed.length === 0) return;
    this.#publisher.toRoom(id, 'members:changed', {
      room: id,
      changed: changed.slice(0, maxNamed),
      count: membersOf(room),
      partial: changed.length > maxNamed ? true : undefined,
    });
  }

  #batchDirect(room: Room, userId: string, now: User | null): void {
    const batch = this.#directBatches.get(room);
    if (batch !== undefined) return void batch.set(userId, now);
    this.#directBatches.set(room, new Map([[userId, now]]));
    setTimeout(() => this.#sendDirect(room), directBatchMs);
  }

  /** Sends presence to those connections of the peer that have not joined the direct room. */
  #sendDirect(room: Room): void {
    const batch = this.#directBatches.get(room) ?? new Map<string, User | null>();
    this.#directBatches.delete(room);
    for (const [id, now] of batch) {
      const peerId = otherOf(room.record.pair, id);
      // Undefined if the peer lost the room during the delay.
      const peer = [...room.here].find(({ user }) => user.id === peerId);
      const ids = [...(peer?.connections ?? [])]
        .filter(({ joined }) => !joined.has(room))
        .map((connection) => connection.id);
      if (ids.length === 0) continue;
      this.#publisher.toConnections(ids, 'presence:changed', {
        room: room.record.id,
        joined: now === null ? [] : [now],
        left: now === null ? [id] : [],
        count: room.present.size,
      });
    }
  }
}

function haveBothWritten({ record, partners }: Room): boolean {
  return record.pair?.every((id) => partners.get(id)?.acted === acted.written) ?? false;
}
