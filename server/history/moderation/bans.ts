import { tellAct } from '../audit.ts';
import { raw } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import type { Ban } from '../records/moderation.ts';
import { deletedUser } from '../records/user.ts';

export interface BanWrites {
  /** Bans a user from the site, or (null) lifts the ban. No-op if there is no ban to lift. */
  setBan: { in: { user: string; ban: Ban | null; actor?: string }; out: Nothing };
}

export interface BanReads {
  bans: { in: null; out: { user: string; ban: Ban }[] };
}

export const bans = table<Ban & { user: string }>(
  'chat_bans',
  ['user'],
  { user: 'user_id', until: 'until', reason: 'reason', by: 'by_id' },
  {
    users: ['by'],
    // For an erased moderator. The stage `person` deletes the ban of an erased user.
    without({ user, ...ban }) {
      const anonymous = { ...ban, by: deletedUser.id };
      return { row: { user, ...anonymous }, change: { type: 'ban', user, ban: anonymous } };
    },
  },
);

const setBan: Rule<BanWrites['setBan']> = {
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

const reads: ReadsOf<BanReads> = {
  *bans() {
    return (yield* findRows(bans, raw(''))).map(({ user, ...ban }) => ({ user, ban }));
  },
};

export const banSubject = subject<BanWrites, BanReads>({
  tables: [bans],
  rules: { setBan },
  reads,
});
