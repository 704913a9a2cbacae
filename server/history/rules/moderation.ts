import { randomUUID } from 'node:crypto';
import { sql } from '../engine/dialect.ts';
import { type Question, rows, storedRoom, type ValueLoader, type Work } from '../engine/work.ts';
import {
  type Act,
  type ActWrites,
  acted,
  type BanWrites,
  type BlockWrites,
  type Change,
  isBanned,
  isMember,
  leftOf,
  type MemberRecord,
  mostBlocked,
  type ReportWrites,
  type Restriction,
  type RestrictionKind,
  type RestrictionWrites,
  restrictionKinds,
  type StoredReport,
} from '../history.ts';
import {
  endedRestrictions,
  endedRestrictionsNeed,
  getMember,
  memberNeed,
  setMember,
} from '../members/loaded.ts';
import { lastMessageNeed, messageNeed } from '../messages/loaded.ts';
import { setRoom } from '../rooms/loaded.ts';
import { actColumns, actRow } from '../rows.ts';
import { bans, blocks, reports } from '../tables.ts';
import { delete as deleteMessage } from './messages.ts';
import {
  countMembers,
  countReports,
  existing,
  handOver,
  hasBlocked,
  isStale,
  messageIn,
  peopleLosing,
  putMember,
  record,
  refuse,
  tellAct,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
export const restrict: Rule<RestrictionWrites['restrict']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleLosing(room, [user])],
  run(work, { room: id, user, kind, restriction, actor, decidedFor, at }, changes) {
    const room = existing(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    const isLaid = getMember(work, id, user)?.restricted?.[kind] !== undefined;
    layRestriction(work, id, user, { kind, restriction, at }, changes);
    const of = { user, room };
    if (restriction !== null) {
      const { by, reason, until } = restriction;
      tellAct(changes, { kind, by, ...of, reason, to: until === undefined ? undefined : { until } });
    } else if (isLaid) tellAct(changes, { kind: `un${kind}`, by: actor, ...of });
    return { stale: false };
  },
};

export const forgetActs: Rule<ActWrites['forgetActs']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_audit WHERE at < ${before}`);
    return {};
  },
};

export const endRestrictions: Rule<RestrictionWrites['endRestrictions']> = {
  needs: ({ before, most }) => [endedRestrictionsNeed(before, most)],
  run(work, { before, most }, changes) {
    const ended = endedRestrictions(work, before, most);
    for (const { room, user } of ended) {
      const { restricted = {} } = getMember(work, room, user) ?? {};
      for (const kind of restrictionKinds) {
        const known = restricted[kind];
        if (known === undefined || leftOf(known, before) > 0) continue;
        layRestriction(work, room, user, { kind, restriction: null, at: before }, changes);
      }
    }
    return { ended: ended.length };
  },
};

export const report: Rule<ReportWrites['report']> = {
  adds: true,
  needs: ({ room, seq, by }) => [
    lastMessageNeed(room),
    messageNeed(room, seq),
    memberNeed(room, by),
    rows(reports, { room, seq, by }),
  ],
  run(work, { room: id, seq, by, ...report }, changes) {
    const room = existing(work, id);
    const member = getMember(work, id, by);
    if (room.kind === 'public' ? isBanned(member) : !isMember(member)) refuse('unknown_room');
    if (work.find(reports, { room: id, seq, by }).length > 0) return { repeated: true };
    const found = messageIn(work, room, seq);
    if (found === undefined || found.deletedAt !== undefined) refuse('unknown_message');
    if (found.user.id === by) refuse('forbidden', 'the message is one’s own');
    const { reactions: _, ...message } = found;
    const row = { id: randomUUID(), room: id, seq, by, author: found.user.id, ...report, message };
    work.put(reports, row);
    countReports(work, room, 1);
    changes.push({ type: 'report', room: record(work, room), id: row.id, closed: false });
    return { repeated: false };
  },
};

export const closeReport: Rule<ReportWrites['closeReport']> = {
  needs: ({ room, seq, id, others = [], by, done, author }) => [
    lastMessageNeed(room),
    ...[id, ...others].map((id) => rows(reports, { room, id })),
    ...(done === 'deleted' ? deleteMessage.needs({ room, seq, user: by, moderator: true, at: 0 }) : []),
    ...(author === undefined ? [] : peopleLosing(room, [author])),
  ],
  run(
    work,
    { room: id, seq, id: report, others = [], author, restriction, reason, again, decidedFor, ...closed },
    changes,
  ) {
    const room = existing(work, id);
    const [first] = work.find(reports, { room: id, id: report });
    if (first === undefined || first.seq < room.firstSeq) refuse('unknown_message');
    if (first.closed !== undefined) return { decided: false, stale: false };
    if (isStale(room, decidedFor)) return { decided: false, stale: true };
    const { by, done, at } = closed;
    if (done === 'deleted') {
      const message = { room: id, seq, user: by, moderator: true, anywhere: true, at } as const;
      deleteMessage.run(work, { ...message, ...(reason === undefined ? {} : { reason }) }, changes);
    } else if (author !== undefined && restriction !== undefined && done !== 'nothing') {
      restrict.run(work, { room: id, user: author, kind: done, restriction, at }, changes);
    }
    for (const one of [report, ...others]) {
      const [known] = work.find(reports, { room: id, id: one });
      if (known === undefined || known.closed !== undefined || known.seq !== seq) continue;
      const { message: _, text: _text, ...rest } = known;
      work.put(reports, { ...rest, closed });
      countReports(work, existing(work, id), -1);
      changes.push({ type: 'report', room: record(work, existing(work, id)), id: one, closed: true });
    }
    if (!again)
      tellAct(changes, {
        kind: 'report_closed',
        by,
        user: first.author,
        room,
        seq,
        reason,
        to: { done },
      });
    return { decided: true, stale: false };
  },
};

export const setBan: Rule<BanWrites['setBan']> = {
  needs: ({ user }) => [rows(bans, { user })],
  run(work, { user, ban, actor }, changes) {
    if (ban === null && work.find(bans, { user }).length === 0) return {};
    if (ban === null) work.remove(bans, { user });
    else work.put(bans, { user, ...ban });
    changes.push({ type: 'ban', user, ban });
    const { by = actor, reason, until } = ban ?? {};
    const kind = ban === null ? 'site_unbanned' : 'site_banned';
    tellAct(changes, { kind, by, user, reason, to: until === undefined ? undefined : { until } });
    return {};
  },
};

export const noteExport: Rule<ActWrites['noteExport']> = {
  needs: () => [],
  run(_work, { user, actor }, changes) {
    tellAct(changes, { kind: 'exported', by: actor, user });
    return {};
  },
};

export const block: Rule<BlockWrites['block']> = {
  needs: ({ user, other, blocked }) => [
    rows(blocks, { user, other }),
    ...(blocked ? [rows(blocks, { user })] : []),
  ],
  run(work, { user, other, blocked, at }, changes) {
    if (hasBlocked(work, user, other) === blocked) return {};
    if (blocked && work.find(blocks, { user }).length >= mostBlocked) refuse('limit_reached');
    if (blocked) work.put(blocks, { user, other, since: at });
    else work.remove(blocks, { user, other });
    changes.push({ type: 'blocked', user, other, blocked });
    return {};
  },
};

/** Changes what is laid on a user of a room. A ban takes the membership away, and its end gives it back. */
function layRestriction(
  work: Work,
  id: string,
  user: string,
  { kind, restriction, at }: { kind: RestrictionKind; restriction: Restriction | null; at: number },
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = getMember(work, id, user) ?? { sources: 0, role: 'member', readSeq: 0, acted: acted.never };
  if (restriction === null && before.restricted?.[kind] === undefined) return;
  const { restricted, held: _, ...rest } = before;
  const { [kind]: former, ...others } = restricted ?? {};
  const wasMember = isMember(before);
  const endsMembership = kind === 'banned' && (wasMember || former?.endsMembership === true);
  const next = restriction && endsMembership ? { ...restriction, endsMembership } : restriction;
  const all = next === null ? others : { ...others, [kind]: next };
  const laid = Object.keys(all).length === 0 ? {} : { restricted: all };
  let now: MemberRecord = { ...before, ...laid };
  if (kind === 'banned') {
    const held = before.held ?? before.sources;
    // A user who comes back is a member like a new one.
    if (restriction === null) {
      const { removed, seenSeq: _, ...member } = rest;
      const keeps = held === 0 && removed !== undefined ? { removed } : {};
      const from = room.lastSeq === 0 ? {} : { fromSeq: room.lastSeq };
      now = { ...member, ...keeps, ...from, sources: held, readSeq: room.lastSeq, ...laid };
    } else {
      now = { ...rest, sources: 0, role: 'member', held, removed: room.access + 1, ...laid };
    }
  } else if (restriction === null) {
    now = { ...rest, ...(isBanned(before) ? { held: before.held } : {}), ...laid };
  }
  const is = isMember(now);
  if (is === wasMember) setRoom(work, { ...room, access: room.access + 1 });
  else countMembers(work, room, is ? 1 : -1, at);
  changes.push({ type: 'restricted', room: record(work, room), user, kind, now: next });
  if (is === wasMember) return setMember(work, id, user, now);
  const since = is ? at : undefined;
  const cause = is ? 'other' : 'banned';
  putMember(work, { room: id, user, before, now, since, by: 'people', cause }, changes);
  if (!is) handOver(work, id, user, before, changes);
}

/** How many reports are open of messages from `from` on, in the database. */
const openReportsLoader: ValueLoader<{ room: string; from: number }, number> = {
  name: 'open reports',
  keyOf: ({ room, from }) => `${from} ${room}`,
  ask: (_place, work, needs): Question[] =>
    needs.flatMap((need) => {
      const room = storedRoom(work, need.room);
      if (room === undefined) return [];
      return {
        sql: sql`SELECT count(*) AS num FROM chat_reports
            WHERE room = ${room.num} AND seq >= ${need.from} AND closed IS NULL`,
        take: ([row]) =>
          void work.valuesOf(openReportsLoader).set(openReportsLoader.keyOf(need), row?.num as number),
      };
    }),
};

/** How many reports are open of messages from `from` on. */
export function openReports(work: Work, room: string, from: number): number {
  let count = work.value(openReportsLoader, { room, from });
  for (const { row, stored } of work.rowsOf(reports).values()) {
    const isOpen = (one: object | null | undefined) => {
      const report = one as StoredReport | null | undefined;
      return report?.room === room && report.seq >= from && report.closed === undefined;
    };
    count += Number(isOpen(row)) - Number(isOpen(stored));
  }
  return count;
}

export function insertActs(work: Work, acts: readonly Act[]): void {
  if (acts.length > 0) work.later((dialect) => dialect.insert('chat_audit', actColumns, acts.map(actRow)));
}
