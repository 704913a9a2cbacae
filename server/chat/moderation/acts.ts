import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';
import { namesForSite } from '../names.ts';
import { isKnown, readKnown } from './known-rooms.ts';

/** Lists the audit entries of the site, and of the rooms that the admin may know of, newest first. */
export async function acts(
  chat: Chat,
  connection: Connection,
  { scope, cursor, limit }: RequestPayload<'moderate:acts'>,
): Promise<Answers['moderate:acts']> {
  return readKnown(chat, connection, async (known) => {
    const page = await chat.history.read.actsIn({
      ...known,
      scope,
      from: cursor,
      limit,
    });
    const named = await namesForSite(
      chat,
      page.acts.flatMap(({ by, user }) => [by, user].filter((id) => id !== undefined)),
    );
    return {
      acts: page.acts.map(({ by, user, ...act }) => {
        // The ID of a deleted public room may now belong to a private room that the admin may not know of.
        const { room = '' } = act;
        const name = isKnown(chat, known, room) ? chat.directory.room(room)?.record.name : undefined;
        return {
          ...act,
          by: by === undefined ? undefined : named(by),
          user: user === undefined ? undefined : named(user),
          name,
        };
      }),
      next: page.next,
    };
  });
}
