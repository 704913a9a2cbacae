import { sql } from '../engine/dialect.ts';
import { findRows, type ReadRegistry } from '../engine/read.ts';
import { mailAddresses, mailStops } from '../tables.ts';

export const mailReads = {
  *mailAddress(_, { user }) {
    const [address = { user }] = yield* findRows(mailAddresses, sql`WHERE user_id = ${user}`);
    return address;
  },
  *mailStop(_, { id }) {
    const [stop = null] = yield* findRows(mailStops, sql`WHERE id = ${id}`);
    return stop;
  },
} satisfies Partial<ReadRegistry>;
