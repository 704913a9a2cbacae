/** The types of events that are sent once and not stored, because they are worth nothing later. */
export const presenceTypes = ['user.online', 'user.offline'] as const;
export type PresenceType = (typeof presenceTypes)[number];

/** Milliseconds between two looks at who is here. */
const lookEvery = 2000;
/** Milliseconds after which a change counts: a visitor who goes from page to page leaves and comes all the time. */
const settledAfter = 10_000;
/** Milliseconds after which the first server has sent a change. If it ends before, the next one sends it, maybe once more. */
const sentAfter = 60_000;

interface Presence {
  type: PresenceType;
  user: string;
  /** In milliseconds since 1970. */
  at: number;
}

/** The users who are here, without the changes of the last seconds. */
export class SettledPresence {
  readonly #known: Set<string>;
  /** Since when it is otherwise for a user, in milliseconds since 1970. */
  readonly #since = new Map<string, number>();

  /** @param here who is here at the beginning: nothing is said of them */
  constructor(here: Iterable<string>) {
    this.#known = new Set(here);
  }

  /** The users who have come or left since the last call, and have stayed or stayed away for a while. */
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
 * Notices who comes to this chat and leaves it. The first of its servers by name notifies the site; if they do not hear each
 * other, several do.
 * @param wanted the types of events that the site wants; if none of these is among them, nobody is watched
 * @param look `others`: those that work
 */
export function watchPresence(
  wanted: ReadonlySet<string>,
  webhooks: { readonly roomForOnce: number; sendOnce(type: PresenceType, user: string): void },
  look: () => { own: Server; others: readonly Server[] },
): { stop(): void } {
  if (!presenceTypes.some((type) => wanted.has(type))) return { stop() {} };
  let settled: SettledPresence | undefined;
  /** The last change of each user that is to be sent, or that the first server may not have sent before its end. */
  const left = new Map<string, Presence>();
  const timer = setInterval(() => {
    const { own, others } = look();
    const elsewhere = others.flatMap(({ users }) => [...users]);
    // The others have said so of these users.
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
