import type { Socket } from 'node:net';
import { deferred } from '../../deferred.ts';
import { StoreError } from '../../store.ts';
import type { Line } from '../subscription.ts';
import { openSocket, type SessionServer, unreachable } from './address.ts';
import { greeting } from './greeting.ts';
import { Lines } from './lines.ts';

/** An event, and an ID of up to 128 characters. */
const maxLineBytes = 1024;
/** So many commands are under way at once: a server reads no further ahead than it answers. */
const mostUnderWay = 500;
/** So often the server is asked whether it is there, in milliseconds. */
const pingEvery = 250;

const eventLine =
  /^event (?:(lost)|(?:destroyed|expired|regenerated|changed) ([A-Za-z0-9,_-]{1,128})( \d+)?)$/;
const watchReply = /^(?:ok (?:live \d+|(gone))|(err) [A-Z][a-z ]{1,60}\.)$/;

interface Question {
  at: number;
  /** @returns false when the reply does not fit */
  answer(reply: string): boolean;
}

/** One connection over which a session server tells of the sessions that it was told to watch. */
export class WatchConnection {
  /** Settles when the server has agreed to be asked. */
  readonly greeted: Promise<void>;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #line: Line;
  readonly #wanted: ReadonlyMap<string, unknown>;
  /** What the server was told to watch, and since when it does; undefined until it has agreed. */
  readonly #watched = new Map<string, number | undefined>();
  /** Where the server may have to be told something. */
  readonly #wishes = new Set<string>();
  #asked: Question[] = [];
  /** When the server has last let something go untold. */
  #lost = Number.NEGATIVE_INFINITY;

  /** @param wanted the sessions to watch, by their IDs: `wish` is to be called when one comes or goes */
  constructor(server: SessionServer, wanted: ReadonlyMap<string, unknown>, line: Line) {
    this.#name = server.name;
    this.#wanted = wanted;
    this.#line = line;
    const { promise, resolve, reject } = deferred<void>();
    this.greeted = promise;
    const failed = (error: StoreError) => {
      reject(error);
      line.failed(error);
    };
    const socket = openSocket(server);
    this.#socket = socket;
    // Some servers forget who says nothing for long; and one that has vanished does not say so.
    socket.setKeepAlive(true, 30_000);
    line.signal.addEventListener('abort', () => {
      socket.destroy();
      reject(new StoreError('the watch has ended'));
    });
    const lines = new Lines(maxLineBytes);
    socket.on('data', (chunk: Buffer) => {
      for (const one of lines.push(chunk)) {
        if (line.signal.aborted) return;
        if (one === null || !this.#take(one.toString('latin1')))
          return failed(new StoreError(`${this.#name} said something that does not belong to a watch`));
      }
      this.#tellWishes();
    });
    socket.on('error', (error) => failed(unreachable(server, error)));
    socket.on('close', () => failed(new StoreError(`${this.#name} closed the connection of the watch`)));
    const greetings = greeting(server, 'ping');
    for (const [n, { command, read }] of greetings.entries()) {
      this.#ask(command, (reply) => {
        try {
          const fits = read(Buffer.from(reply, 'latin1')) !== undefined;
          if (fits && n === greetings.length - 1) resolve();
          return fits;
        } catch (error) {
          failed(error as StoreError);
          return true;
        }
      });
    }
  }

  /** Tells the server all that is wanted, and asks from then on whether it is there. */
  start(): void {
    const pings = setInterval(() => {
      // One that has not answered the last question would not answer this one.
      if (this.#asked.length === 0) void this.ping();
    }, pingEvery);
    this.#line.signal.addEventListener('abort', () => clearInterval(pings));
    for (const id of this.#wanted.keys()) this.#wishes.add(id);
    this.#tellWishes();
  }

  /** The session of this ID is wanted now, or no longer. */
  wish(id: string): void {
    this.#wishes.add(id);
    if (this.#wishes.size === 1) process.nextTick(() => this.#tellWishes());
  }

  /** From when on each change of the session is told, by the monotonic clock; undefined when it is not. */
  watchedSince(id: string): number | undefined {
    const since = this.#watched.get(id);
    return since === undefined ? undefined : Math.max(since, this.#lost);
  }

  /** For how many milliseconds the server has owed an answer. What it would tell may have got stuck as well. */
  get silentFor(): number {
    const [oldest] = this.#asked;
    return oldest === undefined ? 0 : performance.now() - oldest.at;
  }

  ping(): Promise<void> {
    const { promise, resolve } = deferred<void>();
    this.#ask('ping', (reply) => {
      resolve();
      return reply === 'ok';
    });
    return promise;
  }

  #tellWishes(): void {
    if (this.#wishes.size === 0 || this.#line.signal.aborted) return;
    // Some at a time, and not one more with each reply.
    if (this.#asked.length > mostUnderWay / 2) return;
    this.#socket.cork();
    for (const id of this.#wishes) {
      if (this.#asked.length >= mostUnderWay) break;
      this.#wishes.delete(id);
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
      if (gone !== undefined) this.#line.changed({ id });
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

  /** @returns false when it is no reply to what was asked, and no event */
  #take(line: string): boolean {
    const [event, lost, id] = eventLine.exec(line) ?? [];
    if (event === undefined) return this.#asked.shift()?.answer(line) ?? false;
    if (lost !== undefined) this.#lost = performance.now();
    else if (id !== undefined && this.#watched.has(id)) this.#line.changed({ id });
    return true;
  }
}
