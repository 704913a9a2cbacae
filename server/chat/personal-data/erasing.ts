import { randomUUID } from 'node:crypto';
import type { ErasedMessages, History } from '../../history/history.ts';

/** The least milliseconds between two steps: all that users ask for goes in between. */
const stepPause = 5;
/** The pause before what has failed is tried again. */
const failurePause = 1000;
/** How often it is looked for what another server has left undone. */
const lookEvery = 3000;

/** It keeps no process alive. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/** Erases users, step by step. Whatever was begun and not ended goes on when this one starts. */
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
   * @param options.kick closes all connections of a user, to all servers
   * @param options.isAlone whether there are no other servers
   * @param options.onFailure called when the history, or the other servers, could not be asked: it is tried again
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

  /** Resolves when it is on the disk that the user is to be erased: nothing keeps it from being carried out. */
  async erase(user: string, messages: ErasedMessages): Promise<void> {
    await this.#history.write('erase', { user, messages, at: Date.now() });
    this.#start();
  }

  /** Goes on with what there is. */
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
        const left = () => this.#history.read('erasures', null);
        if ((await left()) > 0) await this.#carryOut();
        // What another server is at, or this one was before it was killed, may be left undone.
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
      const step = await this.#history.write('eraseStep', { by: this.#self, at: Date.now() });
      if (step === null) return;
      if (step.kick) await this.#closeAll(step.user);
      // Half of the time at most is for this.
      else await pause(Math.max(stepPause, performance.now() - began));
    }
  }

  /** However often it takes: the next step counts on it. */
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
