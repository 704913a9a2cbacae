/** Types of events that are sent once and not stored, because they are useless later. */
export const presenceTypes = ['user.online', 'user.offline'] as const;
export type PresenceType = (typeof presenceTypes)[number];

/** The interval for checking who is online, in milliseconds. */
const lookEvery = 2000;
/** A change counts only after this time, in milliseconds, because visitors disconnect with every page they leave. */
const settledAfter = 10_000;
/**
 * After this time, in milliseconds, the other servers assume that the first server sent a change. If that server
 * crashes earlier, the next one sends the change, possibly again.
 */
const sentAfter = 60_000;

interface Presence {
  type: PresenceType;
  user: string;
  /** Unix ms. */
  at: number;
}

/** The online users, without changes of the last seconds. */
export class SettledPresence {
  readonly #known: Set<string>;
  /** When the status of a user changed from `#known`, as Unix ms. */
  readonly #since = new Map<string, number>();

  /** @param here the users who are online at the start, for whom no event is sent */
  constructor(here: Iterable<string>) {
    this.#known = new Set(here);
  }

  /** Returns each user who came online or went offline, once the new status has lasted for `settledAfter`. */
  changes(here: ReadonlySet<string>, now: number): Presence[] {
    for (const user of this.#since.keys()) {
      if (this.#known.has(user) === here.has(user)) this.#since.delete(user);
    }
    const others = [...here, ...this.#known].filter((user) => here.has(user) !== this.#known.has(user));
    return others.flatMap((user) => {
      const since = this.#since.get(user) ?? now;
      this.#since.set(user, since);
      if (now - since < settledAfter) return [];
      this.#since.delete(user);
      if (this.#known.delete(user)) return { type: 'user.offline', user, at: now };
      this.#known.add(user);
      return { type: 'user.online', user, at: now };
    });
  }
}

/** A server of this chat. */
interface Server {
  name: string;
  users: Iterable<string>;
}

/**
 * Sends an event when a user comes online or goes offline. Only the first server by name sends it. If the servers
 * cannot reach each other, several do.
 * @param wanted the event types that the site wants; without one of `presenceTypes`, nothing is watched
 * @param look returns this server and the `others` that are running
 */
export function watchPresence(
  wanted: ReadonlySet<string>,
  webhooks: { readonly roomForOnce: number; sendOnce(type: PresenceType, user: string): void },
  look: () => { own: Server; others: readonly Server[] },
): { stop(): void } {
  if (!presenceTypes.some((type) => wanted.has(type))) return { stop() {} };
  let settled: SettledPresence | undefined;
  /**
   * The latest change of each user that this server must send: as the first server, or if the first server crashes
   * before it sends the change.
   */
  const left = new Map<string, Presence>();
  const timer = setInterval(() => {
    const { own, others } = look();
    const elsewhere = others.flatMap(({ users }) => [...users]);
    // The other servers already sent events about these users.
    settled ??= new SettledPresence(elsewhere);
    const now = Date.now();
    for (const change of settled.changes(new Set([...own.users, ...elsewhere]), now)) {
      left.delete(change.user);
      left.set(change.user, change);
    }
    if (others.some(({ name }) => name < own.name)) {
      for (const { user, at } of left.values()) if (now - at >= sentAfter) left.delete(user);
      return;
    }
    for (const { type, user } of [...left.values()].slice(0, webhooks.roomForOnce)) {
      left.delete(user);
      if (wanted.has(type)) webhooks.sendOnce(type, user);
    }
  }, lookEvery).unref();
  return { stop: () => clearInterval(timer) };
}
