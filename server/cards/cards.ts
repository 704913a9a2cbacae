import { createHash, randomUUID } from 'node:crypto';
import { FairQueue } from '../limits/fair-queue.ts';
import { Endpoint, maxAnswerBytes, type Posted } from '../webhooks/endpoint.ts';
import { RequestError } from '../wire/errors.ts';
import type { Card, CardReader } from '../wire/events.ts';
import { readCard, readCards, UnusableAnswer } from './answer.ts';

/** Maximum requests to the site in flight. */
const maxInFlight = 16;
/** Maximum requests of one user in flight, so that a user with many cards does not delay other users. */
const maxInFlightOfUser = 2;
/** With more requests in flight, each user has one. Slow users never have more in flight together. */
const half = maxInFlight / 2;
/** Users and references whose request got no answer count as slow for this time, in ms. */
const slowMs = 60_000;
/** Maximum requests in flight while the site may be down. */
const maxProbes = 2;
/** Maximum queued requests. Beyond it, the user with the most requests loses the newest one. */
const maxWaiting = 500;
/** How long a request waits for its turn, in ms. With the longest CHAT_CARDS_TIMEOUT, clients get an answer in time. */
const maxWaitMs = 2000;
/** How long a card is reused, in ms, such as for several messages on the screen, or for all tabs of a user. */
const freshMs = 10_000;
/** How long the result of a button is kept for repeats, in ms. */
const pressedMs = 60_000;
/** Maximum kept cards, and maximum kept results. */
const maxKept = 1000;
/**
 * After this number of failed requests in a row, all requests fail for `pauseMs` without asking the site. If they got
 * no answer, users and references that are not slow may still ask, because the site may hang on few references only.
 */
const maxFailures = 5;
const pauseMs = 10_000;

interface Task {
  run(): void;
  fail(error: RequestError): void;
}

export interface CardOptions {
  /** CHAT_CARDS_URL. */
  url: URL;
  keys: readonly Uint8Array[];
  timeoutMs: number;
  /** Called if the site does not answer, or with an answer that cannot be used. `reason` has no text of the answer. */
  onFailure(reason: string): void;
}

/**
 * Asks the site for cards. The site answers for one user, so a card is only reused for the same user. All of it is in
 * memory only.
 */
export class SiteCards {
  readonly #options: CardOptions;
  readonly #endpoint: Endpoint;
  readonly #waiting = new FairQueue<Task>();
  readonly #inFlight = new Map<string, number>();
  #total = 0;
  readonly #fresh = new Kept<Card | undefined>(freshMs);
  readonly #pressed = new Kept<Card | undefined>(pressedMs);
  #failures = 0;
  #pausedUntil = 0;
  #timeouts = 0;
  #suspectUntil = 0;
  /** Slow users and references, with the timers that end this. */
  readonly #slow = new Map<string, NodeJS.Timeout>();

  constructor(options: CardOptions) {
    this.#options = options;
    this.#endpoint = new Endpoint(options.url, options.keys, maxInFlight, options.timeoutMs);
  }

  /**
   * Returns the card for this user, or undefined if the site shows this user none.
   * @throws RequestError `site_unavailable`
   */
  get(user: CardReader, about: string): Promise<Card | undefined> {
    return this.#fresh.get(keyOf(user, about), () =>
      this.#ask(user, 'card.get', { about }, randomUUID(), (body) => this.#cardIn(body, about)),
    );
  }

  /** Returns the cards that the site suggests. @throws RequestError `site_unavailable` */
  find(user: CardReader, search: { about?: string; query: string }): Promise<Card[]> {
    const { url, onFailure } = this.#options;
    return this.#ask(user, 'card.find', search, randomUUID(), (body) => readCards(body, url, onFailure));
  }

  /**
   * Runs a button, and returns the card that replaces the old one. All servers send the same ID for the same `key`, so
   * that the site can recognise a repeat.
   * @param key identifies the click, among all clicks of all users
   * @throws RequestError `site_unavailable`; the button may have run
   */
  press(user: CardReader, about: string, button: string, key: string): Promise<Card | undefined> {
    const id = `press_${createHash('sha256').update(key).digest('hex')}`;
    return this.#pressed.get(id, () => {
      const asked = this.#ask(user, 'card.press', { about, button }, id, (body) => this.#cardIn(body, about));
      // A button may have run even if the request fails.
      return asked.finally(() => this.forget(about));
    });
  }

  /** Forgets this card of all users, because it may have changed. */
  forget(about: string): void {
    this.#fresh.forget((kept) => kept.endsWith(`\n${about}`));
  }

  /** Aborts all requests. */
  close(): void {
    this.#pausedUntil = Number.POSITIVE_INFINITY;
    this.#failWaiting();
    this.#endpoint.close();
  }

  #cardIn(body: string, about: string): Card | undefined {
    return readCard(body, about, this.#options.url, this.#options.onFailure);
  }

  /** Sends a request when it is the user's turn. */
  #ask<T>(
    user: CardReader,
    type: string,
    data: { about?: string; query?: string; button?: string },
    id: string,
    read: (body: string) => T,
  ): Promise<T> {
    const of = [userKey(user.id), ...(data.about === undefined ? [] : [aboutKey(data.about)])];
    const isSlow = this.#isSuspect && of.some((key) => this.#slow.has(key));
    if (isSlow || performance.now() < this.#pausedUntil) return Promise.reject(unavailable(paused));
    const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data: { user, ...data } });
    return new Promise((resolve, reject) => {
      const task: Task = {
        run: () => {
          clearTimeout(late);
          this.#send(user.id, of, id, body, read).then(resolve, reject);
        },
        fail(error) {
          clearTimeout(late);
          reject(error);
        },
      };
      const late = setTimeout(() => {
        if (this.#waiting.remove(user.id, task)) reject(unavailable(busy));
      }, maxWaitMs).unref();
      this.#waiting.add(user.id, task);
      if (this.#waiting.size > maxWaiting) this.#waiting.dropLast()?.fail(unavailable(busy));
      this.#startNext();
    });
  }

  #startNext(): void {
    while (this.#total < maxInFlight) {
      const next = this.#waiting.next((user) => this.#mayStart(user));
      if (next === undefined) break;
      next.run();
    }
  }

  get #isSuspect(): boolean {
    return performance.now() < this.#suspectUntil;
  }

  #mayStart(user: string): boolean {
    const isSlow = this.#slow.has(userKey(user));
    let slow = 0;
    for (const [other, requests] of this.#inFlight) if (this.#slow.has(userKey(other))) slow += requests;
    if (this.#isSuspect) return !isSlow && this.#total - slow < maxProbes;
    if (isSlow && slow >= half) return false;
    return (this.#inFlight.get(user) ?? 0) < (this.#total < half ? maxInFlightOfUser : 1);
  }

  #markSlow(key: string): void {
    clearTimeout(this.#slow.get(key));
    this.#slow.set(key, setTimeout(() => this.#slow.delete(key), slowMs).unref());
  }

  async #send<T>(
    user: string,
    of: readonly string[],
    id: string,
    body: string,
    read: (body: string) => T,
  ): Promise<T> {
    const startedAt = performance.now();
    this.#total++;
    this.#inFlight.set(user, (this.#inFlight.get(user) ?? 0) + 1);
    const posted = await this.#endpoint.post(id, body);
    this.#total--;
    const left = (this.#inFlight.get(user) ?? 1) - 1;
    if (left === 0) this.#inFlight.delete(user);
    else this.#inFlight.set(user, left);
    const tookMs = performance.now() - startedAt;
    this.#waiting.count(user, tookMs);
    const hasTimedOut = posted.status === undefined && tookMs >= this.#options.timeoutMs - 1;
    if (hasTimedOut) {
      for (const key of of) this.#markSlow(key);
      if (++this.#timeouts >= maxFailures) {
        this.#timeouts = 0;
        this.#suspectUntil = performance.now() + pauseMs;
        this.#failWaiting();
      }
    } else this.#timeouts = 0;
    try {
      return this.#result(posted, hasTimedOut, read);
    } finally {
      this.#startNext();
    }
  }

  #result<T>({ status = 0, wait, reason, body }: Posted, hasTimedOut: boolean, read: (body: string) => T): T {
    const { onFailure, timeoutMs } = this.#options;
    // The site may fail on a single reference. Its author must not turn off all other cards.
    const hasAnswered = status >= 200 && status <= 500 && status !== 429;
    if (hasAnswered) this.#suspectUntil = 0;
    if (!hasTimedOut) this.#failures = hasAnswered ? 0 : this.#failures + 1;
    if (wait !== undefined || this.#failures >= maxFailures) {
      this.#failures = 0;
      this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + Math.min(wait ?? pauseMs, pauseMs));
      this.#failWaiting();
    }
    if (status !== 200) {
      onFailure(reason);
      throw unavailable(
        status === 0 ? `the site did not answer within ${timeoutMs / 1000} s (CHAT_CARDS_TIMEOUT)` : unusable,
      );
    }
    if (body === undefined) {
      onFailure(`the answer is cut off, or larger than ${maxAnswerBytes / 1024} KB`);
      throw unavailable(`the site's answer is cut off, or larger than ${maxAnswerBytes / 1024} KB`);
    }
    try {
      return read(body);
    } catch (error) {
      if (!(error instanceof UnusableAnswer)) throw error;
      onFailure(error.message);
      throw unavailable(unusable);
    }
  }

  #failWaiting(): void {
    for (let task = this.#waiting.next(); task !== undefined; task = this.#waiting.next())
      task.fail(unavailable(paused));
  }
}

const unusable = 'the answer of the site cannot be used';
const paused = 'the site did not answer: the next attempt is in some seconds';
const busy = `too many cards: ${maxInFlight} are requested at once, ${maxInFlightOfUser} of them for one user`;
const unavailable = (reason: string) => new RequestError('site_unavailable', reason);

const userKey = (id: string) => `user ${id}`;
const aboutKey = (about: string) => `about ${about}`;

/** References have no line feed. */
const keyOf = (reader: CardReader, about: string) => `${JSON.stringify(reader)}\n${about}`;

/**
 * Results of requests. They are forgotten after some time, because cards may be private. Callers of a running request
 * share its result. Failures are not kept.
 */
class Kept<Value> {
  readonly #forMs: number;
  readonly #results = new Map<string, Promise<Value>>();

  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  get(key: string, request: () => Promise<Value>): Promise<Value> {
    const kept = this.#results.get(key);
    if (kept !== undefined) return kept;
    const result = request();
    this.#put(key, result);
    result.catch(() => this.#drop(key, result));
    return result;
  }

  forget(matches: (key: string) => boolean): void {
    for (const key of this.#results.keys()) if (matches(key)) this.#results.delete(key);
  }

  #put(key: string, result: Promise<Value>): void {
    this.#results.delete(key);
    this.#results.set(key, result);
    setTimeout(() => this.#drop(key, result), this.#forMs).unref();
    for (const oldest of this.#results.keys()) {
      if (this.#results.size <= maxKept) break;
      this.#results.delete(oldest);
    }
  }

  #drop(key: string, result: Promise<Value>): void {
    if (this.#results.get(key) === result) this.#results.delete(key);
  }
}
