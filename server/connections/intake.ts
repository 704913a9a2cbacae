import type { Guard } from './guard.ts';
import type { PacketSource } from './source.ts';

/** The most requests of one connection under way. Beyond it, reading stops until half of them are done. */
const mostUnderWay = 200;
/** Milliseconds without reading for each request of the user beyond the limit. */
const penalty = 10;
/**
 * A user whose penalties add up to more milliseconds than `longestPenalty` is disconnected. After `forgivenAfter`
 * milliseconds without a new one they start from zero.
 */
const longestPenalty = 10_000;
const forgivenAfter = 1000;

/** The penalties of users who exceed their limit, over all their connections. */
export class Penalties {
  readonly #users = new Map<string, Penalty>();

  /**
   * The intake of a connection of this user.
   * @param guard closes the connection if the user does not stop
   */
  intake(user: string, source: PacketSource, guard: Guard): Intake {
    const known = this.#users.get(user);
    const own = known ?? new Penalty(() => this.#users.delete(user));
    if (known === undefined) this.#users.set(user, own);
    return new Intake(source, own, guard);
  }
}

/** The penalty of one user. It outlives the user's connections, so reconnecting does not shorten it. */
class Penalty {
  /** Mostly one: a set would take four times the memory, and so would an array that is pushed to. */
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
 * Reads from a connection no faster than its requests are done, and not while its user has a penalty. TCP makes the
 * sender wait, so the sender can use up neither the memory nor the CPU time of this process.
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

  /** Adds to the user's penalty. @param weight the weight of the request beyond the limit */
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
