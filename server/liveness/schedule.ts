/** A round is divided into slots of this many milliseconds at least, and each member has its turn in its own: ten
 * thousand look-ups at once would stall the event loop. */
const shortestSlot = 10;
const mostSlots = 1000;

/** Gives each of its members a turn once in a round, spread over the whole of it. */
export class Rounds<Member> {
  readonly #visit: (member: Member) => void;
  readonly #slots: Set<Member>[];
  readonly #slotTime: number;
  #timer: NodeJS.Timeout | undefined;
  #began = 0;
  /** How many slots have been gone through since the start. */
  #passed = 0;

  /** @param time of a round, in milliseconds */
  constructor(time: number, visit: (member: Member) => void) {
    this.#visit = visit;
    const slots = Math.min(mostSlots, Math.max(1, Math.floor(time / shortestSlot)));
    this.#slots = Array.from({ length: slots }, () => new Set());
    this.#slotTime = time / slots;
  }

  /** The returned function takes the member out. */
  add(member: Member): () => void {
    const slot = this.#slots[Math.floor(Math.random() * this.#slots.length)] as Set<Member>;
    slot.add(member);
    return () => slot.delete(member);
  }

  start(): void {
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#slotTime);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const due = Math.floor((performance.now() - this.#began) / this.#slotTime);
    // After a stall nobody has two turns.
    this.#passed = Math.max(this.#passed, due - this.#slots.length);
    for (; this.#passed < due; this.#passed++) {
      for (const member of this.#slots[this.#passed % this.#slots.length] as Set<Member>) this.#visit(member);
    }
  }
}
