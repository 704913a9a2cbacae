import { sql } from '../engine/dialect.ts';
import { rows } from '../engine/work.ts';
import type { MailWrites } from '../history.ts';
import { mailAddresses, mailStops } from '../tables.ts';
import { aboutUser, isGone } from './notify.ts';
import type { Rule } from './rule.ts';
// Where mails to users go, and the links in them that stop them: see `Writes`.

export const noteMailAddress: Rule<MailWrites['noteMailAddress']> = {
  needs: ({ user }) => [rows(mailAddresses, { user }), ...aboutUser(user)],
  run(work, { user, ...set }) {
    const [known] = work.find(mailAddresses, { user });
    const { address, ...row } = { ...known, ...set, user };
    if (!isGone(work, user)) work.put(mailAddresses, { ...row, ...(address ? { address } : {}) });
    return {};
  },
};

export const addMailStop: Rule<MailWrites['addMailStop']> = {
  needs: ({ id, user }) => [rows(mailStops, { id }), ...aboutUser(user)],
  run(work, stop) {
    work.find(mailStops, { id: stop.id });
    if (!isGone(work, stop.user)) work.put(mailStops, stop);
    return {};
  },
};

export const forgetMailStops: Rule<MailWrites['forgetMailStops']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_mail_stops WHERE at < ${before}`);
    return {};
  },
};
