/** Milliseconds. Members whose turns are no further apart than this have them together. */
const longestGathering = 100;
/** In parts of the interval, which may be short. */
const gatheringsPerInterval = 10;
/** More at once would hold up the event loop, unless there are too many members for that. */
const mostAtOnce = 500;

/**
 * Gives each of its members a turn once in an interval. A single timer serves all; without members there is none.
 * Members whose turns are close together have them at the same time: for a store, fifty logins at once are little
 * more work than one.
 */
export class Schedule<Member> {
  readonly #interval: number;
  readonly #gathering: number;
  readonly #visit: (members: readonly Member[]) => void;
  /** When each is to have its next turn, by the monotonic clock. All wait equally long, so the first one is the next. */
  readonly #turns = new Map<Member, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param interval in milliseconds */
  constructor(interval: number, visit: (members: readonly Member[]) => void) {
    this.#interval = interval;
    this.#gathering = Math.min(longestGathering, interval / gatheringsPerInterval);
    this.#visit = visit;
  }

  add(member: Member): void {
    this.#turns.set(member, performance.now() + this.#interval);
    this.#wait();
  }

  delete(member: Member): void {
    this.#turns.delete(member);
    if (this.#turns.size === 0) this.stop();
  }

  /** Ends all turns. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const [first] = this.#turns.values();
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#tick(), Math.max(this.#gathering, first - performance.now()));
  }

  #tick(): void {
    this.#timer = undefined;
    const now = performance.now();
    const most = Math.max(mostAtOnce, (this.#turns.size * this.#gathering) / this.#interval);
    const members: Member[] = [];
    for (const [member, turn] of this.#turns) {
      if (turn > now + this.#gathering || members.length >= most) break;
      members.push(member);
    }
    for (const member of members) {
      // To the end.
      this.#turns.delete(member);
      this.#turns.set(member, now + this.#interval);
    }
    this.#wait();
    this.#visit(members);
  }
}
