import type { Person, Room } from './model.ts';

/** The maximum sum of `weightOf` over all remembered users, which takes some megabytes. */
const maxWeight = 50_000;

const weightOf = ({ memberships }: Person): number => 1 + memberships.size;

/**
 * Keeps the state of users who left recently, so that thousands can reconnect at once without reading the history. A
 * user is forgotten when a change affects them (`outdates` of its effect) or one of their rooms leaves memory, so the
 * state always equals the history. Used only by a single server, because changes of other servers arrive late.
 */
export class RecentPeople {
  /** By user ID. The user who left first comes first. */
  readonly #people = new Map<string, Person>();
  readonly #peopleByRoom = new Map<Room, Set<Person>>();
  #weight = 0;

  /** Remembers a user who left. All the user's rooms must still be in memory, without this user. */
  remember(person: Person): void {
    if (weightOf(person) > maxWeight) return;
    this.#people.set(person.user.id, person);
    for (const { room } of person.memberships.values()) {
      const people = this.#peopleByRoom.get(room) ?? new Set();
      this.#peopleByRoom.set(room, people.add(person));
    }
    this.#weight += weightOf(person);
    for (const oldest of this.#people.keys()) {
      if (this.#weight <= maxWeight) break;
      this.forget(oldest);
    }
  }

  /** Forgets a user whose state changes, or who reconnects. @returns the remembered state */
  forget(user: string): Person | undefined {
    const person = this.#people.get(user);
    if (person === undefined) return undefined;
    this.#people.delete(user);
    for (const { room } of person.memberships.values()) {
      const people = this.#peopleByRoom.get(room);
      people?.delete(person);
      if (people?.size === 0) this.#peopleByRoom.delete(room);
    }
    this.#weight -= weightOf(person);
    return person;
  }

  forgetRoom(room: Room): void {
    for (const { user } of this.#peopleByRoom.get(room) ?? []) this.forget(user.id);
  }
}
