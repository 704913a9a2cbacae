import type { Guard } from './guard.ts';
import type { PacketSource } from './source.ts';

/** Requests of one connection in progress. At this limit, reading pauses until half of them are done. */
const mostUnderWay = 200;
/** Reading pauses for this time (ms) for each request over the user's limit. */
const penalty = 10;
/**
 * A user is disconnected when a series of penalties lasts longer than `longestPenalty` milliseconds. A new series
 * starts if the last penalty ended more than `forgivenAfter` milliseconds ago.
 */
const longestPenalty = 10_000;
const forgivenAfter = 1000;

/** The penalties of users who exceed their limit, across all their connections. */
export class Penalties {
  readonly #users = new Map<string, Penalty>();

  /**
   * Returns the intake of a connection of this user.
   * @param guard closes the connection if the user does not stop
   */
  intake(user: string, source: PacketSource, guard: Guard): Intake {
    source.account = user;
    const known = this.#users.get(user);
    const own = known ?? new Penalty(() => this.#users.delete(user));
    if (known === undefined) this.#users.set(user, own);
    return new Intake(source, own, guard);
  }
}

/** The penalty of one user. It outlives the user's connections, so reconnecting does not shorten it. */
class Penalty {
  /** Usually one. A set or a growing array would take four times the memory. */
  intakes: readonly Intake[] = [];
  readonly #forget: () => void;
  #began = 0;
  #ends = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(forget: () => void) {
    this.#forget = forget;
  }

  get runs(): boolean {
    return this.#timer !== undefined;
  }

  add(requests: number): void {
    const now = performance.now();
    if (now > this.#ends + forgivenAfter) this.#began = now;
    this.#ends = Math.max(this.#ends, now) + requests * penalty;
    this.#timer ??= setTimeout(() => this.#over(), this.#ends - now).unref();
    const close = this.#ends - this.#began > longestPenalty;
    for (const intake of this.intakes) {
      if (close) intake.close();
      else intake.adjust();
    }
  }

  leave(intake: Intake): void {
    this.intakes = this.intakes.filter((one) => one !== intake);
    if (this.intakes.length === 0 && !this.runs) this.#forget();
  }

  #over(): void {
    const left = this.#ends - performance.now();
    this.#timer = left > 0 ? setTimeout(() => this.#over(), left).unref() : undefined;
    if (this.runs) return;
    for (const intake of this.intakes) intake.adjust();
    if (this.intakes.length === 0) this.#forget();
  }
}

/**
 * Pauses reading from a connection while too many of its requests are in progress, or while its user has a penalty. TCP
 * then makes the sender wait, so the sender can exhaust neither the memory nor the CPU time of this process.
 */
export class Intake {
  readonly #source: PacketSource;
  readonly #penalty: Penalty;
  readonly #guard: Guard;
  #underWay = 0;
  #paused = false;

  constructor(source: PacketSource, penalty: Penalty, guard: Guard) {
    this.#source = source;
    this.#penalty = penalty;
    this.#guard = guard;
    penalty.intakes = penalty.intakes.concat(this);
    this.adjust();
  }

  begin(): void {
    this.#underWay++;
    this.adjust();
  }

  end(): void {
    this.#underWay--;
    this.adjust();
  }

  /**
   * Adds to the user's penalty.
   * @param weight the weight of the request over the limit
   */
  punish(weight: number): void {
    this.#penalty.add(weight);
  }

  leave(): void {
    this.#penalty.leave(this);
  }

  /** Closes the connection of a user who does not stop. */
  close(): void {
    this.#guard.close('flood');
  }

  adjust(): void {
    const tooMany = this.#underWay >= (this.#paused ? mostUnderWay / 2 : mostUnderWay);
    const paused = tooMany || this.#penalty.runs;
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#source.pause();
    else this.#source.resume();
  }
}
