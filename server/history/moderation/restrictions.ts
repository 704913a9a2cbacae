import { tellAct } from '../audit.ts';
import { ask, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import type { Work } from '../engine/work.ts';
import { countMembers, handOver, peopleLosing, putMember } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import {
  acted,
  isBanned,
  isMember,
  leftOf,
  type MemberRecord,
  type Restriction,
  type RestrictionKind,
  restrictionKinds,
  withoutPreferences,
} from '../records/member.ts';
import type { RoomState } from '../records/room.ts';
import { endedRestrictions, endedRestrictionsNeed, getMember, setMember } from '../rows/members.ts';
import { lastMessageNeed } from '../rows/messages.ts';
import { isStale, recordOf, requireRoom } from '../rows/room-changes.ts';
import { setRoom } from '../rows/rooms.ts';

export interface RestrictionWrites {
  /** Restricts a user in a room, or (null) lifts the restriction. Codes: `unknown_room`. */
  restrict: {
    in: {
      room: string;
      user: string;
      kind: RestrictionKind;
      restriction: Restriction | null;
      actor?: string;
      decidedFor?: RoomState;
      at: number;
    };
    out: { stale: boolean };
  };
  /**
   * Lifts restrictions that ended at or before `before`, of up to `most` users. A user counts once per room.
   * @returns `ended`: the number of users
   */
  endRestrictions: { in: { before: number; most: number }; out: { ended: number } };
}

export interface RestrictionReads {
  restrictions: {
    in: null;
    out: { room: string; user: string; restricted: NonNullable<MemberRecord['restricted']> }[];
  };
}

export const restrict: Rule<RestrictionWrites['restrict']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleLosing(room, [user])],
  run(work, { room: id, user, kind, restriction, actor, decidedFor, at }, changes) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    const wasRestricted = getMember(work, id, user)?.restricted?.[kind] !== undefined;
    applyRestriction(work, id, user, { kind, restriction, at }, changes);
    const target = { user, room };
    if (restriction !== null) {
      const { by, reason, until } = restriction;
      tellAct(changes, { kind, by, ...target, reason, to: until === undefined ? undefined : { until } });
    } else if (wasRestricted) tellAct(changes, { kind: `un${kind}`, by: actor, ...target });
    return { stale: false };
  },
};

const endRestrictions: Rule<RestrictionWrites['endRestrictions']> = {
  alone: true,
  needs: ({ before, most }) => [endedRestrictionsNeed(before, most)],
  run(work, { before, most }, changes) {
    const ended = endedRestrictions(work, before, most);
    for (const { room, user } of ended) {
      const { restricted = {} } = getMember(work, room, user) ?? {};
      for (const kind of restrictionKinds) {
        const restriction = restricted[kind];
        if (restriction === undefined || leftOf(restriction, before) > 0) continue;
        applyRestriction(work, room, user, { kind, restriction: null, at: before }, changes);
      }
    }
    return { ended: ended.length };
  },
};

/** Sets or lifts a restriction. A ban ends the membership, and lifting it restores the membership. */
export function applyRestriction(
  work: Work,
  id: string,
  user: string,
  { kind, restriction, at }: { kind: RestrictionKind; restriction: Restriction | null; at: number },
  changes: Change[],
): void {
  const room = requireRoom(work, id);
  const before = getMember(work, id, user) ?? { sources: 0, role: 'member', readSeq: 0, acted: acted.never };
  if (restriction === null && before.restricted?.[kind] === undefined) return;
  const { restricted, held: _, ...rest } = before;
  const { [kind]: former, ...others } = restricted ?? {};
  const wasMember = isMember(before);
  const endsMembership = kind === 'banned' && (wasMember || former?.endsMembership === true);
  const next = restriction && endsMembership ? { ...restriction, endsMembership } : restriction;
  const restrictions = next === null ? others : { ...others, [kind]: next };
  const restrictedNow = Object.keys(restrictions).length === 0 ? {} : { restricted: restrictions };
  let now: MemberRecord = { ...before, ...restrictedNow };
  if (kind === 'banned') {
    const bannedSources = before.held ?? before.sources;
    // When a ban ends, the membership starts like a new one, with all messages read.
    if (restriction === null) {
      // The user may have left the team since. A member of the team can open the question again.
      const isOfTeam = room.question !== undefined && room.question.asker?.id !== user;
      const restored = isOfTeam ? 0 : bannedSources;
      const { removed, seenSeq: _, ...member } = withoutPreferences(rest);
      const removal = restored === 0 && removed !== undefined ? { removed } : {};
      const start = room.lastSeq === 0 ? {} : { fromSeq: room.lastSeq };
      now = {
        ...member,
        ...removal,
        ...start,
        sources: restored,
        readSeq: room.lastSeq,
        ...restrictedNow,
      };
    } else {
      now = {
        ...rest,
        sources: 0,
        role: 'member',
        held: bannedSources,
        removed: room.access + 1,
        ...restrictedNow,
      };
    }
  } else if (restriction === null) {
    now = { ...rest, held: isBanned(before) ? before.held : undefined, ...restrictedNow };
  }
  const isMemberNow = isMember(now);
  if (isMemberNow === wasMember) setRoom(work, { ...room, access: room.access + 1 });
  else countMembers(work, room, isMemberNow ? 1 : -1, at);
  changes.push({ type: 'restricted', room: recordOf(work, room), user, kind, now: next });
  if (isMemberNow === wasMember) return setMember(work, id, user, now);
  const since = isMemberNow ? at : undefined;
  const cause = isMemberNow ? 'other' : 'banned';
  putMember(work, { room: id, user, before, now, since, by: 'people', cause }, changes);
  if (!isMemberNow) handOver(work, id, user, before, changes);
}

const reads: ReadsOf<RestrictionReads> = {
  *restrictions() {
    const rows = yield* ask(
      sql`SELECT rooms.id AS id, user_id, restricted FROM chat_members AS members
          JOIN chat_rooms AS rooms ON rooms.num = members.room WHERE restricted_until > 0`,
    );
    return rows.map(({ id, user_id, restricted }) => ({
      room: id as string,
      user: user_id as string,
      restricted: JSON.parse(restricted as string),
    }));
  },
};

export const restrictionSubject = subject<RestrictionWrites, RestrictionReads>({
  rules: { restrict, endRestrictions },
  reads,
});
