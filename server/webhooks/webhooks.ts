import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Rounds } from '../changes/rounds.ts';
import type { EventType, History, StoredEvent, StoredMessage, Writes } from '../history/history.ts';
import type { Message } from '../wire/events.ts';
import { bodiesOf, type DueOf, userIn } from './bodies.ts';
import { Endpoint, type Posted } from './endpoint.ts';
import type { PresenceType } from './presence.ts';

/** Maximum events in flight. */
const slots = 32;
/** Maximum retries in flight while new events wait. Retries have these slots first, so that neither delays the other. */
const slotsRetries = 8;
/** Maximum queued events of `sendOnce`. */
const mostOnce = 1000;
/** Maximum events of `sendOnce` in flight, in addition to `slots`. */
const slotsOnce = 4;
/** If this server crashes, another server takes over its events after this time, in milliseconds. */
const claimTime = 20_000;
/** Results are batched for this time, in milliseconds, unless more events are due. Each batch costs a transaction. */
const settleAfter = 1000;
/** The interval for polling events that other servers left, in milliseconds. */
const lookEvery = 30_000;
/**
 * The delays before the second and each further attempt, in seconds. They are the example of Standard Webhooks 1.0, 75
 * hours in total.
 */
const pauses = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** The random part of a delay, so that not all events are retried at the same time. */
const jitter = 0.1;
/** Maximum delay that the site may ask for, in milliseconds. */
const longestPause = 60 * 60 * 1000;
/** Maximum stored events. */
const mostEvents = 100_000;
/** The interval for deleting events beyond `mostEvents`, in milliseconds. */
const trimEvery = 60_000;
/** The time for events in flight to finish at shutdown, in milliseconds. */
const longestStop = 2000;

type Outcome = 'sent' | 'failed' | 'given up' | 'gone';

const isTaken = ({ status = 0 }: Posted) => status >= 200 && status < 300;

/**
 * The ID of an event that was not accepted or must be sent later. `due` is the time of the next attempt; absent after
 * the last attempt.
 */
type Failed = Writes['claimEvents']['in']['failed'][number];

export interface WebhookOptions {
  url: URL;
  /** The signing keys. There are two while one replaces the other. */
  keys: readonly Uint8Array[];
  history: Pick<History, 'read' | 'write'>;
  messageOf: (message: StoredMessage) => Message;
  dueOf: DueOf;
  /** Called after each attempt. */
  onTry(event: { type: EventType | PresenceType }, outcome: Outcome): void;
  /** Called when the site did not accept a stored event. `reason` contains no text of the response. */
  onFailure(reason: string): void;
  /** Called when the history fails. */
  onHistoryFailure(reason: string): void;
  /** Called with the number of events that were deleted because more than `mostEvents` were stored. */
  onDropped(events: number): void;
  /** Called when the site responds with 410. Nothing more is sent until the next start. */
  onGone(): void;
}

/**
 * Sends events to the site in turn by account: see webhook-turns.ts. Sends each until it is accepted or no attempts are left. Any server may
 * send any event, so events of a crashed server are not lost.
 */
export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #endpoint: Endpoint;
  readonly #forOnce: Endpoint;
  readonly #rounds: Rounds;
  readonly #trimming: NodeJS.Timeout;
  readonly #underWay = new Map<string, Promise<void>>();
  /** The IDs of the retries in flight. */
  readonly #retries = new Set<string>();
  #sent: string[] = [];
  #failed: Failed[] = [];
  #settling: NodeJS.Timeout | undefined;
  #pausedUntil = 0;
  #isGone = false;
  /** The queued events of `sendOnce` by user. */
  readonly #waiting = new Map<string, { type: PresenceType; at: Date }>();
  #sendingOnce = 0;
  /** Whether more events were due than could be sent. */
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

  /** Checks for due events now. */
  wake(): void {
    this.#rounds.wake();
  }

  /**
   * Stops, and waits up to `longestStop` for the events in flight. Another server or the next start sends the others.
   */
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
    // If this fails, the events become due again after `claimTime`.
    await this.#claim(this.#sent, [...this.#failed, ...left], 0).catch(() => {});
  }

  /** The number of events that `sendOnce` can queue; 0 while nothing may be sent. */
  get roomForOnce(): number {
    return this.#isOff ? 0 : mostOnce - this.#waiting.size;
  }

  /**
   * Sends an event about a user once. It is lost if the site does not accept it, or if the next event about the user
   * comes before it is sent. A user who often comes and goes thus has one place in the queue, behind all others.
   */
  sendOnce(type: PresenceType, user: string): void {
    this.#waiting.delete(user);
    this.#waiting.set(user, { type, at: new Date() });
    if (this.#sendingOnce < slotsOnce) void this.#sendWaiting();
  }

  get #isOff(): boolean {
    return this.#isStopping || this.#isGone || Date.now() < this.#pausedUntil;
  }

  /** Sends the queued events of `sendOnce`. Never rejects. */
  async #sendWaiting(): Promise<void> {
    const { history, onTry } = this.#options;
    this.#sendingOnce++;
    while (!this.#isOff) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const [user, { type, at }] = next;
      this.#waiting.delete(user);
      // Other operations report failures of the history.
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

  /** Pauses or stops sending if the response asks for it. @returns the pause in milliseconds */
  #obey({ status, wait: asked = 0 }: Posted): number {
    if (status === 410 && !this.#isGone) {
      this.#isGone = true;
      this.#options.onGone();
    }
    const wait = Math.min(asked, longestPause);
    if (wait > 0) this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + wait);
    return wait;
  }

  /** Stores the results of sent events, and starts to send the next ones. @returns milliseconds until the next check */
  async #look(): Promise<number> {
    clearTimeout(this.#settling);
    this.#settling = undefined;
    const [sent, failed] = [this.#sent.splice(0), this.#failed.splice(0)];
    const paused = this.#pausedUntil - Date.now();
    const most = this.#isGone || paused > 0 ? 0 : slots - this.#underWay.size;
    if (sent.length + failed.length + most === 0) return paused > 0 ? paused : lookEvery;
    try {
      const { events, retries, next = Number.POSITIVE_INFINITY } = await this.#claim(sent, failed, most);
      this.#isBehind = events.length === most;
      if (events.length > 0) await this.#begin(events, new Set(retries));
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
    const mostRetries = Math.max(0, slotsRetries - this.#retries.size);
    return this.#options.history.write.claimEvents({
      ...{ sent, failed, at, most, mostRetries },
      until: at + claimTime,
    });
  }

  async #begin(events: readonly StoredEvent[], retries: ReadonlySet<string>): Promise<void> {
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
        this.#retries.delete(event.id);
        if (this.#isBehind) this.wake();
        else this.#settling ??= setTimeout(() => this.wake(), settleAfter).unref();
      });
      this.#underWay.set(event.id, sending);
      if (retries.has(event.id)) this.#retries.add(event.id);
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
