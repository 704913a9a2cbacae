import { isMember } from '../history/history.ts';
import type { Answers, RequestPayload } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import type { Chat } from './chat.ts';
import type { Connection, Room } from './model.ts';
import { partnerOf } from './summary.ts';

/** Returns what the asker may know of a user in a room. Users who are not members and unknown users look the same. */
export async function about(
  { history, directory, settings }: Chat,
  { person }: Connection,
  room: Room,
  { user }: RequestPayload<'user:about'>,
): Promise<Answers['user:about']> {
  const { id } = room.record;
  const asker = person.user.id;
  const isSelf = user === asker;
  // All three are read for any ID, so that the response time does not reveal whether the user exists or is a member.
  const [[stored], [known], last] = await Promise.all([
    history.read.membersOf({ room: id, users: [user] }),
    history.read.users({ ids: [user] }),
    history.read.lastHere({ user, asker }),
  ]);
  const member = isMember(stored) ? stored : undefined;
  const partner = partnerOf(directory, room, person);
  const isPartner = partner !== undefined && partner.user.id === user;
  const isNamed = isPartner ? partner.known : member !== undefined && directory.isVisible(known, member);
  const present = isSelf || (isNamed && (isPartner ? partner.present : room.present.has(user)));
  const mayKnow = settings.lastSeen && !isGuest(asker) && isNamed && !present && person.memberships.has(id);
  return {
    role: isPartner ? 'member' : member?.role,
    present,
    lastHere: mayKnow ? last.at : undefined,
    hidden: isSelf && !isGuest(asker) && (settings.lastSeen || settings.seen) ? last.hidden : undefined,
  };
}

export async function hide(
  { history }: Chat,
  { person }: Connection,
  { hidden }: RequestPayload<'user:hide'>,
): Promise<Answers['user:hide']> {
  await history.write.hideHere({ user: person.user.id, hidden });
  return {};
}
