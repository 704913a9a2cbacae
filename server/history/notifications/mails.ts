import { sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { MailReads } from '../history.ts';
import { mailAddresses, mailStops } from '../tables.ts';

export const mailReads: ReadsOf<MailReads> = {
  *mailAddress(_, { user }) {
    const [address = { user }] = yield* findRows(mailAddresses, sql`WHERE user_id = ${user}`);
    return address;
  },
  *mailStop(_, { id }) {
    const [stop = null] = yield* findRows(mailStops, sql`WHERE id = ${id}`);
    return stop;
  },
};
