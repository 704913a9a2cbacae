import { deadline } from './deadline.ts';

/**
 * Questions whose answers come in their order: if the oldest one's is late, so are all behind it. So there is one
 * deadline at a time, however many wait.
 */
export class Unanswered<Question> {
  readonly #timeout: number;
  readonly #late: () => void;
  #waiting: { question: Question; at: number }[] = [];
  /** Ends the watch over the oldest of them. */
  #answered: (() => void) | undefined;

  /**
   * @param timeout of an answer, in milliseconds
   * @param late is called when the oldest question has waited for longer
   */
  constructor(timeout: number, late: () => void) {
    this.#timeout = timeout;
    this.#late = late;
  }

  /** The one that the next answer is for. */
  get oldest(): Question | undefined {
    return this.#waiting[0]?.question;
  }

  add(question: Question): void {
    this.#waiting.push({ question, at: performance.now() });
    if (this.#answered === undefined) this.#expectAnswer();
  }

  /** The oldest has its answer. */
  shift(): Question | undefined {
    return this.#waiting.shift()?.question;
  }

  /** None of them will be answered. @returns them */
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
