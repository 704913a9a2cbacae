import { isConversation } from '../history/history.ts';
import type { Directory } from './directory.ts';
import { type Connection, membersOf, type Person, type Room } from './model.ts';
import type { Publisher } from './publisher.ts';
import { nameFor, previewOf, runsAfter, uncounted } from './summary.ts';

/** The minimum time between two announcements of new messages in a room. */
const intervalMs = 1000;

/** Sends `room:activity` to members. */
export class Activity {
  readonly #directory: Directory;
  readonly #publisher: Publisher;
  /** Rooms that were announced within the interval. `isWaiting`: they must be announced again. */
  readonly #recent = new Map<Room, { isWaiting: boolean }>();

  constructor(directory: Directory, publisher: Publisher) {
    this.#directory = directory;
    this.#publisher = publisher;
  }

  /** Announces new messages to the members' connections that have not joined the room, at most once per interval. */
  announce(room: Room): void {
    const recent = this.#recent.get(room);
    if (recent !== undefined) recent.isWaiting = true;
    else this.#announceNow(room, false);
  }

  /** Announces a new name, topic or `firstSeq` at once, also to connections that have joined the room. */
  announceToAll(room: Room): void {
    if (this.#recent.has(room)) this.#send(room, true);
    else this.#announceNow(room, true);
  }

  #announceNow(room: Room, toJoined: boolean): void {
    this.#send(room, toJoined);
    const state = { isWaiting: false };
    this.#recent.set(room, state);
    const next = () => {
      if (!state.isWaiting) return void this.#recent.delete(room);
      state.isWaiting = false;
      this.#send(room, false);
      setTimeout(next, intervalMs);
    };
    setTimeout(next, intervalMs);
  }

  #send(room: Room, toJoined: boolean): void {
    const shared: Person[] = [];
    for (const person of room.here) {
      const { ownUnread } = person.memberships.get(room.record.id)?.member ?? {};
      // The name of a conversation differs between its users.
      if (ownUnread !== undefined || isConversation(room.record)) this.#sendTo(room, [person], toJoined);
      else shared.push(person);
    }
    this.#sendTo(room, shared, toJoined);
  }

  #sendTo(room: Room, people: Iterable<Person>, toJoined: boolean): void {
    const { record } = room;
    const receivers: Connection[] = [];
    for (const { connections } of people) {
      for (const connection of connections) {
        if (toJoined || !connection.joined.has(room)) receivers.push(connection);
      }
    }
    const [first] = receivers;
    if (first === undefined) return;
    const ids = receivers.map(({ id }) => id);
    const { member } = first.person.memberships.get(record.id) ?? {};
    const deleted = runsAfter(uncounted(record, member), record.firstSeq - 1);
    this.#publisher.toConnections(ids, 'room:activity', {
      room: record.id,
      head: record.head,
      lastSeq: record.lastSeq,
      firstSeq: record.firstSeq === 1 ? undefined : record.firstSeq,
      threadOnly: record.threadOnly?.total,
      deleted: deleted.length === 0 ? undefined : deleted,
      members: membersOf(room),
      name: nameFor(this.#directory, room, first.person),
      topic: record.topic,
      last: record.last && previewOf(record.last),
    });
  }
}
