/** So many requests of one connection may be under way; more are not read from it until half of them are done. */
const mostUnderWay = 200;
/** What each request beyond the limit costs its connection, in milliseconds during which nothing is read from it. */
const penalty = 10;
const longestPenalty = 1000;

/** The parts of Engine.IO's connection that are needed here. */
interface Connection {
  transport: unknown;
  on(event: 'upgrade', listener: () => void): unknown;
}

/** Where a connection's packets come from, whichever transport it has. */
export class Source {
  readonly #conn: Connection;
  readonly #waiting: (() => void)[] = [];
  #paused = false;

  constructor(conn: Connection) {
    this.#conn = conn;
    conn.on('upgrade', () => {
      if (this.#paused) this.#webSocket()?.pause();
      this.#go();
    });
  }

  pause(): void {
    this.#paused = true;
    this.#webSocket()?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#webSocket()?.resume();
    this.#go();
  }

  /** A POST of a polling client is handed on when it may be read; until then its body stays where it is. */
  whenReading(handOn: () => void): void {
    if (this.#paused) this.#waiting.push(handOn);
    else handOn();
  }

  #go(): void {
    for (const handOn of this.#waiting.splice(0)) handOn();
  }

  #webSocket(): { pause(): void; resume(): void } | undefined {
    return (this.#conn.transport as { socket?: { pause(): void; resume(): void } }).socket;
  }
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
