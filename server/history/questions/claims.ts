import type { User } from '../../wire/events.ts';
import { ask, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { add, take } from '../members/membership.ts';
import { applyRestriction } from '../moderation/restrictions.ts';
import { mailAddresses, mailReplies, mailStops } from '../notifications/mails.ts';
import { acted, isBanned, isMember, sources } from '../records/member.ts';
import type { RoomRecord } from '../records/room.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';
import { getMember } from '../rows/members.ts';
import { recordOf, requireRoom } from '../rows/room-changes.ts';
import { userNeed } from '../rows/users.ts';
import { rename } from '../users/users.ts';
import { askerNeed, putQuestion, roomOfAsker } from './state.ts';

// What users take along from the guests that they were before logging in.

export interface ClaimWrites {
  /**
   * Makes the question of a guest the question of a user, with the read marker and a mute. The user may have one
   * already. Codes: `forbidden` (the user is banned from that one). `room`: null if the guest has no question.
   */
  claimQuestion: {
    in: { guest: string; user: User; team: string; at: number };
    out: { room: RoomRecord | null };
  };
}

export interface ClaimReads {
  /** The guests that a user was before logging in. */
  claimedBy: { in: { user: string }; out: string[] };
}

/** The guests that users were before logging in. Several users of one device can have been the same guest. */
const claimed = table<{ guest: string; user: string }>(
  'chat_claimed',
  ['guest', 'user'],
  { guest: 'other_id', user: 'user_id' },
  { users: ['guest', 'user'], without: () => ({ row: null }) },
);

const claimQuestion: Rule<ClaimWrites['claimQuestion']> = {
  needs: ({ guest, user, team }) => [
    askerNeed(guest, team),
    askerNeed(user.id, team),
    rows(mailAddresses, { user: guest }),
    rows(claimed, { guest, user: user.id }),
    ...aboutUser(guest),
    userNeed(user.id),
  ],
  run(work, { guest, user, team, at }, changes) {
    const [before] = work.find(claimed, { guest, user: user.id });
    // Also a guest without a question may have written, in public rooms.
    if (before === undefined && !isGone(work, guest)) work.put(claimed, { guest, user: user.id });
    const room = roomOfAsker(work, guest, team);
    const member = room && getMember(work, room.id, guest);
    if (room?.question === undefined || isBanned(member)) return { room: null };
    const own = roomOfAsker(work, user.id, team);
    // A login must not end a ban.
    if (own !== undefined && isBanned(getMember(work, own.id, user.id))) refuse('forbidden');
    rename(work, user, changes);
    const { readSeq, ownUnread } = isMember(member)
      ? member
      : { readSeq: room.lastSeq, ownUnread: undefined };
    const how = { source: 'people', role: 'member', acted: acted.joined, readSeq, ownUnread, at } as const;
    add(work, room, user, how, changes);
    const muted = member?.restricted?.muted;
    if (muted !== undefined)
      applyRestriction(work, room.id, user.id, { kind: 'muted', restriction: muted, at }, changes);
    const leaves = { bits: sources.people, by: 'people', cause: 'left', at } as const;
    take(work, room.id, guest, leaves, changes);
    work.remove(mailAddresses, { user: guest });
    // The user can then answer earlier mails, and their links stop the mails that the user now gets.
    for (const { name } of [mailReplies, mailStops])
      work.later(() => sql`UPDATE ${raw(name)} SET user_id = ${user.id} WHERE user_id = ${guest}`);
    const second = own === undefined ? {} : { isSecond: true as const };
    const now = { ...room.question, asker: user, ...second, address: undefined };
    putQuestion(work, room.id, now, 'changed', changes);
    return { room: recordOf(work, requireRoom(work, room.id)) };
  },
};

const reads: ReadsOf<ClaimReads> = {
  *claimedBy(_, { user }) {
    const found = yield* ask(
      sql`SELECT other_id FROM chat_claimed WHERE user_id = ${user} ORDER BY other_id`,
    );
    return found.map(({ other_id }) => other_id as string);
  },
};

export const claimSubject = subject<ClaimWrites, ClaimReads>({
  tables: [claimed],
  rules: { claimQuestion },
  reads,
});
