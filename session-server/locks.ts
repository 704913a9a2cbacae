export interface LockLimits {
  /** Milliseconds after which a holder that does nothing makes way for who waits. */
  hold: number;
  waitersPerSession: number;
  waiters: number;
}

/** The right to change one session, until it is released or lost. */
export class Lock {
  readonly id: string;
  #release: (() => void) | null;
  #usedAt = performance.now();
  #busy = 0;

  constructor(id: string, release: () => void) {
    this.id = id;
    this.#release = release;
  }

  /** False once it was released, or went to somebody else. */
  get held(): boolean {
    return this.#release !== null;
  }

  /** Milliseconds since the holder did something; none while it is at it. */
  get idle(): number {
    return this.#busy > 0 ? 0 : performance.now() - this.#usedAt;
  }

  /** Not to be taken away while this runs: what is being saved is saved before somebody else reads it. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
      this.renew();
    }
  }

  renew(): void {
    this.#usedAt = performance.now();
  }

  release(): void {
    const release = this.#release;
    this.#release = null;
    release?.();
  }

  /** Takes it away without handing it on. */
  revoke(): void {
    this.#release = null;
  }
}

interface Queue {
  holder: Lock;
  /** In order of arrival. */
  waiters: Set<(lock: Lock) => void>;
  /** Runs while somebody waits: the moment at which the holder may have been idle for too long. */
  timer: NodeJS.Timeout | undefined;
}

/** One holder a session; the others wait in order of arrival, so many of them and so long. */
export class Locks {
  readonly #limits: LockLimits;
  readonly #queues = new Map<string, Queue>();
  #waiting = 0;

  constructor(limits: LockLimits) {
    this.#limits = limits;
  }

  /** Whether somebody is at work on the session. */
  isHeld(id: string): boolean {
    const queue = this.#queues.get(id);
    return queue !== undefined && (queue.waiters.size > 0 || queue.holder.idle < this.#limits.hold);
  }

  /**
   * @param timeout milliseconds to wait; 0 for not at all
   * @param gone ends the waiting, when who asked has gone
   * @returns null when it could not be had
   */
  async acquire(id: string, timeout: number, gone: AbortSignal): Promise<Lock | null> {
    const queue = this.#queues.get(id);
    if (queue === undefined) return this.#grant(id);
    if (queue.waiters.size === 0 && queue.holder.idle >= this.#limits.hold) {
      queue.holder.revoke();
      return this.#grant(id);
    }
    const { waiters, waitersPerSession } = this.#limits;
    if (timeout === 0 || gone.aborted || queue.waiters.size >= waitersPerSession) return null;
    if (this.#waiting >= waiters) return null;
    return this.#wait(queue, timeout, gone);
  }

  #wait(queue: Queue, timeout: number, gone: AbortSignal): Promise<Lock | null> {
    const { promise, resolve } = Promise.withResolvers<Lock | null>();
    const end = (lock: Lock | null) => {
      clearTimeout(timer);
      gone.removeEventListener('abort', giveUp);
      this.#waiting--;
      queue.waiters.delete(end);
      resolve(lock);
    };
    const giveUp = () => end(null);
    const timer = setTimeout(giveUp, timeout);
    gone.addEventListener('abort', giveUp);
    queue.waiters.add(end);
    this.#waiting++;
    this.#watchHolder(queue);
    return promise;
  }

  #grant(id: string): Lock {
    const lock = new Lock(id, () => this.#next(id));
    const queue = this.#queues.get(id);
    if (queue === undefined) {
      this.#queues.set(id, { holder: lock, waiters: new Set(), timer: undefined });
      return lock;
    }
    clearTimeout(queue.timer);
    queue.timer = undefined;
    queue.holder = lock;
    if (queue.waiters.size > 0) this.#watchHolder(queue);
    return lock;
  }

  #next(id: string): void {
    const queue = this.#queues.get(id);
    if (queue === undefined) return;
    const [first] = queue.waiters;
    if (first === undefined) {
      clearTimeout(queue.timer);
      this.#queues.delete(id);
      return;
    }
    queue.waiters.delete(first);
    first(this.#grant(id));
  }

  #watchHolder(queue: Queue): void {
    if (queue.timer !== undefined) return;
    const left = Math.max(1, this.#limits.hold - queue.holder.idle);
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      if (queue.waiters.size === 0) return;
      if (queue.holder.idle < this.#limits.hold) return this.#watchHolder(queue);
      queue.holder.revoke();
      this.#next(queue.holder.id);
    }, left).unref();
  }
}
