import type { History, StoredMessage, StoredThread } from '../../history/history.ts';
import type { EventPayload } from '../../wire/events.ts';
import type { OnAsideFailure } from '../asides.ts';
import type { Person, Room } from '../model.ts';
import type { Publisher } from '../publisher.ts';
import { shownThread } from './shown-threads.ts';

/** The shortest interval of `thread:changed` per room, in milliseconds. */
const changedEvery = 1000;
/** Threads in one event. */
const mostThreads = 100;

/** Announces the new counts of threads to those who have joined the room, without the replies that they do not see. */
export class ThreadChanges {
  readonly #history: History;
  readonly #publisher: Publisher;
  readonly #onFailure: OnAsideFailure;
  /** Rooms whose threads were announced within the last second, with those that have changed since. */
  readonly #waiting = new Map<Room, Set<number>>();

  constructor(history: History, publisher: Publisher, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#publisher = publisher;
    this.#onFailure = onFailure;
  }

  /** A reply is new, or deleted. */
  changed(room: Room, { thread }: StoredMessage): void {
    if (thread === undefined || room.joined.size === 0) return;
    const waiting = this.#waiting.get(room);
    if (waiting !== undefined) return void waiting.add(thread);
    this.#waiting.set(room, new Set());
    this.#announce(room, [thread]);
    setTimeout(() => this.#next(room), changedEvery);
  }

  #next(room: Room): void {
    const waiting = this.#waiting.get(room) as Set<number>;
    const some = [...waiting].slice(0, mostThreads);
    if (some.length === 0) return void this.#waiting.delete(room);
    for (const thread of some) waiting.delete(thread);
    this.#announce(room, some);
    setTimeout(() => this.#next(room), changedEvery);
  }

  #announce(room: Room, threads: number[]): void {
    this.#tell(room, threads).catch((error) => this.#onFailure('thread_changed', error));
  }

  async #tell(room: Room, numbers: number[]): Promise<void> {
    const { id } = room.record;
    const apart = new Set([...room.joined].flatMap(({ person }) => [...person.blocked]));
    const found = await this.#history.read.threads({ room: id, threads: numbers, apart: [...apart] });
    const byNumber = new Map(found.map((one) => [one.thread, one]));
    const stored = numbers.map((thread): StoredThread => {
      const none = { thread, root: thread, replies: 0, authors: [], apart: [], fresh: 0 };
      return byNumber.get(thread) ?? none;
    });
    const authors = new Set(stored.flatMap((one) => one.apart.map(({ user }) => user.id)));
    // All who see the same get one frame.
    const seeing = new Map<string, { person: Person; ids: string[] }>();
    for (const { id: connection, person } of room.joined) {
      // Somebody has joined or blocked meanwhile: the replies of those who are blocked were not counted apart.
      if (![...person.blocked].every((user) => apart.has(user))) {
        for (const thread of numbers) this.#waiting.get(room)?.add(thread);
        continue;
      }
      const hidden = [...person.blocked].filter((user) => authors.has(user));
      const key = JSON.stringify(hidden.sort());
      const alike = seeing.get(key);
      if (alike === undefined) seeing.set(key, { person, ids: [connection] });
      else alike.ids.push(connection);
    }
    for (const { person, ids } of seeing.values()) {
      const threads = stored.map((one) => shownThread(one, person.blocked));
      const payload: EventPayload<'thread:changed'> = { room: id, threads };
      this.#publisher.toConnections(ids, 'thread:changed', payload);
    }
  }
}
