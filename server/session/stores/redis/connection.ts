import { StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';
import { createClient, type Library, Link, type RedisServer } from './link.ts';

/** Whoever asks sooner after a failure than so many milliseconds gets the same failure, not a connection more. */
const reconnectAfter = 50;

/**
 * One connection to Redis at a time, opened by the first question, and anew by the first one after a failure.
 *
 * The library's own reconnecting is off, since none of these can be left to it (each was reproduced with 6.3.1):
 * - bytes that are no reply are reported, but the connection goes on being used: questions hang for ever;
 * - its time-out concerns what has not been sent yet, so a silent server is waited for without end;
 * - a client that is destroyed while it connects becomes a connected one that nobody knows of;
 * - what Redis says of a refused command goes into the error, and may hold the password or the keys.
 */
export class RedisConnection {
  /** Loaded here and not above, since most sites have no Redis; and not in the time of the first question. */
  readonly #library = import('redis');
  readonly #server: RedisServer;
  readonly #timeout: number;
  #link: Link | undefined;
  #closed = false;

  /** @param timeout of one call with all that belongs to it, in milliseconds */
  constructor(server: RedisServer, timeout: number) {
    this.#server = server;
    this.#timeout = timeout;
  }

  /**
   * How many bytes the values of these keys have, in their order; 0 where there is none, or none that is a string.
   * Asked in one round trip.
   * @throws StoreError after `timeout` ms at the latest
   */
  lengths(keys: readonly string[]): Promise<number[]> {
    return this.#ask((link) => link.lengths(keys));
  }

  /**
   * The values of these keys, in their order; null where there is none, or none that is a string.
   * @throws StoreError after `timeout` ms at the latest
   */
  mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#ask((link) => link.mget(keys));
  }

  /**
   * How many milliseconds these keys have to live, in their order: -1 without an end, -2 where there is none.
   * Asked in one round trip.
   * @throws StoreError after `timeout` ms at the latest
   */
  lives(keys: readonly string[]): Promise<number[]> {
    return this.#ask((link) => link.lives(keys));
  }

  /**
   * Gives a key so many seconds to live, if it is there.
   * @throws StoreError after `timeout` ms at the latest
   */
  expire(key: string, seconds: number): Promise<void> {
    return this.#ask((link) => link.expire(key, seconds));
  }

  /**
   * What Redis is set up with; null when its user may not know that.
   * @throws StoreError after `timeout` ms at the latest
   */
  setting(name: string): Promise<string | null> {
    return this.#ask((link) => link.setting(name));
  }

  async #ask<T>(question: (link: Link) => Promise<T>): Promise<T> {
    const library = await this.#library;
    if (this.#closed) throw new StoreError('the store was closed');
    this.#link ??= this.#open(library);
    const link = this.#link;
    // Replies come in the order of the questions: if this one is late, so are all behind it.
    const answered = deadline(this.#timeout, () =>
      link.fail(new StoreError(`Redis did not answer within ${this.#timeout} ms`)),
    );
    try {
      return await question(link);
    } finally {
      answered();
    }
  }

  #open(library: Library): Link {
    const forget = () => {
      this.#link = undefined;
    };
    const client = createClient(library, this.#server, this.#timeout);
    return new Link(library, client, () => setTimeout(forget, reconnectAfter).unref());
  }

  close(): void {
    this.#closed = true;
    this.#link?.fail(new StoreError('the store was closed'));
  }
}
