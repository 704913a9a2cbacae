/** A connection that can check whether the peer still answers. */
export interface Link {
  ping(): Promise<unknown>;
  end(): void;
}

// Durations are in milliseconds.
/** The mean delay before a reconnect. */
const pause = 500;
const pingEvery = 1000;
/** The timeout for connecting and for a ping. */
const timeout = 2000;

/** Keeps a connection open, and replaces it if it is lost or does not answer. */
export class Reconnecting<L extends Link> {
  readonly #connect: (failed: (error: Error) => void) => Promise<L>;
  readonly #onState: (reason: Error | null) => void;
  #link: L | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The number of the current connection attempt. Results of earlier attempts are ignored. */
  #turn = 0;
  #isUp: boolean | undefined;
  #closed = false;

  /** @param onState called with the reason when the connection fails or is lost, and with null when it is up */
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
