import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Rounds } from '../changes/rounds.ts';
import type { EventType, History, StoredEvent, StoredMessage, Writes } from '../history/history.ts';
import type { Message } from '../wire/events.ts';
import { bodiesOf, type DueOf, userIn } from './bodies.ts';
import { Endpoint, type Posted } from './endpoint.ts';
import type { PresenceType } from './presence.ts';

/** Events under way at once. */
const slots = 32;
/** Events that are not stored: so many wait, and so many are under way at once, beside the others. */
const mostOnce = 1000;
const slotsOnce = 4;
/** Milliseconds after which an event that a server has taken is due again: the server has ended meanwhile. */
const claimTime = 20_000;
/** Milliseconds for which outcomes are gathered while no more events wait: each time costs a transaction. */
const settleAfter = 1000;
/** Milliseconds between two looks for events that another server has left. */
const lookEvery = 30_000;
/** The pauses before the second and each further try, in seconds: the example of Standard Webhooks 1.0, 75 hours in all. */
const pauses = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** The part of a pause that is left to chance, so that not all events come back at once. */
const jitter = 0.1;
/** The longest pause that the site may ask for, in milliseconds. */
const longestPause = 60 * 60 * 1000;
/** Events that are kept, and milliseconds between two looks whether there are more. */
const mostEvents = 100_000;
const trimEvery = 60_000;
/** Milliseconds that events under way have at the end. */
const longestStop = 2000;

type Outcome = 'sent' | 'failed' | 'given up' | 'gone';

const isTaken = ({ status = 0 }: Posted) => status >= 200 && status < 300;

/** An event that was not taken, or waits for its time: when it is to be tried again, if it is. */
type Failed = Writes['claimEvents']['in']['failed'][number];

export interface WebhookOptions {
  url: URL;
  /** The bytes of each key that signs: two while one replaces the other. */
  keys: readonly Uint8Array[];
  history: Pick<History, 'read' | 'write'>;
  messageOf: (message: StoredMessage) => Message;
  dueOf: DueOf;
  /** Called after each try. */
  onTry(event: { type: EventType | PresenceType }, outcome: Outcome): void;
  /** Called when the site has not taken an event. `reason` repeats nothing of an answer. */
  onFailure(reason: string): void;
  /** Called when the history has failed. */
  onHistoryFailure(reason: string): void;
  /** Called when so many events were deleted because too many wait. */
  onDropped(events: number): void;
  /** Called when the site has answered 410: nothing more is sent until the next start. */
  onGone(): void;
}

/**
 * Sends events to the site, each until it is taken, without an order among them. Any server may send any event; those of
 * a server that ends are sent by another.
 */
export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #endpoint: Endpoint;
  readonly #forOnce: Endpoint;
  readonly #rounds: Rounds;
  readonly #trimming: NodeJS.Timeout;
  readonly #underWay = new Map<string, Promise<void>>();
  #sent: string[] = [];
  #failed: Failed[] = [];
  #settling: NodeJS.Timeout | undefined;
  #pausedUntil = 0;
  #isGone = false;
  readonly #waiting: { type: PresenceType; user: string; at: Date }[] = [];
  #sendingOnce = 0;
  /** More events were due than could begin. */
  #isBehind = false;
  #isStopping = false;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#endpoint = new Endpoint(options.url, options.keys, slots);
    this.#forOnce = new Endpoint(options.url, options.keys, slotsOnce);
    this.#rounds = new Rounds(
      () => this.#look(),
      ({ message }) => options.onHistoryFailure(message),
    );
    this.#trimming = setInterval(() => void this.#trim(), trimEvery).unref();
  }

  /** There are events to send. */
  wake(): void {
    this.#rounds.wake();
  }

  /** Waits for the events under way, and leaves the others to the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#trimming);
    clearTimeout(this.#settling);
    await this.#rounds.stop();
    const ended = Promise.allSettled(this.#underWay.values());
    await Promise.race([ended, pause(longestStop, undefined, { ref: false })]);
    this.#endpoint.close();
    this.#forOnce.close();
    const left = [...this.#underWay.keys()].map((id) => ({ id, due: Date.now() }));
    // If the history fails, these events are due again by themselves.
    await this.#claim(this.#sent, [...this.#failed, ...left], 0).catch(() => {});
  }

  /** How many more events can be sent once: none while the site wants none. */
  get roomForOnce(): number {
    return this.#isOff ? 0 : mostOnce - this.#waiting.length;
  }

  /** Sends an event about a user, once: if the site does not take it, it is lost. */
  sendOnce(type: PresenceType, user: string): void {
    this.#waiting.push({ type, user, at: new Date() });
    if (this.#sendingOnce < slotsOnce) void this.#sendWaiting();
  }

  get #isOff(): boolean {
    return this.#isStopping || this.#isGone || Date.now() < this.#pausedUntil;
  }

  /** Never rejects. */
  async #sendWaiting(): Promise<void> {
    const { history, onTry } = this.#options;
    this.#sendingOnce++;
    while (!this.#isOff) {
      const event = this.#waiting.shift();
      if (event === undefined) break;
      const { type, user, at } = event;
      // If the history fails, others report it.
      const known = await history.read.unerased({ user }).catch(() => null);
      if (known === null) continue;
      const body = JSON.stringify({
        type,
        timestamp: at.toISOString(),
        data: { user: userIn(user, known.name) },
      });
      const posted = await this.#forOnce.post(randomUUID(), body);
      this.#obey(posted);
      onTry({ type }, isTaken(posted) ? 'sent' : 'failed');
    }
    this.#sendingOnce--;
  }

  /** Nothing more is sent for as long as the site says. @returns how many milliseconds that is */
  #obey({ status, wait: asked = 0 }: Posted): number {
    if (status === 410 && !this.#isGone) {
      this.#isGone = true;
      this.#options.onGone();
    }
    const wait = Math.min(asked, longestPause);
    if (wait > 0) this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + wait);
    return wait;
  }

  /** Settles the events that are done, and begins the next ones. @returns milliseconds until there may be more */
  async #look(): Promise<number> {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const [sent, failed] = [this.#sent.splice(0), this.#failed.splice(0)];
    const paused = this.#pausedUntil - Date.now();
    const most = this.#isGone || paused > 0 ? 0 : slots - this.#underWay.size;
    if (sent.length + failed.length + most === 0) return paused > 0 ? paused : lookEvery;
    try {
      const { events, next = Number.POSITIVE_INFINITY } = await this.#claim(sent, failed, most);
      this.#isBehind = events.length === most;
      if (events.length > 0) await this.#begin(events);
      if (paused > 0) return paused;
      return this.#isBehind ? lookEvery : Math.min(lookEvery, next - Date.now());
    } catch (error) {
      this.#sent.push(...sent);
      this.#failed.push(...failed);
      throw error;
    }
  }

  #claim(sent: readonly string[], failed: readonly Failed[], most: number) {
    const at = Date.now();
    return this.#options.history.write.claimEvents({ sent, failed, at, until: at + claimTime, most });
  }

  async #begin(events: readonly StoredEvent[]): Promise<void> {
    const { history, messageOf, dueOf } = this.#options;
    const bodies = await bodiesOf(events, history, messageOf, dueOf);
    for (const [n, event] of events.entries()) {
      const body = bodies[n] ?? null;
      if (typeof body !== 'string') {
        if (body === null) this.#sent.push(event.id);
        else this.#failed.push({ id: event.id, due: body });
        this.#settling ??= setTimeout(() => this.wake(), settleAfter).unref();
        continue;
      }
      const sending = this.#send(event, body).finally(() => {
        this.#underWay.delete(event.id);
        if (this.#isBehind) this.wake();
        else this.#settling ??= setTimeout(() => this.wake(), settleAfter).unref();
      });
      this.#underWay.set(event.id, sending);
    }
  }

  async #send(event: StoredEvent, body: string): Promise<void> {
    const { onTry, onFailure } = this.#options;
    const posted = await this.#endpoint.post(event.id, body);
    const { status, reason } = posted;
    if (isTaken(posted)) {
      this.#sent.push(event.id);
      return onTry(event, 'sent');
    }
    onFailure(reason);
    const wait = this.#obey(posted);
    const later = pauses[event.tries - 1];
    if (later === undefined) this.#failed.push({ id: event.id });
    else {
      const spread = 1 + jitter * (2 * Math.random() - 1);
      const inMs = Math.round(Math.max(wait, later * 1000 * spread));
      this.#failed.push({ id: event.id, due: Date.now() + inMs });
    }
    onTry(event, status === 410 ? 'gone' : later === undefined ? 'given up' : 'failed');
  }

  async #trim(): Promise<void> {
    try {
      const { dropped } = await this.#options.history.write.dropEvents({ most: mostEvents });
      if (dropped > 0) this.#options.onDropped(dropped);
    } catch (error) {
      this.#options.onHistoryFailure((error as Error).message);
    }
  }
}
