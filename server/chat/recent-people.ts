import type { Person, Room } from './model.ts';

/** The largest sum of `weight` over all remembered people: some megabytes. */
const mostRemembered = 50_000;

const weight = ({ memberships }: Person): number => 1 + memberships.size;

/**
 * People who left a while ago, as they were: when thousands come back at once, they need not be read from the history.
 * A person is forgotten when a change concerns them or one of their rooms leaves memory, so this always equals the
 * history. Only for a single server, because changes of others come late.
 */
export class RecentPeople {
  /** By user id, the first to leave first. */
  readonly #people = new Map<string, Person>();
  readonly #byRoom = new Map<Room, Set<Person>>();
  #weight = 0;

  /** Remembers a person who has left. All their rooms must be in memory and stay there for others. */
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
   * Forgets a user whose state has changed or is in use again.
   * @returns the remembered state
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

  forgetRoom(room: Room): void {
    for (const { user } of this.#byRoom.get(room) ?? []) this.forget(user.id);
  }
}
