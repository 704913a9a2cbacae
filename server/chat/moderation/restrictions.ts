import {
  leftOf,
  type MemberRecord,
  type Restriction,
  type RestrictionKind,
  restrictionKinds,
} from '../../history/history.ts';

/** Maximum muted and banned users of a room, and maximum restrictions by one moderator. All are kept in memory. */
export const mostRestricted = 10_000;

type Restricted = NonNullable<MemberRecord['restricted']>;

/**
 * Keeps all mutes and bans in rooms in memory, so that rights are decided without reading from disk: see `Directory`.
 */
export class Restrictions {
  readonly #byUser = new Map<string, Map<string, Restricted>>();
  readonly #byRoom = new Map<string, Set<string>>();
  /** The number of restrictions by each moderator. */
  readonly #counts = new Map<string, number>();
  /** The earliest end; null if no restriction ends. Undefined until `nextEnd` scans for it, which can be slow. */
  #nextEnd: number | null | undefined = null;

  set(room: string, user: string, kind: RestrictionKind, now: Restriction | null): void {
    const { [kind]: _, ...others } = this.#byUser.get(user)?.get(room) ?? {};
    this.setAll(room, user, now === null ? others : { ...others, [kind]: now });
  }

  setAll(room: string, user: string, restricted: Restricted): void {
    const rooms = this.#byUser.get(user) ?? new Map<string, Restricted>();
    const users = this.#byRoom.get(room) ?? new Set<string>();
    const [before, now] = [firstEnd(rooms.get(room)), firstEnd(restricted)];
    if (before !== null && before === this.#nextEnd) this.#nextEnd = undefined;
    if (this.#nextEnd !== undefined) this.#nextEnd = earlier(this.#nextEnd, now);
    this.#count(rooms.get(room), -1);
    this.#count(restricted, 1);
    if (Object.keys(restricted).length > 0) {
      this.#byUser.set(user, rooms.set(room, restricted));
      this.#byRoom.set(room, users.add(user));
      return;
    }
    rooms.delete(room);
    users.delete(user);
    if (rooms.size === 0) this.#byUser.delete(user);
    if (users.size === 0) this.#byRoom.delete(room);
  }

  #count(restricted: Restricted = {}, more: number): void {
    for (const { by } of Object.values(restricted)) {
      const count = (this.#counts.get(by) ?? 0) + more;
      if (count === 0) this.#counts.delete(by);
      else this.#counts.set(by, count);
    }
  }

  forget(room: string): void {
    for (const user of this.#byRoom.get(room) ?? []) this.setAll(room, user, {});
  }

  /**
   * Whether the user is banned from the room. An expired ban still counts until its end is stored, because that write
   * also restores the membership.
   */
  isBanned(room: string, user: string): boolean {
    return this.#byUser.get(user)?.get(room)?.banned !== undefined;
  }

  /** Returns the user's unexpired restrictions in all rooms. */
  on(user: string): { room: string; kind: RestrictionKind; restriction: Restriction }[] {
    const at = Date.now();
    return [...(this.#byUser.get(user) ?? [])].flatMap(([room, restricted]) =>
      restrictionKinds.flatMap((kind) => {
        const restriction = restricted[kind];
        return restriction === undefined || leftOf(restriction, at) <= 0 ? [] : [{ room, kind, restriction }];
      }),
    );
  }

  bannedFrom(user: string): string[] {
    return [...(this.#byUser.get(user) ?? [])].flatMap(([room, { banned }]) => (banned ? [room] : []));
  }

  /** Returns the user's unexpired mute in the room, and its remaining time in ms. */
  muteOf(room: string, user: string): { mute: Restriction; forMs: number } | undefined {
    const mute = this.#byUser.get(user)?.get(room)?.muted;
    if (mute === undefined) return undefined;
    const forMs = leftOf(mute, Date.now());
    return forMs > 0 ? { mute, forMs } : undefined;
  }

  /**
   * Whether the user may be restricted in the room: the limits are not reached, or the user already is restricted. In a
   * full room, expired restrictions that are not lifted yet do not count.
   * @param by the moderator. Absent for a site moderator, who only has the limit of the room.
   */
  hasPlaceFor(room: string, user: string, by?: string): boolean {
    const users = this.#byRoom.get(room);
    if (users?.has(user)) return true;
    if (by !== undefined && (this.#counts.get(by) ?? 0) >= mostRestricted) return false;
    if (users === undefined || users.size < mostRestricted) return true;
    const at = Date.now();
    let left = mostRestricted;
    for (const one of users) {
      const laid = Object.values(this.#byUser.get(one)?.get(room) ?? {});
      if (laid.some((restriction) => leftOf(restriction, at) > 0)) left--;
    }
    return left > 0;
  }

  /** Returns the restrictions in a room, sorted by user ID. */
  of(room: string): { user: string; restricted: Restricted }[] {
    return [...(this.#byRoom.get(room) ?? [])]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((user) => ({ user, restricted: this.#byUser.get(user)?.get(room) ?? {} }));
  }

  /** The earliest end of a restriction; null if no restriction ends. */
  get nextEnd(): number | null {
    if (this.#nextEnd === undefined) {
      let next: number | null = null;
      for (const rooms of this.#byUser.values()) {
        for (const restricted of rooms.values()) next = earlier(next, firstEnd(restricted));
      }
      this.#nextEnd = next;
    }
    return this.#nextEnd;
  }
}

function firstEnd(restricted: Restricted = {}): number | null {
  return Object.values(restricted).reduce<number | null>(
    (end, { until = null }) => earlier(end, until),
    null,
  );
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null || (other !== null && other < one) ? other : one;
}
