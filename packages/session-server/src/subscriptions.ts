/** An event for the clients that subscribe to a session with `watch`. */
type SessionEvent =
  | { kind: 'changed'; revision: number }
  // The new ID is secret, so it is not published.
  | { kind: 'destroyed' | 'expired' | 'regenerated' };

export interface Subscriber {
  notify(id: string, event: SessionEvent): void;
}

interface Topic {
  subscribers: Set<Subscriber>;
  /** Lets `collectSubscribed` find an expired session before the next full collection. */
  expiresAt: number;
}

export class Subscriptions {
  readonly #maxSubscriptions: number;
  readonly #topics = new Map<string, Topic>();
  #count = 0;

  constructor(maxSubscriptions: number) {
    this.#maxSubscriptions = maxSubscriptions;
  }

  /** Adds a subscriber to a session. @returns false if the limit is reached */
  add(id: string, subscriber: Subscriber): boolean {
    const topic = this.#topics.get(id) ?? { subscribers: new Set(), expiresAt: Number.POSITIVE_INFINITY };
    if (topic.subscribers.has(subscriber)) return true;
    if (this.#count >= this.#maxSubscriptions) return false;
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

  setExpiry(id: string, expiresAt: number): void {
    const topic = this.#topics.get(id);
    if (topic !== undefined) topic.expiresAt = expiresAt;
  }

  /** Publishes the expiry of a session that is not in the container, unless its end was published. */
  publishMissing(id: string): void {
    const expiresAt = this.#topics.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY;
    if (expiresAt !== Number.POSITIVE_INFINITY) this.publish(id, { kind: 'expired' });
  }

  /** Returns the IDs of expired sessions with subscriptions. */
  expiredIds(now: number): string[] {
    return [...this.#topics].filter(([, { expiresAt }]) => expiresAt <= now).map(([id]) => id);
  }
}

interface Subscription {
  /** The last revision sent to the client. Null if the client knows that the session does not exist. */
  sentRevision: number | null;
  /** The events that wait for the reply to `watch`. Null after the reply. */
  queued: SessionEvent[] | null;
}

/** The subscriptions of one connection. Events follow the reply to their `watch`. */
export class ClientSubscriptions implements Subscriber {
  readonly #all: Subscriptions;
  readonly #push: (event: string) => void;
  readonly #subscriptionById = new Map<string, Subscription>();
  /** The subscription without a reply. There is at most one, because a connection runs one command at a time. */
  #unanswered: { id: string; subscription: Subscription } | null = null;

  /** @param push sends an event to the client */
  constructor(all: Subscriptions, push: (event: string) => void) {
    this.#all = all;
    this.#push = push;
  }

  get hasAny(): boolean {
    return this.#subscriptionById.size > 0;
  }

  /**
   * Subscribes to a session.
   * @param read reads the session. It is called after the subscription, so that no event is missed.
   * @returns the revision, null if the session does not exist, or undefined if there are too many subscriptions
   */
  async subscribe(
    id: string,
    read: () => Promise<{ revision: number } | null>,
  ): Promise<number | null | undefined> {
    if (!this.#all.add(id, this)) return undefined;
    const before = this.#subscriptionById.get(id);
    const subscription: Subscription = { sentRevision: null, queued: [] };
    this.#subscriptionById.set(id, subscription);
    try {
      subscription.sentRevision = (await read())?.revision ?? null;
    } catch (error) {
      if (before === undefined) this.unsubscribe(id);
      else {
        // The earlier subscription continues after this reply.
        before.queued = subscription.queued;
        this.#subscriptionById.set(id, before);
        this.#unanswered = { id, subscription: before };
      }
      throw error;
    }
    this.#unanswered = { id, subscription };
    return subscription.sentRevision;
  }

  unsubscribe(id: string): void {
    this.#subscriptionById.delete(id);
    this.#all.remove(id, this);
  }

  /** Sends the queued events, after the reply to `watch`. */
  sendQueued(): void {
    if (this.#unanswered === null) return;
    const { id, subscription } = this.#unanswered;
    this.#unanswered = null;
    const { queued } = subscription;
    subscription.queued = null;
    for (const event of queued ?? []) this.#send(id, subscription, event);
  }

  notify(id: string, event: SessionEvent): void {
    const subscription = this.#subscriptionById.get(id);
    if (subscription === undefined) return;
    if (subscription.queued !== null) subscription.queued.push(event);
    else this.#send(id, subscription, event);
  }

  clear(): void {
    for (const id of this.#subscriptionById.keys()) this.#all.remove(id, this);
    this.#subscriptionById.clear();
  }

  #send(id: string, subscription: Subscription, event: SessionEvent): void {
    if (event.kind !== 'changed') {
      // The client already knows that the session does not exist.
      if (subscription.sentRevision === null) return;
      subscription.sentRevision = null;
      this.#push(`event ${event.kind} ${id}`);
    } else if (subscription.sentRevision === null || event.revision > subscription.sentRevision) {
      subscription.sentRevision = event.revision;
      this.#push(`event changed ${id} ${event.revision}`);
    }
  }
}
