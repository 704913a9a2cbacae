import type { History, StoredMessage, StoredThread } from '../../history/history.ts';
import type { EventPayload } from '../../wire/events.ts';
import type { OnAsideFailure } from '../asides.ts';
import type { Person, Room } from '../model.ts';
import type { Publisher } from '../publisher.ts';
import { shownThread } from './shown-threads.ts';

/** The minimum time between `thread:changed` events of a room. */
const intervalMs = 1000;
/** Limits the threads in one event. */
const maxThreads = 100;

/**
 * Announces new counts of threads to joined connections. The counts omit replies by users that the receiver blocked.
 */
export class ThreadChanges {
  readonly #history: History;
  readonly #publisher: Publisher;
  readonly #signal: AbortSignal;
  readonly #onFailure: OnAsideFailure;
  /** Rooms announced within the interval, with the threads that changed after the announcement. */
  readonly #waiting = new Map<Room, Set<number>>();

  /** @param signal aborts when the history closes, and ends the announcements */
  constructor(history: History, publisher: Publisher, signal: AbortSignal, onFailure: OnAsideFailure) {
    this.#history = history;
    this.#publisher = publisher;
    this.#signal = signal;
    this.#onFailure = onFailure;
  }

  /** Announces the thread of a new or deleted reply. */
  changed(room: Room, { thread }: StoredMessage): void {
    if (thread === undefined || room.joined.size === 0) return;
    const waiting = this.#waiting.get(room);
    if (waiting !== undefined) return void waiting.add(thread);
    this.#waiting.set(room, new Set());
    this.#announce(room, [thread]);
    setTimeout(() => this.#next(room), intervalMs);
  }

  #next(room: Room): void {
    const waiting = this.#waiting.get(room) as Set<number>;
    const threads = [...waiting].slice(0, maxThreads);
    if (threads.length === 0 || this.#signal.aborted) return void this.#waiting.delete(room);
    for (const thread of threads) waiting.delete(thread);
    this.#announce(room, threads);
    setTimeout(() => this.#next(room), intervalMs);
  }

  #announce(room: Room, threads: number[]): void {
    this.#send(room, threads).catch((error) => this.#onFailure('thread_changed', error));
  }

  async #send(room: Room, numbers: number[]): Promise<void> {
    const { id } = room.record;
    const blocked = new Set([...room.joined].flatMap(({ person }) => [...person.blocked]));
    const threadsNow = await this.#history.read.threads({ room: id, threads: numbers, apart: [...blocked] });
    const byNumber = new Map(threadsNow.map((thread) => [thread.thread, thread]));
    const stored = numbers.map((thread): StoredThread => {
      const emptyThread = { thread, root: thread, replies: 0, authors: [], apart: [], fresh: 0 };
      return byNumber.get(thread) ?? emptyThread;
    });
    const authors = new Set(stored.flatMap(({ apart }) => apart.map(({ user }) => user.id)));
    // Connections that see the same counts share one frame.
    const groups = new Map<string, { person: Person; ids: string[] }>();
    for (const { id: connection, person } of room.joined) {
      // A user joined or blocked someone during the read, so replies of that blocked user were not counted separately.
      if (![...person.blocked].every((user) => blocked.has(user))) {
        for (const thread of numbers) this.#waiting.get(room)?.add(thread);
        continue;
      }
      const hidden = [...person.blocked].filter((user) => authors.has(user));
      const key = JSON.stringify(hidden.sort());
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { person, ids: [connection] });
      else group.ids.push(connection);
    }
    for (const { person, ids } of groups.values()) {
      const threads = stored.map((thread) => shownThread(thread, person.blocked));
      const payload: EventPayload<'thread:changed'> = { room: id, threads };
      this.#publisher.toConnections(ids, 'thread:changed', payload);
    }
  }
}
