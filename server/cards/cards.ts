import { createHash, randomUUID } from 'node:crypto';
import { FairQueue } from '../limits/fair-queue.ts';
import { Endpoint, maxAnswerBytes, type Posted } from '../webhooks/endpoint.ts';
import { RequestError } from '../wire/errors.ts';
import type { Card, CardReader, CardReference } from '../wire/events.ts';
import { readCard, readCards, UnusableAnswer } from './answer.ts';

/** Maximum requests to the site in flight. */
const maxInFlight = 16;
/** Maximum requests of one user in flight, so that a user with many cards does not delay other users. */
const maxInFlightOfUser = 2;
/**
 * With more requests in flight, each user has one. Requests for one reference, for references of one author, and slow
 * requests never have more in flight together. Of the slow ones, a reference and an author have half.
 */
const half = maxInFlight / 2;
/** What a failed request is blamed on counts as slow for this time, in ms. */
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
 * After this number of failed requests in a row, or one for which the site asks to wait, slow requests fail for
 * `pauseMs` without asking the site. Others may still ask, because the site may fail on the references of one author
 * only.
 */
const maxFailures = 5;
const pauseMs = 10_000;

interface Task {
  user: string;
  blame: Blame;
  run(): void;
  fail(error: RequestError): void;
}

/**
 * Who and what is slow if the site fails: for a card that a user only looks at, the reference and the author who chose
 * it; otherwise the user.
 */
interface Blame {
  user: string;
  keys: readonly string[];
}

/** A request to the site. */
interface Request<T> {
  user: CardReader;
  blame: Blame;
  type: 'card.get' | 'card.find' | 'card.press';
  data: { about?: string; query?: string; button?: string };
  id: string;
  /** Returns an answer that came while the request waited, so that it is not sent. */
  known?: () => Promise<T> | undefined;
  /** Reads the answer. @param changes the value of `#changes` when the request was sent */
  read: (body: string, changes: number) => T;
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
 * Asks the site for cards. The site answers for one user, so a card is only reused for the same user, unless the site
 * says that all readers get it. All of it is in memory only.
 */
export class SiteCards {
  readonly #options: CardOptions;
  readonly #endpoint: Endpoint;
  readonly #waiting = new FairQueue<Task>();
  readonly #inFlight = new Set<Task>();
  readonly #fresh = new Kept<Card | undefined>(freshMs);
  readonly #shared = new Kept<Card>(freshMs);
  /** Increases when a card may have changed, so that no older answer is shared. */
  #changes = 0;
  readonly #pressed = new Kept<Card | undefined>(pressedMs);
  #failures = 0;
  #isClosed = false;
  #suspectUntil = 0;
  /** Slow keys of `Blame`, with the timers that end this. */
  readonly #slow = new Map<string, NodeJS.Timeout>();

  constructor(options: CardOptions) {
    this.#options = options;
    this.#endpoint = new Endpoint(options.url, options.keys, maxInFlight, options.timeoutMs);
  }

  /**
   * Returns the card for this user, or undefined if the site shows this user none.
   * @throws RequestError `site_unavailable`
   */
  get(user: CardReader, { about, author }: CardReference): Promise<Card | undefined> {
    const sharedKey = sharedKeyOf(user, about);
    const shared = this.#shared.peek(sharedKey);
    if (shared !== undefined) return shared;
    return this.#fresh.get(keyOf(user, about), () =>
      this.#ask({
        ...{ user, type: 'card.get', data: { about }, id: randomUUID() },
        blame: { user: author, keys: [`about ${about}`, `author ${author}`] },
        known: () => this.#shared.peek(sharedKey),
        read: (body, changes) => {
          const { card, isShared } = this.#cardIn(body, about);
          if (card !== undefined && isShared && changes === this.#changes)
            void this.#shared.get(sharedKey, async () => card);
          return card;
        },
      }),
    );
  }

  /** Returns the cards that the site suggests. @throws RequestError `site_unavailable` */
  find(user: CardReader, search: { about?: string; query: string }): Promise<Card[]> {
    const { url, onFailure } = this.#options;
    return this.#ask({
      ...{ user, type: 'card.find', data: search, id: randomUUID() },
      blame: blameOf(user),
      read: (body) => readCards(body, url, onFailure),
    });
  }

  /**
   * Runs a button, and returns the card that replaces the old one. All servers send the same ID for the same `key`, so
   * that the site can recognise a repeat.
   * @param click.key identifies the click, among all clicks of all users
   * @throws RequestError `site_unavailable`; the button may have run
   */
  press(
    user: CardReader,
    reference: CardReference,
    { button, key, onRun }: { button: string; key: string; onRun: () => void },
  ): Promise<Card | undefined> {
    const { about } = reference;
    const id = `press_${createHash('sha256').update(key).digest('hex')}`;
    return this.#pressed.get(id, async () => {
      const shown = await this.#withButton(user, reference, button);
      if (!hasButton(shown, button)) return shown;
      try {
        return await this.#ask({
          ...{ user, type: 'card.press', data: { about, button }, id },
          blame: blameOf(user),
          read: (body) => {
            onRun();
            return this.#cardIn(body, about).card;
          },
        });
      } finally {
        // A button may have run even if the request fails.
        this.forget(about);
      }
    });
  }

  /** Forgets this card of all users, because it may have changed. */
  forget(about: string): void {
    this.#changes++;
    for (const cards of [this.#fresh, this.#shared]) cards.forget((kept) => kept.endsWith(`\n${about}`));
  }

  /** Aborts all requests. */
  close(): void {
    this.#isClosed = true;
    this.#failWaiting();
    this.#endpoint.close();
  }

  /** Returns the user's card. If it lacks the button, it may be older than the card that the user saw. */
  async #withButton(user: CardReader, reference: CardReference, button: string): Promise<Card | undefined> {
    const card = await this.get(user, reference);
    if (hasButton(card, button)) return card;
    this.#fresh.forget((kept) => kept === keyOf(user, reference.about));
    this.#shared.forget((kept) => kept === sharedKeyOf(user, reference.about));
    return this.get(user, reference);
  }

  #cardIn(body: string, about: string): ReturnType<typeof readCard> {
    return readCard(body, about, this.#options.url, this.#options.onFailure);
  }

  /** Sends a request when it is the user's turn. */
  #ask<T>(request: Request<T>): Promise<T> {
    const { user, blame, known = () => undefined } = request;
    if (this.#isClosed || (this.#isSuspect && this.#isSlow({ blame })))
      return Promise.reject(unavailable(paused));
    return new Promise((resolve, reject) => {
      const task: Task = {
        user: user.id,
        blame,
        run: () => {
          clearTimeout(late);
          const answer = known();
          if (answer !== undefined) resolve(answer);
          else this.#send(task, request).then(resolve, reject);
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
    while (this.#inFlight.size < maxInFlight) {
      const next = this.#waiting.next((_, task) => this.#mayStart(task));
      if (next === undefined) break;
      next.run();
    }
  }

  get #isSuspect(): boolean {
    return performance.now() < this.#suspectUntil;
  }

  #isSlow({ blame }: Pick<Task, 'blame'>): boolean {
    return blame.keys.some((key) => this.#slow.has(key));
  }

  #mayStart(task: Task): boolean {
    const inFlight = [...this.#inFlight];
    const slow = inFlight.filter((other) => this.#isSlow(other));
    const isSlow = this.#isSlow(task);
    if (this.#isSuspect) return !isSlow && inFlight.length - slow.length < maxProbes;
    // A user who looks at slow cards also gets others.
    const ofUser = inFlight.filter((other) => other.user === task.user && this.#isSlow(other) === isSlow);
    if (ofUser.length >= (inFlight.length < half ? maxInFlightOfUser : 1)) return false;
    if (isSlow && slow.length >= half) return false;
    const most = isSlow ? half / 2 : half;
    return task.blame.keys.every(
      (key) => inFlight.filter(({ blame }) => blame.keys.includes(key)).length < most,
    );
  }

  #markSlow(key: string): void {
    clearTimeout(this.#slow.get(key));
    this.#slow.set(key, setTimeout(() => this.#slow.delete(key), slowMs).unref());
  }

  async #send<T>(task: Task, { user, type, data, id, read }: Request<T>): Promise<T> {
    const changes = this.#changes;
    const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data: { user, ...data } });
    const startedAt = performance.now();
    this.#inFlight.add(task);
    const posted = await this.#endpoint.post(id, body);
    this.#inFlight.delete(task);
    const tookMs = performance.now() - startedAt;
    const hasTimedOut = posted.status === undefined && tookMs >= this.#options.timeoutMs - 1;
    this.#waiting.count(hasTimedOut ? task.blame.user : task.user, tookMs);
    this.#watch(task, posted);
    try {
      return this.#result(posted, (answer) => read(answer, changes));
    } finally {
      this.#startNext();
    }
  }

  /** Asks the site less if it fails. */
  #watch({ blame }: Task, { status = 0, wait }: Posted): void {
    // The site may fail on a single reference. Its author must not turn off all other cards.
    const hasAnswered = status >= 200 && status <= 500 && status !== 429;
    if (hasAnswered) this.#failures = this.#suspectUntil = 0;
    else {
      for (const key of blame.keys) this.#markSlow(key);
      if (++this.#failures >= maxFailures || wait !== undefined) {
        this.#failures = 0;
        this.#suspectUntil = performance.now() + pauseMs;
        this.#failWaiting((task) => this.#isSlow(task));
      }
    }
  }

  #result<T>({ status = 0, reason, body }: Posted, read: (body: string) => T): T {
    const { onFailure, timeoutMs } = this.#options;
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

  #failWaiting(isFailing?: (task: Task) => boolean): void {
    for (const task of this.#waiting.dropAll(isFailing)) task.fail(unavailable(paused));
  }
}

const unusable = 'the answer of the site cannot be used';
const paused = 'the site did not answer: the next attempt is in some seconds';
const busy = `too many cards: ${maxInFlight} are requested at once, ${maxInFlightOfUser} of them for one user`;
const unavailable = (reason: string) => new RequestError('site_unavailable', reason);

const blameOf = ({ id }: CardReader): Blame => ({ user: id, keys: [`user ${id}`] });

const hasButton = (card: Card | undefined, button: string): boolean =>
  card?.buttons?.some(({ id }) => id === button) ?? false;

/** References have no line feed. */
const sharedKeyOf = ({ lang = '' }: CardReader, about: string) => `${lang}\n${about}`;
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

  peek(key: string): Promise<Value> | undefined {
    return this.#results.get(key);
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
