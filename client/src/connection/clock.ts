/** Clocks of a computer drift, and are read one after the other. A smaller difference is not a correction. */
const DRIFT_MS = 1000;
/** The server has closed the connections of a computer that slept this long. */
const ASLEEP_MS = 60_000;

/**
 * The server's time, which is right although the clock of the user's computer may be hours wrong. Times that are sent,
 * shown or compared with times of the server come from here. Before the first connection, the computer's clock counts.
 */
export class Clock {
  /** How far the server's clock is ahead of the computer's, in milliseconds. */
  #ahead = 0;
  /** How far the computer's clock jumped forward since the server last sent its time. */
  #jumped = 0;
  /** How far the computer's clock is ahead of the steady one, which stops while the computer sleeps. */
  #difference = difference();

  /** The server's time, in Unix ms. It continues if the computer's clock is set back. */
  get now(): number {
    const moved = difference() - this.#difference;
    if (Math.abs(moved) > DRIFT_MS) {
      this.#difference += moved;
      if (moved < 0) this.#ahead -= moved;
      // The computer slept, or its clock was set forward.
      else this.#jumped += moved;
    }
    return Date.now() + this.#ahead;
  }

  /** @param serverTime - of `session:ready` */
  set(serverTime: number): void {
    this.#ahead += serverTime - this.now;
    this.#jumped = 0;
  }

  /** Call when the server answered over the old connection: after a long sleep, it would have closed it. */
  awake(): void {
    if (this.#jumped > ASLEEP_MS) this.#ahead -= this.#jumped;
    this.#jumped = 0;
  }
}

/** A whole number, because times are sent. */
const difference = () => Math.round(Date.now() - performance.now());
