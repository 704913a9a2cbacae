// Milliseconds.
/** Members whose turns are no further apart than this have them together. */
const longestGathering = 100;
/** In this time all members that rested have a turn when they may rest no longer. */
const wakingTime = 500;
/** In parts of the interval, which may be short. */
const gatheringsPerInterval = 10;
/** More at once would hold up the event loop, unless there are too many members for that. */
const mostAtOnce = 500;

/**
 * Gives each of its members a turn once in an interval, and those that rest once in a longer one. One timer serves all,
 * and there is none while there are no members. Members whose turns are close together have them at the same time: for a
 * store, fifty sessions at once are little more work than one.
 */
export class Schedule<Member> {
  readonly #interval: number;
  readonly #rest: number;
  readonly #gathering: number;
  readonly #visit: (members: readonly Member[]) => void;
  /**
   * When each is to have its next turn, by the monotonic clock; those that rest apart from the others. All of one kind wait
   * equally long, so the first one is the next.
   */
  #turns = new Map<Member, number>();
  readonly #resting = new Map<Member, number>();
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  #next = 0;
  #wakingUntil = Number.NEGATIVE_INFINITY;

  /**
   * @param interval in milliseconds
   * @param rest the interval for those that rest
   */
  constructor(interval: number, rest: number, visit: (members: readonly Member[]) => void) {
    this.#interval = interval;
    this.#rest = rest;
    this.#gathering = Math.min(longestGathering, interval / gatheringsPerInterval);
    this.#visit = visit;
  }

  add(member: Member): void {
    this.#turns.set(member, performance.now() + this.#interval);
    this.#wait();
  }

  delete(member: Member): void {
    this.#turns.delete(member);
    this.#resting.delete(member);
    if (this.#turns.size === 0 && this.#resting.size === 0) this.stop();
  }

  /** The next turn of this member is its last one for a while. */
  rest(member: Member): void {
    if (!this.#turns.delete(member)) return;
    this.#resting.set(member, performance.now() + this.#rest);
  }

  /** This member rests no longer. */
  wake(member: Member): void {
    if (this.#resting.delete(member)) this.add(member);
  }

  /** None rests any longer, and each has a turn soon, spread so that not all come at once. @returns those that rested */
  wakeAll(): readonly Member[] {
    const woken = [...this.#resting.keys()];
    if (woken.length === 0) return woken;
    this.#resting.clear();
    const now = performance.now();
    this.#wakingUntil = now + wakingTime;
    const soon = woken.map((member, n): [Member, number] => [
      member,
      now + (wakingTime * (n + 1)) / woken.length,
    ]);
    this.#turns = new Map([...this.#turns, ...soon].sort(([, a], [, b]) => a - b));
    this.#wait();
    return woken;
  }

  /** Ends all turns. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const [turn = Number.POSITIVE_INFINITY] = this.#turns.values();
    const [rested = Number.POSITIVE_INFINITY] = this.#resting.values();
    const first = Math.min(turn, rested);
    if (first === Number.POSITIVE_INFINITY) return;
    const now = performance.now();
    const next = Math.max(now + this.#gathering, first);
    if (this.#timer !== undefined) {
      if (this.#next <= next) return;
      this.stop();
    }
    this.#next = next;
    this.#timer = setTimeout(() => this.#tick(), next - now);
  }

  #tick(): void {
    this.#timer = undefined;
    const now = performance.now();
    const inTime = now > this.#wakingUntil ? this.#interval : wakingTime;
    const most = Math.max(mostAtOnce, (this.#turns.size * this.#gathering) / inTime);
    const members: Member[] = [];
    for (const waiting of [this.#turns, this.#resting]) {
      for (const [member, turn] of waiting) {
        if (turn > now + this.#gathering || members.length >= most) break;
        members.push(member);
      }
    }
    for (const member of members) {
      this.#resting.delete(member);
      // To the end.
      this.#turns.delete(member);
      this.#turns.set(member, now + this.#interval);
    }
    this.#wait();
    this.#visit(members);
  }
}
