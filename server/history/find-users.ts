import type { UserRecord } from './history.ts';
import { behindNames, findKeys, nameKey, sortKey } from './text-keys.ts';

/** This many of the people whom the asker may know are looked through for a word of the name, or the id. */
export const mostLookedThrough = 5000;

/** Of the people who are shown in the asker's rooms: those whose sort keys are from `from` on and before `to`. */
export interface Range {
  from: string;
  to: string;
}

/** All names that are shown. */
export const allNames: Range = { from: '', to: behindNames };

/** All names that begin with this, and perhaps some more. */
export function namesLike(query: string): Range {
  const from = [...sortKey(query)].slice(0, 128).join('');
  return { from, to: from + behindNames };
}

/** Somebody who is shown in a room, and where in its list of members. */
export interface Shown {
  user: UserRecord;
  sort: string;
}

/** The people who are found, each once: in the order in which they were added, those of one call by their names. */
export class FoundUsers {
  readonly #beginning: string;
  readonly #most: number;
  readonly #found = new Map<string, UserRecord>();

  constructor({ query, limit }: { query: string; limit: number }) {
    this.#beginning = nameKey(query);
    this.#most = limit;
  }

  get isFull(): boolean {
    return this.#found.size >= this.#most;
  }

  add(people: readonly Shown[]): void {
    const beginning = this.#beginning;
    // Each key is a part of the name or the id, and to look for a part takes little time.
    const isNear = ({ id, name }: UserRecord) =>
      nameKey(name).includes(beginning) || nameKey(id).includes(beginning);
    const fitting = people.filter(
      ({ user }) => isNear(user) && findKeys(user).some((key) => key.startsWith(beginning)),
    );
    fitting.sort((a, b) => compare(a.sort, b.sort) || compare(a.user.id, b.user.id));
    for (const { user } of fitting) this.#found.set(user.id, this.#found.get(user.id) ?? user);
  }

  get users(): UserRecord[] {
    return [...this.#found.values()].slice(0, this.#most);
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
