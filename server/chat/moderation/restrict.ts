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
const restrictedListed = 100;

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
    const lifted = seconds === 0;
    if (!lifted) needPlace(chat, connection, id, user);
    const actor = connection.person.user.id;
    const what = { room: id, user, kind, restriction: lifted ? null : restriction, actor, decidedFor, at };
    return history.write.restrict(what, connection.id);
  });
  return {};
}

/** @throws RequestError `limit_reached` if too many other users are muted or banned in the room, or by this moderator */
export function needPlace({ directory }: Chat, { identity }: Connection, room: string, user: string): void {
  const by = moderatesSite(identity) ? undefined : identity.id;
  if (directory.restrictions.hasPlaceFor(room, user, by)) return;
  throw new RequestError(
    'limit_reached',
    'too many users are muted or banned in this room, or by this moderator: lift some first',
  );
}

/** @param what.seconds absent for a permanent restriction */
export function restrictionOf(
  by: string,
  { seconds, reason }: { seconds: number | undefined; reason?: string | undefined },
  at: number,
): Restriction {
  return {
    ...(seconds === undefined ? {} : { until: at + seconds * 1000 }),
    ...(reason ? { reason } : {}),
    by,
  };
}

/** The users who are muted in a room or banned from it, by ID. */
export async function restricted(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { cursor }: RequestPayload<'room:restricted'>,
): Promise<Answers['room:restricted']> {
  const [after] = cursor === undefined ? [''] : decodeCursor(cursor, ['string']);
  const now = Date.now();
  const all = chat.directory.restrictions.of(room.record.id).filter(({ user }) => user > after);
  const page = all.slice(0, restrictedListed);
  const laid = page.flatMap(({ user, restricted }) =>
    restrictionKinds.flatMap((kind) => {
      const one = restricted[kind];
      return one === undefined || leftOf(one, now) <= 0 ? [] : [{ user, kind, ...one }];
    }),
  );
  const names = await namesIn(
    chat,
    room.record.id,
    laid.flatMap(({ user, by }) => [user, by]),
    person.user.id,
  );
  return {
    users: laid.map(({ user, by, endsMembership: _, ...one }) => ({
      ...one,
      user: names.get(user) as User,
      by: names.get(by) as User,
    })),
    ...(all.length > page.length ? { next: cursorOf([page.at(-1)?.user ?? '']) } : {}),
  };
}

/** A mute or ban in a room has begun, changed or ended. If a ban changes a membership, another change follows. */
export const restrictedEffect: Effect<'restricted'> = {
  apply(chat, { room: record, user, kind, now }, find) {
    const { directory, typing } = chat;
    directory.restrictions.set(record.id, user, kind, now);
    const room = directory.room(record.id);
    if (room !== undefined) applyRecord(room.record, record);
    const person = find(user);
    return () => {
      // The change may be the next to end.
      chat.endRestrictions();
      if (room === undefined || kind !== 'muted' || !person?.memberships.has(record.id)) return;
      typing.stop(room, user);
      for (const connection of person.connections) sendSummary(chat, room, connection);
    };
  },
};
