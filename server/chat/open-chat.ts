import { createHash } from 'node:crypto';
import { roomId, type User } from '../wire/events.ts';
import { Activity } from './activity.ts';
import { AnnouncementQueues } from './asides.ts';
import { ChangedSummaries } from './changed-summaries.ts';
import type { Chat, GivenParts } from './chat.ts';
import { Directory } from './directory.ts';
import { catchUp, followChanges } from './follow-changes.ts';
import { LastHere } from './last-here.ts';
import { sendWhenDue } from './later.ts';
import { NewestPages } from './messages/newest-pages.ts';
import { Reactions } from './messages/reactions.ts';
import { SeenBy } from './messages/seen.ts';
import { ThreadChanges } from './messages/thread-changes.ts';
import { Typing } from './messages/typing.ts';
import { keepEnding } from './moderation/restriction-ends.ts';
import { obey } from './orders.ts';
import type { ThisServer } from './other-servers.ts';
import { PageReaders } from './page-readers.ts';
import { Partners } from './partners.ts';
import { Presence } from './presence.ts';
import { Team } from './questions/team.ts';
import { enforceRetention, type Retention } from './retention.ts';
import { type KeyRenewal, renewSearchKeys } from './search-keys.ts';
import { withoutDeleted } from './site-accounts.ts';
import { sendSummary } from './summary.ts';

interface ChatOptions {
  /** The rooms of CHAT_ROOMS. An undefined ID is derived from the name. */
  rooms: readonly { id?: string; name: string }[];
  retention: Retention;
  /** Called when expired mutes and bans could not be lifted. */
  onEndFailure: (error: Error) => void;
  /** Called when expired data could not be deleted: see `enforceRetention`. */
  onSweepFailure: (error: Error) => void;
  /** Called while the search keys of users are renewed, and when they could not be: see `renewSearchKeys`. */
  onKeysRenewed: (renewal: KeyRenewal) => void;
  onKeysFailure: (error: Error) => void;
  /** Called when scheduled messages could not be sent: see `sendWhenDue`. */
  onDueFailure: (error: Error) => void;
  /** Called when an existing room of CHAT_ROOMS differs from the setting, which then has no effect on it. */
  onOtherRoom: (room: { id: string; name: string; is: 'private' | 'called otherwise' }) => void;
}

export async function openChat({
  rooms,
  retention,
  onEndFailure,
  onSweepFailure,
  onKeysRenewed,
  onKeysFailure,
  onDueFailure,
  onOtherRoom,
  ...parts
}: GivenParts & ChatOptions): Promise<Chat> {
  const { history, publisher, settings, others, kick, onAsideFailure } = parts;
  const configured = rooms.map(({ id, name }) => ({ id: id ?? toRoomId(name), name }));
  await history.write.publicRooms({ rooms: configured, at: Date.now() });
  const closing = new AbortController();
  const { signal } = closing;
  const presence = new Presence(publisher);
  const findAll = settings.findPeople === 'all';
  const guestRooms = settings.guests?.rooms ?? new Set<string>();
  const directory = new Directory({ findAll, showsSeen: settings.seen, guestRooms, presence, others });
  const typing = new Typing(publisher, others);
  const pageReaders = new PageReaders(history, others, (user) => directory.banOf(user) !== null);
  const summaries = new ChangedSummaries((room, connection) =>
    sendSummary({ directory, publisher }, room, connection),
  );
  const here = partForOthers({ directory, typing, pageReaders, publisher, cards: parts.cards, kick });
  const existing = (users: readonly User[]) =>
    withoutDeleted({ accounts: parts.accounts, history, directory }, users);
  let sendDue: (() => void) | undefined;
  const endRestrictions = keepEnding({ history, directory }, signal, onEndFailure);
  const chat: Chat = {
    ...parts,
    directory,
    presence,
    typing,
    pageReaders,
    summaries,
    threads: new ThreadChanges(history, publisher, signal, onAsideFailure),
    seenBy: new SeenBy(history, directory, publisher, onAsideFailure),
    activity: new Activity(directory, publisher),
    announcements: new AnnouncementQueues(onAsideFailure),
    partners: new Partners(history, directory, summaries),
    newest: new NewestPages(history),
    reactions: new Reactions(history),
    team: new Team({ history, directory, withoutDeleted: existing }, settings.team),
    lastHere: settings.lastSeen ? new LastHere(history, signal, onAsideFailure) : undefined,
    endRestrictions,
    sendDue: () => sendDue?.(),
    here,
    async everywhere(user, order) {
      const obeyed = here.obey(user, order);
      if (others === undefined) return (await obeyed).count;
      const [own, remote] = await Promise.allSettled([obeyed, others.orderOthers(user, order)]);
      if (own.status === 'rejected') throw own.reason;
      const { count } = own.value;
      if (remote.status === 'fulfilled') return count + remote.value.count;
      // After an error the caller retries. A kick can be repeated, but a push would reach the connections to this
      // server twice.
      if (order.is === 'kick' || (order.is === 'push' && count === 0)) throw remote.reason;
      return count;
    },
    catchUp: (reading, take, find) => catchUp(chat, reading, take, find),
    configured: configured.map(({ id }) => id),
    close: () => closing.abort(),
  };
  await followChanges(chat);
  await chat.team.dismissOthers();
  for (const { id, name } of rooms) {
    // Without an ID, the setting only names a new room. Users may rename it later.
    if (id === undefined) continue;
    const room = directory.room(id);
    if (room === undefined) onOtherRoom({ id, name, is: 'private' });
    else if (room.record.name !== name) onOtherRoom({ id, name, is: 'called otherwise' });
  }
  endRestrictions();
  // Not awaited, because the number of rooms may be very large and the port must open.
  const isHere = (user: string) => directory.isHere(user);
  enforceRetention(history, retention, isHere, () => chat.team.review(), signal, onSweepFailure);
  renewSearchKeys(history, signal, onKeysRenewed, onKeysFailure);
  sendDue = sendWhenDue(chat, retention.rooms, signal, onDueFailure);
  return chat;
}

/** Returns the ID of a room in CHAT_ROOMS: the name if that is a valid ID, otherwise a hash of it. */
function toRoomId(name: string): string {
  if (roomId.safeParse(name).success) return name;
  return `r-${createHash('sha256').update(name.normalize('NFC')).digest('hex').slice(0, 16)}`;
}

function partForOthers(
  parts: Pick<Chat, 'directory' | 'typing' | 'pageReaders' | 'publisher' | 'cards' | 'kick'>,
): ThisServer {
  const { directory, typing, pageReaders } = parts;
  return {
    seen: (user) => directory.seen(user),
    everybody: () => directory.everybody(),
    presenceChanged(id, user) {
      directory.presenceChanged(id, user);
      const room = directory.room(id);
      const present = room?.present.get(user);
      if (room !== undefined && present !== undefined) typing.arrived(room, present);
    },
    typing(record, user, isTyping) {
      const room = directory.room(record.id);
      // The servers may disagree for a moment about which room has this ID.
      const isSame = room?.record.createdAt === record.createdAt;
      typing.setElsewhere(record, isSame ? room : undefined, user, isTyping);
    },
    reads: (page, user) => pageReaders.note(page, user),
    obey: (user, order) => obey(parts, user, order),
  };
}
