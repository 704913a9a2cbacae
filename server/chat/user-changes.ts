import type { Effect } from './effect.ts';
import { nobody } from './model.ts';

/** The name or the site role of a user changed, or the user acted in a public room for the first time. */
export const userEffect: Effect<'user'> = {
  outdates: ({ directory }, { user }) => directory.withPeers(user.id),
  apply({ directory, others }, { user }, find) {
    for (const { partners } of directory.directRoomsOf(user.id)) {
      const partner = partners.get(user.id);
      if (partner !== undefined) partner.user = user;
    }
    const person = find(user.id);
    if (person === undefined) return undefined;
    person.user = { ...user };
    for (const { room, member } of person.memberships.values()) {
      if (directory.isVisible(user, member)) directory.show(room, user);
    }
    others?.seenChanged(user.id);
    return undefined;
  },
};

/** A user was banned from the whole site, or the ban was lifted. */
export const banEffect: Effect<'ban'> = {
  apply({ directory, kick }, { user, ban }) {
    directory.setBan(user, ban);
    return ban === null ? undefined : () => void kick(user);
  },
};

/** A user was erased. If the ID connects again, it is a new user. */
export const erasedEffect: Effect<'erased'> = {
  outdates: (_, { user }) => [user],
  apply({ others }, { user: id }, find) {
    const person = find(id);
    if (person === undefined) return undefined;
    person.isStored = false;
    person.user = { id, name: id, actedPublic: false };
    person.blocked = nobody;
    others?.seenChanged(id);
    return undefined;
  },
};
