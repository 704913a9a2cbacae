/** So many requests of one connection may be under way; more are not read from it until half of them are done. */
const mostUnderWay = 200;
/** What each request beyond the limit costs its connection, in milliseconds during which nothing is read from it. */
const penalty = 10;
const longestPenalty = 1000;

/** Where a connection's packets come from. */
export interface Source {
  pause(): void;
  resume(): void;
}

/**
 * Reads from a connection no faster than what it asks for is done. A request is never refused for that, and the
 * connection stays: TCP keeps the sender waiting, who can fill neither the memory nor the time of this process.
 */
export class Intake {
  readonly #source: Source;
  #underWay = 0;
  #penaltyEnds = 0;
  #penaltyTimer: NodeJS.Timeout | undefined;
  #paused = false;

  constructor(source: Source) {
    this.#source = source;
  }

  begin(): void {
    this.#underWay++;
    this.#adjust();
  }

  end(): void {
    this.#underWay--;
    this.#adjust();
  }

  /** A request that was one too many. */
  slowDown(): void {
    const now = performance.now();
    this.#penaltyEnds = Math.min(Math.max(this.#penaltyEnds, now) + penalty, now + longestPenalty);
    this.#penaltyTimer ??= setTimeout(() => this.#penaltyOver(), this.#penaltyEnds - now);
    this.#adjust();
  }

  #penaltyOver(): void {
    const left = this.#penaltyEnds - performance.now();
    this.#penaltyTimer = left > 0 ? setTimeout(() => this.#penaltyOver(), left) : undefined;
    this.#adjust();
  }

  #adjust(): void {
    const tooMany = this.#underWay >= (this.#paused ? mostUnderWay / 2 : mostUnderWay);
    const paused = tooMany || this.#penaltyTimer !== undefined;
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#source.pause();
    else this.#source.resume();
  }
}

/** ws can be told to stop reading; a polling client waits for the answer to its POST anyway. */
export function sourceOf(conn: { transport: unknown }): Source {
  const wire = () => (conn.transport as { socket?: Source }).socket;
  return { pause: () => wire()?.pause(), resume: () => wire()?.resume() };
}
