/** The parts of a notification between servers (cluster/servers.ts) that concern users. */
interface Told {
  /** How others see them. */
  users?: readonly (readonly [id: string, seen: { name: string } | null])[];
  order?: { is: string };
  user?: string;
}

/** The users whom a notification names. */
export const usersNamed = (what: object): string[] =>
  ((what as Told).users ?? []).flatMap(([id, seen]) => (seen === null ? [] : [id]));

/** The notification without the name of this user, and without data pushed to this user. */
export function withoutUser(what: object, user: string): object {
  const { users, order, user: of } = what as Told;
  if (users !== undefined) {
    return {
      ...what,
      users: users.map(([id, seen]) => [id, id === user && seen ? { ...seen, name: id } : seen]),
    };
  }
  // A server that reads it now is too late for it.
  return order?.is === 'push' && of === user ? { ...what, order: { is: 'count' } } : what;
}
