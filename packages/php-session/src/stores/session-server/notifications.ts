import type { Followed, StoreListener, Subscription } from '../../store.ts';
import { Pipeline } from '../pipeline.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { type Line, type SessionServer, sessionServerProtocol } from './connection.ts';

/** Exceeds an event with an ID of 128 characters. */
const maxLineBytes = 1024;
/** The server reads at most 64 KB of commands before it replies. */
const maxInFlight = 500;
const pingIntervalMs = 250;
/** Longer than the timeouts of `keepSubscribed`, so that they apply. */
const timeoutMs = 60_000;

const eventLine =
  /^event (?:(lost)|(?:destroyed|expired|regenerated|changed) ([A-Za-z0-9,_-]{1,128})( \d+)?)$/;
const watchReply = /^(?:ok (?:live \d+|(gone))|(err) [A-Z][a-z ]{1,60}\.)$/;

/**
 * Subscribes to the server's events of followed sessions.
 * @param maxSilenceMs if a reply is overdue for longer, events may be missing
 */
export function subscribeSessionServer(
  server: SessionServer,
  maxSilenceMs: number,
  listener: StoreListener,
): Subscription {
  const followerCounts = new Map<string, number>();
  let events: Events | undefined;
  const end = keepSubscribed(async (sink) => {
    const opened = new Events(server, followerCounts, sink);
    sink.signal.addEventListener('abort', () => {
      if (events === opened) events = undefined;
    });
    // Connects and sends the greeting.
    await opened.ping();
    events = opened;
    opened.start();
    return () => opened.ping();
  }, listener);

  const follow = (id: string): Followed => {
    const count = followerCounts.get(id) ?? 0;
    followerCounts.set(id, count + 1);
    if (count === 0) events?.update(id);
    let hasEnded = false;
    return {
      get since() {
        return events === undefined || events.silentMs > maxSilenceMs ? undefined : events.watchedSince(id);
      },
      end() {
        if (hasEnded) return;
        hasEnded = true;
        const left = (followerCounts.get(id) ?? 1) - 1;
        if (left > 0) return void followerCounts.set(id, left);
        followerCounts.delete(id);
        events?.update(id);
      },
    };
  };
  return Object.assign(end, { follow });
}

/** A connection with the events of watched sessions. */
class Events {
  readonly #server: Pipeline<Line>;
  readonly #sink: Sink;
  readonly #followed: ReadonlyMap<string, unknown>;
  /** Watched sessions, with the time of the server's confirmation. Undefined before it. */
  readonly #watchedSince = new Map<string, number | undefined>();
  /** Sessions to watch or unwatch. */
  readonly #updates = new Set<string>();
  /** The time of the server's last report of lost events. */
  #eventsLostAt = Number.NEGATIVE_INFINITY;

  /** @param followed by ID; call `update` for each ID that is added or removed */
  constructor(server: SessionServer, followed: ReadonlyMap<string, unknown>, sink: Sink) {
    this.#followed = followed;
    this.#sink = sink;
    const protocol = {
      ...sessionServerProtocol(server, maxLineBytes, 'ping'),
      onPush: (line: Line) => this.#handleEvent(line?.toString('latin1') ?? ''),
      onDisconnect: sink.failed,
    };
    this.#server = new Pipeline(protocol, timeoutMs);
    sink.signal.addEventListener('abort', () => this.#server.close());
  }

  /** Watches all followed sessions, and starts the pings. */
  start(): void {
    const pings = setInterval(() => {
      // No ping is needed while the reply to another command is pending.
      if (this.#server.inFlight === 0) void this.ping().catch(() => {});
    }, pingIntervalMs);
    this.#sink.signal.addEventListener('abort', () => clearInterval(pings));
    for (const id of this.#followed.keys()) this.#updates.add(id);
    this.#sendUpdates();
  }

  /** Watches or unwatches the session, if necessary. */
  update(id: string): void {
    this.#updates.add(id);
    if (this.#updates.size === 1) process.nextTick(() => this.#sendUpdates());
  }

  /** Every change after this monotonic time leads to an event. Undefined while that is uncertain. */
  watchedSince(id: string): number | undefined {
    const since = this.#watchedSince.get(id);
    return since === undefined ? undefined : Math.max(since, this.#eventsLostAt);
  }

  /** The waiting time of the oldest command. Events may be delayed as long. */
  get silentMs(): number {
    return this.#server.silentMs;
  }

  ping(): Promise<unknown> {
    return this.#server.query('ping\r\n', readOk);
  }

  #sendUpdates(): void {
    if (this.#updates.size === 0 || this.#sink.signal.aborted) return;
    // Waits until many commands can be sent together, instead of sending one after each reply.
    if (this.#server.inFlight > maxInFlight / 2) return;
    for (const id of this.#updates) {
      if (this.#server.inFlight >= maxInFlight) break;
      this.#updates.delete(id);
      const isWatched = this.#watchedSince.has(id);
      if (this.#followed.has(id) && !isWatched) this.#watch(id);
      else if (!this.#followed.has(id) && isWatched) this.#unwatch(id);
    }
  }

  #watch(id: string): void {
    this.#watchedSince.set(id, undefined);
    this.#send(`watch ${id}`, (line) => {
      const [match, gone, refused] = watchReply.exec(line?.toString('latin1') ?? '') ?? [];
      if (match === undefined) return undefined;
      // The session was unwatched before this reply.
      if (!this.#watchedSince.has(id)) return true;
      this.#watchedSince.set(id, refused === undefined ? performance.now() : undefined);
      if (gone !== undefined) this.#sink.changed({ id });
      return true;
    });
  }

  #unwatch(id: string): void {
    this.#watchedSince.delete(id);
    this.#send(`unwatch ${id}`, readOk);
  }

  /** Ignores failures, because they end the connection, which `onDisconnect` reports to the sink. */
  #send(command: string, read: (line: Line) => true | undefined): void {
    this.#server.query(`${command}\r\n`, read).then(
      () => this.#sendUpdates(),
      () => {},
    );
  }

  /** Handles an event. @returns false if the line is not an event */
  #handleEvent(line: string): boolean {
    const [event, lost, id] = eventLine.exec(line) ?? [];
    if (event === undefined) return false;
    if (lost !== undefined) this.#eventsLostAt = performance.now();
    else if (id !== undefined && this.#watchedSince.has(id)) this.#sink.changed({ id });
    return true;
  }
}

const readOk = (line: Line): true | undefined => line?.toString('latin1') === 'ok' || undefined;
