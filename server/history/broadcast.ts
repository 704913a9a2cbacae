// Notifications between servers lie in the log of changes, without names and data of users who are erased.

/** The parts of a notification between servers that concern users. `Broadcast` in cluster/servers.ts has all of it. */
interface Broadcast {
  /** How others see them. */
  users?: readonly (readonly [id: string, seen: { name: string } | null])[];
  order?: { is: string };
  user?: string;
}

/** The users whom a notification names. */
export const usersNamed = (what: object): string[] =>
  ((what as Broadcast).users ?? []).flatMap(([id, seen]) => (seen === null ? [] : [id]));

/** The notification without the name of this user, and without data pushed to this user. */
export function withoutUser(what: object, user: string): object {
  const { users, order, user: of } = what as Broadcast;
  if (users !== undefined) {
    return {
      ...what,
      users: users.map(([id, seen]) => [id, id === user && seen ? { ...seen, name: id } : seen]),
    };
  }
  // An order that does nothing takes its place: a server that reads it only now is too late for the push.
  return order?.is === 'push' && of === user ? { ...what, order: { is: 'count' } } : what;
}
