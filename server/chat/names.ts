import { deletedUser, type History } from '../history/history.ts';
import type { User } from '../wire/events.ts';
import type { Directory } from './directory.ts';

/** Returns users as site moderators see them. Site moderators may know the names of all users. */
export async function namesForSite(
  { history }: { history: History },
  users: readonly string[],
): Promise<(id: string) => User> {
  const known = await history.read.users({ ids: [...new Set(users)] });
  const names = new Map([deletedUser, ...known].map(({ id, name }) => [id, name]));
  return (id) => ({ id, name: names.get(id) ?? id });
}

/** Returns users as members of the room may see them. @param asker the reader, who may see their own name */
export async function namesIn(
  { history, directory }: { history: History; directory: Directory },
  room: string,
  users: readonly string[],
  asker?: string,
): Promise<Map<string, User>> {
  const ids = [...new Set(users)];
  const [known, members] = await Promise.all([
    history.read.users({ ids }),
    history.read.membersOf({ room, users: ids }),
  ]);
  const records = new Map(known.map((user) => [user.id, user]));
  return new Map(
    ids.map((id, n) => {
      if (id === deletedUser.id) return [id, deletedUser];
      const record = records.get(id);
      const visible = id === asker || directory.isVisible(record, members[n]);
      return [id, { id, name: visible && record !== undefined ? record.name : id }];
    }),
  );
}
