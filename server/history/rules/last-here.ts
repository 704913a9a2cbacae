import { isBeforeEnd } from '../erasure.ts';
import { lastHere, rows } from '../tables.ts';
import type { Rule } from './rule.ts';

export const noteHere: Rule<'noteHere'> = {
  needs: ({ user }) => [rows(lastHere, { user }), { what: 'user', id: user }, { what: 'erasing', user }],
  run(work, { user, at }) {
    const [known] = work.find(lastHere, { user });
    const erasure = work.erasureOf(user);
    // The stage that looks for such rows may just be over: nobody would find this one.
    const isGone = work.user(user) === undefined || (erasure !== undefined && isBeforeEnd(erasure));
    if (isGone || known?.hidden === 1 || (known !== undefined && known.at >= at)) return {};
    work.put(lastHere, { user, at });
    return {};
  },
};

export const hideHere: Rule<'hideHere'> = {
  needs: ({ user }) => [rows(lastHere, { user })],
  run(work, { user, hidden }) {
    const [known] = work.find(lastHere, { user });
    if ((known?.hidden === 1) === hidden) return {};
    if (hidden) work.put(lastHere, { user, at: 0, hidden: 1 });
    else work.remove(lastHere, { user });
    return {};
  },
};

export const forgetHere: Rule<'forgetHere'> = {
  needs: () => [],
  run(work, { before }) {
    work.forgetHere(before);
    return {};
  },
};
