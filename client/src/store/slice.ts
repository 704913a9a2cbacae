import type { Entry } from './entries.ts';

/** The maximum number of rendered entries. */
const MOST = 200;
/** The maximum number of entries that are added in one render. More would block a slow device for too long. */
const ADDED = 25;
/** How far the rendered part moves at a time. Less than `ADDED`, because the reader is scrolling. */
const STEP = 10;

/**
 * The rendered part of a long list. It is stored as keys and not as indexes, so older messages above and new messages
 * below do not move it.
 */
export class Slice {
  /** The keys of the part that `of` returned last. */
  #rendered: ReadonlySet<string> = new Set();
  #from: string | undefined;
  /** Undefined: the part reaches the end and follows it. */
  #to: string | undefined;

  get follows(): boolean {
    return this.#to === undefined;
  }

  /** `reading`: the end is not in sight, so the top of the part must stay. */
  of(entries: readonly Entry[], reading: boolean): readonly Entry[] {
    let [from, to] = this.#range(entries);
    if (to - from > MOST) {
      if (reading) to = from + MOST;
      else from = to - MOST + STEP;
    }
    const part = entries.slice(from, to);
    const isNew = ({ key }: Entry) => !this.#rendered.has(key);
    // A page that arrives below the reader is not needed at once.
    const most = reading && !part.every(isNew) ? STEP : ADDED;
    let added = 0;
    const isOver = (entry: Entry) => isNew(entry) && ++added > most;
    // `older` and `newer` then add the others.
    const over = reading ? part.findIndex(isOver) : part.findLastIndex(isOver);
    if (over !== -1 && reading) to = from + over;
    else if (over !== -1) from += over + 1;
    this.#hold(entries, from, to);
    const shown = entries.slice(from, to);
    this.#rendered = new Set(shown.map(({ key }) => key));
    return shown;
  }

  /** Moves up. Returns false if there are no older entries. */
  older(entries: readonly Entry[]): boolean {
    const [from, to] = this.#range(entries);
    if (from === 0) return false;
    const start = Math.max(0, from - STEP);
    this.#hold(entries, start, Math.min(to, start + MOST));
    return true;
  }

  /** Moves down. Returns false if the part already reaches the end. */
  newer(entries: readonly Entry[]): boolean {
    if (this.#to === undefined) return false;
    const [from, to] = this.#range(entries);
    const end = Math.min(entries.length, to + STEP);
    this.#hold(entries, Math.max(from, end - MOST), end);
    return true;
  }

  /** Moves the part so that the entry is in its middle. */
  around(entries: readonly Entry[], index: number): void {
    const from = Math.max(0, index - (ADDED >> 1));
    this.#rendered = new Set();
    this.#hold(entries, from, Math.min(entries.length, from + ADDED));
  }

  toEnd(): void {
    this.#from = undefined;
    this.#to = undefined;
  }

  #range(entries: readonly Entry[]): [number, number] {
    const last = this.#to === undefined ? -1 : entries.findIndex(({ key }) => key === this.#to);
    const to = last === -1 ? entries.length : last + 1;
    const first = this.#from === undefined ? -1 : entries.findIndex(({ key }) => key === this.#from);
    return [first === -1 || first >= to ? Math.max(0, to - ADDED) : first, to];
  }

  #hold(entries: readonly Entry[], from: number, to: number): void {
    this.#from = entries[from]?.key;
    this.#to = to >= entries.length ? undefined : entries[to - 1]?.key;
  }
}
