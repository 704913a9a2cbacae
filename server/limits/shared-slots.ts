/** The limit that a user reached: the own share, or the slots of all users. */
export interface ReachedLimit {
  of: 'user' | 'all';
  most: number;
}

/** Slots that all users share. While at least half of them are taken, each user gets only one. */
export class SharedSlots {
  readonly #most: number;
  readonly #mostOfUser: number;
  readonly #taken = new Map<string, number>();
  #size = 0;

  constructor(most: number, mostOfUser: number) {
    this.#most = most;
    this.#mostOfUser = mostOfUser;
  }

  /** Whether each user gets only one slot now. */
  get isBusy(): boolean {
    return this.#size >= this.#most / 2;
  }

  /** Reserves a slot. @returns the function that releases it, or the limit that is reached */
  take(user: string): (() => void) | ReachedLimit {
    if (this.#size >= this.#most) return { of: 'all', most: this.#most };
    const taken = this.#taken.get(user) ?? 0;
    const most = this.isBusy ? 1 : this.#mostOfUser;
    if (taken >= most) return { of: 'user', most };
    this.#taken.set(user, taken + 1);
    this.#size++;
    let isFree = false;
    return () => {
      if (isFree) return;
      isFree = true;
      this.#size--;
      const left = (this.#taken.get(user) ?? 1) - 1;
      if (left === 0) this.#taken.delete(user);
      else this.#taken.set(user, left);
    };
  }
}
