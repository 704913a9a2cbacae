import { mayRead, rightsIn } from '../chat/access.ts';
import type { Directory } from '../chat/directory.ts';
import {
  acted,
  type History,
  isBanned,
  isMember,
  isUserRoom,
  type MemberRecord,
  type Membership,
  notifyOf,
  type Reads,
  type RoomRecord,
  type StoredMessage,
  type UserRecord,
} from '../history/history.ts';
import type { User } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { messagesOfMail, roomsOfMail } from './mail-bounds.ts';

/** The unread messages that concern a user, as of now. */
export interface Unread {
  user: User;
  /** Set if the user never connected. */
  isNew?: true;
  /** The number of unread messages in `rooms`. */
  total: number;
  /** Sorted by `since`, latest first. */
  rooms: UnreadRoom[];
}

export interface UnreadRoom {
  room: string;
  kind: RoomRecord['kind'];
  /** The stored membership. Absent for a user who is mentioned in a public room without being a member. */
  member?: Membership['member'];
  /** In a direct room, the name of the peer. Empty if the peer was erased. */
  name: string;
  /** In a direct room, the ID of the peer. Absent if the peer was erased. */
  peer?: string;
  /** Set if a user wrote the name, as in direct rooms and in rooms that users created. */
  isUserText?: true;
  /** Set for a question. Its name is the start of its text. */
  isQuestion?: true;
  /**
   * User texts that mails and pushes must not show, because the reader has not accepted the room (see `withheldIn`) or
   * because the room has no name.
   */
  withheld?: 'all' | 'messages';
  /** Set, for mails, if the user has the right to write in the room. */
  mayWrite?: true;
  /** The number of messages that concern the user; at most `mostUnread`. */
  unread: number;
  /** The number of unread mentions of the user, including replies in followed threads; at most `mostUnread`. */
  mentions: number;
  /** The `seq` of the messages that the user wanted to be reminded of, if any. They may have been read. */
  reminders?: readonly number[];
  /** Set in a push that is only about the reminder of the message `newest`. */
  reminder?: true;
  /** The `seq` of the first message that concerns the user. */
  from: number;
  /** When the message `from` was sent, as Unix ms. */
  since: number;
  /** The `seq` of the last message that concerns the user. */
  newest: number;
  /** When the message `newest` was sent, as Unix ms. */
  latest: number;
  /** The IDs of the peer in a direct room, or of the authors who mention the user. */
  authors: readonly string[];
  /**
   * The first `messagesOfMail` of the messages that concern the user, without deleted ones. Empty if they were not
   * requested.
   */
  messages: StoredMessage[];
  /** The message at `newest`. Absent if it was not requested or is deleted. */
  last?: StoredMessage;
}

export interface UnreadOptions {
  /** When the user was last notified of each room. */
  notified: Notified;
  /** Reads only these rooms. */
  only?: readonly string[];
  /**
   * Rooms whose messages are returned, at most `roomsOfMail` of them. The messages of all rooms would take too much
   * memory.
   */
  messagesOf?: readonly string[];
  /** Omits the messages of `withheld` rooms. */
  forMail?: boolean;
  /** Includes users who never connected: their direct rooms, and mentions of them. */
  newMembers?: boolean;
  /** Leaves out reminders, because each has its own push. */
  withoutReminders?: boolean;
}

/** Unread messages and mentions of a room are counted up to this limit. */
const mostUnread = 100;
/**
 * A mention of a user who is not a member is unread for this time, in milliseconds. It is enough for a daily mail,
 * quiet hours after it, and a day of retries.
 */
const namedFor = 3 * 24 * 60 * 60_000;

/**
 * Finds the rooms with unread messages that concern a user. With `notify` `all`, these are all messages of other users,
 * otherwise mentions and replies in followed threads. Excludes deleted messages and blocked authors. A recent mention
 * in a public room that the user has not joined is unread until the user opens the room or is notified of it. A message
 * counts, even if it was read, after its reminder was due until the user is here or is notified of the room.
 * Guests are only notified of their questions.
 * @returns undefined if the user is banned or, without `newMembers`, never connected
 */
export async function unreadOf(
  { read }: Pick<History, 'read'>,
  directory: Directory,
  id: string,
  {
    notified,
    only,
    messagesOf = [],
    forMail = false,
    withoutReminders = false,
    newMembers = false,
  }: UnreadOptions,
): Promise<Unread | undefined> {
  const { user, memberships, blocked, arrived } = await read.user({ user: id });
  if (user === null || !(arrived || newMembers) || directory.banOf(id) !== null) return undefined;
  const without = new Set([...blocked, id]);
  // The user may have lost access before the messages were read, and another room may have the ID now.
  const still = async ({ room, member }: Pick<Membership, 'room'> & { member?: Membership['member'] }) => {
    const [now] = await read.membersOf({ room: room.id, users: [id] });
    const there = await read.room({ room: room.id, bare: true });
    if (there?.createdAt !== room.createdAt) return false;
    return isMember(member) ? isMember(now) : mayRead(there, undefined, isBanned(now));
  };
  // Guests give their address for their question.
  const isMeant = ({ room }: { room: RoomRecord }) =>
    (only?.includes(room.id) ?? true) && (!isGuest(id) || room.question !== undefined);
  const found: (Found & { of: Parameters<typeof still>[0] | Membership; name: string })[] = [];
  // Sequential, because notifications are not urgent and must not slow down other reads.
  const reminders = withoutReminders ? [] : await read.dueReminders({ user: id });
  for (const membership of memberships.filter(isMeant)) {
    const { id: room } = membership.room;
    const notifiedAt = notified.find((one) => one.room === room)?.at ?? 0;
    const due = reminders.filter((one) => one.room === room && (one.done ?? 0) > notifiedAt);
    const unread = await (arrived || membership.room.kind === 'direct'
      ? unreadIn(read, membership, without)
      : unreadIn(read, await onlyByName(read, membership, id), without, { mentionsOnly: true }));
    const numbers = due.length === 0 ? unread : await withReminders(read, membership, unread, due, blocked);
    if (numbers !== undefined)
      found.push({ ...numbers, of: membership, name: nameOf(membership, directory) });
  }
  const since = Date.now() - namedFor;
  for (const outside of (await read.namedOutside({ user: id, since })).filter(isMeant)) {
    const notifiedAt = notified.find(({ room }) => room === outside.room.id)?.at;
    const numbers = await unreadIn(read, outside, without, arrived ? { notifiedAt } : {});
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
    const mayWrite = forMail && isMember(of.member) && mayWriteIn(of.room, user, of.member);
    const peer = 'partner' in of && one.name !== '' ? of.partner?.user.id : undefined;
    rooms.push({
      ...one,
      ...messages,
      member: isMember(of.member) ? of.member : undefined,
      ...(peer === undefined ? {} : { peer, authors: [peer] }),
      ...(one.name === '' ? { withheld: 'all' } : {}),
      ...(mayWrite ? { mayWrite } : {}),
      ...(of.room.question === undefined ? {} : { isQuestion: true }),
    });
  }
  const total = rooms.reduce((sum, { unread }) => sum + unread, 0);
  return { user: { id, name: user.name }, isNew: arrived ? undefined : true, total, rooms };
}

/** Whether a member has the right to write in the room. A mute does not count, because it may end soon. */
const mayWriteIn = (room: RoomRecord, { siteRole }: UserRecord, member: MemberRecord): boolean =>
  rightsIn(room, { roles: siteRole === undefined ? [] : [siteRole], member }).includes('send');

/** When a user was last notified of each room, as Unix ms. */
export type Notified = readonly { room: string; at: number }[];

/**
 * Returns the user texts of a room that mails and pushes must not show, because they are sent in the name of the site.
 * Strangers can add a user to a room, write a direct message, or mention the user in a public room. A user accepts a
 * room by joining it or writing there, and the site accepts private rooms for its members. `messages`: only the name of
 * the room is from the site.
 */
function withheldIn(
  isUserText: boolean,
  { question }: RoomRecord,
  member: Membership['member'] | undefined,
): UnreadRoom['withheld'] {
  // The owner of the site chose the team.
  const isForTeam = question !== undefined && member?.role === 'moderator';
  if (isMember(member) && (isForTeam || member.acted > acted.never)) return undefined;
  return isUserText ? 'all' : 'messages';
}

/** Returns the name of a room as the member sees it. */
function nameOf({ room, partner }: Membership, directory: Directory): string {
  if (partner === undefined) return room.name;
  const { user } = partner;
  return partner.shares || directory.isVisible(user, partner) ? user.name : user.id;
}

/** The unread messages of a room, without their contents. */
interface Found extends Omit<UnreadRoom, 'name' | 'member' | 'messages' | 'last'> {
  /** The `seq` of the first `messagesOfMail` messages. */
  first: readonly number[];
}

/**
 * Counts the unread messages of a room that concern the user.
 * @param options.notifiedAt when the user was last notified of them, as Unix ms
 * @param options.mentionsOnly only mentions concern the user
 * @returns undefined if nothing is unread, or no unread message is newer than `notifiedAt`
 */
async function unreadIn(
  read: History['read'],
  { room, member, mentions }: Membership | Reads['namedOutside']['out'][number],
  without: ReadonlySet<string>,
  { notifiedAt = 0, mentionsOnly = false }: { notifiedAt?: number | undefined; mentionsOnly?: boolean } = {},
): Promise<Found | undefined> {
  const wanted = notifyOf(room.kind, member);
  const notify = wanted === 'none' || (isMember(member) && !mentionsOnly) ? wanted : 'mentions';
  const after = Math.max(member?.readSeq ?? 0, room.firstSeq - 1);
  if (notify === 'none' || room.lastSeq <= after) return undefined;
  const named = [...mentions]
    .flatMap(([author, seqs]) => (without.has(author) ? [] : seqs))
    .filter((seq) => seq > after)
    .sort((a, b) => a - b);
  if (notify === 'mentions' && named.length === 0) return undefined;
  const unread = await read.unread({
    ...{ room: room.id, after, upTo: room.lastSeq, without: [...without], limit: mostUnread },
    ...(notify === 'all' ? { concerned: named } : { seqs: named }),
  });
  const isUserText = room.kind === 'direct' || isUserRoom(room.id);
  const withheld = withheldIn(isUserText, room, member);
  const [first, last] = [unread[0], unread.at(-1)];
  if (first === undefined || last === undefined || last.sentAt <= notifiedAt) return undefined;
  return {
    room: room.id,
    kind: room.kind,
    isUserText: isUserText || undefined,
    withheld,
    unread: Math.min(unread.length, mostUnread),
    mentions: Math.min(named.length, mostUnread),
    from: first.seq,
    since: first.sentAt,
    newest: last.seq,
    latest: last.sentAt,
    authors: [...mentions.keys()].filter((author) => !without.has(author)),
    first: unread.slice(0, messagesOfMail).map(({ seq }) => seq),
  };
}

/** Adds the messages of reminders, unless the user can no longer see them or blocked the author. */
async function withReminders(
  read: History['read'],
  { room, member }: Membership,
  unread: Found | undefined,
  due: Reads['dueReminders']['out'],
  blocked: readonly string[],
): Promise<Found | undefined> {
  const stored = await read.messages({ places: due });
  const visible = stored
    .filter(({ deletedAt, seq }) => deletedAt === undefined && seq >= room.firstSeq)
    .filter(({ user }) => !blocked.includes(user.id))
    .map(({ seq }) => seq);
  const shown = due.filter(({ seq }) => visible.includes(seq));
  if (shown.length === 0) return unread;
  const seqs = shown.map(({ seq }) => seq).sort((a, b) => a - b);
  const since = Math.min(...shown.map(({ done = 0 }) => done));
  const isUserText = room.kind === 'direct' || isUserRoom(room.id);
  const withheld = withheldIn(isUserText, room, member);
  const found = unread ?? {
    ...{ room: room.id, kind: room.kind, unread: 0, mentions: 0, first: [] },
    isUserText: isUserText || undefined,
    withheld,
    ...{ from: seqs[0] as number, newest: seqs.at(-1) as number, since, latest: since, authors: [] },
  };
  const all = new Set([...seqs, ...found.first]);
  return {
    ...found,
    reminders: seqs,
    unread: found.unread + seqs.filter((seq) => unread === undefined || seq <= member.readSeq).length,
    from: Math.min(found.from, seqs[0] as number),
    since: Math.min(found.since, since),
    first: [...all].sort((a, b) => a - b).slice(0, messagesOfMail),
  };
}

/** Leaves out mentions of @all, which would mail all members of a site who never opened the chat. */
async function onlyByName(read: History['read'], membership: Membership, id: string): Promise<Membership> {
  const { room, mentions } = membership;
  const places = [...mentions.values()].flat().map((seq) => ({ room: room.id, seq }));
  if (places.length === 0) return membership;
  const messages = await read.messages({ places });
  const named = new Set(
    messages.flatMap(({ seq, mentions = [] }) => (mentions.some(({ user }) => user === id) ? [seq] : [])),
  );
  const left = Array.from(
    mentions,
    ([author, seqs]) => [author, seqs.filter((seq) => named.has(seq))] as const,
  );
  return { ...membership, mentions: new Map(left.filter(([, seqs]) => seqs.length > 0)) };
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
    last,
  };
}
