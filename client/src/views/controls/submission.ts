import { RequestError } from '../../connection/connection-state.ts';
import type { ControlContext } from '../context.ts';
import { refusal } from '../refusal.ts';

/** The request of a dialog. Only one runs at a time, until it is answered or cancelled. */
export class Submission {
  readonly #context: ControlContext;
  /** Identifies the request in flight. */
  #task: object | undefined;
  /** The error message. */
  problem: string | undefined;

  constructor(context: ControlContext) {
    this.#context = context;
  }

  get busy(): boolean {
    return this.#task !== undefined;
  }

  /** `refused` returns the error message if the default does not fit. */
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
      // A bug is reported in the console. It must not keep the dialog busy.
      if (!(error instanceof RequestError)) throw error;
      if (current()) this.problem = refused(error);
    } finally {
      if (current()) this.#task = undefined;
      this.#context.changed();
    }
  }

  /** Stops waiting for the request, which may still succeed. Returns false without a request in flight. */
  cancel(): boolean {
    const { busy } = this;
    this.#task = undefined;
    if (busy) this.#context.changed();
    return busy;
  }
}
