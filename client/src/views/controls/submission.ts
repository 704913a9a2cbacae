import { RequestError } from '../../connection/connection-state.ts';
import type { ControlContext } from '../context.ts';
import { refusal } from '../refusal.ts';

/** The request of a dialog: a single one at a time, until it is answered or cancelled. */
export class Submission {
  readonly #context: ControlContext;
  /** The request that waits for its answer. */
  #task: object | undefined;
  /** The error, in words. */
  problem: string | undefined;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  get busy(): boolean {
    return this.#task !== undefined;
  }

  /** `refused` says why it was not done, where other words than the usual ones fit. */
  async run<T>(
    task: () => Promise<T>,
    done: (answer: T) => void,
    refused: (error: RequestError) => string | undefined = (error) => refusal(error, this.#context.strings),
  ): Promise<void> {
    if (this.busy) return;
    const own = {};
    const current = () => this.#task === own;
    this.#task = own;
    this.problem = undefined;
    this.#context.changed();
    try {
      const { chat } = this.#context;
      if (chat.connection.state.kind !== 'ready') await chat.connection.connected();
      if (!current()) return;
      const answer = await task();
      if (current()) done(answer);
    } catch (error) {
      // A fault of this program is told in the console, and must not keep the dialog waiting.
      if (!(error instanceof RequestError)) throw error;
      if (current()) this.problem = refused(error);
    } finally {
      if (current()) this.#task = undefined;
      this.#context.changed();
    }
  }

  /** Stops waiting, whatever becomes of it; false if nothing is waited for. */
  cancel(): boolean {
    const { busy } = this;
    this.#task = undefined;
    if (busy) this.#context.changed();
    return busy;
  }
}
