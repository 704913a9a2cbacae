import type { MembersChange, User } from '../wire/events.ts';
import type { Room } from './model.ts';
import type { Publisher } from './publisher.ts';
import { membersOf } from './summary.ts';

/**
 * Milliseconds for which presence changes are gathered into one event per room, so that a storm of reconnects causes
 * few events.
 */
const gatherFor = 250;
/** The most users named in one event; clients ask for the rest. */
const mostNamed = 100;

/** Changes of one room that wait to be sent as one event. */
interface Gathered {
  /** The users who have come or gone, as they were visible before; null: not visible before. */
  before: Map<string, User | null>;
  /** `Room.joins` when the gathering began. */
  joins: number;
  members: Map<string, MembersChange['changed'][number]>;
}

/** Notifies connections in a room of presence and membership changes. */
export class PeopleChanges {
  readonly #publisher: Publisher;
  readonly #gathered = new Map<Room, Gathered>();
  /** Rooms whose gathered changes are due. */
  readonly #due: Room[] = [];

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  /** @param before how the user was visible there until now; null if they were not */
  present(room: Room, user: string, before: User | null): void {
    if (room.joined.size === 0) return;
    const gathered = this.#gather(room);
    if (!gathered.before.has(user)) gathered.before.set(user, before);
  }

  member(room: Room, user: string, change: MembersChange['changed'][number]): void {
    if (room.joined.size === 0 || room.record.kind === 'direct') return;
    this.#gather(room).members.set(user, change);
  }

  #gather(room: Room): Gathered {
    const known = this.#gathered.get(room);
    if (known !== undefined) return known;
    const gathered: Gathered = { before: new Map(), joins: room.joins, members: new Map() };
    this.#gathered.set(room, gathered);
    setTimeout(() => this.#inTurn(room), gatherFor);
    return gathered;
  }

  /** Sends one room per turn of the event loop, so that messages get through when everybody reconnects at once. */
  #inTurn(room: Room): void {
    if (this.#due.push(room) > 1) return;
    const next = () => {
      this.#tell(this.#due[0] as Room);
      this.#due.shift();
      if (this.#due.length > 0) setImmediate(next);
    };
    setImmediate(next);
  }

  #tell(room: Room): void {
    const gathered = this.#gathered.get(room);
    if (gathered === undefined) return;
    this.#gathered.delete(room);
    // Its id may be that of another room by now, whose connections would get this.
    if (room.joined.size === 0) return;
    const { id } = room.record;
    const joined: User[] = [];
    const left: string[] = [];
    // Connections that joined meanwhile know a state in between, so unchanged users are sent too.
    const everything = room.joins !== gathered.joins;
    for (const [user, before] of gathered.before) {
      const now = room.present.get(user);
      if (now === undefined && (everything || before !== null)) left.push(user);
      if (now !== undefined && (everything || now.name !== before?.name)) joined.push(now);
    }
    if (joined.length > 0 || left.length > 0) {
      const partial = joined.length > mostNamed || left.length > mostNamed;
      this.#publisher.toRoom(id, 'presence:changed', {
        room: id,
        joined: joined.slice(0, mostNamed),
        left: left.slice(0, mostNamed),
        count: room.present.size,
        ...(partial ? { partial: true } : {}),
      });
    }
    // The presence of users on other servers arrives a little later than their membership.
    const changed = [...gathered.members.values()].map((change) =>
      'gone' in change ? change : { ...change, present: room.present.has(change.user.id) },
    );
    if (changed.length === 0) return;
    this.#publisher.toRoom(id, 'members:changed', {
      room: id,
      changed: changed.slice(0, mostNamed),
      count: membersOf(room),
      ...(changed.length > mostNamed ? { partial: true } : {}),
    });
  }
}
