import type { Message } from '../../server/events.ts';
import type { Connection } from './connection.ts';
import { RequestError } from './connection-state.ts';
import type { Room } from './store/room.ts';

export interface RoomSyncPort {
  /** Messages came with an answer, not as an event. */
  arrived(room: Room, messages: readonly Message[]): void;
  joined(room: Room): void;
  /** There is no such room any more. */
  gone(room: Room): void;
  loaded(count: number): void;
  changed(): void;
}

/** As far back as the "New" line is fetched when a room is opened. */
const UNSEEN = 300;

/** The same request may succeed later, on the same connection. */
const PASSING = new Set(['timeout', 'rate_limited', 'storage_unavailable', 'storage_full', 'internal']);

/** Keeps the rooms' timelines up to date: joins, asks for what was missed, fetches older pages. */
export class RoomSync {
  readonly #connection: Connection;
  readonly #port: RoomSyncPort;
  /** Counts connections: what is under way on an earlier one no longer matters. */
  #turn = 0;
  readonly #busy = new Set<string>();
  readonly #quoted = new Set<string>();

  constructor(connection: Connection, port: RoomSyncPort) {
    this.#connection = connection;
    this.#port = port;
  }

  /** A new connection, or none any more. */
  restart(): void {
    this.#turn++;
    this.#busy.clear();
    this.#quoted.clear();
  }

  async join(room: Room): Promise<void> {
    await this.#once(`join ${room.id}`, room, async (current) => {
      const since = room.timeline.join();
      const answer = await this.#connection.request('room:join', {
        room: room.id,
        ...(since === undefined ? {} : { since }),
      });
      if (!current()) return;
      room.timeline.joined(answer, since);
      if (answer.reset === true) room.summary = answer.room;
      room.update(answer.room);
      room.present = answer.present;
      room.presentCount = answer.presentCount;
      room.joined = true;
      this.#port.arrived(room, answer.messages);
      this.#port.joined(room);
    });
    if (room.joined) await this.sync(room);
  }

  /** Asks for what was missed, if anything was. */
  async sync(room: Room): Promise<void> {
    for (let since = room.timeline.syncFrom; since !== undefined; since = room.timeline.syncFrom) {
      const from = since;
      const done = await this.#once(`sync ${room.id}`, room, async () => {
        const answer = await this.#connection.request('room:sync', {
          room: room.id,
          since: from,
          limit: 500,
        });
        room.timeline.synced(answer, from);
        this.#port.arrived(room, answer.messages);
      });
      if (!done) return;
    }
    if (room.joined && room.timeline.head === undefined) await this.join(room);
  }

  /** The next older page. */
  async older(room: Room): Promise<void> {
    const { first: before, epoch, complete, head } = room.timeline;
    if (complete || head === undefined) return;
    await this.#once(`older ${room.id}`, room, async () => {
      const answer = await this.#connection.request('message:history', { room: room.id, before });
      room.timeline.page(answer, before, epoch);
      this.#port.loaded(answer.messages.length);
    });
  }

  /** Older pages, until that message is in the list; false if it cannot be reached. */
  async backTo(room: Room, seq: number): Promise<boolean> {
    while (room.timeline.first > seq && !room.timeline.complete) {
      const { first } = room.timeline;
      await this.older(room);
      if (room.timeline.first >= first) return false;
    }
    return room.timeline.first <= seq;
  }

  /** Fetches back to where the "New" line stands. */
  async unseen(room: Room): Promise<void> {
    const { newFrom, summary } = room;
    if (newFrom !== undefined && summary.lastSeq - newFrom <= UNSEEN) await this.backTo(room, newFrom);
  }

  /** One older message, for a quote; asked for once a connection. */
  async quoted(room: Room, seq: number): Promise<void> {
    const { epoch } = room.timeline;
    const name = `quote ${room.id} ${seq} ${epoch}`;
    if (this.#quoted.has(name)) return;
    this.#quoted.add(name);
    await this.#once(name, room, async () => {
      const before = seq + 1;
      const answer = await this.#connection.request('message:history', { room: room.id, before, limit: 1 });
      room.timeline.page(answer, before, epoch);
    });
  }

  /** Each thing once at a time; what fails for a passing cause is done again. False if it was not done. */
  async #once(name: string, room: Room, task: (current: () => boolean) => Promise<void>): Promise<boolean> {
    if (this.#busy.has(name)) return false;
    this.#busy.add(name);
    const turn = this.#turn;
    const current = () => turn === this.#turn;
    for (let pause = 1000; ; pause = Math.min(30_000, pause * 2)) {
      try {
        await task(current);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (current() && PASSING.has(error.code)) {
          await new Promise((resolve) => setTimeout(resolve, Math.max(pause, error.retryAfterMs ?? 0)));
          if (current()) continue;
        } else if (current() && error.code === 'unknown_room') {
          this.#port.gone(room);
        }
        if (current()) this.#busy.delete(name);
        return false;
      }
      if (!current()) return false;
      this.#busy.delete(name);
      this.#port.changed();
      return true;
    }
  }
}
