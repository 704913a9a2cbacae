import { mayRead } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import { notifyOf } from '../chat/summary.ts';
import {
  acted,
  type History,
  isBanned,
  isMember,
  isUserRoom,
  type Membership,
  type Reads,
  type RoomRecord,
  type StoredMessage,
} from '../history/history.ts';
import type { User } from '../wire/events.ts';
import { messagesOfMail, roomsOfMail } from './mail-bounds.ts';

/** The unread messages that concern a user, as they are stored now. */
export interface Unread {
  user: User;
  /** Of these rooms. */
  total: number;
  /** The one with the newest message first. */
  rooms: UnreadRoom[];
}

export interface UnreadRoom {
  room: string;
  kind: RoomRecord['kind'];
  /** The stored membership; absent for a user who is named in a public room without being a member. */
  member?: Membership['member'];
  /** Of a direct room, the name of the other user. */
  name: string;
  /** Set if a user wrote the name: in a direct room, or in one that a user made. */
  isUserText?: true;
  /** The text of users that no mail or push shows, because the reader has not accepted the room: see `withheldIn`. */
  withheld?: 'all' | 'messages';
  /** The messages that concern the user; at most `mostUnread`. */
  unread: number;
  /** The mentions of the user among all unread messages, and replies in followed threads; at most `mostUnread`. */
  mentions: number;
  /** The first of them, and when it was sent, in milliseconds since 1970. */
  from: number;
  since: number;
  /** The number of the last of them. */
  newest: number;
  /** The first few of them, and the last one; none where they were not asked for, and none that is deleted meanwhile. */
  messages: StoredMessage[];
  last?: StoredMessage;
}

export interface UnreadOptions {
  /** When the user was last notified of which rooms. */
  notified: Notified;
  /** These rooms alone. */
  only?: readonly string[];
  /** Of these rooms, as many as a mail shows, the messages are given. All rooms together would take too much memory. */
  messagesOf?: readonly string[];
  /** Leaves out messages that are `withheld`. */
  forMail?: boolean;
}

/** The most unread messages of a room that are counted, and the most mentions. */
const mostUnread = 100;
/**
 * Milliseconds for which a message is unread for somebody whom it names and who is no member: long enough for a mail once a
 * day, for quiet hours after that, and for the tries of a day.
 */
const namedFor = 3 * 24 * 60 * 60_000;

/**
 * All rooms with unread messages that concern a user: in rooms of which the user wants to hear each message, those of others;
 * elsewhere those that mention the user, or answer in a thread that the user follows. None that is deleted, and none by
 * somebody whom the user has blocked. A user who is banned, or has never been here, is not notified at all. In a public room
 * of which the user is no member, a message of the last days that names the user is unread until the user opens the room, or
 * was notified of it.
 */
export async function unreadOf(
  { read }: Pick<History, 'read'>,
  directory: Directory,
  id: string,
  { notified, only, messagesOf = [], forMail = false }: UnreadOptions,
): Promise<Unread | undefined> {
  const { user, memberships, blocked, arrived } = await read.user({ user: id });
  if (user === null || !arrived || directory.banOf(id) !== null) return undefined;
  const without = new Set([...blocked, id]);
  // The user may have lost the room before its messages were read, and another room may have got its id.
  const still = async ({ room, member }: Pick<Membership, 'room'> & { member?: Membership['member'] }) => {
    const [now] = await read.membersOf({ room: room.id, users: [id] });
    const there = await read.room({ room: room.id, bare: true });
    if (there?.createdAt !== room.createdAt) return false;
    return isMember(member) ? isMember(now) : mayRead(there, undefined, isBanned(now));
  };
  const isMeant = ({ room }: { room: RoomRecord }) => only?.includes(room.id) ?? true;
  const found: (Found & { of: Parameters<typeof still>[0]; name: string })[] = [];
  // In turn: notices may wait, and others read meanwhile.
  for (const membership of memberships.filter(isMeant)) {
    const numbers = await unreadIn(read, membership, without);
    if (numbers !== undefined)
      found.push({ ...numbers, of: membership, name: nameOf(membership, directory) });
  }
  const since = Date.now() - namedFor;
  for (const outside of (await read.namedOutside({ user: id, since })).filter(isMeant)) {
    const notifiedAt = notified.find(({ room }) => room === outside.room.id)?.at;
    const numbers = await unreadIn(read, outside, without, notifiedAt);
    if (numbers !== undefined) found.push({ ...numbers, of: outside, name: outside.room.name });
  }
  found.sort((a, b) => b.since - a.since);
  const rooms: UnreadRoom[] = [];
  let shown = 0;
  for (const { of, first, ...one } of found) {
    const isWithheld = forMail && one.withheld !== undefined;
    const isShown = messagesOf.includes(one.room) && !isWithheld && shown < roomsOfMail;
    const messages = isShown ? await messagesIn(read, one, first) : { messages: [] };
    if (!(await still(of))) continue;
    if (isShown) shown++;
    rooms.push({ ...one, ...messages, ...(isMember(of.member) ? { member: of.member } : {}) });
  }
  const total = rooms.reduce((sum, { unread }) => sum + unread, 0);
  return { user: { id, name: user.name }, total, rooms };
}

/** When a user was last notified of what is unread in these rooms. */
export type Notified = readonly { room: string; at: number }[];

/**
 * A user accepts a room by joining it or writing there. The site accepts private rooms on behalf of their members. Strangers can
 * add a user to a room, write to the user in direct, and mention the user in a public room: their words must not reach the
 * user in a mail or a push, which has the site as its sender. `messages`: only the name of the room is from the site.
 */
function withheldIn(isUserText: boolean, member: Membership['member'] | undefined): UnreadRoom['withheld'] {
  if (isMember(member) && member.acted > acted.never) return undefined;
  return isUserText ? 'all' : 'messages';
}

/** The name of a room as this member sees it. */
function nameOf({ room, partner }: Membership, directory: Directory): string {
  if (partner === undefined) return room.name;
  const { user } = partner;
  return partner.shares || directory.isVisible(user, partner) ? user.name : user.id;
}

/** The numbers of a room. */
interface Found extends Omit<UnreadRoom, 'name' | 'member' | 'messages' | 'last'> {
  /** The numbers of the first few messages. */
  first: readonly number[];
}

/** @param notifiedAt nothing is unread if the last message is not newer */
async function unreadIn(
  read: History['read'],
  { room, member, mentions }: Membership | Reads['namedOutside']['out'][number],
  without: ReadonlySet<string>,
  notifiedAt = 0,
): Promise<Found | undefined> {
  const wanted = notifyOf({ record: room }, member);
  const notify = isMember(member) || wanted === 'none' ? wanted : 'mentions';
  const after = Math.max(member?.readSeq ?? 0, room.firstSeq - 1);
  if (notify === 'none' || room.lastSeq <= after) return undefined;
  const named = [...mentions]
    .flatMap(([author, seqs]) => (without.has(author) ? [] : seqs))
    .filter((seq) => seq > after)
    .sort((a, b) => a - b);
  if (notify === 'mentions' && named.length === 0) return undefined;
  const unread = await read.unread({
    ...{ room: room.id, after, upTo: room.lastSeq, without: [...without], limit: mostUnread },
    ...(notify === 'all' ? {} : { seqs: named }),
  });
  const isUserText = room.kind === 'direct' || isUserRoom(room.id);
  const withheld = withheldIn(isUserText, member);
  const [first, last] = [unread[0], unread.at(-1)];
  if (first === undefined || last === undefined || last.sentAt <= notifiedAt) return undefined;
  return {
    room: room.id,
    kind: room.kind,
    ...(isUserText ? { isUserText } : {}),
    ...(withheld === undefined ? {} : { withheld }),
    unread: Math.min(unread.length, mostUnread),
    mentions: Math.min(named.length, mostUnread),
    from: first.seq,
    since: first.sentAt,
    newest: last.seq,
    first: unread.slice(0, messagesOfMail).map(({ seq }) => seq),
  };
}

async function messagesIn(
  read: History['read'],
  { room, newest }: Pick<Found, 'room' | 'newest'>,
  first: readonly number[],
): Promise<Pick<UnreadRoom, 'messages' | 'last'>> {
  const found = await read.messages({ places: [...first, newest].map((seq) => ({ room, seq })) });
  const left = found.filter(({ deletedAt }) => deletedAt === undefined).sort((a, b) => a.seq - b.seq);
  const last = left.find(({ seq }) => seq === newest);
  return {
    messages: left.filter(({ seq }) => first.includes(seq)),
    ...(last === undefined ? {} : { last }),
  };
}
