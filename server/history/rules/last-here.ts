import { sql } from '../engine/dialect.ts';
import { rows } from '../engine/work.ts';
import type { LastHereWrites } from '../history.ts';
import { lastHere } from '../tables.ts';
import { aboutUser, isGone } from './notify.ts';
import type { Rule } from './rule.ts';
export const noteHere: Rule<LastHereWrites['noteHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [known] = work.find(lastHere, { user });
    if (isGone(work, user) || known?.hidden === 1 || (known !== undefined && known.at >= at)) return {};
    work.put(lastHere, { user, at });
    return {};
  },
};

export const hideHere: Rule<LastHereWrites['hideHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, hidden }) {
    const [known] = work.find(lastHere, { user });
    if (isGone(work, user) || (known?.hidden === 1) === hidden) return {};
    if (hidden) work.put(lastHere, { user, at: 0, hidden: 1 });
    else work.remove(lastHere, { user });
    return {};
  },
};

export const forgetHere: Rule<LastHereWrites['forgetHere']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_last_here WHERE at < ${before} AND hidden IS NULL`);
    return {};
  },
};
