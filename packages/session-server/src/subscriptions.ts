/** An event of a session, for the clients that subscribe to it with `watch`. */
export type SessionEvent =
  | { kind: 'changed'; revision: number }
  // Subscribers must not learn the new ID of a regenerated session.
  | { kind: 'destroyed' | 'expired' | 'regenerated' };

export interface Subscriber {
  notify(id: string, event: SessionEvent): void;
}

interface Topic {
  subscribers: Set<Subscriber>;
  /** When the session expires; so its subscribers are notified at once, and not at the next collection. */
  expiresAt: number;
}

/** The subscriptions of all connections to sessions, up to a limit in all. */
export class Subscriptions {
  readonly #limit: number;
  readonly #topics = new Map<string, Topic>();
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false if the limit is reached */
  add(id: string, subscriber: Subscriber): boolean {
    const topic = this.#topics.get(id) ?? { subscribers: new Set(), expiresAt: Number.POSITIVE_INFINITY };
    if (topic.subscribers.has(subscriber)) return true;
    if (this.#count >= this.#limit) return false;
    this.#count++;
    topic.subscribers.add(subscriber);
    this.#topics.set(id, topic);
    return true;
  }

  remove(id: string, subscriber: Subscriber): void {
    const topic = this.#topics.get(id);
    if (topic === undefined || !topic.subscribers.delete(subscriber)) return;
    this.#count--;
    if (topic.subscribers.size === 0) this.#topics.delete(id);
  }

  publish(id: string, event: SessionEvent): void {
    const topic = this.#topics.get(id);
    if (topic === undefined) return;
    if (event.kind !== 'changed') topic.expiresAt = Number.POSITIVE_INFINITY;
    for (const subscriber of topic.subscribers) subscriber.notify(id, event);
  }

  /** Call this whenever a session gets a new time at which it expires. */
  setExpiry(id: string, expiresAt: number): void {
    const topic = this.#topics.get(id);
    if (topic !== undefined) topic.expiresAt = expiresAt;
  }

  /** Call this if a session is not in the container: its subscribers are notified if nobody has done so yet. */
  missing(id: string): void {
    const expiresAt = this.#topics.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY;
    if (expiresAt !== Number.POSITIVE_INFINITY) this.publish(id, { kind: 'expired' });
  }

  /** The IDs of the sessions with subscribers that have expired by then. */
  expired(now: number): string[] {
    const expired: string[] = [];
    for (const [id, { expiresAt }] of this.#topics) if (expiresAt <= now) expired.push(id);
    return expired;
  }
}

interface Subscription {
  /** The last state that the client was sent: a revision, or null for no session. */
  sent: number | null;
  /** The events since the subscription began, until the reply to `watch` is written; then null. */
  held: SessionEvent[] | null;
}

/** The subscriptions of one connection. They send events, but none before the reply to its `watch`. */
export class ClientSubscriptions implements Subscriber {
  readonly #all: Subscriptions;
  readonly #push: (event: string) => void;
  readonly #byId = new Map<string, Subscription>();
  /** The one whose reply is not written yet. There is one at most: a connection's commands run one after the other. */
  #unanswered: { id: string; subscription: Subscription } | null = null;

  /** @param push sends an event to the client */
  constructor(all: Subscriptions, push: (event: string) => void) {
    this.#all = all;
    this.#push = push;
  }

  get any(): boolean {
    return this.#byId.size > 0;
  }

  /**
   * Subscribes to a session. From here on no event of it is missed.
   * @param read reads the current state of the session
   * @returns its revision; null if there is no session; undefined if there are too many subscriptions
   */
  async subscribe(
    id: string,
    read: () => Promise<{ revision: number } | null>,
  ): Promise<number | null | undefined> {
    if (!this.#all.add(id, this)) return undefined;
    const before = this.#byId.get(id);
    const subscription: Subscription = { sent: null, held: [] };
    this.#byId.set(id, subscription);
    try {
      subscription.sent = (await read())?.revision ?? null;
    } catch (error) {
      if (before === undefined) this.unsubscribe(id);
      else {
        // The old subscription continues after this reply.
        before.held = subscription.held;
        this.#byId.set(id, before);
        this.#unanswered = { id, subscription: before };
      }
      throw error;
    }
    this.#unanswered = { id, subscription };
    return subscription.sent;
  }

  unsubscribe(id: string): void {
    this.#byId.delete(id);
    this.#all.remove(id, this);
  }

  /** Call this when a reply has been written: the events that waited for it follow. */
  replied(): void {
    if (this.#unanswered === null) return;
    const { id, subscription } = this.#unanswered;
    this.#unanswered = null;
    const { held } = subscription;
    subscription.held = null;
    for (const event of held ?? []) this.#send(id, subscription, event);
  }

  notify(id: string, event: SessionEvent): void {
    const subscription = this.#byId.get(id);
    if (subscription === undefined) return;
    if (subscription.held !== null) subscription.held.push(event);
    else this.#send(id, subscription, event);
  }

  /** Ends all of them. */
  clear(): void {
    for (const id of this.#byId.keys()) this.#all.remove(id, this);
    this.#byId.clear();
  }

  #send(id: string, subscription: Subscription, event: SessionEvent): void {
    if (event.kind !== 'changed') {
      // The state was read after this event.
      if (subscription.sent === null) return;
      subscription.sent = null;
      this.#push(`event ${event.kind} ${id}`);
    } else if (subscription.sent === null || event.revision > subscription.sent) {
      subscription.sent = event.revision;
      this.#push(`event changed ${id} ${event.revision}`);
    }
  }
}
