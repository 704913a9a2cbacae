/** A connection that can be asked whether the other side is still there. */
export interface Link {
  ping(): Promise<unknown>;
  end(): void;
}

// Milliseconds.
/** The pause before the next connection, and the interval of pings. */
const pause = 500;
const pingEvery = 1000;
/** The timeout of connecting and of a ping. */
const timeout = 2000;

/** Keeps one connection, and replaces it when it is lost or does not answer. */
export class Reconnecting<L extends Link> {
  readonly #connect: (failed: (error: Error) => void) => Promise<L>;
  readonly #onState: (reason: Error | null) => void;
  #link: L | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Identifies the connection that is in use or being made; a higher number has replaced it. */
  #turn = 0;
  #isUp: boolean | undefined;
  #closed = false;

  /** @param onState called with the reason when the connection is lost, and with null when it is there */
  constructor(
    connect: (failed: (error: Error) => void) => Promise<L>,
    onState: (reason: Error | null) => void,
  ) {
    this.#connect = connect;
    this.#onState = onState;
    this.#open();
  }

  get link(): L | undefined {
    return this.#link;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#link?.end();
    this.#link = undefined;
  }

  #open(): void {
    const turn = ++this.#turn;
    const failed = (error: Error) => {
      if (turn !== this.#turn || this.#closed) return;
      this.#turn++;
      clearTimeout(this.#timer);
      this.#link?.end();
      this.#link = undefined;
      this.#timer = setTimeout(() => this.#open(), pause * (0.5 + Math.random()));
      this.#report(error);
    };
    this.#timer = setTimeout(() => failed(new Error('it does not answer')), timeout);
    this.#connect(failed).then((link) => {
      if (turn !== this.#turn || this.#closed) return link.end();
      this.#link = link;
      this.#report(null);
      this.#ping(link, failed);
    }, failed);
  }

  #ping(link: L, failed: (error: Error) => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(() => failed(new Error('it does not answer')), timeout);
      link.ping().then(() => {
        if (link === this.#link) this.#ping(link, failed);
      }, failed);
    }, pingEvery);
  }

  #report(reason: Error | null): void {
    if (this.#isUp === (reason === null)) return;
    this.#isUp = reason === null;
    this.#onState(reason);
  }
}
