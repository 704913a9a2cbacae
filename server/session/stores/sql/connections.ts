import { Socket } from 'node:net';
import { deferred } from '../../deferred.ts';
import { StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';
import type { Database, Row } from './driver.ts';
import { failure, type Problems } from './failures.ts';

/**
 * Look-ups of one moment go together, so one connection does the work; a second one helps when that is slow. What is
 * large is asked for apart from them, on a third.
 */
const most = 3;

export type Address = { host: string; port: number } | { path: string };

/** A connection to a database server. It is asked one thing at a time. */
export interface Connection extends Pick<Database, 'rows' | 'change'> {
  /** Ends it at once, and what it is being asked. */
  destroy(): void;
}

/** Connects the socket and logs in. When the socket is destroyed meanwhile, nothing needs to settle. */
export type Connect = (socket: Socket, address: Address) => Promise<Connection>;

interface Open {
  socket: Socket;
  connection: Connection;
}

interface Settings {
  /** Of one database, tried in their order. */
  addresses: readonly Address[];
  /** Of one question, in milliseconds. */
  timeout: number;
  /** Imports the driver. */
  load: () => Promise<Connect>;
  problems: Problems;
}

/**
 * The connections to one database. The drivers' own pools and time-outs leave a connection in use whose answer is
 * late, or a question without any: here each question has a deadline, with the connecting in it, and a connection
 * that missed one is never asked again.
 */
export class Connections implements Database {
  readonly timeout: number;
  readonly #settings: Settings;
  /** The address that is tried first: the one that answered last. */
  #preferred = 0;
  #idle: Open[] = [];
  #busy = 0;
  #freed = deferred<void>();
  /** One for each question under way: fails it. */
  readonly #ends = new Set<(error: StoreError) => void>();
  #closed = false;

  constructor(settings: Settings) {
    this.timeout = settings.timeout;
    this.#settings = settings;
  }

  rows(select: string, ids: readonly string[]): Promise<Row[]> {
    return this.#inTime('read', (connection) => connection.rows(select, ids));
  }

  change(update: string, id: string): Promise<void> {
    return this.#inTime('renew', (connection) => connection.change(update, id));
  }

  async #inTime<T>(wanted: 'read' | 'renew', question: Question<T>): Promise<T> {
    const { timeout, load, problems } = this.#settings;
    const connect = await load();
    if (this.#closed) throw new StoreError('the store was closed');
    const end = deferred<never>();
    const within: Within = (work) => Promise.race([work, end.promise]);
    const answered = deadline(timeout, () =>
      end.reject(new StoreError(`the database did not answer within ${timeout} ms`)),
    );
    end.promise.catch(() => {});
    this.#ends.add(end.reject);
    try {
      while (this.#busy === most) await within(this.#freed.promise);
      this.#busy++;
      try {
        return await this.#ask(connect, within, question);
      } finally {
        this.#busy--;
        this.#freed.resolve();
        this.#freed = deferred();
      }
    } catch (error) {
      throw failure(error, problems, wanted);
    } finally {
      answered();
      this.#ends.delete(end.reject);
    }
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end(new StoreError('the store was closed'));
    for (const { connection } of this.#idle) connection.destroy();
    this.#idle = [];
  }

  async #ask<T>(connect: Connect, within: Within, question: Question<T>): Promise<T> {
    this.#idle = this.#idle.filter(({ socket }) => !socket.destroyed);
    const open = this.#idle.pop() ?? (await this.#open(connect, within));
    try {
      const answer = await within(question(open.connection));
      if (this.#closed) open.connection.destroy();
      else this.#idle.push(open);
      return answer;
    } catch (error) {
      open.connection.destroy();
      throw error;
    }
  }

  async #open(connect: Connect, within: Within): Promise<Open> {
    const { addresses } = this.#settings;
    for (let tried = 0, at = this.#preferred; ; at = (at + 1) % addresses.length) {
      const socket = new Socket();
      socket.on('error', () => {});
      try {
        const connection = await within(connect(socket, addresses[at] as Address));
        this.#preferred = at;
        return { socket, connection };
      } catch (error) {
        socket.destroy();
        // Out of time at this one: the next question begins with the next.
        if (error instanceof StoreError) this.#preferred = (at + 1) % addresses.length;
        if (error instanceof StoreError || ++tried === addresses.length) throw error;
      }
    }
  }
}

type Question<T> = (connection: Connection) => Promise<T>;

/** Bounds a piece of work by the deadline of the question. */
type Within = <T>(work: Promise<T>) => Promise<T>;
