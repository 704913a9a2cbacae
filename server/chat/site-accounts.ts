import { RequestError } from '../wire/errors.ts';
import { isGuest } from '../wire/guest.ts';
import type { Chat } from './chat.ts';

/** What the site knows of user IDs that a client sent. */
export interface NamedUsers {
  /** The site has no such user. */
  unknown: ReadonlySet<string>;
  /** By ID, the site's names of users whose names the chat does not know. */
  names: ReadonlyMap<string, string>;
}

/**
 * Looks up offline users in the site's table of users. If the server does not know this table, only guests are unknown.
 * @throws RequestError `storage_unavailable`
 */
export async function askSite(
  { accounts, history, directory }: Pick<Chat, 'accounts' | 'history' | 'directory'>,
  ids: readonly string[],
): Promise<NamedUsers> {
  const guests = ids.filter(isGuest);
  const absent = ids.filter((id) => !isGuest(id) && !directory.isHere(id));
  if (accounts === undefined || absent.length === 0) return { unknown: new Set(guests), names: new Map() };
  const [onSite, known, listed] = await Promise.all([
    accounts.names(absent).catch((cause: Error) => {
      const reason = `the users of the site cannot be read: ${cause.message}`;
      throw new RequestError('storage_unavailable', reason, { cause });
    }),
    history.read.users({ ids: absent }),
    history.read.siteUsers({ ids: absent }),
  ]);
  // If the stored name is the ID, the chat does not know the user's name.
  const named = new Set(known.flatMap(({ id, name }) => (name === id ? [] : [id])));
  return {
    unknown: new Set([...guests, ...absent.filter((id) => !onSite.has(id) && !listed.includes(id))]),
    names: new Map([...onSite].filter(([id]) => !named.has(id))),
  };
}

/**
 * Returns the users without offline ones that the site deleted. Returns all if the site does not answer, or the server
 * does not know its table of users.
 */
export async function withoutDeleted<Named extends { readonly id: string }>(
  { accounts, history, directory }: Pick<Chat, 'accounts' | 'history' | 'directory'>,
  users: readonly Named[],
): Promise<readonly Named[]> {
  const absent = users.flatMap(({ id }) => (directory.isHere(id) ? [] : [id]));
  if (accounts === undefined || absent.length === 0) return users;
  const [onSite, listed] = await Promise.all([
    accounts.names(absent).catch(() => undefined),
    history.read.siteUsers({ ids: absent }),
  ]);
  if (onSite === undefined) return users;
  return users.filter(({ id }) => !absent.includes(id) || onSite.has(id) || listed.includes(id));
}
