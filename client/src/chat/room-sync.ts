import type { Message } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import type { Room } from '../store/room.ts';

export interface RoomSyncPort {
  /** Messages arrived in a response, not as an event. */
  arrived(room: Room, messages: readonly Message[]): void;
  /** `isNew`: the user was not a member before. */
  joined(room: Room, isNew: boolean): void;
  /** The room was deleted, or the user may no longer read it. */
  gone(room: Room): void;
  loaded(count: number): void;
  changed(): void;
}

/**
 * If the "New" line is further back than this many messages, the room opens as a window of the history. Otherwise all
 * pages up to the line are loaded.
 */
const UNSEEN = 300;
/** If more changes were missed, they are not fetched, and the room starts again with its newest messages. */
const MISSED = 2000;
/** A message further back than this is shown in a window of the history. */
const NEAR = 150;
const AROUND = 25;

/** Keeps the rooms' timelines up to date: joins rooms, fetches missed changes and loads other pages. */
export class RoomSync {
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #port: RoomSyncPort;
  /** Rooms whose messages in memory are no longer valid. */
  readonly #outdated = new Set<Room>();

  constructor(connection: Connection, tasks: Tasks, port: RoomSyncPort) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#port = port;
  }

  /** Discards the room's messages in memory. A joined room still shows them until the response arrives. */
  async rejoin(room: Room): Promise<void> {
    this.#outdated.add(room);
    if (room.joined) await this.join(room);
    else room.timeline.forget();
  }

  async join(room: Room): Promise<void> {
    const done = await this.#once(`join ${room.id}`, room, async (current) => {
      const isOutdated = this.#outdated.delete(room);
      const { timeline, summary } = room;
      room.askedQuotes.clear();
      if (timeline.head !== undefined && summary.head - timeline.head > MISSED) timeline.forget();
      const head = timeline.join();
      const since = isOutdated ? undefined : head;
      const answer = await this.#connection.request('room:join', {
        room: room.id,
        since,
      });
      if (!current()) return;
      timeline.joined(answer, since);
      room.noteThreads(answer.threads);
      if (answer.reset === true) room.summary = answer.room;
      room.update(answer.room);
      room.present = answer.present;
      room.presentCount = answer.presentCount;
      room.joined = true;
      this.#port.arrived(room, answer.messages);
      this.#port.joined(room, !summary.member);
    });
    // The room was reset after the response was created.
    if (done && this.#outdated.has(room)) await this.join(room);
    else if (room.joined) await this.sync(room);
  }

  /** Loads the newest messages of a public room without joining it. */
  async look(room: Room): Promise<void> {
    await this.#once(`look at ${room.id}`, room, async (current) => {
      // Request the room first, so that messages written between the two responses do not count as known.
      const answer = await this.#connection.request('read:mark', { room: room.id, seq: 0 });
      const page = await this.#connection.request('message:history', { room: room.id });
      if (!current() || !room.preview) return;
      const { timeline } = room;
      timeline.join();
      timeline.joined({ room: answer.room, ...page }, undefined);
      room.update(answer.room);
      room.opening = false;
    });
  }

  /** Leaves a room that is no longer shown. */
  leave(room: Room): void {
    room.joined = false;
    // If this fails, the connection is being lost, which has the same effect.
    this.#connection.request('room:leave', { room: room.id }).catch(() => {});
  }

  /** Fetches missed changes, if there are any. */
  async sync(room: Room): Promise<void> {
    for (let since = room.timeline.syncFrom; since !== undefined; since = room.timeline.syncFrom) {
      const from = since;
      const done = await this.#once(`sync ${room.id}`, room, async (current) => {
        const answer = await this.#connection.request('room:sync', {
          room: room.id,
          since: from,
          limit: 500,
        });
        if (!current()) return;
        room.timeline.synced(answer, from);
        room.noteThreads(answer.threads);
        this.#port.arrived(room, answer.messages);
      });
      if (!done) return;
    }
    if (room.joined && room.timeline.head === undefined) await this.join(room);
  }

  /** Loads the next older page. */
  async older(room: Room): Promise<void> {
    const { first: before, epoch, complete, head } = room.timeline;
    if (complete || head === undefined) return;
    await this.#once(`older ${room.id}`, room, async () => {
      const answer = await this.#connection.request('message:history', { room: room.id, before });
      room.timeline.older(answer, before, epoch);
      room.noteThreads(answer.threads);
      this.#port.loaded(answer.messages.length);
    });
  }

  /** Loads the next newer page, if the list does not reach the end. */
  async newer(room: Room): Promise<void> {
    const { last: after, epoch, attached } = room.timeline;
    if (attached) return;
    await this.#once(`newer ${room.id}`, room, async () => {
      const answer = await this.#connection.request('message:history', { room: room.id, after });
      room.timeline.newer(answer, epoch);
      room.noteThreads(answer.threads);
    });
  }

  /** Loads the part of the history that contains a message. Returns false if it cannot be loaded. */
  async reach(room: Room, seq: number): Promise<boolean> {
    const { timeline } = room;
    const listed = () => seq >= timeline.first && seq <= timeline.last;
    if (listed()) return true;
    if (timeline.head === undefined) return false;
    if (seq < timeline.first && timeline.first - seq <= NEAR) return this.#backTo(room, seq);
    // A message that just arrived is at the end.
    if (!timeline.attached) {
      timeline.toEnd();
      if (listed()) return true;
    }
    const { epoch } = timeline;
    await this.#once(`around ${room.id} ${seq}`, room, async () => {
      const after = Math.max(0, seq - 1 - AROUND);
      const answer = await this.#connection.request('message:history', {
        room: room.id,
        after,
        limit: 2 * AROUND,
      });
      timeline.window(answer, epoch);
      room.noteThreads(answer.threads);
    });
    return listed();
  }

  /** Loads the history at the "New" line, in a window if it is far back. */
  async unseen(room: Room): Promise<void> {
    const { newFrom, timeline } = room;
    if (newFrom !== undefined && timeline.head !== undefined && timeline.attached) {
      const far = timeline.first - newFrom > UNSEEN;
      await (far ? this.reach(room, newFrom) : this.#backTo(room, newFrom));
    }
    room.opening = false;
    this.#port.changed();
  }

  /** Fetches an older message for a quote, once per join and `epoch`. */
  async askQuote(room: Room, seq: number): Promise<void> {
    const { epoch } = room.timeline;
    const name = `${seq} ${epoch}`;
    if (room.askedQuotes.has(name)) return;
    room.askedQuotes.add(name);
    await this.#once(`quote ${room.id} ${name}`, room, async () => {
      const message = await this.find(room, seq);
      if (message !== undefined) room.timeline.quoted(message, epoch);
    });
  }

  /** Fetches a message, or an earlier one if it expired. */
  async find({ id }: Room, seq: number): Promise<Message | undefined> {
    const payload = { room: id, before: seq + 1, limit: 1 };
    return (await this.#connection.request('message:history', payload)).messages[0];
  }

  /** Loads older pages until the message is in the list. */
  async #backTo(room: Room, seq: number): Promise<boolean> {
    while (room.timeline.first > seq && !room.timeline.complete) {
      const { first } = room.timeline;
      await this.older(room);
      if (room.timeline.first >= first) return false;
    }
    return room.timeline.first <= seq;
  }

  /** Like `Tasks.once`. A room that cannot be read is reported as gone. */
  async #once(name: string, room: Room, task: (current: () => boolean) => Promise<void>): Promise<boolean> {
    const done = await this.#tasks.once(name, task, ({ code }) => {
      if (code === 'unknown_room') this.#port.gone(room);
    });
    if (done) this.#port.changed();
    return done;
  }
}
