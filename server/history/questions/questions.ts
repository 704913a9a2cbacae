import { RequestError } from '../../wire/errors.ts';
import type { QuestionAbout, User } from '../../wire/events.ts';
import { type Dialect, raw, type Sql, ask as select, sql } from '../engine/dialect.ts';
import { countUpTo, cutPage, type ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { type Need, needOf, rows, type ValueLoader, type Work } from '../engine/work.ts';
import { add, byPeople, changeRole, peopleLosing, putMember, take } from '../members/membership.ts';
import { contentOf, post, repeatOf, saidBy, sendNeeds } from '../messages/posting.ts';
import { mailAddresses, mailReplies, mailStops } from '../notifications/mails.ts';
import type { Change } from '../records/changes.ts';
import type { Row } from '../records/columns.ts';
import { acted, isBanned, isMember, sources } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import type { RoomQuestion } from '../records/question.ts';
import type { RoomRecord, RoomRow } from '../records/room.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import { lastMessageNeed } from '../rows/messages.ts';
import { emptyRoom, newRoom, recordOf, requireRoom } from '../rows/room-changes.ts';
import { getRoom, setRoom } from '../rows/rooms.ts';
import { roomSelection, withLastMessages } from '../rows/select.ts';
import { userNeed } from '../rows/users.ts';
import { named, rename } from '../users/users.ts';
import {
  applyMessage,
  askerNeed,
  eraseFromQuestion,
  holderOf,
  putQuestion,
  reachTeam,
  removeAddress,
  roomOfAsker,
} from './state.ts';
import {
  invitedNeed,
  inviteTeam,
  isInTeam,
  leaveToOne,
  notifiedNeed,
  silentNeed,
  teamNeed,
  team as teamTable,
  turnOnNotices,
  wasSeenSince,
} from './team.ts';

/** The lists of questions. `all`: all open ones. */
export type QuestionList = 'mine' | 'unassigned' | 'all' | 'closed';

/** A member of the team who acts on a question. */
interface Acting {
  room: string;
  team: string;
  user: User;
  at: number;
}

export interface QuestionWrites {
  /**
   * Posts a message of the asker into the question of this asker, which it creates or opens again if necessary. Then
   * the team becomes members, and `name` its name. Codes: as for `send`, `forbidden` (banned from the question),
   * `conflict` (same `clientId`, other text).
   * @param in.id the ID of a new room
   */
  askTeam: {
    in: {
      id: string;
      team: string;
      user: User;
      name: string;
      text: string;
      clientId: string;
      preview?: string | undefined;
      /** The card of the message. */
      card?: string | undefined;
      about?: QuestionAbout | undefined;
      at: number;
    };
    out: { room: RoomRecord; message: StoredMessage; repeated: boolean; isNew: boolean };
  };
  /**
   * Makes a member of the team a member of the room, without notices of all messages if another one has it. Codes:
   * `unknown_room` (no question, or the user is banned from it), `forbidden` (not in the team).
   */
  openQuestion: { in: Acting; out: { room: RoomRecord } };
  /**
   * Assigns a question to the user, or to `to`. The members of the team who did not write leave the room. Codes: as for
   * `openQuestion`, `unknown_user` (`to` is not in the team), `conflict` (another user has it; not with `to`).
   */
  assignQuestion: { in: Acting & { to?: string | undefined }; out: { room: RoomRecord } };
  /**
   * Removes a user from the team, ends up to `most` memberships in questions of others, and unassigns the user's
   * questions, which the others get. No-op, with `before`, for a member who was seen in the team since that time.
   * `left`: how many memberships ended.
   */
  leaveTeam: {
    in: { user: string; team: string; before?: number | undefined; most: number; at: number };
    out: { left: number };
  };
  /** Closes a question. Codes: as for `openQuestion`. */
  closeQuestion: { in: Acting | (Omit<Acting, 'user'> & { user?: undefined }); out: { room: RoomRecord } };
  /**
   * Stores the mail address for the question of a guest; null deletes it. Codes: `forbidden` (the guest has no
   * question).
   */
  setQuestionAddress: {
    in: { user: string; team: string; address: string | null };
    out: { room: RoomRecord };
  };
  /** Records that the guest answered a mail. */
  verifyQuestionAddress: { in: { user: string; team: string }; out: Nothing };
  /** Deletes addresses that were not verified, of questions without messages since `before`. */
  forgetQuestionAddresses: { in: { before: number; most: number }; out: { forgotten: number } };
}

/** A position in a list of questions. */
export interface QuestionCursor {
  /** 0 for questions that wait, otherwise 1. */
  group: number;
  key: number;
  room: string;
}

export interface QuestionReads {
  /**
   * A page of questions. Those that wait come first, longest first, then the others by their last message, latest
   * first. Closed questions come by their closing, latest first.
   */
  questions: {
    in: {
      team: string;
      which: QuestionList;
      user: string;
      after?: QuestionCursor | undefined;
      limit: number;
    };
    out: { rooms: RoomRecord[]; next?: QuestionCursor | undefined };
  };
  /** The numbers of open questions, each up to `most`. */
  countQuestions: {
    in: { team: string; user: string; most: number };
    out: Record<'mine' | 'unassigned' | 'all', number>;
  };
  /** The times from the opening to the first answer, in ms, of the latest questions opened since `since`. */
  answerTimes: { in: { team: string; since: number; limit: number }; out: number[] };
  /** The numbers of questions opened and answered since `since`, up to `most`. */
  questionsSince: {
    in: { team: string; since: number; most: number };
    out: { asked: number; answered: number };
  };
}

/** Returns the needs of `requireTeam`. */
export const teamMemberNeeds = (room: string, user: string, team: string): Need[] => [
  lastMessageNeed(room),
  memberNeed(room, user),
  userNeed(user),
  teamNeed(user, team),
];

/**
 * Returns a question on which a member of the team acts, who need not be a member of the room.
 * @throws RequestError `forbidden` if the user is not in the team, `unknown_room` if the room is not a question of the
 *   team, or the user is banned from it
 */
export function requireTeam(
  work: Work,
  id: string,
  user: string,
  team: string,
): RoomRow & { question: RoomQuestion } {
  if (!isInTeam(work, user, team)) refuse('forbidden', 'the user is not in the team');
  const room = requireQuestion(work, id, team);
  if (isBanned(getMember(work, id, user))) refuse('unknown_room');
  return room;
}

function requireQuestion(work: Work, id: string, team: string): RoomRow & { question: RoomQuestion } {
  const room = getRoom(work, id);
  const { question } = room ?? {};
  if (room === undefined || question?.team !== team) refuse('unknown_room');
  return { ...room, question };
}

const messageOf = ({
  id,
  user,
  clientId,
  text,
  preview,
  card,
  at,
}: QuestionWrites['askTeam']['in'] & { id: string }) => ({
  ...{ room: id, user, clientId, text, preview, card },
  sentAt: at,
  asMember: true,
});

const askTeam: Rule<QuestionWrites['askTeam']> = {
  adds: true,
  needs: (input) => [
    askerNeed(input.user.id, input.team),
    ...sendNeeds(messageOf(input)),
    userNeed(input.user.id),
    invitedNeed(input.id, input.team),
  ],
  run(work, input, changes) {
    const { id, team, user, name, about, at } = input;
    const known = roomOfAsker(work, user.id, team);
    const message = messageOf({ ...input, id: known?.id ?? id });
    const fingerprint = saidBy(message);
    if (known !== undefined) {
      if (isBanned(getMember(work, known.id, user.id))) refuse('forbidden');
      const repeat = repeatOf(work, message, fingerprint);
      if (repeat !== null)
        return { room: recordOf(work, known), message: repeat, repeated: true, isNew: false };
    }
    const opens = known?.question?.closedAt !== undefined || known === undefined;
    rename(work, user, changes);
    const room =
      known ??
      newRoom(
        work,
        { ...emptyRoom(id, 'private', name, at), question: { team, asker: user, openedAt: 0, lastAt: at } },
        changes,
      );
    add(work, room, user, { source: 'people', role: 'member', acted: acted.joined, at }, changes);
    const { lastSeq: readSeq } = room;
    if (known === undefined) inviteTeam(work, { id: room.id, name: team, readSeq, at }, changes);
    const now = requireRoom(work, room.id);
    const { question } = now as RoomRow & { question: RoomQuestion };
    setRoom(work, {
      ...now,
      name: opens ? name : now.name,
      question: { ...question, asker: user, about: about ?? question.about },
    });
    if (now.name !== requireRoom(work, room.id).name)
      changes.push({ type: 'room', is: 'changed', room: recordOf(work, now) });
    const posted = post(work, message, fingerprint, changes, (target, asModerator) =>
      contentOf(work, target, message, { free: asModerator }),
    );
    return { ...posted, room: recordOf(work, room), isNew: known === undefined };
  },
};

const actingNeeds = ({ room, team, user }: Acting): Need[] => teamMemberNeeds(room, user.id, team);

/** Makes a member of the team a member of the room. */
function enter(work: Work, { room: id, user, at }: Acting, changes: Change[]): void {
  const { question } = requireRoom(work, id);
  const known = getMember(work, id, user.id);
  if (isMember(known)) {
    // After a ban in an earlier version.
    if (known.role === 'member' && question?.asker?.id !== user.id)
      changeRole(work, id, user.id, 'moderator', changes);
    return;
  }
  const isOfAnother = question !== undefined && holderOf(work, id, question) !== undefined;
  const how = { source: 'people', role: 'moderator', acted: acted.never, at } as const;
  add(work, requireRoom(work, id), user, how, changes);
  const before = getMember(work, id, user.id);
  if (!isMember(before) || !isOfAnother) return;
  const now = { ...before, notify: 'mentions' as const };
  putMember(work, { room: id, user: user.id, before, now, ...byPeople }, changes);
}

const openQuestion: Rule<QuestionWrites['openQuestion']> = {
  needs: actingNeeds,
  run(work, input, changes) {
    const room = requireTeam(work, input.room, input.user.id, input.team);
    enter(work, input, changes);
    return { room: recordOf(work, room) };
  },
};

const assignQuestion: Rule<QuestionWrites['assignQuestion']> = {
  needs: (input) => [
    ...actingNeeds(input),
    silentNeed(input.room),
    ...(input.to === undefined ? [] : teamMemberNeeds(input.room, input.to, input.team)),
  ],
  run(work, input, changes) {
    const { room: id, team, user, to, at } = input;
    const { question } = requireTeam(work, id, user.id, team);
    const by = holderOf(work, id, question)?.id;
    if (to === undefined && by !== undefined && by !== user.id)
      throw new RequestError('conflict', 'another member of the team has the question', {
        current: recordOf(work, requireRoom(work, id)),
      });
    const next = to === undefined ? user : named(work, to);
    if (!isInTeam(work, next.id, team) || isBanned(getMember(work, id, next.id))) refuse('unknown_user');
    if (by !== next.id) putQuestion(work, id, { ...question, by: next }, 'changed', changes);
    enter(work, { ...input, user: next }, changes);
    turnOnNotices(work, id, next.id, changes);
    leaveToOne(work, id, next.id, at, changes);
    return { room: recordOf(work, requireRoom(work, id)) };
  },
};

/** The questions in which a user is a member of the team, before the transaction. */
const answeredLoader: ValueLoader<{ user: string; team: string; most: number }, readonly string[]> = {
  name: 'questions of a member of the team',
  *find({ transaction }, work, needs) {
    const found: Need[] = [];
    for (const need of needs) {
      const joined = yield* transaction.query(
        sql`SELECT rooms.id AS id, closed_at FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE user_id = ${need.user} AND team IS NOT NULL AND role = 'moderator' AND sources <> 0
            LIMIT ${need.most}`,
      );
      const assigned = yield* transaction.query(
        sql`SELECT id FROM chat_rooms WHERE assigned = ${need.user} AND closed_at IS NULL LIMIT ${need.most}`,
      );
      const idsOf = (some: readonly Row[]) => [...new Set(some.map(({ id }) => id as string))];
      const rooms = idsOf([...joined, ...assigned]);
      work.keep(answeredLoader, need, rooms);
      found.push(
        ...rooms.flatMap((room) => [lastMessageNeed(room), ...peopleLosing(room, [need.user])]),
        ...idsOf([...joined.filter(({ closed_at }) => closed_at === null), ...assigned]).map(notifiedNeed),
        ...idsOf(assigned).map((room) => invitedNeed(room, need.team)),
      );
    }
    return found;
  },
};

const leaveTeam: Rule<QuestionWrites['leaveTeam']> = {
  alone: true,
  needs: ({ user, team, most }) => [teamNeed(user, team), needOf(answeredLoader, { user, team, most })],
  run(work, { user, team, before, most, at }, changes) {
    if (before !== undefined && wasSeenSince(work, user, team, before)) return { left: 0 };
    if (isInTeam(work, user, team)) work.remove(teamTable, { user, team });
    const rooms = work.value(answeredLoader, { user, team, most });
    for (const id of rooms) {
      const { question } = getRoom(work, id) ?? {};
      if (question === undefined) continue;
      if (question.by?.id === user && question.closedAt === undefined)
        putQuestion(work, id, { ...question, by: undefined }, 'changed', changes);
      // The user may have had an own question.
      if (question.asker?.id !== user)
        take(work, id, user, { bits: sources.people, by: 'people', cause: 'left', at }, changes);
      reachTeam(work, id, { except: user, at }, changes);
    }
    return { left: rooms.length };
  },
};

const closeQuestion: Rule<QuestionWrites['closeQuestion']> = {
  needs: (input) => (input.user === undefined ? [lastMessageNeed(input.room)] : actingNeeds(input)),
  run(work, { room: id, team, user, at }, changes) {
    const { question } =
      user === undefined ? requireQuestion(work, id, team) : requireTeam(work, id, user.id, team);
    if (question.closedAt === undefined) {
      const { waitingAt: _, ...rest } = question;
      const by = holderOf(work, id, question);
      putQuestion(work, id, { ...rest, by: by ?? user, closedAt: at }, 'closed', changes);
      if (by === undefined && user !== undefined) {
        // As a member, because the erasure of a user goes through the user's rooms.
        enter(work, { room: id, team, user, at }, changes);
        turnOnNotices(work, id, user.id, changes);
      }
    }
    return { room: recordOf(work, requireRoom(work, id)) };
  },
};

const addressNeeds = ({ user, team }: { user: string; team: string }): Need[] => [
  askerNeed(user, team),
  rows(mailAddresses, { user }),
];

const setQuestionAddress: Rule<QuestionWrites['setQuestionAddress']> = {
  needs: addressNeeds,
  run(work, { user, team, address: given }, changes) {
    // Mail servers ignore the case.
    const address = given?.toLowerCase() ?? null;
    const room = roomOfAsker(work, user, team);
    // Who is banned from the question can still delete the address.
    const mayGive = room !== undefined && isMember(getMember(work, room.id, user));
    if (room?.question === undefined || (address !== null && !mayGive)) refuse('forbidden');
    const [stored] = work.find(mailAddresses, { user });
    if (address !== null && stored?.address === address) return { room: recordOf(work, room) };
    // The tokens in mails to the former address must neither verify nor reach this one.
    for (const { name } of [mailReplies, mailStops])
      work.later(() => sql`DELETE FROM ${raw(name)} WHERE user_id = ${user}`);
    if (address === null) work.remove(mailAddresses, { user });
    else work.put(mailAddresses, { user, address });
    const now = { ...room.question, address: address === null ? undefined : ('given' as const) };
    putQuestion(work, room.id, now, 'changed', changes);
    return { room: recordOf(work, requireRoom(work, room.id)) };
  },
};

const verifyQuestionAddress: Rule<QuestionWrites['verifyQuestionAddress']> = {
  needs: ({ user, team }) => [askerNeed(user, team)],
  run(work, { user, team }, changes) {
    const room = roomOfAsker(work, user, team);
    if (room?.question?.address !== 'given') return {};
    putQuestion(work, room.id, { ...room.question, address: 'verified' }, 'changed', changes);
    return {};
  },
};

const oldAddressesLoader: ValueLoader<{ before: number; most: number }, readonly string[]> = {
  name: 'old addresses',
  *find({ transaction }, work, needs) {
    const found: Need[] = [];
    for (const need of needs) {
      const rooms = yield* transaction.query(
        sql`SELECT id, asker FROM chat_rooms WHERE reachable = 'given' AND last_at < ${need.before} ORDER BY last_at LIMIT ${need.most}`,
      );
      work.keep(
        oldAddressesLoader,
        need,
        rooms.map(({ id }) => id as string),
      );
      found.push(
        ...rooms.flatMap(({ id, asker }) => [
          lastMessageNeed(id as string),
          rows(mailAddresses, { user: (asker ?? '') as string }),
        ]),
      );
    }
    return found;
  },
};

const forgetQuestionAddresses: Rule<QuestionWrites['forgetQuestionAddresses']> = {
  alone: true,
  needs: (input) => [needOf(oldAddressesLoader, input)],
  run(work, input, changes) {
    const rooms = work.value(oldAddressesLoader, input);
    for (const id of rooms) {
      const { question } = getRoom(work, id) ?? {};
      if (question?.address !== 'given' || question.lastAt >= input.before) continue;
      if (question.asker !== undefined) work.remove(mailAddresses, { user: question.asker.id });
      putQuestion(work, id, { ...question, address: undefined }, 'changed', changes);
    }
    return { forgotten: rooms.length };
  },
};

/** The questions of a list of a member of the team, who may be banned from some. */
const conditionOf = ({ restrictedBy }: Dialect, which: QuestionList, user: string): Sql =>
  sql`${stateOf(which, user)} AND NOT EXISTS (SELECT 1 FROM chat_members AS own
      WHERE own.room = rooms.num AND own.user_id = ${user} AND ${restrictedBy('banned')} IS NOT NULL)`;

const stateOf = (which: QuestionList, user: string): Sql =>
  which === 'closed'
    ? sql`closed_at IS NOT NULL`
    : which === 'all'
      ? sql`closed_at IS NULL`
      : which === 'mine'
        ? sql`closed_at IS NULL AND assigned = ${user}`
        : sql`closed_at IS NULL AND assigned IS NULL`;

/** How a list is ordered. `selected`: the columns `place` and `position`, the `group` and `key` of a cursor. */
interface Order {
  selected: Sql;
  order: Sql;
  /** Condition of the questions after a cursor. */
  from: Sql;
}

/** Few questions are open, so they are sorted. */
function openOnes(after: QuestionCursor | undefined): Order {
  const group = raw('CASE WHEN waiting_at IS NULL THEN 1 ELSE 0 END');
  const key = raw('CASE WHEN waiting_at IS NULL THEN -last_at ELSE waiting_at END');
  const from =
    after &&
    sql`AND (${group} > ${after.group} OR (${group} = ${after.group}
          AND (${key} > ${after.key} OR (${key} = ${after.key} AND id > ${after.room}))))`;
  const selected = sql`${group} AS place, ${key} AS position`;
  return { selected, order: raw('place, position'), from: from ?? raw('') };
}

/** Closed questions become many, so they are read in the order of an index. */
function closedOnes(after: QuestionCursor | undefined): Order {
  const from =
    after && sql`AND closed_at <= ${-after.key} AND (closed_at < ${-after.key} OR id > ${after.room})`;
  return {
    selected: raw('1 AS place, -closed_at AS position'),
    order: raw('closed_at DESC'),
    from: from ?? raw(''),
  };
}

const reads: ReadsOf<QuestionReads> = {
  *questions({ dialect }, { team, which, user, after, limit }) {
    const { selected, order, from } = which === 'closed' ? closedOnes(after) : openOnes(after);
    const found = yield* select(
      sql`SELECT ${roomSelection}, ${selected} FROM chat_rooms AS rooms
          WHERE team = ${team} AND opened_at > 0 AND ${conditionOf(dialect, which, user)} ${from}
          ORDER BY ${order}, id LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(found, limit);
    return {
      rooms: yield* withLastMessages(dialect, page),
      next: last && {
        group: last.place as number,
        key: last.position as number,
        room: last.id as string,
      },
    };
  },
  *countQuestions({ dialect }, { team, user, most }) {
    const count = (which: QuestionList) =>
      countUpTo(
        most,
        sql`SELECT num FROM chat_rooms AS rooms WHERE team = ${team} AND ${conditionOf(dialect, which, user)}`,
      );
    return {
      mine: yield* count('mine'),
      unassigned: yield* count('unassigned'),
      all: yield* count('all'),
    };
  },
  *answerTimes(_, { team, since, limit }) {
    const found = yield* select(
      sql`SELECT answered_at - opened_at AS num FROM chat_rooms
          WHERE team = ${team} AND opened_at >= ${since} AND answered_at IS NOT NULL ORDER BY opened_at DESC LIMIT ${limit}`,
    );
    return found.map(({ num }) => num as number);
  },
  *questionsSince(_, { team, since, most }) {
    const count = (condition: Sql) =>
      countUpTo(
        most,
        sql`SELECT num FROM chat_rooms WHERE team = ${team} AND opened_at >= ${since} ${condition}`,
      );
    return { asked: yield* count(raw('')), answered: yield* count(raw('AND answered_at IS NOT NULL')) };
  },
};

export const questionSubject = subject<QuestionWrites, QuestionReads>({
  rules: {
    askTeam,
    openQuestion,
    assignQuestion,
    leaveTeam,
    closeQuestion,
    setQuestionAddress,
    verifyQuestionAddress,
    forgetQuestionAddresses,
  },
  reads,
  onMessage: applyMessage,
  onRemoval: removeAddress,
  onErasure: eraseFromQuestion,
});
