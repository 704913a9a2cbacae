interface LockLimits {
  /** After this time without a command, the holder loses the lock to a waiting client. */
  lockHoldMs: number;
  maxWaitersPerSession: number;
  maxWaiters: number;
}

/** The right to change one session, until the holder releases or loses it. */
export class Lock {
  readonly id: string;
  #release: (() => void) | null;
  #lastUsedAt = performance.now();
  #runningCalls = 0;

  constructor(id: string, release: () => void) {
    this.id = id;
    this.#release = release;
  }

  /** False after the lock was released or revoked. */
  get isHeld(): boolean {
    return this.#release !== null;
  }

  /** The time since the holder's last command. 0 while `during` runs. */
  get idleMs(): number {
    return this.#runningCalls > 0 ? 0 : performance.now() - this.#lastUsedAt;
  }

  /** Keeps the lock while the work runs, so that a save is complete before the next holder reads. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#runningCalls++;
    try {
      return await work();
    } finally {
      this.#runningCalls--;
      this.renew();
    }
  }

  renew(): void {
    this.#lastUsedAt = performance.now();
  }

  release(): void {
    const release = this.#release;
    this.#release = null;
    release?.();
  }

  /** Takes the lock from its holder without granting it to a waiter. */
  revoke(): void {
    this.#release = null;
  }
}

interface Queue {
  holder: Lock;
  /** The callbacks that receive the lock, in order of arrival. */
  waiters: Set<(lock: Lock) => void>;
  /** Runs while clients wait. Fires when the holder may have been idle for `lockHoldMs`. */
  timer: NodeJS.Timeout | undefined;
}

/** The locks of all sessions. Clients wait for a lock in order of arrival. */
export class Locks {
  readonly #limits: LockLimits;
  readonly #queues = new Map<string, Queue>();
  #waiterCount = 0;

  constructor(limits: LockLimits) {
    this.#limits = limits;
  }

  /** Whether a client uses the session or waits for it. A holder that is idle for `lockHoldMs` does not count. */
  isHeld(id: string): boolean {
    const queue = this.#queues.get(id);
    return queue !== undefined && (queue.waiters.size > 0 || queue.holder.idleMs < this.#limits.lockHoldMs);
  }

  /**
   * Waits for the lock of a session.
   * @param timeoutMs the limit of the wait, 0 to not wait
   * @param disconnected aborts the wait
   * @returns null if the lock was not free in time, or too many clients wait
   */
  async acquire(id: string, timeoutMs: number, disconnected: AbortSignal): Promise<Lock | null> {
    const queue = this.#queues.get(id);
    if (queue === undefined) return this.#grant(id);
    if (queue.waiters.size === 0 && queue.holder.idleMs >= this.#limits.lockHoldMs) {
      queue.holder.revoke();
      return this.#grant(id);
    }
    const { maxWaiters, maxWaitersPerSession } = this.#limits;
    if (timeoutMs === 0 || disconnected.aborted || queue.waiters.size >= maxWaitersPerSession) return null;
    if (this.#waiterCount >= maxWaiters) return null;
    return this.#wait(queue, timeoutMs, disconnected);
  }

  #wait(queue: Queue, timeoutMs: number, disconnected: AbortSignal): Promise<Lock | null> {
    const { promise, resolve } = Promise.withResolvers<Lock | null>();
    const end = (lock: Lock | null) => {
      clearTimeout(timer);
      disconnected.removeEventListener('abort', giveUp);
      this.#waiterCount--;
      queue.waiters.delete(end);
      resolve(lock);
    };
    const giveUp = () => end(null);
    const timer = setTimeout(giveUp, timeoutMs);
    disconnected.addEventListener('abort', giveUp);
    queue.waiters.add(end);
    this.#waiterCount++;
    this.#startIdleTimer(queue);
    return promise;
  }

  #grant(id: string): Lock {
    const lock = new Lock(id, () => this.#grantNext(id));
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

  #grantNext(id: string): void {
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
    const remainingMs = Math.max(1, this.#limits.lockHoldMs - queue.holder.idleMs);
    queue.timer = setTimeout(() => {
      queue.timer = undefined;
      if (queue.waiters.size === 0) return;
      if (queue.holder.idleMs < this.#limits.lockHoldMs) return this.#startIdleTimer(queue);
      queue.holder.revoke();
      this.#grantNext(queue.holder.id);
    }, remainingMs).unref();
  }
}
