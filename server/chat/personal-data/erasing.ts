import { randomUUID } from 'node:crypto';
import type { ErasedMessages, History } from '../../history/history.ts';

/** The shortest pause between two steps, in milliseconds, in which users' requests run. */
const stepPause = 5;
/** The pause before a failed step is tried again. */
const failurePause = 1000;
/** Milliseconds between checks for erasures that another server has left unfinished. */
const lookEvery = 3000;

/** Keeps no process alive. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/** Erases users, step by step. Erasures that were begun and not finished continue at the next start. */
export class Erasing {
  readonly #self = randomUUID();
  readonly #history: History;
  readonly #kick: (user: string) => Promise<unknown>;
  readonly #signal: AbortSignal;
  readonly #onFailure: (error: Error) => void;
  #running = false;
  #again = false;
  #later: NodeJS.Timeout | undefined;

  /**
   * @param options.kick closes all connections of a user on all servers
   * @param options.isAlone whether there are no other servers
   * @param options.onFailure called when the history or the other servers fail; the step is tried again
   */
  constructor(
    history: History,
    options: {
      kick: (user: string) => Promise<unknown>;
      isAlone: boolean;
      signal: AbortSignal;
      onFailure: (error: Error) => void;
    },
  ) {
    this.#history = history;
    this.#kick = options.kick;
    this.#signal = options.signal;
    this.#onFailure = options.onFailure;
    if (options.isAlone) return;
    const timer = setInterval(() => this.#start(), lookEvery).unref();
    this.#signal.addEventListener('abort', () => clearInterval(timer));
  }

  /** Resolves when the erasure is on disk; it is certain to be carried out then. */
  async erase(user: string, messages: ErasedMessages): Promise<void> {
    await this.#history.write.erase({ user, messages, at: Date.now() });
    this.#start();
  }

  /** Continues unfinished erasures. */
  resume(): void {
    this.#start();
  }

  #start(): void {
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  #startLater(): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      this.#start();
    }, lookEvery).unref();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#again && !this.#signal.aborted) {
      this.#again = false;
      try {
        const left = () => this.#history.read.erasures(null);
        if ((await left()) > 0) await this.#carryOut();
        // Another server, or this one before it was killed, may have left an erasure unfinished.
        if ((await left()) > 0) this.#startLater();
      } catch (error) {
        if (this.#signal.aborted) break;
        this.#onFailure(error as Error);
        this.#again = true;
        await pause(failurePause);
      }
    }
    this.#running = false;
  }

  async #carryOut(): Promise<void> {
    while (!this.#signal.aborted) {
      const began = performance.now();
      const step = await this.#history.write.eraseStep({ by: this.#self, at: Date.now() });
      if (step === null) return;
      if (step.kick) await this.#closeAll(step.user);
      // Erasing takes at most half of the time.
      else await pause(Math.max(stepPause, performance.now() - began));
    }
  }

  /** Retries until it succeeds, because the next step relies on it. */
  async #closeAll(user: string): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await this.#kick(user);
        return;
      } catch (error) {
        this.#onFailure(error as Error);
        await pause(failurePause);
      }
    }
  }
}
