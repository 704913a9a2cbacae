import {
  leftOf,
  type Restriction,
  type RestrictionKind,
  restrictionKinds,
  stateOf,
} from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload, User } from '../../wire/events.ts';
import { moderatesSite, outranks } from '../access.ts';
import type { Chat } from '../chat.ts';
import { cursorOf, decodeCursor } from '../cursor.ts';
import type { Effect } from '../effect.ts';
import { decided, need, targetOf } from '../members.ts';
import { actorOf, type Connection, type Room } from '../model.ts';
import { namesIn } from '../names.ts';
import { applyRecord } from '../room-changes.ts';
import { sendSummary } from '../summary.ts';

/** Users on one page of `room:restricted`. */
const pageSize = 100;

/** Mutes or bans a user in a room, or lifts the restriction. */
export async function restrict(
  chat: Chat,
  connection: Connection,
  room: Room,
  kind: RestrictionKind,
  { user, seconds, reason }: RequestPayload<'room:mute'>,
): Promise<Record<never, never>> {
  const { history, directory } = chat;
  const { id } = room.record;
  await decided(async () => {
    directory.checkStill(connection.person, room);
    const decidedFor = stateOf(room.record);
    const target = await targetOf(chat, room.record.id, user);
    need(room, connection, 'moderate');
    if (!outranks(actorOf(room, connection), target)) throw new RequestError('forbidden');
    const at = Date.now();
    const restriction = restrictionOf(connection.person.user.id, { seconds, reason }, at);
    const isLift = seconds === 0;
    if (!isLift) requireFreeRestriction(chat, connection, id, user);
    const actor = connection.person.user.id;
    const what = { room: id, user, kind, restriction: isLift ? null : restriction, actor, decidedFor, at };
    return history.write.restrict(what, connection.id);
  });
  return {};
}

/**
 * Checks the limits of muted and banned users.
 * @throws RequestError `limit_reached` if too many other users are restricted in the room, or by this moderator
 */
export function requireFreeRestriction(
  { directory }: Chat,
  { identity }: Connection,
  room: string,
  user: string,
): void {
  const by = moderatesSite(identity) ? undefined : identity.id;
  if (directory.restrictions.hasPlaceFor(room, user, by)) return;
  throw new RequestError(
    'limit_reached',
    'too many users are muted or banned in this room, or by this moderator: lift some restrictions first',
  );
}

/** Creates a restriction. @param what.seconds absent for a permanent restriction */
export function restrictionOf(
  by: string,
  { seconds, reason }: { seconds: number | undefined; reason?: string | undefined },
  at: number,
): Restriction {
  return {
    until: seconds === undefined ? undefined : at + seconds * 1000,
    reason: reason || undefined,
    by,
  };
}

/** Returns the users who are muted in a room or banned from it, sorted by ID. */
export async function restricted(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { cursor }: RequestPayload<'room:restricted'>,
): Promise<Answers['room:restricted']> {
  const [after] = cursor === undefined ? [''] : decodeCursor(cursor, ['string']);
  const now = Date.now();
  const all = chat.directory.restrictions.of(room.record.id).filter(({ user }) => user > after);
  const page = all.slice(0, pageSize);
  const current = page.flatMap(({ user, restricted }) =>
    restrictionKinds.flatMap((kind) => {
      const restriction = restricted[kind];
      return restriction === undefined || leftOf(restriction, now) <= 0
        ? []
        : [{ user, kind, ...restriction }];
    }),
  );
  const names = await namesIn(
    chat,
    room.record.id,
    current.flatMap(({ user, by }) => [user, by]),
    person.user.id,
  );
  return {
    users: current.map(({ user, by, endsMembership: _, ...restriction }) => ({
      ...restriction,
      user: names.get(user) as User,
      by: names.get(by) as User,
    })),
    next: all.length > page.length ? cursorOf([page.at(-1)?.user ?? '']) : undefined,
  };
}

/** A mute or ban in a room started, changed or ended. If a ban changes a membership, another change follows. */
export const restrictedEffect: Effect<'restricted'> = {
  apply(chat, { room: record, user, kind, now }, find) {
    const { directory, typing } = chat;
    directory.restrictions.set(record.id, user, kind, now);
    const room = directory.room(record.id);
    if (room !== undefined) applyRecord(room.record, record);
    const person = find(user);
    return () => {
      // The restriction may be the next to expire.
      chat.endRestrictions();
      if (room === undefined || kind !== 'muted' || !person?.memberships.has(record.id)) return;
      typing.stop(room, user);
      for (const connection of person.connections) sendSummary(chat, room, connection);
    };
  },
};
