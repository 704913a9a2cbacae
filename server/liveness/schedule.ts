/** Turns within this time, in milliseconds, are taken together. */
const longestGathering = 100;
/** Limits the gathering time for a short interval. */
const gatheringsPerInterval = 10;
/** Members per call of `visit`, because a call blocks the event loop. With very many members, a call has more. */
const mostAtOnce = 500;

/**
 * Gives each member a turn once per interval, with a single timer that runs only while there are members. Turns that
 * are close together are taken together, because fifty logins in a batch cost a store little more than a single login.
 */
export class Schedule<Member> {
  readonly #interval: number;
  readonly #gathering: number;
  readonly #visit: (members: readonly Member[]) => void;
  /** When each member has its next turn, on the monotonic clock. Sorted, because all members wait equally long. */
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

  /** Stops the turns until a member is added. */
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
      // Moves the member to the end of the map.
      this.#turns.delete(member);
      this.#turns.set(member, now + this.#interval);
    }
    this.#wait();
    this.#visit(members);
  }
}
