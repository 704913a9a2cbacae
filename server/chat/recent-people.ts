import type { Person, Room } from './model.ts';

/** The sum of `weight` over everybody who is remembered: some megabytes. */
const mostRemembered = 50_000;

const weight = ({ memberships }: Person): number => 1 + memberships.size;

/**
 * People who have left a while ago, as they were: when thousands come back at once, nobody has to be read from the
 * history. They are forgotten when a change concerns them, and when one of their rooms leaves memory, so what is remembered
 * is what the history would say. For a server alone: the changes of others come late.
 */
export class RecentPeople {
  /** By user id; the longest gone is first. */
  readonly #people = new Map<string, Person>();
  readonly #byRoom = new Map<Room, Set<Person>>();
  #weight = 0;

  /** Somebody has left; all their rooms are in memory, and stay there for others. */
  remember(person: Person): void {
    if (weight(person) > mostRemembered) return;
    this.#people.set(person.user.id, person);
    for (const { room } of person.memberships.values()) {
      const people = this.#byRoom.get(room) ?? new Set();
      this.#byRoom.set(room, people.add(person));
    }
    this.#weight += weight(person);
    for (const longestGone of this.#people.keys()) {
      if (this.#weight <= mostRemembered) break;
      this.forget(longestGone);
    }
  }

  /**
   * What is remembered of this user is no longer true, or is used now.
   * @returns what was remembered
   */
  forget(user: string): Person | undefined {
    const person = this.#people.get(user);
    if (person === undefined) return undefined;
    this.#people.delete(user);
    for (const { room } of person.memberships.values()) {
      const people = this.#byRoom.get(room);
      people?.delete(person);
      if (people?.size === 0) this.#byRoom.delete(room);
    }
    this.#weight -= weight(person);
    return person;
  }

  /** The room is no longer in memory. */
  forgetRoom(room: Room): void {
    for (const { user } of this.#byRoom.get(room) ?? []) this.forget(user.id);
  }
}
