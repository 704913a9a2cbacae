import type { Socket } from 'node:net';
import { type Followed, StoreError, type StoreListener, type Subscription } from '../../store.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { greeting, Lines, openSocket, type SessionServer } from './connection.ts';

/** More than an event with an id of 128 characters. */
const maxLineBytes = 1024;
/** The most commands that are under way at once: a server reads no further ahead than it answers. */
const mostUnderWay = 500;
/** The interval of pings, in milliseconds. */
const pingEvery = 250;

const eventLine =
  /^event (?:(lost)|(?:destroyed|expired|regenerated|changed) ([A-Za-z0-9,_-]{1,128})( \d+)?)$/;
const watchReply = /^(?:ok (?:live \d+|(gone))|(err) [A-Z][a-z ]{1,60}\.)$/;

/**
 * Subscribes to the events of those sessions that are followed; the server is asked to watch each of them.
 * @param timeout of an answer, in milliseconds: a longer silence makes it uncertain whether all events have come
 */
export function subscribeSessionServer(
  server: SessionServer,
  timeout: number,
  listener: StoreListener,
): Subscription {
  /** The number of followers of each id. */
  const followers = new Map<string, number>();
  let connection: EventConnection | undefined;
  const end = keepSubscribed(async (sink) => {
    const opened = new EventConnection(server, followers, sink);
    sink.signal.addEventListener('abort', () => {
      if (connection === opened) connection = undefined;
    });
    await opened.greeted;
    connection = opened;
    opened.start();
    return () => opened.ping();
  }, listener);

  const follow = (id: string): Followed => {
    const before = followers.get(id) ?? 0;
    followers.set(id, before + 1);
    if (before === 0) connection?.update(id);
    let over = false;
    return {
      get since() {
        return connection === undefined || connection.silentFor > timeout
          ? undefined
          : connection.watchedSince(id);
      },
      end() {
        if (over) return;
        over = true;
        const left = (followers.get(id) ?? 1) - 1;
        if (left > 0) return void followers.set(id, left);
        followers.delete(id);
        connection?.update(id);
      },
    };
  };
  return Object.assign(end, { follow });
}

interface Question {
  at: number;
  /** @returns false if the reply does not fit */
  answer(reply: string): boolean;
}

/** A connection over which a session server sends the events of the sessions that it watches. */
class EventConnection {
  /** Settles when the server has accepted the connection. */
  readonly greeted: Promise<void>;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #sink: Sink;
  readonly #wanted: ReadonlyMap<string, unknown>;
  /** The sessions that the server was asked to watch, and since when it does; undefined until it has agreed. */
  readonly #watched = new Map<string, number | undefined>();
  /** Sessions that may have to be watched, or no longer. */
  readonly #updates = new Set<string>();
  #asked: Question[] = [];
  /** When the server last reported that it had lost events. */
  #lost = Number.NEGATIVE_INFINITY;

  /** @param wanted the sessions to watch, by their ids: call `update` for each id that comes or goes */
  constructor(server: SessionServer, wanted: ReadonlyMap<string, unknown>, sink: Sink) {
    this.#name = server.name;
    this.#wanted = wanted;
    this.#sink = sink;
    this.#socket = openSocket(server);
    // Some networks forget a silent connection, and a server that has vanished does not say so.
    this.#socket.setKeepAlive(true, 30_000);
    this.greeted = new Promise((resolve, reject) => this.#open(server, resolve, reject));
  }

  #open(server: SessionServer, onGreeted: () => void, onFailure: (error: StoreError) => void): void {
    const failed = (error: StoreError) => {
      onFailure(error);
      this.#sink.failed(error);
    };
    this.#sink.signal.addEventListener('abort', () => {
      this.#socket.destroy();
      onFailure(new StoreError('the subscription has ended'));
    });
    const lines = new Lines(maxLineBytes);
    this.#socket.on('data', (chunk: Buffer) => {
      for (const one of lines.push(chunk)) {
        if (this.#sink.signal.aborted) return;
        if (one === null || !this.#take(one.toString('latin1')))
          return failed(
            new StoreError(`${this.#name} sent something that does not belong to a subscription`),
          );
      }
      this.#sendUpdates();
    });
    this.#socket.on('error', (error) => failed(StoreError.unreachable(this.#name, error)));
    this.#socket.on('close', () =>
      failed(new StoreError(`${this.#name} closed the connection of the subscription`)),
    );
    const greetings = greeting(server, 'ping');
    for (const [n, { command, read }] of greetings.entries()) {
      this.#ask(command, (reply) => {
        try {
          const fits = read(Buffer.from(reply, 'latin1')) !== undefined;
          if (fits && n === greetings.length - 1) onGreeted();
          return fits;
        } catch (error) {
          failed(error as StoreError);
          return true;
        }
      });
    }
  }

  /** Asks the server to watch all wanted sessions, and pings it from then on. */
  start(): void {
    const pings = setInterval(() => {
      // A server that has not answered the last question would not answer this one.
      if (this.#asked.length === 0) void this.ping();
    }, pingEvery);
    this.#sink.signal.addEventListener('abort', () => clearInterval(pings));
    for (const id of this.#wanted.keys()) this.#updates.add(id);
    this.#sendUpdates();
  }

  /** The session of this id is wanted now, or no longer. */
  update(id: string): void {
    this.#updates.add(id);
    if (this.#updates.size === 1) process.nextTick(() => this.#sendUpdates());
  }

  /** The time on the monotonic clock from which on each change leads to an event; undefined if it does not. */
  watchedSince(id: string): number | undefined {
    const since = this.#watched.get(id);
    return since === undefined ? undefined : Math.max(since, this.#lost);
  }

  /** For how many milliseconds the server has owed an answer. Its events may be delayed as well. */
  get silentFor(): number {
    const [oldest] = this.#asked;
    return oldest === undefined ? 0 : performance.now() - oldest.at;
  }

  ping(): Promise<void> {
    return new Promise((resolve) =>
      this.#ask('ping', (reply) => {
        resolve();
        return reply === 'ok';
      }),
    );
  }

  #sendUpdates(): void {
    if (this.#updates.size === 0 || this.#sink.signal.aborted) return;
    // Many at a time, and not one more with each reply.
    if (this.#asked.length > mostUnderWay / 2) return;
    this.#socket.cork();
    for (const id of this.#updates) {
      if (this.#asked.length >= mostUnderWay) break;
      this.#updates.delete(id);
      const watched = this.#watched.has(id);
      if (this.#wanted.has(id) && !watched) this.#watch(id);
      else if (!this.#wanted.has(id) && watched) this.#unwatch(id);
    }
    this.#socket.uncork();
  }

  #watch(id: string): void {
    this.#watched.set(id, undefined);
    this.#ask(`watch ${id}`, (reply) => {
      const [fits, gone, refused] = watchReply.exec(reply) ?? [];
      if (fits === undefined) return false;
      // No longer wanted by now.
      if (!this.#watched.has(id)) return true;
      this.#watched.set(id, refused === undefined ? performance.now() : undefined);
      if (gone !== undefined) this.#sink.changed({ id });
      return true;
    });
  }

  #unwatch(id: string): void {
    this.#watched.delete(id);
    this.#ask(`unwatch ${id}`, (reply) => reply === 'ok');
  }

  #ask(command: string, answer: Question['answer']): void {
    this.#asked.push({ at: performance.now(), answer });
    this.#socket.write(`${command}\r\n`);
  }

  /** @returns false if the line is neither the next reply nor an event */
  #take(line: string): boolean {
    const [event, lost, id] = eventLine.exec(line) ?? [];
    if (event === undefined) return this.#asked.shift()?.answer(line) ?? false;
    if (lost !== undefined) this.#lost = performance.now();
    else if (id !== undefined && this.#watched.has(id)) this.#sink.changed({ id });
    return true;
  }
}
