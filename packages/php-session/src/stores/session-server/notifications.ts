import type { Followed, StoreListener, Subscription } from '../../store.ts';
import { Pipeline } from '../pipeline.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { type Line, type SessionServer, sessionServerProtocol } from './connection.ts';

/** More than an event with an id of 128 characters. */
const maxLineBytes = 1024;
/** The most commands that are under way at once: a server reads no further ahead than it answers. */
const mostUnderWay = 500;
/** The interval of pings, in milliseconds. */
const pingEvery = 250;
/** Milliseconds that an answer may take; the subscription has given the server up by then. */
const longest = 60_000;

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
  let events: Events | undefined;
  const end = keepSubscribed(async (sink) => {
    const opened = new Events(server, followers, sink);
    sink.signal.addEventListener('abort', () => {
      if (events === opened) events = undefined;
    });
    // The first question greets the server too.
    await opened.ping();
    events = opened;
    opened.start();
    return () => opened.ping();
  }, listener);

  const follow = (id: string): Followed => {
    const before = followers.get(id) ?? 0;
    followers.set(id, before + 1);
    if (before === 0) events?.update(id);
    let over = false;
    return {
      get since() {
        return events === undefined || events.silentFor > timeout ? undefined : events.watchedSince(id);
      },
      end() {
        if (over) return;
        over = true;
        const left = (followers.get(id) ?? 1) - 1;
        if (left > 0) return void followers.set(id, left);
        followers.delete(id);
        events?.update(id);
      },
    };
  };
  return Object.assign(end, { follow });
}

/** A connection over which a session server sends the events of the sessions that it watches. */
class Events {
  readonly #server: Pipeline<Line>;
  readonly #sink: Sink;
  readonly #wanted: ReadonlyMap<string, unknown>;
  /** The sessions that the server was asked to watch, and since when it does; undefined until it has agreed. */
  readonly #watched = new Map<string, number | undefined>();
  /** Sessions that may have to be watched, or no longer. */
  readonly #updates = new Set<string>();
  /** When the server last reported that it had lost events. */
  #lost = Number.NEGATIVE_INFINITY;

  /** @param wanted the sessions to watch, by their ids: call `update` for each id that comes or goes */
  constructor(server: SessionServer, wanted: ReadonlyMap<string, unknown>, sink: Sink) {
    this.#wanted = wanted;
    this.#sink = sink;
    const protocol = {
      ...sessionServerProtocol(server, maxLineBytes, 'ping'),
      pushed: (line: Line) => this.#take(line?.toString('latin1') ?? ''),
      failed: sink.failed,
    };
    this.#server = new Pipeline(protocol, longest);
    sink.signal.addEventListener('abort', () => this.#server.close());
  }

  /** Asks the server to watch all wanted sessions, and pings it from then on. */
  start(): void {
    const pings = setInterval(() => {
      // A server that has not answered the last question would not answer this one.
      if (this.#server.underWay === 0) void this.ping().catch(() => {});
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
    return this.#server.silentFor;
  }

  ping(): Promise<unknown> {
    return this.#server.ask('ping\r\n', isOk);
  }

  #sendUpdates(): void {
    if (this.#updates.size === 0 || this.#sink.signal.aborted) return;
    // Many at a time, and not one more with each reply.
    if (this.#server.underWay > mostUnderWay / 2) return;
    for (const id of this.#updates) {
      if (this.#server.underWay >= mostUnderWay) break;
      this.#updates.delete(id);
      const watched = this.#watched.has(id);
      if (this.#wanted.has(id) && !watched) this.#watch(id);
      else if (!this.#wanted.has(id) && watched) this.#unwatch(id);
    }
  }

  #watch(id: string): void {
    this.#watched.set(id, undefined);
    this.#ask(`watch ${id}`, (line) => {
      const [fits, gone, refused] = watchReply.exec(line?.toString('latin1') ?? '') ?? [];
      if (fits === undefined) return undefined;
      // No longer wanted by now.
      if (!this.#watched.has(id)) return true;
      this.#watched.set(id, refused === undefined ? performance.now() : undefined);
      if (gone !== undefined) this.#sink.changed({ id });
      return true;
    });
  }

  #unwatch(id: string): void {
    this.#watched.delete(id);
    this.#ask(`unwatch ${id}`, isOk);
  }

  /** The failure of a question is that of the connection, which the sink gets. */
  #ask(command: string, read: (line: Line) => true | undefined): void {
    this.#server.ask(`${command}\r\n`, read).then(
      () => this.#sendUpdates(),
      () => {},
    );
  }

  /** @returns false if the line is no event */
  #take(line: string): boolean {
    const [event, lost, id] = eventLine.exec(line) ?? [];
    if (event === undefined) return false;
    if (lost !== undefined) this.#lost = performance.now();
    else if (id !== undefined && this.#watched.has(id)) this.#sink.changed({ id });
    return true;
  }
}

const isOk = (line: Line): true | undefined => line?.toString('latin1') === 'ok' || undefined;
