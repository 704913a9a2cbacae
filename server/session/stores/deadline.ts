/** A deadline is cut into so many intervals, so that a hold-up of this process costs it one of them at most. */
const parts = 5;

/**
 * Calls `late` when an answer has not come within so many milliseconds of this process's running time. A busy or
 * paused machine can hold a process up for seconds, and its timers then fire before it reads an answer that arrived
 * long ago. The deadline therefore counts intervals, and waits one full turn of the event loop before its end, in
 * which everything that has arrived is read.
 * @returns the function to call when the answer has come
 */
export function deadline(milliseconds: number, late: () => void): () => void {
  let waiting = true;
  let passed = 0;
  const timer = setInterval(() => {
    if (++passed < parts) return;
    clearInterval(timer);
    setImmediate(() =>
      setImmediate(() => {
        if (waiting) late();
      }),
    );
  }, milliseconds / parts);
  return () => {
    waiting = false;
    clearInterval(timer);
  };
}

/**
 * The outcome of `work`, or the failure `late` if that takes more than so many milliseconds.
 * @param signal ends the deadline; `work` may then take any time
 */
export function within<T>(
  milliseconds: number,
  work: Promise<T>,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // Work that is late already still gets the turn of the event loop in which its answer may be read.
    const done = deadline(Math.max(0, milliseconds), () => reject(late()));
    signal?.addEventListener('abort', done);
    const ended = () => {
      done();
      signal?.removeEventListener('abort', done);
    };
    work.finally(ended).then(resolve, reject);
  });
}

/**
 * The questions on a connection that answers in order. If the oldest answer is late, so are all behind it; one
 * deadline at a time is therefore enough for any number of questions.
 */
export class Unanswered<Question> {
  readonly #timeout: number;
  readonly #late: () => void;
  #waiting: { question: Question; at: number }[] = [];
  /** Ends the deadline of the oldest question. */
  #answered: (() => void) | undefined;

  /**
   * @param timeout of an answer, in milliseconds
   * @param late is called when the oldest question has waited longer than that
   */
  constructor(timeout: number, late: () => void) {
    this.#timeout = timeout;
    this.#late = late;
  }

  /** The question that the next answer belongs to. */
  get oldest(): Question | undefined {
    return this.#waiting[0]?.question;
  }

  add(question: Question): void {
    this.#waiting.push({ question, at: performance.now() });
    if (this.#answered === undefined) this.#expectAnswer();
  }

  /** Removes the oldest question, whose answer has come. */
  shift(): Question | undefined {
    return this.#waiting.shift()?.question;
  }

  /** Removes all questions, since none will be answered. @returns them */
  clear(): Question[] {
    this.#answered?.();
    this.#answered = undefined;
    return this.#waiting.splice(0).map(({ question }) => question);
  }

  #expectAnswer(): void {
    const [oldest] = this.#waiting;
    this.#answered = undefined;
    if (oldest === undefined) return;
    this.#answered = deadline(Math.max(0, oldest.at + this.#timeout - performance.now()), () => {
      if (this.#waiting[0] === oldest) this.#late();
      else this.#expectAnswer();
    });
  }
}
