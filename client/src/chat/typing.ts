import type { Connection } from '../connection/connection.ts';

/** The event is repeated this often, in milliseconds, as long as the user types. */
const REPEAT_MS = 3000;
const STOP_MS = 5000;

/** Says that this user is typing. */
export class OwnTyping {
  readonly #connection: Connection;
  /** Where the others believe that one types, and when they were told so. */
  #told: { room: string; at: number } | undefined;
  #ends: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Something was typed in that room. */
  typed(room: string): void {
    if (this.#told !== undefined && this.#told.room !== room) this.stop();
    clearTimeout(this.#ends);
    this.#ends = setTimeout(() => this.stop(), STOP_MS);
    if (this.#told !== undefined && performance.now() - this.#told.at < REPEAT_MS) return;
    this.#told = { room, at: performance.now() };
    this.#tell(room, true);
  }

  /** After a pause, when the field loses the focus, and when the message is sent. */
  stop(): void {
    clearTimeout(this.#ends);
    if (this.#told === undefined) return;
    const { room } = this.#told;
    this.#told = undefined;
    this.#tell(room, false);
  }

  /** The connection is gone, and what the others believe with it. */
  forget(): void {
    clearTimeout(this.#ends);
    this.#told = undefined;
  }

  #tell(room: string, typing: boolean): void {
    if (this.#connection.state.kind !== 'ready') return;
    // Not worth a second attempt: it is over by then.
    this.#connection.request('typing:set', { room, typing }).catch(() => {});
  }
}
