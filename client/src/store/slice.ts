import type { Entry } from './entries.ts';

/** Elements on the page at most, and by how many the part that is shown moves. */
const MOST = 200;
const STEP = 50;
const FIRST = 100;

/**
 * Which part of a long list has elements. It is held by keys, not by positions: older messages come in
 * above, and new ones below, without moving it.
 */
export class Slice {
  #from: string | undefined;
  /** Undefined: the part reaches to the end, and follows it. */
  #to: string | undefined;

  get follows(): boolean {
    return this.#to === undefined;
  }

  /** `reading`: the end is not in sight, so nothing may go from above. */
  of(entries: readonly Entry[], reading: boolean): readonly Entry[] {
    let [from, to] = this.#range(entries);
    if (to - from > MOST) {
      if (reading) to = from + MOST;
      else from = to - MOST + STEP;
    }
    this.#hold(entries, from, to);
    return entries.slice(from, to);
  }

  /** Moves up; false when the list has no more. */
  older(entries: readonly Entry[]): boolean {
    const [from, to] = this.#range(entries);
    if (from === 0) return false;
    const start = Math.max(0, from - STEP);
    this.#hold(entries, start, Math.min(to, start + MOST));
    return true;
  }

  /** Moves down; false when it reaches the end already. */
  newer(entries: readonly Entry[]): boolean {
    if (this.#to === undefined) return false;
    const [from, to] = this.#range(entries);
    const end = Math.min(entries.length, to + STEP);
    this.#hold(entries, Math.max(from, end - MOST), end);
    return true;
  }

  /** Moves to where that entry is in the middle. */
  around(entries: readonly Entry[], index: number): void {
    const from = Math.max(0, index - FIRST / 2);
    this.#hold(entries, from, Math.min(entries.length, from + FIRST));
  }

  toEnd(): void {
    this.#from = undefined;
    this.#to = undefined;
  }

  #range(entries: readonly Entry[]): [number, number] {
    const last = this.#to === undefined ? -1 : entries.findIndex(({ key }) => key === this.#to);
    const to = last === -1 ? entries.length : last + 1;
    const first = this.#from === undefined ? -1 : entries.findIndex(({ key }) => key === this.#from);
    return [first === -1 || first >= to ? Math.max(0, to - FIRST) : first, to];
  }

  #hold(entries: readonly Entry[], from: number, to: number): void {
    this.#from = entries[from]?.key;
    this.#to = to >= entries.length ? undefined : entries[to - 1]?.key;
  }
}
