// Node messages are stored in the change log. An erasure removes the user's name and data from them.

/** The parts of a node message that are about users. `Broadcast` in cluster/servers.ts is the whole message. */
interface Broadcast {
  /** How others see these users. */
  users?: readonly (readonly [id: string, seen: { name: string } | null])[];
  order?: { is: string };
  user?: string;
}

/** Returns the users whose names a node message contains. */
export const usersNamed = (what: object): string[] =>
  ((what as Broadcast).users ?? []).flatMap(([id, seen]) => (seen === null ? [] : [id]));

/** Returns the node message without the name of this user, and without data pushed to this user. */
export function withoutUser(what: object, user: string): object {
  const { users, order, user: of } = what as Broadcast;
  if (users !== undefined) {
    return {
      ...what,
      users: users.map(([id, seen]) => [id, id === user && seen ? { ...seen, name: id } : seen]),
    };
  }
  // A push becomes a command without effect. A server that reads the entry only now is too late for it anyway.
  return order?.is === 'push' && of === user ? { ...what, order: { is: 'count' } } : what;
}
