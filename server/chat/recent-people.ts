import type { Person, Room } from './model.ts';

/** The sum of `weight` over everybody who is remembered: some megabytes. */
const mostRemembered = 50_000;

const weight = ({ memberships }: Person): number => 1 + memberships.size;

/**
 * People who have left a while ago, as they were: when thousands come back at once, nobody has to be read from the
 * history. A change that concerns somebody here makes the directory forget them, so what is remembered is what the history
 * would say.
 */
export class RecentPeople {
  /** By user id; the longest gone is first. */
  readonly #people = new Map<string, Person>();
  #weight = 0;

  /** Somebody has left. */
  remember(person: Person): void {
    if (weight(person) > mostRemembered) return;
    this.forget(person.user.id);
    this.#people.set(person.user.id, person);
    this.#weight += weight(person);
    for (const longestGone of this.#people.keys()) {
      if (this.#weight <= mostRemembered) break;
      this.forget(longestGone);
    }
  }

  /** What is remembered of this user is no longer true. */
  forget(user: string): void {
    const person = this.#people.get(user);
    if (person === undefined) return;
    this.#people.delete(user);
    this.#weight -= weight(person);
  }

  /**
   * Somebody is back, and no longer among those who have left.
   * @param isCurrent whether a room is still the one in memory, which has followed all changes
   */
  take(user: string, isCurrent: (room: Room) => boolean): Person | undefined {
    const person = this.#people.get(user);
    if (person === undefined) return undefined;
    this.forget(user);
    for (const { room } of person.memberships.values()) if (!isCurrent(room)) return undefined;
    return person;
  }
}
