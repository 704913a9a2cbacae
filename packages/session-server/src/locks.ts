export interface LockLimits {
  /** Milliseconds after which a holder that does nothing loses the lock to a client that waits. */
  hold: number;
  waitersPerSession: number;
  waiters: number;
}

/** The right to change one session, until the holder releases or loses it. */
export class Lock {
  readonly id: string;
  #release: (() => void) | null;
  #usedAt = performance.now();
  #busy = 0;

  constructor(id: string, release: () => void) {
    this.id = id;
    this.#release = release;
  }

  /** False once the lock was released, or has gone to another holder. */
  get held(): boolean {
    return this.#release !== null;
  }

  /** Milliseconds since the holder last did something; 0 while `during` runs. */
  get idle(): number {
    return this.#busy > 0 ? 0 : performance.now() - this.#usedAt;
  }

  /** The lock is not taken away while the work runs: a save is finished before the next holder reads. */
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

  /** Takes the lock away from the holder without passing it on. */
  revoke(): void {
    this.#release = null;
  }
}

interface Queue {
  holder: Lock;
  /** In order of arrival; each is called with its lock. */
  waiters: Set<(lock: Lock) => void>;
  /** Runs while clients wait, until the holder may have been idle for too long. */
  timer: NodeJS.Timeout | undefined;
}

/** Each session has a lock. Clients wait for it in order of arrival; their number and their time are limited. */
export class Locks {
  readonly #limits: LockLimits;
  readonly #queues = new Map<string, Queue>();
  #waiting = 0;

  constructor(limits: LockLimits) {
    this.#limits = limits;
  }

  /** Whether a client works on the session or waits for it. A holder that is idle for too long does not count. */
  isHeld(id: string): boolean {
    const queue = this.#queues.get(id);
    return queue !== undefined && (queue.waiters.size > 0 || queue.holder.idle < this.#limits.hold);
  }

  /**
   * @param timeout milliseconds to wait; 0 for not at all
   * @param gone ends the waiting when the client is gone
   * @returns null if the lock was not free in time, or too many clients wait
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
    this.#startIdleTimer(queue);
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
    if (queue.waiters.size > 0) this.#startIdleTimer(queue);
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

  #startIdleTimer(queue: Queue): void {
    if (queue.timer !== undefined) return;
    const left = Math.max(1, this.#limits.hold - queue.holder.idle);
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      if (queue.waiters.size === 0) return;
      if (queue.holder.idle < this.#limits.hold) return this.#startIdleTimer(queue);
      queue.holder.revoke();
      this.#next(queue.holder.id);
    }, left).unref();
  }
}
