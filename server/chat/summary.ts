import {
  chosenNotify,
  deletedUser,
  type History,
  type MemberRecord,
  type Membership,
  notifyOf,
  otherOf,
  quietForMs,
  type RoomRecord,
  type StoredMessage,
  shownAfter,
  wantsPreviews,
} from '../history/history.ts';
import type { Can, LastMessage, RoomSummary, SiteRole, Totals, User } from '../wire/events.ts';
import { addToRuns, type Runs } from '../wire/runs.ts';
import { isVisitor, memberBySession, moderatesSite, rightsIn } from './access.ts';
import { type Directory, requireRoom } from './directory.ts';
import { countMentions } from './messages/unread-mentions.ts';
import { type Connection, membersOf, type Person, type Room, type SessionIdentity } from './model.ts';
import type { HoldMode } from './moderation/hold-settings.ts';
import type { Publisher } from './publisher.ts';
import { isOfTeam, type TeamSettings } from './questions/roles.ts';
import { toState } from './questions/state.ts';

const previewLength = 120;

/** Returns a room as one connection sees it. */
export function summaryOf(directory: Directory, room: Room, connection: Connection): RoomSummary {
  const { record } = room;
  const { person, identity } = connection;
  const membership = person.memberships.get(record.id);
  const member = membership?.member;
  const readSeq = member === undefined ? 0 : Math.min(member.readSeq, record.lastSeq);
  const partner = partnerOf(directory, room, person);
  const muted = directory.restrictions.muteOf(record.id, identity.id);
  const summary: RoomSummary = {
    id: record.id,
    name: nameFor(directory, room, person),
    kind: record.kind,
    member: member !== undefined,
    members: membersOf(room),
    may: rightsIn(record, { roles: identity.roles, member }),
    head: record.head,
    lastSeq: record.lastSeq,
    readSeq,
    unread: member === undefined ? 0 : unreadOf(record, member, person.blocked),
    mentions:
      membership === undefined ? 0 : countMentions(membership.mentions, person.blocked, record.firstSeq),
    notify: chosenNotify(record.kind, member),
    write: 'all',
    topic: record.topic,
    role: member?.role,
    favourite: member?.favourite,
    threadOnly: record.threadOnly?.total,
    pins: record.pins,
    question: record.question && toState(record.question),
    mutedForMs: muted?.forMs,
    mutedReason: muted?.mute.reason,
  };
  if (membership !== undefined && member !== undefined) {
    const quietMs = quietForMs(member);
    if (quietMs > 0) summary.quietForMs = quietMs;
    if (isArchived(record, membership, person.blocked)) summary.archived = true;
    const deleted = runsAfter(uncounted(record, member), readSeq);
    if (deleted.length > 0) summary.deleted = deleted;
  }
  Object.assign(summary, record.settings);
  if (record.firstSeq > 1) summary.firstSeq = record.firstSeq;
  if (summary.may.includes('moderate')) summary.reports = record.reports ?? 0;
  const previews = previewsFor(record, identity.id);
  if (previews !== undefined) summary.previews = previews;
  if (partner !== undefined) {
    summary.with = partner.user;
    summary.present = partner.present;
    if (directory.showsSeen) summary.readByOther = Math.min(partner.readSeq, record.lastSeq);
  }
  if (record.last !== undefined) {
    summary.last = previewOf(record.last);
    if (person.blocked.has(record.last.user.id)) summary.last.hidden = true;
  }
  return summary;
}

/**
 * Returns the room for the response to a stored change. Later changes may already be applied.
 * @throws RequestError `unknown_room` if the user lost the room by a later change
 */
export function summaryAfter(directory: Directory, { record }: Room, connection: Connection): RoomSummary {
  return summaryOf(directory, requireRoom(directory.find(connection.person, record.id)), connection);
}

/** Sends the current summary of a room to one connection. */
export function sendSummary(
  { directory, publisher }: { directory: Directory; publisher: Publisher },
  room: Room,
  connection: Connection,
): void {
  publisher.toConnections([connection.id], 'room:changed', summaryOf(directory, room, connection));
}

/**
 * Whether the room is in the user's archive. A direct room returns with its next message, other rooms with a mention.
 * Muted rooms and direct rooms with a blocked peer do not return.
 */
export function isArchived(
  { kind, lastSeq, firstSeq, pair }: RoomRecord,
  { member, mentions }: Pick<Membership, 'member' | 'mentions'>,
  blocked: ReadonlySet<string>,
): boolean {
  const { archived } = member;
  if (archived === undefined) return false;
  if (notifyOf(kind, member) === 'none') return true;
  if (kind === 'direct') return lastSeq <= archived || pair?.some((id) => blocked.has(id)) === true;
  return countMentions(mentions, blocked, Math.max(firstSeq, archived + 1)) === 0;
}

/** Whether a new message or mention brought the room back from the user's archive. */
export function hasReturned({ record }: Room, { memberships, blocked }: Person): boolean {
  const membership = memberships.get(record.id);
  return membership?.member.archived !== undefined && !isArchived(record, membership, blocked);
}

/** Sends new summaries to users whose archived room returned because of a message or mention. */
export function announceReturn(
  chat: { directory: Directory; publisher: Publisher },
  room: Room,
  people: Iterable<Person>,
): void {
  for (const person of people) {
    if (!hasReturned(room, person)) continue;
    for (const connection of person.connections) sendSummary(chat, room, connection);
  }
}

/**
 * Returns why a direct room has no link previews: `asked` if only this user wants them, `off` if this user does not.
 * Undefined if it has previews, and for rooms of other kinds.
 */
export function previewsFor(record: RoomRecord, user: string): 'asked' | 'off' | undefined {
  if (record.kind !== 'direct' || record.previewsOf === 'both') return undefined;
  return wantsPreviews(record, user) ? 'asked' : 'off';
}

/**
 * Returns the name of a room for a member. A direct room has the peer's name. For the team, the name of a question
 * begins with that of its asker.
 */
export function nameFor(directory: Directory, room: Room, person: Person): string {
  const { name, question } = room.record;
  const partner = partnerOf(directory, room, person);
  if (partner !== undefined) return partner.user.name;
  const { asker } = question ?? {};
  return asker === undefined || asker.id === person.user.id ? name : `${asker.name}: ${name}`;
}

export function previewOf(message: StoredMessage): LastMessage {
  const { seq, user, text, sentAt, deletedAt, files, card } = message;
  const sound = files?.[0]?.audio;
  const pictures = files?.filter(({ image }) => image !== undefined).length ?? 0;
  return {
    seq,
    user,
    text:
      text.length <= previewLength
        ? text
        : [...text.slice(0, 2 * previewLength)].slice(0, previewLength).join(''),
    sentAt,
    deletedAt,
    files: files?.length,
    pictures: pictures || undefined,
    voice: sound?.peaks === undefined ? undefined : (sound.duration ?? 0),
    card: card !== undefined && card === text ? true : undefined,
  };
}

/** Returns the peer in a direct room. `known`: the person may know the name and presence of the peer. */
export function partnerOf(
  directory: Directory,
  room: Room,
  person: Person,
): { user: User; known: boolean; present: boolean; readSeq: number } | undefined {
  const { kind, pair } = room.record;
  if (kind === 'direct' && pair === undefined) {
    return { user: deletedUser, known: false, present: false, readSeq: 0 };
  }
  const id = otherOf(pair, person.user.id);
  if (id === undefined) return undefined;
  const partner = room.partners.get(id);
  const visible = partner !== undefined && (partner.shares || directory.isVisible(partner.user, partner));
  const readSeq = partner?.readSeq ?? 0;
  if (!visible) return { user: { id, name: id }, known: false, present: false, readSeq };
  const { name } = (directory.person(id) ?? partner).user;
  return { user: { id, name }, known: true, present: directory.isHere(id), readSeq };
}

/** Returns the messages that do not count as unread for a member: deleted ones, and own ones among unread ones. */
export const uncounted = (
  { deleted = [] }: Pick<RoomRecord, 'deleted'>,
  { ownUnread = [] }: Partial<Pick<MemberRecord, 'ownUnread'>> = {},
): Runs => ownUnread.reduce(addToRuns, deleted);

/**
 * Counts unread messages without deleted, own and expired ones, and those that are only in a thread. A direct room with
 * a blocked peer has none.
 */
function unreadOf(room: RoomRecord, member: MemberRecord, blocked: ReadonlySet<string>): number {
  const { firstSeq, lastSeq, pair, threadOnly } = room;
  // Users cannot block themselves, so a blocked user of the pair is the peer.
  if (pair?.some((id) => blocked.has(id))) return 0;
  const deleted = uncounted(room, member);
  return shownAfter({ lastSeq, threadOnly, deleted }, Math.max(member.readSeq, firstSeq - 1));
}

/** Returns the runs that contain messages after `seq`. */
export const runsAfter = (runs: Runs, seq: number): Runs =>
  runs.filter(([first, count]) => first + count - 1 > seq);

interface CountedRooms {
  memberships: readonly (Pick<Room, 'record'> & Pick<Membership, 'member' | 'mentions'>)[];
  blocked: ReadonlySet<string>;
}

function totalsOf({ memberships, blocked }: CountedRooms): Totals {
  const totals = { unread: 0, mentions: 0 };
  for (const { record, member, mentions } of memberships) {
    if (notifyOf(record.kind, member) === 'none') continue;
    const mentioned = countMentions(mentions, blocked, record.firstSeq);
    // Includes replies that are only in a thread if they concern the user.
    totals.unread += Math.max(unreadOf(record, member, blocked), mentioned);
    totals.mentions += mentioned;
  }
  return totals;
}

const countedRoomsOf = ({ memberships, blocked }: Person): CountedRooms => ({
  memberships: [...memberships.values()].map(({ room: { record }, ...rest }) => ({ record, ...rest })),
  blocked,
});

async function readCountedRooms({ read }: History, user: string): Promise<CountedRooms> {
  const { memberships, blocked } = await read.user({ user });
  return {
    memberships: memberships.map(({ room, ...rest }) => ({ record: room, ...rest })),
    blocked: new Set(blocked),
  };
}

export const totalsOfPerson = (person: Person): Totals => totalsOf(countedRoomsOf(person));

/** Limits the concurrent reads of one user. */
interface UserReadLimit {
  run<T>(user: string, read: () => Promise<T>): Promise<T>;
}

/**
 * Returns the totals for `GET /me` of a user, connected or not. Omits rooms that the session of the request no longer
 * grants. Null if the user is banned from the site.
 */
export function totalsOfUser(
  history: History,
  directory: Directory,
  reads: UserReadLimit,
  identity: SessionIdentity,
): Promise<Totals | null> {
  return reads.run(identity.id, async () => {
    await history.current();
    const person = directory.person(identity.id);
    const { memberships, blocked } =
      person === undefined ? await readCountedRooms(history, identity.id) : countedRoomsOf(person);
    // Checked after the read, because the totals may count messages that were stored after a ban.
    if (directory.banOf(identity.id) !== null) return null;
    const current = memberships.filter(
      ({ record, member }) =>
        directory.isOpenTo(identity.id, record.id) && memberBySession(record, member, identity),
    );
    return totalsOf({ memberships: current, blocked });
  });
}

/** The operator's settings that decide what users can do. */
export interface ChatSettings {
  createRooms: 'none' | 'private' | 'all';
  direct: boolean;
  findPeople: 'rooms' | 'all' | 'off';
  lastSeen: boolean;
  seen: boolean;
  moderateData: boolean;
  files: { kind: string };
  previews: boolean;
  /** Absent if the site has no cards. */
  cards?: object | undefined;
  hold: { mode: HoldMode; words: readonly string[] };
  push?: { browsers?: object | undefined } | undefined;
  /** Whether offline users get mails. */
  mails: boolean;
  /** Absent if all users need a login. */
  guests?: { may: 'read' | 'write'; rooms: ReadonlySet<string> } | undefined;
  /** Absent if visitors cannot ask questions. */
  team?: TeamSettings | undefined;
  /** Absent if this server sends no mails. */
  mail?: object | undefined;
}

export function canOf(
  {
    createRooms,
    direct,
    findPeople,
    files,
    previews,
    cards,
    hold,
    push,
    seen,
    mails,
    mail,
    moderateData,
    team,
  }: ChatSettings,
  roles: readonly SiteRole[],
): Can {
  const moderator = moderatesSite({ roles });
  const admin = roles.includes('admin');
  const hasLogin = !isVisitor({ roles });
  const asks = team !== undefined && !roles.includes('reader') && !isOfTeam({ roles });
  return {
    createPublic: hasLogin && (moderator || createRooms === 'all'),
    createPrivate: hasLogin && (moderator || createRooms !== 'none'),
    direct: hasLogin && direct,
    findPeople: hasLogin && findPeople !== 'off',
    files: hasLogin && files.kind !== 'off',
    previews: hasLogin && previews,
    cards: hasLogin && cards !== undefined ? true : undefined,
    seen: hasLogin && seen,
    push: hasLogin && push?.browsers !== undefined,
    report: !roles.includes('reader'),
    mail: hasLogin && mails,
    hold: !moderator && (hold.mode !== 'off' || hold.words.length > 0),
    ask: asks ? true : undefined,
    address: asks && !hasLogin && mail !== undefined ? true : undefined,
    moderate: moderator ? { people: true, log: admin, data: admin && moderateData } : undefined,
  };
}
