import { everybody, type StoredMessage } from '../../history/history.ts';
import type { EventPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { connectionIdsOf, type Person, type Room } from '../model.ts';
import type { OrderAnswer } from '../other-servers.ts';
import { announceReturn, sendSummary } from '../summary.ts';
import { withMention, withoutMention } from './unread-mentions.ts';

/** A message mentions users, or no longer mentions them. */
export const mentionsEffect: Effect<'mentions'> = {
  outdates: (_, { added, removed }) => [...added, ...removed],
  apply(chat, { message, added, removed }, find) {
    const { directory } = chat;
    const room = directory.room(message.room);
    if (room === undefined) return undefined;
    const users = [...added, ...removed];
    const mentioned = message.mentions ?? [];
    const isForAll = users.includes(everybody);
    if (isForAll) directory.recent.forgetRoom(room);
    for (const id of isForAll ? [...room.here].map(({ user }) => user.id) : users) {
      const isMentioned = mentioned.some(({ user }) => user === id || user === everybody);
      applyUnread(find(id), message, isMentioned);
    }
    return () => announceMentions(chat, room, message, added, removed);
  },
};

/** A reply was sent or deleted, or no longer mentions users who follow its thread. */
export const concernedEffect: Effect<'concerned'> = {
  outdates: (_, { users }) => users,
  apply(chat, { message, users, is }, find) {
    const { directory } = chat;
    const room = directory.room(message.room);
    if (room === undefined) return undefined;
    for (const user of users) applyUnread(find(user), message, is !== 'deleted');
    return () => {
      if (is !== 'new') return sendCounts(chat, room, message, users);
      announceReturn(
        chat,
        room,
        users.flatMap((user) => directory.person(user) ?? []),
      );
      const mentioned = new Set(message.mentions?.map(({ user }) => user));
      // Mentioned users are notified of the mention.
      if (mentioned.has(everybody) || message.deletedAt !== undefined) return;
      const followers = users
        .filter((user) => !mentioned.has(user))
        .flatMap((user) => directory.person(user) ?? []);
      announceTo(chat, room, followers, message, { followed: true });
    };
  },
};

/** Adds a message to the user's unread mentions, or removes it. */
function applyUnread(
  person: Person | undefined,
  { room, seq, user: author }: StoredMessage,
  isTarget: boolean,
): void {
  const membership = person?.memberships.get(room);
  if (person === undefined || membership === undefined) return;
  const others = withoutMention(membership.mentions, seq);
  const isUnread = isTarget && seq > membership.member.readSeq;
  membership.mentions = isUnread ? withMention(others, author.id, seq, person.blocked) : others;
}

function announceMentions(
  chat: Chat,
  room: Room,
  message: StoredMessage,
  added: readonly string[],
  removed: readonly string[],
): void {
  const { directory, publisher } = chat;
  // The message may be newer than the change on a server that gets the change late.
  const mentioned = new Set(message.mentions?.map(({ user }) => user));
  const isForAll = mentioned.has(everybody) && added.includes(everybody);
  const people = added
    .filter((user) => mentioned.has(user))
    .flatMap((user) => directory.person(user) ?? [])
    .filter((person) => !isForAll || !room.here.has(person));
  announceTo(chat, room, people, message);
  announceReturn(chat, room, isForAll ? room.here : people);
  if (isForAll) {
    // One frame for all, without asking other servers about each member.
    const members = [...room.here].filter((person) => isTarget(room, person, message));
    const payload = { message: directory.messageOf(message) };
    publisher.toConnections(connectionIdsOf(members), 'mention', payload);
  }
  sendCounts(
    chat,
    room,
    message,
    removed.filter((user) => user !== everybody),
  );
  if (!removed.includes(everybody)) return;
  const recounted = [...room.here].filter((person) => isUnread(room, person, message));
  chat.summaries.send(
    room,
    recounted.flatMap(({ connections }) => [...connections]),
  );
}

/**
 * Sends a message to its notification targets, except users who read it, blocked its author, or joined the room on any
 * server.
 * @param how.followed the targets follow the thread of the message. Absent if the message mentions them.
 */
function announceTo(
  chat: Chat,
  room: Room,
  people: readonly Person[],
  message: StoredMessage,
  how: Pick<EventPayload<'mention'>, 'followed'> = {},
): void {
  const { directory, publisher, others } = chat;
  const { id } = room.record;
  const isReader = (person: Person) => directory.find(person, id) === room && isTarget(room, person, message);
  const send = (to: readonly Person[], current: StoredMessage) => {
    const payload = { message: directory.messageOf(current), ...how };
    publisher.toConnections(connectionIdsOf(to.filter(isReader)), 'mention', payload);
  };
  const { remote = [], local = [] } = Object.groupBy(people.filter(isReader), ({ user }) =>
    others?.isConnected(user.id) ? 'remote' : 'local',
  );
  send(local, message);
  if (others === undefined || remote.length === 0) return;
  // One node command for all users, because the command and each response are stored in the history.
  const users = remote.map(({ user }) => user.id);
  others
    .orderOthers('', { is: 'joined', room: id, users })
    // A repeated mention is better than a lost one.
    .catch(() => ({ joined: [] }))
    .then(async ({ joined = [] }: Pick<OrderAnswer, 'joined'>) => {
      // During the command the message may have been deleted or edited, and users may have lost the room.
      const current = await readCurrent(chat, message);
      if (current === undefined) return;
      const mentioned = new Set(current.mentions?.map(({ user }) => user));
      const isStillTarget = (user: string) =>
        how.followed ? !mentioned.has(user) && !mentioned.has(everybody) : mentioned.has(user);
      send(
        remote.filter(({ user }) => !joined.includes(user.id) && isStillTarget(user.id)),
        current,
      );
    })
    // If this fails, the message still counts as an unread mention.
    .catch((error) => chat.onAsideFailure('mention_told', error));
}

/** Returns the current message; undefined if it was deleted. */
async function readCurrent(
  { history }: Chat,
  { room, seq, id }: StoredMessage,
): Promise<StoredMessage | undefined> {
  const [message] = await history.read.messages({ places: [{ room, seq }] });
  return message?.id === id && message.deletedAt === undefined ? message : undefined;
}

/** Sends these users new summaries after a change of this message, because their counts of mentions changed. */
function sendCounts(chat: Chat, room: Room, { user: author }: StoredMessage, users: readonly string[]): void {
  for (const user of users) {
    const person = chat.directory.person(user);
    if (person?.blocked.has(author.id) || !person?.memberships.has(room.record.id)) continue;
    for (const connection of person.connections) sendSummary(chat, room, connection);
  }
}

/**
 * Whether a user must be notified of the message. Users who read it before an edit are not notified, because it does
 * not become unread again.
 */
function isTarget(room: Room, person: Person, message: StoredMessage): boolean {
  const hasJoined = [...person.connections].some(({ joined }) => joined.has(room));
  return isUnread(room, person, message) && !hasJoined;
}

function isUnread(
  room: Room,
  { memberships, blocked }: Person,
  { user: author, seq }: StoredMessage,
): boolean {
  const { readSeq = 0 } = memberships.get(room.record.id)?.member ?? {};
  return seq > readSeq && !blocked.has(author.id);
}
