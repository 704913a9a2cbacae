import type { User } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { openMenu } from '../controls/menu.tsx';
import { writeTo } from '../people/person-actions.ts';
import { refusal } from '../refusal.ts';

/** Limits the requests, because the list of members has no filter for roles. */
const MOST_PAGES = 5;

/**
 * Lets a muted user choose a moderator of the room to write to. The server keeps secret who muted the user. If no
 * member has a role there, such as in rooms of the site's moderators, shows the members.
 */
export async function askModerator(room: Room, context: Context, opener: HTMLElement): Promise<void> {
  const { chat, strings, toast, showDetails } = context;
  try {
    const moderators = await findModerators(room, context);
    if (chat.current !== room || !opener.isConnected) return;
    if (moderators.length === 0) return showDetails('people');
    const items = moderators.map((user) => ({
      picture: 'person' as const,
      label: strings.name(user),
      run: () => writeTo(user, context),
    }));
    openMenu(context, opener, { label: strings.text('mute.ask'), items });
  } catch (error) {
    toast(refusal(error, strings), 'bad');
  }
}

async function findModerators(room: Room, { chat }: Context): Promise<User[]> {
  const found: User[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { members, next } = await chat.request('room:members', {
      room: room.id,
      cursor,
    });
    const others = members.filter(({ user, role }) => role !== 'member' && user.id !== chat.me?.id);
    found.push(...others.map(({ user }) => user));
    if (next === undefined) break;
    cursor = next;
  }
  return found;
}
