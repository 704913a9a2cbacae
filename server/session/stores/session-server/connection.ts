import type { Socket } from 'node:net';
import { deferred } from '../../deferred.ts';
import { StoreError } from '../../store.ts';
import { Unanswered } from '../unanswered.ts';
import { openSocket, type SessionServer, unreachable } from './address.ts';
import { greeting, type ReadReply } from './greeting.ts';
import { Lines } from './lines.ts';

/** Whoever asks sooner after a failure than so many milliseconds gets the same failure, not a connection more. */
const reconnectAfter = 50;

interface Question {
  /** @returns false when the reply does not fit */
  answer(line: Buffer | null): boolean;
  fail(error: StoreError): void;
}

/**
 * One connection to a session server at a time, opened by the first question, and anew by the first one after a
 * failure. Questions are pipelined, and each reply belongs to the oldest that waits: one that is late, or does not fit,
 * ends the connection, and with it all questions that wait.
 */
export class SessionServerConnection {
  readonly #server: SessionServer;
  readonly #mostBytes: number;
  #socket: Socket | undefined;
  readonly #asked: Unanswered<Question>;
  /** What is asked in one turn goes out together. */
  #outgoing = '';
  #failure: StoreError | undefined;
  #closed = false;

  /**
   * @param timeout of one answer, in milliseconds
   * @param mostBytes of one reply; of a longer one nothing is kept
   */
  constructor(server: SessionServer, timeout: number, mostBytes: number) {
    this.#server = server;
    this.#mostBytes = mostBytes;
    this.#asked = new Unanswered(timeout, () =>
      this.#fail(new StoreError(`${server.name} did not answer within ${timeout} ms`)),
    );
  }

  /**
   * @param command one line, without its end
   * @throws StoreError after `timeout` ms at the latest, and whatever `read` throws
   */
  ask<T>(command: string, read: ReadReply<T>): Promise<T> {
    const { promise, resolve, reject } = deferred<T>();
    if (this.#closed) reject(new StoreError('the store was closed'));
    else if (this.#failure !== undefined) reject(this.#failure);
    else {
      this.#socket ??= this.#open();
      this.#write(command, { read, resolve, reject });
    }
    return promise;
  }

  close(): void {
    this.#closed = true;
    this.#fail(new StoreError('the store was closed'));
  }

  #write<T>(
    command: string,
    question: { read: ReadReply<T>; resolve(answer: T): void; reject(error: unknown): void },
  ): void {
    const { read, resolve, reject } = question;
    this.#asked.add({
      answer(line) {
        try {
          const answer = read(line);
          if (answer === undefined) return false;
          resolve(answer);
        } catch (error) {
          reject(error);
        }
        return true;
      },
      fail: reject,
    });
    if (this.#outgoing === '') process.nextTick(() => this.#send());
    this.#outgoing += `${command}\r\n`;
  }

  #send(): void {
    const commands = this.#outgoing;
    this.#outgoing = '';
    // Empty: what was asked has failed in the same turn.
    if (commands !== '') this.#socket?.write(commands);
  }

  #open(): Socket {
    const { name } = this.#server;
    const socket = openSocket(this.#server);
    const lines = new Lines(this.#mostBytes);
    socket.on('data', (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        if (this.#socket !== socket) return;
        // What it says may be anything, so it is never told.
        if (!this.#asked.oldest?.answer(line))
          return this.#fail(new StoreError(`${name} answered something that was not asked`));
        this.#asked.shift();
      }
    });
    socket.on('error', (error) => this.#fail(unreachable(this.#server, error), socket));
    socket.on('end', () => this.#fail(new StoreError(`${name} closed the connection`), socket));
    socket.on('close', () => this.#fail(new StoreError(`${name} closed the connection`), socket));
    this.#socket = socket;
    for (const { command, read } of greeting(this.#server, 'encoding percent')) {
      const reject = (error: unknown) => this.#fail(error as StoreError, socket);
      this.#write(command, { read, resolve: () => {}, reject });
    }
    return socket;
  }

  /** An old connection, when it is said which, has no say any more. */
  #fail(error: StoreError, socket = this.#socket): void {
    if (socket !== this.#socket) return;
    socket?.destroy();
    this.#socket = undefined;
    this.#outgoing = '';
    if (!this.#closed) {
      this.#failure = error;
      setTimeout(() => {
        this.#failure = undefined;
      }, reconnectAfter).unref();
    }
    for (const { fail } of this.#asked.clear()) fail(error);
  }
}
