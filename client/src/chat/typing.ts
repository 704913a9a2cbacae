import type { Connection } from '../connection/connection.ts';

/** While the user types, the event is repeated after this time. */
const REPEAT_MS = 3000;
const STOP_MS = 5000;

/** Sends this user's typing events. */
export class OwnTyping {
  readonly #connection: Connection;
  /** The room in which other users see this user typing, and the time of the last event. */
  #told: { room: string; at: number } | undefined;
  #ends: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Called with each change of the text. */
  typed(room: string): void {
    if (this.#told !== undefined && this.#told.room !== room) this.stop();
    clearTimeout(this.#ends);
    this.#ends = setTimeout(() => this.stop(), STOP_MS);
    if (this.#told !== undefined && performance.now() - this.#told.at < REPEAT_MS) return;
    this.#told = { room, at: performance.now() };
    this.#tell(room, true);
  }

  /** Called after a pause, when the field loses the focus, and when the message is sent. */
  stop(): void {
    clearTimeout(this.#ends);
    if (this.#told === undefined) return;
    const { room } = this.#told;
    this.#told = undefined;
    this.#tell(room, false);
  }

  /** The connection is lost, and the server no longer shows this user as typing. */
  forget(): void {
    clearTimeout(this.#ends);
    this.#told = undefined;
  }

  #tell(room: string, typing: boolean): void {
    if (this.#connection.state.kind !== 'ready') return;
    // Not retried, because the event would be outdated.
    this.#connection.request('typing:set', { room, typing }).catch(() => {});
  }
}
